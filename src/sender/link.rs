//! Connections: made, negotiated, read from, lost.

use super::Sender;
use super::chronicle::Sent;
use crate::accumulator::batch::Place;
use crate::boundary::{ConnId, Input, Output};
use crate::connection::Connection;
use crate::connection::in_flight::{Request, RequestKind};
use crate::connection::phase::{self, PhaseEvent, Step};
use crate::error::DeliveryCause;
use crate::seal::SealedJob;
use crate::slot::{BrokerSlot, PartitionSlot};
use crate::trace::TraceEvent;
use crate::wire::{self, api_versions};
use core::fmt;

/// How a connection ended: it decides which bytes may have left (invariant S2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The driver said so; what it did not report as sent never left.
    Closed,
    /// We say so; what the driver fetched may leave until it obeys.
    Dropped,
}

impl Sender {
    /// Notes a fact.
    pub(crate) fn handle_input(&mut self, input: Input<'_>) {
        self.has_facts = true;
        match input {
            Input::Connected(conn) => self.on_connected(conn),
            Input::Received(conn, bytes) => self.on_received(conn, bytes),
            Input::Sent(conn, bytes) => self.on_sent(conn, bytes),
            Input::Closed(conn, cause) => {
                self.lose(conn, &DeliveryCause::Disconnected(cause), Ending::Closed);
            }
            Input::Sealed(job) => self.on_sealed(job),
        }
    }

    /// Begins a connection.
    pub(super) fn connect(&mut self, slot: BrokerSlot) {
        let broker = &mut self.brokers[slot.index()];
        assert!(broker.conn.is_none(), "one connection per broker");
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        broker.conn = Some(conn);
        let (host, port) = (broker.host.clone(), broker.port);
        let give_up_at = self.now + self.setup.span(broker.slow + 1);
        let frame_bytes_max = self.config.receive_message_max_bytes;
        let since = *broker.trying_since.get_or_insert(self.now);
        let connection = Connection::new(conn, slot, since, give_up_at, frame_bytes_max);
        self.connections.insert(conn, connection);
        self.stats.connects += 1;
        self.meters.on_connect(self.now);
        self.outputs.push_back(Output::Connect { conn, host, port });
    }

    /// What the event means in the connection's phase, by the table.
    pub(super) fn step(&self, conn: ConnId, event: PhaseEvent) -> Step {
        let phase = self
            .connections
            .get(&conn)
            .map(|connection| connection.phase.kind());
        phase.map_or(Step::Ignore, |phase| phase::step(phase, event))
    }

    /// Queues a request for writing and remembers how to read its answer.
    pub(super) fn emit(
        &mut self,
        conn: ConnId,
        correlation_id: i32,
        version: i16,
        kind: RequestKind,
        chunks: Vec<bytes::Bytes>,
    ) {
        let is_unanswered = self.rules.is_unanswered && matches!(kind, RequestKind::Produce(_));
        let connection = self
            .connections
            .get_mut(&conn)
            .expect("emitted on a live connection");
        let broker = connection.broker;
        let begins_at = connection.progress.emitted();
        for bytes in chunks {
            connection.progress.on_emitted(bytes.len());
            self.outputs.push_back(Output::Transmit { conn, bytes });
        }
        let ends_at = connection.progress.emitted();
        let sent_at = self.now;
        connection.used_at = sent_at;
        connection.was_asked_last = matches!(kind, RequestKind::Metadata(_));
        let request = Request {
            correlation_id,
            sent_at,
            begins_at,
            ends_at,
            version,
            kind,
        };
        if is_unanswered {
            connection.unanswered.push_back(request);
        } else {
            connection.in_flight.push(request);
        }
        self.stats.requests += 1;
        self.stats.request_bytes += ends_at - begins_at;
        self.meters.on_request(sent_at, broker, ends_at - begins_at);
    }

