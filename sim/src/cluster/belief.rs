//! What a broker takes for true that lags behind the cluster.

use std::collections::BTreeMap;

use super::metadata::refused;
use super::{BrokerId, Cluster};
use crate::codec::{
    LeaderHint, MetadataBroker, MetadataPartition, MetadataTopic, TopicAnswer, TopicName,
    TopicSelector, error_code,
};

/// The cluster as a broker saw it last.
#[derive(Debug)]
pub(super) struct Belief {
    pub(super) brokers: Vec<MetadataBroker>,
    pub(super) topics: BTreeMap<String, MetadataTopic>,
}

/// What a broker tells that was never so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// There are no brokers at all.
    NoBrokers,
    /// Whoever leads is not among the brokers.
    StrangeLeaders,
    /// No topic has its last partition.
    PartitionMissing,
    /// The first topic has an error, and no partitions.
    TopicFails,
    /// Nobody leads anything, and nothing is wrong.
    NoLeader,
    /// Leaders have no epochs.
    NoEpochs,
}

impl Lie {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::NoBrokers,
        Self::StrangeLeaders,
        Self::PartitionMissing,
        Self::TopicFails,
        Self::NoLeader,
        Self::NoEpochs,
    ];
}

/// No broker has it.
const STRANGER: i32 = 99;

impl Belief {
    /// Makes one thing of it untrue.
    pub(super) fn falsify(&mut self, lie: Lie) {
        match lie {
            Lie::NoBrokers => self.brokers.clear(),
            Lie::PartitionMissing => {
                for topic in self.topics.values_mut() {
                    topic.partitions.pop();
                }
            }
            Lie::TopicFails => {
                if let Some((name, topic)) = self.topics.iter_mut().next() {
                    *topic = refused(error_code::LEADER_NOT_AVAILABLE, Some(name));
                }
            }
            Lie::StrangeLeaders => self.each_partition(|told| told.leader_id = STRANGER),
            Lie::NoLeader => self.each_partition(|told| told.leader_id = -1),
            Lie::NoEpochs => self.each_partition(|told| told.leader_epoch = -1),
        }
    }

    fn each_partition(&mut self, change: impl Fn(&mut MetadataPartition)) {
        let topics = self.topics.values_mut();
        let partitions = topics.flat_map(|topic| &mut topic.partitions);
        partitions.for_each(change);
    }

    /// Who leads a partition, as it was seen; `None`: nobody, or it was not there.
    fn hint(&self, topic: &TopicName, partition: i32) -> Option<LeaderHint> {
        let seen = match topic {
            TopicName::Name(name) => self.topics.get(name),
            TopicName::Id(id) => self.topics.values().find(|seen| seen.topic_id == *id),
        };
        let mut partitions = seen?.partitions.iter();
        let seen = partitions.find(|seen| seen.partition == partition)?;
        (seen.leader_id >= 0).then_some(LeaderHint {
            leader_id: seen.leader_id,
            leader_epoch: seen.leader_epoch,
        })
    }

    /// The answer to a request for these topics, or for all. Permissions do not lag: what is
    /// hidden from the producer is told as such.
    pub(super) fn describe(
        &self,
        selectors: Option<&[TopicSelector]>,
        is_hidden: impl Fn(&str) -> bool,
    ) -> Vec<MetadataTopic> {
        let Some(selectors) = selectors else {
            let seen = self.topics.iter().filter(|(name, _)| !is_hidden(name));
            return seen.map(|(_, topic)| topic.clone()).collect();
        };
        let answers = selectors.iter().map(|selector| match &selector.name {
            Some(name) if is_hidden(name) => {
                refused(error_code::TOPIC_AUTHORIZATION_FAILED, Some(name))
            }
            Some(name) => self
                .topics
                .get(name)
                .cloned()
                .unwrap_or_else(|| refused(error_code::UNKNOWN_TOPIC_OR_PARTITION, Some(name))),
            None => {
                let is_it = |topic: &&MetadataTopic| topic.topic_id == selector.topic_id;
                let found = self.topics.values().find(is_it).cloned();
                found.unwrap_or_else(|| MetadataTopic {
                    topic_id: selector.topic_id,
                    ..refused(error_code::UNKNOWN_TOPIC_ID, None)
                })
            }
        });
        answers.collect()
    }
}

impl Cluster {
    /// A broker that lags hints at the leaders of then (KIP-951): it has no other metadata.
    pub(super) fn age_hints(&self, broker: BrokerId, topics: &mut [TopicAnswer]) {
        let Some(belief) = self.belief(broker) else {
            return;
        };
        for topic in topics {
            let answers = topic.partitions.iter_mut();
            for answer in answers.filter(|answer| answer.current_leader.is_some()) {
                answer.current_leader = belief.hint(&topic.topic, answer.partition);
            }
        }
    }
}
