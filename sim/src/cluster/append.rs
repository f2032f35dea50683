//! One batch on its way into a log: every check that a broker makes, in a broker's order.
//!
//! Owns: nothing. Follows Kafka's `ProduceRequest.validateRecords`, `UnifiedLog.append` and
//! `LogValidator`; where Kafka overlooks something, [`Strictness::Strict`] does not.

use bytes::Bytes;
use titorelli::Instant;

use super::behaviour::Behaviour;
use super::config::{BrokerId, ClusterConfig, Strictness, TopicConfig};
use super::producer_state::Judgement;
use super::topic::Partition;
use crate::codec::{
    BatchHeader, Codec, PartitionAnswer, RecordError, error_code, first_batch, inflate,
    walk_records,
};

/// Why a batch is not appended.
#[derive(Debug)]
pub(super) struct Refusal {
    error_code: i16,
    message: Option<String>,
    record_errors: Vec<RecordError>,
    /// Whether the log was asked: such refusals carry the log's start offset.
    by_log: bool,
}

impl Refusal {
    pub(super) const fn early(error_code: i16) -> Self {
        Self {
            error_code,
            message: None,
            record_errors: Vec::new(),
            by_log: false,
        }
    }

    /// With the broker's words.
    pub(super) fn told(error_code: i16, message: String) -> Self {
        Self {
            message: Some(message),
            ..Self::early(error_code)
        }
    }

    pub(super) const fn by_log(error_code: i16) -> Self {
        Self {
            error_code,
            message: None,
            record_errors: Vec::new(),
            by_log: true,
        }
    }

    /// These records are to blame (KIP-467).
    fn of_records(error_code: i16, indices: Vec<i32>, text: &str) -> Self {
        let blame = |batch_index| RecordError {
            batch_index,
            message: Some(text.to_owned()),
        };
        Self {
            record_errors: indices.into_iter().map(blame).collect(),
            message: Some("One or more records have been rejected".to_owned()),
            ..Self::by_log(error_code)
        }
    }

    pub(super) fn into_answer(self, partition: i32) -> PartitionAnswer {
        PartitionAnswer {
            log_start_offset: if self.by_log { 0 } else { -1 },
            record_errors: self.record_errors,
            error_message: self.message,
            ..PartitionAnswer::refused(partition, self.error_code)
        }
    }
}

/// What is the same for every batch of one request.
#[derive(Clone, Copy, Debug)]
pub(super) struct AppendContext<'a> {
    pub(super) config: &'a ClusterConfig,
    pub(super) topic: &'a TopicConfig,
    pub(super) broker: BrokerId,
    pub(super) behaviour: Behaviour,
    pub(super) now: Instant,
}

impl AppendContext<'_> {
    /// `InvalidRecordException`. While it is a corrupt message on the wire, it is thrown as one
    /// and does not tell where the log starts.
    pub(super) const fn invalid_record(&self) -> Refusal {
        match self.behaviour.invalid_record {
            error_code::CORRUPT_MESSAGE => Refusal::early(error_code::CORRUPT_MESSAGE),
            error_code => Refusal::by_log(error_code),
        }
    }

    /// These records break a rule of the topic.
    pub(super) fn blame(&self, refusal: Refusal, indices: Vec<i32>, text: &str) -> Refusal {
        if self.behaviour.blames_records {
            Refusal::of_records(refusal.error_code, indices, text)
        } else {
            refusal
        }
    }

    /// Whether a record needs a key.
    pub(super) fn refuses_keyless(&self) -> bool {
        self.topic.compacted && (self.behaviour.refuses_keyless || self.is_strict())
    }

    /// Whether what brokers overlook is refused.
    pub(super) fn is_strict(&self) -> bool {
        self.config.strictness == Strictness::Strict
    }

    /// The broker's wall clock, in milliseconds since the Unix epoch.
    fn wall_clock_ms(&self) -> i64 {
        self.config
            .wall_clock_ms
            .saturating_add_unsigned(self.now.as_micros() / 1_000)
    }

    /// The timestamp that the broker gives, if it does.
    pub(super) fn stamp_ms(&self) -> Option<i64> {
        self.topic.log_append_time.then(|| self.wall_clock_ms())
    }

    /// The greatest timestamp that the topic takes.
    pub(super) fn timestamp_ms_max(&self) -> i64 {
        let limit = self
            .topic
            .timestamp_after_max
            .filter(|_| !self.topic.log_append_time);
        limit.map_or(i64::MAX, |span| {
            let span_ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            self.wall_clock_ms().saturating_add_unsigned(span_ms)
        })
    }
}

