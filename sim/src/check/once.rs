//! I6: an idempotent producer's records are in a log at most once.
//!
//! What is allowed beyond: a partition that forgot its producers takes again what it has already,
//! each time that it forgot. Where a topic was created anew there is another log, which has nothing
//! of the old one's: it may have a record that the old one had too.

use crate::cluster::PartitionLog;
use crate::world::World;

/// Counts each record in each log; values must be unique.
///
/// # Panics
/// There are more of one than its partition's memory excuses.
pub(crate) fn once(world: &World) {
    let cluster = world.cluster();
    for (topic, partition, log) in cluster.logs().chain(cluster.buried_logs()) {
        let count = most_copies(log);
        let allowed = 1 + log.forgotten_count();
        assert!(
            count <= allowed,
            "I6: a record is in {topic}/{partition} {count} times, which forgot producers {} times",
            allowed - 1
        );
    }
}

/// How often the record is there that is there most often.
fn most_copies(log: &PartitionLog) -> u64 {
    let values = log.records().iter();
    let mut values: Vec<&[u8]> = values
        .filter_map(|record| record.value.as_deref())
        .collect();
    values.sort_unstable();
    let counts = values.chunk_by(|one, next| one == next).map(<[&[u8]]>::len);
    u64::try_from(counts.max().unwrap_or(0)).expect("a usize fits")
}
