//! The control plane: which batch, to whom, when, again?
//!
//! Owns: brokers, connections, the lane of every partition, and the three rooms below it
//! (accumulator, metadata, connection). Never: the application's calls; those are
//! [`ProducerCore`](crate::ProducerCore)'s.

mod answer;
pub(crate) mod ask;
pub(crate) mod broker;
mod chronicle;
mod describe;
mod divide;
mod drain;
mod explain;
mod gap;
mod hint;
mod identity;
pub(crate) mod lane;
mod link;
mod load;
mod negotiate;
mod rebootstrap;
pub(crate) mod sequence;
mod times;
pub(crate) mod verdict;
mod withdraw;

use crate::accumulator::Accumulator;
use crate::accumulator::batch::Place;
use crate::backoff::Backoff;
use crate::boundary::{ConnId, Outcome, Output};
use crate::config::{Acks, ApiVersion, Config, servers};
use crate::connection::Connection;
use crate::error::{ConfigError, DeliveryCause, DeliveryError};
use crate::metadata::Metadata;
use crate::metadata::refresh::Refresh;
use crate::metrics::Meters;
use crate::random;
use crate::slot::{BatchSlot, BrokerSlot, PartitionSlot};
use crate::stats::Stats;
use crate::time::Instant;
use crate::trace::TraceEvent;
use crate::wire::Versions;
use ask::Answered;
use broker::Broker;
use identity::Registration;
use lane::{Lane, Rules};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Everything between the application's calls and the bytes.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) config: Config,
    pub(crate) rng: ChaCha8Rng,
    pub(crate) now: Instant,
    pub(crate) metadata: Metadata,
    pub(crate) refresh: Refresh,
    pub(crate) accumulator: Accumulator,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) stats: Stats,
    pub(crate) meters: Meters,
    /// When a broker last told about the cluster.
    informed_at: Instant,
    /// The partitions whose leader denied itself, and when, until another is told or it leads.
    denied: BTreeMap<PartitionSlot, Instant>,
    rules: Rules,
    /// The versions of the release that `api_version` names: no broker is asked then.
    pinned: Option<Versions>,
    retry: Backoff,
    reconnect: Backoff,
    /// How long the set-up of a connection may take; without jitter.
    setup: Backoff,
    brokers: Vec<Broker>,
    by_node: BTreeMap<i32, BrokerSlot>,
    connections: BTreeMap<ConnId, Connection>,
    next_conn: u64,
    /// By partition slot.
    lanes: Vec<Lane>,
    registration: Registration,
    /// What the brokers call their cluster.
    cluster_id: Option<Arc<str>>,
    /// Lanes whose sequence numbers have to begin again.
    restarting: BTreeSet<PartitionSlot>,
    /// Why nothing can be produced any more (S14).
    pub(crate) fatal: Option<DeliveryCause>,
    /// Lanes whose next batch is in backoff.
    backing_off: BTreeSet<(Instant, PartitionSlot)>,
    /// Lanes with something to send and nobody to send it to.
    leaderless: BTreeSet<PartitionSlot>,
    /// Open batches with a lower ordinal are due, lingering or not: flush, close, memory pressure.
    pressed_before: u64,
    /// A metadata answer was applied, and the waiters were not looked at yet.
    answered: Option<Answered>,
    /// Facts were noted that nobody has acted on.
    has_facts: bool,
    /// A batch was closed for a leader that has a backlog.
    pub(crate) is_crowded: bool,
}

/// A leader's backlog of closed batches beyond this gains no throughput: it is cold memory and
/// waiting time. `buffer_memory` may well be more; that is for outages.
const BACKLOG_BYTES: usize = 1_048_576;
/// Smaller batches count as much as this.
const BACKLOG_BATCH_BYTES_MIN: usize = 1_024;

