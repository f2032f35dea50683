//! Topics and partitions: who leads what.

use std::collections::VecDeque;

use super::config::{Access, BrokerId, LogRetention, TopicConfig};
use super::log::PartitionLog;
use super::producer_state::ProducerStates;
use super::replication::{LostRecord, Replication};
use crate::codec::{PartitionAnswer, error_code};

/// A scripted answer for the next batch of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ScriptedFailure {
    pub(super) error_code: i16,
    /// Whether the batch is appended all the same.
    pub(super) append: bool,
}

impl ScriptedFailure {
    /// What a batch is answered that was written, and would have been answered so.
    pub(super) fn answer(self, index: i32, written: PartitionAnswer) -> PartitionAnswer {
        match self.error_code {
            // It is told when it is true for good, as of any batch that is written.
            error_code @ error_code::DUPLICATE_SEQUENCE_NUMBER => PartitionAnswer {
                error_code,
                ..written
            },
            error_code => PartitionAnswer::refused(index, error_code),
        }
    }
}

/// One partition.
#[derive(Debug)]
pub(super) struct Partition {
    /// `None` while every replica in sync is down.
    pub(super) leader: Option<BrokerId>,
    pub(super) leader_epoch: i32,
    /// All replicas, the preferred leader first.
    pub(super) replicas: Vec<BrokerId>,
    /// How far each of them is.
    pub(super) replication: Replication,
    pub(super) log: PartitionLog,
    pub(super) producers: ProducerStates,
    pub(super) scripted: VecDeque<ScriptedFailure>,
}

/// One topic.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) id: [u8; 16],
    pub(super) config: TopicConfig,
    pub(super) access: Access,
    pub(super) partitions: Vec<Partition>,
}

impl Topic {
    /// A topic whose partitions are spread over `brokers` in order, led by their first live
    /// replica.
    pub(super) fn new(
        name: String,
        id: [u8; 16],
        config: TopicConfig,
        retention: LogRetention,
        brokers: &[BrokerId],
    ) -> Self {
        assert!(config.partitions > 0, "a topic has at least one partition");
        let mut topic = Self {
            name,
            id,
            config,
            access: Access::default(),
            partitions: Vec::new(),
        };
        let count = usize::try_from(config.partitions).expect("positive");
        topic.partitions.reserve(count);
        topic.grow(count, retention, brokers);
        topic
    }

    /// Adds partitions until there are `count`.
    pub(super) fn grow(&mut self, count: usize, retention: LogRetention, brokers: &[BrokerId]) {
        let replica_count = self.config.replication_factor.clamp(1, brokers.len());
        for index in self.partitions.len()..count {
            let from = index % brokers.len();
            let replicas: Vec<BrokerId> = brokers
                .iter()
                .cycle()
                .skip(from)
                .take(replica_count)
                .copied()
                .collect();
            self.partitions.push(Partition {
                leader: replicas.first().copied(),
                leader_epoch: 0,
                replication: Replication::of(&replicas),
                replicas,
                log: PartitionLog::new(retention),
                producers: ProducerStates::default(),
                scripted: VecDeque::new(),
            });
        }
    }

    /// Its logs, with its name and the partitions.
    pub(super) fn logs(&self) -> impl Iterator<Item = (&str, i32, &PartitionLog)> {
        let numbered = (0..).zip(&self.partitions);
        numbered.map(|(partition, state)| (self.name.as_str(), partition, &state.log))
    }

    /// What its logs have lost, with its name and the partitions.
    pub(super) fn lost(&self) -> impl Iterator<Item = (&str, i32, &LostRecord)> {
        let numbered = (0..).zip(&self.partitions);
        numbered.flat_map(move |(partition, state)| {
            let lost = state.replication.lost.iter();
            lost.map(move |lost| (self.name.as_str(), partition, lost))
        })
    }

    pub(super) fn partition(&self, partition: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(partition).ok()?)
    }

    pub(super) fn partition_mut(&mut self, partition: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(partition).ok()?)
    }
}

/// Whether Kafka accepts this as a topic's name: `Topic.validate`.
pub(super) fn is_legal_name(name: &str, length_max: usize) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=length_max).contains(&name.len()) && name != "." && name != ".." && name.bytes().all(legal)
}
