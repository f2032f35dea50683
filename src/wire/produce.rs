//! Produce: record batches to the leader of their partitions.
//!
//! A request leaves as chunks: everything but the record sections lies in one buffer, cut where a
//! section goes, and the sections are the batches' own `Bytes`. They are never copied.

use bytes::Bytes;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::format::Front;
use super::frame::{self, RequestHead};
use super::primitives::{DecodeError, Reader};
use super::record_batch;
use super::uuid::Uuid;

/// A request: at most one batch per partition, each partition once.
///
/// A broker drops one of two batches for the same partition without a word, and does not answer
/// at all to null records; neither can be said here.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// The transactional id, `None` outside transactions (v3+).
    pub transactional_id: Option<&'a str>,
    /// 0 (no response comes), 1 (the leader has it) or -1 (all in-sync replicas have it).
    pub acks: i16,
    /// For how long the broker may wait for the replicas, in milliseconds.
    pub timeout_ms: i32,
    /// The topics, each once.
    pub topics: &'a [Topic<'a>],
}

/// The batches for one topic.
#[derive(Clone, Copy, Debug)]
pub struct Topic<'a> {
    /// The name (v0 to v12).
    pub name: &'a str,
    /// The id (v13+).
    pub id: Uuid,
    /// The partitions, each once.
    pub partitions: &'a [Partition],
}

/// The batch for one partition.
#[derive(Clone, Debug)]
pub struct Partition {
    /// The partition.
    pub index: i32,
    /// What goes before the records: [`record_batch::header`], or what
    /// [`message_set::wrap`](super::message_set::wrap) gives.
    pub front: Front,
    /// The batch's records as they are sent, in the format of the request's version: compressed if
    /// the front says so.
    pub body: Bytes,
}

/// A broker's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// For how long the broker mutes this connection, in milliseconds (v1+).
    pub throttle_time_ms: i32,
    /// The partitions, in no order.
    pub partitions: Vec<PartitionResult>,
    /// Where the leaders named in [`PartitionResult::current_leader`] listen (v10+, KIP-951).
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// How a response names a topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TopicRef {
    /// By name (v0 to v12).
    Name(String),
    /// By id (v13+).
    Id(Uuid),
}

/// What became of one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionResult {
    /// The topic.
    pub topic: TopicRef,
    /// The partition.
    pub index: i32,
    /// `NONE` when the batch is in the log.
    pub error: ErrorCode,
    /// The offset of the batch's first record; -1 on error. Of a duplicate: the first writing's.
    pub base_offset: i64,
    /// The broker's time if the topic has `LogAppendTime`, else -1; milliseconds since the Unix
    /// epoch. Of a duplicate: the batch's own latest timestamp, whatever the topic has.
    pub log_append_time_ms: i64,
    /// The first offset still in the log (v5+), or -1.
    pub log_start_offset: i64,
    /// Which records made the broker refuse the batch: index in the batch, text (v8+, KIP-467).
    pub record_errors: Vec<(i32, Option<String>)>,
    /// The broker's explanation (v8+).
    pub error_message: Option<String>,
    /// With `NOT_LEADER_OR_FOLLOWER`, who leads: broker and leader epoch (v10+, KIP-951).
    pub current_leader: Option<(i32, i32)>,
}

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEndpoint {
    /// Its id.
    pub node_id: i32,
    /// Its host, a name or an address.
    pub host: String,
    /// Its port.
    pub port: i32,
    /// Its rack.
    pub rack: Option<String>,
}

/// The longest name of a topic: 249 bytes, 255 in old releases. Every partition in an answer gets
/// a copy of its topic's name: without a bound a peer could make a small frame into gigabytes.
const TOPIC_NAME_BYTES_MAX: usize = 255;

/// Index, length of the records (5 at most), batch header, tags.
const PARTITION_HEAD_BYTES_MAX: usize = 4 + 5 + record_batch::HEADER_BYTES + 1;
/// Length of the name (5 at most; the name apart), count (5 at most), tags; or the id.
const TOPIC_HEAD_BYTES_MAX: usize = 16 + 5 + 1;

/// Partitions (count) and name (length).
const TOPIC_BYTES_MIN: usize = 1 + 1;
/// Index, error, base offset.
const PARTITION_BYTES_MIN: usize = 4 + 2 + 8;
/// Batch index, text (length).
const RECORD_ERROR_BYTES_MIN: usize = 4 + 1;
/// Node id, host (length), port, rack (length).
const NODE_ENDPOINT_BYTES_MIN: usize = 4 + 1 + 4 + 1;

