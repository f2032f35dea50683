//! A Kafka cluster without sockets and clocks.
//!
//! Owns: brokers, topics, logs, producer states, and the connections to them. Never: time of its
//! own, randomness, or I/O: bytes and `now` come in through [`Cluster::receive`], bytes go out
//! through [`Cluster::poll_output`]. What waits for followers is answered by
//! [`Cluster::handle_timeout`], when [`Cluster::poll_timeout`] says.
//! Invariants: answers of one connection leave in the order of its requests; a record is in at most
//! one log, at one offset; a closed connection is never heard of again.
//!
//! ```
//! use titorelli::Instant;
//! use titorelli_sim::cluster::{BrokerId, Cluster, ClusterConfig, ClusterOutput};
//!
//! let mut cluster = Cluster::new(ClusterConfig::with_brokers(3));
//! cluster.create_topic("orders", 2);
//! let peer = cluster.connect(BrokerId(1)).expect("broker 1 is up");
//! // ApiVersions v0, correlation id 7, no client id.
//! let request = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
//! cluster.receive(Instant::ZERO, peer, &request);
//! let Some(ClusterOutput::Transmit { bytes, .. }) = cluster.poll_output() else {
//!     panic!("an answer");
//! };
//! assert_eq!(bytes[4..8], [0, 0, 0, 7]);
//! ```

mod append;
mod append_set;
mod behaviour;
mod belief;
mod config;
mod control;
mod distort;
mod event;
mod handle;
mod identity;
mod log;
mod metadata;
mod peer;
mod producer_state;
mod replication;
mod topic;
mod waiting;

use core::ops::Range;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use titorelli::Instant;

pub use behaviour::Behaviour;
use belief::Belief;
pub use belief::Lie;
pub use config::{
    Access, BrokerConfig, BrokerId, ClusterConfig, LogRetention, OnUnknown, Strictness, TopicConfig,
};
pub use distort::Distortion;
pub use event::{BatchOutcome, ClusterEvent};
pub use handle::{LOSE_ANSWER, OMIT_ANSWER};
pub(crate) use identity::ID_FORBIDDEN;
pub use identity::REPEAT_ID;
pub use log::{BatchFacts, LogHeader, LogRecord, PartitionLog, record_digest};
pub use peer::PeerId;
pub use replication::LostRecord;

use handle::{ACKS_NONE_REFUSED, ANSWER_LOST, NO_API_VERSIONS};
use peer::{Next, Peer};
use replication::{Pace, Presence};
use topic::{Partition, Topic};

/// What the cluster wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterOutput {
    /// Send these bytes to the client.
    Transmit {
        /// The connection.
        peer: PeerId,
        /// One whole response.
        bytes: Bytes,
    },
    /// Close this connection, after the bytes before it. The cluster has forgotten it.
    Close(PeerId),
}

/// One broker's changeable state.
#[derive(Debug)]
struct Broker {
    config: BrokerConfig,
    is_up: bool,
    /// It fetches nothing from leaders.
    is_held: bool,
    throttle_ms: i32,
    /// What it tells instead of the truth, while it lags behind.
    belief: Option<Belief>,
    /// Whoever asks it for metadata is told to start over.
    sends_away: bool,
    /// What is wrong with its next answer to Produce.
    distortion: Option<Distortion>,
    /// The producer ids that it hands out.
    ids: Range<i64>,
}

/// A Kafka cluster: brokers with partition logs, leaders and producer states.
#[derive(Debug)]
pub struct Cluster {
    config: ClusterConfig,
    brokers: Vec<Broker>,
    /// Topics in the order of their creation; a deleted one is `None`.
    topics: Vec<Option<Topic>>,
    /// Invariant: names and ids of exactly the topics that are `Some`.
    by_name: BTreeMap<String, usize>,
    by_id: BTreeMap<[u8; 16], usize>,
    /// Topics that were deleted, with their logs.
    buried: Vec<Topic>,
    peers: BTreeMap<PeerId, Peer>,
    /// Invariant: exactly the peers that have a request which waits.
    waiting: BTreeSet<PeerId>,
    /// The latest time that was told.
    now: Instant,
    outputs: VecDeque<ClusterOutput>,
    events: VecDeque<ClusterEvent>,
    next_peer: u64,
    /// Where the next block of producer ids begins.
    next_block: i64,
    /// What the next requests for a producer id are answered.
    refused_ids: VecDeque<i16>,
    /// Somebody was told that nobody will give it one.
    has_forbidden_ids: bool,
    /// The producer id that was given last.
    given_id: Option<i64>,
}

