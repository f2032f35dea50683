//! A broker refuses a batch for some of its records, and names them (KIP-467).

use core::time::Duration;
use titorelli::ErrorCode;
use titorelli_sim::cluster::TopicConfig;
use titorelli_sim::{OwnedRecord, RecordState, Story, ms};

/// In the year 2096.
const FAR_FUTURE_MS: i64 = 4_000_000_000_000;

/// A topic takes no record that is dated in the far future. Those fail with the broker's words; the
/// others are written, once and in their order, although there are no retries.
#[test]
fn records_that_a_broker_names_fail_and_the_others_go_on() {
    for is_idempotent in [false, true] {
        let mut story = Story::new(|config| {
            config.linger = ms(5);
            if is_idempotent {
                config.enable_idempotence = true;
                config.acks = titorelli::Acks::All;
                config.retries = 1;
            }
        });
        story.control("users wants likely times", |cluster| {
            let config = TopicConfig {
                timestamp_after_max: Some(Duration::from_secs(3_600)),
                ..TopicConfig::default()
            };
            cluster.create_topic_with("users", config);
        });
        story.cluster("users/0 -> b1");
        let mut ids = Vec::new();
        for nth in 0..6 {
            let mut record = OwnedRecord::to("users/0", format!("{nth}"));
            record.timestamp_ms = [1, 4].contains(&nth).then_some(FAR_FUTURE_MS);
            ids.push(story.give(record));
        }
        story.run_until_idle();
        for (nth, id) in ids.into_iter().enumerate() {
            let state = story.state(id);
            if ![1, 4].contains(&nth) {
                assert!(story.is_acked(id), "{nth}: {state:?}");
                continue;
            }
            let RecordState::NotPersisted(error) = state else {
                panic!("{nth}: {state:?}");
            };
            assert_eq!(error.code(), Some(ErrorCode::INVALID_TIMESTAMP));
            assert!(error.to_string().contains("out of range"), "{error}");
        }
        story.expect_log("users/0", &["0", "2", "3", "5"]);
        let name = ["named", "named_and_numbered"][usize::from(is_idempotent)];
        super::check(name, &story);
    }
}
