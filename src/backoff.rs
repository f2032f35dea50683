//! Exponential backoff with jitter and a cap (KIP-580).

use crate::random::below;
use core::time::Duration;
use rand_chacha::ChaCha8Rng;

/// How long to wait between tries: `base × 2ⁿ`, at most `max`, ±20 %.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) base: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// The pause after the `failures`-th failure in a row, from 1.
    pub(crate) fn pause(self, failures: u32, rng: &mut ChaCha8Rng) -> Duration {
        const JITTER_PERCENT: u32 = 20;
        let doublings = failures.saturating_sub(1).min(30);
        let pause = self.base.saturating_mul(1 << doublings).min(self.max);
        let percent = below(rng, 2 * JITTER_PERCENT as usize + 1);
        let percent = u32::try_from(percent).expect("at most 40") + 100 - JITTER_PERCENT;
        // Capped after the jitter too: the maximum is a promise.
        (pause / 100).saturating_mul(percent).min(self.max)
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
        let backoff = Backoff { base, max };
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
        };
        assert_eq!(never.pause(3, &mut rng), Duration::ZERO);
        let long = Backoff {
            base: Duration::MAX,
            max: Duration::MAX,
        };
        assert!(long.pause(u32::MAX, &mut rng) > Duration::from_secs(1 << 40));
    }
}
