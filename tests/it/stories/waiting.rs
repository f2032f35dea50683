//! Calls that wait for memory.

use titorelli::{Config, SendError};
use titorelli_sim::cluster::BrokerId;
use titorelli_sim::{RecordId, RecordState, Story, ms};

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

/// Three times `buffer_memory` is offered while the only broker says nothing: what fits is taken
/// and kept, what does not waits and is refused at `max_block`; when the broker answers again,
/// everything that was taken is written. The world checks at every step that no more is held.
#[test]
fn memory_is_bounded_whatever_is_offered() {
    const LIMIT_BYTES: usize = 30_000;
    let change = |config: &mut Config| {
        config.buffer_memory = LIMIT_BYTES;
        config.batch_size = 1_000;
        config.max_block = ms(500);
        config.retries = 1_000;
        config.request_timeout = ms(60_000);
    };
    let mut story = Story::with(change, |cluster| cluster.brokers.truncate(1));
    story.cluster("orders/0 -> b1");
    story.ready();
    story.control("b1 throttles for a minute", |cluster| {
        cluster.throttle(BrokerId(1), 60_000);
    });
    let first = story.send("orders/0", "it is told to wait with the answer");
    story.run_until_idle();
    let mut sent = Vec::new();
    for number in 0..3 * LIMIT_BYTES / 300 {
        sent.push(story.send("orders/0", &format!("{number:0270}")));
        story.wait(ms(1));
    }
    story.wait(ms(1_000));
    let held = story.world().core().stats().buffered_bytes;
    assert!(held > LIMIT_BYTES * 9 / 10 && held <= LIMIT_BYTES, "{held}");
    let is_refused = |id: &&RecordId| {
        matches!(
            story.state(**id),
            RecordState::Rejected(SendError::BufferFull { .. })
        )
    };
    let refused = sent.iter().filter(is_refused).count();
    assert!(refused > sent.len() / 2, "{refused} of {}", sent.len());
    story.control("b1 throttles no more", |cluster| {
        cluster.throttle(BrokerId(1), 0);
    });
    story.run_until_idle();
    let acked = sent
        .iter()
        .filter(|id| matches!(story.state(**id), RecordState::Acked { .. }))
        .count();
    assert_eq!(acked + refused, sent.len());
    story.expect_delivered([first]);
    assert_eq!(story.world().core().stats().buffered_bytes, 0, "S8");
}