/// The one batch that these bytes must hold, checked as far as the request layer does.
pub(super) fn only_batch(
    behaviour: Behaviour,
    records: &Bytes,
    version: i16,
) -> Result<BatchHeader, Refusal> {
    let corrupt = |reason: crate::codec::Malformed| {
        Refusal::told(error_code::CORRUPT_MESSAGE, reason.to_string())
    };
    let Some((batch, rest)) = first_batch(records).map_err(corrupt)? else {
        return Err(Refusal::early(error_code::INVALID_RECORD));
    };
    if batch.magic != 2 {
        return Err(Refusal::early(error_code::INVALID_RECORD));
    }
    match batch.codec() {
        Some(_) | None if !behaviour.knows_zstd => {}
        Some(Codec::Zstd) if version < 7 => {
            return Err(Refusal::early(error_code::UNSUPPORTED_COMPRESSION_TYPE));
        }
        // Below version 7 the codec is looked at here already.
        None if version < 7 => return Err(Refusal::early(error_code::UNKNOWN_SERVER_ERROR)),
        Some(_) | None => {}
    }
    if first_batch(&rest).map_err(corrupt)?.is_some() {
        return Err(Refusal::early(error_code::INVALID_RECORD));
    }
    Ok(batch)
}

/// Appends the batch, or answers it as a duplicate.
pub(super) fn append(
    context: AppendContext<'_>,
    partition: &mut Partition,
    index: i32,
    batch: &BatchHeader,
) -> Result<PartitionAnswer, Refusal> {
    check_header(context, batch)?;
    let codec = batch
        .codec()
        .filter(|codec| *codec != Codec::Zstd || context.behaviour.knows_zstd)
        .ok_or(Refusal::by_log(error_code::UNKNOWN_SERVER_ERROR))?;
    let plain = inflate(codec, &batch.records, context.config.inflated_bytes_max)
        .map_err(|_| Refusal::by_log(error_code::UNKNOWN_SERVER_ERROR))?;
    check_records(context, batch, &plain)?;
    let mut answer = PartitionAnswer::refused(index, error_code::NONE);
    answer.log_start_offset = 0;
    if batch.producer_id >= 0 {
        match partition.producers.judge(context.behaviour, batch) {
            Judgement::Append => {}
            Judgement::Refuse(error_code) => return Err(Refusal::by_log(error_code)),
            Judgement::Duplicate(known) => {
                partition.log.note_duplicate();
                answer.base_offset = known.base_offset;
                // Also on CreateTime topics: brokers answer the batch's greatest timestamp.
                answer.log_append_time_ms = known.max_timestamp_ms;
                return Ok(answer);
            }
        }
    }
    let stamp_ms = context.stamp_ms();
    answer.base_offset = partition.log.next_offset();
    answer.log_append_time_ms = stamp_ms.unwrap_or(-1);
    walk_records(&plain, batch.record_count, |record| {
        let created_ms = batch
            .base_timestamp_ms
            .wrapping_add(record.timestamp_delta_ms);
        partition
            .log
            .push(&plain, &record, stamp_ms.unwrap_or(created_ms));
    })
    .expect("walked before");
    partition
        .log
        .close_batch(batch, context.broker, context.now);
    if batch.producer_id >= 0 {
        partition.producers.appended(batch, answer.base_offset);
    }
    Ok(answer)
}

