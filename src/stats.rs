//! Counters of what the producer did, since it was built.

use crate::boundary::Outcome;

/// Totals since the producer was built, and two gauges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Records accepted.
    pub records_accepted: u64,
    /// Records completed as written.
    pub records_acked: u64,
    /// Records completed as certainly not written.
    pub records_not_persisted: u64,
    /// Records completed without certainty.
    pub records_maybe_persisted: u64,
    /// Batches put into requests, each time they are.
    pub batches: u64,
    /// Records in those batches.
    pub batch_records: u64,
    /// Times a batch was scheduled to be sent again.
    pub retries: u64,
    /// Times a batch went on as two: a broker refused it (KIP-126), or a record was withdrawn.
    pub splits: u64,
    /// Requests of all kinds.
    pub requests: u64,
    /// Bytes of all requests.
    pub request_bytes: u64,
    /// Produce requests.
    pub produce_requests: u64,
    /// Metadata requests.
    pub metadata_requests: u64,
    /// Connections begun.
    pub connects: u64,
    /// Gauge: bytes of `buffer_memory` in use.
    pub buffered_bytes: usize,
    /// Gauge: calls that wait for metadata or memory.
    pub waiters: usize,
}

impl Stats {
    pub(crate) fn on_completed(&mut self, outcome: &Outcome, records: u64) {
        let counter = match outcome {
            Outcome::Acked { .. } => &mut self.records_acked,
            Outcome::NotPersisted(_) => &mut self.records_not_persisted,
            Outcome::MaybePersisted(_) => &mut self.records_maybe_persisted,
        };
        *counter += records;
    }
}
