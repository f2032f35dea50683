//! What the wire shows of one partition's batches with a sequence number.
//!
//! Owns: every such batch that a byte left of, with what is known of its attempts. Never: a
//! judgement; that is made by the checks beside it.

use std::collections::BTreeMap;

use bytes::Bytes;
use titorelli::Instant;

use crate::codec::error_code::{MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE};
use crate::codec::{Codec, inflate, walk_records};

/// More than any batch of a run inflates to.
const INFLATED_BYTES_MAX: usize = 64 << 20;

/// In whose name a batch is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

/// A batch with a sequence number, as it travels.
#[derive(Clone, Debug)]
pub(crate) struct Stamped {
    pub(crate) identity: Identity,
    pub(crate) base_sequence: i32,
    pub(crate) record_count: i32,
    /// That of the whole batch, from its own checksum on.
    pub(crate) checksum: u32,
    /// Which records, whatever their stamp.
    pub(crate) content: u64,
    pub(crate) records: Bytes,
    pub(crate) codec: Codec,
}

/// What a broker knows a batch by.
pub(crate) type Key = (Identity, i32);

impl Stamped {
    pub(crate) const fn key(&self) -> Key {
        (self.identity, self.base_sequence)
    }

    /// The sequence number after its last record's.
    pub(super) const fn end(&self) -> i32 {
        self.base_sequence.wrapping_add(self.record_count) & i32::MAX
    }

    /// The value of its first record.
    fn label(&self) -> Option<Bytes> {
        let plain = inflate(self.codec, &self.records, INFLATED_BYTES_MAX).ok()?;
        let mut label = None;
        // Whether the rest is right was looked at elsewhere.
        let _ = walk_records(&plain, self.record_count, |record| {
            label.get_or_insert_with(|| record.value.map(Bytes::copy_from_slice));
        });
        label.flatten()
    }
}

/// A batch of which a byte left, and what became of its attempts.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) stamp: Stamped,
    /// Attempts that are not answered yet.
    pub(super) under_way: u32,
    /// Attempts whose answer is lost, or proves nothing.
    pub(super) lost: u32,
    /// The code of the last refusal.
    pub(super) refusal: i16,
    /// How often it was refused for its sequence number.
    pub(super) gap_count: u32,
    /// It was refused so although all before it are written.
    pub(super) is_refused_at_head: bool,
    pub(super) is_written: bool,
    /// When the application was told that it failed.
    pub(super) given_up_at: Option<Instant>,
    /// The value of its first record, once somebody has asked; empty: there is none.
    label: Option<Bytes>,
}

impl Batch {
    fn new(stamp: Stamped) -> Self {
        Self {
            stamp,
            under_way: 0,
            lost: 0,
            refusal: 0,
            gap_count: 0,
            is_refused_at_head: false,
            is_written: false,
            given_up_at: None,
            label: None,
        }
    }

    /// Whether it may be in the log, and nobody knows.
    pub(super) const fn is_unresolved(&self) -> bool {
        !self.is_written && self.lost > 0
    }

    /// Whether it goes on in parts, as far as the wire shows: it was too large, and is not there.
    pub(super) const fn is_divided(&self) -> bool {
        let is_too_large =
            self.refusal == MESSAGE_TOO_LARGE || self.refusal == RECORD_LIST_TOO_LARGE;
        is_too_large && self.stamp.record_count > 1 && self.lost + self.under_way == 0
    }

    /// Whether its first record's value is this.
    fn begins_with(&mut self, value: Option<&[u8]>) -> bool {
        let stamp = &self.stamp;
        let label = self
            .label
            .get_or_insert_with(|| stamp.label().unwrap_or_default());
        value.is_some_and(|value| !value.is_empty() && label == value)
    }
}

/// The batches of one partition.
#[derive(Debug, Default)]
pub(super) struct Row {
    /// In the order in which they first left.
    batches: Vec<Batch>,
    by_key: BTreeMap<Key, usize>,
    /// Those of the present identity begin here.
    begins: usize,
    /// Of the newest batch.
    pub(super) identity: Option<Identity>,
    /// What the next batch of this identity begins with.
    pub(super) next_sequence: i32,
    /// Numbers of batches that were split, and what is left of them: from, until.
    pub(super) reopened: Vec<(i32, i32)>,
    /// In whose name something was acknowledged last.
    pub(super) proven: Option<Identity>,
    /// Those that are not written, as far as they matter yet; the oldest first, by when it first
    /// left under whatever number.
    open: Vec<usize>,
    /// The first values of batches that failed when no byte of them had left, and when.
    ended_unseen: BTreeMap<Bytes, Instant>,
    /// The first number of each identity that is known to be absent for ever.
    holes: BTreeMap<Identity, usize>,
}

impl Row {
    pub(super) fn find(&self, identity: Identity, base_sequence: i32) -> Option<usize> {
        self.by_key.get(&(identity, base_sequence)).copied()
    }