impl Sender {
    pub(crate) fn new(config: Config, seed: [u8; 32], now: Instant) -> Result<Self, ConfigError> {
        config.check()?;
        let mut brokers = Vec::new();
        let mut node = 0;
        for server in servers::parse(&config.bootstrap_servers)? {
            node -= 1;
            brokers.push(Broker::new(node, server.host, server.port));
        }
        // Producers that start together do not all begin with the same server.
        let mut rng = ChaCha8Rng::from_seed(seed);
        random::shuffle(&mut rng, &mut brokers);
        let retry = Backoff {
            base: config.retry_backoff,
            max: config.effective_retry_backoff_max(),
            jitter_percent: config.backoff_jitter_percent,
        };
        let reconnect = Backoff {
            base: config.reconnect_backoff,
            max: config.effective_reconnect_backoff_max(),
            jitter_percent: config.backoff_jitter_percent,
        };
        let setup = Backoff {
            base: config.socket_connection_setup_timeout,
            max: config.effective_socket_connection_setup_timeout_max(),
            jitter_percent: 0,
        };
        let pinned = match config.api_version {
            ApiVersion::Auto => None,
            ApiVersion::Release(release) => release.versions(),
        };
        Ok(Self {
            rng,
            now,
            metadata: Metadata::new(),
            refresh: Refresh::new(config.metadata_max_age, retry),
            accumulator: Accumulator::new(&config),
            outputs: VecDeque::new(),
            stats: Stats::default(),
            meters: Meters::new(config.metrics_sample_window, config.metrics_num_samples),
            informed_at: now,
            denied: BTreeMap::new(),
            rules: Rules {
                max_in_flight: config.max_in_flight_requests_per_connection,
                is_unanswered: config.acks == Acks::None,
            },
            pinned,
            retry,
            reconnect,
            setup,
            brokers,
            by_node: BTreeMap::new(),
            connections: BTreeMap::new(),
            next_conn: 0,
            lanes: Vec::new(),
            registration: Registration::default(),
            cluster_id: None,
            restarting: BTreeSet::new(),
            fatal: None,
            backing_off: BTreeSet::new(),
            leaderless: BTreeSet::new(),
            pressed_before: 0,
            answered: None,
            has_facts: false,
            is_crowded: false,
            config,
        })
    }

    /// Acts on all facts and timers, in this order: what ends comes before what begins, and
    /// metadata before data, so that a full connection cannot starve it (museum M61). On a
    /// connection with room for one request they take turns, so that neither starves (L10).
    pub(crate) fn advance(&mut self, now: Instant) {
        self.now = now;
        self.has_facts = false;
        self.give_up_connections();
        self.expire_batches();
        self.end_lingers();
        self.end_backoffs();
        self.restart_sequences();
        self.rebootstrap();
        self.ask_metadata(Self::is_turn_of_data);
        self.ask_identity();
        self.drain();
        self.ask_metadata(|_, _| false);
        self.retire_connections();
    }

    /// Everything that is open now becomes due, without waiting for its linger.
    pub(crate) fn press(&mut self) {
        self.pressed_before = self.accumulator.next_ordinal();
        self.has_facts = true;
    }

    /// What `append` did that the hot path leaves to others: batches closed, or one opened.
    #[cold]
    #[inline(never)]
    pub(crate) fn on_appended(&mut self, partition: PartitionSlot) {
        self.put_down_opened(partition);
        self.queue_closed();
        if self.config.linger.is_zero() && self.accumulator.has_open(partition) {
            self.make_open_due(partition);
        }
    }

    /// Queues the batches that closed themselves.
    fn queue_closed(&mut self) {
        // Popped in reverse order of closing; the ordinal puts them right.
        while let Some((partition, batch)) = self.accumulator.pop_just_closed() {
            // It was the closed batch that was due; one opened since lingers for itself.
            self.lanes[partition.index()].is_open_due = false;
            self.enqueue(partition, batch);
            self.is_crowded |= self.has_crowd(partition);
        }
    }

