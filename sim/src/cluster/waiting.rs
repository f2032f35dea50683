//! Produce requests with acks=all that wait for followers, and how they are answered in the end.
//!
//! A broker takes one request of a connection at a time: what comes after one that waits is read
//! when that is answered.

use titorelli::Instant;

use super::Cluster;
use super::behaviour::Behaviour;
use super::config::BrokerId;
use super::event::{BatchOutcome, ClusterEvent};
use super::handle::{
    ACKS_ALL, ACKS_NONE, ACKS_NONE_REFUSED, ANSWER_LOST, CloseReason, LOSE_ANSWER, leader_hint,
};
use super::peer::PeerId;
use crate::codec::{ApiKey, ProduceResponse, RequestHeader, TopicAnswer, error_code};

/// The request at hand.
#[derive(Debug)]
pub(super) struct Handled {
    pub(super) behaviour: Behaviour,
    pub(super) now: Instant,
    pub(super) peer: PeerId,
    pub(super) broker: BrokerId,
    pub(super) api: ApiKey,
    pub(super) header: RequestHeader,
}

impl Handled {
    pub(super) fn event(&self, is_answered: bool, batches: Vec<BatchOutcome>) -> ClusterEvent {
        ClusterEvent::Handled {
            peer: self.peer,
            broker: self.broker,
            api: self.api,
            api_version: self.header.api_version,
            correlation_id: self.header.correlation_id,
            is_answered,
            batches,
        }
    }
}

/// A Produce request whose batches are where they are going, and its answer so far.
#[derive(Debug)]
pub(super) struct Produced {
    pub(super) handled: Handled,
    pub(super) acks: i16,
    /// When it is answered whatever has come of it.
    pub(super) deadline: Instant,
    pub(super) topics: Vec<TopicAnswer>,
    /// One for each batch, if events are told.
    pub(super) outcomes: Vec<BatchOutcome>,
    /// What it waits for.
    pub(super) pending: Vec<Pending>,
}

/// A batch that the leader has, and its followers not yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    /// The topic's index in the cluster.
    pub(super) topic: usize,
    pub(super) partition: i32,
    /// The high watermark that it waits for.
    pub(super) end: i64,
    /// Its place in the answer: topic, and partition there.
    pub(super) answer: (usize, usize),
    /// Its place among the outcomes.
    pub(super) outcome: usize,
}

impl Cluster {
    /// Answers, or waits.
    pub(super) fn conclude(&mut self, mut produced: Produced) -> Result<(), CloseReason> {
        if produced.acks != ACKS_ALL {
            produced.pending.clear();
        }
        self.decide(&mut produced);
        if produced.pending.is_empty() {
            return self.answer(produced);
        }
        let peer = produced.handled.peer;
        self.waiting.insert(peer);
        let state = self.peers.get_mut(&peer).expect("it sent this");
        state.waiting = Some(Box::new(produced));
        Ok(())
    }

    fn answer(&mut self, produced: Produced) -> Result<(), CloseReason> {
        let Produced {
            handled,
            acks,
            mut topics,
            outcomes,
            ..
        } = produced;
        let is_answered = acks != ACKS_NONE || self.config.answers_without_acks;
        self.tell(|| handled.event(is_answered, outcomes));
        let codes = || topics.iter().flat_map(|topic| &topic.partitions);
        if codes().any(|answer| answer.error_code == LOSE_ANSWER) {
            return Err(ANSWER_LOST);
        }
        if is_answered {
            self.age_hints(handled.broker, &mut topics);
            let mut answer = ProduceResponse {
                node_endpoints: self.hinted_endpoints(handled.broker, &topics),
                throttle_time_ms: self.throttle_of(handled.broker),
                topics,
            };
            if let Some(distortion) = self.broker_mut(handled.broker).distortion.take() {
                distortion.distort(&mut answer);
            }
            let header = &handled.header;
            let bytes = answer.encode(header.api_version, header.correlation_id);
            self.transmit(handled.peer, bytes);
            return Ok(());
        }
        if codes().any(|answer| answer.error_code != error_code::NONE) {
            return Err(ACKS_NONE_REFUSED);
        }
        Ok(())
    }

    /// When something of what waits may change, if only time has to pass; `None`: nothing waits.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waiting = self
            .waiting
            .iter()
            .filter_map(|peer| self.peers[peer].waiting.as_ref());
        let at = waiting.flat_map(|produced| {
            let partitions = produced.pending.iter().filter_map(|pending| {
                let topic = self.topics[pending.topic].as_ref()?;
                topic.partition(pending.partition)?.advances_at(self.pace())
            });
            partitions.chain([produced.deadline])
        });
        at.min()
    }

    /// Time has passed: answers what waited long enough.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.settle_waiting();
    }

    /// Answers every request that waits no more, and reads what came after it.
    pub(super) fn settle_waiting(&mut self) {
        for peer in self.waiting.clone() {
            let state = self.peers.get_mut(&peer).expect("who waits is there");
            let mut produced = state.waiting.take().expect("it waits");
            self.decide(&mut produced);
            if !produced.pending.is_empty() {
                let state = self.peers.get_mut(&peer).expect("it was there");
                state.waiting = Some(produced);
                continue;
            }
            self.waiting.remove(&peer);
            match self.answer(*produced) {
                Ok(()) => self.read_on(peer),
                Err(reason) => self.close(peer, reason, true),
            }
        }
    }

    /// Decides what can be decided of the batches that wait.
    fn decide(&mut self, produced: &mut Produced) {
        let (broker, is_late) = (produced.handled.broker, produced.deadline <= self.now);
        let (topics, outcomes) = (&mut produced.topics, &mut produced.outcomes);
        produced.pending.retain(|pending| {
            let error_code = match self.judge(broker, pending) {
                None if !is_late => return true,
                None => error_code::REQUEST_TIMED_OUT,
                Some(error_code) => error_code,
            };
            let (topic, partition) = pending.answer;
            let answer = &mut topics[topic].partitions[partition];
            // Of what it was to be only the code changes: the offset says that it was appended.
            if error_code != error_code::NONE {
                answer.error_code = error_code;
            }
            if error_code == error_code::NOT_LEADER_OR_FOLLOWER {
                let known = self.topics[pending.topic].as_ref();
                let known = known.and_then(|topic| topic.partition(pending.partition));
                answer.current_leader = known.and_then(leader_hint);
            }
            if let Some(outcome) = outcomes.get_mut(pending.outcome) {
                outcome.error_code = error_code;
            }
            false
        });
    }

    /// What a batch that waits is answered, if that is known.
    fn judge(&mut self, broker: BrokerId, pending: &Pending) -> Option<i16> {
        let (now, pace) = (self.now, self.pace());
        let topic = self.topics[pending.topic].as_mut();
        let Some(topic) = topic else {
            // The broker has no replica of it any more.
            return Some(error_code::NOT_LEADER_OR_FOLLOWER);
        };
        let min_insync_replicas = topic.config.min_insync_replicas;
        let partition = topic
            .partition_mut(pending.partition)
            .expect("partitions stay");
        partition.advance(now, pace);
        if partition.leader != Some(broker) {
            return Some(error_code::NOT_LEADER_OR_FOLLOWER);
        }
        if partition.replication.high_watermark < pending.end {
            return None;
        }
        let is_enough = partition.replication.in_sync.len() >= min_insync_replicas;
        Some(if is_enough {
            error_code::NONE
        } else {
            error_code::NOT_ENOUGH_REPLICAS_AFTER_APPEND
        })
    }
}
