//! The answer to Metadata: what a broker says about topics and leaders.

use super::behaviour::{Behaviour, IllegalName};
use super::belief::Belief;
use super::config::{Access, BrokerId};
use super::topic::{Topic, is_legal_name};
use super::{Broker, Cluster};
use crate::codec::{
    MetadataBroker, MetadataPartition, MetadataRequest, MetadataResponse, MetadataTopic,
    TopicSelector, error_code,
};

/// From this version on a broker can send a client away.
const REBOOTSTRAP_SINCE: i16 = 13;

/// A topic id that is none.
const NO_ID: [u8; 16] = [0; 16];

impl Cluster {
    pub(super) fn metadata(
        &mut self,
        broker: BrokerId,
        version: i16,
        request: &MetadataRequest,
    ) -> MetadataResponse {
        self.advance();
        let selectors = request.topics.as_deref().unwrap_or_default();
        let behaviour = self.behaviour(broker);
        if let Some(error_code) = refusal(behaviour, version, selectors) {
            return self.refuse_all(broker, error_code, selectors);
        }
        if version >= REBOOTSTRAP_SINCE && self.broker(broker).is_some_and(|b| b.sends_away) {
            return self.refuse_all(broker, error_code::REBOOTSTRAP_REQUIRED, selectors);
        }
        let (brokers, topics) = match (self.belief(broker), &request.topics) {
            (Some(belief), selectors) => {
                let is_hidden = |name: &str| self.topic(name).is_some_and(is_hidden);
                let topics = belief.describe(selectors.as_deref(), is_hidden);
                (belief.brokers.clone(), topics)
            }
            (None, None) => (self.live_brokers(), self.describe_all()),
            (None, Some(selectors)) => {
                let topics = self.describe_selected(behaviour, request, selectors);
                (self.live_brokers(), topics)
            }
        };
        let topics = if version == 0 {
            topics.into_iter().map(without_dead_replicas).collect()
        } else {
            topics
        };
        MetadataResponse {
            throttle_time_ms: self.throttle_of(broker),
            cluster_id: self.config.cluster_id.clone(),
            controller_id: brokers.first().map_or(-1, |broker| broker.node_id),
            brokers,
            topics,
            topic_authorized_operations: request.include_topic_authorized_operations,
            cluster_authorized_operations: request.include_cluster_authorized_operations,
            error_code: error_code::NONE,
        }
    }

    /// The answer to a request that fails as a whole: every topic fails, and no broker is named
    /// (`MetadataRequest.getErrorResponse`).
    fn refuse_all(
        &self,
        broker: BrokerId,
        error_code: i16,
        selectors: &[TopicSelector],
    ) -> MetadataResponse {
        let topic = |selector: &TopicSelector| MetadataTopic {
            topic_id: selector.topic_id,
            ..refused(error_code, selector.name.as_deref().or(Some("")))
        };
        MetadataResponse {
            throttle_time_ms: self.throttle_of(broker),
            cluster_id: self.config.cluster_id.clone(),
            controller_id: -1,
            brokers: Vec::new(),
            topics: selectors.iter().map(topic).collect(),
            topic_authorized_operations: false,
            cluster_authorized_operations: false,
            error_code,
        }
    }

    pub(super) fn belief(&self, broker: BrokerId) -> Option<&Belief> {
        self.broker(broker)?.belief.as_ref()
    }

    fn live_brokers(&self) -> Vec<MetadataBroker> {
        let live = self.brokers.iter().filter(|broker| broker.is_up);
        live.map(Broker::endpoint).collect()
    }

    fn describe_all(&self) -> Vec<MetadataTopic> {
        let indices = self.by_name.values();
        let seen = indices.filter(|index| !is_hidden(self.topic_at(**index)));
        seen.map(|index| self.describe(*index)).collect()
    }

    /// The cluster as it is now.
    pub(super) fn observe(&self) -> Belief {
        let named = self.by_name.iter();
        Belief {
            brokers: self.live_brokers(),
            topics: named
                .map(|(name, index)| (name.clone(), self.describe(*index)))
                .collect(),
        }
    }

