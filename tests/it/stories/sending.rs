//! What `send` and `partitions_for` take, refuse and wait for.

use core::time::Duration;
use titorelli::{Config, Instant, ProducerCore, Record, SendError};
use titorelli_sim::cluster::{Access, BrokerId};
use titorelli_sim::codec::error_code::TOPIC_AUTHORIZATION_FAILED;
use titorelli_sim::{OwnedRecord, RecordState, Story, ms};

/// Who may not know of a topic is told so as soon as a broker says it, and not after `max_block`.
#[test]
fn a_topic_that_may_not_be_known_is_refused_at_once() {
    let mut story = Story::new(|_| {});
    story.cluster("orders/0 -> b1, secret/0 -> b2");
    story.control("secret is not for everybody", |cluster| {
        cluster.set_access("secret", Access::None);
    });
    let record = story.send("secret/0", "psst");
    story.run_until_idle();
    let state = story.state(record);
    let RecordState::Rejected(SendError::TopicRefused { topic, code }) = state else {
        panic!("{state:?}");
    };
    assert_eq!((&**topic, code.0), ("secret", TOPIC_AUTHORIZATION_FAILED));
    super::check("topic_refused", &story);
}

/// Who may know of a topic and not write to it is told by the record's failure: it is not written,
/// and no retry would help.
#[test]
fn a_topic_that_may_not_be_written_fails_its_records_unwritten() {
    let mut story = Story::new(|config| config.retries = 10);
    story.cluster("orders/0 -> b1");
    story.ready();
    story.control("orders may be described only", |cluster| {
        cluster.set_access("orders", Access::Describe);
    });
    let record = story.send("orders/0", "no");
    story.run_until_idle();
    let state = story.state(record);
    let RecordState::NotPersisted(error) = state else {
        panic!("{state:?}");
    };
    let code = error.code().map(|code| code.0);
    assert_eq!(
        (code, error.attempts),
        (Some(TOPIC_AUTHORIZATION_FAILED), 1)
    );
    story.expect_log("orders/0", &[]);
}

/// A partition that does not exist yet is waited for, as a topic is.
#[test]
fn a_partition_that_appears_in_time_takes_its_waiter() {
    let mut story = Story::new(|_| {});
    story.cluster("orders/0 -> b1");
    story.ready();
    let record = story.send("orders/1", "early");
    story.wait(ms(300));
    story.control("orders gets a second partition", |cluster| {
        cluster.add_partitions("orders", 2);
    });
    story.run_until_idle();
    story.expect_delivered([record]);
    story.expect_log("orders/1", &["early"]);
    super::check("partition_appears", &story);
}

/// One that never comes is waited for exactly `max_block`, and the error says how many there are.
#[test]
fn a_partition_that_does_not_appear_is_refused_after_max_block() {
    let mut story = Story::new(|config| config.max_block = Duration::from_micros(700_001));
    story.cluster("orders/0 -> b1, orders/1 -> b2");
    story.ready();
    let record = story.send("orders/7", "nowhere");
    story.run_until_idle();
    let state = story.state(record);
    let RecordState::Rejected(SendError::PartitionUnknown {
        partition: 7,
        partition_count: 2,
        waited,
        ..
    }) = state
    else {
        panic!("{state:?}");
    };
    assert_eq!(*waited, Duration::from_micros(700_001));
    assert_eq!(story.micros_of("refused orders/7"), [700_001]);
}

/// What no cluster could take is refused at the call, with the reason.
#[test]
fn what_can_never_be_a_record_is_refused_at_once() {
    let mut core =
        ProducerCore::new(Config::default(), [0; 32], Instant::ZERO).expect("the defaults work");
    let long = "t".repeat(250);
    for (record, reason) in [
        (Record::to("orders"), "needs a key"),
        (Record::to("orders").value(b"v").partition(-1), "negative"),
        (Record::to("").value(b"v"), "topic"),
        (Record::to(&long).value(b"v"), "topic"),
        (
            Record::to("orders").value(b"v").timestamp_ms(-1),
            "timestamp",
        ),
    ] {
        let error = core.send(Instant::ZERO, &record).expect_err("not a record");
        assert!(
            matches!(error, SendError::InvalidRecord(_)) && error.to_string().contains(reason),
            "{error}"
        );
    }
    assert_eq!(core.stats().records_accepted, 0);
    assert_eq!(core.stats().buffered_bytes, 0, "S8");
}

