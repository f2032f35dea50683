//! One partition's way out: what waits, what is under way, and whether the next may go.
//!
//! Owns: the order of the partition's closed batches (invariant **Order**, I7).
//! Never: which connection; it only remembers the one its batches are on.

use super::sequence::Sequences;
use crate::boundary::ConnId;
use crate::slot::{BatchSlot, BrokerSlot};
use crate::time::Instant;
use core::time::Duration;
use std::collections::VecDeque;

/// The lane of a partition.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// Closed batches in the order of their opening; one that is sent again comes back to its
    /// place.
    pub(crate) queue: VecDeque<BatchSlot>,
    /// Whether the open batch may leave: it lingered, or something presses.
    pub(crate) is_open_due: bool,
    /// Batches in drafts and requests, those completed meanwhile included.
    in_flight: usize,
    /// Those of them in requests.
    in_requests: usize,
    /// The connection of those.
    conn: Option<ConnId>,
    /// Whether one of those is sent again.
    is_retrying: bool,
    /// Whether the present leader has acknowledged a batch in its present epoch.
    is_proven: bool,
    /// How many leaders, and epochs of theirs, it has had.
    reigns: u64,
    /// The first of these with the newest epoch.
    newest_reign: u64,
    /// The sequence numbers of an idempotent producer.
    pub(crate) sequences: Sequences,
    /// The newest epoch of a leader so far.
    leader_epoch: i32,
    /// For how long it had something to send and no leader, and since when it has none.
    without_leader: Duration,
    leaderless_since: Option<Instant>,
    /// The ring this lane is in.
    pub(crate) ring: Option<BrokerSlot>,
    /// The leader, to whose backlog the queue counts.
    pub(crate) leader: Option<BrokerSlot>,
}

/// The rules of a producer that bear on order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    pub(crate) max_in_flight: usize,
    /// acks=0: there are no answers to wait for.
    pub(crate) is_unanswered: bool,
}