impl Cluster {
    /// A cluster whose brokers are all up, without topics.
    ///
    /// # Panics
    /// The configuration has no broker, or two with one id.
    #[must_use]
    pub fn new(config: ClusterConfig) -> Self {
        assert!(
            !config.brokers.is_empty(),
            "a cluster has at least one broker"
        );
        let broker = |config: &BrokerConfig| Broker {
            config: config.clone(),
            is_up: true,
            is_held: false,
            throttle_ms: 0,
            belief: None,
            sends_away: false,
            distortion: None,
            ids: 0..0,
        };
        let brokers: Vec<Broker> = config.brokers.iter().map(broker).collect();
        for (index, broker) in brokers.iter().enumerate() {
            let is_unique = brokers[..index]
                .iter()
                .all(|b| b.config.id != broker.config.id);
            assert!(is_unique, "broker ids are unique");
        }
        Self {
            config,
            brokers,
            topics: Vec::new(),
            by_name: BTreeMap::new(),
            by_id: BTreeMap::new(),
            buried: Vec::new(),
            peers: BTreeMap::new(),
            waiting: BTreeSet::new(),
            now: Instant::ZERO,
            outputs: VecDeque::new(),
            events: VecDeque::new(),
            next_peer: 1,
            next_block: identity::FIRST_ID,
            refused_ids: VecDeque::new(),
            has_forbidden_ids: false,
            given_id: None,
        }
    }

    /// What it was made from.
    #[must_use]
    pub const fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// A client connects to a broker. `None`: refused, the broker is down or does not exist.
    pub fn connect(&mut self, broker: BrokerId) -> Option<PeerId> {
        if !self.is_up(broker) {
            return None;
        }
        let peer = PeerId(self.next_peer);
        self.next_peer += 1;
        self.peers.insert(peer, Peer::new(broker));
        Some(peer)
    }

    /// Bytes of a client arrived, in any chunking. Bytes for a closed connection are ignored.
    pub fn receive(&mut self, now: Instant, peer: PeerId, bytes: &[u8]) {
        let Some(state) = self.peers.get_mut(&peer) else {
            return;
        };
        state.extend(bytes);
        self.now = self.now.max(now);
        self.read_on(peer);
    }

    /// Handles the whole frames of a peer, up to one that waits.
    fn read_on(&mut self, peer: PeerId) {
        let now = self.now;
        while let Some(state) = self.peers.get_mut(&peer) {
            let broker = state.broker;
            if state.is_mute || state.waiting.is_some() {
                return;
            }
            match state.next_frame(self.config.request_bytes_max) {
                Next::Wait => return,
                Next::Broken => return self.close(peer, "frame length out of bounds", false),
                Next::Short(length) => return self.on_short_frame(peer, broker, length),
                Next::Frame(frame) => {
                    if let Err(reason) = self.handle(now, peer, broker, &frame) {
                        let faults = [ACKS_NONE_REFUSED, ANSWER_LOST, NO_API_VERSIONS];
                        let is_fault = faults.contains(&reason);
                        return self.close(peer, reason, is_fault);
                    }
                }
            }
        }
    }

    /// The client's end is gone. Whole requests that were received before have been handled, but
    /// for those behind one that waits for followers.
    pub fn disconnected(&mut self, peer: PeerId) {
        self.peers.remove(&peer);
        self.waiting.remove(&peer);
    }

    /// The next thing to do, in order. May change after every other call.
    pub fn poll_output(&mut self) -> Option<ClusterOutput> {
        self.outputs.pop_front()
    }

