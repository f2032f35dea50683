//! Time, CPU time, latencies: what a run of `titorelli perf` measures, and its line of JSON.
//!
//! `steady_*` leaves out the first fifth of the records, which has to be acknowledged before the
//! rest is sent: connecting and the first allocations are not what a long run pays for.

use nix::sys::resource::{Usage, UsageWho, getrusage};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// CPU seconds of this process so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuSeconds {
    user: f64,
    system: f64,
}

impl CpuSeconds {
    fn now() -> nix::Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF)?;
        let seconds = |time: nix::sys::time::TimeVal| {
            #[expect(clippy::cast_precision_loss, reason = "CPU seconds of one run are few")]
            let (whole, micros) = (time.tv_sec() as f64, time.tv_usec() as f64);
            whole + micros / 1e6
        };
        Ok(Self {
            user: seconds(usage.user_time()),
            system: seconds(usage.system_time()),
        })
    }

    const fn sum(self) -> f64 {
        self.user + self.system
    }
}

/// A moment of the run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    at: Instant,
    cpu: CpuSeconds,
}

impl Mark {
    /// This moment.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell the CPU time.
    pub(crate) fn now() -> nix::Result<Self> {
        Ok(Self {
            at: Instant::now(),
            cpu: CpuSeconds::now()?,
        })
    }

    /// CPU seconds of this process since then.
    ///
    /// # Errors
    ///
    /// As for [`Self::now`].
    pub(crate) fn cpu_seconds(&self) -> nix::Result<f64> {
        Ok(CpuSeconds::now()?.sum() - self.cpu.sum())
    }

    /// Wall-clock time since then.
    pub(crate) fn elapsed(&self) -> Duration {
        self.at.elapsed()
    }
}

/// What callbacks of sampled records tell, from the thread that completes them.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    completed: AtomicU64,
    errors: AtomicU64,
    latencies: Mutex<Vec<Duration>>,
}

impl Samples {
    /// Room for so many samples, so that no callback has to allocate.
    pub(crate) fn with_capacity(samples: usize) -> Arc<Self> {
        let latencies = Mutex::new(Vec::with_capacity(samples));
        Arc::new(Self {
            latencies,
            ..Self::default()
        })
    }

    /// A sampled record was completed. One that failed has no latency.
    pub(crate) fn completed(&self, latency: Duration, is_error: bool) {
        if is_error {
            self.errors.fetch_add(1, Ordering::Relaxed);
        } else {
            let latencies = self.latencies.lock();
            latencies
                .unwrap_or_else(PoisonError::into_inner)
                .push(latency);
        }
        self.completed.fetch_add(1, Ordering::Release);
    }

    /// How many were completed.
    pub(crate) fn completed_len(&self) -> u64 {
        self.completed.load(Ordering::Acquire)
    }

    /// How many of them failed.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    fn sorted(&self) -> Vec<Duration> {
        let mut all = self
            .latencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        all.sort_unstable();
        all
    }
}

/// A finished run.
pub(crate) struct Run {
    /// Right before the first send.
    pub(crate) begin: Mark,
    /// When the first fifth was acknowledged.
    pub(crate) steady: Mark,
    /// When the last record was completed.
    pub(crate) end: Mark,
    /// Records that the producer was given.
    pub(crate) records: u64,
    /// Records that were acknowledged when `steady` was.
    pub(crate) warm_up: u64,
    /// Bytes of one payload.
    pub(crate) payload_bytes: usize,
    /// Records that were not acknowledged.
    pub(crate) errors: u64,
    /// [`super::payload::Pool::crc32`].
    pub(crate) pool_crc32: u32,
}

impl Run {
    /// The line of JSON.
    #[expect(
        clippy::cast_precision_loss,
        reason = "rates and means for people to compare"
    )]
    pub(crate) fn json(&self, samples: &Samples) -> String {
        let latencies = samples.sorted();
        let seconds = |from: &Mark| (self.end.at - from.at).as_secs_f64();
        let acked = self.records.saturating_sub(self.errors);
        let (records, steady_records) = (acked as f64, acked.saturating_sub(self.warm_up) as f64);
        let wall = seconds(&self.begin);
        let user = self.end.cpu.user - self.begin.cpu.user;
        let system = self.end.cpu.system - self.begin.cpu.system;
        let steady_cpu = self.end.cpu.sum() - self.steady.cpu.sum();
        let rate = per(records, wall);
        let fields = [
            ("client", "\"titorelli\"".to_owned()),
            ("version", format!("\"{}\"", env!("CARGO_PKG_VERSION"))),
            ("records", self.records.to_string()),
            ("errors", self.errors.to_string()),
            ("wall_s", format!("{wall:.4}")),
            ("records_per_s", format!("{rate:.1}")),
            (
                "mb_per_s",
                format!("{:.3}", rate * self.payload_bytes as f64 / 1e6),
            ),
            ("user_s", format!("{user:.4}")),
            ("sys_s", format!("{system:.4}")),
            ("cpu_s", format!("{:.4}", user + system)),
            (
                "cpu_s_per_m",
                format!("{:.4}", per(user + system, records) * 1e6),
            ),
            (
                "steady_records_per_s",
                format!("{:.1}", per(steady_records, seconds(&self.steady))),
            ),
            (
                "steady_cpu_s_per_m",
                format!("{:.4}", per(steady_cpu, steady_records) * 1e6),
            ),
            ("max_rss_kb", max_rss_kb().to_string()),
            ("lat_n", latencies.len().to_string()),
            (
                "lat_p50_ms",
                format!("{:.4}", percentile_ms(&latencies, 50)),
            ),
            (
                "lat_p99_ms",
                format!("{:.4}", percentile_ms(&latencies, 99)),
            ),
            ("pool_crc32", format!("\"{:08x}\"", self.pool_crc32)),
        ];
        let fields = fields.map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", fields.join(","))
    }
}

/// The quotient; 0 where it would be no number.
fn per(value: f64, count: f64) -> f64 {
    if count > 0.0 { value / count } else { 0.0 }
}

/// The percentile of sorted latencies, in milliseconds; 0 without any.
fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let at = (sorted.len() * percent / 100).min(last);
    sorted
        .get(at)
        .map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
}

/// The most memory this process ever held, in KiB.
fn max_rss_kb() -> u64 {
    // Not from getrusage where this exists: that figure survives exec, so it may be the parent's.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    if let Some(peak) = peak.and_then(|text| text.split_whitespace().next()?.parse().ok()) {
        return peak;
    }
    let usage = getrusage(UsageWho::RUSAGE_SELF);
    usage
        .as_ref()
        .map(Usage::max_rss)
        .ok()
        .and_then(|kb| kb.try_into().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_few_samples_are_samples() {
        let sorted: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert!((percentile_ms(&sorted, 50) - 51.0).abs() < 1e-9);
        assert!((percentile_ms(&sorted, 99) - 100.0).abs() < 1e-9);
        assert!((percentile_ms(&sorted[..1], 99) - 1.0).abs() < 1e-9);
        assert!(percentile_ms(&[], 99).abs() < 1e-9);
    }
}