impl Lane {
    /// Whether it has something to send, now or after a pause.
    pub(crate) fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.is_open_due
    }

    /// Whether the next batch may go out on `conn`. `is_retry` tells whether it was sent before.
    ///
    /// All batches of a partition are on one connection (S7b). A batch that is sent again travels
    /// alone (S7d): whatever is sent beside it might overtake it. The first batch at a leader
    /// travels alone until it is acknowledged (S7e): a leader that does not know the partition yet
    /// would refuse it and take the next.
    pub(crate) fn may_send(&self, conn: ConnId, is_retry: bool, rules: Rules) -> bool {
        if self.in_flight == 0 {
            return true;
        }
        self.conn == Some(conn)
            && !is_retry
            && !self.is_retrying
            && (self.is_proven || rules.is_unanswered)
            && self.in_flight < rules.max_in_flight
    }

    pub(crate) fn on_drained(&mut self, conn: ConnId, is_retry: bool) {
        assert!(
            self.in_flight == 0 || self.conn == Some(conn),
            "one connection at a time (S7b)"
        );
        self.in_flight += 1;
        self.conn = Some(conn);
        self.is_retrying |= is_retry;
    }

    /// A drafted batch left in a request.
    pub(crate) fn on_left(&mut self) {
        self.in_requests += 1;
        assert!(
            self.in_requests <= self.in_flight,
            "what is in a request is under way (S7a)"
        );
    }

    /// The request of a batch has ended, which returns now.
    pub(crate) fn on_request_ended(&mut self) {
        self.in_requests -= 1;
    }

    /// Whether another batch that was drafted may leave now: the leader may have changed since, and
    /// gets one until it acknowledges (S7e).
    pub(crate) fn may_leave(&self, rules: Rules) -> bool {
        self.is_proven || rules.is_unanswered || self.in_requests == 0
    }

    /// A batch is no longer under way, whatever became of it.
    pub(crate) fn on_returned(&mut self) {
        assert!(self.in_flight > 0, "what returns was under way (S7a)");
        self.in_flight -= 1;
        if self.in_flight == 0 {
            self.in_requests = 0;
            self.conn = None;
            self.is_retrying = false;
            self.sequences.on_quiet();
        }
    }

    /// The connection of what is under way.
    pub(crate) fn conn(&self) -> Option<ConnId> {
        self.conn
    }

    /// The number of the present leader and its epoch, for what leaves now.
    pub(crate) fn reign(&self) -> u64 {
        self.reigns
    }

    /// Whether the newest epoch became known after that reign.
    pub(crate) fn is_led_anew(&self, since: u64) -> bool {
        since < self.newest_reign
    }

    /// A batch is acknowledged that left in this reign; whether that is the present one. An earlier
    /// one proves nothing of it (S6, S7e).
    pub(crate) fn on_acked(&mut self, reign: u64) -> bool {
        let is_present = reign == self.reigns;
        self.is_proven |= is_present;
        is_present
    }

    /// It has something to send, and a leader or none.
    pub(crate) fn on_wanted(&mut self, now: Instant, has_leader: bool) {
        if !has_leader {
            self.leaderless_since.get_or_insert(now);
        } else if let Some(since) = self.leaderless_since.take() {
            self.without_leader += now.since(since);
        }
    }

    /// Since how long it has something to send and no leader.
    pub(crate) fn without_leader_now(&self, now: Instant) -> Duration {
        let present = self.leaderless_since.map(|since| now.since(since));
        present.unwrap_or_default()
    }

    /// For how long it had something to send and no leader.
    pub(crate) fn without_leader(&self, now: Instant) -> Duration {
        self.without_leader + self.without_leader_now(now)
    }

    /// A batch came back unsent that younger ones in drafts must not pass: nothing goes out beside
    /// these, or it would be drafted again behind them (I7).
    pub(crate) fn on_left_behind(&mut self) {
        self.is_retrying |= self.in_flight > 0;
    }

    /// The next numbers are of another producer id or epoch, which the leader does not know yet.
    pub(crate) fn on_new_identity(&mut self) {
        self.is_proven = false;
    }

    /// Another leader, or the same in another epoch: in this one; or none. Whether the epoch is
    /// newer than all before it.
    pub(crate) fn on_new_leader(&mut self, epoch: Option<i32>) -> bool {
        self.is_proven = false;
        self.reigns += 1;
        let is_newer = epoch.is_some_and(|epoch| epoch > self.leader_epoch);
        if is_newer {
            self.newest_reign = self.reigns;
        }
        self.leader_epoch = epoch.unwrap_or(-1).max(self.leader_epoch);
        is_newer
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        max_in_flight: 5,
        is_unanswered: false,
    };
    const HERE: ConnId = ConnId(1);
    const THERE: ConnId = ConnId(2);

    #[test]
    fn a_new_leader_gets_one_batch_until_it_acknowledges() {
        let mut lane = Lane::default();
        assert!(lane.may_send(HERE, false, RULES));
        lane.on_drained(HERE, false);
        assert!(!lane.may_send(HERE, false, RULES));
        assert!(lane.may_send(
            HERE,
            false,
            Rules {
                is_unanswered: true,
                ..RULES
            }
        ));
        assert!(lane.on_acked(lane.reign()));
        assert!(lane.may_send(HERE, false, RULES));
        for _ in 1..5 {
            lane.on_drained(HERE, false);
        }
        assert!(!lane.may_send(HERE, false, RULES), "five are under way");
        lane.on_returned();
        let before = lane.reign();
        assert!(lane.on_new_leader(Some(7)));
        assert!(!lane.may_send(HERE, false, RULES));
        assert!(!lane.on_acked(before), "it left before");
        assert!(!lane.may_send(HERE, false, RULES));
        assert!(!lane.on_new_leader(None) && !lane.on_new_leader(Some(7)));
        assert!(lane.on_new_leader(Some(8)));
    }

    #[test]
    fn nothing_goes_elsewhere_while_something_is_under_way() {
        let mut lane = Lane::default();
        lane.on_acked(0);
        lane.on_drained(HERE, false);
        assert!(!lane.may_send(THERE, false, RULES));
        lane.on_returned();
        assert!(lane.may_send(THERE, false, RULES));
    }

    #[test]
    fn a_batch_that_is_sent_again_travels_alone() {
        let mut lane = Lane::default();
        lane.on_acked(0);
        lane.on_drained(HERE, false);
        assert!(!lane.may_send(HERE, true, RULES));
        lane.on_returned();
        assert!(lane.may_send(HERE, true, RULES));
        lane.on_drained(HERE, true);
        assert!(!lane.may_send(HERE, false, RULES));
    }
}
