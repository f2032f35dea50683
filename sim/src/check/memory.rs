//! S8 from outside: memory is held by what is open and by nothing else, and batches take the slots
//! of those that have ended.

use titorelli::{BatchId, Codec, Config};

use crate::journal::OwnedRecord;

/// Counts what is open.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Without compression a record needs its own size at least.
    is_plain: bool,
    /// Keys and values of the records that are open.
    content_bytes: usize,
    batches: u32,
    batches_max: u32,
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
            batches: 0,
            batches_max: 0,
        }
    }

    /// A record joined a batch, or opened it.
    ///
    /// # Panics
    /// The batch has a slot although one is vacant.
    pub(crate) fn on_accepted(&mut self, batch: BatchId, is_first: bool, record: &OwnedRecord) {
        self.content_bytes += content_bytes(record);
        if is_first {
            self.batches += 1;
            self.batches_max = self.batches_max.max(self.batches);
            assert!(
                batch.slot < self.batches_max,
                "S8: {batch:?}, and there were never more than {} batches",
                self.batches_max
            );
        }
    }

    pub(crate) fn on_batch_ended(&mut self) {
        self.batches -= 1;
    }

    pub(crate) fn on_record_ended(&mut self, record: &OwnedRecord) {
        self.content_bytes -= content_bytes(record);
    }

    /// Everything that the core had to say was heard.
    ///
    /// # Panics
    /// It holds more than what is open, or less.
    pub(crate) fn check(&self, buffered_bytes: usize, waiting_count: usize) {
        if self.batches == 0 && waiting_count == 0 {
            assert_eq!(buffered_bytes, 0, "S8: nothing is open, and memory is held");
        }
        assert!(
            !self.is_plain || buffered_bytes >= self.content_bytes,
            "S8: {buffered_bytes} bytes are held for {} of content",
            self.content_bytes
        );
    }
}
