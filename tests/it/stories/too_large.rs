//! Batches that a broker refuses as too large go on as smaller ones (KIP-126, invariant S10).

use titorelli::{Codec, Config, ErrorCode};
use titorelli_sim::cluster::{ClusterConfig, Strictness, TopicConfig};
use titorelli_sim::{OwnedRecord, RecordId, RecordState, Story, ms};

const RELEASES: [(u16, u16, u16); 5] = [(0, 8, 2), (0, 9, 0), (0, 10, 2), (0, 11, 0), (4, 0, 0)];

/// A topic whose `max.message.bytes` is less than a batch of this producer may have.
fn story(
    release: (u16, u16, u16),
    max_message_bytes: usize,
    change: impl FnOnce(&mut Config),
) -> Story {
    let pin = |config: &mut Config| {
        if release < (0, 10, 0) {
            let (major, minor, patch) = release;
            let text = format!("{major}.{minor}.{patch}");
            let release = text.parse().expect("a release");
            config.api_version = titorelli::ApiVersion::Release(release);
        }
        config.linger = ms(5);
        change(config);
    };
    let mut story = Story::with(pin, |cluster| {
        *cluster = ClusterConfig::of_release(3, release);
        cluster.strictness = Strictness::Strict;
        cluster.auto_create_topics = false;
    });
    story.control("orders takes small batches", |cluster| {
        let config = TopicConfig {
            max_message_bytes,
            ..TopicConfig::default()
        };
        cluster.create_topic_with("orders", config);
    });
    story.cluster("orders/0 -> b1");
    story
}

fn send_all(story: &mut Story, values: &[String]) -> Vec<RecordId> {
    let send = |value: &String| story.send("orders/0", value);
    values.iter().map(send).collect()
}

/// The log holds these values behind what made the story ready.
#[track_caller]
fn expect_values(story: &Story, values: &[String]) {
    let values: Vec<&str> = values.iter().map(String::as_str).collect();
    story.expect_log("orders/0", &values);
}

/// Five records are too many, three and two are not; nothing waits, and `retries` is not used.
#[test]
fn a_batch_that_is_too_large_goes_on_as_two_in_its_order() {
    let mut story = story((4, 0, 0), 400, |config| config.retries = 0);
    story.ready();
    let values: Vec<String> = (0..5).map(|n| format!("{n}{:099}", 0)).collect();
    let ids = send_all(&mut story, &values);
    story.run_until_idle();
    for (nth, id) in ids.into_iter().enumerate() {
        let RecordState::Acked { offset, .. } = story.state(id) else {
            panic!("{:?}", story.state(id));
        };
        assert_eq!(*offset, 1 + i64::try_from(nth).expect("few"));
    }
    expect_values(&story, &values);
    assert_eq!(story.world().core().stats().splits, 1);
    super::check("too_large", &story);
}

#[test]
fn halves_are_halved_until_they_fit_and_a_record_that_fits_nowhere_fails_alone() {
    let mut story = story((4, 0, 0), 400, |config| config.retries = 0);
    story.ready();
    let mut values: Vec<String> = (0..8).map(|n| format!("{n}{:050}", 0)).collect();
    values[5] = "5".repeat(500);
    let ids = send_all(&mut story, &values);
    story.run_until_idle();
    for (nth, id) in ids.into_iter().enumerate() {
        let state = story.state(id);
        if nth != 5 {
            assert!(story.is_acked(id), "{nth}: {state:?}");
            continue;
        }
        let RecordState::NotPersisted(error) = state else {
            panic!("{state:?}");
        };
        assert_eq!(error.code(), Some(ErrorCode::MESSAGE_TOO_LARGE));
        assert_eq!(
            (error.attempts, error.splits),
            (4, 3),
            "of 8, 4, 2, and alone"
        );
    }
    values.remove(5);
    expect_values(&story, &values);
}

