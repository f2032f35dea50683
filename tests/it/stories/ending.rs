//! How a producer ends.

use titorelli::DeliveryCause;
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
