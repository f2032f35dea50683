//! What the application sent, and what became of it.
//!
//! Owns: every record from the call to its end. Never: the truth about the logs.
//! Invariant (S1): a record ends exactly once.

use std::collections::BTreeMap;

use titorelli::{
    BatchId, Delivery, DeliveryError, Header, Instant, Outcome, Record, SendError, Ticket, WaiterId,
};

use crate::story::parse_place;

/// One record of the application, counted from 0 in the order of the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordId(pub usize);

/// A record that owns its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnedRecord {
    /// The topic's name.
    pub topic: String,
    /// The partition, or the partitioner's choice.
    pub partition: Option<i32>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// `CreateTime` in milliseconds.
    pub timestamp_ms: Option<i64>,
}

impl OwnedRecord {
    /// A value to a place: `"orders/0"`, or `"orders"` for the partitioner's choice.
    ///
    /// # Panics
    /// What follows the slash is no partition's number.
    #[must_use]
    #[track_caller]
    pub fn to(place: &str, value: impl Into<Vec<u8>>) -> Self {
        let (topic, partition) = if place.contains('/') {
            let (topic, partition) = parse_place(place);
            (topic, Some(partition))
        } else {
            (place.to_owned(), None)
        };
        Self {
            topic,
            partition,
            value: Some(value.into()),
            ..Self::default()
        }
    }

    /// With this key.
    #[must_use]
    pub fn key(self, key: impl Into<Vec<u8>>) -> Self {
        let key = Some(key.into());
        Self { key, ..self }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: Option<&[u8]>) -> Self {
        let value = value.map(<[u8]>::to_vec);
        self.headers.push((name.to_owned(), value));
        self
    }

    /// With this `CreateTime`, in milliseconds.
    #[must_use]
    pub fn timestamp(self, millis: i64) -> Self {
        let timestamp_ms = Some(millis);
        Self {
            timestamp_ms,
            ..self
        }
    }

    /// Calls `with` with the borrowed form.
    pub(crate) fn lend<R>(&self, with: impl FnOnce(&Record<'_>) -> R) -> R {
        let headers: Vec<Header<'_>> = self
            .headers
            .iter()
            .map(|(name, value)| Header {
                name,
                value: value.as_deref(),
            })
            .collect();
        with(&Record {
            topic: &self.topic,
            partition: self.partition,
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: &headers,
            timestamp_ms: self.timestamp_ms,
        })
    }

    /// `orders/0 "a"`, or `orders "a"` when the partitioner chooses. Long values are cut.
    pub(crate) fn label(&self) -> String {
        let place = match self.partition {
            Some(partition) => format!("{}/{partition}", self.topic),
            None => self.topic.clone(),
        };
        format!("{place} {}", self.value_label())
    }

    /// `"a"`, or the length of a long value.
    pub(crate) fn value_label(&self) -> String {
        const BYTES_SHOWN_MAX: usize = 16;
        match &self.value {
            None => "null".to_owned(),
            Some(value) if value.len() <= BYTES_SHOWN_MAX => {
                format!("\"{}\"", String::from_utf8_lossy(value))
            }
            Some(value) => format!("({} bytes)", value.len()),
        }
    }
}

/// Where a record is in its life.
#[derive(Clone, Debug)]
pub enum RecordState {
    /// The call waits for memory or metadata.
    Waiting(WaiterId),
    /// Not accepted.
    Rejected(SendError),
    /// Not accepted: the application gave up the call.
    Cancelled,
    /// In a batch.
    Accepted(Ticket),
    /// Written, at this offset of this partition; −1 is unknown.
    Acked {
        /// The partition.
        partition: i32,
        /// The offset.
        offset: i64,
    },
    /// Certainly not written.
    NotPersisted(DeliveryError),
    /// Perhaps written.
    MaybePersisted(DeliveryError),
}

/// One record's life.
#[derive(Debug)]
struct Entry {
    record: OwnedRecord,
    state: RecordState,
    /// When the application called.
    called_at: Instant,
    /// When the core accepted it, and as which one; meaningless before.
    accepted_at: Instant,
    accepted_as: u64,
    /// What the core gave for it.
    ticket: Option<Ticket>,
    /// Its batch was sent again.
    was_retried: bool,
}

/// Every record of one run.
#[derive(Debug, Default)]
pub struct Journal {
    records: Vec<Entry>,
    /// How many records the core has accepted.
    accepted_count: u64,
    /// Invariant: exactly the records that are `Accepted`.
    by_ticket: BTreeMap<(BatchId, u32), RecordId>,
    /// Invariant: exactly the records that are `Waiting`.
    by_waiter: BTreeMap<WaiterId, RecordId>,
}

impl Journal {
    /// Every record with its state, in the order of the calls.
    pub fn records(&self) -> impl Iterator<Item = (RecordId, &OwnedRecord, &RecordState)> {
        let numbered = self.records.iter().enumerate();
        numbered.map(|(index, entry)| (RecordId(index), &entry.record, &entry.state))
    }

    /// One record.
    #[must_use]
    pub fn record(&self, id: RecordId) -> &OwnedRecord {
        &self.records[id.0].record
    }

    /// What became of one record.
    #[must_use]
    pub fn state(&self, id: RecordId) -> &RecordState {
        &self.records[id.0].state
    }

    /// When the application called.
    #[must_use]
    pub fn called_at(&self, id: RecordId) -> Instant {
        self.records[id.0].called_at
    }

