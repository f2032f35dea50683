//! The sequence numbers of one partition: which are given, to which batches, and what is known of
//! them.
//!
//! A number is given when a batch is drained, and settled when it is known whether brokers have it.
//! While one is in doubt, or known to be missing, no later number of the same epoch can be written
//! safely: then the lane stops, everything under way comes back, and the lane begins again at 0
//! under a higher epoch.
//!
//! Invariants: I1 (numbers follow each other), I2 (a number that may have left is never given
//! again), I3 (nothing new behind a doubt), I4 (one epoch at a time).

use super::identity::Identity;
use crate::boundary::BatchId;
use std::collections::VecDeque;

/// The numbers of a partition.
#[derive(Debug, Default)]
pub(crate) struct Sequences {
    /// Whose numbers these are. None before the first is given, and after a restart.
    identity: Option<Identity>,
    /// The number of the next record.
    next: i32,
    /// Given and not settled, oldest first.
    given: VecDeque<Given>,
    /// The brokers expect another number than that of the oldest batch, which is absent for
    /// certain.
    is_out_of_step: bool,
    /// Numbers were taken back from batches that are under way to a request: each gets its own when
    /// it leaves, and none before it.
    is_shifted: bool,
}

/// The numbers of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Given {
    batch: BatchId,
    base: i32,
    count: u32,
    fate: Fate,
}

/// What is to become of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is not completed.
    Live,
    /// It was completed, and may be in the log all the same. `is_certain_else` tells whether it is
    /// absent for certain when the request under way says so.
    Abandoned { is_certain_else: bool },
    /// It was completed, is not in the log and never will be: a hole.
    Missing,
}

/// What stands before a batch among those that are not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ahead {
    /// Nothing.
    Nothing,
    /// Batches of which nobody will ask any more.
    Abandoned,
    /// A batch that will be sent again.
    Live,
}

impl Sequences {
    /// Whose numbers are given at present.
    pub(crate) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Whether numbers are given that are not settled.
    pub(crate) fn has_given(&self) -> bool {
        !self.given.is_empty()
    }

    /// Whether the lane has to begin again under a higher epoch, unless what is under way settles
    /// the doubt.
    pub(crate) fn must_restart(&self) -> bool {
        let is_ended = |given: &Given| given.fate != Fate::Live;
        self.is_out_of_step || self.given.iter().any(is_ended)
    }

    /// Gives the next numbers; under another identity than before they begin at `first`.
    pub(crate) fn give(
        &mut self,
        identity: Identity,
        first: i32,
        batch: BatchId,
        count: u32,
    ) -> i32 {
        assert!(!self.must_restart(), "I3: no new number behind a doubt");
        if self.identity != Some(identity) {
            assert!(self.given.is_empty(), "I4: one epoch at a time");
            (self.identity, self.next) = (Some(identity), first);
        }
        let base = self.next;
        self.given.push_back(Given {
            batch,
            base,
            count,
            fate: Fate::Live,
        });
        self.next = advance(base, count);
        base
    }

    /// A batch did not leave, so none after it did: their numbers were never seen and are given
    /// again. Returns whose they were.
    pub(crate) fn take_back(&mut self, batch: BatchId) -> Vec<BatchId> {
        let Some(place) = self.place(batch) else {
            return Vec::new();
        };
        self.next = self.given[place].base;
        self.is_shifted = true;
        self.given.drain(place..).map(|given| given.batch).collect()
    }

    /// Whether a batch gets its number when it leaves, and not when it is drafted.
    pub(crate) fn is_shifted(&self) -> bool {
        self.is_shifted
    }

    /// Nothing is under way.
    pub(crate) fn on_quiet(&mut self) {
        self.is_shifted = false;
    }

    /// A batch is in the log. So is what was abandoned before it: a broker takes no number out of
    /// turn (I3).
    pub(crate) fn on_written(&mut self, batch: BatchId) {
        let Some(place) = self.place(batch) else {
            return;
        };
        let after = self.given.split_off(place);
        self.given.retain(|given| given.fate == Fate::Live);
        self.given.extend(after.into_iter().skip(1));
    }

    /// A batch was completed as failed. It may be in the log all the same; `is_certain_else` unless
    /// its request that is under way is refused.
    pub(crate) fn on_abandoned(&mut self, batch: BatchId, is_certain_else: bool) {
        if let Some(place) = self.place(batch) {
            self.given[place].fate = Fate::Abandoned { is_certain_else };
        }
    }

    /// A batch whose number left is not in the log and never will be: there is a hole.
    pub(crate) fn on_missing(&mut self, batch: BatchId) {
        if let Some(place) = self.place(batch) {
            self.given[place].fate = Fate::Missing;
        }
    }

    /// The answer to a batch that was completed meanwhile proves that this request wrote nothing.
    pub(crate) fn on_late_refusal(&mut self, batch: BatchId) {
        let certain = Fate::Abandoned {
            is_certain_else: true,
        };
        if let Some(place) = self.place(batch)
            && self.given[place].fate == certain
        {
            self.given[place].fate = Fate::Missing;
        }
    }

    /// The brokers' number is not the one of the oldest batch, which is known to be absent.
    pub(crate) fn on_out_of_step(&mut self) {
        self.is_out_of_step = true;
    }

