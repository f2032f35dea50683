//! The driver's clocks: the only place that knows what time it is.

use std::time::{Duration, Instant};

/// Monotonic time since the producer was built, as the core counts it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    epoch: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            epoch: Instant::now(),
        }
    }

    #[inline]
    pub(crate) fn now(self) -> titorelli::Instant {
        let passed = self.epoch.elapsed();
        // 584,000 years fit.
        let micros = passed.as_secs() * 1_000_000 + u64::from(passed.subsec_micros());
        titorelli::Instant::from_micros(micros)
    }

    /// How long from now until `at`; zero when it is past. Rounded up to the millisecond that
    /// the poller counts in, so that a wake-up is never early (invariant L6).
    pub(crate) fn until(self, at: titorelli::Instant) -> Duration {
        let span = at.since(self.now());
        Duration::from_millis(u64::try_from(span.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX))
    }
}

/// When so much time will have passed; `None` is never: no clock goes that far.
pub(crate) fn deadline(span: Duration) -> Option<Instant> {
    Instant::now().checked_add(span)
}

/// Unix time in milliseconds, as of the last tick of the kernel: up to 4 ms old, and ten times
/// cheaper to read than the exact one. It is read for every record.
#[cfg(target_os = "linux")]
#[inline]
pub(crate) fn coarse_unix_time_ms() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn coarse_unix_time_ms() -> i64 {
    use std::time::SystemTime;
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
