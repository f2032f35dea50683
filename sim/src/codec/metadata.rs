//! Metadata v0 to v13: brokers, topics, partitions and their leaders.

use bytes::Bytes;

use super::{ApiKey, Malformed, Reader, Writer};

/// What one entry of a Metadata request asks for. Both parts may be given (v10+).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSelector {
    /// v10+: the topic id; zero is "by name".
    pub topic_id: [u8; 16],
    /// The name; v10+: nullable.
    pub name: Option<String>,
}

/// A Metadata request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataRequest {
    /// The topics asked for; `None` is all of them (null; at v0 the empty array).
    pub topics: Option<Vec<TopicSelector>>,
    /// v4+: whether the broker may create a missing topic; true before.
    pub allow_auto_topic_creation: bool,
    /// v8+: whether the topics' authorized operations are wanted.
    pub include_topic_authorized_operations: bool,
    /// v8 to v10: whether the cluster's authorized operations are wanted.
    pub include_cluster_authorized_operations: bool,
}

impl MetadataRequest {
    pub(super) fn decode(reader: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        // The smallest element is an empty string: two bytes, compact with its tags or classic.
        let count = reader.nullable_count(2)?;
        let mut topics = None;
        if let Some(count) = count {
            let mut selectors = Vec::with_capacity(count.min(1_024));
            for _ in 0..count {
                selectors.push(Self::selector(reader, version)?);
            }
            topics = Some(selectors);
        } else if version == 0 {
            return Err(Malformed("null topics at version 0"));
        }
        if version == 0 && topics.as_ref().is_some_and(Vec::is_empty) {
            topics = None;
        }
        let allow_auto_topic_creation = version < 4 || reader.bool()?;
        let include_cluster_authorized_operations = (8..=10).contains(&version) && reader.bool()?;
        let include_topic_authorized_operations = version >= 8 && reader.bool()?;
        reader.tags()?;
        Ok(Self {
            topics,
            allow_auto_topic_creation,
            include_topic_authorized_operations,
            include_cluster_authorized_operations,
        })
    }

    fn selector(reader: &mut Reader<'_>, version: i16) -> Result<TopicSelector, Malformed> {
        let topic_id = if version >= 10 {
            reader.uuid()?
        } else {
            [0; 16]
        };
        let name = if version >= 10 {
            reader.nullable_string()?.map(str::to_owned)
        } else {
            Some(reader.string()?.to_owned())
        };
        reader.tags()?;
        Ok(TopicSelector { topic_id, name })
    }
}

/// One broker in a Metadata response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataBroker {
    /// The broker id.
    pub node_id: i32,
    /// The advertised host.
    pub host: String,
    /// The advertised port.
    pub port: u16,
}

/// One partition in a Metadata response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataPartition {
    /// 0, or `LEADER_NOT_AVAILABLE`.
    pub error_code: i16,
    /// The partition.
    pub partition: i32,
    /// The leader's broker id; −1 is none.
    pub leader_id: i32,
    /// v7+: the leader epoch.
    pub leader_epoch: i32,
    /// All replicas.
    pub replicas: Vec<i32>,
    /// Those in sync.
    pub isr: Vec<i32>,
    /// v5+: those on dead brokers.
    pub offline_replicas: Vec<i32>,
}

/// One topic in a Metadata response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataTopic {
    /// 0 or why there is nothing more.
    pub error_code: i16,
    /// The name; null (v12+) when asked by an unknown id.
    pub name: Option<String>,
    /// v10+: the topic id, or zero.
    pub topic_id: [u8; 16],
    /// The partitions in order.
    pub partitions: Vec<MetadataPartition>,
}

/// A Metadata response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataResponse {
    /// v3+: how long the client shall wait, in milliseconds.
    pub throttle_time_ms: i32,
    /// The live brokers.
    pub brokers: Vec<MetadataBroker>,
    /// v2+: the cluster id.
    pub cluster_id: String,
    /// v1+: the controller's broker id; −1 is none.
    pub controller_id: i32,
    /// The topics.
    pub topics: Vec<MetadataTopic>,
    /// Whether topics' authorized operations are listed (all of them) or left out.
    pub topic_authorized_operations: bool,
    /// Whether the cluster's authorized operations are listed (all of them) or left out.
    pub cluster_authorized_operations: bool,
    /// v13+: the error of the whole request.
    pub error_code: i16,
}

/// The operations on a topic: read, write, create, delete, alter, describe, and both of configs.
const TOPIC_OPERATIONS: i32 = 0b1101_1111_1000;
/// The operations on a cluster.
const CLUSTER_OPERATIONS: i32 = 0b1_1111_1010_0000;
/// "Not asked for".
const OPERATIONS_OMITTED: i32 = i32::MIN;

impl MetadataResponse {
    /// The whole frame.
    #[must_use]
    pub fn encode(&self, version: i16, correlation_id: i32) -> Bytes {
        let flexible = ApiKey::Metadata.is_flexible(version);
        let mut writer = Writer::response(correlation_id, flexible, flexible);
        if version >= 3 {
            writer.i32(self.throttle_time_ms);
        }
        writer.array(&self.brokers, |writer, broker| {
            writer.i32(broker.node_id);
            writer.string(&broker.host);
            writer.i32(i32::from(broker.port));
            if version >= 1 {
                writer.nullable_string(None);
            }
            writer.no_tags();
        });
        if version >= 2 {
            writer.nullable_string(Some(&self.cluster_id));
        }
        if version >= 1 {
            writer.i32(self.controller_id);
        }
        writer.array(&self.topics, |writer, topic| {
            self.encode_topic(writer, topic, version);
        });
        if (8..=10).contains(&version) {
            let all = self.cluster_authorized_operations;
            writer.i32(if all {
                CLUSTER_OPERATIONS
            } else {
                OPERATIONS_OMITTED
            });
        }
        if version >= 13 {
            writer.i16(self.error_code);
        }
        writer.no_tags();
        writer.finish()
    }

    fn encode_topic(&self, writer: &mut Writer, topic: &MetadataTopic, version: i16) {
        writer.i16(topic.error_code);
        if version >= 12 {
            writer.nullable_string(topic.name.as_deref());
        } else {
            writer.string(topic.name.as_deref().unwrap_or_default());
        }
        if version >= 10 {
            writer.uuid(&topic.topic_id);
        }
        if version >= 1 {
            writer.bool(false);
        }
        writer.array(&topic.partitions, |writer, partition| {
            writer.i16(partition.error_code);
            writer.i32(partition.partition);
            writer.i32(partition.leader_id);
            if version >= 7 {
                writer.i32(partition.leader_epoch);
            }
            writer.i32_array(&partition.replicas);
            writer.i32_array(&partition.isr);
            if version >= 5 {
                writer.i32_array(&partition.offline_replicas);
            }
            writer.no_tags();
        });
        if version >= 8 {
            let all = self.topic_authorized_operations && topic.error_code == 0;
            writer.i32(if all {
                TOPIC_OPERATIONS
            } else {
                OPERATIONS_OMITTED
            });
        }
        writer.no_tags();
    }
}
