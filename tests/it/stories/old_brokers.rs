//! Brokers before Kafka 0.11: message sets instead of record batches.

use titorelli::{ApiVersion, Codec, Config, DeliveryCause, SendError};
use titorelli_sim::cluster::{BrokerId, ClusterConfig, Strictness};
use titorelli_sim::{OwnedRecord, RecordState, Story, ms};

/// A story with brokers of this release; what the release does not tell is pinned.
fn story(release: (u16, u16, u16), change: impl FnOnce(&mut Config)) -> Story {
    let pin = |config: &mut Config| {
        if release < (0, 10, 0) {
            let (major, minor, patch) = release;
            let text = format!("{major}.{minor}.{patch}");
            config.api_version = ApiVersion::Release(text.parse().expect("a release"));
        }
        change(config);
    };
    let mut story = Story::with(pin, |cluster| {
        *cluster = ClusterConfig::of_release(3, release);
        cluster.strictness = Strictness::Strict;
        cluster.auto_create_topics = false;
    });
    story.cluster("orders/0 -> b1");
    story
}

const RELEASES: [(u16, u16, u16); 6] = [
    (0, 8, 0),
    (0, 8, 2),
    (0, 9, 0),
    (0, 10, 0),
    (0, 10, 2),
    (0, 11, 0),
];

#[test]
fn every_release_takes_every_codec_that_it_knows() {
    for release in RELEASES {
        for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4] {
            if codec == Codec::Lz4 && release < (0, 8, 2) {
                continue;
            }
            let mut story = story(release, |config| {
                config.compression = codec;
                config.linger = ms(5);
            });
            story.ready();
            let values: Vec<String> = (0..50).map(|n| format!("value {n:060}")).collect();
            let ids: Vec<_> = values
                .iter()
                .map(|value| story.send("orders/0", value))
                .collect();
            story.run_until_idle();
            for id in ids {
                assert!(
                    matches!(story.state(id), RecordState::Acked { .. }),
                    "{release:?} {codec}: {:?}",
                    story.state(id)
                );
            }
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            story.expect_log("orders/0", &values);
            let written = story.world().cluster().log("orders", 0).batches();
            let last = written.last().expect("a batch").codec.name();
            assert_eq!(last, codec.name(), "{release:?}");
        }
    }
}

/// Kafka 0.10 tells its versions: Produce v2 is the highest, which carries message sets.
#[test]
fn a_broker_that_tells_of_message_sets_gets_them() {
    let mut story = story((0, 10, 2), |config| config.retries = 1);
    let first = story.send("orders/0", "first");
    story.run_until_idle();
    story.lose_next_response("b1");
    let second = story.send("orders/0", "second");
    story.run_until_idle();
    story.expect_delivered([first, second]);
    super::check("message_sets", &story);
}

#[test]
fn what_an_old_release_cannot_keep_is_refused_and_not_lost() {
    let record = |headers, timestamp_ms| OwnedRecord {
        topic: "orders".to_owned(),
        partition: Some(0),
        value: Some(b"v".to_vec()),
        headers,
        timestamp_ms,
        ..OwnedRecord::default()
    };
    let header = vec![("h".to_owned(), None)];
    for (release, words) in [
        ((0, 9, 0), "older than Kafka 0.11"),
        ((0, 10, 2), "older than Kafka 0.11"),
        ((0, 9, 0), "older than Kafka 0.10"),
    ] {
        let is_about_headers = words.ends_with("11");
        let mut story = story(release, |_| {});
        story.ready();
        let refused = if is_about_headers {
            story.give(record(header.clone(), None))
        } else {
            story.give(record(Vec::new(), Some(7)))
        };
        let state = story.state(refused);
        assert!(
            matches!(state, RecordState::Rejected(SendError::InvalidRecord(why))
                if why.contains(words)),
            "{release:?}: {state:?}"
        );
    }
    // Timestamps came with 0.10, headers with 0.11.
    for (release, record) in [
        ((0, 10, 0), record(Vec::new(), Some(7))),
        ((0, 11, 0), record(header, Some(7))),
    ] {
        let mut story = story(release, |_| {});
        story.ready();
        let kept = story.give(record);
        story.run_until_idle();
        story.expect_delivered([kept]);
    }
}

