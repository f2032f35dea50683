//! I2: a number means one batch, to the byte.

use super::row::{Batch, Stamped};
use crate::codec::error_code::{MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE};

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
    let was_refused = [MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE].contains(&known.refusal)
        && known.lost + known.under_way == 0;
    assert!(
        was_refused && next.record_count < stamp.record_count,
        "I2: {:?} {} was {} records, and is {} others now",
        next.identity,
        next.base_sequence,
        stamp.record_count,
        next.record_count
    );
    Again::Part
}
