//! The data plane: records become batches.
//!
//! Owns: the open batch of each partition, the table of batches, `buffer_memory`.
//! Never: brokers, leaders, requests, retries. Invariants: **Memory** (S8); a record is encoded
//! once; no batch exceeds `batch_size` unless it holds one record (S9).

pub(crate) mod batch;
mod divide;
pub(crate) mod life;
pub(crate) mod links;
pub(crate) mod memory;

use crate::boundary::{BatchId, Ticket};
use crate::config::Config;
use crate::record::Record;
use crate::slot::{BatchSlot, PartitionSlot};
use crate::time::Instant;
use crate::wire::record_batch::HEADER_BYTES;
use crate::wire::{Format, Front, message_set, record};
use batch::{Batch, Content, History, OpenBatch, Place};
use core::time::Duration;
use life::Life;
use links::Links;
use memory::Memory;

/// A body begins with this capacity and doubles, so that a thousand partitions with a few records
/// each hold a thousand small buffers and not a thousand times `batch_size`.
const BODY_BYTES_MIN: usize = 1_024;

/// One place in the table of batches.
#[derive(Debug)]
struct Entry {
    generation: u32,
    batch: Option<Batch>,
    /// How many deliveries of its tickets are still to be fetched. A batch that was divided has
    /// gone from its entry then, and others have its tickets.
    parts: u32,
}

/// Records on their way into batches.
#[derive(Debug)]
pub(crate) struct Accumulator {
    /// Bytes a batch's body may have.
    body_bytes_max: usize,
    linger: Duration,
    /// The format that records are written in: of all open batches.
    format: Format,
    open: Vec<Option<OpenBatch>>,
    entries: Vec<Entry>,
    vacant: Vec<BatchSlot>,
    next_ordinal: u64,
    memory: Memory,
    /// The batches within their deadline, in the order of their opening. The front expires first.
    live: Links,
    /// Those past it that are still being found out; all are older than any within.
    overdue: Links,
    /// The partitions whose open batch lingers, in the order of their linger's end.
    lingering: Links,
    /// Batches that closed themselves in `append`; the caller queues them.
    just_closed: Vec<(PartitionSlot, BatchSlot)>,
    /// Batches whose bytes the transport still held at their end; `None` while nobody asks.
    held: Option<Vec<BatchId>>,
}

/// A record was not appended: so many bytes are needed and not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted {
    pub(crate) needed_bytes: usize,
}

