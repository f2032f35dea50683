//! When metadata is asked for, and what.
//!
//! Owns: the reasons to ask and the pauses between. Never: whom to ask.
//! Invariant L9: at most one request in flight, at most one per backoff while answers do not
//! satisfy.

use crate::backoff::Backoff;
use crate::boundary::{Deadline, Reason};
use crate::slot::{Asked, TopicSlot};
use crate::time::Instant;
use core::time::Duration;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// The refresh of metadata.
#[derive(Debug)]
pub(crate) struct Refresh {
    max_age: Duration,
    backoff: Backoff,
    /// Asked for anew at this age, if there is any topic of interest.
    due_at: Instant,
    wants_all: bool,
    wanted: BTreeSet<TopicSlot>,
    /// No request before, whatever is wanted: the last one failed or did not satisfy.
    not_before: Instant,
    /// No request for all topics before: leaders take a moment to be elected.
    all_not_before: Instant,
    failures: u32,
    is_in_flight: bool,
    /// Since when it has been time to ask, and nobody told.
    untold_since: Option<Instant>,
}

impl Refresh {
    pub(crate) fn new(max_age: Duration, backoff: Backoff) -> Self {
        Self {
            max_age,
            backoff,
            due_at: Instant::FAR,
            wants_all: false,
            wanted: BTreeSet::new(),
            not_before: Instant::ZERO,
            all_not_before: Instant::ZERO,
            failures: 0,
            is_in_flight: false,
            untold_since: None,
        }
    }

    /// It is time to ask, whether anybody can be asked or not.
    pub(crate) fn on_due(&mut self, now: Instant) {
        self.untold_since.get_or_insert(now);
    }

    /// A broker told about the cluster, or nobody is left who would have to.
    pub(crate) fn on_told(&mut self) {
        self.untold_since = None;
    }

    /// Since when metadata has been wanted in vain (KIP-1102).
    pub(crate) fn untold_since(&self) -> Option<Instant> {
        self.untold_since
    }

    /// A leader moved, or a connection was lost.
    pub(crate) fn want_all(&mut self) {
        self.wants_all = true;
    }

    /// Somebody waits for this topic.
    pub(crate) fn want(&mut self, topic: TopicSlot) {
        self.wanted.insert(topic);
    }

    /// Whoever wanted one of these has it, or will say so again.
    pub(crate) fn forget_if(&mut self, is_known: impl Fn(TopicSlot) -> bool) {
        self.wanted.retain(|slot| !is_known(*slot));
    }

    /// When to ask next, and why; `None` while nothing is wanted or a request is in flight.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        if self.is_in_flight {
            return None;
        }
        let age = Deadline {
            at: self.due_at.max(self.not_before),
            reason: Reason::MetadataAge,
        };
        let backoff = if !self.wanted.is_empty() {
            Some(self.not_before)
        } else if self.wants_all {
            Some(self.not_before.max(self.all_not_before))
        } else {
            None
        };
        let backoff = backoff.map(|at| Deadline {
            at,
            reason: Reason::MetadataBackoff,
        });
        let age = (self.due_at != Instant::FAR).then_some(age);
        backoff
            .into_iter()
            .chain(age)
            .min_by_key(|deadline| deadline.at)
    }

    /// The number of the request that is under way or comes next, since the last that satisfied.
    pub(crate) fn attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }

    pub(crate) fn is_under_way(&self) -> bool {
        self.is_in_flight
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline.at <= now)
    }

    /// A request goes out; returns what it asks for.
    pub(crate) fn on_asked(&mut self, now: Instant) -> Asked {
        assert!(!self.is_in_flight, "one metadata request at a time (L9)");
        self.is_in_flight = true;
        let is_all = (self.wants_all && now >= self.all_not_before) || now >= self.due_at;
        self.wants_all &= !is_all;
        Asked {
            is_all,
            topics: core::mem::take(&mut self.wanted),
        }
    }

    /// An answer came. `is_satisfied` tells whether all that somebody waits for is known now.
    pub(crate) fn on_answered(&mut self, now: Instant, is_satisfied: bool, rng: &mut ChaCha8Rng) {
        self.is_in_flight = false;
        self.failures = if is_satisfied {
            0
        } else {
            self.failures.saturating_add(1)
        };
        self.all_not_before = now + self.backoff.pause(self.failures.max(1), rng);
        // An age of nothing must not ask once per round trip (L9).
        self.due_at = (now + self.max_age).max(self.all_not_before);
        self.not_before = if is_satisfied {
            now
        } else {
            self.all_not_before
        };
    }

    /// The request will not be answered.
    pub(crate) fn on_lost(&mut self, now: Instant, asked: Asked, rng: &mut ChaCha8Rng) {
        self.is_in_flight = false;
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + self.backoff.pause(self.failures, rng);
        self.wants_all |= asked.is_all;
        self.wanted.extend(asked.topics);
    }
}
