//! I2: a number means one batch, to the byte.

use super::row::{Batch, Stamped};

/// What it means that a number was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It is the same batch.
    Same,
    /// It is the first part of one that was too large: every attempt of it was refused.
    Part,
}

/// A batch leaves whose number was seen before.
///
/// # Panics
/// It is another one.
pub(super) fn check(known: &Batch, next: &Stamped) -> Again {
    let stamp = &known.stamp;
    let is_same = stamp.checksum == next.checksum && stamp.record_count == next.record_count;
    if is_same {
        return Again::Same;
    }
    assert!(
        known.is_divided() && next.record_count < stamp.record_count,
        "I2: {:?} {} was {} records, and is {} others now",
        next.identity,
        next.base_sequence,
        stamp.record_count,
        next.record_count
    );
    Again::Part
}
