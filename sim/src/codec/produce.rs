//! Produce v0 to v13: batches in, offsets out.

use bytes::Bytes;

use super::{ApiKey, Malformed, MetadataBroker, Reader, Writer};

/// How a Produce request names a topic: by name, or (v13, KIP-516) by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TopicName {
    /// Up to v12.
    Name(String),
    /// From v13 on.
    Id([u8; 16]),
}

/// One partition of a Produce request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducePartition {
    /// The partition.
    pub partition: i32,
    /// The batch as it came, sharing the frame's memory; null is legal on the wire.
    pub records: Option<Bytes>,
}

/// One topic of a Produce request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceTopic {
    /// The topic.
    pub topic: TopicName,
    /// Its partitions, in the request's order.
    pub partitions: Vec<ProducePartition>,
}

/// A Produce request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceRequest {
    /// The transactional id, or null (v3+).
    pub transactional_id: Option<String>,
    /// −1, 0 or 1; anything else is answered with `INVALID_REQUIRED_ACKS`.
    pub acks: i16,
    /// How long the broker may wait for replicas, in milliseconds.
    pub timeout_ms: i32,
    /// The topics, in the request's order.
    pub topics: Vec<ProduceTopic>,
}

impl ProduceRequest {
    /// Reads the body; `frame` is what `reader` reads, so that batches can share its memory.
    pub(super) fn decode(
        reader: &mut Reader<'_>,
        frame: &Bytes,
        version: i16,
    ) -> Result<Self, Malformed> {
        let transactional_id = if version >= 3 {
            reader.nullable_string()?.map(str::to_owned)
        } else {
            None
        };
        let acks = reader.i16()?;
        let timeout_ms = reader.i32()?;
        let count = reader.count(3)?;
        let mut topics = Vec::with_capacity(count.min(1_024));
        for _ in 0..count {
            topics.push(Self::topic(reader, frame, version)?);
        }
        reader.tags()?;
        Ok(Self {
            transactional_id,
            acks,
            timeout_ms,
            topics,
        })
    }

    fn topic(
        reader: &mut Reader<'_>,
        frame: &Bytes,
        version: i16,
    ) -> Result<ProduceTopic, Malformed> {
        let topic = if version >= 13 {
            TopicName::Id(reader.uuid()?)
        } else {
            TopicName::Name(reader.string()?.to_owned())
        };
        let count = reader.count(6)?;
        let mut partitions = Vec::with_capacity(count.min(1_024));
        for _ in 0..count {
            let partition = reader.i32()?;
            let records = reader.nullable_bytes()?.map(|bytes| frame.slice_ref(bytes));
            reader.tags()?;
            partitions.push(ProducePartition { partition, records });
        }
        reader.tags()?;
        Ok(ProduceTopic { topic, partitions })
    }
}

/// v8+ (KIP-467): one record that was the reason for refusing its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The record's index within the batch.
    pub batch_index: i32,
    /// Why.
    pub message: Option<String>,
}

/// v10+ (KIP-951): who leads instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderHint {
    /// The leader's broker id.
    pub leader_id: i32,
    /// Its epoch.
    pub leader_epoch: i32,
}

/// The answer for one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionAnswer {
    /// The partition.
    pub partition: i32,
    /// 0 or an error.
    pub error_code: i16,
    /// The offset of the batch's first record; −1 with an error.
    pub base_offset: i64,
    /// v2+: −1 unless the topic stamps records itself, or for duplicates.
    pub log_append_time_ms: i64,
    /// v5+: the first offset of the log; −1 when the batch was refused before the log was asked.
    pub log_start_offset: i64,
    /// v8+: the records to blame.
    pub record_errors: Vec<RecordError>,
    /// v8+: what was wrong.
    pub error_message: Option<String>,
    /// v10+: the current leader, with `NOT_LEADER_OR_FOLLOWER`.
    pub current_leader: Option<LeaderHint>,
}

impl PartitionAnswer {
    /// A refusal before the log was asked.
    #[must_use]
    pub const fn refused(partition: i32, error_code: i16) -> Self {
        Self {
            partition,
            error_code,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: None,
        }
    }

    fn encode(&self, writer: &mut Writer, version: i16) {
        writer.i32(self.partition);
        writer.i16(self.error_code);
        writer.i64(self.base_offset);
        if version >= 2 {
            writer.i64(self.log_append_time_ms);
        }
        if version >= 5 {
            writer.i64(self.log_start_offset);
        }
        if version >= 8 {
            writer.array(&self.record_errors, |writer, error| {
                writer.i32(error.batch_index);
                writer.nullable_string(error.message.as_deref());
                writer.no_tags();
            });
            writer.nullable_string(self.error_message.as_deref());
        }
        match self.current_leader {
            Some(hint) if version >= 10 => writer.one_tag(0, |writer| {
                writer.i32(hint.leader_id);
                writer.i32(hint.leader_epoch);
                writer.no_tags();
            }),
            Some(_) | None => writer.no_tags(),
        }
    }
}

/// The answer for one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicAnswer {
    /// As the request named it.
    pub topic: TopicName,
    /// One answer per partition.
    pub partitions: Vec<PartitionAnswer>,
}

/// A Produce response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceResponse {
    /// The answers, in the request's order.
    pub topics: Vec<TopicAnswer>,
    /// How long the client shall wait, in milliseconds.
    pub throttle_time_ms: i32,
    /// v10+ (KIP-951): the addresses of the brokers that the hints name.
    pub node_endpoints: Vec<MetadataBroker>,
}

impl ProduceResponse {
    /// The whole frame.
    #[must_use]
    pub fn encode(&self, version: i16, correlation_id: i32) -> Bytes {
        let flexible = ApiKey::Produce.is_flexible(version);
        let mut writer = Writer::response(correlation_id, flexible, flexible);
        writer.array(&self.topics, |writer, topic| {
            match &topic.topic {
                TopicName::Name(name) => writer.string(name),
                TopicName::Id(id) => writer.uuid(id),
            }
            writer.array(&topic.partitions, |writer, answer| {
                answer.encode(writer, version);
            });
            writer.no_tags();
        });
        if version >= 1 {
            writer.i32(self.throttle_time_ms);
        }
        if version >= 10 && !self.node_endpoints.is_empty() {
            writer.one_tag(0, |writer| {
                writer.array(&self.node_endpoints, |writer, broker| {
                    writer.i32(broker.node_id);
                    writer.string(&broker.host);
                    writer.i32(i32::from(broker.port));
                    writer.nullable_string(None);
                    writer.no_tags();
                });
            });
        } else {
            writer.no_tags();
        }
        writer.finish()
    }
}
