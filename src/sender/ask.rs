//! Metadata: whom to ask, and what the answer changes.

use super::Sender;
use crate::boundary::{ConnId, Deadline, Reason};
use crate::connection::Connection;
use crate::connection::in_flight::RequestKind;
use crate::metadata::Topic;
use crate::sender::broker::Broker;
use crate::sender::lane::Lane;
use crate::slot::{Asked, BrokerSlot, PartitionSlot, TopicSlot};
use crate::time::Instant;
use crate::trace::TraceEvent;
use crate::wire::{ErrorCode, RequestHead, metadata as wire};
use std::collections::BTreeSet;

/// So many brokers that tell the same of a cluster are believed.
const AGREED_ENOUGH: usize = 3;

/// A metadata answer that was applied.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) asked: Asked,
    pub(crate) asked_at: Instant,
    /// It was not waited for any more.
    pub(crate) is_late: bool,
    /// It named brokers, and every topic that was asked for by name is known now, or has more
    /// partitions.
    pub(crate) has_news: bool,
}

/// Where a metadata request can go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Oracle {
    /// To this connection, now.
    Ask(ConnId),
    /// This broker can be connected to, at its `retry_at`.
    Connect(BrokerSlot),
    /// Something is under way that will free a connection, or fail.
    Wait,
}

impl Sender {
    /// Asks for metadata if it is time, and the connection is not to be left to others.
    pub(super) fn ask_metadata(&mut self, is_left: impl Fn(&Self, ConnId) -> bool) {
        self.give_up_question();
        if !self.refresh.is_due(self.now) {
            return;
        }
        self.refresh.on_due(self.now);
        match self.oracle() {
            Oracle::Ask(conn) if is_left(self, conn) => {}
            Oracle::Ask(conn) => self.send_metadata_request(conn),
            Oracle::Connect(slot) => {
                if self.brokers[slot.index()].retry_at <= self.now {
                    self.connect(slot);
                }
            }
            Oracle::Wait => {}
        }
    }

    /// A question is not waited for any more when its connection is slow and somebody else can be
    /// asked (L10). Nobody else: then all there is to do is wait.
    fn give_up_question(&mut self) {
        let Some(connection) = self.waited_for() else {
            return;
        };
        let asked = connection.owes_metadata().cloned();
        if connection.patience_ends_at() <= self.now
            && self.can_ask(self.now)
            && let Some(asked) = asked
        {
            self.refresh.on_given_up(self.now, asked, &mut self.rng);
        }
    }

    /// The connection whose answer about the cluster is waited for.
    fn waited_for(&self) -> Option<&Connection> {
        self.connections.get(&self.refresh.waited_for()?)
    }

    /// Whether the question that is waited for is about this topic, because somebody waits for it.
    pub(crate) fn is_asked_for(&self, topic: TopicSlot) -> bool {
        let asked = self.waited_for().and_then(Connection::owes_metadata);
        asked.is_some_and(|asked| asked.topics.contains(&topic))
    }

    /// Whether a question can go anywhere at that time, to a connection or by way of a new one.
    fn can_ask(&self, at: Instant) -> bool {
        match self.oracle_at(at) {
            Oracle::Ask(_) => true,
            Oracle::Connect(slot) => self.brokers[slot.index()].retry_at <= at,
            Oracle::Wait => false,
        }
    }

    /// When the question that is waited for can be given up, or when to look again whether it can.
    pub(super) fn give_up_deadline(&self) -> Option<Deadline> {
        let slow_at = self.waited_for()?.patience_ends_at();
        if slow_at == Instant::FAR {
            return None;
        }
        let at = slow_at.max(self.now);
        if self.can_ask(at) {
            let reason = Reason::RequestTimeout;
            return Some(Deadline { at, reason });
        }
        let reconnect = match self.oracle_at(at) {
            Oracle::Connect(slot) => Some(Deadline {
                at: self.brokers[slot.index()].retry_at,
                reason: Reason::ReconnectBackoff,
            }),
            Oracle::Ask(_) | Oracle::Wait => None,
        };
        self.relief_after(at)
            .into_iter()
            .chain(reconnect)
            .min_by_key(|deadline| deadline.at)
    }

