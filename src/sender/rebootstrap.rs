//! Starting over from the bootstrap servers, when the brokers that the cluster named are of no use
//! any more (KIP-899, KIP-1102). Batches stay in their lanes meanwhile.

use super::Sender;
use crate::boundary::{ConnId, Deadline, Reason};
use crate::config::MetadataRecovery;
use crate::connection::PATIENCE;
use crate::slot::{Asked, BrokerSlot};

impl Sender {
    /// Whether a broker is known that the cluster named.
    pub(super) fn has_brokers(&self) -> bool {
        let mut brokers = self.brokers.iter();
        brokers.any(|broker| !broker.is_bootstrap() && broker.is_current)
    }

    /// Whether bootstrap servers are asked although such brokers are known.
    pub(super) fn may_rebootstrap(&self) -> bool {
        self.config.metadata_recovery_strategy == MetadataRecovery::Rebootstrap
    }

    /// When it is given up that a known broker tells about the cluster. Where none is known there
    /// is nothing to give up. Every broker has the moment that any has to answer: else one would
    /// start over with each question.
    pub(super) fn rebootstrap_deadline(&self) -> Option<Deadline> {
        let since = self.refresh.untold_since()?;
        let is_possible = self.may_rebootstrap() && self.has_brokers();
        let trigger = self.config.metadata_recovery_rebootstrap_trigger;
        is_possible.then(|| Deadline {
            at: since + trigger.max(PATIENCE),
            reason: Reason::MetadataRecovery,
        })
    }

    /// Starts over, if it is time.
    pub(super) fn rebootstrap(&mut self) {
        let deadline = self.rebootstrap_deadline();
        if deadline.is_some_and(|deadline| deadline.at <= self.now) {
            self.start_over();
        }
    }

    /// A broker says that one should start over. What else it says does not count; the next
    /// question is a backoff away, so that brokers which say nothing else are not stormed (B5).
    pub(super) fn on_sent_away(&mut self, conn: ConnId, asked: Asked, throttle_ms: i32) {
        let slot = self.connections[&conn].broker;
        let rng = &mut self.rng;
        self.refresh.on_lost(self.now, conn, asked, rng);
        let broker = &mut self.brokers[slot.index()];
        broker.in_vain = broker.in_vain.saturating_add(1);
        if self.may_rebootstrap() {
            // A bootstrap server may be another one behind the same name next time.
            self.retire(slot);
            self.start_over();
        }
        self.throttle(slot, throttle_ms);
    }

    /// Forgets who is in the cluster, and who leads. Connections end when they owe nothing: what is
    /// in flight there is answered, or lost in its time (S7b).
    fn start_over(&mut self) {
        for index in 0..self.brokers.len() {
            if !self.brokers[index].is_bootstrap() {
                self.brokers[index].is_current = false;
                self.retire(BrokerSlot::at(index));
            }
        }
        for partition in self.metadata.forget_leaders() {
            self.on_new_leader(partition);
        }
        self.refresh.on_told();
        if !self.lanes.is_empty() {
            self.refresh.want_all();
        }
    }
}
