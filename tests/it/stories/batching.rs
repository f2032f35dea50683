//! When a batch leaves.

use titorelli_sim::codec::error_code::MESSAGE_TOO_LARGE;
use titorelli_sim::{RecordState, Story, ms};

/// Records within `linger` share one batch, and it leaves when the first has lingered.
#[test]
fn a_lingering_batch_collects_and_then_leaves() {
    let mut story = Story::new(|config| config.linger = ms(10));
    story.cluster("orders/0 -> b1");
    story.ready();
    let a = story.send("orders/0", "a");
    let b = story.send_after(ms(4), "orders/0", "b");
    let c = story.send_after(ms(4), "orders/0", "c");
    let late = story.send_after(ms(7), "orders/0", "late");
    story.run_until_idle();
    story.expect_delivered([a, b, c, late]);
    story.expect_log("orders/0", &["a", "b", "c", "late"]);
    super::check("linger", &story);
}

/// A batch is full when it could not take another record like the last one; then it does not
/// linger. The record after it opens the next batch, which does.
#[test]
fn a_full_batch_leaves_at_once() {
    let mut story = Story::new(|config| {
        config.linger = ms(50);
        config.batch_size = 300;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    let long = "x".repeat(60);
    let a = story.send("orders/0", &long);
    let b = story.send_after(ms(1), "orders/0", &long);
    let c = story.send_after(ms(1), "orders/0", &long);
    let d = story.send_after(ms(1), "orders/0", &long);
    story.run_until_idle();
    story.expect_delivered([a, b, c, d]);
    story.expect_log("orders/0", &[&long, &long, &long, &long]);
    super::check("batch_full", &story);
}

/// A flush ends the lingering of what was accepted before it, and ends itself with the acks.
#[test]
fn a_flush_does_not_wait_for_linger() {
    let mut story = Story::new(|config| config.linger = ms(500));
    story.cluster("orders/0 -> b1, orders/1 -> b2");
    story.ready();
    let a = story.send("orders/0", "a");
    let b = story.send("orders/1", "b");
    story.wait(ms(5));
    story.flush();
    let after = story.send_after(ms(1), "orders/0", "after");
    story.run_until_idle();
    story.expect_delivered([a, b, after]);
    super::check("flush_under_linger", &story);
}

/// A flush covers what was accepted before it: others go on sending, and what they send lingers on.
#[test]
fn a_flush_covers_what_was_accepted_before_it_and_nothing_else() {
    let mut story = Story::new(|config| {
        config.linger = ms(500);
        config.batch_size = 0;
    });
    story.cluster("orders/0 -> b1, orders/1 -> b2, stock/0 -> b3");
    story.ready();
    let before = story.send("orders/0", "before");
    story.flush();
    let mut others = Vec::new();
    for number in 0..30 {
        others.push(story.send_after(ms(1), "orders/1", &number.to_string()));
    }
    assert_eq!(
        story.micros_of("flushed"),
        [2_000],
        "a round trip, whatever others do"
    );
    story.run_until_idle();
    story.expect_delivered([before]);
    for other in others {
        assert!(matches!(story.state(other), RecordState::Acked { .. }));
    }
}

/// A flush ends with the last of its records, also when that fails: it was completed.
#[test]
fn a_flush_ends_with_what_fails_too() {
    let mut story = Story::new(|config| config.linger = ms(500));
    story.cluster("orders/0 -> b1, orders/1 -> b2");
    story.ready();
    story.fails_next("orders/0", MESSAGE_TOO_LARGE);
    let bad = story.send("orders/0", "bad");
    let good = story.send("orders/1", "good");
    story.flush();
    story.run_until_idle();
    story.expect_delivered([good]);
    assert!(matches!(story.state(bad), RecordState::NotPersisted(_)));
    assert_eq!(story.micros_of("flushed"), [2_000]);
}
