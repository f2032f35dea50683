//! The core's own time: a number of microseconds, given by the caller.
//!
//! Owns: [`Instant`]. Never: a clock. All arithmetic saturates (invariant S17).

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// A point in time, in microseconds since an epoch of the caller's choice.
///
/// The core only compares and adds; it never asks what time it is. [`Instant::FAR`] means "never".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The epoch: before or at every other instant.
    pub const ZERO: Self = Self(0);
    /// After every other instant: a deadline that never comes.
    pub const FAR: Self = Self(u64::MAX);

    /// The instant `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// The instant `millis` milliseconds after the epoch; saturates.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates at [`Instant::FAR`]. Parts of a microsecond round up, so that a deadline is
    /// never early and never lies in the past by rounding (invariant L6).
    fn add(self, span: Duration) -> Self {
        // Not by `as_nanos`: a division of 128 bits, and every deadline is such a sum.
        let whole = span.as_secs().saturating_mul(1_000_000);
        let part = u64::from(span.subsec_nanos().div_ceil(1_000));
        Self(self.0.saturating_add(whole).saturating_add(part))
    }
}

impl fmt::Display for Instant {
    /// Milliseconds with three decimals: `102.000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::FAR {
            return f.write_str("never");
        }
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addition_saturates_and_rounds_up() {
        assert_eq!(Instant::ZERO + Duration::MAX, Instant::FAR);
        assert_eq!(Instant::FAR + Duration::from_secs(1), Instant::FAR);
        assert_eq!((Instant::ZERO + Duration::from_nanos(1)).as_micros(), 1);
        assert_eq!((Instant::ZERO + Duration::from_micros(1)).as_micros(), 1);
    }

    #[test]
    fn a_later_instant_is_not_before_an_earlier_one() {
        let (early, late) = (Instant::from_millis(1), Instant::from_millis(3));
        assert_eq!(late.since(early), Duration::from_millis(2));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(late.to_string(), "3.000");
    }
}
