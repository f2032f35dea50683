//! S2 and S3: outcomes are true, and the logs hold what was sent, where it was sent.

use std::collections::BTreeMap;

use super::losses::is_excused;
use crate::cluster::{LogHeader, LogRecord, PartitionLog};
use crate::journal::{OwnedRecord, RecordId, RecordState};
use crate::world::World;

/// What makes a record recognisable in a log: value, key, topic. Values differ soonest.
type Content<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, &'a str);

/// The logs by topic and partition.
type ByPlace<'a> = BTreeMap<(&'a str, i32), Vec<&'a PartitionLog>>;

/// Checks every record of the journal against every log. Call it when nothing is under way: a
/// request that still travels may append later.
///
/// # Panics
/// An acked record is not where the core says, or has other content, and was not lost as its acks
/// allow; a record that was not
/// persisted is there; a log holds what nobody sent.
pub fn truth(world: &World) {
    let logs = by_place(world);
    let mut sent: Vec<(Content<'_>, RecordId)> = Vec::new();
    for (id, record, state) in world.journal().records() {
        sent.push((content(record), id));
        if let RecordState::Acked { partition, offset } = *state {
            check_acked(world, &logs, id, record, (partition, offset));
        }
    }
    sent.sort_unstable();
    let cluster = world.cluster();
    for (topic, partition, log) in cluster.logs().chain(cluster.buried_logs()) {
        for entry in log.records() {
            let key = (entry.value.as_deref(), entry.key.as_deref(), topic);
            let first = sent.partition_point(|(content, _)| *content < key);
            let count = sent[first..].partition_point(|(content, _)| *content == key);
            let candidates = &sent[first..first + count];
            assert!(
                !candidates.is_empty(),
                "S3: nobody sent what {topic} holds: {entry:?}"
            );
            let mut states = candidates.iter().map(|(_, id)| world.journal().state(*id));
            let may_be_there = states.any(|state| match state {
                RecordState::Acked { .. }
                | RecordState::MaybePersisted(_)
                | RecordState::Accepted(_) => true,
                RecordState::NotPersisted(_)
                | RecordState::Rejected(_)
                | RecordState::Cancelled
                | RecordState::Waiting(_) => false,
            });
            assert!(
                may_be_there,
                "S2: {:?} was not persisted, and is in {topic}/{partition}: {entry:?}",
                candidates[0].1
            );
        }
    }
}

/// Every log; a topic that was deleted and created again has several of one name.
fn by_place(world: &World) -> ByPlace<'_> {
    let cluster = world.cluster();
    let mut logs = ByPlace::new();
    for (topic, partition, log) in cluster.logs().chain(cluster.buried_logs()) {
        logs.entry((topic, partition)).or_default().push(log);
    }
    logs
}

fn content(record: &OwnedRecord) -> Content<'_> {
    (
        record.value.as_deref(),
        record.key.as_deref(),
        &record.topic,
    )
}

fn check_acked(
    world: &World,
    logs: &ByPlace<'_>,
    id: RecordId,
    record: &OwnedRecord,
    (partition, offset): (i32, i64),
) {
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
    if is_excused(world, record, partition, offset) {
        return;
    }
    let logs = logs.get(&(&*record.topic, partition));
    let entries = logs.into_iter().flatten().map(|log| log.records());
    let found: Vec<&LogRecord> = entries.filter_map(|entries| entries.get(index)).collect();
    assert!(
        !found.is_empty(),
        "S2: {id:?} was acked beyond the log's end"
    );
    assert!(
        found.iter().any(|entry| is_written(entry, record)),
        "S3: {id:?} is {record:?}, and where it was acked is {found:?}"
    );
}

pub(super) fn is_written(entry: &LogRecord, record: &OwnedRecord) -> bool {
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