    /// Whether the leader of this partition has a connection, and more than it can take at once.
    fn has_crowd(&self, partition: PartitionSlot) -> bool {
        let Some(leader) = self.lanes[partition.index()].leader else {
            return false;
        };
        let broker = &self.brokers[leader.index()];
        let batch_bytes = self.config.batch_size.max(BACKLOG_BATCH_BYTES_MIN);
        broker.backlog_batches > BACKLOG_BYTES / batch_bytes
            && broker.throttled_until <= self.now
            && broker
                .conn
                .is_some_and(|conn| self.connections[&conn].versions().is_some())
    }

    /// A batch joins or leaves the queue of a lane.
    fn count_backlog(&mut self, partition: PartitionSlot, joins: bool) {
        if let Some(leader) = self.lanes[partition.index()].leader {
            let batches = &mut self.brokers[leader.index()].backlog_batches;
            *batches = if joins { *batches + 1 } else { *batches - 1 };
        }
    }

    /// Puts a closed batch into its place of its lane's queue.
    fn enqueue(&mut self, partition: PartitionSlot, slot: BatchSlot) {
        self.count_backlog(partition, true);
        let order = self.accumulator.batch(slot).order();
        self.put_down_queued(slot);
        self.accumulator.batch_mut(slot).place = Place::Queued;
        let queue = &mut self.lanes[partition.index()].queue;
        let is_later = |queued: &BatchSlot| self.accumulator.batch(*queued).order() > order;
        // Closed just now it goes to the end, sent before it mostly goes to the front.
        if queue.front().is_some_and(is_later) {
            queue.push_front(slot);
        } else {
            let place = queue.iter().rposition(|queued| !is_later(queued));
            queue.insert(place.map_or(0, |at| at + 1), slot);
        }
        self.mark_ready(partition);
    }

    /// Takes a batch out of its lane's queue.
    fn dequeue(&mut self, partition: PartitionSlot, slot: BatchSlot) {
        self.count_backlog(partition, false);
        let queue = &mut self.lanes[partition.index()].queue;
        if queue.front() == Some(&slot) {
            queue.pop_front();
        } else {
            queue.retain(|queued| *queued != slot);
        }
    }

    /// The open batch of a partition may leave.
    fn make_open_due(&mut self, partition: PartitionSlot) {
        self.accumulator.end_linger(partition);
        self.lanes[partition.index()].is_open_due = true;
        self.mark_ready(partition);
    }

    /// Puts a lane that has something to send into its leader's ring. Whether the next batch may
    /// go is asked when its turn comes; a lane that may not drops out and is marked again by what
    /// unblocks it: an answer, the end of a backoff, a seal, a new leader.
    fn mark_ready(&mut self, partition: PartitionSlot) {
        let lane = &self.lanes[partition.index()];
        if !lane.has_work() || lane.ring.is_some() {
            return;
        }
        let leader = self.leader_of(partition);
        self.lanes[partition.index()].on_wanted(self.now, leader.is_some());
        let Some(broker) = leader else {
            if self.leaderless.insert(partition) {
                self.refresh.want_all();
            }
            return;
        };
        self.leaderless.remove(&partition);
        self.lanes[partition.index()].ring = Some(broker);
        let broker = &mut self.brokers[broker.index()];
        if broker.ring.is_empty() {
            broker.ready_since = self.now;
        }
        broker.ring.push_back(partition);
    }

    /// The broker that leads a partition, if it is known.
    fn leader_of(&self, partition: PartitionSlot) -> Option<BrokerSlot> {
        let node = self.metadata.partition(partition).leader?;
        self.by_node.get(&node).copied()
    }

    /// Takes a lane out of the ring it is in.
    fn unmark(&mut self, partition: PartitionSlot) {
        self.leaderless.remove(&partition);
        if let Some(broker) = self.lanes[partition.index()].ring.take() {
            self.brokers[broker.index()]
                .ring
                .retain(|other| *other != partition);
        }
    }

