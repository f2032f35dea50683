//! S8 from outside: memory is held by what is open and by nothing else, and batches take the slots
//! of those that have ended.

use std::collections::BTreeMap;

use titorelli::{BatchId, Codec, Config, Delivery, Instant, Ticket};

use crate::journal::OwnedRecord;

/// Counts what is open.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Without compression a record needs its own size at least.
    is_plain: bool,
    /// Keys and values of the records that are open.
    content_bytes: usize,
    batches: BTreeMap<BatchId, OpenBatch>,
    batches_max: usize,
    /// A batch was divided: its parts have slots, too.
    has_parts: bool,
}

/// A batch with tickets that are not completed.
#[derive(Debug)]
struct OpenBatch {
    opened_at: Instant,
    /// How many tickets.
    records: u32,
}

/// Keys and values.
fn content_bytes(record: &OwnedRecord) -> usize {
    let field = |field: &Option<Vec<u8>>| field.as_ref().map_or(0, Vec::len);
    field(&record.key) + field(&record.value)
}

impl Memory {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            is_plain: config.compression == Codec::None,
            content_bytes: 0,
            batches: BTreeMap::new(),
            batches_max: 0,
            has_parts: false,
        }
    }

    /// A record joined a batch, or opened it.
    ///
    /// # Panics
    /// The batch has a slot although one is vacant.
    pub(crate) fn on_accepted(&mut self, now: Instant, ticket: Ticket, record: &OwnedRecord) {
        let batch = ticket.batch;
        self.content_bytes += content_bytes(record);
        let open = self.batches.entry(batch).or_insert(OpenBatch {
            opened_at: now,
            records: 0,
        });
        open.records += 1;
        if ticket.index == 0 {
            self.batches_max = self.batches_max.max(self.batches.len());
            let slot = usize::try_from(batch.slot).expect("a table fits memory");
            assert!(
                self.has_parts || slot < self.batches_max,
                "S8: {batch:?}, and there were never more than {} batches",
                self.batches_max
            );
        }
    }

    /// A batch came to be that no record was sent into.
    pub(crate) fn on_part(&mut self) {
        self.has_parts = true;
    }

    /// Tickets are completed. When their batch was opened.
    pub(crate) fn on_delivered(&mut self, delivery: &Delivery) -> Option<Instant> {
        let open = self.batches.get_mut(&delivery.batch)?;
        let opened_at = open.opened_at;
        open.records = open.records.saturating_sub(delivery.count);
        if open.records == 0 {
            self.batches.remove(&delivery.batch);
        }
        Some(opened_at)
    }

    pub(crate) fn on_record_ended(&mut self, record: &OwnedRecord) {
        self.content_bytes -= content_bytes(record);
    }

    /// Everything that the core had to say was heard.
    ///
    /// # Panics
    /// It holds more than what is open, or less.
    pub(crate) fn check(&self, buffered_bytes: usize, waiting_count: usize) {
        if self.batches.is_empty() && waiting_count == 0 {
            assert_eq!(buffered_bytes, 0, "S8: nothing is open, and memory is held");
        }
        assert!(
            !self.is_plain || buffered_bytes >= self.content_bytes,
            "S8: {buffered_bytes} bytes are held for {} of content",
            self.content_bytes
        );
    }
}
