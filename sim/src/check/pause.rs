//! How short a pause may be at least: exponential, capped, with jitter (L8).

use core::time::Duration;

use titorelli::Config;

/// From the second failure in a row on there is a pause, whatever is configured.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// The pauses after the first failure, the second, …
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pause {
    pub(crate) base: Duration,
    pub(crate) max: Duration,
    pub(crate) jitter_percent: u8,
}

impl Pause {
    /// The pauses between attempts of the same: a batch, a question.
    pub(crate) fn of_retries(config: &Config) -> Self {
        Self {
            base: config.retry_backoff,
            max: config.effective_retry_backoff_max(),
            jitter_percent: config.backoff_jitter_percent,
        }
    }

    /// The shortest pause after so many failures in a row, from 1; less than a microsecond may be
    /// missing.
    pub(crate) fn least(self, failures: u32) -> Duration {
        let doubled = (1..failures.min(30)).fold(self.base, |pause, _| pause.saturating_mul(2));
        let full = doubled.min(self.max);
        let least = full / 100 * u32::from(100 - self.jitter_percent);
        if failures > 1 {
            least.max(PAUSE_MIN)
        } else {
            least
        }
    }
}
