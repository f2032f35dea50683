//! An outbox must not lose a payment, and must not book one twice.
//!
//! A payment that is certainly not in the log is sent again; one that may be is kept for somebody
//! to look at. Without retries of its own the producer sends each once.

use std::collections::{BTreeSet, VecDeque};
use titorelli_sim::{Producer, Record, Simulation, ms};

/// Sends what is pending; what may be booked and what may not is returned.
fn drain(mut pending: VecDeque<String>, producer: &Producer) -> BTreeSet<String> {
    let mut unclear = BTreeSet::new();
    while let Some(payment) = pending.pop_front() {
        let sent = producer.send(&Record::to("payments").value(payment.as_bytes()));
        match sent.map(|receipt| receipt.wait(ms(300_000)).expect("every record ends")) {
            Ok(Ok(_booked)) => {}
            Ok(Err(error)) if error.may_be_persisted() => drop(unclear.insert(payment)),
            Ok(Err(_)) | Err(_) => pending.push_front(payment),
        }
    }
    unclear
}

fn main() {
    let world = Simulation::builder()
        .topic("payments", 3)
        .set("acks", "all");
    world.each(0..200, |sim| {
        sim.chaos(ms(2_000));
        let payments: VecDeque<String> =
            (0..50).map(|number| format!("payment {number}")).collect();
        let unclear = drain(payments.clone(), &sim.producer());
        let booked = sim.values("payments");
        let once: BTreeSet<&String> = booked.iter().collect();
        assert_eq!(once.len(), booked.len(), "none is booked twice");
        let is_kept = |payment: &String| once.contains(payment) || unclear.contains(payment);
        assert!(payments.iter().all(is_kept), "none is lost");
    });
}

#[test]
fn no_payment_is_lost_or_booked_twice() {
    main();
}
