//! A batch becomes several, which have its records and their tickets (invariant S10).
//!
//! Owns: who has the tickets and the memory of a batch that was divided. Never: why it is.
//! Its memory goes over to the last of its parts, for all of them share its bytes until they are
//! sealed; each then holds what its own sealed body needs.

use super::Accumulator;
use super::batch::{Batch, Content, Place, Tickets};
use crate::boundary::BatchId;
use crate::slot::BatchSlot;
use crate::wire::Front;
use crate::wire::cut::Part;
use bytes::Bytes;
use core::ops::Range;

impl Accumulator {
    /// Divides a closed batch into one for each group of its records, which are ranges of their
    /// places, in order. Together they have every record once. The batch is forgotten; its slot is
    /// kept until all its tickets are completed and fetched. What was encoded is not touched: the
    /// parts are cut out of it when they are sealed.
    ///
    /// They are queued by the caller. They stand where the batch stood in the order of expiry,
    /// with its age, order and history; a sequence number they have not.
    pub(crate) fn divide(
        &mut self,
        slot: BatchSlot,
        groups: Vec<Vec<Range<u32>>>,
    ) -> Vec<BatchSlot> {
        let count: u32 = groups
            .iter()
            .flatten()
            .map(|range| range.end - range.start)
            .sum();
        let entry = &mut self.entries[slot.index()];
        let mut parent = entry.batch.take().expect("the slot is taken");
        entry.generation = entry.generation.wrapping_add(1);
        assert_eq!(count, parent.record_count, "every record goes on, and once");
        let ranges: Vec<Vec<Range<u32>>> = groups
            .iter()
            .map(|group| {
                group
                    .iter()
                    .flat_map(|places| within(parent.ranges(), places))
                    .collect()
            })
            .collect();
        // One delivery for each range, where there was one for each range of the parent's.
        let parts: usize = ranges.iter().map(Vec::len).sum();
        let added = parts - parent.ranges().count();
        let root = &mut self.entries[parent.root().slot as usize];
        root.parts += u32::try_from(added).expect("fewer than there are records");
        let whole = whole(
            core::mem::replace(&mut parent.content, Content::Away),
            &parent,
        );
        let mut children = Vec::new();
        for (kept, ranges) in groups.into_iter().zip(ranges) {
            let part = Part {
                body: whole.body.clone(),
                kept: kept
                    .iter()
                    .flat_map(|places| within(whole.kept.iter().cloned(), places))
                    .collect(),
                ..whole
            };
            children.push(self.add_part(slot, &parent, part, ranges));
        }
        self.live.remove(slot.0);
        if parent.is_part() {
            self.vacate(slot);
        }
        let last = *children.last().expect("there are groups");
        self.batch_mut(last).held_bytes = parent.held_bytes;
        children
    }

    /// A part is sealed, or ends before it was: what it held for all of them is the last one's that
    /// still needs the bytes that they share, one that is away to be sealed included. Returns what
    /// nobody needs any more.
    pub(super) fn bequeath(&mut self, root: BatchId, held_bytes: usize) -> usize {
        let is_heir = |slot: &BatchSlot| {
            let other = self.batch(*slot);
            let is_unsealed = matches!(other.content, Content::Part(_) | Content::Away);
            other.root() == root && is_unsealed
        };
        let Some(heir) = self.live().filter(is_heir).last() else {
            return held_bytes;
        };
        self.batch_mut(heir).held_bytes += held_bytes;
        0
    }

    fn add_part(
        &mut self,
        before: BatchSlot,
        parent: &Batch,
        part: Part,
        ranges: Vec<Range<u32>>,
    ) -> BatchSlot {
        let id = self.new_id();
        let slot = BatchSlot(id.slot);
        let root = parent.root();
        self.entries[slot.index()].batch = Some(Batch {
            id,
            tickets: Some(Box::new(Tickets { root, ranges })),
            partition: parent.partition,
            ordinal: parent.ordinal,
            sequence: None,
            stamped: None,
            created: parent.created,
            format: parent.format,
            record_count: part.kept.iter().map(|range| range.end - range.start).sum(),
            raw_bytes: part.raw_bytes,
            record_bytes_max: parent.record_bytes_max,
            base_timestamp_ms: parent.base_timestamp_ms,
            max_timestamp_ms: parent.max_timestamp_ms,
            held_bytes: 0,
            content: Content::Part(part),
            place: Place::Queued,
            is_overdue: parent.is_overdue,
            history: parent.history.clone(),
            life: parent.life.clone(),
        });
        self.live.insert_before(before.0, slot.0);
        slot
    }
}