    /// One answer per topic, however often it is asked for.
    fn describe_selected(
        &mut self,
        behaviour: Behaviour,
        request: &MetadataRequest,
        selectors: &[TopicSelector],
    ) -> Vec<MetadataTopic> {
        let mut answers: Vec<MetadataTopic> = Vec::with_capacity(selectors.len());
        for selector in selectors {
            let answer = if selector.topic_id != NO_ID {
                self.by_id.get(&selector.topic_id).map_or_else(
                    || MetadataTopic {
                        topic_id: selector.topic_id,
                        ..refused(error_code::UNKNOWN_TOPIC_ID, None)
                    },
                    |index| self.describe_permitted(*index, None),
                )
            } else if let Some(name) = &selector.name {
                self.describe_named(behaviour, name, request.allow_auto_topic_creation)
            } else {
                refused(error_code::UNKNOWN_SERVER_ERROR, None)
            };
            if !answers.contains(&answer) {
                answers.push(answer);
            }
        }
        answers
    }

    fn describe_named(
        &mut self,
        behaviour: Behaviour,
        name: &str,
        may_create: bool,
    ) -> MetadataTopic {
        if let Some(index) = self.by_name.get(name) {
            return self.describe_permitted(*index, Some(name));
        }
        let is_creating = may_create && self.config.auto_create_topics;
        let is_looked_at = is_creating || behaviour.illegal_name != IllegalName::RefusedToCreate;
        if is_looked_at && !is_legal_name(name, behaviour.topic_name_max) {
            return refused(error_code::INVALID_TOPIC_EXCEPTION, Some(name));
        }
        if !is_creating {
            return refused(error_code::UNKNOWN_TOPIC_OR_PARTITION, Some(name));
        }
        // The request that creates a topic does not see its leaders yet.
        self.add_topic(name, self.config.topic);
        refused(behaviour.just_created, Some(name))
    }

    /// Only the name that was asked for is repeated to who may not know the topic.
    fn describe_permitted(&self, index: usize, name: Option<&str>) -> MetadataTopic {
        let topic = self.topic_at(index);
        if !is_hidden(topic) {
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
            let is_dead = |id: &&BrokerId| !self.is_up(**id);
            let offline: Vec<BrokerId> =
                partition.replicas.iter().filter(is_dead).copied().collect();
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
                isr: ids(&partition.replication.in_sync),
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

/// What version 0 says of a topic: dead replicas are left out, and their partitions have an error
/// although they have a leader (`errorUnavailableEndpoints`).
fn without_dead_replicas(mut topic: MetadataTopic) -> MetadataTopic {
    for partition in &mut topic.partitions {
        let dead = &partition.offline_replicas;
        if !dead.is_empty() && partition.error_code == error_code::NONE {
            partition.error_code = error_code::REPLICA_NOT_AVAILABLE;
        }
        partition.replicas.retain(|id| !dead.contains(id));
    }
    topic
}

/// Why no topic of the request is looked at, if so.
fn refusal(behaviour: Behaviour, version: i16, selectors: &[TopicSelector]) -> Option<i16> {
    let names = || {
        selectors
            .iter()
            .filter_map(|selector| selector.name.as_deref())
    };
    let is_illegal = |name: &str| !is_legal_name(name, behaviour.topic_name_max);
    if behaviour.illegal_name == IllegalName::FailsAll && names().any(is_illegal) {
        return Some(error_code::INVALID_TOPIC_EXCEPTION);
    }
    let has_id = |selector: &TopicSelector| selector.topic_id != NO_ID;
    // Metadata 10 and 11 have ids in the request, but brokers refuse them (KIP-516).
    if version < 12 && selectors.iter().any(|s| has_id(s) || s.name.is_none()) {
        return Some(error_code::INVALID_REQUEST);
    }
    // Neither name nor id: the request handler fails.
    let is_nothing = |selector: &TopicSelector| !has_id(selector) && selector.name.is_none();
    let is_any_nothing = selectors.iter().any(is_nothing);
    is_any_nothing.then_some(error_code::UNKNOWN_SERVER_ERROR)
}

/// Whether the producer may not even know of the topic.
fn is_hidden(topic: &Topic) -> bool {
    topic.access == Access::None
}

pub(super) fn refused(error_code: i16, name: Option<&str>) -> MetadataTopic {
    MetadataTopic {
        error_code,
        name: name.map(str::to_owned),
        topic_id: NO_ID,
        partitions: Vec::new(),
    }
}
