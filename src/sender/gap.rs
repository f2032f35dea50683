//! With `enable_gapless_guarantee` a batch that fails takes those behind it along.
//!
//! Never: what the application takes back itself. It asked for that gap, and no other record pays
//! for it.

use super::Sender;
use crate::accumulator::batch::Place;
use crate::boundary::BatchId;
use crate::error::DeliveryCause;
use crate::slot::{BatchSlot, PartitionSlot};

/// Where in a partition a batch is missing: behind what has this order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gap {
    partition: PartitionSlot,
    order: (u64, u32),
}

impl Sender {
    /// The gap that a batch leaves when it fails of this, if others are to fail for it.
    pub(super) fn gap_of(&self, slot: BatchSlot, cause: &DeliveryCause) -> Option<Gap> {
        let batch = self.accumulator.batch(slot);
        // What was in flight and comes back takes along what was accepted since; all else that was
        // behind the gap has been taken along with it.
        let is_taken = *cause == DeliveryCause::Gap && !batch.history.is_behind_gap;
        let is_wanted = matches!(
            cause,
            DeliveryCause::Withdrawn | DeliveryCause::Purged | DeliveryCause::ProducerClosed
        );
        let (partition, order) = (batch.partition, batch.order());
        let is_made = self.config.enable_gapless_guarantee && !is_wanted && !is_taken;
        is_made.then_some(Gap { partition, order })
    }

    /// All that was accepted behind a gap fails. What is in flight waits for its answer: it is too
    /// late to hold it back, but brokers refuse numbers behind one that is missing.
    pub(super) fn fail_behind(&mut self, gap: Gap) {
        let accumulator = &self.accumulator;
        let batches = accumulator.live().map(|slot| accumulator.batch(slot));
        let behind: Vec<BatchId> = batches
            .filter(|batch| batch.partition == gap.partition && batch.order() > gap.order)
            .map(|batch| batch.id)
            .collect();
        for id in behind {
            let slot = self.accumulator.find(id).expect("none takes another along");
            let batch = self.accumulator.batch_mut(slot);
            if matches!(batch.place, Place::InFlight(_)) {
                batch.history.is_behind_gap = true;
            } else {
                self.fail(slot, DeliveryCause::Gap);
            }
        }
    }

    /// Whether a batch that comes back unwritten is not sent again: one before it failed.
    pub(super) fn is_behind_gap(&self, slot: BatchSlot) -> bool {
        self.accumulator.batch(slot).history.is_behind_gap
    }
}
