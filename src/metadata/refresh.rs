//! When metadata is asked for, and what.
//!
//! Owns: the reasons to ask and the pauses between. Never: whom to ask.
//! Invariant L9: at most one request that is waited for, at most one per backoff while answers do
//! not satisfy. Whoever is slow to answer is not waited for (L10), and the first answer counts.

use crate::backoff::Backoff;
use crate::boundary::{ConnId, Deadline, Reason};
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
    /// As that, but only because a request for all topics was given up.
    wants_all_again: bool,
    wanted: BTreeSet<TopicSlot>,
    /// No request before, whatever is wanted: the last one failed or did not satisfy.
    not_before: Instant,
    /// No request for all topics before: leaders take a moment to be elected.
    all_not_before: Instant,
    failures: u32,
    /// The connection whose answer is waited for. Others may owe one: these were given up.
    waited_for: Option<ConnId>,
    /// When the newest of the requests went out that are answered.
    answered_asked_at: Instant,
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
            wants_all_again: false,
            wanted: BTreeSet::new(),
            not_before: Instant::ZERO,
            all_not_before: Instant::ZERO,
            failures: 0,
            waited_for: None,
            answered_asked_at: Instant::ZERO,
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

    /// When to ask next, and why; `None` while nothing is wanted or an answer is waited for.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        if self.waited_for.is_some() {
            return None;
        }
        let age = Deadline {
            at: self.due_at.max(self.not_before),
            reason: Reason::MetadataAge,
        };
        let backoff = if !self.wanted.is_empty() {
            Some(self.not_before)
        } else if self.wants_all || self.wants_all_again {
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

    /// The connection whose answer is waited for.
    pub(crate) fn waited_for(&self) -> Option<ConnId> {
        self.waited_for
    }

    /// Whether an answer to what was asked at `asked_at` is out of date: one to a later question
    /// came before it.
    pub(crate) fn is_outdated(&self, asked_at: Instant) -> bool {
        asked_at < self.answered_asked_at
    }

    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline.at <= now)
    }

    /// A request goes out; returns what it asks for.
    pub(crate) fn on_asked(&mut self, now: Instant, conn: ConnId) -> Asked {
        assert!(
            self.waited_for.is_none(),
            "one metadata request is waited for at a time (L9)"
        );
        self.waited_for = Some(conn);
        let wants_all = self.wants_all || self.wants_all_again;
        let is_all = (wants_all && now >= self.all_not_before) || now >= self.due_at;
        self.wants_all &= !is_all;
        self.wants_all_again &= !is_all;
        Asked {
            is_all,
            topics: core::mem::take(&mut self.wanted),
        }
    }

    /// The answer came that was waited for, to what was asked at `asked_at`. `is_satisfied` tells
    /// whether all that somebody waits for is known now.
    pub(crate) fn on_answered(
        &mut self,
        now: Instant,
        asked_at: Instant,
        is_satisfied: bool,
        rng: &mut ChaCha8Rng,
    ) {
        self.waited_for = None;
        self.answered_asked_at = self.answered_asked_at.max(asked_at);
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

    /// An answer came that was not waited for any more. If it satisfies it counts as if it had
    /// been: brokers that are all slow would be asked in turn without end else.
    pub(crate) fn on_answered_late(
        &mut self,
        now: Instant,
        asked_at: Instant,
        is_satisfied: bool,
        rng: &mut ChaCha8Rng,
    ) {
        if is_satisfied {
            self.wants_all_again = false;
            self.on_answered(now, asked_at, true, rng);
        } else {
            self.answered_asked_at = self.answered_asked_at.max(asked_at);
        }
    }

    /// The answer is not waited for any more: what was asked is asked anew, after a pause, as if
    /// the request were lost.
    pub(crate) fn on_given_up(&mut self, now: Instant, asked: Asked, rng: &mut ChaCha8Rng) {
        self.fail(now, rng);
        self.wants_all_again |= asked.is_all;
        self.wanted.extend(asked.topics);
    }

    /// The request on this connection will not be answered.
    pub(crate) fn on_lost(
        &mut self,
        now: Instant,
        conn: ConnId,
        asked: Asked,
        rng: &mut ChaCha8Rng,
    ) {
        // Else it was given up, and what it asked is asked anew already.
        if self.waited_for == Some(conn) {
            self.fail(now, rng);
            self.wants_all |= asked.is_all;
            self.wanted.extend(asked.topics);
        }
    }

    fn fail(&mut self, now: Instant, rng: &mut ChaCha8Rng) {
        self.waited_for = None;
        self.failures = self.failures.saturating_add(1);
        self.not_before = now + self.backoff.pause(self.failures, rng);
    }
}