/// Appends the request to `out`, chunk by chunk: head up to the first records, those records,
/// what lies between them and the next ones, …, tail. No chunk is empty.
///
/// # Panics
/// At a version outside [`ApiKey::supported`], on a string of more than 32,767 bytes, or when the
/// request exceeds 2 GiB.
pub fn encode_request(
    version: i16,
    head: &RequestHead<'_>,
    request: &Request<'_>,
    out: &mut Vec<Bytes>,
) {
    let batches = || request.topics.iter().flat_map(|topic| topic.partitions);
    let batch_count = batches().count();
    let mut w = frame::request(ApiKey::Produce, version, head);
    w.reserve(bytes_max(request, batch_count));
    let mut cuts = Vec::with_capacity(batch_count);

    if version >= 3 {
        w.nullable_string(request.transactional_id);
    }
    w.i16(request.acks);
    w.i32(request.timeout_ms);
    w.length(Some(request.topics.len()));
    for topic in request.topics {
        if version >= 13 {
            w.uuid(topic.id);
        } else {
            w.string(topic.name);
        }
        w.length(Some(topic.partitions.len()));
        for partition in topic.partitions {
            w.i32(partition.index);
            w.length(Some(partition.front.len() + partition.body.len()));
            w.raw(&partition.front);
            cuts.push(w.written());
            w.no_tags();
        }
        w.no_tags();
    }
    w.no_tags();

    let mut rest = w.finish(batches().map(|batch| batch.body.len()).sum());
    let mut at = 0;
    out.reserve(2 * batch_count + 1);
    for (batch, cut) in batches().zip(cuts) {
        let chunk = rest.split_to(cut - at);
        at = cut;
        out.extend(
            [chunk, batch.body.clone()]
                .into_iter()
                .filter(|chunk| !chunk.is_empty()),
        );
    }
    if !rest.is_empty() {
        out.push(rest);
    }
}

/// No less than what comes behind the request header, without the records.
fn bytes_max(request: &Request<'_>, batch_count: usize) -> usize {
    let strings = request
        .topics
        .iter()
        .map(|topic| topic.name.len())
        .sum::<usize>()
        + request.transactional_id.map_or(0, str::len);
    // Length of the id, acks, timeout, count, tags.
    strings
        + (5 + 2 + 4 + 5 + 1)
        + request.topics.len() * TOPIC_HEAD_BYTES_MAX
        + batch_count * PARTITION_HEAD_BYTES_MAX
}

/// The answer to a request of this version with `acks` other than 0.
///
/// # Errors
/// When the frame is not such an answer.
///
/// # Panics
/// At a version outside [`ApiKey::supported`].
pub fn decode_response(version: i16, frame: &[u8]) -> Result<Response, DecodeError> {
    let mut r = frame::response(ApiKey::Produce, version, frame)?;
    let mut partitions = Vec::new();
    r.array("responses", TOPIC_BYTES_MIN, |r| {
        topic(r, version, &mut partitions)
    })?;
    let throttle_time_ms = if version >= 1 {
        r.i32("throttle_time_ms")?
    } else {
        0
    };
    let mut node_endpoints = Vec::new();
    r.tags("ProduceResponse", |tag, r| {
        let known = version >= 10 && tag == 0;
        if known {
            node_endpoints = r.array("node_endpoints", NODE_ENDPOINT_BYTES_MIN, node_endpoint)?;
        }
        Ok(known)
    })?;
    r.end("ProduceResponse")?;
    Ok(Response {
        throttle_time_ms,
        partitions,
        node_endpoints,
    })
}

fn topic(
    r: &mut Reader<'_>,
    version: i16,
    partitions: &mut Vec<PartitionResult>,
) -> Result<(), DecodeError> {
    let topic = if version >= 13 {
        TopicRef::Id(r.uuid("topic_id")?)
    } else {
        TopicRef::Name(r.bounded_string("name", TOPIC_NAME_BYTES_MAX)?)
    };
    let of_topic = r.array("partition_responses", PARTITION_BYTES_MIN, |r| {
        partition(r, version, topic.clone())
    })?;
    partitions.extend(of_topic);
    r.skip_tags("responses")
}

fn partition(
    r: &mut Reader<'_>,
    version: i16,
    topic: TopicRef,
) -> Result<PartitionResult, DecodeError> {
    let mut result = PartitionResult {
        topic,
        index: r.i32("index")?,
        error: ErrorCode(r.i16("error_code")?),
        base_offset: r.i64("base_offset")?,
        log_append_time_ms: if version >= 2 {
            r.i64("log_append_time_ms")?
        } else {
            -1
        },
        log_start_offset: if version >= 5 {
            r.i64("log_start_offset")?
        } else {
            -1
        },
        record_errors: vec![],
        error_message: None,
        current_leader: None,
    };
    if version >= 8 {
        result.record_errors = r.array("record_errors", RECORD_ERROR_BYTES_MIN, record_error)?;
        result.error_message = r.nullable_string("error_message")?;
    }
    r.tags("partition_responses", |tag, r| {
        let known = version >= 10 && tag == 0;
        if known {
            result.current_leader = Some((r.i32("leader_id")?, r.i32("leader_epoch")?));
            r.skip_tags("current_leader")?;
        }
        Ok(known)
    })?;
    Ok(result)
}

fn record_error(r: &mut Reader<'_>) -> Result<(i32, Option<String>), DecodeError> {
    let record_error = (
        r.i32("batch_index")?,
        r.nullable_string("batch_index_error_message")?,
    );
    r.skip_tags("record_errors")?;
    Ok(record_error)
}

fn node_endpoint(r: &mut Reader<'_>) -> Result<NodeEndpoint, DecodeError> {
    let node_endpoint = NodeEndpoint {
        node_id: r.i32("node_id")?,
        host: r.string("host")?,
        port: r.i32("port")?,
        rack: r.nullable_string("rack")?,
    };
    r.skip_tags("node_endpoints")?;
    Ok(node_endpoint)
}
