//! Some of the records of a batch that was closed or sealed: cut out of it, to be sealed as a batch
//! of their own.
//!
//! Nothing of a record changes but its offset within the batch. Timestamps go on counting from
//! where they did: counted anew they might need more bytes, and the part of a batch would not fit
//! where the whole did.

use bytes::Bytes;
use core::ops::Range;

use super::compression::{self, Codec};
use super::format::{Format, Front};
use super::message_set;

/// Some records of a batch that was sealed, or closed.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) front: Front,
    /// All of them; its other parts share it.
    pub(crate) body: Bytes,
    /// The body's size before it was compressed.
    pub(crate) raw_bytes: usize,
    /// Which of them: their places there, in order.
    pub(crate) kept: Vec<Range<u32>>,
}

/// Records that were cut out, uncompressed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) raw: Vec<u8>,
    /// The latest timestamp: as it is in message sets, in record batches counted from the base
    /// timestamp.
    latest_ms: Option<i64>,
    is_delta: bool,
}

impl Cut {
    /// The latest timestamp, in milliseconds since the Unix epoch.
    pub(crate) fn max_timestamp_ms(&self, base_timestamp_ms: i64) -> i64 {
        let latest_ms = self.latest_ms.unwrap_or(0);
        if self.is_delta {
            base_timestamp_ms.wrapping_add(latest_ms)
        } else {
            latest_ms
        }
    }
}

/// Cuts a part out of a batch of this format. `None`: this is no such batch.
pub(crate) fn cut(format: Format, part: &Part) -> Option<Cut> {
    let Part {
        front,
        body,
        raw_bytes,
        kept,
    } = part;
    let raw_bytes = *raw_bytes;
    let codec = codec_of(format, front)?;
    let opened = match codec {
        Codec::None => None,
        Codec::Lz4 if format == Format::V0 => {
            let body = message_set::with_right_checksum(body)?;
            Some(compression::decompress(codec, &body, raw_bytes)?)
        }
        Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd => {
            Some(compression::decompress(codec, body, raw_bytes)?)
        }
    };
    let raw = opened.as_deref().unwrap_or(body);
    let mut cut = Cut {
        raw: Vec::with_capacity(raw.len()),
        latest_ms: None,
        is_delta: format == Format::V2,
    };
    let (mut at, mut place, mut count) = (0, 0, 0);
    let mut kept = kept.iter();
    let mut range = kept.next();
    while let Some(now) = range {
        let record = raw.get(at..)?;
        let length = record_bytes(format, record)?;
        let record = record.get(..length)?;
        at += length;
        if now.contains(&place) {
            let timestamp_ms = copy(format, record, count, &mut cut.raw)?;
            cut.latest_ms = cut.latest_ms.max(Some(timestamp_ms));
            count += 1;
        }
        place += 1;
        if place >= now.end {
            range = kept.next();
        }
    }
    // It is accounted for by its length.
    cut.raw.shrink_to_fit();
    Some(cut)
}

/// How the body behind this front is compressed. What was not sealed yet has no front.
fn codec_of(format: Format, front: &Front) -> Option<Codec> {
    if front.is_empty() {
        return Some(Codec::None);
    }
    let attributes = match format {
        Format::V2 => *front.get(22)?,
        Format::V0 | Format::V1 => *front.get(17)?,
    };
    Codec::ALL
        .into_iter()
        .find(|codec| codec.id() == attributes & 7)
}

/// The length of the first record.
fn record_bytes(format: Format, records: &[u8]) -> Option<usize> {
    match format {
        Format::V2 => {
            let (length, rest) = varint(records)?;
            let front_bytes = records.len() - rest.len();
            front_bytes.checked_add(usize::try_from(length).ok()?)
        }
        Format::V0 | Format::V1 => message_set::first_bytes(records),
    }
}

/// Appends a record in its new place; its timestamp.
fn copy(format: Format, record: &[u8], place: u32, out: &mut Vec<u8>) -> Option<i64> {
    if format < Format::V2 {
        return message_set::copy(format, record, place, out);
    }
    let (_, content) = varint(record)?;
    let (attributes, rest) = content.split_first()?;
    let (timestamp_delta_ms, after_timestamp) = varint(rest)?;
    let (_, tail) = varint(after_timestamp)?;
    let timestamp = rest.get(..rest.len() - after_timestamp.len())?;
    let mut offset = Vec::with_capacity(5);
    put_varint(&mut offset, i64::from(place));
    let length = 1 + timestamp.len() + offset.len() + tail.len();
    put_varint(out, i64::try_from(length).ok()?);
    out.push(*attributes);
    out.extend_from_slice(timestamp);
    out.extend_from_slice(&offset);
    out.extend_from_slice(tail);
    Some(timestamp_delta_ms)
}

/// A zigzag varint, and what follows it.
fn varint(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut zigzag = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        zigzag |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let value = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while zigzag >= 0x80 {
        out.push(u8::try_from(zigzag & 0x7f).expect("seven bits") | 0x80);
        zigzag >>= 7;
    }
    out.push(u8::try_from(zigzag).expect("seven bits"));
}