    /// When the core accepted the record.
    #[must_use]
    pub fn accepted_at(&self, id: RecordId) -> Instant {
        self.records[id.0].accepted_at
    }

    /// Which of all accepted records it was, counted from 0: the order that matters for the log.
    #[must_use]
    pub fn accepted_as(&self, id: RecordId) -> u64 {
        self.records[id.0].accepted_as
    }

    /// Those that were accepted, and have not ended.
    pub(crate) fn under_way(&self) -> impl Iterator<Item = RecordId> + '_ {
        self.by_ticket.values().copied()
    }

    /// What the core gave for a record, if it was accepted.
    pub(crate) fn ticket(&self, id: RecordId) -> Option<Ticket> {
        self.records[id.0].ticket
    }

    /// The record that so many were accepted after, of those that have not ended.
    pub(crate) fn accepted_before(&self, nth: usize) -> Option<RecordId> {
        let accepted = self.by_ticket.values();
        let mut ids: Vec<RecordId> = accepted.copied().collect();
        ids.sort_by_key(|id| core::cmp::Reverse(self.accepted_as(*id)));
        ids.get(nth).copied()
    }

    /// Whether the record's batch was sent again.
    pub(crate) fn was_retried(&self, id: RecordId) -> bool {
        self.records[id.0].was_retried
    }

    /// A batch will be sent again.
    pub(crate) fn retried(&mut self, batch: BatchId) {
        for (_, id) in self.by_ticket.range((batch, 0)..=(batch, u32::MAX)) {
            self.records[id.0].was_retried = true;
        }
    }

    /// How many records the core has accepted.
    pub(crate) const fn accepted_count(&self) -> u64 {
        self.accepted_count
    }

    /// The record of a ticket that has not ended.
    pub(crate) fn with_ticket(&self, batch: BatchId, index: u32) -> Option<RecordId> {
        self.by_ticket.get(&(batch, index)).copied()
    }

    /// The record that waits as this.
    pub(crate) fn waiting_as(&self, waiter: WaiterId) -> Option<RecordId> {
        self.by_waiter.get(&waiter).copied()
    }

    /// How many calls wait.
    pub(crate) fn waiting_count(&self) -> usize {
        self.by_waiter.len()
    }

    /// How many records have neither ended nor been rejected.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.by_ticket.len() + self.by_waiter.len()
    }

    /// Notes a call and its result.
    pub(crate) fn sent(
        &mut self,
        now: Instant,
        record: OwnedRecord,
        result: Result<Ticket, SendError>,
    ) -> RecordId {
        let id = RecordId(self.records.len());
        let state = RecordState::Rejected(SendError::Closed);
        self.records.push(Entry {
            record,
            state,
            called_at: now,
            accepted_at: now,
            accepted_as: 0,
            ticket: None,
            was_retried: false,
        });
        self.answered(now, id, result);
        id
    }

    /// Notes the answer of the core to a call, or to a waiter's next try.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        id: RecordId,
        result: Result<Ticket, SendError>,
    ) {
        self.records[id.0].accepted_at = now;
        self.records[id.0].state = match result {
            Ok(ticket) => {
                self.records[id.0].accepted_as = self.accepted_count;
                self.accepted_count += 1;
                self.records[id.0].ticket = Some(ticket);
                let earlier = self.by_ticket.insert((ticket.batch, ticket.index), id);
                assert!(
                    earlier.is_none(),
                    "S1: two records have the ticket {ticket:?}"
                );
                RecordState::Accepted(ticket)
            }
            Err(SendError::WouldBlock(waiter)) => {
                self.by_waiter.insert(waiter, id);
                RecordState::Waiting(waiter)
            }
            Err(error) => RecordState::Rejected(error),
        };
    }

    /// The application gives up the call that has waited longest; `None`: none waits.
    pub(crate) fn cancel_oldest(&mut self) -> Option<(WaiterId, RecordId)> {
        let (waiter, id) = self.by_waiter.pop_first()?;
        self.records[id.0].state = RecordState::Cancelled;
        Some((waiter, id))
    }

    /// A waiter's turn, or its end. `None`: it was not a record that waited.
    pub(crate) fn take_waiter(&mut self, waiter: WaiterId) -> Option<RecordId> {
        self.by_waiter.remove(&waiter)
    }

    /// Notes the end of a range of records; they are returned in order.
    pub(crate) fn delivered(&mut self, delivery: &Delivery) -> Vec<RecordId> {
        let range = delivery.first..delivery.first + delivery.count;
        let mut ended = Vec::new();
        for index in range {
            let id = self
                .by_ticket
                .remove(&(delivery.batch, index))
                .unwrap_or_else(|| {
                    panic!(
                        "S1: record {index} of {:?} ended twice or never began",
                        delivery.batch
                    )
                });
            let nth = i64::from(index - delivery.first);
            self.records[id.0].state = match &delivery.outcome {
                Outcome::Acked {
                    base_offset: -1, ..
                } => RecordState::Acked {
                    partition: delivery.partition,
                    offset: -1,
                },
                Outcome::Acked { base_offset, .. } => RecordState::Acked {
                    partition: delivery.partition,
                    offset: base_offset + nth,
                },
                Outcome::NotPersisted(error) => RecordState::NotPersisted(error.clone()),
                Outcome::MaybePersisted(error) => RecordState::MaybePersisted(error.clone()),
            };
            ended.push(id);
        }
        ended
    }
}
