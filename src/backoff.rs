//! Exponential backoff with jitter and a cap (KIP-580).

use crate::random::below;
use core::time::Duration;
use rand_chacha::ChaCha8Rng;

/// The second failure in a row is followed by a pause, whatever the configuration says: it would
/// be a busy loop else (L6).
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// How long to wait between tries: `base × 2ⁿ`, at most `max`, with jitter to both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) base: Duration,
    pub(crate) max: Duration,
    /// At most 100.
    pub(crate) jitter_percent: u8,
}

impl Backoff {
    /// The pause after the `failures`-th failure in a row, from 1.
    pub(crate) fn pause(self, failures: u32, rng: &mut ChaCha8Rng) -> Duration {
        let pause = self.span(failures);
        let percent = below(rng, 2 * usize::from(self.jitter_percent) + 1);
        let percent = u32::try_from(percent).expect("at most 200") + 100;
        let percent = percent - u32::from(self.jitter_percent);
        // Capped after the jitter too: the maximum is a promise.
        let pause = (pause / 100).saturating_mul(percent).min(self.max);
        let least = if failures > 1 {
            PAUSE_MIN
        } else {
            Duration::ZERO
        };
        pause.max(least)
    }

    /// The same without jitter.
    pub(crate) fn span(self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(30);
        self.base.saturating_mul(1 << doublings).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn pauses_double_within_the_jitter_up_to_the_cap() {
        let mut rng = ChaCha8Rng::from_seed([7; 32]);
        let (base, max) = (Duration::from_millis(100), Duration::from_secs(1));
        let backoff = Backoff {
            base,
            max,
            jitter_percent: 20,
        };
        for (failures, millis) in [(1, 100), (2, 200), (3, 400), (4, 800)] {
            let pause = backoff.pause(failures, &mut rng).as_micros();
            assert!(
                (millis * 800..=millis * 1_200).contains(&pause),
                "{failures}: {pause}"
            );
        }
        for failures in [5, 31, 32, u32::MAX] {
            let pause = backoff.pause(failures, &mut rng);
            assert!(
                pause <= max && pause >= max.mul_f64(0.79),
                "{failures}: {pause:?}"
            );
        }
    }

    #[test]
    fn extremes_neither_overflow_nor_exceed_the_cap() {
        let mut rng = ChaCha8Rng::from_seed([7; 32]);
        let never = Backoff {
            base: Duration::ZERO,
            max: Duration::ZERO,
            jitter_percent: 20,
        };
        assert_eq!(never.pause(1, &mut rng), Duration::ZERO);
        assert_eq!(never.pause(2, &mut rng), PAUSE_MIN);
        let long = Backoff {
            base: Duration::MAX,
            max: Duration::MAX,
            jitter_percent: 100,
        };
        for _ in 0..100 {
            let _ = long.pause(u32::MAX, &mut rng);
        }
        let exact = Backoff {
            base: Duration::from_millis(100),
            max: Duration::from_millis(300),
            jitter_percent: 0,
        };
        let pauses = [1, 2, 3, 9].map(|failures| exact.pause(failures, &mut rng).as_millis());
        assert_eq!(pauses, [100, 200, 300, 300]);
    }
}