    fn on_sent(&mut self, conn: ConnId, bytes: usize) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        connection.progress.on_sent(bytes);
        connection.used_at = self.now;
        let (broker, sent) = (connection.broker, connection.progress.sent());
        let written = connection
            .unanswered
            .iter()
            .take_while(|request| request.ends_at <= sent);
        let count = written.count();
        let written: Vec<Request> = connection.unanswered.drain(..count).collect();
        for request in written {
            self.on_written(broker, request);
        }
    }

    fn on_received(&mut self, conn: ConnId, mut bytes: &[u8]) {
        if let Some(connection) = self.connections.get(&conn) {
            let broker = connection.broker;
            self.meters.on_received(self.now, broker, bytes.len());
        }
        // A frame may end its connection: then the rest of the bytes is nobody's.
        while let Some(connection) = self.connections.get_mut(&conn) {
            connection.used_at = self.now;
            match connection.frames.next(&mut bytes) {
                Ok(Some(frame)) => self.on_frame(conn, &frame),
                Ok(None) => return,
                Err(error) => self.on_nonsense(conn, &error),
            }
        }
    }

    /// An answer: it belongs to the oldest request or the connection is broken (S6).
    fn on_frame(&mut self, conn: ConnId, frame: &[u8]) {
        let correlation_id = match wire::correlation_id(frame) {
            Ok(correlation_id) => correlation_id,
            Err(error) => return self.on_nonsense(conn, &error),
        };
        let connection = self
            .connections
            .get_mut(&conn)
            .expect("the frame's connection");
        let oldest = connection.in_flight.oldest();
        let Some(oldest) = oldest.filter(|oldest| oldest.correlation_id == correlation_id) else {
            return self.on_unasked(conn, correlation_id);
        };
        let version = oldest.version;
        match &oldest.kind {
            RequestKind::ApiVersions => match api_versions::decode_response(version, frame) {
                Ok(answer) => {
                    self.pop_answered(conn, correlation_id);
                    self.on_versions(conn, version, &answer);
                }
                Err(error) => self.on_nonsense(conn, &error),
            },
            RequestKind::Metadata(_) => match wire::metadata::decode_response(version, frame) {
                Ok(answer) => {
                    if let Some(request) = self.pop_answered(conn, correlation_id)
                        && let RequestKind::Metadata(asked) = request.kind
                    {
                        self.on_metadata(conn, request.sent_at, asked, &answer);
                    }
                }
                Err(error) => self.on_nonsense(conn, &error),
            },
            RequestKind::InitProducerId => {
                match wire::init_producer_id::decode_response(version, frame) {
                    Ok(answer) => {
                        self.pop_answered(conn, correlation_id);
                        self.on_init_producer_id(conn, &answer);
                    }
                    Err(error) => self.on_nonsense(conn, &error),
                }
            }
            RequestKind::Produce(_) => match wire::produce::decode_response(version, frame) {
                Ok(answer) => {
                    if let Some(request) = self.pop_answered(conn, correlation_id) {
                        self.on_produced(conn, &request, answer);
                    }
                }
                Err(error) => self.on_nonsense(conn, &error),
            },
        }
    }

    /// The oldest request of a connection is answered.
    fn pop_answered(&mut self, conn: ConnId, correlation_id: i32) -> Option<Request> {
        let connection = self.connections.get_mut(&conn)?;
        let request = connection.in_flight.pop_answered(correlation_id)?;
        let latency = match request.kind {
            RequestKind::Produce(_) => Some(self.now.since(request.sent_at)),
            RequestKind::ApiVersions | RequestKind::Metadata(_) | RequestKind::InitProducerId => {
                None
            }
        };
        self.meters
            .on_response(self.now, connection.broker, latency);
        Some(request)
    }

    /// Some brokers answer acks=0: such answers are read and ignored. Any other is nonsense.
    fn on_unasked(&mut self, conn: ConnId, correlation_id: i32) {
        let connection = &self.connections[&conn];
        if self.rules.is_unanswered && connection.has_given(correlation_id) {
            return;
        }
        let words = format_args!("an answer to request {correlation_id}, which was not next");
        self.on_nonsense(conn, &words);
    }

    /// The broker's bytes make no sense: nothing after them can be trusted (B1, B4).
    pub(super) fn on_nonsense(&mut self, conn: ConnId, error: &dyn fmt::Display) {
        let cause = DeliveryCause::Protocol(error.to_string().into());
        self.lose(conn, &cause, Ending::Dropped);
    }

    /// A connection is gone. Its requests become retries or failures, and its broker is left in
    /// peace for a while.
    pub(super) fn lose(&mut self, conn: ConnId, cause: &DeliveryCause, ending: Ending) {
        let Some(connection) = self.connections.remove(&conn) else {
            return;
        };
        self.meters.on_disconnect(self.now);
        if ending == Ending::Dropped {
            self.outputs.push_back(Output::Disconnect(conn));
        }
        let slot = connection.broker;
        let was_ready = connection.versions().is_some();
        let hint = self.hint(&connection, cause);
        let broker = &mut self.brokers[slot.index()];
        broker.conn = None;
        broker.failures = if was_ready {
            0
        } else {
            broker.failures.saturating_add(1)
        };
        if *cause == DeliveryCause::SetupTimeout {
            broker.slow = broker.slow.saturating_add(1);
        }
        broker.retry_at = self.now + self.reconnect.pause(broker.failures.max(1), &mut self.rng);
        broker.last_failure = Some((cause.clone(), hint));
        let (node, retry_at) = (broker.node, broker.retry_at);
        let cause_told = cause.clone();
        self.trace(|_| TraceEvent::ConnectionLost {
            conn,
            node,
            cause: cause_told,
            retry_at,
        });
        let left = match ending {
            Ending::Closed => connection.progress.sent(),
            Ending::Dropped => connection.progress.handed(),
        };
        let Connection {
            in_flight,
            unanswered,
            drafts,
            ..
        } = connection;
        for request in in_flight.into_requests().chain(unanswered) {
            let sent = Sent::of(&request, node, left);
            let sent = (left > request.begins_at).then_some(&sent);
            match request.kind {
                RequestKind::ApiVersions => {}
                RequestKind::InitProducerId => self.on_identity_lost(conn, cause),
                RequestKind::Metadata(asked) => {
                    let rng = &mut self.rng;
                    self.refresh.on_lost(self.now, conn, asked, rng);
                }
                RequestKind::Produce(carried) => {
                    for carried in carried {
                        self.lanes[carried.partition.index()].on_request_ended();
                        self.on_attempt_lost(carried, sent, cause);
                    }
                }
            }
        }
        for carried in drafts.into_iter().flat_map(|draft| draft.carried) {
            self.on_attempt_lost(carried, None, cause);
        }
        if self.rules.is_unanswered && was_ready {
            self.doubt_all(slot);
        }
        // Its partitions may have moved elsewhere.
        if !self.lanes.is_empty() {
            self.refresh.want_all();
        }
    }

    /// A broker that leads no more has no other way to say so, where it is not asked to answer
    /// (acks=0), than to close the connection.
    fn doubt_all(&mut self, broker: BrokerSlot) {
        let node = self.brokers[broker.index()].node;
        for (index, lane) in self.lanes.iter().enumerate() {
            if lane.leader == Some(broker) {
                self.metadata.doubt(PartitionSlot::at(index), node, false);
            }
        }
    }

    fn on_sealed(&mut self, job: SealedJob) {
        let SealedJob {
            batch: id,
            front,
            body,
            spare,
            part_raw_bytes,
            body_room_bytes: _,
        } = job;
        let place = if let Some(slot) = self.accumulator.find(id) {
            self.accumulator
                .put_sealed(slot, front, body, spare, part_raw_bytes);
            let batch = self.accumulator.batch(slot);
            let (partition, place) = (batch.partition, batch.place);
            self.mark_ready(partition);
            match place {
                Place::Drained { conn, draft } => Some((conn, draft)),
                Place::Open | Place::Queued | Place::InFlight(_) => None,
            }
        } else {
            // It expired while it was away; its draft, if that still is, waits for it.
            let mut drafts = self.connections.values();
            drafts.find_map(|connection| Some((connection.id, connection.draft_of(id)?)))
        };
        if let Some((conn, draft)) = place
            && let Some(connection) = self.connections.get_mut(&conn)
        {
            connection.on_sealed(draft);
            self.emit_drafts(conn);
        }
    }

    /// Closes connections that are wanted no more and owe nothing.
    pub(super) fn retire_connections(&mut self) {
        let idle = |connection: &&Connection| connection.is_retiring && connection.requests() == 0;
        while let Some(conn) = self.connections.values().find(idle).map(|c| c.id) {
            self.end_idle(conn);
        }
    }

    /// Closes a connection that owes nothing and is owed nothing.
    pub(super) fn end_idle(&mut self, conn: ConnId) {
        let connection = self.connections.remove(&conn).expect("it was looked at");
        assert_eq!(connection.requests(), 0, "nothing is under way there");
        self.meters.on_disconnect(self.now);
        self.brokers[connection.broker.index()].conn = None;
        self.outputs.push_back(Output::Disconnect(conn));
    }
}