    pub(super) fn batch(&self, index: usize) -> &Batch {
        &self.batches[index]
    }

    pub(super) fn batch_mut(&mut self, index: usize) -> &mut Batch {
        &mut self.batches[index]
    }

    /// Those that are not written, the oldest first.
    pub(super) fn open(&self) -> impl Iterator<Item = (usize, &Batch)> {
        self.open
            .iter()
            .map(|index| (*index, &self.batches[*index]))
    }

    /// Those of them that have the present identity, before this one.
    pub(super) fn open_before(&self, index: usize) -> impl Iterator<Item = &Batch> {
        let begins = self.begins;
        self.open()
            .filter(move |(other, _)| (begins..index).contains(other))
            .map(|(_, batch)| batch)
    }

    /// Whether a number before this batch's is known to be absent, and stays so.
    pub(super) fn is_behind_hole(&self, index: usize) -> bool {
        let identity = self.batches[index].stamp.identity;
        let is_hole = |(other, open): (usize, &Batch)| {
            let is_absent = open.lost + open.under_way == 0;
            is_absent && other < index && open.stamp.identity == identity
        };
        let known = self.holes.get(&identity);
        known.is_some_and(|hole| *hole < index) || self.open().any(is_hole)
    }

    /// A new batch has left; its place.
    pub(super) fn push(&mut self, stamp: &Stamped) -> usize {
        let index = self.batches.len();
        if self.identity != Some(stamp.identity) {
            self.begins = index;
            self.identity = Some(stamp.identity);
            self.reopened.clear();
        }
        let (batches, holes) = (&self.batches, &mut self.holes);
        let (mut kept, mut place) = (0, None);
        // What is sent under a new identity is what it was before.
        self.open.retain(|index| {
            let other = &batches[*index];
            let is_old = other.stamp.identity != stamp.identity;
            let is_it = other.stamp.content == stamp.content;
            let is_absent = other.lost + other.under_way == 0;
            let is_over = other.given_up_at.is_some() && is_absent && !other.is_divided();
            let goes = is_old && (is_it || is_over);
            if goes && is_absent {
                holes.entry(other.stamp.identity).or_insert(*index);
            }
            place = place.or((goes && is_it).then_some(kept));
            kept += usize::from(!goes);
            !goes
        });
        self.by_key
            .insert((stamp.identity, stamp.base_sequence), index);
        self.batches.push(Batch::new(stamp.clone()));
        self.open.insert(place.unwrap_or(kept), index);
        index
    }

    /// A part of a batch has its number now.
    pub(super) fn replace(&mut self, index: usize, stamp: &Stamped) {
        self.batches[index] = Batch::new(stamp.clone());
    }

    /// Whether a batch that was too large begins with the same record.
    pub(super) fn is_part(&mut self, stamp: &Stamped) -> bool {
        let divided: Vec<usize> = self.open.clone();
        let mut divided = divided.into_iter().filter(|index| {
            let batch = &self.batches[*index];
            batch.is_divided() && batch.stamp.record_count > stamp.record_count
        });
        let Some(first) = divided.next() else {
            return false;
        };
        let label = stamp.label();
        [first].into_iter().chain(divided).any(|index| {
            let whole = &self.batches[index].stamp;
            label.is_some() && whole.label() == label
        })
    }

    /// It is written, and so is what came before it under its identity: these are returned as far
    /// as nobody knew.
    pub(super) fn settle(&mut self, index: usize) -> usize {
        let identity = self.batches[index].stamp.identity;
        self.proven = Some(identity);
        let batches = &mut self.batches;
        let mut resolved = 0;
        self.open.retain(|other| {
            let is_settled = *other <= index && batches[*other].stamp.identity == identity;
            if is_settled {
                let batch = &mut batches[*other];
                resolved += usize::from(*other < index && batch.is_unresolved());
                batch.is_written = true;
                batch.stamp.records = Bytes::new();
            }
            !is_settled
        });
        let batches = &self.batches;
        if self.open.iter().all(|open| batches[*open].is_divided()) {
            self.open.clear();
        }
        resolved
    }

    /// The application was told that the batch failed whose first record has this value.
    pub(super) fn give_up(&mut self, now: Instant, value: Option<&[u8]>, may_leave: bool) {
        for index in &self.open {
            let batch = &mut self.batches[*index];
            if batch.given_up_at.is_none() && batch.begins_with(value) {
                batch.given_up_at = Some(now);
                break;
            }
        }
        // It may be under way under another number too, and not have left with that yet.
        let value = value.filter(|_| may_leave).map(Bytes::copy_from_slice);
        self.ended_unseen.extend(value.map(|value| (value, now)));
    }

    /// A batch leaves: it may have failed before.
    pub(super) fn catch_up(&mut self, index: usize) {
        let batch = &mut self.batches[index];
        if !self.ended_unseen.is_empty() {
            let ended = &mut self.ended_unseen;
            batch.given_up_at = batch.stamp.label().and_then(|label| ended.remove(&label));
        }
    }
}
