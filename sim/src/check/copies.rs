//! S12: a record is in the logs at most once per attempt.

use std::collections::BTreeMap;

use crate::world::World;

/// Counts the records in all logs beyond the first copy; values must be unique.
///
/// # Panics
/// There are more copies of a record than its attempts allow.
#[must_use]
pub fn copies(world: &World, retries: u64) -> u64 {
    let mut counts: BTreeMap<&[u8], u64> = BTreeMap::new();
    let cluster = world.cluster();
    for (_, _, log) in cluster.logs().chain(cluster.buried_logs()) {
        for value in log
            .records()
            .iter()
            .filter_map(|record| record.value.as_deref())
        {
            *counts.entry(value).or_default() += 1;
        }
    }
    let most = counts.values().copied().max().unwrap_or(0);
    assert!(
        most <= retries + 1,
        "S12: a record is there {most} times after {retries} retries"
    );
    counts.values().map(|count| count - 1).sum()
}
