//! The cluster as a judge of the producer, whatever release it plays.

use titorelli_sim::cluster::{Behaviour, ClusterConfig, Strictness};

use super::corpus::Step;
use super::stage::Stage;
use super::{RELEASES, scripted};

/// The scripts whose batches do not depend on what became of earlier ones.
const BATCHES: [&str; 2] = ["produce", "framing"];

/// Steps that write what no right producer writes, and that some release takes.
const ODD: [&str; 19] = [
    "acks=2",
    "acks=-2",
    "attribute bits 6 and 7 set",
    "gzip, inner offsets 0 0 0",
    "gzip, inner offsets 5 7 9",
    "gzip, wrapper offset 0",
    "magic 0 and magic 1 messages in one set",
    "magic 5",
    "max timestamp below the real one",
    "message offsets 5 5 5",
    "offset deltas 0 1 3",
    "offset deltas 0 2 2",
    "offset deltas 1 2 3",
    "partition leader epoch 7",
    "record batch v2",
    "record bytes cut in the middle",
    "timestamp type bit LogAppendTime set",
    "transactional bit set, no producer id",
    "two gzip wrappers",
];

fn batches(conversations: &[u8]) -> impl Iterator<Item = Step> {
    let steps = scripted(conversations).into_iter();
    steps.filter(|step| BATCHES.contains(&step.script.as_str()))
}

#[test]
fn a_strict_broker_of_any_release_takes_no_more_than_the_newest() {
    for (name, release, conversations) in RELEASES {
        let strict = |config: &mut ClusterConfig| config.strictness = Strictness::Strict;
        let mut played = Stage::single(*release, strict);
        let mut newest = Stage::single(*release, |config| {
            strict(config);
            config.brokers[0].behaviour = Behaviour::default();
        });
        for step in batches(conversations) {
            let before = (played.record_count(), newest.record_count());
            played.hold(&step);
            newest.hold(&step);
            let taken = played.record_count() - before.0;
            let allowed = newest.record_count() - before.1;
            let place = format!("{name} {} {}: {}", step.script, step.number, step.note);
            assert!(taken <= allowed, "{place}");
            let is_odd = ODD.contains(&step.note.as_str());
            assert!(!is_odd || allowed == 0, "{place}");
        }
        assert!(played.record_count() > 0, "{name}: right batches are taken");
    }
}

#[test]
fn a_strict_broker_of_any_release_closes_on_what_it_cannot_read() {
    let unreadable = [
        "length 0",
        "length 1",
        "header without client id",
        "Produce v99",
        "Metadata max+1",
        "body 3 bytes short, frame length right",
        "topic array of 2^31-1, no elements",
    ];
    for (name, release, conversations) in RELEASES {
        let strict = |config: &mut ClusterConfig| config.strictness = Strictness::Strict;
        let mut stage = Stage::single(*release, strict);
        let mut count = 0;
        for step in batches(conversations).filter(|step| step.script == "framing") {
            let (_, found) = stage.hold(&step);
            if unreadable.contains(&step.note.as_str()) {
                assert_eq!(found, "closed", "{name} {}", step.note);
                count += 1;
            }
        }
        assert_eq!(count, unreadable.len(), "{name}");
    }
}

#[test]
fn a_damaged_request_never_panics_whatever_the_release() {
    for (_, release, conversations) in RELEASES {
        let mut stage = Stage::single(*release, |_| {});
        for (index, step) in batches(conversations).enumerate() {
            stage.hold(&step);
            for turn in 0..3 {
                let mut request = step.request.clone();
                let length = request.len().max(1);
                // Somewhere else each time, and more often near the end, where the records are.
                let at = (index * 131 + turn * 29) % length;
                let at = if turn == 0 { at } else { length - 1 - at / 2 };
                if let Some(byte) = request.get_mut(at) {
                    *byte ^= 1 << (index % 8);
                }
                stage.send_apart(&request);
            }
        }
    }
}
