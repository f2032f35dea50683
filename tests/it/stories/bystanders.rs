//! One broker's trouble is not the others' (L10, L14).

use titorelli_sim::cluster::BrokerId;
use titorelli_sim::{Story, ms};

/// A new topic is learnt from a healthy broker, however long another throttles.
#[test]
fn a_throttled_broker_keeps_nobody_from_metadata() {
    let mut story = Story::new(|_| {});
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    story.send("orders/0", "known");
    story.run_until_idle();
    story.control("b1 throttles for weeks", |cluster| {
        cluster.throttle(BrokerId(1), i32::MAX);
    });
    story.send("orders/0", "throttled");
    story.wait(ms(50));
    let bystander = story.send("stock/0", "bystander");
    story.wait(ms(50));
    assert!(story.is_acked(bystander));
}

/// A broker that owes an answer for a second is not counted on, even when it is the only one that
/// is connected and has no room for a question (museum M83).
#[test]
fn a_silent_broker_without_room_keeps_nobody_from_metadata() {
    let mut story = Story::new(|config| config.max_in_flight_requests_per_connection = 1);
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    story.send("orders/0", "known");
    story.run_until_idle();
    story.silence("b1");
    story.send("orders/0", "unanswered");
    story.wait(ms(50));
    let bystander = story.send("stock/0", "bystander");
    story.wait(ms(1_050));
    assert!(story.is_acked(bystander));
}

/// Nor is one asked that owes an answer for long, although it has room.
#[test]
fn a_silent_broker_with_room_is_not_asked() {
    let mut story = Story::new(|config| config.retries = 5);
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    story.send("orders/0", "known");
    story.run_until_idle();
    story.silence("b1");
    story.send("orders/0", "unanswered");
    story.wait(ms(1_050));
    let bystander = story.send("stock/0", "bystander");
    story.wait(ms(50));
    assert!(story.is_acked(bystander));
}

/// A connection that waits for the end of a throttle is not idle.
#[test]
fn a_throttled_connection_is_not_idle() {
    let mut story = Story::new(|config| {
        config.retries = 3;
        config.connections_max_idle = ms(200);
        config.delivery_timeout = Some(ms(60_000));
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    let b1 = BrokerId(1);
    story.control("b1 throttles for ten seconds", |c| c.throttle(b1, 10_000));
    story.send("orders/0", "a");
    story.wait(ms(100));
    let connects = story.world().core().stats().connects;
    story.control("and no more", |c| c.throttle(b1, 0));
    let b = story.send("orders/0", "b");
    story.run_until_idle();
    story.expect_delivered([b]);
    assert_eq!(story.world().core().stats().connects, connects);
}

/// What ended unsent is no reason to connect to its leader (L8), and a broker that refuses is not
/// counted on while it is tried again and again.
#[test]
fn nobody_is_connected_to_for_what_has_ended() {
    let mut story = Story::new(|config| {
        config.linger = ms(0);
        config.request_timeout = ms(400);
        config.delivery_timeout = Some(ms(400));
        config.reconnect_backoff = ms(1);
        config.reconnect_backoff_max = Some(ms(1));
        config.metadata_max_age = ms(300_000);
    });
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    story.ready();
    story.control("b1 goes down, and nobody knows", |cluster| {
        for broker in [1, 2, 3].map(BrokerId) {
            cluster.lag(broker);
        }
        cluster.set_down(BrokerId(1));
    });
    story.wait(ms(50));
    story.send("orders/0", "unsent");
    story.wait(ms(1_000));
    let connects = story.world().core().stats().connects;
    assert!(
        connects > 20,
        "it is tried while something waits: {connects}"
    );
    story.wait(ms(10_000));
    let more = story.world().core().stats().connects - connects;
    assert_eq!(more, 0);
}

/// Metadata that is always due, and data, take turns where there is room for one request.
#[test]
fn metadata_that_is_always_due_does_not_keep_data_waiting() {
    let mut story = Story::with(
        |config| {
            config.max_in_flight_requests_per_connection = 1;
            config.metadata_max_age = ms(0);
            config.retry_backoff = ms(0);
        },
        |cluster| cluster.brokers.truncate(1),
    );
    story.cluster("orders/0 -> b1");
    story.send("orders/0", "known");
    story.wait(ms(30));
    for _ in 0..20 {
        let asked = story.world().core().stats().metadata_requests;
        let data = story.send("orders/0", "in turn");
        story.wait(ms(10));
        story.expect_delivered([data]);
        assert!(story.world().core().stats().metadata_requests > asked);
    }
}