    /// Completes a batch: all its records have this outcome, its memory is free (S1, S8).
    fn complete(&mut self, slot: BatchSlot, outcome: Outcome) {
        let (partition, place) = {
            let batch = self.accumulator.batch(slot);
            (batch.partition, batch.place)
        };
        match place {
            Place::Open => self.lanes[partition.index()].is_open_due = false,
            Place::Queued => {
                self.dequeue(partition, slot);
                // The next batch may go at once, where this one was in backoff.
                self.mark_ready(partition);
            }
            Place::Drained { .. } | Place::InFlight(_) => {}
        }
        let batch = self.accumulator.finish(slot);
        if !matches!(outcome, Outcome::Acked { .. }) {
            let topic = self.metadata.partition(partition).topic;
            self.meters.on_failure(self.now, topic, batch.record_count);
        }
        self.stats
            .on_completed(&outcome, u64::from(batch.record_count));
        self.deliver(&batch, outcome);
    }

    /// Completes a batch as failed. It may be in the log if the fate of an attempt is unknown.
    fn fail(&mut self, slot: BatchSlot, cause: DeliveryCause) {
        let gap = self.gap_of(slot, &cause);
        let batch = self.accumulator.batch_mut(slot);
        let was_unresolved = batch.history.is_unresolved;
        if let Place::InFlight(conn) = batch.place {
            // What is in flight may be written whatever is decided here: an attempt like any.
            let broker = self.connections[&conn].broker;
            batch.history.is_unresolved = true;
            batch.history.attempts += 1;
            batch.history.last_broker = Some(self.brokers[broker.index()].node);
            if let Some(sent) = self.sent_with(conn, slot) {
                self.put_down_attempt(slot, &sent, None);
            }
        }
        let biography = self.biography(slot);
        self.abandon_number(slot, was_unresolved);
        let batch = self.accumulator.batch(slot);
        let is_unresolved = batch.history.is_unresolved;
        let partition = self.metadata.partition(batch.partition);
        let of_batch = batch.history.last_failure.clone();
        let of_leader = || self.what_stands_before(batch.partition);
        let last_failure = of_batch.or_else(of_leader).filter(|last| *last != cause);
        let error = DeliveryError {
            topic: Arc::clone(&self.metadata.topic_of(batch.partition).name),
            partition: partition.index,
            cause,
            last_failure,
            broker: batch.history.last_broker,
            attempts: batch.history.attempts,
            splits: batch.history.divisions,
            age: self.now.since(batch.created),
            biography: Arc::new(biography),
        };
        let outcome = if is_unresolved {
            Outcome::MaybePersisted(error)
        } else {
            Outcome::NotPersisted(error)
        };
        self.complete(slot, outcome);
        if let Some(gap) = gap {
            self.fail_behind(gap);
        }
    }

    /// Fails what never left, and what would leave again under another number: nothing can be
    /// produced any more (S14).
    pub(crate) fn fail_unsent(&mut self, cause: &DeliveryCause) {
        let batches = self.accumulator.live();
        let batches: Vec<_> = batches
            .map(|slot| self.accumulator.batch(slot).id)
            .collect();
        for id in batches {
            // Perhaps one before it took it along.
            let Some(slot) = self.accumulator.find(id) else {
                continue;
            };
            let batch = self.accumulator.batch(slot);
            let is_under_way = matches!(batch.place, Place::InFlight(_));
            let may_leave_again = batch.history.attempts > 0 && batch.sequence.is_some();
            if !is_under_way && !may_leave_again {
                self.fail(slot, cause.clone());
            }
        }
    }

    /// Fails everything and drops all connections: the end of `close`.
    pub(crate) fn give_up(&mut self) {
        while let Some(slot) = self.accumulator.oldest() {
            self.fail(slot, DeliveryCause::ProducerClosed);
        }
        self.disconnect_all();
    }

    /// Drops all connections, silently. All batches are completed: nothing comes back from them.
    pub(crate) fn disconnect_all(&mut self) {
        for (conn, connection) in core::mem::take(&mut self.connections) {
            self.meters.on_disconnect(self.now);
            self.brokers[connection.broker.index()].conn = None;
            for carried in connection.into_carried() {
                self.lanes[carried.partition.index()].on_returned();
            }
            self.outputs.push_back(Output::Disconnect(conn));
        }
    }