/// Null and empty, repeated names, and the order of headers: the log has what was given.
#[test]
fn keys_values_headers_and_timestamps_arrive_as_they_were_given() {
    let some = |bytes: &[u8]| Some(bytes.to_vec());
    let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    let records = [
        (some(b"k"), None, vec![]),
        (None, some(b""), vec![header("", None)]),
        (
            some(b""),
            some(b"v"),
            vec![header("a", Some(b"")), header("a", None)],
        ),
        (
            some(b"k"),
            some(b"v"),
            vec![
                header("b", Some(b"1")),
                header("a", Some(b"2")),
                header("b", Some(b"1")),
            ],
        ),
    ];
    let mut story = Story::new(|config| config.linger = ms(1));
    story.cluster("orders/0 -> b1");
    for (number, (key, value, headers)) in (1_000..).zip(&records) {
        story.give(OwnedRecord {
            topic: "orders".to_owned(),
            partition: None,
            key: key.clone(),
            value: value.clone(),
            headers: headers.clone(),
            timestamp_ms: Some(number),
        });
    }
    story.run_until_idle();
    let log = story.world().cluster().log("orders", 0).records();
    assert_eq!(log.len(), records.len());
    for ((number, given), found) in (1_000..).zip(&records).zip(log) {
        let (key, value, headers) = given;
        assert_eq!(found.key.as_deref(), key.as_deref());
        assert_eq!(found.value.as_deref(), value.as_deref());
        assert_eq!(found.timestamp_ms, number);
        let pairs = headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_deref()));
        let found_pairs = found
            .headers
            .iter()
            .map(|header| (&*header.name, header.value.as_deref()));
        assert!(found_pairs.eq(pairs), "{:?}", found.headers);
    }
}

/// A partition without a leader is a partition all the same: it is told, and what is sent to it
/// waits for its leader.
#[test]
fn a_partition_without_a_leader_is_known_and_its_records_wait() {
    let mut story = Story::with(|_| {}, |cluster| cluster.topic.replication_factor = 1);
    story.control("b2 is down, and orders/1 has no other", |cluster| {
        cluster.set_down(BrokerId(2));
        cluster.create_topic("orders", 2);
    });
    let record = story.send("orders/1", "patient");
    story.wait(ms(2_000));
    assert!(matches!(story.state(record), RecordState::Accepted(_)));
    assert_eq!(story.partitions_for("orders"), 2);
    story.bring_up("b2");
    story.run_until_idle();
    story.expect_delivered([record]);
    super::check("leaderless", &story);
}

/// The same without an end: the record expires, provably unwritten, and the error says that there
/// was no leader to send it to.
#[test]
fn a_record_without_a_leader_expires_with_that_as_the_reason() {
    let mut story = Story::with(
        |config| {
            config.request_timeout = ms(500);
            config.delivery_timeout = Some(ms(3_000));
        },
        |cluster| cluster.topic.replication_factor = 1,
    );
    story.control("b2 is down, and orders/1 has no other", |cluster| {
        cluster.set_down(BrokerId(2));
        cluster.create_topic("orders", 2);
    });
    let record = story.send("orders/1", "forlorn");
    story.run_until_idle();
    let state = story.state(record);
    let RecordState::NotPersisted(error) = state else {
        panic!("{state:?}");
    };
    assert_eq!((error.attempts, error.broker), (0, None));
    let words = error.to_string();
    assert!(words.contains("no leader"), "{words}");
}
