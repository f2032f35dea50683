//! Twice, or out of order: what sequence numbers were for, and were not used for.

use titorelli::DeliveryCause;
use titorelli_sim::codec::error_code::{
    NOT_ENOUGH_REPLICAS, OUT_OF_ORDER_SEQUENCE_NUMBER, REQUEST_TIMED_OUT,
    TOPIC_AUTHORIZATION_FAILED,
};
use titorelli_sim::{RecordState, Story, ms};

use super::expect_nothing_left;
use crate::stories::numbered;

fn ready(leaders: &str) -> Story {
    let mut story = Story::new(numbered);
    story.cluster(leaders);
    story.ready();
    story
}

/// M04 librdkafka 6a17fdd9b: a topic was not there for a moment, its partitions' numbers began at 0
/// again under the same epoch, and brokers took new records for old ones.
#[test]
fn numbers_outlive_a_topic_that_is_away_for_a_moment() {
    let mut story = ready("orders/0 -> b1");
    let a = story.send("orders/0", "a");
    story.run_until_idle();
    story.strike(&titorelli_sim::Fault::Mislead(
        titorelli_sim::cluster::BrokerId(1),
        titorelli_sim::cluster::Lie::TopicFails,
    ));
    story.cut_requests_after("b1", 10);
    let b = story.send("orders/0", "b");
    story.wait(ms(500));
    let c = story.send("orders/0", "c");
    story.run_until_idle();
    story.expect_delivered([a, b, c]);
    story.expect_log("orders/0", &["a", "b", "c"]);
    expect_nothing_left(&story);
}

/// M31 KAFKA-12152, franz-go v0.6.3: one partition raised the epoch, another that was idle kept its
/// old numbers under it, and was refused for ever.
#[test]
fn an_idle_partition_begins_at_0_under_the_epoch_that_another_raised() {
    let mut story = ready("orders/0 -> b1, orders/1 -> b2");
    let a = story.send("orders/1", "a");
    story.run_until_idle();
    story.fails_next("orders/0", OUT_OF_ORDER_SEQUENCE_NUMBER);
    let b = story.send("orders/0", "b");
    story.run_until_idle();
    let c = story.send("orders/1", "c");
    let d = story.send("orders/1", "d");
    story.run_until_idle();
    story.expect_delivered([a, b, c, d]);
    story.expect_log("orders/1", &["a", "c", "d"]);
    let timeline = story.timeline();
    assert!(timeline.contains("orders/0 begins its sequence at 0 again (epoch 1)"));
    assert_eq!(
        timeline.matches("OUT_OF_ORDER").count(),
        2,
        "one refusal, told twice"
    );
    expect_nothing_left(&story);
}

/// M32 KAFKA-13794: batches with equal numbers of different epochs were taken for each other.
#[test]
fn equal_numbers_of_two_epochs_are_two_batches() {
    let mut story = ready("orders/0 -> b1");
    for value in ["a", "b"] {
        story.fails_next("orders/0", OUT_OF_ORDER_SEQUENCE_NUMBER);
        story.send("orders/0", value);
    }
    let c = story.send("orders/0", "c");
    story.run_until_idle();
    story.expect_delivered([c]);
    story.expect_log("orders/0", &["a", "b", "c"]);
    expect_nothing_left(&story);
}

/// M34 KAFKA-5494: behind a batch that failed for good, what was refused for its number was not
/// sent again.
#[test]
fn those_behind_a_batch_that_failed_for_good_go_on_in_order() {
    let mut story = ready("orders/0 -> b1");
    story.fails_next("orders/0", TOPIC_AUTHORIZATION_FAILED);
    let a = story.send("orders/0", "a");
    let b = story.send("orders/0", "b");
    let c = story.send("orders/0", "c");
    story.run_until_idle();
    let state = story.state(a);
    assert!(matches!(state, RecordState::NotPersisted(_)), "{state:?}");
    story.expect_delivered([b, c]);
    story.expect_log("orders/0", &["b", "c"]);
    expect_nothing_left(&story);
}

