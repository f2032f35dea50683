//! How far the replicas of a partition are, who of them is in sync, and what is lost with a leader.
//!
//! All replicas share one log, the leader's: a follower is a number, its log's end. Owns: these
//! numbers, the replicas in sync, the high watermark, and what was lost. Never: time of its own.
//! Invariants: the leader is in sync; the high watermark is no greater than the end of any replica
//! in sync, and only an unclean election takes it back.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use titorelli::Instant;

use super::config::{BrokerId, LogRetention};
use super::log::LogRecord;
use super::topic::Partition;

/// How a broker takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// It is not there.
    Down,
    /// It serves clients, and fetches nothing from leaders.
    Held,
    /// It does all that it should.
    Up,
}

/// How long replication takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// From the append until followers have it.
    pub(super) fetch: Duration,
    /// A follower that is behind for longer is not in sync any more.
    pub(super) lag_max: Duration,
}

/// A record that was in a log and is in none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostRecord {
    /// The record.
    pub record: LogRecord,
    /// Whether a replica came to lead that was not in sync. Otherwise a replica in sync did, which
    /// had everything that acks=all waits for.
    pub is_unclean: bool,
}

/// A replica that does not follow.
#[derive(Clone, Copy, Debug)]
struct Behind {
    end: i64,
    since: Instant,
}

/// All that is known of a partition's replicas but their names.
#[derive(Debug, Default)]
pub(super) struct Replication {
    /// In the order of the replicas.
    pub(super) in_sync: Vec<BrokerId>,
    /// Those that are down or held.
    behind: BTreeMap<BrokerId, Behind>,
    /// How far all the others are that follow.
    followed: i64,
    /// What these are to fetch: when it was appended, and the log's end then.
    unfetched: VecDeque<(Instant, i64)>,
    pub(super) high_watermark: i64,
    pub(super) lost: Vec<LostRecord>,
    /// How many of them were told.
    pub(super) lost_told: usize,
}

impl Replication {
    /// New replicas, all of them in sync.
    pub(super) fn of(replicas: &[BrokerId]) -> Self {
        Self {
            in_sync: replicas.to_vec(),
            ..Self::default()
        }
    }
}

impl Partition {
    /// The log has grown.
    pub(super) fn on_append(&mut self, now: Instant, pace: Pace) {
        let end = self.log.next_offset();
        self.replication.unfetched.push_back((now, end));
        self.advance(now, pace);
    }

    /// Followers fetch, fall out of sync, and come back.
    pub(super) fn advance(&mut self, now: Instant, pace: Pace) {
        let Some(leader) = self.leader else {
            return;
        };
        let state = &mut self.replication;
        while let Some((at, end)) = state.unfetched.front().copied() {
            if at + pace.fetch > now {
                break;
            }
            state.unfetched.pop_front();
            state.followed = end;
        }
        let log_end = self.log.next_offset();
        let behind = &state.behind;
        let has_lagged = |id: &BrokerId| {
            let late = behind.get(id).filter(|behind| behind.end < log_end);
            *id != leader && late.is_some_and(|behind| behind.since + pace.lag_max <= now)
        };
        state.in_sync.retain(|id| !has_lagged(id));
        let ends = self.replication.in_sync.iter().map(|id| self.end_of(*id));
        let least = ends.min().unwrap_or(log_end);
        let state = &mut self.replication;
        state.high_watermark = state.high_watermark.max(least);
        if state.in_sync.len() < self.replicas.len() && state.followed >= state.high_watermark {
            let (in_sync, behind) = (&state.in_sync, &state.behind);
            let is_in = |id: &BrokerId| in_sync.contains(id) || !behind.contains_key(id);
            state.in_sync = self.replicas.iter().copied().filter(is_in).collect();
        }
    }