impl Accumulator {
    pub(crate) fn new(config: &Config) -> Self {
        let batch_bytes_max = config.batch_size.min(config.max_request_size);
        Self {
            body_bytes_max: batch_bytes_max.saturating_sub(HEADER_BYTES),
            linger: config.linger,
            format: Format::V2,
            open: Vec::new(),
            entries: Vec::new(),
            vacant: Vec::new(),
            next_ordinal: 0,
            memory: Memory::new(config.buffer_memory),
            live: Links::new(),
            overdue: Links::new(),
            lingering: Links::new(),
            just_closed: Vec::new(),
            held: None,
        }
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    pub(crate) fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Records are written in this format from now on. What is open in another closes; the caller
    /// queues it.
    pub(crate) fn set_format(&mut self, format: Format) {
        if core::mem::replace(&mut self.format, format) == format {
            return;
        }
        for index in 0..self.open.len() {
            if self.open[index].is_some() {
                self.close_into_list(PartitionSlot::at(index));
            }
        }
    }

    /// The most that a record can need in a batch's body.
    #[inline]
    pub(crate) fn body_bytes_max(&self, record: &Record<'_>) -> usize {
        match self.format {
            Format::V2 => record::encoded_bytes_max(record.key, record.value, record.headers),
            old @ (Format::V0 | Format::V1) => {
                message_set::message_bytes(old, record.key, record.value)
            }
        }
    }

    /// Makes room for the open batch of `partition`.
    pub(crate) fn add_partition(&mut self, partition: PartitionSlot) {
        assert_eq!(
            partition.index(),
            self.open.len(),
            "partitions come in order"
        );
        self.open.push(None);
    }

    /// Encodes a record into the open batch of its partition. `body_bytes` is the most it can
    /// need there. With `in_turn` false somebody waits for memory, so none is taken.
    ///
    /// This is the hot path: the common case encodes and returns.
    #[inline]
    pub(crate) fn append(
        &mut self,
        clock: impl FnOnce() -> Instant,
        partition: PartitionSlot,
        record: &Record<'_>,
        timestamp_ms: i64,
        body_bytes: usize,
        in_turn: bool,
    ) -> Result<Ticket, Exhausted> {
        let body_bytes_max = self.body_bytes_max;
        if let Some(open) = &mut self.open[partition.index()] {
            let filled = open.body.len() + body_bytes;
            if filled <= open.body.capacity() && filled <= body_bytes_max {
                let ticket = encode(open, self.format, record, timestamp_ms);
                // A batch that could not take another such record is full.
                if open.body.len() + body_bytes > body_bytes_max {
                    self.close_into_list(partition);
                }
                return Ok(ticket);
            }
        }
        self.append_slowly(clock, partition, record, timestamp_ms, body_bytes, in_turn)
    }

    /// The cold rest of `append`: the open batch grows, or closes and a new one opens.
    #[cold]
    #[inline(never)]
    fn append_slowly(
        &mut self,
        clock: impl FnOnce() -> Instant,
        partition: PartitionSlot,
        record: &Record<'_>,
        timestamp_ms: i64,
        body_bytes: usize,
        in_turn: bool,
    ) -> Result<Ticket, Exhausted> {
        if let Some(open) = &mut self.open[partition.index()] {
            let filled = open.body.len() + body_bytes;
            if filled <= self.body_bytes_max {
                let wish = (open.body.capacity() * 2).min(self.body_bytes_max);
                if !in_turn || !self.memory.grow(&mut open.body, filled, wish.max(filled)) {
                    return Err(Exhausted {
                        needed_bytes: body_bytes,
                    });
                }
            } else {
                self.close_into_list(partition);
            }
        }
        if self.open[partition.index()].is_none() {
            let wish = BODY_BYTES_MIN.min(self.body_bytes_max).max(body_bytes);
            let body = if in_turn {
                self.memory.take(body_bytes, wish)
            } else {
                None
            };
            let Some(body) = body else {
                return Err(Exhausted {
                    needed_bytes: body_bytes,
                });
            };
            self.open_batch(clock(), partition, timestamp_ms, body);
        }
        let open = self.open[partition.index()].as_mut().expect("opened above");
        let ticket = encode(open, self.format, record, timestamp_ms);
        if open.body.len() + body_bytes > self.body_bytes_max {
            self.close_into_list(partition);
        }
        Ok(ticket)
    }

    fn open_batch(
        &mut self,
        now: Instant,
        partition: PartitionSlot,
        timestamp_ms: i64,
        body: Vec<u8>,
    ) {
        let id = self.new_id();
        let slot = BatchSlot(id.slot);
        self.entries[slot.index()].batch = Some(Batch {
            id,
            tickets: None,
            partition,
            ordinal: self.next_ordinal,
            created: now,
            format: self.format,
            record_count: 0,
            raw_bytes: 0,
            record_bytes_max: 0,
            base_timestamp_ms: timestamp_ms,
            max_timestamp_ms: timestamp_ms,
            held_bytes: 0,
            content: Content::Open,
            sequence: None,
            stamped: None,
            place: Place::Open,
            is_overdue: false,
            history: History::default(),
            life: Life::begun(now),
        });
        self.next_ordinal += 1;
        self.live.push_back(slot.0);
        self.lingering.push_back(partition.0);
        self.open[partition.index()] = Some(OpenBatch {
            id,
            body,
            record_count: 0,
            record_bytes_max: 0,
            base_timestamp_ms: timestamp_ms,
            max_timestamp_ms: timestamp_ms,
        });
    }

    /// The id of a new batch, in a slot that no other has and that no driver knows any more.
    fn new_id(&mut self) -> BatchId {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.entries.push(Entry {
                generation: 0,
                batch: None,
                parts: 0,
            });
            BatchSlot::at(self.entries.len() - 1)
        });
        let entry = &mut self.entries[slot.index()];
        assert!(entry.batch.is_none(), "a vacant entry has no batch");
        entry.parts = 1;
        BatchId {
            slot: slot.0,
            generation: entry.generation,
        }
    }

    #[cold]
    #[inline(never)]
    fn close_into_list(&mut self, partition: PartitionSlot) {
        let slot = self.close(partition).expect("there is an open batch");
        self.just_closed.push((partition, slot));
    }

    /// Closes the open batch of a partition: no record joins it any more.
    pub(crate) fn close(&mut self, partition: PartitionSlot) -> Option<BatchSlot> {
        let open = self.open[partition.index()].take()?;
        self.lingering.remove(partition.0);
        let slot = BatchSlot(open.id.slot);
        let batch = self.batch_mut(slot);
        assert_eq!(batch.id, open.id, "the open batch is the one in the table");
        assert!(open.record_count > 0, "a batch opens with a record");
        batch.record_count = open.record_count;
        batch.raw_bytes = open.body.len();
        batch.record_bytes_max = open.record_bytes_max;
        batch.base_timestamp_ms = open.base_timestamp_ms;
        batch.max_timestamp_ms = open.max_timestamp_ms;
        batch.held_bytes = open.body.capacity();
        batch.content = Content::Raw(open.body);
        batch.place = Place::Queued;
        Some(slot)
    }

    /// The next batch that closed itself, with its partition.
    pub(crate) fn pop_just_closed(&mut self) -> Option<(PartitionSlot, BatchSlot)> {
        self.just_closed.pop()
    }

    pub(crate) fn has_just_closed(&self) -> bool {
        !self.just_closed.is_empty()
    }

    pub(crate) fn has_open(&self, partition: PartitionSlot) -> bool {
        self.open[partition.index()].is_some()
    }

    /// The batch that partition fills.
    pub(crate) fn open_slot(&self, partition: PartitionSlot) -> Option<BatchSlot> {
        self.open[partition.index()]
            .as_ref()
            .map(|open| BatchSlot(open.id.slot))
    }

    pub(crate) fn open_bytes(&self, partition: PartitionSlot) -> usize {
        self.open[partition.index()]
            .as_ref()
            .map_or(0, |open| open.body.len())
    }

    /// The bytes of the records of a batch that was filled just now.
    pub(crate) fn body_bytes(&self, batch: BatchId) -> usize {
        let batch = self.batch(BatchSlot(batch.slot));
        match &batch.content {
            Content::Open => self.open_bytes(batch.partition),
            Content::Raw(body) => body.len(),
            Content::Away | Content::Part(_) | Content::Sealed { .. } => {
                unreachable!("it was filled just now")
            }
        }
    }

    /// The partition whose open batch has lingered longest, and when its linger ends.
    pub(crate) fn first_lingering(&self) -> Option<(PartitionSlot, Instant)> {
        let partition = PartitionSlot(self.lingering.front()?);
        let open = self
            .open_slot(partition)
            .expect("a lingering partition has an open batch");
        Some((partition, self.batch(open).created + self.linger))
    }

    /// The open batch of this partition lingers no more.
    pub(crate) fn end_linger(&mut self, partition: PartitionSlot) {
        self.lingering.remove(partition.0);
    }

    /// The oldest batch that is not completed.
    pub(crate) fn oldest(&self) -> Option<BatchSlot> {
        let oldest = self.overdue.front().or(self.live.front());
        oldest.map(BatchSlot)
    }

    /// The oldest batch within its deadline.
    pub(crate) fn oldest_in_time(&self) -> Option<BatchSlot> {
        self.live.front().map(BatchSlot)
    }

    /// The oldest batch past its deadline.
    pub(crate) fn oldest_overdue(&self) -> Option<BatchSlot> {
        self.overdue.front().map(BatchSlot)
    }

    /// All batches that are not completed, the oldest first.
    pub(crate) fn live(&self) -> impl Iterator<Item = BatchSlot> + '_ {
        self.overdue.iter().chain(self.live.iter()).map(BatchSlot)
    }

    /// The oldest batch within its deadline goes on past it.
    pub(crate) fn put_overdue(&mut self, slot: BatchSlot) {
        assert_eq!(self.live.front(), Some(slot.0), "deadlines pass in order");
        self.live.remove(slot.0);
        self.overdue.push_back(slot.0);
        self.batch_mut(slot).is_overdue = true;
    }

    /// The ordinal of the next batch to open: every batch before it has a lower one.
    pub(crate) fn next_ordinal(&self) -> u64 {
        self.next_ordinal
    }

    pub(crate) fn batch(&self, slot: BatchSlot) -> &Batch {
        self.entries[slot.index()]
            .batch
            .as_ref()
            .expect("the slot is taken")
    }

    pub(crate) fn batch_mut(&mut self, slot: BatchSlot) -> &mut Batch {
        self.entries[slot.index()]
            .batch
            .as_mut()
            .expect("the slot is taken")
    }

    /// The slot of a batch, unless it was completed meanwhile.
    pub(crate) fn find(&self, id: BatchId) -> Option<BatchSlot> {
        let batch = self.entries.get(id.slot as usize)?.batch.as_ref()?;
        (batch.id == id).then_some(BatchSlot(id.slot))
    }

    /// The batch that has the record of this ticket, if it is not completed.
    pub(crate) fn find_ticket(&self, ticket: Ticket) -> Option<BatchSlot> {
        if let Some(slot) = self.find(ticket.batch) {
            return (ticket.index < self.records_in(slot)).then_some(slot);
        }
        let entry = self.entries.get(ticket.batch.slot as usize)?;
        // Others have its tickets, if it was divided.
        if entry.batch.is_some() || entry.generation != ticket.batch.generation.wrapping_add(1) {
            return None;
        }
        self.live().find(|slot| {
            let batch = self.batch(*slot);
            batch.root() == ticket.batch && batch.place_of(ticket.index).is_some()
        })
    }

    /// How many records a batch has by now.
    pub(crate) fn records_in(&self, slot: BatchSlot) -> u32 {
        let batch = self.batch(slot);
        match &self.open[batch.partition.index()] {
            Some(open) if open.id == batch.id => open.record_count,
            Some(_) | None => batch.record_count,
        }
    }

    /// A batch came back sealed. Its memory is what its sealed body holds. Of a part of another the
    /// size before it was compressed is known now.
    pub(crate) fn put_sealed(
        &mut self,
        slot: BatchSlot,
        front: Front,
        body: bytes::Bytes,
        spare: Option<Vec<u8>>,
        part_raw_bytes: Option<usize>,
    ) {
        let batch = self.batch_mut(slot);
        assert!(
            matches!(batch.content, Content::Away),
            "only a batch that is away comes back"
        );
        let body_bytes = body.len();
        batch.content = Content::Sealed { front, body };
        if let Some(raw_bytes) = part_raw_bytes {
            batch.raw_bytes = raw_bytes;
            let root = batch.root();
            let held_bytes = core::mem::replace(&mut batch.held_bytes, body_bytes);
            let freed_bytes = self.bequeath(root, held_bytes);
            self.memory.exchange(freed_bytes, body_bytes);
        } else if let Some(spare) = spare {
            let excess = batch.held_bytes - body_bytes;
            batch.held_bytes = body_bytes;
            self.memory.release(excess);
            self.memory.recycle(spare);
        }
    }

    /// Puts a sealed batch's sequence number into its header, where the header has another.
    pub(crate) fn restamp(&mut self, slot: BatchSlot) {
        let batch = self.batch_mut(slot);
        if batch.sequence == batch.stamped {
            return;
        }
        let sequence = batch.sequence.expect("a number is replaced, never removed");
        let Content::Sealed { front, body } = &mut batch.content else {
            unreachable!("what leaves is sealed");
        };
        front.restamp(sequence, body);
        batch.stamped = batch.sequence;
    }

    /// Forgets a batch and gives its memory back. Its tickets are completed by the caller, who
    /// then vacates the slot.
    pub(crate) fn finish(&mut self, slot: BatchSlot) -> Batch {
        let partition = self.batch(slot).partition;
        if self.open_slot(partition) == Some(slot) {
            self.close(partition);
        }
        self.live.remove(slot.0);
        self.overdue.remove(slot.0);
        let entry = &mut self.entries[slot.index()];
        let mut batch = entry.batch.take().expect("the slot is taken");
        entry.generation = entry.generation.wrapping_add(1);
        if batch.is_part() && matches!(batch.content, Content::Part(_) | Content::Away) {
            batch.held_bytes = self.bequeath(batch.root(), batch.held_bytes);
        }
        self.memory.release(batch.held_bytes);
        match core::mem::replace(&mut batch.content, Content::Away) {
            Content::Raw(body) => self.memory.recycle(body),
            // The transport may still hold the bytes; then they are freed when it lets go (S4).
            Content::Sealed { body, .. } => match (body.try_into_mut(), &mut self.held) {
                (Ok(body), _) => self.memory.recycle(Vec::from(body)),
                (Err(_), Some(held)) => held.push(batch.id),
                (Err(_), None) => {}
            },
            Content::Open | Content::Away | Content::Part(_) => {}
        }
        if batch.is_part() {
            // No driver knows it, and none has to fetch anything.
            self.vacate(slot);
        }
        batch
    }

    /// A delivery of tickets of the batch in this slot was fetched. After the last of them the slot
    /// may be used again.
    pub(crate) fn vacate(&mut self, slot: BatchSlot) {
        let entry = &mut self.entries[slot.index()];
        assert!(
            entry.batch.is_none() && entry.parts > 0,
            "only a finished batch leaves its slot"
        );
        entry.parts -= 1;
        if entry.parts == 0 {
            self.vacant.push(slot);
        }
    }

    /// From now on it is kept whose bytes the transport still held when their batch ended.
    pub(crate) fn watch_held(&mut self) {
        self.held = Some(Vec::new());
    }

    /// Those since the last call.
    pub(crate) fn take_held(&mut self) -> Vec<BatchId> {
        self.held.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// Checks what must always hold (invariant S8); O(batches).
    pub(crate) fn check_invariants(&self, reserved_bytes: usize) {
        let closed: usize = self.live().map(|slot| self.batch(slot).held_bytes).sum();
        let open: usize = self
            .open
            .iter()
            .flatten()
            .map(|open| open.body.capacity())
            .sum();
        assert_eq!(
            closed + open + reserved_bytes,
            self.memory.used_bytes(),
            "Memory: exact"
        );
        assert!(
            self.memory.used_bytes() <= self.memory.limit_bytes() + self.memory.over_bytes(),
            "Memory: within the limit"
        );
        assert!(
            self.just_closed.is_empty(),
            "closed batches are queued by who closed them"
        );
        for partition in self.lingering.iter() {
            assert!(
                self.open[partition as usize].is_some(),
                "only open batches linger"
            );
        }
    }
}

/// Appends a record that fits. Shared by both paths of `append`.
#[inline]
fn encode(open: &mut OpenBatch, format: Format, record: &Record<'_>, timestamp_ms: i64) -> Ticket {
    let (index, begins_at) = (open.record_count, open.body.len());
    let (body, key, value) = (&mut open.body, record.key, record.value);
    match format {
        Format::V2 => {
            let delta = timestamp_ms - open.base_timestamp_ms;
            record::encode(body, index, delta, key, value, record.headers);
        }
        old @ (Format::V0 | Format::V1) => {
            message_set::append(body, old, index, timestamp_ms, key, value);
        }
    }
    open.record_count = index + 1;
    open.record_bytes_max = open.record_bytes_max.max(open.body.len() - begins_at);
    open.max_timestamp_ms = open.max_timestamp_ms.max(timestamp_ms);
    Ticket {
        batch: open.id,
        index,
    }
}
