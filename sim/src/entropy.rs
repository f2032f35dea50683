//! Draws from a seeded generator.

use core::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use titorelli::Instant;

use crate::network::Span;

/// A seeded source of choices: the same seed makes the same ones, on any platform.
#[derive(Debug)]
pub(crate) struct Entropy {
    rng: ChaCha8Rng,
}

impl Entropy {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "nothing to choose from");
        let product = u128::from(self.rng.next_u64()) * u128::from(bound);
        u64::try_from(product >> 64).expect("less than the bound")
    }

    /// A number from `least` to `most`, both included.
    pub(crate) fn within(&mut self, least: u64, most: u64) -> u64 {
        assert!(least <= most, "a range is not empty");
        least + self.below(most - least + 1)
    }

    /// An index into `count` things.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        let bound = u64::try_from(count).expect("a usize fits");
        usize::try_from(self.below(bound)).expect("below a usize")
    }

    /// A size from 1 to `most`.
    pub(crate) fn size_up_to(&mut self, most: usize) -> usize {
        self.index(most.max(1)) + 1
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// True in `percent` of a hundred cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A duration within the span.
    pub(crate) fn span(&mut self, span: Span) -> Duration {
        let micros = |duration| (Instant::ZERO + duration).as_micros();
        match micros(span.max.saturating_sub(span.min)) {
            0 => span.min,
            width => span.min + Duration::from_micros(self.within(0, width)),
        }
    }
}
