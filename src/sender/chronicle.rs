//! What is put down of a batch's life: where its time goes, and how its attempts end.

use super::Sender;
use crate::accumulator::life::{Clocks, Pause};
use crate::biography::{Attempt, Biography, Span};
use crate::boundary::ConnId;
use crate::connection::in_flight::{Request, RequestKind};
use crate::error::DeliveryCause;
use crate::slot::{BatchSlot, BrokerSlot, PartitionSlot};
use crate::time::Instant;

/// A request that carried a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Node id of the broker.
    pub(super) node: i32,
    at: Instant,
    /// How much of it was handed to a transport, at most.
    bytes: u64,
    request_bytes: u64,
}

impl Sent {
    pub(super) fn at(&self) -> Instant {
        self.at
    }

    /// Of a stream whose first `handed` bytes were handed to a transport.
    pub(super) fn of(request: &Request, node: i32, handed: u64) -> Self {
        Self {
            node,
            at: request.sent_at,
            bytes: handed
                .min(request.ends_at)
                .saturating_sub(request.begins_at),
            request_bytes: request.ends_at - request.begins_at,
        }
    }
}

impl Sender {
    /// What the clocks of a partition and its leader show.
    fn clocks(&self, partition: PartitionSlot) -> Clocks {
        let lane = &self.lanes[partition.index()];
        let throttled = |leader: BrokerSlot| self.brokers[leader.index()].throttled(self.now);
        Clocks {
            without_leader: lane.without_leader(self.now),
            throttled: lane.leader.map(throttled).unwrap_or_default(),
            leader: lane.leader,
        }
    }

    /// What a batch that waits began its wait with.
    fn pause(&self, slot: BatchSlot) -> Pause {
        let batch = self.accumulator.batch(slot);
        if batch.history.attempts == 0 {
            Pause::Linger(batch.created + self.config.linger)
        } else {
            Pause::Backoff(batch.history.not_before)
        }
    }

    /// A batch was opened.
    pub(super) fn put_down_opened(&mut self, partition: PartitionSlot) {
        let Some(slot) = self.accumulator.open_slot(partition) else {
            return;
        };
        let clocks = self.clocks(partition);
        self.accumulator.batch_mut(slot).life.read(clocks);
    }

    /// A batch comes into its lane, or back.
    pub(super) fn put_down_queued(&mut self, slot: BatchSlot) {
        let (clocks, pause) = self.clocks_and_pause(slot);
        let now = self.now;
        self.accumulator
            .batch_mut(slot)
            .life
            .wait(now, clocks, pause);
    }

    /// A batch leaves its lane.
    pub(super) fn put_down_drained(&mut self, slot: BatchSlot) {
        let (clocks, pause) = self.clocks_and_pause(slot);
        let now = self.now;
        self.accumulator
            .batch_mut(slot)
            .life
            .leave(now, clocks, pause);
    }

    fn clocks_and_pause(&self, slot: BatchSlot) -> (Clocks, Pause) {
        let partition = self.accumulator.batch(slot).partition;
        (self.clocks(partition), self.pause(slot))
    }

    /// An attempt ended; with `None` the batch ends before it.
    pub(super) fn put_down_attempt(
        &mut self,
        slot: BatchSlot,
        sent: &Sent,
        end: Option<DeliveryCause>,
    ) {
        let now = self.now;
        let batch = self.accumulator.batch_mut(slot);
        batch.life.add(Attempt {
            broker: sent.node,
            begun: sent.at.since(batch.created),
            took: now.since(sent.at),
            sent_bytes: sent.bytes,
            request_bytes: sent.request_bytes,
            end,
        });
    }

    /// The request under way on this connection that carries a batch.
    pub(super) fn sent_with(&self, conn: ConnId, slot: BatchSlot) -> Option<Sent> {
        let connection = self.connections.get(&conn)?;
        let id = self.accumulator.batch(slot).id;
        let carries = |request: &&Request| match &request.kind {
            RequestKind::Produce(carried) => carried.iter().any(|carried| carried.batch == id),
            RequestKind::ApiVersions | RequestKind::Metadata(_) | RequestKind::InitProducerId => {
                false
            }
        };
        let mut requests = connection.in_flight.iter().chain(&connection.unanswered);
        let request = requests.find(carries)?;
        let node = self.brokers[connection.broker.index()].node;
        Some(Sent::of(request, node, connection.progress.handed()))
    }

    /// Why nothing leaves for a partition: what was never sent may have had no number or no leader,
    /// or a leader that cannot be reached, or does not tell its versions.
    pub(super) fn what_stands_before(&self, partition: PartitionSlot) -> Option<DeliveryCause> {
        if let Some(cause) = &self.registration.last_failure {
            return Some(cause.clone());
        }
        let Some(leader) = self.leader_of(partition) else {
            return Some(DeliveryCause::NoLeader);
        };
        let broker = &self.brokers[leader.index()];
        match &broker.last_failure {
            Some((cause, "")) => return Some(cause.clone()),
            Some((cause, hint)) => {
                let words = format!("the broker at {}: {cause}{hint}", broker.address());
                return Some(DeliveryCause::NotReady(words.into()));
            }
            None => {}
        }
        let connection = self.connections.get(&broker.conn?)?;
        let pending = connection.phase.pending_words()?;
        let span = Span(self.now.since(connection.begun_at()));
        let words = format!(
            "the broker at {} has {pending} for {span}",
            broker.address()
        );
        Some(DeliveryCause::NotReady(words.into()))
    }

    /// The life of a batch, at its end.
    pub(super) fn biography(&mut self, slot: BatchSlot) -> Biography {
        self.put_down_drained(slot);
        self.accumulator.batch(slot).life.clone().tell()
    }
}
