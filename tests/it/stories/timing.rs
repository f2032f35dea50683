//! Every waiting time of the configuration, exact to the microsecond in virtual time.
//!
//! The network takes one millisecond each way; pauses have no jitter here.

use core::time::Duration;
use titorelli::{Config, DeliveryCause, SendError};
use titorelli_sim::{RecordState, Story, ms};

const fn micros(micros: u64) -> Duration {
    Duration::from_micros(micros)
}

/// The gaps between times.
fn gaps(micros: &[u64]) -> Vec<u64> {
    micros.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[test]
fn a_call_waits_for_its_topic_exactly_max_block() {
    let mut story = Story::new(|config| config.max_block = micros(1_234_567));
    story.cluster("orders/0 -> b1");
    story.ready();
    let lost = story.send("payments/0", "lost");
    story.run_until_idle();
    let state = story.state(lost);
    let RecordState::Rejected(SendError::TopicUnknown { waited, .. }) = state else {
        panic!("{state:?}");
    };
    assert_eq!(*waited, micros(1_234_567));
    assert_eq!(story.micros_of("refused payments/0"), [1_234_567]);
}

/// The reference producer gave metadata and memory the full time each. Here the call has one
/// budget: what the topic took is not there for the memory.
#[test]
fn max_block_is_one_budget_for_metadata_and_memory() {
    let mut story = Story::new(|config| {
        config.max_block = micros(2_000_003);
        config.batch_size = 0;
        config.buffer_memory = 400;
        config.request_timeout = Duration::from_secs(60);
    });
    story.cluster("orders/0 -> b2, stock/0 -> b1");
    story.ready();
    story.silence("b2");
    // It holds the memory for a minute.
    let _ = story.send("orders/0", &"x".repeat(300));
    let lost = story.send("payments/0", &"y".repeat(300));
    story.wait(ms(1_200));
    story.control("payments is created", |cluster| {
        cluster.create_topic("payments", 1);
    });
    story.wait(ms(2_000));
    let state = story.state(lost);
    let RecordState::Rejected(SendError::BufferFull { waited, .. }) = state else {
        panic!("first the topic was missing, then memory: {state:?}");
    };
    assert_eq!(*waited, micros(2_000_003));
    assert_eq!(story.micros_of("refused payments/0"), [2_000_003]);
    super::check("max_block_once", &story);
}

#[test]
fn a_batch_lingers_exactly_linger() {
    let mut story = Story::new(|config| config.linger = micros(7_321));
    story.cluster("orders/0 -> b1");
    story.ready();
    let first = story.send("orders/0", "first");
    let second = story.send_after(micros(7_320), "orders/0", "in time");
    story.run_until_idle();
    story.expect_delivered([first, second]);
    assert_eq!(story.micros_of("Produce #2 -> b1"), [7_321]);
    // The next batch lingers for itself.
    let _ = story.send("orders/0", "third");
    let sent = story.micros_of("send orders/0 \"third\"")[0];
    story.run_until_idle();
    assert_eq!(story.micros_of("Produce #3 -> b1"), [sent + 7_321]);
}

#[test]
fn a_request_is_given_up_exactly_after_request_timeout() {
    let mut story = Story::new(|config| config.request_timeout = micros(345_678));
    story.cluster("orders/0 -> b1");
    story.ready();
    story.silence("b1");
    let lost = story.send("orders/0", "lost");
    story.run_until_idle();
    let state = story.state(lost);
    assert!(
        matches!(state, RecordState::MaybePersisted(error)
            if error.cause == DeliveryCause::RequestTimeout),
        "{state:?}"
    );
    assert_eq!(story.micros_of("timer RequestTimeout"), [345_678]);
    assert_eq!(story.micros_of("disconnect -> b1"), [345_678]);
}

#[test]
fn a_failed_batch_is_sent_again_exactly_after_its_backoff() {
    let mut story = Story::new(|config| {
        config.retries = 9;
        config.retry_backoff = micros(10_001);
        config.retry_backoff_max = Some(micros(35_000));
        config.backoff_jitter_percent = 0;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    for _ in 0..4 {
        story.fails_next("orders/0", 19); // NOT_ENOUGH_REPLICAS
    }
    let late = story.send("orders/0", "late");
    story.run_until_idle();
    story.expect_delivered([late]);
    // Two milliseconds there and back, then the pause: it doubles up to its maximum.
    let sent = story.micros_of("-> b1                orders/0 n 1");
    let pauses: Vec<u64> = gaps(&sent).iter().map(|gap| gap - 2_000).collect();
    assert_eq!(pauses, [10_001, 20_002, 35_000, 35_000]);
}

#[test]
fn jitter_keeps_a_backoff_within_its_percentage() {
    let mut pauses = Vec::new();
    for percent in [20, 50, 100] {
        let mut story = Story::new(|config| {
            config.retries = 99;
            config.retry_backoff = ms(100);
            config.retry_backoff_max = Some(ms(1_000_000));
            config.backoff_jitter_percent = percent;
        });
        story.cluster("orders/0 -> b1");
        story.ready();
        story.fails_next("orders/0", 19);
        let _ = story.send("orders/0", "late");
        story.run_until_idle();
        let sent = story.micros_of("-> b1                orders/0 n 1");
        let pause = (gaps(&sent)[0] - 2_000) / 1_000;
        let percent = u64::from(percent);
        assert!((100 - percent..=100 + percent).contains(&pause), "{pause}");
        pauses.push(pause);
    }
    assert!(pauses.iter().any(|pause| *pause != 100), "{pauses:?}");
}

#[test]
fn metadata_is_asked_for_again_exactly_at_its_greatest_age() {
    let mut story = Story::new(|config| config.metadata_max_age = micros(700_123));
    story.cluster("orders/0 -> b1");
    story.ready();
    story.wait(ms(3_000));
    let asked = story.micros_of("Metadata #");
    let asked: Vec<u64> = asked.iter().copied().step_by(2).collect();
    // The age counts from the answer, two milliseconds after the question.
    assert!(asked.len() >= 3, "{asked:?}");
    assert!(gaps(&asked).iter().all(|gap| *gap == 702_123), "{asked:?}");
}

#[test]
fn a_broker_is_connected_to_again_exactly_after_its_backoff() {
    let change = |config: &mut Config| {
        config.retries = 9;
        config.reconnect_backoff = micros(50_007);
        config.reconnect_backoff_max = Some(micros(150_000));
        config.backoff_jitter_percent = 0;
    };
    let mut story = Story::with(change, |cluster| cluster.brokers.truncate(1));
    story.cluster("orders/0 -> b1");
    story.ready();
    story.take_down("b1");
    let _ = story.send("orders/0", "patient");
    story.wait(ms(800));
    let begun = story.micros_of("connect -> b1");
    // A refusal comes after two milliseconds.
    let refused = 2_000;
    let pauses: Vec<u64> = gaps(&begun).iter().map(|gap| gap - refused).collect();
    assert_eq!(pauses[..4], [50_007, 100_014, 150_000, 150_000]);
}

#[test]
fn a_slow_connection_is_given_up_exactly_after_its_set_up_timeout_and_the_next_later() {
    let change = |config: &mut Config| {
        config.max_block = ms(10_000);
        config.socket_connection_setup_timeout = micros(300_009);
        config.socket_connection_setup_timeout_max = Some(micros(700_000));
        config.reconnect_backoff = micros(0);
        config.reconnect_backoff_max = Some(micros(0));
    };
    let mut story = Story::with(change, |cluster| cluster.brokers.truncate(1));
    story.cluster("orders/0 -> b1");
    story.stall("b1");
    let _ = story.send("orders/0", "impatient");
    story.wait(ms(4_000));
    let begun = story.micros_of("connect -> b1");
    // No pause after the first, and the least that there is after those that follow.
    let pauses = [0, 1_000, 1_000];
    let spans = gaps(&begun).into_iter().zip(pauses);
    let spans: Vec<u64> = spans.map(|(gap, pause)| gap - pause).collect();
    assert_eq!(spans, [300_009, 600_018, 700_000]);
}

#[test]
fn a_record_ends_exactly_at_delivery_timeout() {
    let change = |config: &mut Config| {
        config.retries = 1_000;
        config.request_timeout = ms(100);
        config.delivery_timeout = Some(micros(1_111_111));
    };
    let mut story = Story::with(change, |cluster| cluster.brokers.truncate(1));
    story.cluster("orders/0 -> b1");
    story.ready();
    story.take_down("b1");
    story.wait(ms(5));
    let lost = story.send("orders/0", "lost");
    story.run_until_idle();
    let state = story.state(lost);
    let RecordState::NotPersisted(error) = state else {
        panic!("{state:?}");
    };
    assert_eq!(error.cause, DeliveryCause::DeliveryTimeout);
    // It was never sent: the error says what is the matter with its leader.
    assert!(
        matches!(error.last_failure, Some(DeliveryCause::Disconnected(_))),
        "{error}"
    );
    assert_eq!(story.micros_of("timer DeliveryTimeout"), [1_116_111]);
}

/// A connection that nothing was asked on is closed exactly at its greatest idle time, which is no
/// failure: the next record connects at once.
#[test]
fn an_idle_connection_is_closed_exactly_after_connections_max_idle() {
    let mut story = Story::new(|config| {
        config.connections_max_idle = micros(2_000_001);
        config.reconnect_backoff = ms(900);
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    let first = story.send("orders/0", "first");
    story.wait(ms(5_000));
    story.expect_delivered([first]);
    // The answer is the last that it saw, at 2 ms.
    assert_eq!(story.micros_of("timer ConnectionIdle")[0], 2_002_001);
    let second = story.send("orders/0", "second");
    story.wait(ms(10));
    story.expect_delivered([second]);
    super::check("idle_connection", &story);
}