    /// Whether the last place of a connection, which metadata had before, is for data if there is
    /// any.
    pub(super) fn is_turn_of_data(&self, conn: ConnId) -> bool {
        let connection = &self.connections[&conn];
        let is_last_place = connection.requests() + 1 >= self.rules.max_in_flight;
        is_last_place && connection.was_asked_last
    }

    /// Whom to ask: of the connections that answer one that was not asked in vain, the least
    /// loaded, and of equals the one whose broker was asked longest ago; else the broker that
    /// failed least. One that throttles or is slow holds nobody up who does not need it (L10, L14),
    /// and one that owes an answer is not asked anew (L9).
    pub(super) fn oracle(&self) -> Oracle {
        self.oracle_at(self.now)
    }

    /// Whom to ask at that time, if nothing happens until then.
    fn oracle_at(&self, at: Instant) -> Oracle {
        let limit = self.rules.max_in_flight;
        let is_free = |connection: &&Connection| {
            self.brokers[connection.broker.index()].throttled_until <= at
        };
        let is_quick = |connection: &&Connection| at < connection.patience_ends_at();
        let free = self.connections.values().filter(is_free);
        let can_take = |c: &&Connection| c.room(limit).is_some() && c.owes_metadata().is_none();
        let with_room = free.clone().filter(can_take);
        // Who was asked in vain comes last, and else each in turn: one that knows less than others,
        // and is not busy, would be asked for ever (L12).
        let broker = |c: &Connection| &self.brokers[c.broker.index()];
        let load = |c: &&Connection| (broker(c).in_vain, c.in_flight.len(), broker(c).asked_at);
        if let Some(connection) = with_room.clone().filter(is_quick).min_by_key(load) {
            let instead = self.instead_of(connection, at);
            return instead.unwrap_or(Oracle::Ask(connection.id));
        }
        if free.filter(is_quick).any(|c| !c.is_retiring) {
            return Oracle::Wait;
        }
        let candidate = self.candidate();
        if let Some(slot) = candidate
            && self.brokers[slot.index()].retry_at <= at
        {
            return Oracle::Connect(slot);
        }
        if let Some(connection) = with_room.min_by_key(load) {
            return Oracle::Ask(connection.id);
        }
        candidate.map_or(Oracle::Wait, Oracle::Connect)
    }

    /// Where one was asked in vain, somebody that is not connected comes first who failed less: it
    /// alone would be asked for ever else (L12). A moment is left to who is connected to for it.
    /// Where several tell the same it is so: a partition may have no leader for long.
    fn instead_of(&self, connection: &Connection, at: Instant) -> Option<Oracle> {
        let in_vain_of = |c: &Connection| self.brokers[c.broker.index()].in_vain;
        let in_vain = in_vain_of(connection);
        let connected = self.connections.values().filter(|c| !c.is_retiring);
        if in_vain == 0 || connected.filter(|c| in_vain_of(c) > 0).count() >= AGREED_ENOUGH {
            return None;
        }
        let is_better = |slot: BrokerSlot| self.brokers[slot.index()].troubles() < in_vain;
        let is_coming =
            |c: &Connection| c.versions().is_none() && !c.is_retiring && at < c.patience_ends_at();
        let mut connections = self.connections.values();
        if connections.any(|c| is_coming(c) && is_better(c.broker)) {
            return Some(Oracle::Wait);
        }
        let candidate = self.candidate().filter(|slot| is_better(*slot));
        let is_due = |slot: &BrokerSlot| self.brokers[slot.index()].retry_at <= at;
        candidate.filter(is_due).map(Oracle::Connect)
    }

    /// Of those that are not connected the one that failed least.
    fn candidate(&self) -> Option<BrokerSlot> {
        let has_brokers = self.has_brokers();
        let may_rebootstrap = self.may_rebootstrap() || !has_brokers;
        let candidates = self
            .brokers
            .iter()
            .enumerate()
            .filter(|(_, broker)| broker.is_current && broker.conn.is_none())
            .filter(|(_, broker)| {
                !broker.is_bootstrap() || (may_rebootstrap && !self.is_known(broker))
            });
        // Bootstrap servers come last as long as a broker of the cluster never failed. One that
        // serves only to send away has failed, too: else nobody but it would be asked (L12).
        let rank = |(_, broker): &(usize, &Broker)| {
            (
                broker.troubles(),
                broker.retry_at,
                has_brokers && broker.is_bootstrap(),
            )
        };
        let best = candidates.min_by_key(rank);
        best.map(|(index, _)| BrokerSlot::at(index))
    }

