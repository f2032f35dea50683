//! Whom answers to Produce hint at (KIP-951): what is believed of it, and what is not.
//!
//! A leader that the core believes in right after such an answer, without metadata in between, can
//! come from nowhere else.

use std::collections::BTreeMap;

use super::sequenced::Named;
use crate::codec::LeaderHint;

/// The hints since metadata was last told.
#[derive(Debug, Default)]
pub(crate) struct Hints {
    by_place: BTreeMap<Named, LeaderHint>,
}

impl Hints {
    /// An answer to Produce hints at a partition's leader.
    pub(crate) fn on_hint(&mut self, place: Named, hint: LeaderHint) {
        self.by_place.insert(place, hint);
    }

    /// Metadata is told: what comes to be believed may come from there.
    pub(crate) fn on_metadata(&mut self) {
        self.by_place.clear();
    }

    /// The core believes in a leader; whether it was hinted at.
    pub(crate) fn on_believed(&mut self, place: &Named, (leader, epoch): (i32, i32)) -> bool {
        let hint = self.by_place.remove(place);
        hint.is_some_and(|hint| (hint.leader_id, hint.leader_epoch) == (leader, epoch))
    }
}
