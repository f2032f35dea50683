//! Bytes out: how far the stream of one connection got.
//!
//! Owns: three positions in the stream. Invariant: `sent ≤ handed ≤ emitted`. "No byte ever left"
//! and "fully written" are questions to these positions (invariants S2, S12).

/// Positions in the stream of bytes of one connection, counted from its beginning.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// What the core has queued.
    emitted: u64,
    /// What the driver has fetched.
    handed: u64,
    /// What the transport has taken over.
    sent: u64,
}

impl Progress {
    pub(crate) fn emitted(&self) -> u64 {
        self.emitted
    }

    pub(crate) fn handed(&self) -> u64 {
        self.handed
    }

    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    pub(crate) fn on_emitted(&mut self, bytes: usize) {
        self.emitted += bytes as u64;
    }

    pub(crate) fn on_handed(&mut self, bytes: usize) {
        self.handed += bytes as u64;
        assert!(
            self.handed <= self.emitted,
            "only what was queued is fetched"
        );
    }

    /// The driver claims that so many more bytes were taken over; more than were handed out
    /// cannot be.
    pub(crate) fn on_sent(&mut self, bytes: usize) {
        self.sent = self.sent.saturating_add(bytes as u64).min(self.handed);
    }
}