    /// The next thing that happened, if [`ClusterConfig::tells_events`]. Events wait here until
    /// they are polled.
    pub fn poll_event(&mut self) -> Option<ClusterEvent> {
        self.events.pop_front()
    }

    fn tell(&mut self, event: impl FnOnce() -> ClusterEvent) {
        if self.config.tells_events {
            self.events.push_back(event());
        }
    }

    fn close(&mut self, peer: PeerId, reason: &'static str, is_fault: bool) {
        let Some(state) = self.peers.remove(&peer) else {
            return;
        };
        self.waiting.remove(&peer);
        self.outputs.push_back(ClusterOutput::Close(peer));
        self.tell(|| ClusterEvent::Closed {
            peer,
            broker: state.broker,
            reason,
            is_fault,
        });
    }

    // ---- Readers ------------------------------------------------------------------------------

    /// The log of a partition.
    ///
    /// # Panics
    /// There is no such partition.
    #[must_use]
    pub fn log(&self, topic: &str, partition: i32) -> &PartitionLog {
        &self
            .partition(topic, partition)
            .expect("the partition exists")
            .log
    }

    /// Every log with its topic and partition, topics by name.
    pub fn logs(&self) -> impl Iterator<Item = (&str, i32, &PartitionLog)> {
        let named = self.by_name.values();
        named
            .map(|index| {
                self.topics[*index]
                    .as_ref()
                    .expect("a named topic is there")
            })
            .flat_map(Topic::logs)
    }

    /// The logs of deleted topics, with topic and partition, in the order of their deletion.
    pub fn buried_logs(&self) -> impl Iterator<Item = (&str, i32, &PartitionLog)> {
        self.buried.iter().flat_map(Topic::logs)
    }

    /// Every record that was in a log and is in none any more, with topic and partition.
    pub fn lost_records(&self) -> impl Iterator<Item = (&str, i32, &LostRecord)> {
        let topics = self.topics.iter().flatten().chain(&self.buried);
        topics.flat_map(Topic::lost)
    }