/// Headers, keys, null values and times are those that were sent; the world's checker compares
/// them, the cluster is strict about the rest.
#[test]
fn every_codec_of_every_release_is_opened_and_packed_again() {
    for release in RELEASES {
        for codec in Codec::ALL {
            let is_known = codec != Codec::Zstd || release >= (2, 1, 0);
            if !is_known {
                continue;
            }
            let mut story = story(release, 700, |config| config.compression = codec);
            story.ready();
            // They compress, but not to nothing.
            let word = |n: u64| (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_string();
            let values: Vec<String> = (0..60).map(|n| word(n).repeat(2)).collect();
            let mut ids = Vec::new();
            for (nth, value) in values.iter().enumerate() {
                let mut record = OwnedRecord::to("orders/0", value.as_str());
                record.key = (nth % 3 == 0).then(|| vec![7; nth]);
                if release >= (0, 10, 0) {
                    let ago_ms = i64::try_from(nth).expect("few");
                    record.timestamp_ms = (nth % 2 == 0).then_some(1_600_000_000_000 - ago_ms);
                }
                if release >= (0, 11, 0) {
                    record.headers = vec![("h".to_owned(), (nth % 5 != 0).then(|| vec![1; nth]))];
                }
                ids.push(story.give(record));
            }
            story.run_until_idle();
            for id in ids {
                let state = story.state(id);
                let is_acked = matches!(state, RecordState::Acked { .. });
                assert!(is_acked, "{release:?} {codec}: {state:?}");
            }
            expect_values(&story, &values);
            // Message by message is how old brokers look at a set that is not compressed.
            let is_judged = codec != Codec::None || release >= (0, 11, 0);
            let splits = story.world().core().stats().splits;
            assert_eq!(splits > 0, is_judged, "{release:?} {codec}");
        }
    }
}

/// A part that is lost on its way is sent again as any batch, and in its place.
#[test]
fn a_part_that_is_lost_is_sent_again_before_the_next() {
    let mut story = story((4, 0, 0), 400, |config| config.retries = 1);
    story.ready();
    let values: Vec<String> = (0..5).map(|n| format!("{n}{:099}", 0)).collect();
    let ids = send_all(&mut story, &values);
    story.wait(ms(7));
    story.cut_requests_after("b1", 1);
    story.run_until_idle();
    for id in ids {
        assert!(story.is_acked(id), "{:?}", story.state(id));
    }
    expect_values(&story, &values);
    super::check("too_large_and_lost", &story);
}

/// The age of a record counts from its first batch: what it was divided into does not live longer.
#[test]
fn parts_expire_with_the_batch_that_they_come_from() {
    let mut story = story((4, 0, 0), 400, |config| {
        config.retries = u32::MAX;
        config.request_timeout = ms(300);
        config.delivery_timeout = Some(ms(380));
    });
    story.ready();
    let values: Vec<String> = (0..5).map(|n| format!("{n}{:099}", 0)).collect();
    let ids = send_all(&mut story, &values);
    story.wait(ms(7));
    story.silence("b1");
    story.run_until_idle();
    let states: Vec<_> = ids.into_iter().map(|id| story.state(id)).collect();
    let certain = states
        .iter()
        .filter(|s| matches!(s, RecordState::NotPersisted(_)));
    let unsure = states
        .iter()
        .filter(|s| matches!(s, RecordState::MaybePersisted(_)));
    assert_eq!((certain.count(), unsure.count()), (2, 3), "{states:?}");
    super::check("too_large_and_expired", &story);
}

/// With idempotence the number of the batch is a hole: what is under way behind it comes back, and
/// all is written once and in order under the next epoch.
#[test]
fn numbered_batches_behind_one_that_is_split_keep_their_order() {
    let mut story = story((4, 0, 0), 400, |config| {
        config.enable_idempotence = true;
        config.acks = titorelli::Acks::All;
        config.retries = u32::MAX;
        config.batch_size = 700;
        config.linger = ms(0);
    });
    story.ready();
    let values: Vec<String> = (0..12).map(|n| format!("{n:02}{:098}", 0)).collect();
    let ids = send_all(&mut story, &values);
    story.run_until_idle();
    for id in ids {
        assert!(story.is_acked(id), "{:?}", story.state(id));
    }
    expect_values(&story, &values);
    super::check("too_large_and_numbered", &story);
}
