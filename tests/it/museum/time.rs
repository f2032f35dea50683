//! Busy loops, stalls, wrong deadlines, storms.

use titorelli::Instant;
use titorelli_sim::cluster::BrokerId;
use titorelli_sim::codec::error_code;
use titorelli_sim::{Fault, Story, ms};

const B1: BrokerId = BrokerId(1);

/// The spans between instants, in milliseconds, rounded down.
fn gaps_ms(micros: &[u64]) -> Vec<u64> {
    let pairs = micros.windows(2);
    pairs.map(|pair| (pair[1] - pair[0]) / 1_000).collect()
}

/// KAFKA-7311, and kafka-python #2615 seven years later: the next expiry was never reset, and once
/// it had passed the loop did not sleep any more.
#[test]
fn an_idle_producer_sleeps() {
    let mut story = Story::new(|config| {
        config.metadata_max_age = ms(100_000_000);
        config.connections_max_idle = ms(100_000_000);
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    let record = story.send("orders/0", "one");
    story.run_until_idle();
    story.expect_delivered([record]);
    let steps = story.world().steps();
    story.wait(ms(10 * 120_000));
    assert_eq!(story.world().steps(), steps);
    let deadline = story
        .world()
        .core()
        .poll_timeout()
        .expect("metadata grows old");
    assert!(deadline.at > story.world().now() && deadline.at < Instant::FAR);
}

/// franz-go 73c16c1d: a leader that moved cut the linger short.
#[test]
fn a_moved_leader_does_not_cut_linger() {
    let mut story = Story::new(|config| {
        config.linger = ms(100);
        config.metadata_max_age = ms(30);
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.wait(ms(200));
    let sent_at = story.world().now();
    story.send("orders/0", "lingers");
    story.move_leader("orders/0", "b2");
    story.wait(ms(99));
    assert!(story.world().core().stats().requests > 0);
    let offset_ms = sent_at.as_micros() / 1_000 % 1_000;
    story.wait(ms(50));
    let sent = story.micros_of("Produce");
    let sent_ms = sent.last().expect("it was sent") / 1_000;
    assert!(
        (offset_ms + 100..offset_ms + 110).contains(&sent_ms),
        "{sent_ms}"
    );
}

/// KAFKA-16083: time under a throttle counted as the age of requests: connections were given up.
#[test]
fn a_throttle_is_no_silence() {
    let mut story = Story::new(|config| {
        config.retries = 5;
        config.request_timeout = ms(500);
        config.batch_size = 0;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.control("b1 throttles for a second", |cluster| {
        cluster.throttle(B1, 1_000);
    });
    let connects = story.world().core().stats().connects;
    let first = [1, 2, 3, 4, 5].map(|number| story.send("orders/0", &number.to_string()));
    story.wait(ms(10));
    story.control("and no more", |cluster| cluster.throttle(B1, 0));
    let then = story.send("orders/0", "after the throttle");
    story.wait(ms(900));
    assert!(!story.is_acked(then));
    story.run_until_idle();
    story.expect_delivered(first);
    story.expect_delivered([then]);
    assert_eq!(story.world().core().stats().connects, connects);
}

/// KAFKA-5621: batches that merely waited for their turn expired by the timeout of requests.
#[test]
fn a_queue_longer_than_a_request_timeout_is_no_failure() {
    let mut story = Story::new(|config| {
        config.max_in_flight_requests_per_connection = 1;
        config.batch_size = 0;
        config.request_timeout = ms(1_000);
        config.delivery_timeout = Some(ms(60_000));
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.strike(&Fault::Delay(B1, ms(900)));
    let records = [1, 2, 3, 4, 5, 6].map(|number| story.send("orders/0", &number.to_string()));
    story.run_until_idle();
    story.expect_delivered(records);
}

/// KAFKA-2138, sarama #2469: retries were used up within microseconds.
#[test]
fn retries_are_a_backoff_apart_and_grow() {
    let mut story = Story::new(|config| {
        config.retries = 5;
        config.retry_backoff = ms(100);
        config.retry_backoff_max = Some(ms(400));
        config.backoff_jitter_percent = 0;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    for _ in 0..5 {
        story.fails_next("orders/0", error_code::NOT_ENOUGH_REPLICAS);
    }
    let record = story.send("orders/0", "patient");
    story.run_until_idle();
    story.expect_delivered([record]);
    let sent: Vec<u64> = story.micros_of("Produce").into_iter().step_by(2).collect();
    assert_eq!(gaps_ms(&sent), [102, 202, 402, 402, 402]);
}

/// KAFKA-13879: the backoff began anew with every TCP connection, however it ended.
#[test]
fn a_connection_that_never_served_does_not_reset_the_backoff() {
    let mut story = Story::with(
        |config| {
            config.max_block = ms(2_000);
            config.reconnect_backoff = ms(50);
            config.reconnect_backoff_max = Some(ms(400));
            config.backoff_jitter_percent = 0;
        },
        |cluster| {
            // It closes the connection when it is asked for its versions.
            cluster.brokers.truncate(1);
            cluster.brokers[0].play((0, 8, 2));
        },
    );
    story.cluster("orders/0 -> b1");
    story.send("orders/0", "nobody understands");
    story.run_until_idle();
    let begun = story.micros_of("connect -> b1");
    // Two milliseconds until it is connected, two more until it is closed.
    let pauses: Vec<u64> = gaps_ms(&begun).into_iter().map(|gap| gap - 4).collect();
    assert_eq!(pauses[..5], [50, 100, 200, 400, 400]);
}

/// kafka-go #806, librdkafka #1336: a topic that does not exist was asked for without a pause.
#[test]
fn a_topic_that_is_not_there_is_asked_for_with_pauses() {
    let mut story = Story::new(|config| {
        config.max_block = ms(10_000);
        config.retry_backoff = ms(100);
        config.retry_backoff_max = Some(ms(1_000));
    });
    story.cluster("orders/0 -> b1");
    story.send("nowhere", "waits");
    story.run_until_idle();
    let asked = story.world().core().stats().metadata_requests;
    assert!((8..20).contains(&asked), "{asked} requests in ten seconds");
}

/// librdkafka #5086: connections that were idle, or closed as planned, counted as failures, and
/// bootstrap began anew.
#[test]
fn an_orderly_end_is_no_failure() {
    let mut story = Story::new(|config| config.connections_max_idle = ms(200));
    story.cluster("orders/0 -> b1");
    story.ready();
    for number in 0..5 {
        story.wait(ms(500));
        let begins = story.world().now();
        let record = story.send("orders/0", &number.to_string());
        story.run_until_idle();
        story.expect_delivered([record]);
        let took = story.world().now().since(begins);
        assert!(took < ms(20), "{took:?}: it connects at once");
    }
}
