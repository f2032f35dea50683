//! I1: the numbers of a partition's batches have no gap, from the first byte that left of each.

use super::row::{Row, Stamped};

/// A batch leaves for the first time; `first_sequence` is where a partition may begin.
///
/// # Panics
/// Its number is not the next one.
pub(super) fn check(row: &Row, next: &Stamped, first_sequence: i32) {
    let number = next.base_sequence;
    let identity = next.identity;
    if row.identity.is_none() {
        let is_first = number == 0 || number == first_sequence;
        assert!(is_first, "I1: {identity:?} begins with {number}");
    } else if row.identity != Some(identity) {
        assert!(number == 0, "I1: {identity:?} begins with {number}");
    } else {
        let part = row.reopened.last().filter(|part| part.0 == number);
        assert!(
            part.is_some() || number == row.next_sequence,
            "I1: {number} comes after what ends before {}",
            row.next_sequence
        );
    }
}

/// A number follows another, or it was wrapped: 2³¹−1 is followed by 0.
pub(super) const fn has_wrapped(next: &Stamped) -> bool {
    next.end() < next.base_sequence
}
