//! What a partition remembers of each idempotent producer (KIP-98).
//!
//! Owns: the last batches of each producer id. Never: records.
//! Follows Kafka's `ProducerAppendInfo` and `ProducerStateEntry`.

use std::collections::{BTreeMap, VecDeque};

use super::behaviour::Behaviour;
use super::log::BatchFacts;
use crate::codec::{BatchHeader, error_code};

/// As many batches are kept of each producer; a release may look at fewer.
const BATCHES_KEPT: usize = 5;

/// One remembered batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KnownBatch {
    first_sequence: i32,
    last_sequence: i32,
    /// Where it was written: what a duplicate is answered with.
    pub(super) base_offset: i64,
    /// Its greatest timestamp: a duplicate's answer carries it.
    pub(super) max_timestamp_ms: i64,
}

/// One producer id on one partition.
#[derive(Clone, Debug)]
struct Entry {
    epoch: i16,
    /// Invariant: 1 to [`BATCHES_KEPT`] batches, oldest first, all of `epoch`.
    batches: VecDeque<KnownBatch>,
}

/// What to do with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is the next one.
    Append,
    /// It is among those remembered (five since 1.0): answer as then.
    Duplicate(KnownBatch),
    /// Its epoch or sequence is wrong.
    Refuse(i16),
}

/// All producers of one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct ProducerStates {
    entries: BTreeMap<i64, Entry>,
    /// Batches before this offset are forgotten.
    forgotten_before: i64,
}

impl ProducerStates {
    /// Whether this batch, whose producer id is set, may be appended. A producer without state may
    /// begin at any sequence number, as in Kafka since KIP-360, or at 0 only.
    pub(super) fn judge(&self, behaviour: Behaviour, batch: &BatchHeader) -> Judgement {
        assert!(batch.producer_id >= 0, "only idempotent batches are judged");
        let Some(entry) = self.entries.get(&batch.producer_id) else {
            if batch.producer_epoch < 0 {
                return Judgement::Refuse(error_code::INVALID_PRODUCER_EPOCH);
            }
            return match behaviour.first_not_zero {
                Some(error_code) if batch.base_sequence != 0 => Judgement::Refuse(error_code),
                Some(_) | None => Judgement::Append,
            };
        };
        if batch.producer_epoch < entry.epoch {
            return Judgement::Refuse(error_code::INVALID_PRODUCER_EPOCH);
        }
        if batch.producer_epoch > entry.epoch {
            return match batch.base_sequence {
                0 => Judgement::Append,
                _ => Judgement::Refuse(error_code::OUT_OF_ORDER_SEQUENCE_NUMBER),
            };
        }
        let last_sequence = last_sequence(batch);
        let same = |known: &&KnownBatch| {
            known.first_sequence == batch.base_sequence && known.last_sequence == last_sequence
        };
        let mut window = entry.batches.iter().rev().take(behaviour.window_batches);
        if let Some(known) = window.find(same) {
            return Judgement::Duplicate(*known);
        }
        let newest = entry
            .batches
            .back()
            .expect("an entry has at least one batch");
        if advance(newest.last_sequence, 1) == batch.base_sequence {
            Judgement::Append
        } else {
            Judgement::Refuse(error_code::OUT_OF_ORDER_SEQUENCE_NUMBER)
        }
    }

    /// Remembers an appended batch.
    pub(super) fn appended(&mut self, batch: &BatchHeader, base_offset: i64) {
        let known = KnownBatch {
            first_sequence: batch.base_sequence,
            last_sequence: last_sequence(batch),
            base_offset,
            max_timestamp_ms: batch.max_timestamp_ms,
        };
        self.remember(batch.producer_id, batch.producer_epoch, known);
    }

    fn remember(&mut self, producer_id: i64, epoch: i16, known: KnownBatch) {
        let entry = self.entries.entry(producer_id).or_insert_with(|| Entry {
            epoch,
            batches: VecDeque::with_capacity(BATCHES_KEPT),
        });
        if entry.epoch != epoch {
            entry.epoch = epoch;
            entry.batches.clear();
        }
        if entry.batches.len() == BATCHES_KEPT {
            entry.batches.pop_front();
        }
        entry.batches.push_back(known);
    }

    /// Knows what these batches tell, and nothing else: the log was cut off behind them. Who was
    /// forgotten stays so.
    pub(super) fn reload(&mut self, batches: &[BatchFacts]) {
        self.entries.clear();
        let forgotten_before = self.forgotten_before;
        let is_known =
            |batch: &&BatchFacts| batch.producer_id >= 0 && batch.base_offset >= forgotten_before;
        for batch in batches.iter().filter(is_known) {
            let known = KnownBatch {
                first_sequence: batch.base_sequence,
                last_sequence: advance(batch.base_sequence, batch.record_count - 1),
                base_offset: batch.base_offset,
                max_timestamp_ms: batch.max_timestamp_ms,
            };
            self.remember(batch.producer_id, batch.producer_epoch, known);
        }
    }