/// What the brokers take is not forgotten when no connection is left: the next record is written
/// as they take it.
#[test]
fn the_format_outlives_the_connections() {
    let mut story = story((0, 10, 2), |config| config.connections_max_idle = ms(500));
    let first = story.send("orders/0", "first");
    story.run_until_idle();
    let _ = story.micros_of("disconnect -> b1");
    let second = story.send_after(ms(1_000), "orders/0", "after a pause");
    story.run_until_idle();
    story.expect_delivered([first, second]);
    story.take_down("b1");
    story.bring_up("b1");
    let third = story.send_after(ms(1_000), "orders/0", "after a restart");
    story.run_until_idle();
    story.expect_delivered([third]);
}

/// The time to be idle begins when the connection can be used, not when its setup began: a setup
/// that takes longer than that is no idleness, and what waits for the connection leaves on it.
#[test]
fn the_setup_of_a_connection_is_not_idle_time() {
    let mut story = story((0, 9, 0), |config| {
        config.connections_max_idle = ms(1);
        config.metadata_max_age = ms(50);
    });
    story.ready();
    let id = story.send("orders/0", "in time");
    story.wait(ms(1_000));
    story.expect_delivered([id]);
    // One for each refresh of the metadata and one for the record; without end it were hundreds.
    let connects = story.micros_of("connect -> b").len();
    assert!((2..=24).contains(&connects), "{connects} connections");
}

/// Brokers are upgraded one by one: while one is old, records are written as it takes them, and
/// when it is new as well, as the new ones like it best.
#[test]
fn the_format_follows_an_upgrade() {
    let mut story = story((0, 10, 2), |_| {});
    let first = story.send("orders/0", "old");
    story.run_until_idle();
    story.expect_delivered([first]);
    story.take_down("b1");
    story.control("all brokers are of Kafka 2.8 from now on", |cluster| {
        for broker in [1, 2, 3] {
            cluster.upgrade(BrokerId(broker), (2, 8, 0));
        }
    });
    story.bring_up("b1");
    let header = OwnedRecord {
        topic: "orders".to_owned(),
        value: Some(b"new".to_vec()),
        headers: vec![("h".to_owned(), None)],
        ..OwnedRecord::default()
    };
    // The news comes with the first connection to each.
    for number in 0..3 {
        let record = story.send_after(ms(2_000), "orders/0", &number.to_string());
        story.run_until_idle();
        story.expect_delivered([record]);
    }
    let record = story.give(header);
    story.run_until_idle();
    story.expect_delivered([record]);
}

/// zstd came with Kafka 2.1. What an older broker would not read is not sent to it.
#[test]
fn zstd_is_not_sent_to_brokers_that_do_not_know_it() {
    for (release, is_known) in [((2, 1, 0), true), ((2, 0, 0), false), ((0, 10, 2), false)] {
        let mut story = story(release, |config| config.compression = Codec::Zstd);
        let record = story.send("orders/0", &"z".repeat(500));
        story.run_until_idle();
        let state = story.state(record);
        if is_known {
            story.expect_delivered([record]);
        } else if let RecordState::NotPersisted(error) = state
            && let DeliveryCause::Unsupported(what) = &error.cause
        {
            assert_eq!(&**what, "zstd, which came with Kafka 2.1");
        } else {
            panic!("{release:?}: {state:?}");
        }
    }
}

/// Nobody told: the first question is not understood, and the error says what to do.
#[test]
fn a_broker_that_knows_no_api_versions_is_told_of_in_words() {
    for release in [(0, 8, 2), (0, 9, 0)] {
        let mut story = story(release, |config| {
            config.api_version = ApiVersion::Auto;
            config.socket_connection_setup_timeout = ms(500);
            config.max_block = ms(3_000);
        });
        let refused = story.send("orders/0", "nobody answers");
        story.run_until_idle();
        let state = story.state(refused);
        let RecordState::Rejected(error) = state else {
            panic!("{release:?}: {state:?}");
        };
        let words = error.to_string();
        assert!(words.contains("needs api_version"), "{release:?}: {words}");
    }
}
