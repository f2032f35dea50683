//! A message set on its way into a log: what brokers did before record batches.
//!
//! Follows Kafka 0.10's `Log.append` and `LogValidator` for sets that producers write; odd ones are
//! refused.

use bytes::Bytes;

use super::append::{AppendContext, Refusal};
use super::config::Strictness;
use super::topic::Partition;
use crate::codec::{BatchHeader, Codec, Malformed, Message, PartitionAnswer, error_code, messages};

/// Appends the set that a request of this version carries.
pub(super) fn append_set(
    context: AppendContext<'_>,
    partition: &mut Partition,
    index: i32,
    set: &Bytes,
    version: i16,
) -> Result<PartitionAnswer, Refusal> {
    let outer = messages(set).map_err(corrupt)?;
    let (codec, plain) = unwrapped(context, &outer)?;
    check(context, &plain, version)?;
    let largest = outer.iter().map(|message| message.size_bytes).max();
    if largest.is_none_or(|size| size > context.topic.max_message_bytes) {
        return Err(Refusal::early(error_code::MESSAGE_TOO_LARGE));
    }
    let mut answer = PartitionAnswer::refused(index, error_code::NONE);
    answer.base_offset = partition.log.next_offset();
    let stamp_ms = context.stamp_ms();
    answer.log_append_time_ms = stamp_ms.unwrap_or(-1);
    for message in &plain {
        let timestamp_ms = stamp_ms.unwrap_or(message.timestamp_ms);
        let (key, value) = (message.key.clone(), message.value.clone());
        partition.log.push_bare(key, value, timestamp_ms);
    }
    let header = header(codec, &plain, set.len());
    partition
        .log
        .close_batch(&header, context.broker, context.now);
    Ok(answer)
}

fn corrupt(reason: Malformed) -> Refusal {
    Refusal::told(error_code::CORRUPT_MESSAGE, reason.to_string())
}

/// The messages without their wrapper, and its codec.
fn unwrapped(
    context: AppendContext<'_>,
    outer: &[Message],
) -> Result<(Codec, Vec<Message>), Refusal> {
    if outer.iter().any(|message| !message.is_intact) {
        return Err(Refusal::early(error_code::CORRUPT_MESSAGE));
    }
    match outer {
        [wrapper] if wrapper.codec() != Some(Codec::None) => {
            let codec = wrapper
                .codec()
                .ok_or(Refusal::early(error_code::CORRUPT_MESSAGE))?;
            let inner = wrapper
                .unwrap(context.config.inflated_bytes_max)
                .map_err(corrupt)?;
            if context.config.strictness == Strictness::Strict {
                check_wrapper(wrapper, &inner)?;
            }
            Ok((codec, inner))
        }
        plain => Ok((Codec::None, plain.to_vec())),
    }
}

/// What brokers overlook in a wrapper.
fn check_wrapper(wrapper: &Message, inner: &[Message]) -> Result<(), Refusal> {
    let odd = |words: &str| Err(Refusal::told(error_code::INVALID_RECORD, words.to_owned()));
    let latest = inner.iter().map(|message| message.timestamp_ms).max();
    if wrapper.key.is_some() {
        return odd("strict: a wrapper has no key");
    }
    if Some(wrapper.timestamp_ms) != latest {
        return odd("strict: a wrapper has the latest timestamp of its messages");
    }
    if usize::try_from(wrapper.offset) != Ok(inner.len() - 1) {
        return odd("strict: a wrapper has the offset of its last message");
    }
    Ok(())
}

/// The messages themselves.
fn check(context: AppendContext<'_>, plain: &[Message], version: i16) -> Result<(), Refusal> {
    let is_strict = context.config.strictness == Strictness::Strict;
    let magic = u8::from(version == 2);
    if plain.is_empty() {
        return Err(Refusal::early(error_code::CORRUPT_MESSAGE));
    }
    for (offset, message) in (0_i64..).zip(plain) {
        let is_nested = message.codec() != Some(Codec::None);
        let is_odd = is_strict && (message.magic != magic || message.offset != offset);
        if !message.is_intact || is_nested || message.magic > magic || is_odd {
            return Err(Refusal::early(error_code::CORRUPT_MESSAGE));
        }
        if context.topic.compacted && message.key.is_none() {
            return Err(Refusal::early(error_code::CORRUPT_MESSAGE));
        }
    }
    Ok(())
}

/// The set as the log counts batches.
fn header(codec: Codec, plain: &[Message], size_bytes: usize) -> BatchHeader {
    let attributes = match codec {
        Codec::None => 0,
        Codec::Gzip => 1,
        Codec::Snappy => 2,
        Codec::Lz4 => 3,
        Codec::Zstd => 4,
    };
    let count = i32::try_from(plain.len()).expect("a frame holds fewer");
    BatchHeader {
        base_offset: 0,
        partition_leader_epoch: -1,
        magic: plain[0].magic,
        is_intact: true,
        attributes,
        last_offset_delta: count - 1,
        base_timestamp_ms: plain[0].timestamp_ms,
        max_timestamp_ms: plain[0].timestamp_ms,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        record_count: count,
        records: Bytes::new(),
        size_bytes,
    }
}