/// Everything that the header alone tells.
fn check_header(context: AppendContext<'_>, batch: &BatchHeader) -> Result<(), Refusal> {
    let invalid = || Err(context.invalid_record());
    if batch.base_offset != 0 {
        return invalid();
    }
    if batch.size_bytes > context.topic.max_message_bytes {
        return Err(Refusal::early(error_code::MESSAGE_TOO_LARGE));
    }
    if !batch.is_intact {
        return Err(Refusal::early(error_code::CORRUPT_MESSAGE));
    }
    if batch.is_control() || batch.record_count <= 0 {
        return invalid();
    }
    let is_looked_at = context.behaviour.checks_last_offset || context.is_strict();
    if is_looked_at && i64::from(batch.last_offset_delta) + 1 != i64::from(batch.record_count) {
        return invalid();
    }
    if batch.producer_id >= 0 && batch.base_sequence < 0 {
        return invalid();
    }
    if context.is_strict() {
        return check_header_strictly(batch);
    }
    Ok(())
}

/// What brokers overlook in a header.
fn check_header_strictly(batch: &BatchHeader) -> Result<(), Refusal> {
    let odd = |message: &str| {
        let message = Some(format!("strict: {message}"));
        Err(Refusal {
            message,
            ..Refusal::by_log(error_code::INVALID_RECORD)
        })
    };
    if batch.attributes & !0x17 != 0 {
        return odd("reserved attributes or the timestamp type are set");
    }
    if batch.partition_leader_epoch != -1 {
        return odd("a producer does not know the partition leader epoch");
    }
    let has_id = batch.producer_id >= 0;
    if has_id != (batch.producer_epoch >= 0) || has_id != (batch.base_sequence >= 0) {
        return odd("producer id, epoch and sequence go together");
    }
    if batch.codec() == Some(Codec::None) && batch.records.is_empty() {
        return odd("no records");
    }
    Ok(())
}

/// Walks the records to the last byte, and names those that the topic does not take.
fn check_records(
    context: AppendContext<'_>,
    batch: &BatchHeader,
    plain: &Bytes,
) -> Result<(), Refusal> {
    let strict = context.is_strict();
    let is_stamped = context.behaviour.refuses_stamped && batch.is_stamped();
    let timestamp_ms_max = context.timestamp_ms_max();
    let (mut keyless, mut too_new) = (Vec::new(), Vec::new());
    let mut index = 0_i32;
    let mut are_deltas_right = true;
    let mut max_timestamp_ms = i64::MIN;
    let walked = walk_records(plain, batch.record_count, |record| {
        are_deltas_right &= record.offset_delta == index;
        let timestamp_ms = batch
            .base_timestamp_ms
            .wrapping_add(record.timestamp_delta_ms);
        max_timestamp_ms = max_timestamp_ms.max(timestamp_ms);
        if context.refuses_keyless() && record.key.is_none() {
            keyless.push(index);
        }
        if is_stamped || timestamp_ms > timestamp_ms_max {
            too_new.push(index);
        }
        index += 1;
    });
    let is_odd = strict && (!are_deltas_right || max_timestamp_ms != batch.max_timestamp_ms);
    if walked.is_err() || is_odd {
        let message = match walked {
            Err(reason) => Some(reason.to_string()),
            Ok(()) => Some("strict: offset deltas or the maximum timestamp".to_owned()),
        };
        let message = message.filter(|_| strict);
        return Err(Refusal {
            message,
            ..context.invalid_record()
        });
    }
    if !keyless.is_empty() {
        let text = "Compacted topic cannot accept message without key";
        return Err(context.blame(context.invalid_record(), keyless, text));
    }
    if !too_new.is_empty() {
        let text = "Timestamp of message is out of range";
        let refusal = Refusal::early(error_code::INVALID_TIMESTAMP);
        return Err(context.blame(refusal, too_new, text));
    }
    Ok(())
}
