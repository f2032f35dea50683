//! Why a record still waits: one sentence, with numbers.

use super::Sender;
use super::broker::Broker;
use super::lane::Lane;
use crate::accumulator::batch::{Batch, Place};
use crate::biography::Span;
use crate::boundary::Ticket;
use crate::connection::Connection;
use crate::connection::phase::Phase;
use crate::counted::counted;
use crate::metadata::refresh::Refresh;
use crate::slot::{BatchSlot, PartitionSlot};
use crate::time::Instant;

/// The sender as it is at this moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment<'a> {
    sender: &'a Sender,
    now: Instant,
}

impl Sender {
    /// At `now`, or at the latest moment that was seen.
    pub(crate) fn at(&self, now: Instant) -> Moment<'_> {
        let now = now.max(self.now);
        Moment { sender: self, now }
    }
}

impl<'a> Moment<'a> {
    /// Why the record of this ticket is not completed; `None` when it is, or never was accepted.
    pub(crate) fn explain(self, ticket: Ticket) -> Option<String> {
        let slot = self.sender.accumulator.find_ticket(ticket)?;
        Some(self.explain_batch(slot))
    }

    /// `orders-3: ` and the reason.
    pub(super) fn explain_batch(self, slot: BatchSlot) -> String {
        let batch = self.sender.accumulator.batch(slot);
        let partition = self.sender.metadata.partition(batch.partition);
        let topic = &self.sender.metadata.topic_of(batch.partition).name;
        let reason = self.reason(slot, batch);
        format!("{topic}-{}: {reason}", partition.index)
    }

    fn reason(self, slot: BatchSlot, batch: &Batch) -> String {
        let lane = &self.sender.lanes[batch.partition.index()];
        match batch.place {
            Place::InFlight(conn) => self.reason_in_flight(batch, conn),
            Place::Drained { conn, .. } => {
                let broker = self
                    .sender
                    .connections
                    .get(&conn)
                    .map(|c| self.broker_of(c));
                let address = broker.map_or(String::new(), Broker::address);
                format!("being sealed for {address}")
            }
            Place::Open if !lane.is_open_due && self.lingers(batch) => {
                let ends_at = batch.created + self.sender.config.linger;
                format!("lingering {} more", self.in_span(ends_at))
            }
            Place::Open | Place::Queued => {
                let ahead = lane
                    .queue
                    .iter()
                    .take_while(|queued| **queued != slot)
                    .count();
                let reason = self.reason_of_lane(batch.partition, lane);
                match ahead {
                    0 => reason,
                    _ => format!("behind {}: {reason}", counted(ahead, "batch")),
                }
            }
        }
    }

    /// Whether nothing has pressed an open batch, and its linger is not over. It is made due at the
    /// core's next call.
    fn lingers(self, batch: &Batch) -> bool {
        let ends_at = batch.created + self.sender.config.linger;
        ends_at > self.now && batch.ordinal >= self.sender.pressed_before
    }

    fn reason_in_flight(self, batch: &Batch, conn: crate::ConnId) -> String {
        let Some(connection) = self.sender.connections.get(&conn) else {
            return "in flight".to_owned();
        };
        let node = self.broker_of(connection).node;
        let attempt = batch.history.attempts + 1;
        let slot = self.sender.accumulator.find(batch.id);
        let sent = slot.and_then(|slot| self.sender.sent_with(conn, slot));
        let since = sent.map_or(self.now, |sent| sent.at());
        let throttled_until = self.broker_of(connection).throttled_until;
        let timeout = self.sender.config.request_timeout;
        let gives_up = connection.request_deadline(timeout, throttled_until);
        let gives_up = gives_up.map_or(String::new(), |at| {
            format!(
                ", no answer in {} more ends the connection",
                self.in_span(at)
            )
        });
        let span = Span(self.now.since(since));
        format!("in flight to broker {node} for {span}, attempt {attempt}{gives_up}")
    }

    /// Why a lane's next batch does not leave.
    fn reason_of_lane(self, partition: PartitionSlot, lane: &Lane) -> String {
        let next = lane
            .queue
            .front()
            .map(|slot| self.sender.accumulator.batch(*slot));
        if let Some(next) = next.filter(|next| next.history.not_before > self.now) {
            let pause = self.in_span(next.history.not_before);
            let cause = next.history.last_failure.as_ref();
            let cause = cause.map_or(String::new(), |cause| format!(" ({cause})"));
            return format!("attempt {} in {pause}{cause}", next.history.attempts + 1);
        }
        let Some(broker) = self.sender.leader_of(partition) else {
            return self.reason_without_leader(lane);
        };
        let broker = &self.sender.brokers[broker.index()];
        let Some(conn) = broker.conn else {
            return self.reason_unconnected(broker);
        };
        let connection = &self.sender.connections[&conn];
        if let Some(doubt) = self.reason_of_numbers(partition, lane, next) {
            return doubt;
        }
        self.reason_of_connection(broker, connection, lane)
    }

