//! Draws from the core's one seeded generator.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// A number below `bound`, drawn evenly enough: the bias is below `bound` × 2⁻⁶⁴.
pub(crate) fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    assert!(bound > 0, "nothing to choose from");
    let product = u128::from(rng.next_u64()) * bound as u128;
    usize::try_from(product >> 64).expect("less than the bound")
}

/// A number of 31 bits (Java: `Utils.toPositive` of a random `int`).
pub(crate) fn positive(rng: &mut ChaCha8Rng) -> u32 {
    rng.next_u32() & 0x7fff_ffff
}

/// Puts a list into any order, each as likely (Fisher and Yates).
pub(crate) fn shuffle<T>(rng: &mut ChaCha8Rng, list: &mut [T]) {
    for last in (1..list.len()).rev() {
        list.swap(last, below(rng, last + 1));
    }
}
