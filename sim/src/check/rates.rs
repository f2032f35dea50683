//! L9 and B5: questions about the cluster are a backoff apart, unless somebody new waits for a
//! topic.

use core::time::Duration;

use titorelli::{Config, ConnId, Instant};

use super::pause::Pause;
use crate::codec::ApiKey;

/// Watches the Metadata requests.
#[derive(Debug)]
pub(crate) struct Rates {
    least: Duration,
    asked_at: Option<Instant>,
    /// So many requests are wanted by calls that began to wait since.
    wanted: u8,
}

impl Rates {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            least: Pause::of_retries(config).least(1),
            asked_at: None,
            wanted: 0,
        }
    }

    /// A call waits, perhaps for a topic. `is_late`: a request that was drafted before may not have
    /// been handed out yet, and is not for this call.
    pub(crate) fn on_wait(&mut self, is_late: bool) {
        self.wanted = if is_late { 2 } else { self.wanted.max(1) };
    }

    /// A request goes out.
    ///
    /// # Panics
    /// It is one too many.
    pub(crate) fn on_request(&mut self, now: Instant, conn: ConnId, frame: &[u8]) {
        let api_key = frame.first_chunk::<2>().map(|key| i16::from_be_bytes(*key));
        if api_key.and_then(ApiKey::from_wire) != Some(ApiKey::Metadata) {
            return;
        }
        if let Some(asked_at) = self.asked_at {
            let earliest = asked_at + self.least;
            assert!(
                self.wanted > 0 || now >= earliest,
                "L9: {conn:?} is asked at {now}, before {earliest}, and nobody waits"
            );
        }
        self.asked_at = Some(now);
        self.wanted = self.wanted.saturating_sub(1);
    }
}
