//! Loss, false success, corruption, duplicates, order.

use titorelli_sim::cluster::BrokerId;
use titorelli_sim::codec::error_code;
use titorelli_sim::{Fault, OwnedRecord, RecordState, Story, ms};

use super::expect_nothing_left;

const B1: BrokerId = BrokerId(1);

/// KAFKA-19012: the buffer of an expired batch was used again while the socket still sent from it,
/// and records of one topic came to lie in another.
#[test]
fn what_the_transport_has_stays_what_it_was() {
    for bytes in 0..200 {
        let mut story = Story::new(|config| {
            config.buffer_memory = 2_000;
            config.request_timeout = ms(300);
            config.delivery_timeout = Some(ms(300));
        });
        story.cluster("orders/0 -> b1, stock/0 -> b1");
        story.ready();
        story.strike(&Fault::Clog(B1, bytes));
        story.send("orders/0", &"o".repeat(100));
        for _ in 0..20 {
            story.send_after(ms(50), "stock/0", &"s".repeat(100));
        }
        story.run_until_idle();
        // It compares every log with what was sent where.
        expect_nothing_left(&story);
    }
}

/// librdkafka #756 and rskafka #103: a request that was written in part timed out, and the next was
/// written in its middle. librdkafka #1390: the request and its records were both sent again.
#[test]
fn a_request_that_left_in_part_is_the_last_of_its_connection() {
    for bytes in 0..150 {
        let mut story = Story::new(|config| {
            config.retries = 5;
            config.request_timeout = ms(300);
        });
        story.cluster("orders/0 -> b1");
        story.ready();
        story.strike(&Fault::Clog(B1, bytes));
        let first = story.send("orders/0", "first");
        story.wait(ms(100));
        let second = story.send("orders/0", "second");
        story.run_until_idle();
        story.expect_delivered([first, second]);
        let copies = titorelli_sim::check::copies(story.world(), 5);
        assert!(copies <= 1, "cut after {bytes}: {copies} copies");
        expect_nothing_left(&story);
    }
}

/// KAFKA-3197: with one request in flight a batch that was sent again after its leader had moved
/// was overtaken by the next, which went to the new leader at once.
#[test]
fn a_moved_leader_does_not_change_the_order() {
    let mut story = Story::new(|config| {
        config.retries = 5;
        config.max_in_flight_requests_per_connection = 1;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.fails_next("orders/0", error_code::NOT_LEADER_OR_FOLLOWER);
    let one = story.send("orders/0", "one");
    story.move_leader("orders/0", "b2");
    let two = story.send_after(ms(1), "orders/0", "two");
    let three = story.send_after(ms(1), "orders/0", "three");
    story.run_until_idle();
    story.expect_delivered([one, two, three]);
    story.expect_log("orders/0", &["one", "two", "three"]);
}

/// franz-go 029f5e3: the count of requests in flight wrapped at 256, and was taken back twice.
#[test]
fn three_hundred_requests_may_be_in_flight() {
    let mut story = Story::new(|config| {
        config.retries = 5;
        config.batch_size = 0;
        config.max_in_flight_requests_per_connection = 1_000;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    let records: Vec<_> = (0..300)
        .map(|number| story.send("orders/0", &number.to_string()))
        .collect();
    let connects = story.world().core().stats().connects;
    story.run_until_idle();
    story.move_leader("orders/0", "b2");
    let after = story.send("orders/0", "after");
    story.run_until_idle();
    assert!(records.into_iter().all(|record| story.is_acked(record)));
    assert!(story.is_acked(after));
    assert!(story.world().core().stats().connects <= connects + 1);
    expect_nothing_left(&story);
}

/// sarama #1455: a record's timestamp depended on its place in the batch: a retry changed it.
#[test]
fn a_retry_keeps_headers_and_timestamps() {
    let mut story = Story::new(|config| {
        config.retries = 5;
        config.linger = ms(10);
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.fails_next("orders/0", error_code::NOT_ENOUGH_REPLICAS);
    let stamps = [1_700_000_000_001, 1_699_999_999_000, 1_700_000_000_999];
    let records = stamps.map(|timestamp_ms| {
        story.give(OwnedRecord {
            topic: "orders".to_owned(),
            partition: Some(0),
            value: Some(timestamp_ms.to_string().into_bytes()),
            headers: vec![("h".to_owned(), None), ("h".to_owned(), Some(vec![1]))],
            timestamp_ms: Some(timestamp_ms),
            ..OwnedRecord::default()
        })
    });
    story.run_until_idle();
    story.expect_delivered(records);
}

/// KAFKA-12841, KAFKA-3720, franz-go 857ed6dc: the error at the end hid what had happened before.
#[test]
fn a_deadline_tells_what_went_wrong_before_it() {
    let mut story = Story::new(|config| {
        config.retries = 1_000;
        config.request_timeout = ms(300);
        config.delivery_timeout = Some(ms(1_000));
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    for _ in 0..50 {
        story.fails_next("orders/0", error_code::NOT_ENOUGH_REPLICAS);
    }
    let record = story.send("orders/0", "refused");
    story.run_until_idle();
    let RecordState::NotPersisted(error) = story.state(record) else {
        panic!("{:?}", story.state(record));
    };
    let words = error.to_string();
    for word in ["orders-0", "delivery_timeout", "NOT_ENOUGH_REPLICAS"] {
        assert!(words.contains(word), "{words}");
    }
}

/// KAFKA-3122 and others: a code whose records were completed without giving back their memory.
#[test]
fn every_code_ends_a_record_once_and_gives_back_its_memory() {
    for code in (-1..=133).filter(|code| *code != error_code::NONE) {
        for is_appended in [false, true] {
            let mut story = Story::new(|config| {
                config.retries = 1;
                config.request_timeout = ms(300);
                config.delivery_timeout = Some(ms(1_000));
            });
            story.cluster("orders/0 -> b1");
            story.ready();
            for _ in 0..2 {
                if is_appended {
                    story.fails_next_after_append("orders/0", code);
                } else {
                    story.fails_next("orders/0", code);
                }
            }
            story.send("orders/0", "told to fail");
            story.run_until_idle();
            if !is_appended {
                // A code that says "refused" of what was appended is a lie that nobody can see.
                titorelli_sim::check::truth(story.world());
            }
            let stats = story.world().core().stats();
            assert_eq!(stats.buffered_bytes, 0, "{code}");
        }
    }
}

/// KAFKA-5957, 7501, 8325, 9605: a batch that had expired was completed again by its late answer.
#[test]
fn a_late_answer_changes_nothing() {
    let codes = [0, 6, 7, 10, 46, 87, 999];
    for code in codes {
        let mut story = Story::new(|config| {
            config.retries = 5;
            config.request_timeout = ms(900);
            config.delivery_timeout = Some(ms(900));
        });
        story.cluster("orders/0 -> b1");
        story.ready();
        // Half a second each way, and half of that again: the answer is late by a hair.
        story.strike(&Fault::Delay(B1, ms(899)));
        if code != 0 {
            story.fails_next("orders/0", code);
        }
        let record = story.send("orders/0", "late");
        story.run_until_idle();
        assert!(!story.is_acked(record), "{code}: {:?}", story.state(record));
        let stats = story.world().core().stats();
        assert_eq!(
            (stats.buffered_bytes, stats.records_maybe_persisted),
            (0, 1)
        );
    }
}
