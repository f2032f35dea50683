//! A run as data: the stage before anything happens, and the steps on it.
//!
//! A plan is made before it is carried out, so that it can be cut down when it fails. Each step
//! keeps what it checks to itself: a plan without any of its steps is as fair as before.

use core::time::Duration;

use titorelli::{Config, Purge};

use crate::cluster::{BrokerId, ClusterConfig, Strictness};
use crate::fault::Fault;
use crate::journal::OwnedRecord;
use crate::network::NetworkConfig;
use crate::world::WorldConfig;

/// How topics are replicated, as far as there are brokers for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replicas {
    /// `default.replication.factor`.
    pub factor: usize,
    /// `min.insync.replicas`: less than the factor, so that a broker may be missing.
    pub min_in_sync: usize,
    /// How long after its append followers have a record.
    pub fetch: Duration,
    /// A follower that is behind for longer is not in sync.
    pub lag_max: Duration,
}

impl Default for Replicas {
    /// Three replicas that have everything at once.
    fn default() -> Self {
        let ClusterConfig {
            topic,
            replica_fetch,
            replica_lag_max,
            ..
        } = ClusterConfig::with_brokers(1);
        Self {
            factor: topic.replication_factor,
            min_in_sync: topic.min_insync_replicas,
            fetch: replica_fetch,
            lag_max: replica_lag_max,
        }
    }
}

/// The world before anything happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// Draws latencies, chunk sizes and the core's own randomness.
    pub seed: u64,
    /// The producer.
    pub core: Config,
    /// How many brokers there are; all are strict, and none creates topics by itself.
    pub brokers: u16,
    /// Of the brokers, in turn; none: all are as new as they can be.
    pub releases: Vec<(u16, u16, u16)>,
    /// Whether acks=0 is answered all the same.
    pub answers_without_acks: bool,
    /// The epoch that a producer id is handed out with.
    pub first_epoch: i16,
    /// How topics are replicated.
    pub replicas: Replicas,
    /// What lies between producer and cluster.
    pub network: NetworkConfig,
    /// How many partitions the topics `t0`, `t1`, … have.
    pub topics: Vec<i32>,
}

impl Stage {
    /// As plain as can be: the producer's defaults, one new broker, and one partition of one topic.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            core: Config::default(),
            brokers: 1,
            releases: Vec::new(),
            answers_without_acks: false,
            first_epoch: 0,
            replicas: Replicas::default(),
            network: NetworkConfig::default(),
            topics: vec![1],
        }
    }

    /// The configuration of the world.
    pub(crate) fn world(&self) -> WorldConfig {
        let mut cluster = ClusterConfig::with_brokers(self.brokers);
        cluster.strictness = Strictness::Strict;
        cluster.auto_create_topics = false;
        cluster.answers_without_acks = self.answers_without_acks;
        cluster.first_epoch = self.first_epoch;
        let factor = self.replicas.factor.min(self.brokers.into());
        let min_in_sync = self.replicas.min_in_sync.min(factor - 1).max(1);
        cluster.topic.replication_factor = factor;
        cluster.topic.min_insync_replicas = min_in_sync;
        cluster.replica_fetch = self.replicas.fetch;
        cluster.replica_lag_max = self.replicas.lag_max;
        for (broker, release) in cluster.brokers.iter_mut().zip(self.releases.iter().cycle()) {
            broker.play(*release);
        }
        WorldConfig {
            seed: self.seed,
            core: self.core.clone(),
            cluster,
            network: self.network,
        }
    }

    /// Names and partition counts of the topics.
    pub(crate) fn topics(&self) -> Vec<(String, i32)> {
        let named = |(index, count): (usize, &i32)| (format!("t{index}"), *count);
        self.topics.iter().enumerate().map(named).collect()
    }
}

/// What one broker is for good while all others are well: nothing has to wait for it, as they lead
/// everything. The only broker is none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is down: who connects is refused.
    Down,
    /// It is down, and who connects hears nothing.
    Swallowed,
    /// It hears no more of the cluster: the leaders that it tells are those from before, and their
    /// epochs, if it tells any.
    Deaf,
    /// It sends whoever asks about the cluster back to the bootstrap servers (KIP-1102), of which
    /// it is one.
    SendsAway,
}

/// What is done next: a verb of [`Run`](crate::Run) each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Lets so much time pass; with none, what is due at this instant happens.
    Wait(Duration),
    /// Lets time pass until nothing is under way. No seed draws it: it is plainer than a pause.
    Settle,
    /// The application sends a record.
    Send(OwnedRecord),
    /// The application will send a record from within a completion.
    Echo(OwnedRecord),
    /// The application flushes.
    Flush,
    /// The application gives up the call that has waited longest, if one waits.
    Cancel,
    /// The application withdraws the record that so many were accepted after, if one is under way.
    Withdraw(usize),
    /// The application purges.
    Purge(Purge),
    /// A fault strikes.
    Inflict(Fault),
    /// Everything heals but this broker.
    Damage(BrokerId, Damage),
    /// Everything heals.
    Heal,
    /// The application closes the producer, within so long.
    Close(Duration),
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Where it begins.
    pub stage: Stage,
    /// What is done, in order.
    pub steps: Vec<Step>,
}