/// M35 KAFKA-14034: one batch was in doubt, the next failed for good, and the gap was decided on
/// too early.
#[test]
fn a_batch_in_doubt_is_found_out_before_the_failure_behind_it_counts() {
    let mut story = ready("orders/0 -> b1");
    story.fails_next_after_append("orders/0", REQUEST_TIMED_OUT);
    story.fails_next("orders/0", TOPIC_AUTHORIZATION_FAILED);
    let a = story.send("orders/0", "a");
    let b = story.send("orders/0", "b");
    let c = story.send("orders/0", "c");
    story.run_until_idle();
    let state = story.state(b);
    assert!(matches!(state, RecordState::NotPersisted(_)), "{state:?}");
    story.expect_delivered([a, c]);
    story.expect_log("orders/0", &["a", "c"]);
    expect_nothing_left(&story);
}

/// M38 librdkafka #4438: after answers that were lost, the refusal of the first made those behind
/// it fail for good.
#[test]
fn answers_that_are_lost_and_then_a_refusal_lose_nothing() {
    for lost in 1..=4 {
        let mut story = ready("orders/0 -> b1");
        let first: Vec<_> = (0..5)
            .map(|n| story.send("orders/0", &format!("a{n}")))
            .collect();
        story.run_until_idle();
        for _ in 0..lost {
            story.lose_next_response("b1");
        }
        let next: Vec<_> = (0..4)
            .map(|n| story.send("orders/0", &format!("b{n}")))
            .collect();
        story.wait(ms(3));
        story.fails_next("orders/0", NOT_ENOUGH_REPLICAS);
        story.run_until_idle();
        for record in first.into_iter().chain(next) {
            story.expect_delivered([record]);
        }
        let log = ["a0", "a1", "a2", "a3", "a4", "b0", "b1", "b2", "b3"];
        story.expect_log("orders/0", &log);
        expect_nothing_left(&story);
    }
}

/// M44 sarama #3354: what was set aside while a batch was retried went out without numbers.
#[test]
fn what_is_sent_while_a_batch_is_retried_follows_it_in_order() {
    let mut story = ready("orders/0 -> b1");
    story.fails_next("orders/0", NOT_ENOUGH_REPLICAS);
    let a = story.send("orders/0", "a");
    let b = story.send_after(ms(5), "orders/0", "b");
    let c = story.send_after(ms(50), "orders/0", "c");
    let d = story.send_after(ms(80), "orders/0", "d");
    story.run_until_idle();
    story.expect_delivered([a, b, c, d]);
    story.expect_log("orders/0", &["a", "b", "c", "d"]);
    expect_nothing_left(&story);
}

/// A batch that brokers refuse for its number, whatever it is, fails in the end, and says why.
#[test]
fn a_number_that_no_broker_takes_is_given_up() {
    let mut story = ready("orders/0 -> b1");
    for _ in 0..20 {
        story.fails_next("orders/0", OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    let a = story.send("orders/0", "a");
    story.run_until_idle();
    let state = story.state(a);
    assert!(
        matches!(state, RecordState::NotPersisted(error)
            if matches!(error.cause, DeliveryCause::Broker(..)) && error.attempts == 9),
        "{state:?}"
    );
    expect_nothing_left(&story);
}

/// Another cluster answers under the same addresses: there the producer id may be somebody else's,
/// whose numbers would make new records look old.
#[test]
fn another_cluster_is_asked_for_another_producer_id() {
    let mut story = Story::new(|config| {
        numbered(config);
        config.metadata_max_age = ms(100);
    });
    story.cluster("orders/0 -> b1, orders/1 -> b2");
    story.ready();
    let a = story.send("orders/0", "a");
    story.wait(ms(10));
    story.control("is another cluster", |cluster| cluster.rename("another"));
    story.wait(ms(200));
    let b = story.send("orders/0", "b");
    story.wait(ms(50));
    story.expect_delivered([a, b]);
    let timeline = story.timeline();
    let answers = timeline.matches("core   producer id").count();
    assert_eq!(answers, 1, "{timeline}");
    let renewed = timeline.rsplit("producer id").next().unwrap_or_default();
    assert!(renewed.contains("orders/0 seq 0 n 1"), "{timeline}");
}
