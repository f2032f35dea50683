//! A batch that a broker refused goes on as several (KIP-126, KIP-467; invariant S10).
//!
//! Owns: into what it is divided. Never: how records are cut out of it; that is a
//! [`SealJob`](crate::SealJob), for it may have to be decompressed.

use super::Sender;
use crate::accumulator::batch::Batch;
use crate::boundary::{Delivery, Outcome, Output};
use crate::error::DeliveryCause;
use crate::slot::BatchSlot;
use crate::wire::produce::PartitionResult;
use core::ops::Range;
use std::collections::BTreeMap;
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
        let is_wanted = !is_in_doubt && !self.is_behind_gap(slot);
        batch.record_count > 1 && result.base_offset < 0 && is_wanted
    }

    /// Whether the broker names some records of the batch, and not all, for which it refuses the
    /// whole, and the others may be sent again without them. Once only: who names one record at a
    /// time would be asked as often as there are. Never where no record may be left out.
    pub(super) fn may_clear(&self, slot: BatchSlot, result: &PartitionResult) -> bool {
        let batch = self.accumulator.batch(slot);
        let is_in_doubt =
            batch.is_overdue || batch.history.is_unresolved || result.base_offset >= 0;
        let count = named(result, batch.record_count).len();
        let has_others = (1..batch.record_count as usize).contains(&count);
        let is_gapless = self.config.enable_gapless_guarantee;
        has_others && !is_in_doubt && !batch.history.is_cleared && !is_gapless
    }

    /// The records that the broker names fail, each with what it says of it; the others go on as a
    /// batch of their own, at once and in their order.
    pub(super) fn clear(&mut self, slot: BatchSlot, result: &PartitionResult) {
        let batch = self.accumulator.batch_mut(slot);
        batch.history.divisions += 1;
        batch.history.is_cleared = true;
        batch.history.not_before = self.now;
        let (partition, count) = (batch.partition, batch.record_count);
        let named = named(result, count);
        let mut groups: Vec<_> = named.keys().copied().map(one).collect();
        groups.push(gaps(named.keys().copied(), count));
        self.stats.splits += 1;
        // Its number would be another batch's (I2): it is a hole.
        self.abandon_number(slot, false);
        let mut words = named.into_values();
        for part in self.accumulator.divide(slot, groups) {
            self.enqueue(partition, part);
            if let Some(words) = words.next() {
                let words = words.or(result.error_message.as_deref()).map(Arc::from);
                self.fail(part, DeliveryCause::Broker(result.error, words));
            }
        }
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

/// The places of the records that an answer names, with what it says of each. Places that the batch
/// does not have are nobody's, and the first word counts (B3).
fn named(result: &PartitionResult, count: u32) -> BTreeMap<u32, Option<&str>> {
    let mut named = BTreeMap::new();
    for (place, words) in &result.record_errors {
        let place = u32::try_from(*place).ok().filter(|place| *place < count);
        if let Some(place) = place {
            named.entry(place).or_insert(words.as_deref());
        }
    }
    named
}

/// A group of one record.
pub(super) fn one(place: u32) -> Vec<Range<u32>> {
    core::iter::once(place..place + 1).collect()
}

/// What lies between these places, up to `count`.
pub(super) fn gaps(places: impl Iterator<Item = u32>, count: u32) -> Vec<Range<u32>> {
    let mut gaps = Vec::new();
    let mut from = 0;
    for place in places.chain([count]) {
        if from < place {
            gaps.push(from..place);
        }
        from = place + 1;
    }
    gaps
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ErrorCode;
    use crate::wire::produce::TopicRef;

    #[test]
    fn named_records_are_those_that_there_are_and_the_rest_is_what_lies_between() {
        let words = |text: &str| Some(text.to_owned());
        let result = PartitionResult {
            topic: TopicRef::Name("t".to_owned()),
            index: 0,
            error: ErrorCode::INVALID_RECORD,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: vec![
                (5, words("no key")),
                (-1, words("nobody")),
                (2, None),
                (6, words("beyond")),
                (5, words("again")),
                (i32::MAX, None),
            ],
            error_message: None,
            current_leader: None,
        };
        let named = named(&result, 6);
        assert_eq!(named, BTreeMap::from([(2, None), (5, Some("no key"))]));
        assert_eq!(gaps(named.into_keys(), 6), [0..2, 3..5]);
        assert_eq!(gaps([0, 1].into_iter(), 3), one(2));
    }
}
