//! I8: a number that a broker does not take is not sent for ever.

use super::row::{Batch, Row, Stamped};
use crate::codec::error_code::{
    INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_PRODUCER_ID,
};

/// So often may a batch be refused for its number, whatever is before it.
const GAPS_MAX: u32 = 64;

/// What a refusal for the sequence number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// All before it are written, and its own fate is known: the number is wrong.
    AtHead,
    /// It has to wait for what is before it.
    Behind,
    /// It was refused for something else.
    None,
}

/// A batch was answered so; `index` is its place.
pub(super) fn judge(row: &Row, index: usize, error_code: i16) -> Gap {
    let gaps = [
        OUT_OF_ORDER_SEQUENCE_NUMBER,
        UNKNOWN_PRODUCER_ID,
        INVALID_PRODUCER_EPOCH,
    ];
    if !gaps.contains(&error_code) {
        return Gap::None;
    }
    if row.open_before(index).next().is_some() {
        Gap::Behind
    } else {
        Gap::AtHead
    }
}

/// A batch is handed out that left before.
///
/// # Panics
/// Its number was refused with nothing before it, or too often.
pub(super) fn check(known: &Batch, next: &Stamped) {
    let (identity, number) = (next.identity, next.base_sequence);
    assert!(
        !known.is_refused_at_head,
        "I8: {identity:?} {number} was refused at the head of its line, and is sent again"
    );
    assert!(
        known.gap_count < GAPS_MAX,
        "I8: {identity:?} {number} was refused {} times",
        known.gap_count
    );
}