    fn reason_without_leader(self, lane: &Lane) -> String {
        let span = Span(lane.without_leader_now(self.now));
        let asked = self.reason_of_metadata(&self.sender.refresh);
        format!("leader unknown for {span}, {asked}")
    }

    fn reason_of_metadata(self, refresh: &Refresh) -> String {
        let attempt = refresh.attempt();
        match refresh.deadline() {
            None if refresh.waited_for().is_some() => {
                format!("metadata attempt {attempt} under way")
            }
            None => "metadata is not asked for".to_owned(),
            Some(deadline) => {
                format!(
                    "metadata attempt {attempt} in {}",
                    self.in_span(deadline.at)
                )
            }
        }
    }

    fn reason_unconnected(self, broker: &Broker) -> String {
        let (node, address) = (broker.node, broker.address());
        let again = if broker.retry_at > self.now {
            format!("again in {}", self.in_span(broker.retry_at))
        } else {
            "tried next".to_owned()
        };
        let last = broker.last_failure.as_ref();
        let last = last.map_or(String::new(), |(cause, hint)| format!(" ({cause}{hint})"));
        format!("broker {node} at {address} not connected, {again}{last}")
    }

    /// Whether the lane's numbers keep its next batch.
    fn reason_of_numbers(
        self,
        partition: PartitionSlot,
        lane: &Lane,
        next: Option<&Batch>,
    ) -> Option<String> {
        if !self.sender.config.enable_idempotence
            || next.is_some_and(|next| next.sequence.is_some())
        {
            return None;
        }
        if let Some(base) = lane.sequences.oldest_doubt() {
            let place = self.place_of(lane, "at");
            return Some(format!("head of line: sequence {base} unresolved{place}"));
        }
        if lane.sequences.must_restart() || self.sender.may_number(partition) {
            return None;
        }
        let registration = &self.sender.registration;
        let last = registration.last_failure.as_ref();
        let last = last.map_or(String::new(), |cause| format!(" ({cause})"));
        let asked = if !registration.asked.is_empty() {
            "asked for".to_owned()
        } else if registration.not_before > self.now {
            format!(
                "asked for again in {}",
                self.in_span(registration.not_before)
            )
        } else {
            "asked for next".to_owned()
        };
        Some(format!("no producer id yet, {asked}{last}"))
    }

    fn reason_of_connection(self, broker: &Broker, connection: &Connection, lane: &Lane) -> String {
        let node = broker.node;
        let phase = connection.phase;
        match phase {
            Phase::Connecting { give_up_at } | Phase::Negotiating { give_up_at } => {
                let left = self.in_span(give_up_at);
                return format!("broker {node}: {}, {left} left", phase.words());
            }
            Phase::Ready(_) => {}
        }
        if broker.throttled_until > self.now {
            let left = self.in_span(broker.throttled_until);
            return format!("broker {node} throttles for {left} more");
        }
        if lane.in_flight() > 0 {
            let go = if lane.in_flight() == 1 { "goes" } else { "go" };
            let batches = counted(lane.in_flight(), "batch");
            // To where they went, whoever leads by now (S7b).
            let place = self.place_of(lane, "to");
            return format!("{batches} of its partition, under way{place}, {go} first");
        }
        if connection.room(self.sender.rules.max_in_flight).is_none() {
            let requests = counted(connection.requests(), "request");
            return format!("{requests} under way to broker {node}, no room for another");
        }
        format!("its turn at broker {node} comes with the next call of the core")
    }

    /// ` at broker 2`: where what is under way is, all of it (S7b).
    fn place_of(self, lane: &Lane, word: &str) -> String {
        let connection = lane
            .conn()
            .and_then(|conn| self.sender.connections.get(&conn));
        connection.map_or(String::new(), |connection| {
            format!(" {word} broker {}", self.broker_of(connection).node)
        })
    }

    fn broker_of(self, connection: &Connection) -> &'a Broker {
        &self.sender.brokers[connection.broker.index()]
    }

    /// How long until then.
    fn in_span(self, at: Instant) -> Span {
        Span(at.since(self.now))
    }
}