    /// When [`Self::advance`] changes something, if only time has to pass.
    pub(super) fn advances_at(&self, pace: Pace) -> Option<Instant> {
        let leader = self.leader?;
        let state = &self.replication;
        let log_end = self.log.next_offset();
        let late = state.in_sync.iter().filter(|id| **id != leader);
        let late = late.filter_map(|id| state.behind.get(id));
        let late = late.filter(|behind| behind.end < log_end);
        let fetched = state.unfetched.front().map(|(at, _)| *at + pace.fetch);
        late.map(|behind| behind.since + pace.lag_max)
            .chain(fetched)
            .min()
    }

    fn end_of(&self, replica: BrokerId) -> i64 {
        if self.leader == Some(replica) {
            return self.log.next_offset();
        }
        let behind = self.replication.behind.get(&replica);
        behind.map_or(self.replication.followed, |behind| behind.end)
    }

    /// Brokers came or went: who is dead is not in sync, unless nobody else is; a leader that is
    /// dead is followed by the first replica in sync that lives; who lives follows.
    pub(super) fn review(
        &mut self,
        presence: impl Fn(BrokerId) -> Presence,
        now: Instant,
        pace: Pace,
    ) {
        self.advance(now, pace);
        for id in self.replicas.clone() {
            let follows = match presence(id) {
                Presence::Down => false,
                Presence::Held => self.leader == Some(id),
                Presence::Up => true,
            };
            if !follows {
                let end = self.end_of(id);
                let behind = Behind { end, since: now };
                self.replication.behind.entry(id).or_insert(behind);
            }
            if presence(id) == Presence::Down && self.replication.in_sync.len() > 1 {
                self.replication.in_sync.retain(|other| *other != id);
            }
        }
        let is_live = |id: BrokerId| presence(id) != Presence::Down;
        if !self.leader.is_some_and(is_live) {
            let mut in_sync = self.replication.in_sync.iter().copied();
            let next = in_sync.find(|id| is_live(*id));
            if next != self.leader {
                self.lead(next, false);
            }
        }
        if self.leader.is_some() {
            for id in &self.replicas {
                if presence(*id) == Presence::Up {
                    self.replication.behind.remove(id);
                }
            }
        }
        self.advance(now, pace);
    }

    /// Who follows has everything.
    pub(super) fn fetch_all(&mut self) {
        self.replication.unfetched.clear();
        self.replication.followed = self.log.next_offset();
    }

    /// A reassignment: the broker is a replica from now on, and has everything.
    pub(super) fn assign(&mut self, broker: BrokerId) {
        if !self.replicas.contains(&broker) {
            self.replicas.insert(0, broker);
        }
        self.fetch_all();
        let state = &mut self.replication;
        state.behind.remove(&broker);
        let (in_sync, replicas) = (&state.in_sync, self.replicas.iter().copied());
        let is_in = |id: &BrokerId| in_sync.contains(id) || *id == broker;
        state.in_sync = replicas.filter(is_in).collect();
    }

    /// Makes a replica the leader, under a new epoch. What it does not have is lost.
    pub(super) fn lead(&mut self, leader: Option<BrokerId>, is_unclean: bool) {
        if let Some(leader) = leader {
            let end = self.end_of(leader);
            self.truncate(end, is_unclean);
            self.replication.behind.remove(&leader);
            if is_unclean {
                self.replication.in_sync = vec![leader];
            }
        }
        self.leader = leader;
        self.leader_epoch += 1;
    }

    /// Everybody ends here at the latest. Of a log that only counts nothing is ever lost.
    fn truncate(&mut self, end: i64, is_unclean: bool) {
        let state = &mut self.replication;
        state.unfetched.clear();
        if self.log.retention() == LogRetention::Counts {
            state.followed = self.log.next_offset();
            return;
        }
        assert!(
            is_unclean || end >= state.high_watermark,
            "a replica in sync has what is committed"
        );
        let lost = self.log.truncate(end).into_iter();
        state
            .lost
            .extend(lost.map(|record| LostRecord { record, is_unclean }));
        state.followed = state.followed.min(end);
        state.high_watermark = state.high_watermark.min(end);
        for behind in state.behind.values_mut() {
            behind.end = behind.end.min(end);
        }
        self.producers.reload(self.log.batches());
    }
}