    /// Whether a bootstrap server is a broker of the cluster by now, with a backoff of its own.
    fn is_known(&self, bootstrap: &Broker) -> bool {
        let mut brokers = self
            .brokers
            .iter()
            .filter(|b| !b.is_bootstrap() && b.is_current);
        brokers.any(|broker| broker.host == bootstrap.host && broker.port == bootstrap.port)
    }

    fn send_metadata_request(&mut self, conn: ConnId) {
        let asked = self.refresh.on_asked(self.now, conn);
        let connection = self
            .connections
            .get_mut(&conn)
            .expect("asked on a live connection");
        let version = connection
            .versions()
            .expect("it has room, so it is ready")
            .metadata;
        self.brokers[connection.broker.index()].asked_at = self.now;
        let correlation_id = connection.take_correlation_id();
        // A topic that no broker knew is asked for only while somebody waits for it (L9).
        let is_asked = |slot, topic: &Topic| {
            (asked.is_all && topic.is_known()) || asked.topics.contains(&slot)
        };
        let topics = self
            .metadata
            .topics()
            .filter(|(slot, topic)| is_asked(*slot, topic));
        let names: Vec<&str> = topics.map(|(_, topic)| &*topic.name).collect();
        let head = RequestHead {
            correlation_id,
            client_id: Some(self.config.client_id()),
        };
        let allow_auto_create = self.config.allow_auto_create_topics;
        let frame = wire::encode_request(version, &head, Some(&names), allow_auto_create);
        self.stats.metadata_requests += 1;
        self.emit(
            conn,
            correlation_id,
            version,
            RequestKind::Metadata(asked),
            vec![frame],
        );
    }

    /// An answer about the cluster, to what was asked at `asked_at`. It is taken in whether it is
    /// still waited for or not, unless a later question is answered already: brokers and topics
    /// that have gone since would be back.
    pub(super) fn on_metadata(
        &mut self,
        conn: ConnId,
        asked_at: Instant,
        asked: Asked,
        answer: &wire::Response,
    ) {
        let slot = self.connections[&conn].broker;
        let is_late = self.refresh.waited_for() != Some(conn);
        if is_late && self.refresh.is_outdated(asked_at) {
            return self.throttle(slot, answer.throttle_time_ms);
        }
        if answer.error == ErrorCode::REBOOTSTRAP_REQUIRED {
            return self.on_sent_away(conn, asked, answer.throttle_time_ms);
        }
        self.informed_at = self.now;
        self.on_cluster_id(answer.cluster_id.as_deref());
        self.learn_brokers(&answer.brokers);
        let count = |sender: &Self, slot| sender.metadata.topic(slot).partitions.len();
        let before: Vec<_> = asked.topics.iter().map(|slot| count(self, *slot)).collect();
        let changed = self.metadata.apply(answer);
        // Somebody wished for each of these, or for more of its partitions.
        let mut wished = asked.topics.iter().zip(before);
        let has_grown = wished.all(|(slot, before)| count(self, *slot) > before);
        let is_told = !answer.brokers.is_empty();
        if !is_told && !self.lanes.is_empty() {
            self.refresh.want_all();
        }
        let has_news = is_told && has_grown;
        let metadata = &self.metadata;
        self.refresh
            .forget_if(|slot| metadata.topic(slot).is_known());
        for index in self.lanes.len()..self.metadata.partition_count() {
            self.lanes.push(Lane::default());
            self.accumulator.add_partition(PartitionSlot::at(index));
        }
        for partition in changed {
            self.on_new_leader(partition);
        }
        for partition in core::mem::take(&mut self.leaderless) {
            self.mark_ready(partition);
        }
        if is_told {
            self.note_use(slot, asked_at);
        }
        self.choose_format(self.accumulator.format());
        self.answered = Some(Answered {
            asked,
            asked_at,
            is_late,
            has_news,
        });
        self.throttle(slot, answer.throttle_time_ms);
    }

