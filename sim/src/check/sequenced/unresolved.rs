//! I3: while nobody knows whether a batch is in the log, and it is not tried any more, nothing new
//! follows it. And the oldest goes first.

use core::time::Duration;

use titorelli::Instant;

use super::row::{Batch, Key, Row, Stamped};

/// No seal takes so long: what was drafted before a batch was given up has left by then.
const DRAFTS_LEAVE_WITHIN: Duration = Duration::from_millis(20);

/// A batch is handed out beside these that has not left before.
///
/// # Panics
/// Something before it is unresolved, and not under way; or it is given up, and a number before
/// this one is missing.
pub(super) fn check_new(row: &Row, now: Instant, next: &Stamped, beside: &[Key]) {
    for (_, open) in row.open() {
        let is_present = open.stamp.identity == next.identity;
        let before = open.stamp.base_sequence;
        if !is_present {
            continue;
        }
        assert!(
            !open.is_unresolved() || beside.contains(&open.stamp.key()),
            "I3: {} is sent, and nobody knows what became of {before}",
            next.base_sequence
        );
        let is_late = |given_up_at: Instant| now >= given_up_at + DRAFTS_LEAVE_WITHIN;
        assert!(
            !open.given_up_at.is_some_and(is_late),
            "I3: {} is sent, and {before} was given up",
            next.base_sequence
        );
    }
}

/// A batch is handed out beside these.
///
/// # Panics
/// An older one waits.
pub(super) fn check_turn(row: &Row, next: &Stamped, beside: &[Key]) {
    // One that a later one's acknowledgement proved to be there may still ask for its offset.
    let own = row.find(next.identity, next.base_sequence);
    let limit = own.unwrap_or(usize::MAX);
    // Parts of what was too large are as old as that was: what comes behind it is not judged.
    let is_older = |(index, open): &(usize, &Batch)| {
        *index < limit && open.stamp.content != next.content && !open.is_divided()
    };
    for (_, open) in row.open().take_while(is_older) {
        let is_under_way = beside.contains(&open.stamp.key());
        assert!(
            is_under_way || open.given_up_at.is_some(),
            "I7: {} is sent before {:?} {}, which is older",
            next.base_sequence,
            open.stamp.identity,
            open.stamp.base_sequence
        );
    }
}
