//! How a producer ends.

use titorelli::{DeliveryCause, SendError};
use titorelli_sim::{RecordState, Story, ms};

/// `close` lets what was accepted arrive, without waiting for `linger`.
#[test]
fn close_waits_for_the_acks() {
    let mut story = Story::new(|config| config.linger = ms(500));
    story.cluster("orders/0 -> b1");
    story.ready();
    let a = story.send("orders/0", "a");
    story.close(ms(1_000));
    story.run_until_idle();
    story.expect_delivered([a]);
    assert!(story.world().is_closed());
    super::check("close", &story);
}

/// Every broker is down: `close` gives up in time, and says that the record was never written.
#[test]
fn close_with_a_dead_cluster_ends_in_time() {
    let mut story = Story::new(|config| {
        config.retries = 10;
        config.reconnect_backoff = ms(400);
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    for broker in ["b1", "b2", "b3"] {
        story.take_down(broker);
    }
    story.wait(ms(5));
    let a = story.send("orders/0", "a");
    story.close(ms(300));
    story.run_until_idle();
    let state = story.state(a);
    assert!(
        matches!(state, RecordState::NotPersisted(error)
            if error.cause == DeliveryCause::ProducerClosed),
        "{state:?}"
    );
    assert!(story.world().is_closed());
    story.expect_log("orders/0", &[]);
    super::check("close_dead_cluster", &story);
}

/// `close` in the middle of a `linger` and again later: nothing is lost, the second has nothing to
/// do, and what is sent after the first is refused.
#[test]
fn after_close_nothing_is_accepted_and_a_second_close_changes_nothing() {
    let mut story = Story::new(|config| config.linger = ms(500));
    story.cluster("orders/0 -> b1");
    story.ready();
    let before = story.send("orders/0", "before");
    story.close(ms(1_000));
    let after = story.send("orders/0", "after");
    story.close(ms(5_000));
    story.run_until_idle();
    story.expect_delivered([before]);
    story.expect_log("orders/0", &["before"]);
    let state = story.state(after);
    assert!(
        matches!(state, RecordState::Rejected(SendError::Closed)),
        "{state:?}"
    );
    let timeline = story.timeline();
    let ends: Vec<&str> = timeline
        .lines()
        .filter(|line| line.ends_with("  app    closed"))
        .collect();
    assert_eq!(ends, ["  1002.000  app    closed"]);
}

/// A call that waits when the producer is closed is refused at once, not after `max_block`.
#[test]
fn close_refuses_the_calls_that_wait() {
    let mut story = Story::new(|_| {});
    story.cluster("orders/0 -> b1");
    story.ready();
    let waiting = story.send("payments/0", "too late");
    story.wait(ms(5));
    story.close(ms(1_000));
    let state = story.state(waiting);
    assert!(
        matches!(state, RecordState::Rejected(SendError::Closed)),
        "{state:?}"
    );
    story.run_until_idle();
    assert!(story.world().is_closed());
}
