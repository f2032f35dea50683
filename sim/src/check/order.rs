//! I7 and S11: what was acked lies in the log in the order of acceptance.
//!
//! An idempotent producer promises it for all records, and so does one with a single request in
//! flight. With more, a batch that is sent again may be overtaken: the others are in order.

use std::collections::{BTreeMap, BTreeSet};

use super::losses::has_lost;
use crate::journal::{RecordId, RecordState};
use crate::world::World;

/// The acked records of one partition, by the number of their acceptance: record and offset.
type Acked = BTreeMap<u64, (RecordId, i64)>;

/// Checks every partition, as far as the configuration promises order.
///
/// # Panics
/// A record that was accepted later has an earlier offset.
pub fn order(world: &World) {
    let journal = world.journal();
    let config = world.core().config();
    let is_strict = config.enable_idempotence || config.max_in_flight_requests_per_connection == 1;
    if !is_strict && world.core().stats().splits > 0 {
        // Parts of what was too large are sent again too, and nobody tells which they are.
        return;
    }
    let deleted: BTreeSet<&str> = world.cluster().buried_logs().map(|log| log.0).collect();
    let mut by_partition: BTreeMap<(&str, i32), Acked> = BTreeMap::new();
    for (id, record, state) in journal.records() {
        if let RecordState::Acked {
            partition,
            offset: offset @ 0..,
        } = *state
            && (is_strict || !journal.was_retried(id))
        {
            let acked = by_partition.entry((&record.topic, partition)).or_default();
            acked.insert(journal.accepted_as(id), (id, offset));
        }
    }
    for ((topic, partition), acked) in by_partition {
        if deleted.contains(topic) || has_lost(world, topic, partition) {
            // Its offsets began anew, and who was acked by which log is not told.
            continue;
        }
        if world.cluster().log(topic, partition).forgotten_count() > 0 {
            // It takes again what it has already, and behind what came later.
            continue;
        }
        let mut before: Option<(RecordId, i64)> = None;
        for (id, offset) in acked.into_values() {
            if let Some((earlier, earlier_offset)) = before {
                assert!(
                    earlier_offset < offset,
                    "I7: {topic}/{partition}: {earlier:?} at {earlier_offset} was accepted \
                     before {id:?} at {offset}"
                );
            }
            before = Some((id, offset));
        }
    }
}