    /// The metadata answer that was applied since the last call.
    pub(crate) fn take_answered(&mut self) -> Option<Answered> {
        self.answered.take()
    }

    /// Whether something waits for a leader that is not known.
    pub(crate) fn has_leaderless(&self) -> bool {
        !self.leaderless.is_empty()
    }

    /// The next output. Bytes of connections that ended meanwhile are dropped.
    pub(crate) fn pop_output(&mut self) -> Option<Output> {
        loop {
            let output = self.outputs.pop_front()?;
            match &output {
                Output::Transmit { conn, bytes } => {
                    let Some(connection) = self.connections.get_mut(conn) else {
                        continue;
                    };
                    connection.progress.on_handed(bytes.len());
                }
                // Not before: the driver still holds the old batch's state in this slot.
                Output::Delivered(delivery) => {
                    self.accumulator.vacate(BatchSlot(delivery.batch.slot));
                }
                Output::Connect { .. }
                | Output::Disconnect(_)
                | Output::Seal(_)
                | Output::Admitted(_)
                | Output::Refused(..)
                | Output::Flushed(_)
                | Output::Closed
                | Output::Trace(_) => {}
            }
            return Some(output);
        }
    }

    fn trace(&mut self, event: impl FnOnce(&Self) -> TraceEvent) {
        if self.config.trace {
            let event = event(self);
            self.outputs.push_back(Output::Trace(event));
        }
    }

    /// What each address failed with last, or waits for, for errors about a cluster that does not
    /// answer.
    pub(crate) fn failures(&self) -> Option<Arc<str>> {
        let is_reached = |connection: &Connection| connection.versions().is_some();
        if self.connections.values().any(is_reached) {
            return None;
        }
        let failures: Vec<String> = self
            .brokers
            .iter()
            .filter_map(|broker| {
                let address = broker.address();
                if let Some((cause, hint)) = &broker.last_failure {
                    return Some(format!("{address}: {cause}{hint}"));
                }
                let connection = self.connections.get(&broker.conn?)?;
                Some(format!("{address}: {}", connection.phase.words()))
            })
            .collect();
        (!failures.is_empty()).then(|| failures.join("; ").into())
    }

    /// Checks what must always hold; O(everything).
    pub(crate) fn check_invariants(&self, reserved_bytes: usize) {
        self.accumulator.check_invariants(reserved_bytes);
        self.metadata.check_invariants();
        let carried: usize = self.connections.values().map(Connection::carried).sum();
        let under_way: usize = self.lanes.iter().map(Lane::in_flight).sum();
        assert_eq!(
            carried, under_way,
            "a batch under way is in one request (S7a)"
        );
        for connection in self.connections.values() {
            let limit = self.rules.max_in_flight;
            assert!(
                connection.requests() <= limit,
                "S7a: at most {limit} in flight"
            );
            assert_eq!(
                self.brokers[connection.broker.index()].conn,
                Some(connection.id)
            );
        }
        for (index, broker) in self.brokers.iter().enumerate() {
            let led = self
                .lanes
                .iter()
                .filter(|lane| lane.leader.is_some_and(|leader| leader.index() == index));
            let backlog: usize = led.map(|lane| lane.queue.len()).sum();
            assert_eq!(
                broker.backlog_batches, backlog,
                "a leader's backlog is what its lanes hold"
            );
        }
        for (index, lane) in self.lanes.iter().enumerate() {
            let orders = lane
                .queue
                .iter()
                .map(|slot| self.accumulator.batch(*slot).order());
            assert!(
                orders.is_sorted(),
                "Order: a lane's queue is in the order of opening (I7)"
            );
            self.check_sequences(lane);
            let partition = PartitionSlot::at(index);
            if let Some(broker) = lane.ring {
                assert!(self.brokers[broker.index()].ring.contains(&partition));
            }
            assert!(!lane.is_open_due || self.accumulator.has_open(partition));
        }
    }
}
