//! A message set on its way into a log: what brokers did before record batches.
//!
//! Follows Kafka's `Log.append` and `LogValidator` from 0.8 on; where Kafka overlooks something,
//! [`Strictness::Strict`](super::Strictness::Strict) does not.

use bytes::Bytes;

use super::append::{AppendContext, Refusal, append};
use super::behaviour::Sets;
use super::topic::Partition;
use crate::codec::{
    BatchHeader, Codec, Malformed, Message, PartitionAnswer, error_code, first_batch,
    whole_messages,
};

/// Where the magic is, in messages and batches alike.
const MAGIC_AT: usize = 16;

/// Appends the set that a request of this version carries.
pub(super) fn append_set(
    context: AppendContext<'_>,
    partition: &mut Partition,
    index: i32,
    set: &Bytes,
    version: i16,
) -> Result<PartitionAnswer, Refusal> {
    let takes_batches = matches!(context.behaviour.sets, Sets::Mixed | Sets::Single);
    if takes_batches && !context.is_strict() && set.get(MAGIC_AT) == Some(&2) {
        // A batch goes in at any version.
        if let Some((batch, _)) = first_batch(set).map_err(corrupt)? {
            return append(context, partition, index, &batch);
        }
    }
    let (outer, is_cut) = whole_messages(set).map_err(corrupt)?;
    let mut answer = PartitionAnswer::refused(index, error_code::NONE);
    if context.is_strict() && (is_cut || outer.is_empty()) {
        return Err(Refusal::early(error_code::CORRUPT_MESSAGE));
    }
    if outer.is_empty() {
        // Nothing to append, and no offset.
        return Ok(answer);
    }
    check_outer(context, &outer)?;
    let (codec, plain) = unwrapped(context, &outer)?;
    check(context, &plain, version)?;
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

/// The messages as they lie in the set, whatever they wrap.
fn check_outer(context: AppendContext<'_>, outer: &[Message]) -> Result<(), Refusal> {
    let unforeseen = || Refusal::by_log(error_code::UNKNOWN_SERVER_ERROR);
    let magic = outer[0].magic;
    let are_same = outer.iter().all(|message| message.magic == magic);
    let is_plain = |message: &Message| message.codec() == Some(Codec::None);
    let is_single = outer.len() == 1 || outer.iter().all(is_plain);
    for message in outer {
        if message.size_bytes > context.topic.max_message_bytes {
            return Err(Refusal::early(error_code::MESSAGE_TOO_LARGE));
        }
        if !message.is_intact {
            return Err(Refusal::early(error_code::CORRUPT_MESSAGE));
        }
        let is_known = message.magic <= 1;
        match context.behaviour.sets {
            // The timestamp is taken for the length of the key.
            Sets::Magic0 if !is_plain(message) && magic != 0 => return Err(unforeseen()),
            Sets::OneMagic if !is_known || !are_same => return Err(unforeseen()),
            Sets::Mixed | Sets::Single if !is_known => {
                return Err(Refusal::early(error_code::CORRUPT_MESSAGE));
            }
            Sets::Single if !are_same || !is_single => return Err(context.invalid_record()),
            Sets::Magic0 | Sets::OneMagic | Sets::AnyMagic | Sets::Mixed | Sets::Single => {}
        }
    }
    Ok(())
}

/// The messages without their wrappers, and the codec of the first.
fn unwrapped(
    context: AppendContext<'_>,
    outer: &[Message],
) -> Result<(Codec, Vec<Message>), Refusal> {
    let mut plain = Vec::with_capacity(outer.len());
    for message in outer {
        if message.codec() == Some(Codec::None) {
            plain.push(message.clone());
            continue;
        }
        let inner = inner(context, message)?;
        if context.is_strict() {
            check_wrapper(message, &inner)?;
        }
        plain.extend(inner);
    }
    let codec = outer[0].codec().expect("unwrapped");
    let wraps = outer
        .iter()
        .any(|message| message.codec() != Some(Codec::None));
    if context.is_strict() && wraps && outer.len() > 1 {
        return Err(Refusal::early(error_code::CORRUPT_MESSAGE));
    }
    Ok((codec, plain))
}

/// What a wrapper wraps.
fn inner(context: AppendContext<'_>, wrapper: &Message) -> Result<Vec<Message>, Refusal> {
    let unforeseen = || Refusal::by_log(error_code::UNKNOWN_SERVER_ERROR);
    match wrapper.codec() {
        // KIP-110: zstd is for record batches.
        Some(Codec::Zstd) if context.behaviour.knows_zstd => {
            return Err(context.invalid_record());
        }
        Some(Codec::Zstd) | None => return Err(unforeseen()),
        Some(Codec::None | Codec::Gzip | Codec::Snappy | Codec::Lz4) => {}
    }
    let sets = context.behaviour.sets;
    let mends_lz4 = sets != Sets::Magic0 && !context.is_strict();
    let bytes_max = context.config.inflated_bytes_max;
    let inner = if mends_lz4 {
        wrapper.unwrap_mended(bytes_max)
    } else {
        wrapper.unwrap(bytes_max)
    };
    inner.map_err(|reason| match sets {
        Sets::OneMagic => corrupt(reason),
        Sets::Magic0 | Sets::AnyMagic | Sets::Mixed | Sets::Single => unforeseen(),
    })
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
    let magic = u8::from(version == 2);
    if plain.is_empty() {
        return Err(Refusal::early(error_code::CORRUPT_MESSAGE));
    }
    let refuses_keyless = context.refuses_keyless();
    let timestamp_ms_max = context.timestamp_ms_max();
    for (offset, message) in (0_i64..).zip(plain) {
        let is_nested = message.codec() != Some(Codec::None);
        let is_odd = message.magic != magic || message.offset != offset;
        if !message.is_intact || is_nested || (context.is_strict() && is_odd) {
            return Err(Refusal::early(error_code::CORRUPT_MESSAGE));
        }
        if refuses_keyless && message.key.is_none() {
            return Err(context.invalid_record());
        }
        if message.timestamp_ms > timestamp_ms_max {
            return Err(Refusal::early(error_code::INVALID_TIMESTAMP));
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
