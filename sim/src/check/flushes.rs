//! L3: a flush ends when the last record that was accepted before it has ended: not sooner, not
//! later, and without waiting for linger.
//!
//! A record that joined the batch of an earlier one is waited for with it, also when that goes on
//! in parts.

use std::collections::VecDeque;

use titorelli::{Deadline, FlushId, Reason};

/// Which of the accepted records have ended, and the flushes that wait for them.
#[derive(Debug, Default)]
pub(crate) struct Flushes {
    /// The records from the oldest that has not ended: whether they have. In the order of
    /// acceptance.
    ended: VecDeque<bool>,
    /// How many were accepted before those.
    before: u64,
    /// With the number of records that were accepted before each.
    waiting: VecDeque<(FlushId, u64)>,
    /// What was accepted before the last of all.
    pressed: u64,
    /// The rest of a batch that goes on in parts was accepted before this.
    rest: u64,
}

impl Flushes {
    /// So many records were accepted in all.
    pub(crate) fn on_accepted(&mut self, count: u64) {
        let known = usize::try_from(count - self.before).expect("few");
        self.ended.resize(known, false);
    }

    /// The record that was accepted as this one has ended.
    pub(crate) fn on_ended(&mut self, accepted_as: u64) {
        let place = usize::try_from(accepted_as - self.before).expect("few");
        self.ended[place] = true;
        while self.ended.front() == Some(&true) {
            self.ended.pop_front();
            self.before += 1;
        }
    }

    /// A part of a batch has ended, and the last record of the rest was accepted as this.
    pub(crate) fn on_part_ended(&mut self, last_accepted_as: u64) {
        self.rest = self.rest.max(last_accepted_as + 1);
    }

    pub(crate) fn on_flush(&mut self, id: FlushId, accepted_count: u64) {
        self.waiting.push_back((id, accepted_count));
        self.pressed = accepted_count;
    }

    /// The core says that a flush has ended.
    ///
    /// # Panics
    /// It has not, or one before it has not.
    pub(crate) fn on_flushed(&mut self, id: FlushId) {
        let (first, accepted_count) = self.waiting.pop_front().expect("a flush ends once");
        assert_eq!(first, id, "L3: flushes end in the order of the calls");
        assert!(
            self.before >= accepted_count,
            "L3: {id:?} ends before record {} of {accepted_count}",
            self.before
        );
    }

    /// Whether something that was flushed has not ended.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Everything that the core had to say was heard, and it has nothing to do now.
    ///
    /// # Panics
    /// It owes the end of a flush, or lingers in spite of it.
    pub(crate) fn check(&self, next: Option<Deadline>) {
        if let Some((id, accepted_count)) = self.waiting.front() {
            assert!(
                self.before < *accepted_count || self.before < self.rest,
                "L3: {id:?} waits for what was accepted after it"
            );
        }
        let accepted_count = self.before + u64::try_from(self.ended.len()).expect("few");
        let lingers = next.is_some_and(|deadline| deadline.reason == Reason::Linger);
        assert!(
            !lingers || self.pressed < accepted_count,
            "L3: what was flushed lingers"
        );
    }
}
