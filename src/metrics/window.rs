//! What was measured lately: a ring of samples, as Java's `SampledStat`.

use crate::time::Instant;
use core::time::Duration;
use std::collections::VecDeque;

/// How far back samples reach: so many of such a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub(crate) sample: Duration,
    pub(crate) samples: usize,
}

#[derive(Debug)]
struct Sample {
    begun_at: Instant,
    count: u64,
    sum: u64,
    max: u64,
}

/// The measurements of the last samples.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Oldest first. Invariant: at most `Reach::samples`.
    samples: VecDeque<Sample>,
}

/// What a window holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Recent {
    pub(crate) count: u64,
    pub(crate) sum: u64,
    pub(crate) max: u64,
    /// The span that rates count by: the samples begun so far, and never less than all but one.
    pub(crate) span: Duration,
}

impl Window {
    /// Adds a measurement.
    pub(crate) fn record(&mut self, reach: Reach, now: Instant, value: u64) {
        let is_over = |sample: &Sample| now.since(sample.begun_at) >= reach.sample;
        if self.samples.back().is_none_or(is_over) {
            if self.samples.len() == reach.samples {
                self.samples.pop_front();
            }
            self.samples.push_back(Sample {
                begun_at: now,
                count: 0,
                sum: 0,
                max: 0,
            });
        }
        let sample = self.samples.back_mut().expect("pushed if there was none");
        sample.count += 1;
        sample.sum = sample.sum.saturating_add(value);
        sample.max = sample.max.max(value);
    }

    /// What is not too old.
    pub(crate) fn recent(&self, reach: Reach, now: Instant) -> Recent {
        let samples = u32::try_from(reach.samples).unwrap_or(u32::MAX);
        let oldest = reach.sample.saturating_mul(samples);
        let is_recent = |sample: &&Sample| now.since(sample.begun_at) < oldest;
        let mut recent = Recent::default();
        for sample in self.samples.iter().filter(is_recent) {
            recent.span = recent.span.max(now.since(sample.begun_at));
            recent.count += sample.count;
            recent.sum = recent.sum.saturating_add(sample.sum);
            recent.max = recent.max.max(sample.max);
        }
        // A rate over the first moments would be absurd (Java `Rate.windowSize`).
        let least = reach
            .sample
            .saturating_mul(samples.saturating_sub(1).max(1));
        recent.span = recent.span.max(least);
        recent
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are read by people, who need no 53 bits"
)]
impl Recent {
    /// Measurements per second.
    pub(crate) fn count_rate(self) -> f64 {
        self.count as f64 / self.span.as_secs_f64()
    }

    /// The sum of the measurements, per second.
    pub(crate) fn rate(self) -> f64 {
        self.sum as f64 / self.span.as_secs_f64()
    }

    /// The mean; not a number while there is none, as Java has it.
    pub(crate) fn average(self) -> f64 {
        if self.count == 0 {
            return f64::NAN;
        }
        self.sum as f64 / self.count as f64
    }

    /// The greatest; not a number while there is none.
    pub(crate) fn maximum(self) -> f64 {
        if self.count == 0 {
            return f64::NAN;
        }
        self.max as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REACH: Reach = Reach {
        sample: Duration::from_secs(30),
        samples: 2,
    };

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    #[track_caller]
    fn check(window: &Window, now: u64, rate: f64, average: f64, maximum: f64) {
        let recent = window.recent(REACH, at(now));
        let found = (recent.rate(), recent.average(), recent.maximum());
        assert!((found.0 - rate).abs() < 1e-9, "{found:?}");
        assert!((found.1 - average).abs() < 1e-9, "{found:?}");
        assert!((found.2 - maximum).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn what_is_old_is_forgotten_sample_by_sample() {
        let mut window = Window::default();
        for (second, value) in [(0, 600), (10, 300), (30, 60), (59, 30)] {
            window.record(REACH, at(second), value);
        }
        check(&window, 10, 990.0 / 30.0, 247.5, 600.0);
        check(&window, 59, 990.0 / 59.0, 247.5, 600.0);
        // The first sample was begun 60 s ago.
        check(&window, 60, 90.0 / 30.0, 45.0, 60.0);
        check(&window, 89, 90.0 / 59.0, 45.0, 60.0);
        let recent = window.recent(REACH, at(90));
        assert!(recent.average().is_nan() && recent.rate().abs() < 1e-9);
    }

    #[test]
    fn the_first_moments_do_not_count_as_a_whole_rate() {
        let mut window = Window::default();
        window.record(REACH, at(0), 3_000);
        check(&window, 0, 100.0, 3_000.0, 3_000.0);
    }

    #[test]
    fn the_ring_is_bounded() {
        let mut window = Window::default();
        for second in 0..10_000 {
            window.record(REACH, at(second), 1);
            assert!(window.samples.len() <= 2);
        }
    }
}