    /// Whether a broker was asked about the cluster in vain at that time: something still waits for
    /// a leader, or for one that does not deny it. Where it was not, that of others weighs no more
    /// than a single failure.
    fn note_use(&mut self, slot: BrokerSlot, asked_at: Instant) {
        let is_denied = self.denied.values().any(|at| *at <= asked_at);
        if is_denied || self.has_leaderless() {
            let in_vain = &mut self.brokers[slot.index()].in_vain;
            *in_vain = in_vain.saturating_add(1);
        } else {
            for broker in &mut self.brokers {
                broker.in_vain = broker.in_vain.min(1);
            }
            self.brokers[slot.index()].in_vain = 0;
        }
    }

    /// A partition is led by somebody else, in another epoch, or by nobody. A newer epoch is worth
    /// an attempt at once: the backoff was for the old one (KAFKA-15415, invariant L8).
    pub(super) fn on_new_leader(&mut self, partition: PartitionSlot) {
        self.denied.remove(&partition);
        self.unmark(partition);
        let told = self.metadata.partition(partition);
        let leader = self.leader_of(partition);
        let lane = &mut self.lanes[partition.index()];
        let batches = lane.queue.len();
        if let Some(before) = core::mem::replace(&mut lane.leader, leader) {
            self.brokers[before.index()].backlog_batches -= batches;
        }
        if let Some(after) = leader {
            self.brokers[after.index()].backlog_batches += batches;
        }
        if lane.on_new_leader(told.leader.map(|_| told.leader_epoch)) {
            for slot in &lane.queue {
                self.accumulator.batch_mut(*slot).history.not_before = self.now;
            }
        }
        self.mark_ready(partition);
        self.trace(|sender| {
            let told = sender.metadata.partition(partition);
            TraceEvent::LeaderChanged {
                topic: sender.metadata.topic_of(partition).name.clone(),
                partition: told.index,
                leader: told.leader,
                epoch: told.leader_epoch,
            }
        });
    }

    /// Takes over the list of brokers. An empty one says nothing (S15).
    fn learn_brokers(&mut self, told: &[wire::Broker]) {
        if told.is_empty() {
            return;
        }
        self.refresh.on_told();
        for broker in self
            .brokers
            .iter_mut()
            .filter(|broker| !broker.is_bootstrap())
        {
            broker.is_current = false;
        }
        let mut new = Vec::new();
        for told in told.iter().filter(|told| told.node_id >= 0) {
            let Ok(port) = u16::try_from(told.port) else {
                continue;
            };
            let Some(slot) = self.by_node.get(&told.node_id).copied() else {
                new.push((told, port));
                continue;
            };
            self.brokers[slot.index()].is_current = true;
            self.readdress(slot, &told.host, port);
        }
        if !new.is_empty() {
            self.welcome(&new);
        }
        // Bootstrap servers have served: the cluster's own names are known now.
        for index in 0..self.brokers.len() {
            let broker = &self.brokers[index];
            if broker.is_bootstrap() || !broker.is_current {
                self.retire(BrokerSlot::at(index));
            }
        }
    }

    /// A broker that is known listens here. The same id at another address: whom it is connected to
    /// is somebody else (L12).
    pub(super) fn readdress(&mut self, slot: BrokerSlot, host: &str, port: u16) {
        let broker = &mut self.brokers[slot.index()];
        if *broker.host == *host && broker.port == port {
            return;
        }
        (broker.host, broker.port) = (host.into(), port);
        (broker.failures, broker.in_vain, broker.retry_at) = (0, 0, self.now);
        broker.trying_since = None;
        broker.format = None;
        self.retire(slot);
    }

