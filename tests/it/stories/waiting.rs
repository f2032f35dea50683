//! Calls that wait for memory.

use titorelli_sim::{Story, ms};

/// The buffer is full: two calls wait, in line, and each goes in when an ack frees its room.
#[test]
fn waiters_for_memory_are_admitted_in_order() {
    let mut story = Story::new(|config| {
        config.batch_size = 0;
        config.buffer_memory = 400;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    let big = "x".repeat(250);
    let first = story.send("orders/0", &big);
    let second = story.send("orders/0", &big.replace('x', "y"));
    let third = story.send_after(ms(1), "orders/0", "small");
    story.run_until_idle();
    story.expect_delivered([first, second, third]);
    let log = [&big, &big.replace('x', "y"), "small"];
    story.expect_log("orders/0", &log);
    super::check("buffer_full", &story);
}
