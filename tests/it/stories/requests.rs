//! What goes into a request, and how many are under way.

use titorelli::{Config, SendError};
use titorelli_sim::codec::error_code::NOT_ENOUGH_REPLICAS;
use titorelli_sim::{OwnedRecord, RecordState, Story, ms};

/// A story whose only broker leads so many partitions of `orders`.
fn with_partitions(count: i32, change: impl FnOnce(&mut Config)) -> Story {
    let mut story = Story::with(change, |cluster| cluster.brokers.truncate(1));
    let places: Vec<String> = (0..count)
        .map(|index| format!("orders/{index} -> b1"))
        .collect();
    story.cluster(&places.join(", "));
    story.ready();
    story
}

/// `batch_size` 0 disables batching: every record has its own batch, though they are sent at once.
#[test]
fn a_batch_size_of_0_gives_every_record_its_own_batch() {
    let mut story = with_partitions(1, |config| config.batch_size = 0);
    let records = ["a", "b", "c"].map(|value| story.send("orders/0", value));
    story.run_until_idle();
    story.expect_delivered(records);
    let batches = story.world().cluster().log("orders", 0).batches();
    assert!(
        batches.iter().all(|batch| batch.record_count == 1),
        "{batches:?}"
    );
    assert_eq!(batches.len(), 1 + 3, "with that of the beginning");
}

/// A record beyond `batch_size` has a batch of its own, which grows for it.
#[test]
fn a_record_larger_than_a_batch_is_sent_alone() {
    let mut story = with_partitions(1, |config| {
        config.batch_size = 200;
        config.linger = ms(5);
    });
    let large = "x".repeat(50_000);
    let records = ["a", &large, "b"].map(|value| story.send("orders/0", value));
    story.run_until_idle();
    story.expect_delivered(records);
    story.expect_log("orders/0", &["a", &large, "b"]);
    let batches = story.world().cluster().log("orders", 0).batches();
    let counts: Vec<_> = batches.iter().map(|batch| batch.record_count).collect();
    assert_eq!(counts, [1, 1, 1, 1]);
}

/// `max_request_size` caps a record, to the byte: the error says by how much it is too large.
#[test]
fn a_record_is_taken_up_to_max_request_size_and_not_a_byte_more() {
    let mut story = with_partitions(1, |config| config.max_request_size = 5_000);
    let mut fits = 5_000;
    loop {
        let record = story.send("orders/0", &"x".repeat(fits));
        story.run_until_idle();
        let state = story.state(record);
        let RecordState::Rejected(SendError::TooLarge {
            record_bytes,
            limit_bytes: 5_000,
            limit_key: "max_request_size",
        }) = state
        else {
            story.expect_delivered([record]);
            break;
        };
        // What is said to be too much is what has to go.
        let excess = record_bytes - 5_000;
        assert!(excess > 0 && fits > excess);
        fits -= excess;
    }
    let record = story.send("orders/0", &"x".repeat(fits + 1));
    assert!(matches!(story.state(record), RecordState::Rejected(_)));
    // Headers count as well.
    let record = story.give(OwnedRecord {
        topic: "orders".to_owned(),
        value: Some(vec![b'x'; 10]),
        headers: vec![("h".to_owned(), Some(vec![0; 5_000]))],
        ..OwnedRecord::default()
    });
    assert!(matches!(
        story.state(record),
        RecordState::Rejected(SendError::TooLarge { .. })
    ));
}

/// `max_request_size` caps what a request carries, and every partition has its turn: none is in a
/// request again before all others that wait were.
#[test]
fn partitions_share_requests_that_are_capped_in_turn() {
    let mut story = with_partitions(7, |config| {
        config.max_request_size = 1_000;
        config.batch_size = 0;
        config.max_in_flight_requests_per_connection = 1;
    });
    let mut values = Vec::new();
    for round in 0..4 {
        for partition in 0..7 {
            let value = format!("{round}{}", "x".repeat(300));
            values.push(story.send(&format!("orders/{partition}"), &value));
        }
    }
    story.run_until_idle();
    let mut turns = [0; 7];
    for line in story
        .timeline()
        .lines()
        .filter(|line| line.contains("  core   Produce "))
    {
        let carried: Vec<usize> = line
            .split("orders/")
            .skip(1)
            .map(|rest| rest[..1].parse().expect("a partition"))
            .collect();
        assert_eq!(carried.len(), 2, "two of them fit: {line}");
        for partition in carried {
            turns[partition] += 1;
        }
        let (most, least) = (turns.iter().max(), turns.iter().min());
        assert!(most <= least.map(|least| least + 1).as_ref(), "{turns:?}");
    }
    assert_eq!(turns, [4; 7]);
    for value in values {
        assert!(matches!(story.state(value), RecordState::Acked { .. }));
    }
}

