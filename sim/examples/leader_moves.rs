//! The leader moves while the answer is lost: what does the application hear, and what is there?

use titorelli_sim::{Record, Simulation, ms};

fn main() {
    for retries in ["0", "5"] {
        let sim = Simulation::builder()
            .topic("orders", 1)
            .set("acks", "all")
            .set("retries", retries)
            .start();
        sim.befall("orders/0", "the leader moves while the answer is lost");
        let sent = sim.producer().send(&Record::to("orders").value(b"one"));
        let result = sent.expect("accepted").wait(ms(120_000)).expect("it ends");
        if retries == "0" {
            // It is in the log, and the producer cannot know: it says so.
            assert!(result.is_err_and(|error| error.may_be_persisted()));
            sim.expect_log("orders/0", &["one"]);
        } else {
            // It is sent again, to the new leader, which has it twice now.
            assert_eq!(result.expect("acked").offset, 1);
            sim.expect_log("orders/0", &["one", "one"]);
        }
        print!("{}", sim.trace());
    }
}

#[test]
fn it_is_unclear_without_retries_and_there_twice_with_them() {
    main();
}
