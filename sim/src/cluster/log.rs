//! What a partition holds.
//!
//! Owns: the records of one partition, decoded. Never: a decision whether to append.
//! Invariants: offsets have no gaps; `record_count` and `digest` are kept at every retention.

use bytes::Bytes;
use titorelli::Instant;

use super::config::{BrokerId, LogRetention};
use crate::codec::{BatchHeader, Codec, RecordView};

/// One record header: a name and a value, which may be null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogHeader {
    /// The name.
    pub name: Bytes,
    /// The value.
    pub value: Option<Bytes>,
}

/// One record in a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogRecord {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp in milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// Its key, or null.
    pub key: Option<Bytes>,
    /// Its value, or null.
    pub value: Option<Bytes>,
    /// Its headers in order.
    pub headers: Vec<LogHeader>,
}

/// How a batch came into a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchFacts {
    /// The offset of its first record.
    pub base_offset: i64,
    /// How many records it has.
    pub record_count: i32,
    /// How they were compressed.
    pub codec: Codec,
    /// The producer id, or −1.
    pub producer_id: i64,
    /// The producer epoch, or −1.
    pub producer_epoch: i16,
    /// The sequence number of its first record, or −1.
    pub base_sequence: i32,
    /// Its greatest timestamp, in milliseconds.
    pub max_timestamp_ms: i64,
    /// Its size as sent, in bytes.
    pub size_bytes: usize,
    /// Which broker took it.
    pub broker: BrokerId,
    /// When.
    pub appended_at: Instant,
}

/// One partition's log.
#[derive(Clone, Debug)]
pub struct PartitionLog {
    retention: LogRetention,
    records: Vec<LogRecord>,
    batches: Vec<BatchFacts>,
    next_offset: i64,
    record_bytes: u64,
    batch_count: u64,
    duplicate_count: u64,
    forgotten_count: u64,
    digest: u32,
}

impl PartitionLog {
    pub(super) const fn new(retention: LogRetention) -> Self {
        Self {
            retention,
            records: Vec::new(),
            batches: Vec::new(),
            next_offset: 0,
            record_bytes: 0,
            batch_count: 0,
            duplicate_count: 0,
            forgotten_count: 0,
            digest: 0,
        }
    }

    pub(super) const fn retention(&self) -> LogRetention {
        self.retention
    }

    /// Takes away what is at this offset and after it. Only of a log that keeps its records.
    pub(super) fn truncate(&mut self, end: i64) -> Vec<LogRecord> {
        let kept = usize::try_from(end).expect("an offset");
        if kept >= self.records.len() {
            return Vec::new();
        }
        let lost = self.records.split_off(kept);
        self.batches.retain(|batch| batch.base_offset < end);
        self.batch_count = u64::try_from(self.batches.len()).expect("fits");
        self.next_offset = end;
        (self.digest, self.record_bytes) = (0, 0);
        for record in std::mem::take(&mut self.records) {
            self.count(record.key.as_deref(), record.value.as_deref());
            self.records.push(record);
        }
        lost
    }

    /// Every record in offset order; empty at [`LogRetention::Counts`].
    #[must_use]
    pub fn records(&self) -> &[LogRecord] {
        &self.records
    }

    /// Every batch in offset order; empty at [`LogRetention::Counts`].
    #[must_use]
    pub fn batches(&self) -> &[BatchFacts] {
        &self.batches
    }

    /// The offset that the next record gets.
    #[must_use]
    pub const fn next_offset(&self) -> i64 {
        self.next_offset
    }

    /// How many records were appended.
    #[must_use]
    pub const fn record_count(&self) -> u64 {
        self.next_offset.cast_unsigned()
    }

    /// How many batches were appended.
    #[must_use]
    pub const fn batch_count(&self) -> u64 {
        self.batch_count
    }

    /// How many batches were answered as duplicates and not appended.
    #[must_use]
    pub const fn duplicate_count(&self) -> u64 {
        self.duplicate_count
    }

    /// How often the partition forgot producers whose batches it has
    /// ([`Cluster::forget_producers`](super::Cluster::forget_producers)).
    #[must_use]
    pub const fn forgotten_count(&self) -> u64 {
        self.forgotten_count
    }

    pub(super) const fn note_forgotten(&mut self) {
        self.forgotten_count += 1;
    }

    /// Bytes of keys and values, uncompressed.
    #[must_use]
    pub const fn record_bytes(&self) -> u64 {
        self.record_bytes
    }

    /// A digest of all keys and values in order: [`record_digest`] folded over the records,
    /// starting at 0.
    #[must_use]
    pub const fn digest(&self) -> u32 {
        self.digest
    }

    pub(super) const fn note_duplicate(&mut self) {
        self.duplicate_count += 1;
    }

    /// Appends one record of the batch that [`Self::close_batch`] will end. `plain` is the memory
    /// that `record` borrows from.
    pub(super) fn push(&mut self, plain: &Bytes, record: &RecordView<'_>, timestamp_ms: i64) {
        self.count(record.key, record.value);
        if self.retention == LogRetention::Full {
            let share = |bytes: &[u8]| plain.slice_ref(bytes);
            let headers = record
                .headers()
                .map(|(name, value)| LogHeader {
                    name: share(name),
                    value: value.map(share),
                })
                .collect();
            self.records.push(LogRecord {
                offset: self.next_offset,
                timestamp_ms,
                key: record.key.map(share),
                value: record.value.map(share),
                headers,
            });
        }
        self.next_offset += 1;
    }

    /// Appends one record without headers, as old formats have them.
    pub(super) fn push_bare(
        &mut self,
        key: Option<Bytes>,
        value: Option<Bytes>,
        timestamp_ms: i64,
    ) {
        self.count(key.as_deref(), value.as_deref());
        if self.retention == LogRetention::Full {
            self.records.push(LogRecord {
                offset: self.next_offset,
                timestamp_ms,
                key,
                value,
                headers: Vec::new(),
            });
        }
        self.next_offset += 1;
    }

    fn count(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) {
        self.digest = record_digest(self.digest, key, value);
        let size = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        self.record_bytes += u64::try_from(size).expect("a record fits a frame");
    }

    /// Ends a batch whose records have been pushed.
    pub(super) fn close_batch(&mut self, batch: &BatchHeader, broker: BrokerId, now: Instant) {
        let base_offset = self.next_offset - i64::from(batch.record_count);
        assert!(
            base_offset >= 0,
            "as many records were pushed as the batch announces"
        );
        self.batch_count += 1;
        if self.retention == LogRetention::Full {
            self.batches.push(BatchFacts {
                base_offset,
                record_count: batch.record_count,
                codec: batch.codec().expect("an unassigned codec was refused"),
                producer_id: batch.producer_id,
                producer_epoch: batch.producer_epoch,
                base_sequence: batch.base_sequence,
                max_timestamp_ms: batch.max_timestamp_ms,
                size_bytes: batch.size_bytes,
                broker,
                appended_at: now,
            });
        }
    }
}

/// Folds one record into a digest (CRC-32C over length and bytes of key and value; −1 is the
/// length of null), so that a test can compute what [`PartitionLog::digest`] must be.
#[must_use]
pub fn record_digest(digest: u32, key: Option<&[u8]>, value: Option<&[u8]>) -> u32 {
    [key, value].into_iter().fold(digest, |digest, field| {
        let length = field.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX));
        let digest = crc32c::crc32c_append(digest, &length.to_be_bytes());
        crc32c::crc32c_append(digest, field.unwrap_or_default())
    })
}
