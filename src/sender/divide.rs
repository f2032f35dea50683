//! A batch that a broker refused goes on as several (KIP-126, KIP-467; invariant S10).
//!
//! Owns: into what it is divided. Never: how records are cut out of it; that is a
//! [`SealJob`](crate::SealJob), for it may have to be decompressed.

use super::Sender;
use crate::accumulator::batch::Batch;
use crate::boundary::{Delivery, Outcome, Output};
use crate::slot::BatchSlot;
use crate::wire::produce::PartitionResult;
use std::sync::Arc;

impl Sender {
    /// The broker refused this batch as too large: it goes on as two halves, at once and in its
    /// place. Each division leaves fewer records, so they end (S10); the refusal is not an attempt
    /// that `retries` counts (S12).
    ///
    /// The batch is not under way and not queued.
    pub(super) fn split(&mut self, slot: BatchSlot) {
        let batch = self.accumulator.batch_mut(slot);
        let count = batch.record_count;
        assert!(count > 1, "a batch of one record is never split (S10)");
        batch.history.divisions += 1;
        batch.history.not_before = self.now;
        let partition = batch.partition;
        let half = count.div_ceil(2);
        let groups = vec![vec![0..half], vec![half..count]];
        self.stats.splits += 1;
        // Its number would be another batch's, were it given to the first half (I2): it is a hole.
        self.abandon_number(slot, false);
        for part in self.accumulator.divide(slot, groups) {
            self.enqueue(partition, part);
        }
    }

    /// Whether the batch may go on as two: it has two records, and nothing says that they are
    /// in the log. One in doubt that has a sequence number is not taken apart (I2): its refusal
    /// says nothing of its earlier attempt.
    pub(super) fn may_split(&self, slot: BatchSlot, result: &PartitionResult) -> bool {
        let batch = self.accumulator.batch(slot);
        let is_in_doubt =
            batch.is_overdue || (batch.history.is_unresolved && batch.sequence.is_some());
        batch.record_count > 1 && result.base_offset < 0 && !is_in_doubt
    }

    /// Tells what became of a batch's records: a delivery for each range of its tickets.
    pub(super) fn deliver(&mut self, batch: &Batch, mut outcome: Outcome) {
        let mut ranges = batch.ranges().peekable();
        while let Some(range) = ranges.next() {
            let count = range.end - range.start;
            let rest = ranges.peek().map(|_| after(&outcome, count));
            self.outputs.push_back(Output::Delivered(Delivery {
                batch: batch.root(),
                first: range.start,
                count,
                topic: Arc::clone(&self.metadata.topic_of(batch.partition).name),
                partition: self.metadata.partition(batch.partition).index,
                outcome,
            }));
            let Some(rest) = rest else {
                return;
            };
            outcome = rest;
        }
    }
}

/// The outcome of the records that come so many after the first.
fn after(outcome: &Outcome, count: u32) -> Outcome {
    match outcome {
        Outcome::Acked {
            base_offset: base_offset @ 0..,
            log_append_time_ms,
        } => Outcome::Acked {
            base_offset: base_offset + i64::from(count),
            log_append_time_ms: *log_append_time_ms,
        },
        other @ (Outcome::Acked { .. } | Outcome::NotPersisted(_) | Outcome::MaybePersisted(_)) => {
            other.clone()
        }
    }
}