    /// What is not settled before this batch.
    pub(crate) fn ahead_of(&self, batch: BatchId) -> Ahead {
        let place = self.place(batch).unwrap_or(0);
        let mut before = self.given.iter().take(place);
        if before.clone().any(|given| given.fate == Fate::Live) {
            Ahead::Live
        } else if before.next().is_some() {
            Ahead::Abandoned
        } else {
            Ahead::Nothing
        }
    }

    /// The batches with numbers that are not completed, oldest first.
    pub(crate) fn live(&self) -> impl Iterator<Item = BatchId> + '_ {
        let live = self.given.iter().filter(|given| given.fate == Fate::Live);
        live.map(|given| given.batch)
    }

    /// The oldest number in doubt whose batch is completed, for people.
    pub(crate) fn oldest_doubt(&self) -> Option<i32> {
        let mut given = self.given.iter();
        given
            .find(|given| matches!(given.fate, Fate::Abandoned { .. }))
            .map(|given| given.base)
    }

    /// Forgets all numbers: the next begin under another identity.
    pub(crate) fn restart(&mut self) {
        *self = Self::default();
    }

    fn place(&self, batch: BatchId) -> Option<usize> {
        self.given.iter().position(|given| given.batch == batch)
    }

    /// Checks what must always hold.
    pub(crate) fn check_invariants(&self, window: usize) {
        assert!(
            self.given.len() <= window,
            "S7c: at most {window} batches that brokers know again"
        );
        let ends = self
            .given
            .iter()
            .map(|given| advance(given.base, given.count));
        let begins = self.given.iter().skip(1).map(|given| given.base);
        for (end, begin) in ends.zip(begins.chain([self.next])) {
            // What was written or is missing in between has left a gap.
            let is_later = begin.wrapping_sub(end) & i32::MAX < i32::MAX / 2;
            assert!(is_later, "I1: numbers rise");
        }
    }
}

/// The number that comes so many records later; they wrap from 2³¹−1 to 0.
pub(crate) fn advance(sequence: i32, by: u32) -> i32 {
    sequence.wrapping_add_unsigned(by) & i32::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDENTITY: Identity = Identity {
        producer_id: 7,
        epoch: 0,
    };

    fn batch(slot: u32) -> BatchId {
        BatchId {
            slot,
            generation: 0,
        }
    }

    /// Numbers given to three batches of two records.
    fn three() -> Sequences {
        let mut sequences = Sequences::default();
        for slot in 0..3 {
            let base = sequences.give(IDENTITY, 0, batch(slot), 2);
            assert_eq!(base, 2 * slot.cast_signed());
        }
        sequences
    }

    #[test]
    fn numbers_wrap_to_zero() {
        assert_eq!(advance(i32::MAX, 1), 0);
        assert_eq!(advance(i32::MAX - 1, 3), 1);
        let mut sequences = Sequences::default();
        assert_eq!(sequences.give(IDENTITY, i32::MAX, batch(0), 1), i32::MAX);
        assert_eq!(sequences.give(IDENTITY, i32::MAX, batch(1), 1), 0);
        sequences.check_invariants(5);
    }

    #[test]
    fn what_did_not_leave_gives_its_numbers_back_with_all_after_it() {
        let mut sequences = three();
        assert_eq!(sequences.take_back(batch(1)), [batch(1), batch(2)]);
        assert_eq!(sequences.take_back(batch(2)), []);
        assert_eq!(sequences.give(IDENTITY, 0, batch(3), 1), 2);
    }

    #[test]
    fn a_later_batch_in_the_log_settles_what_was_abandoned_before_it() {
        let mut sequences = three();
        sequences.on_abandoned(batch(0), false);
        assert!(sequences.must_restart());
        assert_eq!(sequences.ahead_of(batch(1)), Ahead::Abandoned);
        sequences.on_written(batch(1));
        assert!(!sequences.must_restart());
        assert_eq!(sequences.live().collect::<Vec<_>>(), [batch(2)]);
        assert_eq!(sequences.ahead_of(batch(2)), Ahead::Nothing);
    }

    #[test]
    fn a_later_batch_in_the_log_leaves_live_ones_to_ask_for_their_offsets() {
        let mut sequences = three();
        sequences.on_written(batch(1));
        assert_eq!(sequences.live().collect::<Vec<_>>(), [batch(0), batch(2)]);
        assert_eq!(sequences.ahead_of(batch(2)), Ahead::Live);
        sequences.check_invariants(5);
    }

    #[test]
    fn a_late_refusal_makes_a_doubt_certain_only_if_nothing_else_is_in_doubt() {
        let mut sequences = three();
        sequences.on_abandoned(batch(0), false);
        sequences.on_late_refusal(batch(0));
        let holes = |sequences: &Sequences| {
            let is_hole = |given: &&Given| given.fate == Fate::Missing;
            sequences.given.iter().filter(is_hole).count()
        };
        assert_eq!((sequences.must_restart(), holes(&sequences)), (true, 0));
        let mut sequences = three();
        sequences.on_abandoned(batch(0), true);
        sequences.on_late_refusal(batch(0));
        assert_eq!((sequences.must_restart(), holes(&sequences)), (true, 1));
        sequences.restart();
        assert!(!sequences.must_restart() && !sequences.has_given());
    }
}