    /// Forgets every batch before this offset, as after `producer.id.expiration.ms`; false: there
    /// is none.
    pub(super) fn forget(&mut self, before: i64) -> bool {
        self.forgotten_before = before;
        !core::mem::take(&mut self.entries).is_empty()
    }
}

fn last_sequence(batch: &BatchHeader) -> i32 {
    advance(batch.base_sequence, batch.last_offset_delta)
}

/// Sequence numbers wrap from 2³¹−1 to 0.
fn advance(sequence: i32, by: i32) -> i32 {
    sequence.wrapping_add(by) & i32::MAX
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// Every test plays the newest release.
    fn newest() -> Behaviour {
        Behaviour::default()
    }

    fn batch(epoch: i16, base_sequence: i32, count: i32) -> BatchHeader {
        BatchHeader {
            base_offset: 0,
            partition_leader_epoch: -1,
            magic: 2,
            is_intact: true,
            attributes: 0,
            last_offset_delta: count - 1,
            base_timestamp_ms: 0,
            max_timestamp_ms: 7,
            producer_id: 1,
            producer_epoch: epoch,
            base_sequence,
            record_count: count,
            records: Bytes::new(),
            size_bytes: 61,
        }
    }

    #[test]
    fn only_the_last_five_batches_are_duplicates() {
        let mut states = ProducerStates::default();
        for sequence in 0..7 {
            assert_eq!(
                states.judge(newest(), &batch(0, sequence, 1)),
                Judgement::Append
            );
            states.appended(&batch(0, sequence, 1), i64::from(sequence));
        }
        for sequence in 2..7 {
            let Judgement::Duplicate(known) = states.judge(newest(), &batch(0, sequence, 1)) else {
                panic!("sequence {sequence} is remembered");
            };
            assert_eq!(known.base_offset, i64::from(sequence));
        }
        let out_of_order = Judgement::Refuse(error_code::OUT_OF_ORDER_SEQUENCE_NUMBER);
        assert_eq!(states.judge(newest(), &batch(0, 1, 1)), out_of_order);
        assert_eq!(states.judge(newest(), &batch(0, 6, 3)), out_of_order);
        assert_eq!(states.judge(newest(), &batch(0, 8, 1)), out_of_order);
    }

    #[test]
    fn a_sequence_wraps_to_zero_and_a_new_epoch_begins_at_zero() {
        let mut states = ProducerStates::default();
        states.appended(&batch(0, i32::MAX - 1, 3), 0);
        assert_eq!(states.judge(newest(), &batch(0, 1, 1)), Judgement::Append);
        assert_eq!(states.judge(newest(), &batch(1, 0, 1)), Judgement::Append);
        let out_of_order = Judgement::Refuse(error_code::OUT_OF_ORDER_SEQUENCE_NUMBER);
        assert_eq!(states.judge(newest(), &batch(1, 1, 1)), out_of_order);
        states.appended(&batch(1, 0, 1), 3);
        let fenced = Judgement::Refuse(error_code::INVALID_PRODUCER_EPOCH);
        assert_eq!(states.judge(newest(), &batch(0, 1, 1)), fenced);
    }

    fn facts(base_offset: i64, epoch: i16, base_sequence: i32) -> BatchFacts {
        BatchFacts {
            base_offset,
            record_count: 1,
            codec: crate::codec::Codec::None,
            producer_id: 1,
            producer_epoch: epoch,
            base_sequence,
            max_timestamp_ms: 7,
            size_bytes: 61,
            broker: crate::cluster::BrokerId(1),
            appended_at: titorelli::Instant::ZERO,
        }
    }

    #[test]
    fn what_a_log_tells_is_known_again_when_it_was_cut_off() {
        let mut states = ProducerStates::default();
        for sequence in 0..9 {
            states.appended(&batch(3, sequence, 1), i64::from(sequence));
        }
        let kept: Vec<BatchFacts> = (0..2).map(|n| facts(n, 3, n.try_into().unwrap())).collect();
        states.reload(&kept);
        assert_eq!(states.judge(newest(), &batch(3, 2, 1)), Judgement::Append);
        let Judgement::Duplicate(known) = states.judge(newest(), &batch(3, 0, 1)) else {
            panic!("the first batch is still in the log");
        };
        assert_eq!(known.base_offset, 0);
        assert!(states.forget(1), "there was something to forget");
        states.reload(&kept);
        let gap = Judgement::Refuse(error_code::OUT_OF_ORDER_SEQUENCE_NUMBER);
        assert_eq!(states.judge(newest(), &batch(3, 0, 1)), gap);
    }
}
