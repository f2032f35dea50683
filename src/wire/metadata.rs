//! Metadata: brokers, topics, partitions and their leaders.

use bytes::Bytes;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::frame::{self, RequestHead};
use super::primitives::{DecodeError, Reader};
use super::uuid::Uuid;

/// A broker's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// For how long the broker mutes this connection, in milliseconds (v3+).
    pub throttle_time_ms: i32,
    /// The live brokers.
    pub brokers: Vec<Broker>,
    /// The cluster's id (v2+); another one means another cluster.
    pub cluster_id: Option<String>,
    /// The controller (v1+), -1 when unknown. `KRaft` brokers name any live broker.
    pub controller_id: i32,
    /// The topics, in no order.
    pub topics: Vec<Topic>,
    /// `REBOOTSTRAP_REQUIRED` when the client should start over from its bootstrap servers
    /// (v13+, KIP-1102); else `NONE`.
    pub error: ErrorCode,
}

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its id.
    pub node_id: i32,
    /// Its host, a name or an address.
    pub host: String,
    /// Its port.
    pub port: i32,
    /// Its rack (v1+).
    pub rack: Option<String>,
}

/// What a broker knows of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// `NONE`, or why nothing is known.
    pub error: ErrorCode,
    /// Its name; null (v12+) only when asked by an id that the broker does not know.
    pub name: Option<String>,
    /// Its id (v10+), else [`Uuid::ZERO`]. A recreated topic has a new one.
    pub id: Uuid,
    /// Whether it is one of Kafka's own (v1+).
    pub is_internal: bool,
    /// Its partitions, in no order.
    pub partitions: Vec<Partition>,
}

/// What a broker knows of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// `NONE`, or `LEADER_NOT_AVAILABLE`, `LISTENER_NOT_FOUND`, `REPLICA_NOT_AVAILABLE` (v0).
    pub error: ErrorCode,
    /// Its index.
    pub index: i32,
    /// The leader's id; -1 when there is none.
    pub leader: i32,
    /// The leader's epoch (v7+); -1 when absent. Not to be trusted below v9 (KAFKA-9212).
    pub leader_epoch: i32,
    /// The brokers which have a replica.
    pub replicas: Vec<i32>,
    /// Those of them which are in sync.
    pub in_sync_replicas: Vec<i32>,
    /// Those of them which are offline (v5+).
    pub offline_replicas: Vec<i32>,
}

/// Node id, host (length), port.
const BROKER_BYTES_MIN: usize = 4 + 1 + 4;
/// Error, name (length), partitions (count).
const TOPIC_BYTES_MIN: usize = 2 + 1 + 1;
/// Error, index, leader, replicas and in-sync replicas (counts).
const PARTITION_BYTES_MIN: usize = 2 + 4 + 4 + 1 + 1;

/// A request for these topics; `None` is all of them.
///
/// At v0 an empty array means all topics: there `Some(&[])` answers more than was asked.
/// `allow_auto_create` is sent since v4; before, the broker's `auto.create.topics.enable` decides.
/// Topics go by name at every version: ids do not work before v12.
///
/// # Panics
/// At a version outside [`ApiKey::supported`], or on a string of more than 32,767 bytes.
#[must_use]
pub fn encode_request(
    version: i16,
    head: &RequestHead<'_>,
    topics: Option<&[&str]>,
    allow_auto_create: bool,
) -> Bytes {
    let mut w = frame::request(ApiKey::Metadata, version, head);
    match topics {
        None if version == 0 => w.length(Some(0)),
        None => w.length(None),
        Some(topics) => w.length(Some(topics.len())),
    }
    for name in topics.unwrap_or_default() {
        if version >= 10 {
            w.uuid(Uuid::ZERO);
        }
        w.string(name);
        w.no_tags();
    }
    if version >= 4 {
        w.bool(allow_auto_create);
    }
    if (8..=10).contains(&version) {
        w.bool(false); // include_cluster_authorized_operations
    }
    if version >= 8 {
        w.bool(false); // include_topic_authorized_operations
    }
    w.no_tags();
    w.finish(0)
}

/// The answer to a request of this version.
///
/// # Errors
/// When the frame is not such an answer.
///
/// # Panics
/// At a version outside [`ApiKey::supported`].
pub fn decode_response(version: i16, frame: &[u8]) -> Result<Response, DecodeError> {
    let mut r = frame::response(ApiKey::Metadata, version, frame)?;
    let throttle_time_ms = if version >= 3 {
        r.i32("throttle_time_ms")?
    } else {
        0
    };
    let brokers = r.array("brokers", BROKER_BYTES_MIN, |r| broker(r, version))?;
    let cluster_id = if version >= 2 {
        r.nullable_string("cluster_id")?
    } else {
        None
    };
    let controller_id = if version >= 1 {
        r.i32("controller_id")?
    } else {
        -1
    };
    let topics = r.array("topics", TOPIC_BYTES_MIN, |r| topic(r, version))?;
    if (8..=10).contains(&version) {
        r.i32("cluster_authorized_operations")?;
    }
    let error = if version >= 13 {
        ErrorCode(r.i16("error_code")?)
    } else {
        ErrorCode::NONE
    };
    r.skip_tags("MetadataResponse")?;
    r.end("MetadataResponse")?;
    Ok(Response {
        throttle_time_ms,
        brokers,
        cluster_id,
        controller_id,
        topics,
        error,
    })
}

fn broker(r: &mut Reader<'_>, version: i16) -> Result<Broker, DecodeError> {
    let broker = Broker {
        node_id: r.i32("node_id")?,
        host: r.string("host")?,
        port: r.i32("port")?,
        rack: if version >= 1 {
            r.nullable_string("rack")?
        } else {
            None
        },
    };
    r.skip_tags("brokers")?;
    Ok(broker)
}

fn topic(r: &mut Reader<'_>, version: i16) -> Result<Topic, DecodeError> {
    let topic = Topic {
        error: ErrorCode(r.i16("topic error_code")?),
        name: if version >= 12 {
            r.nullable_string("name")?
        } else {
            Some(r.string("name")?)
        },
        id: if version >= 10 {
            r.uuid("topic_id")?
        } else {
            Uuid::ZERO
        },
        is_internal: if version >= 1 {
            r.bool("is_internal")?
        } else {
            false
        },
        partitions: r.array("partitions", PARTITION_BYTES_MIN, |r| partition(r, version))?,
    };
    if version >= 8 {
        r.i32("topic_authorized_operations")?;
    }
    r.skip_tags("topics")?;
    Ok(topic)
}

fn partition(r: &mut Reader<'_>, version: i16) -> Result<Partition, DecodeError> {
    let partition = Partition {
        error: ErrorCode(r.i16("partition error_code")?),
        index: r.i32("partition_index")?,
        leader: r.i32("leader_id")?,
        leader_epoch: if version >= 7 {
            r.i32("leader_epoch")?
        } else {
            -1
        },
        replicas: r.array_of_i32("replica_nodes")?,
        in_sync_replicas: r.array_of_i32("isr_nodes")?,
        offline_replicas: if version >= 5 {
            r.array_of_i32("offline_replicas")?
        } else {
            vec![]
        },
    };
    r.skip_tags("partitions")?;
    Ok(partition)
}
