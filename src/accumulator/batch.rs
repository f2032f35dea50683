//! One batch, from its first record to its completion.

use super::life::Life;
use crate::boundary::{BatchId, ConnId};
use crate::error::DeliveryCause;
use crate::slot::PartitionSlot;
use crate::time::Instant;
use crate::wire::cut::Part;
use crate::wire::record_batch::Sequence;
use crate::wire::{Format, Front};
use bytes::Bytes;
use core::ops::Range;

/// The batch that a partition is filling: the hot end of a batch.
#[derive(Debug)]
pub(crate) struct OpenBatch {
    pub(crate) id: BatchId,
    /// The records encoded so far; no header room.
    pub(crate) body: Vec<u8>,
    pub(crate) record_count: u32,
    /// The size of the greatest of them.
    pub(crate) record_bytes_max: usize,
    pub(crate) base_timestamp_ms: i64,
    pub(crate) max_timestamp_ms: i64,
}

/// A batch that is not completed. Its tickets are `(id, 0..record_count)`, but for one that was
/// divided from another.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) id: BatchId,
    /// Whose tickets its records have, if another was divided into it and others.
    pub(crate) tickets: Option<Box<Tickets>>,
    pub(crate) partition: PartitionSlot,
    /// Its place in the order of opening over all partitions; flush and retries go by it.
    pub(crate) ordinal: u64,
    pub(crate) created: Instant,
    /// Of its records, from the first one on.
    pub(crate) format: Format,
    /// Final once the batch is closed.
    pub(crate) record_count: u32,
    /// As encoded, before compression; final once the batch is closed.
    pub(crate) raw_bytes: usize,
    /// The size of the greatest record; final once the batch is closed.
    pub(crate) record_bytes_max: usize,
    pub(crate) base_timestamp_ms: i64,
    pub(crate) max_timestamp_ms: i64,
    /// Bytes of `buffer_memory` it holds, but for those of its open body.
    pub(crate) held_bytes: usize,
    pub(crate) content: Content,
    /// By what brokers know it again, from the moment it is drained; never without idempotence.
    pub(crate) sequence: Option<Sequence>,
    /// What its header says of that, once it is being sealed.
    pub(crate) stamped: Option<Sequence>,
    pub(crate) place: Place,
    /// Its deadline is past, and it is still being found out whether it was written.
    pub(crate) is_overdue: bool,
    pub(crate) history: History,
    pub(crate) life: Life,
}

/// The tickets of a batch that another was divided into: ranges of that one's, in order. They are
/// the tickets of the batch that the records came into, however often it was divided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tickets {
    pub(crate) root: BatchId,
    pub(crate) ranges: Vec<Range<u32>>,
}

impl Batch {
    /// Whether it came out of another one.
    pub(crate) fn is_part(&self) -> bool {
        self.tickets.is_some()
    }

    /// The batch that its tickets name.
    pub(crate) fn root(&self) -> BatchId {
        self.tickets
            .as_ref()
            .map_or(self.id, |tickets| tickets.root)
    }

    /// Its tickets, in the order of its records.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        let of_another = self.tickets.iter().flat_map(|tickets| &tickets.ranges);
        let own = self.tickets.is_none().then_some(0..self.record_count);
        of_another.cloned().chain(own)
    }

    /// The place of the record with this ticket, among its records.
    pub(crate) fn place_of(&self, ticket: u32) -> Option<u32> {
        let mut before = 0;
        for range in self.ranges() {
            if range.contains(&ticket) {
                return Some(before + ticket - range.start);
            }
            before += range.end - range.start;
        }
        None
    }

    /// Its place in its lane: the order of opening; of those that one batch was divided into, the
    /// order of their records.
    pub(crate) fn order(&self) -> (u64, u32) {
        let tickets = self.tickets.as_ref();
        let first = tickets.and_then(|tickets| tickets.ranges.first());
        (self.ordinal, first.map_or(0, |range| range.start))
    }
}

/// Where the records' bytes are.
#[derive(Debug)]
pub(crate) enum Content {
    /// In the partition's [`OpenBatch`].
    Open,
    /// Closed, as encoded.
    Raw(Vec<u8>),
    /// With the driver, being sealed.
    Away,
    /// Some of the records of a batch that was closed or sealed before, which are cut out of it
    /// when this one is sealed.
    Part(Part),
    /// Ready for the wire; every attempt sends exactly these bytes (invariant I2).
    Sealed { front: Front, body: Bytes },
}

/// Where the batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its partition fills it.
    Open,
    /// In its partition's queue.
    Queued,
    /// Drained into the draft of this number, a request that waits for its seals.
    Drained { conn: ConnId, draft: u64 },
    /// In a request that was handed out.
    InFlight(ConnId),
}

/// What happened to the batch so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// Requests of which at least one byte left (invariant S12).
    pub(crate) attempts: u32,
    /// Those of them after which the batch was divided: `retries` does not count them (S12).
    pub(crate) divisions: u32,
    /// Whether records that a broker named were taken out of it (KIP-467).
    pub(crate) is_cleared: bool,
    /// Whether one before it failed while it was in flight, with `enable_gapless_guarantee`.
    pub(crate) is_behind_gap: bool,
    /// Whether the fate of an attempt is unknown. Never reset: a later refusal of a retry says
    /// nothing of the earlier attempt (invariant S2).
    pub(crate) is_unresolved: bool,
    /// How often it was refused for its sequence number.
    pub(crate) sequence_refusals: u32,
    /// In which reign of a leader its last attempt left.
    pub(crate) reign: u64,
    /// In backoff until then.
    pub(crate) not_before: Instant,
    pub(crate) last_failure: Option<DeliveryCause>,
    /// Node id of the broker of the last attempt.
    pub(crate) last_broker: Option<i32>,
}