/// One batch alone may be more than the cap that its record was held to: it goes all the same.
#[test]
fn a_batch_as_large_as_a_request_goes_alone() {
    let mut story = with_partitions(2, |config| {
        config.max_request_size = 1_000;
        config.batch_size = 4_000;
        config.linger = ms(5);
    });
    let mut records = Vec::new();
    for number in 0..12 {
        records.push(story.send("orders/0", &format!("{number:0200}")));
    }
    let beside = story.send("orders/1", "beside");
    story.run_until_idle();
    story.expect_delivered([beside]);
    for record in records {
        assert!(matches!(story.state(record), RecordState::Acked { .. }));
    }
}

/// No more than `max_in_flight_requests_per_connection` requests wait for their answer.
#[test]
fn no_more_requests_are_unanswered_than_may_be() {
    for limit in [1, 2, 5] {
        let mut story = with_partitions(1, |config| {
            config.batch_size = 0;
            config.max_in_flight_requests_per_connection = limit;
            config.request_timeout = ms(1_000);
        });
        story.silence("b1");
        let records: Vec<_> = (0..9)
            .map(|number| story.send("orders/0", &number.to_string()))
            .collect();
        story.wait(ms(900));
        assert_eq!(
            story.micros_of("Produce #").len(),
            2 * limit,
            "sent and heard"
        );
        story.run_until_idle();
        for record in records {
            assert!(
                !matches!(story.state(record), RecordState::Accepted(_)),
                "S1"
            );
        }
    }
}

/// `retries` is how often a batch is sent again: then it fails with what the broker said last.
#[test]
fn a_batch_is_sent_again_as_often_as_retries_says() {
    for retries in [0, 1, 4] {
        let mut story = with_partitions(1, |config| config.retries = retries);
        for _ in 0..10 {
            story.fails_next("orders/0", NOT_ENOUGH_REPLICAS);
        }
        let record = story.send("orders/0", "again");
        story.run_until_idle();
        let state = story.state(record);
        let RecordState::NotPersisted(error) = state else {
            panic!("{state:?}");
        };
        assert_eq!(error.attempts, retries + 1);
        assert_eq!(error.code().map(|code| code.0), Some(NOT_ENOUGH_REPLICAS));
    }
}

/// A broker that says nothing holds up nobody but who waits for it.
#[test]
fn a_silent_broker_does_not_stall_the_others() {
    let mut story = Story::new(|config| config.request_timeout = ms(30_000));
    story.cluster("orders/0 -> b1, orders/1 -> b2");
    story.ready();
    story.silence("b1");
    let stuck = story.send("orders/0", "stuck");
    let mut others = Vec::new();
    for _ in 0..50 {
        others.push(story.send_after(ms(10), "orders/1", "x"));
    }
    story.wait(ms(3));
    for other in others {
        assert!(matches!(story.state(other), RecordState::Acked { .. }));
    }
    assert!(matches!(story.state(stuck), RecordState::Accepted(_)));
}

/// What is under way on a connection that ends fails together, is sent again in its order, and the
/// cluster is asked who leads now.
#[test]
fn all_that_is_under_way_on_a_lost_connection_is_sent_again() {
    let mut story = Story::new(|config| {
        config.retries = 3;
        config.batch_size = 0;
    });
    story.cluster("orders/0 -> b1, orders/1 -> b1, stock/0 -> b2");
    story.ready();
    story.lose_next_response("b1");
    let records = [("orders/0", "a"), ("orders/1", "b"), ("orders/0", "c")]
        .map(|(place, value)| story.send(place, value));
    story.run_until_idle();
    story.expect_delivered(records);
    super::check("connection_lost", &story);
}
