//! What the network and the cluster bring.

use core::time::Duration;

use titorelli::{CloseCause, ConnId, Input};

use super::World;
use crate::check::judgement;
use crate::cluster::{ClusterEvent, ClusterOutput};
use crate::journal::{Journal, OwnedRecord, RecordId, RecordState};
use crate::marks::Mark;
use crate::network::Event;

/// How many of the records that a leader took with it were acked.
fn acked_and_lost(journal: &Journal, event: &ClusterEvent) -> usize {
    let ClusterEvent::Lost {
        topic,
        partition,
        from_offset,
        ..
    } = event
    else {
        return 0;
    };
    let is_lost = |(_, record, state): &(RecordId, &OwnedRecord, &RecordState)| match state {
        RecordState::Acked {
            partition: index,
            offset,
        } => record.topic == *topic && index == partition && offset >= from_offset,
        RecordState::Waiting(_)
        | RecordState::Rejected(_)
        | RecordState::Cancelled
        | RecordState::Accepted(_)
        | RecordState::NotPersisted(_)
        | RecordState::MaybePersisted(_) => false,
    };
    journal.records().filter(is_lost).count()
}

impl World {
    /// What the network brings: at once to the broker, and to the core as soon as it is awake.
    pub(super) fn on_event(&mut self, event: Event) {
        let is_cores = match event {
            Event::Knock(_) | Event::ToBroker(..) | Event::BrokerSeesEnd(_) => false,
            Event::Established(_)
            | Event::Refused(_)
            | Event::Sent(..)
            | Event::ToClient(..)
            | Event::ClientSeesEnd(..)
            | Event::Sealed(_) => true,
        };
        if is_cores && self.naps.is_asleep() {
            self.missed.push_back(event);
            return;
        }
        self.carry_out(event);
    }

    /// The core is called again, and hears of everything at once.
    pub(super) fn wake(&mut self) {
        if !self.naps.is_asleep() {
            return;
        }
        self.naps.end(self.now);
        self.note("fault", "the core is called again");
        if let Some(flights) = &mut self.flights {
            flights.on_woken(self.now);
        }
        while let Some(event) = self.missed.pop_front() {
            self.carry_out(event);
        }
    }

    fn carry_out(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Knock(conn) => self.on_knock(conn),
            Event::Established(conn) => {
                if self.connections[conn].is_open {
                    self.mark_apart(|| Mark::Connected(conn));
                }
                self.inform(conn, Input::Connected(conn));
            }
            Event::Refused(conn) => {
                let cause = CloseCause::Unreachable("connection refused".into());
                self.inform_end(conn, cause);
            }
            Event::Sent(conn, count) => {
                if let Some(flights) = &mut self.flights {
                    flights.on_sent(conn, count);
                }
                self.watch.on_sent(conn, count);
                self.inform(conn, Input::Sent(conn, count));
            }
            Event::ToBroker(conn, bytes) => {
                if let Some(peer) = self.connections[conn].peer {
                    self.is_cluster_touched = true;
                    self.cluster.receive(now, peer, &bytes);
                }
            }
            Event::ToClient(conn, bytes) => {
                if let Some(flights) = &mut self.flights {
                    flights.on_answer(now, conn, &bytes);
                }
                self.mark_answers(conn, &bytes);
                self.inform(conn, Input::Received(conn, &bytes));
                self.heard = Some(conn);
            }
            Event::BrokerSeesEnd(conn) => {
                let connection = &mut self.connections[conn];
                if let Some(peer) = connection.peer.take() {
                    self.peers.remove(&peer);
                    self.is_cluster_touched = true;
                    self.cluster.disconnected(peer);
                }
            }
            Event::ClientSeesEnd(conn, is_orderly) => {
                let cause = if is_orderly {
                    CloseCause::ByPeer
                } else {
                    CloseCause::Transport("connection reset".into())
                };
                self.inform_end(conn, cause);
            }
            Event::Sealed(job) => self.core.handle_input(now, Input::Sealed(job.run())),
        }
    }

    fn on_knock(&mut self, conn: ConnId) {
        let connection = &mut self.connections[conn];
        // Somebody else may have come to live there meanwhile.
        connection.broker = self.cluster.broker_at(&connection.host, connection.port);
        if connection
            .broker
            .is_some_and(|broker| self.stalled.contains(&broker))
        {
            return;
        }
        match connection
            .broker
            .and_then(|broker| self.cluster.connect(broker))
        {
            Some(peer) => {
                connection.peer = Some(peer);
                self.peers.insert(peer, conn);
                self.network.accept(self.now, conn);
            }
            None => self.network.refuse(self.now, conn),
        }
    }

    /// Tells the core a fact about a connection that it has not ended.
    fn inform(&mut self, conn: ConnId, input: Input<'_>) {
        if self.connections[conn].is_open {
            self.core.handle_input(self.now, input);
        }
    }

    fn inform_end(&mut self, conn: ConnId, cause: CloseCause) {
        if self.connections[conn].is_open {
            self.end(conn, false);
            self.mark_apart(|| Mark::Ends(conn, true));
            self.core.handle_input(self.now, Input::Closed(conn, cause));
        }
    }

    /// `is_own_doing`: the core has ended it.
    pub(super) fn end(&mut self, conn: ConnId, is_own_doing: bool) {
        let connection = &mut self.connections[conn];
        assert!(connection.is_open, "a connection ends once");
        connection.is_open = false;
        if let Some(flights) = &mut self.flights {
            flights.on_end(conn, is_own_doing);
        }
    }

    pub(super) fn drain_cluster(&mut self) {
        while let Some(event) = self.cluster.poll_event() {
            judgement(&event);
            self.sights
                .cluster(&event, acked_and_lost(&self.journal, &event));
            self.narrate_cluster(&event);
        }
        while let Some(output) = self.cluster.poll_output() {
            match output {
                ClusterOutput::Transmit { peer, bytes } => {
                    if let Some(conn) = self.peers.get(&peer) {
                        let broker = self.connections[*conn].broker;
                        let bytes = match broker.and_then(|broker| self.garbled.remove(&broker)) {
                            None => bytes,
                            Some(garbling) => garbling.spoil(&bytes).into(),
                        };
                        let throttled = broker.and_then(|broker| self.throttled.get(&broker));
                        let until = throttled.map(|ms| self.now + Duration::from_millis(*ms));
                        self.network.respond(self.now, *conn, bytes);
                        if let Some(until) = until {
                            self.network.mute(*conn, until);
                        }
                    }
                }
                ClusterOutput::Close(peer) => {
                    if let Some(conn) = self.peers.remove(&peer) {
                        self.connections[conn].peer = None;
                        self.network.broker_closes(self.now, conn);
                    }
                }
            }
        }
    }
}
