//! What S2 lets a cluster lose after it was acked.

use titorelli::Acks;

use super::truth::is_written;
use crate::journal::OwnedRecord;
use crate::world::World;

/// Whether an acked record was at its place and went with its leader, where its acks could not help
/// that: acks=all waits for every replica in sync, and nothing of that is lost but by an unclean
/// election. An offset of −1 is any.
pub(super) fn is_excused(world: &World, record: &OwnedRecord, partition: i32, offset: i64) -> bool {
    let is_held_by_all = world.core().config().acks == Acks::All;
    let mut lost = world.cluster().lost_records();
    lost.any(|(topic, index, lost)| {
        (lost.is_unclean || !is_held_by_all)
            && (topic, index) == (record.topic.as_str(), partition)
            && (lost.record.offset == offset || offset < 0)
            && is_written(&lost.record, record)
    })
}

/// Whether a partition of this topic lost anything: its offsets were given out again.
pub(super) fn has_lost(world: &World, topic: &str, partition: i32) -> bool {
    let mut lost = world.cluster().lost_records();
    lost.any(|(lost_in, index, _)| (lost_in, index) == (topic, partition))
}
