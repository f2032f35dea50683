//! How much waits for a partition, for those who choose where the next record goes.

use super::Sender;
use super::broker::Broker;
use crate::slot::PartitionSlot;

impl Sender {
    /// The batches that wait in a partition's lane, the open one included. `None` when its leader
    /// has taken nothing for longer than `partitioner_availability_timeout` although something was
    /// ready for it: then nothing more should go there.
    ///
    /// Java: `RecordAccumulator.partitionReady`, `NodeLatencyStats`; but a broker to which nothing
    /// was to be sent for a while is not late, and all partitions of a late one are left out, not
    /// only those for which something waits.
    pub(crate) fn load_of(&self, partition: PartitionSlot) -> Option<usize> {
        let lane = &self.lanes[partition.index()];
        let leader = lane.leader.map(|slot| &self.brokers[slot.index()]);
        if leader.is_some_and(|broker| self.is_late(broker)) {
            return None;
        }
        Some(lane.queue.len() + usize::from(self.accumulator.has_open(partition)))
    }

    fn is_late(&self, broker: &Broker) -> bool {
        let timeout = self.config.partitioner_availability_timeout;
        !timeout.is_zero()
            && !broker.ring.is_empty()
            && self.now.since(broker.ready_since) > timeout
    }
}
