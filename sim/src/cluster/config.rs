//! What a cluster is made of: brokers, limits, and how much it remembers.

use core::fmt;
use core::time::Duration;

use super::behaviour::Behaviour;
use crate::codec::ApiRange;

/// A broker's id: `node.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BrokerId(pub i32);

impl fmt::Display for BrokerId {
    /// `b1`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b{}", self.0)
    }
}

/// One broker as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerConfig {
    /// The id.
    pub id: BrokerId,
    /// The advertised host.
    pub host: String,
    /// The advertised port.
    pub port: u16,
    /// What it announces; [`ApiRange::kafka_4`] by default. An API that is left out is unknown to
    /// this broker.
    pub api_ranges: Vec<ApiRange>,
    /// What it does about a request that it does not know or cannot read.
    pub on_unknown: OnUnknown,
    /// How it behaves where releases differ; as the newest by default.
    pub behaviour: Behaviour,
}

impl BrokerConfig {
    /// Makes it one of this release: what it announces, and how it behaves.
    pub fn play(&mut self, release: (u16, u16, u16)) {
        self.api_ranges = ApiRange::of_release(release);
        self.behaviour = Behaviour::of_release(release);
        self.on_unknown = match (release.0, release.1) {
            (0, 9) => OnUnknown::Silence,
            _ => OnUnknown::Close,
        };
    }
}

/// What a broker does about a request of an API or version that it does not know, or that it cannot
/// read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnknown {
    /// It closes the connection, as all releases but one.
    #[default]
    Close,
    /// It answers nothing any more and keeps the connection, as Kafka 0.9.
    Silence,
}

/// How much of what it was sent a log keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogRetention {
    /// Every record and the facts of every batch.
    #[default]
    Full,
    /// Counts and a running digest: constant memory for any number of records.
    Counts,
}

/// How a batch is judged that is odd in a way which brokers overlook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strictness {
    /// As Kafka 4 does: offset deltas, the maximum timestamp and reserved bits are not looked at.
    #[default]
    AsKafka,
    /// `INVALID_RECORD` for anything that a right producer does not write.
    Strict,
}

/// What the producer's principal may do with a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// `DESCRIBE` and `WRITE`.
    #[default]
    Write,
    /// `DESCRIBE` alone: metadata is told, batches are refused.
    Describe,
    /// Nothing: not even that the topic exists.
    None,
}

/// The whole cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterConfig {
    /// The brokers; at least one, ids unique.
    pub brokers: Vec<BrokerConfig>,
    /// The cluster id.
    pub cluster_id: String,
    /// `auto.create.topics.enable`. As in Kafka (`KRaft`) the first answer about a missing topic
    /// is `UNKNOWN_TOPIC_OR_PARTITION` (with `ZooKeeper` `LEADER_NOT_AVAILABLE`); it exists for the
    /// next request.
    pub auto_create_topics: bool,
    /// Defaults of new topics.
    pub topic: TopicConfig,
    /// `socket.request.max.bytes`: a longer frame closes the connection.
    pub request_bytes_max: usize,
    /// A compressed batch that inflates to more is answered with `UNKNOWN_SERVER_ERROR`.
    pub inflated_bytes_max: usize,
    /// How much the logs keep.
    pub retention: LogRetention,
    /// How odd batches are judged.
    pub strictness: Strictness,
    /// Whether acks=0 is answered all the same, as by some that are not Kafka.
    pub answers_without_acks: bool,
    /// The epoch that a producer id is handed out with. Brokers begin at 0; from near `i16::MAX`
    /// on, epochs are soon used up.
    pub first_epoch: i16,
    /// Milliseconds since the Unix epoch at `Instant::ZERO`: what `LogAppendTime` counts from.
    pub wall_clock_ms: i64,
    /// How long after its append followers have a record; with nothing they have it at once.
    pub replica_fetch: Duration,
    /// `replica.lag.time.max.ms`: a follower that is behind for longer is not in sync.
    pub replica_lag_max: Duration,
    /// Whether [`Cluster::poll_event`](super::Cluster::poll_event) tells what was handled.
    pub tells_events: bool,
}

/// One topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// `num.partitions`; at least 1.
    pub partitions: i32,
    /// `default.replication.factor`; no more than there are brokers are used.
    pub replication_factor: usize,
    /// `min.insync.replicas`: with fewer, acks=−1 is answered with `NOT_ENOUGH_REPLICAS`.
    pub min_insync_replicas: usize,
    /// `max.message.bytes`: the largest batch, in bytes.
    pub max_message_bytes: usize,
    /// `message.timestamp.type=LogAppendTime`: the broker stamps the records.
    pub log_append_time: bool,
    /// `cleanup.policy=compact`: records without a key are refused.
    pub compacted: bool,
    /// `message.timestamp.after.max.ms`: a record dated further in the future is refused.
    pub timestamp_after_max: Option<Duration>,
}

impl Default for TopicConfig {
    /// Kafka's defaults, with three replicas and without a limit on timestamps.
    fn default() -> Self {
        Self {
            partitions: 1,
            replication_factor: 3,
            min_insync_replicas: 1,
            max_message_bytes: 1_048_588,
            log_append_time: false,
            compacted: false,
            timestamp_after_max: None,
        }
    }
}

impl ClusterConfig {
    /// As [`with_brokers`](Self::with_brokers), of this release: major, minor and patch number.
    #[must_use]
    pub fn of_release(count: u16, release: (u16, u16, u16)) -> Self {
        let mut config = Self::with_brokers(count);
        config.play(release);
        config
    }

    /// Every broker plays this release ([`BrokerConfig::play`]).
    pub fn play(&mut self, release: (u16, u16, u16)) {
        for broker in &mut self.brokers {
            broker.play(release);
        }
    }

    /// Brokers 1 to `count`, at `127.0.0.1` and ports 9001 onwards, everything else as Kafka's
    /// defaults.
    #[must_use]
    pub fn with_brokers(count: u16) -> Self {
        assert!(count > 0, "a cluster has at least one broker");
        let brokers = (1..=count).map(|id| BrokerConfig {
            id: BrokerId(i32::from(id)),
            host: "127.0.0.1".to_owned(),
            port: 9_000_u16.wrapping_add(id),
            api_ranges: ApiRange::kafka_4(),
            on_unknown: OnUnknown::Close,
            behaviour: Behaviour::default(),
        });
        Self {
            brokers: brokers.collect(),
            cluster_id: "titorelli-sim".to_owned(),
            auto_create_topics: true,
            topic: TopicConfig::default(),
            request_bytes_max: 104_857_600,
            inflated_bytes_max: 64 << 20,
            retention: LogRetention::Full,
            strictness: Strictness::AsKafka,
            answers_without_acks: false,
            first_epoch: 0,
            wall_clock_ms: 1_700_000_000_000,
            replica_fetch: Duration::ZERO,
            replica_lag_max: Duration::from_secs(30),
            tells_events: false,
        }
    }
}
