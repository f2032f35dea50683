//! The promises about sequence numbers (I1 to I5, I8, S7c and S7e), looked at from the wire: what
//! left in which name under which number, and what was answered.
//!
//! Owns: a row of batches for each partition. Never: the core's own counters.

mod company;
mod contiguity;
mod epochs;
mod refusals;
mod restamped;
mod row;
mod sameness;
#[cfg(test)]
mod tests;
mod unresolved;

use std::collections::BTreeMap;

use titorelli::{Config, Instant};

use crate::codec::error_code;
use crate::sight::Sight;
use refusals::Gap;
use row::Row;
pub(crate) use row::{Identity, Key, Stamped};
use sameness::Again;

/// A partition by its topic's name.
pub(crate) type Named = (String, i32);

/// Answers that prove nothing, as far as every producer has to know.
const UNPROVEN: [i16; 4] = [
    error_code::UNKNOWN_SERVER_ERROR,
    error_code::REQUEST_TIMED_OUT,
    error_code::NETWORK_EXCEPTION,
    error_code::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
];

/// What an answer says of one batch: its code, and the offset.
pub(crate) type Told = (i16, i64);

/// Every batch with a sequence number.
#[derive(Debug)]
pub(crate) struct Sequences {
    is_idempotent: bool,
    first_sequence: i32,
    rows: BTreeMap<Named, Row>,
    /// No two batches hold the same: they can be told apart.
    are_unique: bool,
    /// The epochs of the present producer id are used up.
    is_exhausted: bool,
    /// What was come across, and not taken yet.
    pub(crate) seen: Vec<Sight>,
}

impl Sequences {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            is_idempotent: config.enable_idempotence,
            first_sequence: config.first_sequence,
            rows: BTreeMap::new(),
            are_unique: false,
            is_exhausted: false,
            seen: Vec::new(),
        }
    }

    pub(crate) fn tell_apart(&mut self, are_unique: bool) {
        self.are_unique = are_unique;
    }

    /// I9: a request that carries batches is one of an idempotent producer, or not, to the last
    /// field.
    ///
    /// # Panics
    /// It is not.
    pub(crate) fn check_request(&self, acks: i16, stamp: Option<&Stamped>) {
        assert!(
            stamp.is_some() == self.is_idempotent,
            "I9: batches have numbers if and only if they are to be written once"
        );
        assert!(
            !self.is_idempotent || acks == -1,
            "I9: acks={acks} of an idempotent producer"
        );
    }

    /// A producer id is asked for.
    pub(crate) fn on_question(&mut self) {
        if self.is_exhausted {
            self.seen.push(Sight::EpochsUsedUp);
        }
    }

    /// A batch is handed out, beside others of its partition that are under way.
    pub(crate) fn on_handed(&self, now: Instant, place: &Named, next: &Stamped, beside: &[Key]) {
        let row = self.rows.get(place);
        epochs::check_beside(next, beside);
        company::check(row, next, beside);
        let Some(row) = row else {
            return;
        };
        let known = row.find(next.identity, next.base_sequence);
        if let Some(index) = known {
            refusals::check(row.batch(index), next);
        }
        if !self.are_unique {
            return;
        }
        if known.is_none() {
            restamped::check(row, next);
            unresolved::check_new(row, now, next, beside);
        }
        unresolved::check_turn(row, next, beside);
    }

    /// The first byte of a batch left.
    pub(crate) fn on_left(&mut self, place: &Named, stamp: &Stamped) {
        let row = self.rows.entry(place.clone()).or_default();
        let known = row.find(stamp.identity, stamp.base_sequence);
        if let Some(index) = known {
            if sameness::check(row.batch(index), stamp) == Again::Part {
                self.seen.push(Sight::Split);
                let rest = (stamp.end(), row.batch(index).stamp.end());
                row.reopened.push(rest);
                row.replace(index, stamp);
            }
            row.batch_mut(index).under_way += 1;
            return;
        }
        contiguity::check(row, stamp, self.first_sequence);
        epochs::check_forward(row, stamp);
        if let Some(before) = row.identity.filter(|before| *before != stamp.identity) {
            self.seen
                .push(if before.producer_id == stamp.identity.producer_id {
                    Sight::EpochBumped
                } else {
                    Sight::ProducerIdChanged
                });
        }
        if contiguity::has_wrapped(stamp) {
            self.seen.push(Sight::SequenceWrapped);
        }
        self.is_exhausted = stamp.identity.epoch == i16::MAX;
        self.seen.extend(row.is_part(stamp).then_some(Sight::Split));
        let index = row.push(stamp);
        row.batch_mut(index).under_way += 1;
        row.catch_up(index);
        match row.reopened.last_mut() {
            Some(part) if part.0 == stamp.base_sequence => {
                part.0 = stamp.end();
                row.reopened.retain(|part| part.0 != part.1);
            }
            Some(_) | None => row.next_sequence = stamp.end(),
        }
    }

    /// The answer to an attempt; `None`: it leaves the batch out, or never comes.
    pub(crate) fn on_answered(
        &mut self,
        place: &Named,
        (identity, base_sequence): Key,
        told: Option<Told>,
    ) {
        let Some(row) = self.rows.get_mut(place) else {
            return;
        };
        let Some(index) = row.find(identity, base_sequence) else {
            return;
        };
        let batch = row.batch_mut(index);
        batch.under_way = batch.under_way.saturating_sub(1);
        match told {
            None => batch.lost += 1,
            Some((error_code::NONE | error_code::DUPLICATE_SEQUENCE_NUMBER, _)) => {
                let is_late = batch.given_up_at.is_some() && !batch.is_written;
                batch.is_written = true;
                self.seen.extend(is_late.then_some(Sight::LateSuccess));
                if row.settle(index) > 0 {
                    self.seen.push(Sight::ResolvedByLaterAck);
                }
            }
            Some((code, offset)) => {
                batch.refusal = code;
                batch.lost += u32::from(offset >= 0 || UNPROVEN.contains(&code));
                let gap = refusals::judge(row, index, code);
                let batch = row.batch_mut(index);
                batch.gap_count += u32::from(gap != Gap::None);
                batch.is_refused_at_head |= gap == Gap::AtHead;
                self.seen.extend(match gap {
                    Gap::AtHead => Some(Sight::OutOfOrderAtHead),
                    Gap::Behind => Some(Sight::OutOfOrderBehind),
                    Gap::None => None,
                });
            }
        }
    }

    /// The application is told that a batch failed whose first record has this value;
    /// `may_leave`: it may be among those that were handed out, and have not left.
    pub(crate) fn on_given_up(
        &mut self,
        now: Instant,
        place: &Named,
        value: Option<&[u8]>,
        may_leave: bool,
    ) {
        if !self.are_unique {
            return;
        }
        let row = if may_leave {
            Some(self.rows.entry(place.clone()).or_default())
        } else {
            self.rows.get_mut(place)
        };
        if let Some(row) = row {
            row.give_up(now, value, may_leave);
        }
    }
}
