//! I4: one identity at a time, and it never goes back.

use super::row::{Identity, Key, Row, Stamped};

/// A batch is handed out beside others of its partition.
///
/// # Panics
/// One of them has another identity.
pub(super) fn check_beside(next: &Stamped, beside: &[Key]) {
    for (other, _) in beside {
        assert!(
            *other == next.identity,
            "I4: {} is sent beside what is under way in another name",
            next.base_sequence
        );
    }
}

/// A batch leaves for the first time.
///
/// # Panics
/// Its identity is older than the partition's, or has no epoch.
pub(super) fn check_forward(row: &Row, next: &Stamped) {
    let Identity { producer_id, epoch } = next.identity;
    assert!(epoch >= 0, "I4: {producer_id} has no epoch");
    let Some(before) = row.identity else {
        return;
    };
    assert!(
        before.producer_id != producer_id || before.epoch <= epoch,
        "I4: {before:?} was there before {:?}",
        next.identity
    );
    let is_back = before != next.identity && row.find(next.identity, 0).is_some();
    assert!(!is_back, "I4: {:?} is back", next.identity);
}
