//! S7c and S7e for batches with a number: how many are under way at a time, and since when.

use super::row::{Key, Row, Stamped};

/// As many batches of a producer does a broker know again.
const WINDOW_BATCHES: usize = 5;

/// A batch is handed out beside these.
///
/// # Panics
/// They are too many, or nothing was acknowledged in their name.
pub(super) fn check(row: Option<&Row>, next: &Stamped, beside: &[Key]) {
    let count = beside.len() + 1;
    assert!(
        count <= WINDOW_BATCHES,
        "S7c: {count} batches of a partition are under way"
    );
    let proven = row.and_then(|row| row.proven);
    assert!(
        count == 1 || proven == Some(next.identity),
        "S7e: {} is sent beside others, and nothing of {:?} was acknowledged",
        next.base_sequence,
        next.identity
    );
}