    /// Whether a topic of this name exists.
    #[must_use]
    pub fn has_topic(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The name of the topic with this id.
    #[must_use]
    pub fn topic_name(&self, id: &[u8; 16]) -> Option<&str> {
        let index = *self.by_id.get(id)?;
        self.topics[index].as_ref().map(|topic| topic.name.as_str())
    }

    /// The name of the topic that has this id, or had it.
    pub(crate) fn topic_name_ever(&self, id: &[u8; 16]) -> Option<&str> {
        let buried = || self.buried.iter().find(|topic| topic.id == *id);
        self.topic_name(id)
            .or_else(|| buried().map(|topic| topic.name.as_str()))
    }

    /// The id of the topic with this name.
    #[must_use]
    pub fn topic_id(&self, name: &str) -> Option<[u8; 16]> {
        self.topic(name).map(|topic| topic.id)
    }

    /// How many partitions a topic has; 0 if there is none of this name.
    #[must_use]
    pub fn partition_count(&self, topic: &str) -> i32 {
        let count = self.topic(topic).map_or(0, |topic| topic.partitions.len());
        i32::try_from(count).expect("partitions are counted by i32")
    }

    /// How many partitions all topics have.
    pub(crate) fn partition_total(&self) -> usize {
        let topics = self.topics.iter().flatten();
        topics.map(|topic| topic.partitions.len()).sum()
    }

    /// A partition's leader and leader epoch; no leader while every replica in sync is down.
    ///
    /// # Panics
    /// There is no such partition.
    #[must_use]
    pub fn leader(&self, topic: &str, partition: i32) -> (Option<BrokerId>, i32) {
        let state = self
            .partition(topic, partition)
            .expect("the partition exists");
        (state.leader, state.leader_epoch)
    }

    /// A partition's replicas in sync, and its high watermark.
    ///
    /// # Panics
    /// There is no such partition.
    #[must_use]
    pub fn in_sync(&self, topic: &str, partition: i32) -> (&[BrokerId], i64) {
        let state = self
            .partition(topic, partition)
            .expect("the partition exists");
        (&state.replication.in_sync, state.replication.high_watermark)
    }

    /// The broker at this advertised address.
    #[must_use]
    pub fn broker_at(&self, host: &str, port: u16) -> Option<BrokerId> {
        let is_there = |b: &&Broker| b.config.host == host && b.config.port == port;
        self.brokers
            .iter()
            .find(is_there)
            .map(|broker| broker.config.id)
    }

    /// Which broker a connection leads to; `None` once it is closed.
    #[must_use]
    pub fn broker_of(&self, peer: PeerId) -> Option<BrokerId> {
        self.peers.get(&peer).map(|state| state.broker)
    }

    /// Whether a broker is up.
    #[must_use]
    pub fn is_up(&self, broker: BrokerId) -> bool {
        self.broker(broker).is_some_and(|broker| broker.is_up)
    }

    // ---- Lookups ------------------------------------------------------------------------------

    /// Every partition finds its leader and its replicas in sync, and who waits hears of it.
    fn elect(&mut self) {
        let (now, pace) = (self.now, self.pace());
        let brokers = &self.brokers;
        let presence = |id: BrokerId| {
            let broker = brokers.iter().find(|broker| broker.config.id == id);
            broker.map_or(Presence::Down, Broker::presence)
        };
        for partition in self
            .topics
            .iter_mut()
            .flatten()
            .flat_map(|t| &mut t.partitions)
        {
            partition.review(presence, now, pace);
        }
        self.tell_losses();
        self.settle_waiting();
    }

    /// Time has passed for every partition.
    fn advance(&mut self) {
        let (now, pace) = (self.now, self.pace());
        let topics = self.topics.iter_mut().flatten();
        for partition in topics.flat_map(|topic| &mut topic.partitions) {
            partition.advance(now, pace);
        }
    }

    fn tell_losses(&mut self) {
        let mut losses = Vec::new();
        for topic in self.topics.iter_mut().flatten() {
            for (index, partition) in (0..).zip(&mut topic.partitions) {
                let state = &mut partition.replication;
                if let Some(first) = state.lost.get(state.lost_told) {
                    losses.push(ClusterEvent::Lost {
                        topic: topic.name.clone(),
                        partition: index,
                        from_offset: first.record.offset,
                        count: state.lost.len() - state.lost_told,
                        is_unclean: first.is_unclean,
                    });
                    state.lost_told = state.lost.len();
                }
            }
        }
        for loss in losses {
            self.tell(|| loss);
        }
    }

    const fn pace(&self) -> Pace {
        Pace {
            fetch: self.config.replica_fetch,
            lag_max: self.config.replica_lag_max,
        }
    }

    fn broker(&self, id: BrokerId) -> Option<&Broker> {
        self.brokers.iter().find(|broker| broker.config.id == id)
    }

    fn broker_mut(&mut self, id: BrokerId) -> &mut Broker {
        self.brokers
            .iter_mut()
            .find(|broker| broker.config.id == id)
            .unwrap_or_else(|| panic!("there is no broker {}", id.0))
    }

    fn topic(&self, name: &str) -> Option<&Topic> {
        self.by_name
            .get(name)
            .and_then(|index| self.topics[*index].as_ref())
    }

    fn topic_mut(&mut self, name: &str) -> &mut Topic {
        let index = *self.by_name.get(name).expect("the topic exists");
        self.topics[index].as_mut().expect("a named topic is there")
    }

    fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        self.topic(topic)?.partition(partition)
    }

    fn partition_mut(&mut self, topic: &str, partition: i32) -> &mut Partition {
        self.topic_mut(topic)
            .partition_mut(partition)
            .expect("the partition exists")
    }
}

impl Broker {
    const fn presence(&self) -> Presence {
        match (self.is_up, self.is_held) {
            (false, _) => Presence::Down,
            (true, true) => Presence::Held,
            (true, false) => Presence::Up,
        }
    }
}