    /// Takes in brokers with their ports, whose ids were not known. They get the places of those
    /// that the cluster names no more, so that these do not pile up (B7).
    pub(super) fn welcome(&mut self, new: &[(&wire::Broker, u16)]) {
        let lanes = self.lanes.iter();
        let needed: BTreeSet<BrokerSlot> = lanes
            .flat_map(|lane| lane.leader.into_iter().chain(lane.ring))
            .collect();
        let is_left = |slot: &BrokerSlot| {
            let broker = &self.brokers[slot.index()];
            let is_wanted = broker.is_bootstrap() || broker.is_current || broker.conn.is_some();
            !is_wanted && !needed.contains(slot)
        };
        let slots = (0..self.brokers.len()).map(BrokerSlot::at);
        let mut left: Vec<BrokerSlot> = slots.filter(is_left).collect();
        for (told, port) in new {
            if self.by_node.contains_key(&told.node_id) {
                continue;
            }
            let broker = Broker::new(told.node_id, told.host.as_str().into(), *port);
            let slot = left.pop().unwrap_or(BrokerSlot::at(self.brokers.len()));
            if let Some(before) = self.brokers.get_mut(slot.index()) {
                self.by_node.remove(&before.node);
                self.meters.forget_node(slot);
                *before = broker;
            } else {
                self.brokers.push(broker);
            }
            self.by_node.insert(told.node_id, slot);
        }
    }

    /// No new requests on the broker's connection; it closes when it owes nothing.
    pub(super) fn retire(&mut self, slot: BrokerSlot) {
        if let Some(conn) = self.brokers[slot.index()].conn
            && let Some(connection) = self.connections.get_mut(&conn)
        {
            connection.is_retiring = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::wire;
    use crate::sender::Sender;
    use crate::{Config, ConnId, Instant, Output, ProducerCore, Record, SendError};

    /// The connections that the core begins until `until`, and when, in milliseconds.
    fn connects(core: &mut ProducerCore, until: Instant) -> Vec<(u64, ConnId, String)> {
        let mut begun = Vec::new();
        while let Some(deadline) = core.poll_timeout().filter(|deadline| deadline.at < until) {
            core.handle_timeout(deadline.at);
            while let Some(output) = core.poll_output() {
                if let Output::Connect { conn, host, .. } = output {
                    begun.push((deadline.at.as_micros() / 1_000, conn, host.to_string()));
                }
            }
        }
        begun
    }

    /// A cluster whose brokers are replaced all the time (B7).
    #[test]
    fn brokers_that_are_named_no_more_leave_their_places() {
        let mut sender = Sender::new(Config::default(), [7; 32], Instant::ZERO).expect("valid");
        let bootstrap_count = sender.brokers.len();
        let named = |node_id| wire::Broker {
            node_id,
            host: format!("h{node_id}"),
            port: 9092,
            rack: None,
        };
        for id in 0..100 {
            sender.learn_brokers(&[named(1_000), named(id), named(id + 1), named(id + 1)]);
            let current = sender.brokers.iter().filter(|b| b.is_current);
            assert_eq!(current.count(), bootstrap_count + 3);
        }
        assert_eq!(sender.brokers.len(), bootstrap_count + 3);
        assert_eq!(sender.by_node.len(), 3);
        for (node, slot) in &sender.by_node {
            assert_eq!(sender.brokers[slot.index()].node, *node);
        }
    }

    #[test]
    fn a_connection_that_takes_its_time_does_not_hold_up_the_others() {
        let config = Config {
            bootstrap_servers: vec!["a,b,c".to_owned()],
            ..Config::default()
        };
        let mut core = ProducerCore::new(config, [7; 32], Instant::ZERO).expect("valid");
        let sent = core.send(Instant::ZERO, &Record::to("t").value(b"v"));
        assert!(matches!(sent, Err(SendError::WouldBlock(_))));
        // Nobody answers at all: each is given a moment before the next is tried beside it.
        let begun = connects(&mut core, Instant::from_millis(9_000));
        let times: Vec<u64> = begun.iter().map(|(at, ..)| *at).collect();
        assert_eq!(times, [0, 1_000, 2_000]);
        let mut hosts: Vec<&str> = begun.iter().map(|(_, _, host)| &**host).collect();
        hosts.sort_unstable();
        assert_eq!(hosts, ["a", "b", "c"], "each once, in any order");
    }
}
