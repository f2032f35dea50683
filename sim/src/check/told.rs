//! S2 and B3 for acks without an offset: the record is in the log all the same.

use titorelli::Acks;

use super::losses::is_excused;
use crate::journal::RecordState;
use crate::world::World;

/// Looks for every record that was acked without an offset, where an answer was asked for: only a
/// broker that has it may say so. Call it when nothing is under way.
///
/// # Panics
/// One is not there.
pub(crate) fn told(world: &World) {
    if world.core().config().acks == Acks::None {
        return;
    }
    for (id, record, state) in world.journal().records() {
        let RecordState::Acked {
            partition,
            offset: -1,
        } = *state
        else {
            continue;
        };
        let cluster = world.cluster();
        let is_there = cluster.logs().chain(cluster.buried_logs()).any(|log| {
            let (topic, index, log) = log;
            let mut records = log.records().iter();
            topic == record.topic
                && index == partition
                && records.any(|entry| entry.value.as_deref() == record.value.as_deref())
        });
        assert!(
            is_there || is_excused(world, record, partition, -1),
            "S2: {id:?} was acked without an offset, and is nowhere"
        );
    }
}
