//! The answer to Metadata: what a broker says about topics and leaders.

use super::config::{Access, BrokerId};
use super::topic::{Topic, is_legal_name};
use super::{Broker, Cluster};
use crate::codec::{
    MetadataBroker, MetadataPartition, MetadataRequest, MetadataResponse, MetadataTopic,
    TopicSelector, error_code,
};

/// A topic id that is none.
const NO_ID: [u8; 16] = [0; 16];

impl Cluster {
    pub(super) fn metadata(
        &mut self,
        broker: BrokerId,
        version: i16,
        request: &MetadataRequest,
    ) -> MetadataResponse {
        let topics = match &request.topics {
            None => self
                .by_name
                .values()
                .filter(|index| self.topic_at(**index).access != Access::None)
                .map(|index| self.describe(*index))
                .collect(),
            Some(selectors) => self.describe_selected(version, request, selectors),
        };
        let live = |broker: &&Broker| broker.is_up;
        MetadataResponse {
            throttle_time_ms: self.throttle_of(broker),
            brokers: self
                .brokers
                .iter()
                .filter(live)
                .map(Broker::endpoint)
                .collect(),
            cluster_id: self.config.cluster_id.clone(),
            controller_id: self.brokers.iter().find(live).map_or(-1, |b| b.config.id.0),
            topics,
            topic_authorized_operations: request.include_topic_authorized_operations,
            cluster_authorized_operations: request.include_cluster_authorized_operations,
            error_code: error_code::NONE,
        }
    }

    /// One answer per topic, however often it is asked for.
    fn describe_selected(
        &mut self,
        version: i16,
        request: &MetadataRequest,
        selectors: &[TopicSelector],
    ) -> Vec<MetadataTopic> {
        let by_id = selectors
            .iter()
            .any(|s| s.topic_id != NO_ID || s.name.is_none());
        let mut answers: Vec<MetadataTopic> = Vec::with_capacity(selectors.len());
        for selector in selectors {
            // Metadata 10 and 11 have ids in the request, but brokers refuse them (KIP-516).
            let answer = if by_id && version < 12 {
                refused(error_code::INVALID_REQUEST, selector.name.as_deref())
            } else if selector.topic_id != NO_ID {
                self.by_id.get(&selector.topic_id).map_or_else(
                    || MetadataTopic {
                        topic_id: selector.topic_id,
                        ..refused(error_code::UNKNOWN_TOPIC_ID, None)
                    },
                    |index| self.describe_permitted(*index, None),
                )
            } else if let Some(name) = &selector.name {
                self.describe_named(name, request.allow_auto_topic_creation)
            } else {
                refused(error_code::UNKNOWN_SERVER_ERROR, None)
            };
            if !answers.contains(&answer) {
                answers.push(answer);
            }
        }
        answers
    }

    fn describe_named(&mut self, name: &str, may_create: bool) -> MetadataTopic {
        if let Some(index) = self.by_name.get(name) {
            return self.describe_permitted(*index, Some(name));
        }
        if !is_legal_name(name) {
            return refused(error_code::INVALID_TOPIC_EXCEPTION, Some(name));
        }
        if may_create && self.config.auto_create_topics {
            self.create_topic_with(name, self.config.topic);
        }
        // As in KRaft: the request that creates a topic does not see it yet.
        refused(error_code::UNKNOWN_TOPIC_OR_PARTITION, Some(name))
    }

    /// Only the name that was asked for is repeated to who may not know the topic.
    fn describe_permitted(&self, index: usize, name: Option<&str>) -> MetadataTopic {
        let topic = self.topic_at(index);
        if topic.access != Access::None {
            return self.describe(index);
        }
        MetadataTopic {
            topic_id: name.map_or(topic.id, |_| NO_ID),
            ..refused(error_code::TOPIC_AUTHORIZATION_FAILED, name)
        }
    }

    fn topic_at(&self, index: usize) -> &Topic {
        self.topics[index].as_ref().expect("a named topic is there")
    }

    fn describe(&self, index: usize) -> MetadataTopic {
        let topic = self.topic_at(index);
        let partitions = (0..).zip(&topic.partitions).map(|(index, partition)| {
            let is_live = |id: &BrokerId| self.is_up(*id);
            let (isr, offline): (Vec<BrokerId>, Vec<BrokerId>) =
                partition.replicas.iter().partition(|id| is_live(id));
            let ids = |brokers: &[BrokerId]| brokers.iter().map(|id| id.0).collect::<Vec<i32>>();
            MetadataPartition {
                error_code: match partition.leader {
                    Some(_) => error_code::NONE,
                    None => error_code::LEADER_NOT_AVAILABLE,
                },
                partition: index,
                leader_id: partition.leader.map_or(-1, |leader| leader.0),
                leader_epoch: partition.leader_epoch,
                replicas: ids(&partition.replicas),
                isr: ids(&isr),
                offline_replicas: ids(&offline),
            }
        });
        MetadataTopic {
            error_code: error_code::NONE,
            name: Some(topic.name.clone()),
            topic_id: topic.id,
            partitions: partitions.collect(),
        }
    }
}

impl Broker {
    pub(super) fn endpoint(&self) -> MetadataBroker {
        MetadataBroker {
            node_id: self.config.id.0,
            host: self.config.host.clone(),
            port: self.config.port,
        }
    }
}

fn refused(error_code: i16, name: Option<&str>) -> MetadataTopic {
    MetadataTopic {
        error_code,
        name: name.map(str::to_owned),
        topic_id: NO_ID,
        partitions: Vec::new(),
    }
}