/// Everything that a closed batch has, as the part of another that it is or could be.
fn whole(content: Content, batch: &Batch) -> Part {
    let all = core::iter::once(0..batch.record_count).collect();
    match content {
        Content::Sealed { front, body } => Part {
            front,
            body,
            raw_bytes: batch.raw_bytes,
            kept: all,
        },
        Content::Raw(raw) => Part {
            front: Front::NONE,
            raw_bytes: raw.len(),
            body: Bytes::from(raw),
            kept: all,
        },
        Content::Part(part) => part,
        Content::Open | Content::Away => unreachable!("it is closed, and its bytes are here"),
    }
}

/// What is at these places of all that the ranges have, one after the other.
fn within(ranges: impl Iterator<Item = Range<u32>>, places: &Range<u32>) -> Vec<Range<u32>> {
    let mut found = Vec::new();
    let mut begins_at = 0;
    for range in ranges {
        let length = range.end - range.start;
        let from = places.start.max(begins_at) - begins_at;
        let to = places.end.min(begins_at + length).saturating_sub(begins_at);
        if from < to {
            found.push(range.start + from..range.start + to);
        }
        begins_at += length;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boundary::Ticket;
    use crate::slot::PartitionSlot;
    use crate::time::Instant;
    use crate::wire::record_batch::{Sequence, Stamp, header};
    use crate::wire::{Codec, Front, compression, cut};
    use crate::{Config, Record};

    /// An accumulator with one batch of so many records, which is sealed.
    fn filled(count: u32) -> (Accumulator, BatchSlot) {
        let (mut accumulator, slot) = raw(count);
        seal(&mut accumulator, slot);
        (accumulator, slot)
    }

    /// An accumulator with one closed batch of so many records.
    fn raw(count: u32) -> (Accumulator, BatchSlot) {
        let mut accumulator = Accumulator::new(&Config::default());
        let partition = PartitionSlot::at(0);
        accumulator.add_partition(partition);
        for _ in 0..count {
            let record = Record::to("t").value(&[b'x'; 300]);
            let bytes = accumulator.body_bytes_max(&record);
            let begun = accumulator.append(|| Instant::ZERO, partition, &record, 7, bytes, true);
            assert!(begun.is_ok());
        }
        let slot = accumulator.close(partition).expect("there are records");
        (accumulator, slot)
    }

    /// Seals it compressed, as a driver does.
    fn seal(accumulator: &mut Accumulator, slot: BatchSlot) {
        let batch = accumulator.batch_mut(slot);
        let (raw, part_raw_bytes) = match core::mem::replace(&mut batch.content, Content::Away) {
            Content::Raw(raw) => (raw, None),
            Content::Part(part) => {
                let raw = cut::cut(batch.format, &part)
                    .expect("it was sealed here")
                    .raw;
                let bytes = raw.len();
                (raw, Some(bytes))
            }
            other @ (Content::Open | Content::Away | Content::Sealed { .. }) => panic!("{other:?}"),
        };
        let body = compression::compress(Codec::Gzip, None, &raw).expect("it shrinks");
        let stamp = Stamp {
            codec: Codec::Gzip,
            record_count: batch.record_count,
            base_timestamp: batch.base_timestamp_ms,
            max_timestamp: batch.max_timestamp_ms,
            sequence: Sequence::NONE,
            is_transactional: false,
        };
        let front = Front::from(header(&stamp, &body));
        let spare = part_raw_bytes.is_none().then_some(raw);
        accumulator.put_sealed(slot, front, body.into(), spare, part_raw_bytes);
        accumulator.check_invariants(0);
    }

    fn tickets_of(accumulator: &Accumulator, slot: BatchSlot) -> Vec<(u32, u32)> {
        let ranges = accumulator.batch(slot).ranges();
        ranges.map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn tickets_and_memory_go_over_to_the_parts_of_parts() {
        let (mut accumulator, slot) = filled(10);
        let root = accumulator.batch(slot).id;
        let parts = accumulator.divide(slot, vec![vec![4..6], vec![0..4, 6..10]]);
        accumulator.check_invariants(0);
        assert!(accumulator.find(root).is_none());
        assert_eq!(tickets_of(&accumulator, parts[0]), [(4, 6)]);
        assert_eq!(tickets_of(&accumulator, parts[1]), [(0, 4), (6, 10)]);
        let live: Vec<_> = accumulator.live().collect();
        assert_eq!(live, parts);

        seal(&mut accumulator, parts[1]);
        let again = accumulator.divide(parts[1], vec![vec![0..5], vec![5..8]]);
        accumulator.check_invariants(0);
        assert_eq!(tickets_of(&accumulator, again[0]), [(0, 4), (6, 7)]);
        assert_eq!(tickets_of(&accumulator, again[1]), [(7, 10)]);
        for slot in [again[1], again[0], parts[0]] {
            seal(&mut accumulator, slot);
            assert_eq!(accumulator.finish(slot).root(), root);
            accumulator.check_invariants(0);
        }
        assert_eq!(accumulator.memory().used_bytes(), 0);
    }

    /// Before any of it was sealed, and again before what is left of it is.
    #[test]
    fn what_was_never_sealed_is_divided_and_divided_again() {
        let (mut accumulator, slot) = raw(6);
        let root = accumulator.batch(slot).id;
        let parts = accumulator.divide(slot, vec![vec![2..3], vec![0..2, 3..6]]);
        accumulator.check_invariants(0);
        let again = accumulator.divide(parts[1], vec![vec![1..2], vec![0..1, 2..5]]);
        accumulator.check_invariants(0);
        assert_eq!(tickets_of(&accumulator, again[0]), [(1, 2)]);
        assert_eq!(tickets_of(&accumulator, again[1]), [(0, 1), (3, 6)]);
        let ticket = |index| Ticket { batch: root, index };
        assert_eq!(accumulator.find_ticket(ticket(1)), Some(again[0]));
        assert_eq!(accumulator.find_ticket(ticket(2)), Some(parts[0]));
        assert_eq!(accumulator.find_ticket(ticket(5)), Some(again[1]));
        assert_eq!(accumulator.find_ticket(ticket(6)), None);
        assert_eq!(accumulator.batch(again[1]).place_of(4), Some(2));
        seal(&mut accumulator, again[1]);
        for slot in [again[1], again[0], parts[0]] {
            assert_eq!(accumulator.finish(slot).root(), root);
            accumulator.check_invariants(0);
        }
        assert_eq!(accumulator.find_ticket(ticket(5)), None);
        assert_eq!(accumulator.memory().used_bytes(), 0);
    }

    #[test]
    fn bytes_that_parts_share_are_held_until_the_last_of_them_ends() {
        let (mut accumulator, slot) = raw(2);
        let parts = accumulator.divide(slot, vec![one(0), one(1)]);
        let used_bytes = accumulator.memory().used_bytes();
        accumulator.finish(parts[1]);
        assert_eq!(accumulator.memory().used_bytes(), used_bytes);
        accumulator.finish(parts[0]);
        assert_eq!(accumulator.memory().used_bytes(), 0);
    }

    /// Drivers seal on several threads: the last part may come back before the first, or end while
    /// that is away.
    #[test]
    fn a_part_that_is_away_to_be_sealed_needs_the_bytes_as_well() {
        for is_sealed in [true, false] {
            let (mut accumulator, slot) = raw(2);
            let parts = accumulator.divide(slot, vec![one(0), one(1)]);
            let used_bytes = accumulator.memory().used_bytes();
            let away =
                core::mem::replace(&mut accumulator.batch_mut(parts[0]).content, Content::Away);
            if is_sealed {
                seal(&mut accumulator, parts[1]);
                assert!(accumulator.memory().used_bytes() > used_bytes);
            }
            accumulator.finish(parts[1]);
            assert_eq!(accumulator.memory().used_bytes(), used_bytes);
            accumulator.batch_mut(parts[0]).content = away;
            seal(&mut accumulator, parts[0]);
            assert!(accumulator.memory().used_bytes() < used_bytes);
            accumulator.finish(parts[0]);
            assert_eq!(accumulator.memory().used_bytes(), 0);
        }
    }

    fn one(place: u32) -> Vec<Range<u32>> {
        core::iter::once(place..place + 1).collect()
    }

    #[test]
    fn the_slot_of_a_divided_batch_is_taken_again_when_all_its_tickets_were_fetched() {
        let (mut accumulator, slot) = filled(3);
        let parts = accumulator.divide(slot, vec![vec![1..2], vec![0..1, 2..3]]);
        for part in parts {
            accumulator.finish(part);
        }
        for _ in 0..3 {
            assert!(!accumulator.vacant.contains(&slot));
            accumulator.vacate(slot);
        }
        assert!(accumulator.vacant.contains(&slot));
    }

    #[test]
    #[should_panic(expected = "every record goes on, and once")]
    fn no_record_is_left_behind() {
        let (mut accumulator, slot) = filled(3);
        accumulator.divide(slot, vec![vec![0..1], vec![2..3]]);
    }
}
