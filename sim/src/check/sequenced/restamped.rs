//! I5: what may be in the log is not sent again in another name.
//!
//! What comes behind a number that is known to be absent, and will not be sent under it again, is
//! not there: a broker takes no number out of turn. One that has forgotten the producer does, and
//! I6 says what that excuses.

use super::row::{Row, Stamped};

/// A batch is handed out that has not left before under its number.
///
/// # Panics
/// The same records may be in the log under another.
pub(super) fn check(row: &Row, next: &Stamped) {
    for (index, open) in row.open() {
        let is_it = open.stamp.content == next.content && open.stamp.identity != next.identity;
        if row.is_behind_hole(index) {
            continue;
        }
        assert!(
            !(is_it && (open.is_unresolved() || open.under_way > 0)),
            "I5: {:?} {} is sent as {:?} {}, and may be in the log",
            open.stamp.identity,
            open.stamp.base_sequence,
            next.identity,
            next.base_sequence
        );
    }
}
