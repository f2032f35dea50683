//! S2 and S3: outcomes are true, and the logs hold what was sent, where it was sent.

use std::collections::BTreeMap;

use crate::cluster::{LogHeader, LogRecord};
use crate::journal::{OwnedRecord, RecordId, RecordState};
use crate::world::World;

/// What makes a record recognisable in a log.
type Content<'a> = (&'a str, Option<&'a [u8]>, Option<&'a [u8]>);

/// Checks every record of the journal against every log. Call it when nothing is under way: a
/// request that still travels may append later.
///
/// # Panics
/// An acked record is not where the core says, or has other content; a record that was not
/// persisted is there; a log holds what nobody sent.
pub fn truth(world: &World) {
    let mut by_content: BTreeMap<Content<'_>, Vec<RecordId>> = BTreeMap::new();
    for (id, record, state) in world.journal().records() {
        by_content.entry(content(record)).or_default().push(id);
        if let RecordState::Acked { partition, offset } = *state {
            check_acked(world, id, record, partition, offset);
        }
    }
    let cluster = world.cluster();
    for (topic, _, log) in cluster.logs().chain(cluster.buried_logs()) {
        for entry in log.records() {
            let key = (topic, entry.key.as_deref(), entry.value.as_deref());
            let candidates = by_content.get(&key).map_or(&[][..], Vec::as_slice);
            assert!(
                !candidates.is_empty(),
                "S3: nobody sent what {topic} holds: {entry:?}"
            );
            let may_be_there = candidates
                .iter()
                .any(|id| match world.journal().state(*id) {
                    RecordState::Acked { .. }
                    | RecordState::MaybePersisted(_)
                    | RecordState::Accepted(_) => true,
                    RecordState::NotPersisted(_)
                    | RecordState::Rejected(_)
                    | RecordState::Waiting(_) => false,
                });
            assert!(
                may_be_there,
                "S2: a record that was not persisted is there: {entry:?}"
            );
        }
    }
}

fn content(record: &OwnedRecord) -> Content<'_> {
    (
        &record.topic,
        record.key.as_deref(),
        record.value.as_deref(),
    )
}

fn check_acked(world: &World, id: RecordId, record: &OwnedRecord, partition: i32, offset: i64) {
    if let Some(wanted) = record.partition {
        assert_eq!(
            partition, wanted,
            "S3: {id:?} went to the partition it was sent to"
        );
    }
    let Ok(index) = usize::try_from(offset) else {
        assert_eq!(offset, -1, "S11: an unknown offset is −1");
        return;
    };
    let cluster = world.cluster();
    let is_its = |(topic, index, _): &(&str, i32, _)| *topic == record.topic && *index == partition;
    let logs = cluster.logs().chain(cluster.buried_logs()).filter(is_its);
    let mut entries = logs
        .filter_map(|(_, _, log)| log.records().get(index))
        .peekable();
    assert!(
        entries.peek().is_some(),
        "S2: {id:?} was acked beyond the log's end"
    );
    // A topic that was deleted and created again has several logs of one name.
    let found: Vec<&LogRecord> = entries.collect();
    assert!(
        found.iter().any(|entry| is_written(entry, record)),
        "S3: {id:?} is {record:?}, and where it was acked is {found:?}"
    );
}

fn is_written(entry: &LogRecord, record: &OwnedRecord) -> bool {
    entry.key.as_deref() == record.key.as_deref()
        && entry.value.as_deref() == record.value.as_deref()
        && are_headers_equal(entry, record)
        && record
            .timestamp_ms
            .is_none_or(|timestamp_ms| entry.timestamp_ms == timestamp_ms)
}

fn are_headers_equal(entry: &LogRecord, record: &OwnedRecord) -> bool {
    let is_equal = |(found, sent): (&LogHeader, &(String, Option<Vec<u8>>))| {
        found.name == sent.0.as_bytes() && found.value.as_deref() == sent.1.as_deref()
    };
    entry.headers.len() == record.headers.len()
        && entry.headers.iter().zip(&record.headers).all(is_equal)
}
