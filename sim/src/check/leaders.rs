//! S7e and S15: a leader gets one batch in each of its epochs until it acknowledges one there, and
//! who leads by the newest epoch is who leads.
//!
//! Who leads is what the core believes, by its own words; that it still does, in a newer epoch, is
//! seen on the wire.

use std::collections::BTreeMap;

use titorelli::Instant;

use crate::cluster::{Cluster, Lie};
use crate::codec::{MetadataResponse, MetadataTopic};
use crate::fault::Fault;

/// A partition by its topic's name.
type Place = (String, i32);

/// What the core was told of a partition's leader.
#[derive(Debug, Default)]
struct Leader {
    /// When it last changed, or its epoch.
    moved_at: Option<Instant>,
    node: Option<i32>,
    epoch: i32,
    /// Whether the present one has acknowledged a batch that was handed out since then.
    is_proven: bool,
}

/// Who leads, as the core tells.
#[derive(Debug, Default)]
pub(crate) struct Leaders {
    by_place: BTreeMap<Place, Leader>,
    /// A topic has gone and epochs may have begun anew, or some brokers tell none.
    is_unsure: bool,
    /// The core was not called for a while: drafts may be old.
    has_slept: bool,
    /// When the newest of the questions about the cluster was asked that are answered.
    answered_asked_at: Option<Instant>,
}

impl Leaders {
    /// `has_epochless`: some brokers may tell no epochs, and are believed.
    pub(crate) fn new(has_epochless: bool) -> Self {
        Self {
            is_unsure: has_epochless,
            ..Self::default()
        }
    }

    pub(crate) fn on_fault(&mut self, fault: &Fault) {
        self.is_unsure |= matches!(
            fault,
            Fault::Delete(_)
                | Fault::Recreate(..)
                | Fault::ReplaceLeader { .. }
                | Fault::Upgrade(..)
                | Fault::Mislead(_, Lie::NoEpochs)
        );
        self.has_slept |= matches!(fault, Fault::Starve(_) | Fault::Leap(_));
    }

    /// The core believes in another leader, of this epoch.
    ///
    /// # Panics
    /// The epoch is the newest, and its leader is somebody else.
    pub(crate) fn on_changed(
        &mut self,
        now: Instant,
        place: (&str, i32),
        (leader, epoch): (Option<i32>, i32),
        cluster: &Cluster,
    ) {
        let (topic, partition) = place;
        let known = self
            .by_place
            .entry((topic.to_owned(), partition))
            .or_default();
        *known = Leader {
            moved_at: Some(now),
            node: leader,
            epoch,
            is_proven: false,
        };
        if self.is_unsure || partition >= cluster.partition_count(topic) {
            return;
        }
        let (true_leader, true_epoch) = cluster.leader(topic, partition);
        // None at all: perhaps it is not among the brokers that were told (KAFKA-9261).
        if let (Some(leader), Some(true_leader)) = (leader, true_leader)
            && true_epoch == epoch
        {
            assert_eq!(
                leader, true_leader.0,
                "S15: {topic}/{partition} is led by {true_leader} in epoch {epoch}"
            );
        }
    }

    /// The core hears from a broker who leads: whoever it believes in leads in this epoch now.
    /// An answer to what was asked at `asked_at` says nothing where a later question was answered
    /// before it.
    pub(crate) fn on_told(&mut self, now: Instant, asked_at: Instant, answer: &MetadataResponse) {
        let is_outdated = self
            .answered_asked_at
            .is_some_and(|newest| asked_at < newest);
        if answer.error_code != 0 || is_outdated {
            return;
        }
        self.answered_asked_at = Some(asked_at);
        let nodes = answer.brokers.iter().map(|broker| broker.node_id);
        let nodes: Vec<i32> = nodes.collect();
        let is_told = |topic: &&MetadataTopic| topic.error_code == 0;
        for topic in answer.topics.iter().filter(is_told) {
            let name = topic.name.as_deref().unwrap_or_default();
            for told in &topic.partitions {
                let place = (name.to_owned(), told.partition);
                let Some(known) = self.by_place.get_mut(&place) else {
                    continue;
                };
                let is_same = known.node == Some(told.leader_id) && nodes.contains(&told.leader_id);
                if is_same && told.leader_epoch > known.epoch {
                    known.epoch = told.leader_epoch;
                    known.moved_at = Some(now);
                    known.is_proven = false;
                }
            }
        }
    }

    /// A batch for this partition is acknowledged that was handed out at `handed_at`.
    pub(crate) fn on_acked(&mut self, place: &Place, handed_at: Instant) {
        if let Some(leader) = self.by_place.get_mut(place) {
            leader.is_proven |= leader.moved_at.is_none_or(|moved_at| handed_at >= moved_at);
        }
    }

    /// Whether a second batch may be handed out now beside one that is not answered.
    pub(crate) fn may_take_more(&self, now: Instant, place: &Place) -> bool {
        let Some(leader) = self.by_place.get(place) else {
            return false;
        };
        // What was handed out in the same moment may have been sent before.
        let is_new = |moved_at: Instant| now <= moved_at;
        leader.is_proven || self.has_slept || leader.moved_at.is_some_and(is_new)
    }

    pub(crate) fn moved_at(&self, place: &Place) -> Option<Instant> {
        self.by_place.get(place)?.moved_at
    }
}
