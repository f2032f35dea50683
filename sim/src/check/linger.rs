//! L13 and S9: a batch leaves when it is full, has lingered, or somebody presses, and holds no more
//! than `batch_size`.
//!
//! A batch closes when the request that takes it is drafted, and is sealed then: that is the moment
//! that is looked at.

use core::time::Duration;

use titorelli::{Config, Instant, SealJob};

use crate::journal::{Journal, OwnedRecord};

/// What comes before the records of a batch.
const HEADER_BYTES: usize = 61;
/// What a record needs besides its parts, in any format, and each header besides its own.
const RECORD_OVERHEAD_BYTES: usize = 40;
const FIELD_OVERHEAD_BYTES: usize = 10;

/// Watches when batches leave.
#[derive(Debug)]
pub(crate) struct Linger {
    span: Duration,
    /// The most that the records of a batch may need, as they are encoded.
    body_bytes_max: usize,
    /// The most that any record needed so far.
    record_bytes_max: usize,
    /// When somebody last flushed, closed, or waited.
    pressed_at: Instant,
    /// Brokers of several releases: another format ends the batches that are open.
    has_formats: bool,
}

impl Linger {
    pub(crate) fn new(config: &Config, has_formats: bool) -> Self {
        let batch_bytes_max = config.batch_size.min(config.max_request_size);
        Self {
            span: config.linger,
            body_bytes_max: batch_bytes_max.saturating_sub(HEADER_BYTES),
            record_bytes_max: 0,
            pressed_at: Instant::ZERO,
            has_formats,
        }
    }

    /// A record is offered.
    pub(crate) fn on_record(&mut self, record: &OwnedRecord) {
        let field = |field: &Option<Vec<u8>>| field.as_ref().map_or(0, Vec::len);
        let header = |(name, value): &(String, _)| FIELD_OVERHEAD_BYTES + name.len() + field(value);
        let headers: usize = record.headers.iter().map(header).sum();
        let bytes = RECORD_OVERHEAD_BYTES + field(&record.key) + field(&record.value) + headers;
        self.record_bytes_max = self.record_bytes_max.max(bytes);
    }

    /// Brokers become others, and another format ends the batches that are open.
    pub(crate) fn on_upgrade(&mut self) {
        self.has_formats = true;
    }

    /// Whatever is open may leave: a flush, close, or a call that waits for memory.
    pub(crate) fn on_press(&mut self, now: Instant) {
        self.pressed_at = now;
    }

    /// A batch was drafted.
    ///
    /// # Panics
    /// Too early, or it is too large.
    pub(crate) fn on_sealing(&self, now: Instant, job: &SealJob, journal: &Journal) {
        let Some(first) = journal.with_ticket(job.batch(), 0) else {
            return;
        };
        let is_single = journal.with_ticket(job.batch(), 1).is_none();
        let bytes = job.raw_bytes();
        assert!(
            is_single || bytes <= self.body_bytes_max,
            "S9: a batch of {bytes} bytes, {} are allowed",
            self.body_bytes_max
        );
        let opened_at = journal.accepted_at(first);
        let may_leave = now >= opened_at + self.span
            || self.pressed_at >= opened_at
            || bytes + self.record_bytes_max > self.body_bytes_max
            || self.has_formats;
        assert!(
            may_leave,
            "L13: {first:?} opened a batch at {opened_at}, and it does not linger"
        );
    }
}
