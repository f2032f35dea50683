//! Message sets: the formats before record batches (magic 0 until Kafka 0.9, magic 1 in 0.10).
//!
//! ```text
//! offset i64 | size i32 | CRC u32 | magic i8 | attributes i8 | timestamp i64 (magic 1)
//! | key length i32, key | value length i32, value
//! ```
//! The size counts from the CRC, the CRC-32 (IEEE) covers everything from the magic. A compressed
//! set is one message, the wrapper, whose value is the compressed set and whose attributes name the
//! codec. Offsets count from 0 within a set: the broker assigns the real ones (KIP-31). There are
//! no headers. Java: `LegacyRecord`, `MemoryRecordsBuilder`.

use flate2::Crc;

use super::compression::{self, Codec};
use super::format::{Format, Front};

/// Offset and size: what the size does not count.
const LOG_OVERHEAD_BYTES: usize = 12;
/// CRC, magic, attributes, lengths of key and value.
const MESSAGE_OVERHEAD_BYTES: usize = 4 + 1 + 1 + 4 + 4;
/// The timestamp of magic 1.
const TIMESTAMP_BYTES: usize = 8;
/// Where a frame of LZ4 has the checksum of its descriptor.
const LZ4_CHECKSUM_AT: usize = 6;
/// That checksum as magic 0 has it: taken over the frame's magic too, by mistake (KIP-57). The
/// descriptor is always the same: independent blocks of 64 KiB, nothing else.
const LZ4_BROKEN_CHECKSUM: u8 = 0x1a;
/// And as it should be.
const LZ4_RIGHT_CHECKSUM: u8 = 0x82;

/// What [`append`] adds for this record: the format has no varints, so it is exact.
///
/// # Panics
/// For [`Format::V2`], which is no message set.
#[must_use]
pub fn message_bytes(format: Format, key: Option<&[u8]>, value: Option<&[u8]>) -> usize {
    let fields = key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
    (LOG_OVERHEAD_BYTES + MESSAGE_OVERHEAD_BYTES + timestamp_bytes(format)).saturating_add(fields)
}

fn timestamp_bytes(format: Format) -> usize {
    match format {
        Format::V0 => 0,
        Format::V1 => TIMESTAMP_BYTES,
        Format::V2 => panic!("record batches are no message sets"),
    }
}

/// Appends one message, uncompressed. `timestamp_ms` is lost in [`Format::V0`].
///
/// # Panics
/// For [`Format::V2`], and for a key or value of 2 GiB or more: their size is bounded where they
/// come in.
pub fn append(
    out: &mut Vec<u8>,
    format: Format,
    offset: u32,
    timestamp_ms: i64,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) {
    let size = message_bytes(format, key, value) - LOG_OVERHEAD_BYTES;
    out.extend_from_slice(&u64::from(offset).to_be_bytes());
    out.extend_from_slice(&length(size).to_be_bytes());
    let crc_at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&[format.magic(), 0]);
    if format == Format::V1 {
        out.extend_from_slice(&timestamp_ms.to_be_bytes());
    }
    for field in [key, value] {
        let field_length = field.map_or(-1, |bytes| length(bytes.len()));
        out.extend_from_slice(&field_length.to_be_bytes());
        out.extend_from_slice(field.unwrap_or_default());
    }
    let crc = crc(&[&out[crc_at + 4..]]);
    out[crc_at..crc_at + 4].copy_from_slice(&crc.to_be_bytes());
}

/// A compressed set with the front of its wrapper, or `None` when it would not be smaller: the set
/// is sent as it is, then. `max_timestamp_ms` is the latest of its messages.
///
/// # Panics
/// For [`Format::V2`], or without a message.
#[must_use]
pub fn wrap(
    format: Format,
    codec: Codec,
    level: Option<i32>,
    message_count: u32,
    max_timestamp_ms: i64,
    set: &[u8],
) -> Option<(Front, Vec<u8>)> {
    let mut compressed = compression::compress(codec, level, set)?;
    if codec == Codec::Lz4 && format == Format::V0 {
        compressed[LZ4_CHECKSUM_AT] = LZ4_BROKEN_CHECKSUM;
    }
    let last = message_count.checked_sub(1).expect("a set has messages");
    let timestamp = max_timestamp_ms.to_be_bytes();
    let timestamp = &timestamp[..timestamp_bytes(format)];
    let head = [format.magic(), codec.id()];
    let no_key = (-1_i32).to_be_bytes();
    let value_length = length(compressed.len()).to_be_bytes();
    let size = MESSAGE_OVERHEAD_BYTES + timestamp.len() + compressed.len();
    if LOG_OVERHEAD_BYTES + size >= set.len() {
        return None;
    }
    let crc = crc(&[&head, timestamp, &no_key, &value_length, &compressed]);
    let front = Front::of(&[
        &u64::from(last).to_be_bytes(),
        &length(size).to_be_bytes(),
        &crc.to_be_bytes(),
        &head,
        timestamp,
        &no_key,
        &value_length,
    ]);
    Some((front, compressed))
}

/// The length of the first message of a set that [`append`] wrote. `None`: it is not whole.
pub(crate) fn first_bytes(set: &[u8]) -> Option<usize> {
    let size = set.get(8..LOG_OVERHEAD_BYTES)?.first_chunk()?;
    LOG_OVERHEAD_BYTES.checked_add(usize::try_from(i32::from_be_bytes(*size)).ok()?)
}

/// Appends a message in its new place: nothing else of it changes, for its checksum does not cover
/// the offset. Its timestamp, or −1 in [`Format::V0`].
pub(crate) fn copy(format: Format, message: &[u8], offset: u32, out: &mut Vec<u8>) -> Option<i64> {
    let rest = message.get(8..)?;
    out.extend_from_slice(&u64::from(offset).to_be_bytes());
    out.extend_from_slice(rest);
    if format == Format::V0 {
        return Some(-1);
    }
    let timestamp = rest.get(MESSAGE_OVERHEAD_BYTES - 4..)?.first_chunk()?;
    Some(i64::from_be_bytes(*timestamp))
}

/// A frame of LZ4 as magic 0 has it, with the checksum that decoders look for.
pub(crate) fn with_right_checksum(frame: &[u8]) -> Option<Vec<u8>> {
    let mut frame = frame.to_vec();
    *frame.get_mut(LZ4_CHECKSUM_AT)? = LZ4_RIGHT_CHECKSUM;
    Some(frame)
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).expect("a message has less than 2 GiB: it is bounded where it comes in")
}

fn crc(parts: &[&[u8]]) -> u32 {
    let mut crc = Crc::new();
    for part in parts {
        crc.update(part);
    }
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;

    fn hex(bytes: &[u8]) -> String {
        let mut text = String::new();
        for byte in bytes {
            write!(text, "{byte:02x}").expect("a String grows");
        }
        text
    }

    #[test]
    fn a_message_of_either_format_lies_as_kafka_writes_it() {
        let mut set = Vec::new();
        append(&mut set, Format::V0, 0, 7, Some(b"k"), None);
        assert_eq!(
            hex(&set),
            "0000000000000000 0000000f 908204f6 00 00 00000001 6b ffffffff".replace(' ', "")
        );
        set.clear();
        append(&mut set, Format::V1, 1, 7, None, Some(b"vv"));
        assert_eq!(
            hex(&set),
            "0000000000000001 00000018 9c7bfcd6 01 00 0000000000000007 ffffffff 00000002 7676"
                .replace(' ', "")
        );
        assert_eq!(
            set.len(),
            message_bytes(Format::V1, None, Some(b"vv")),
            "the size is exact"
        );
    }

    #[test]
    fn the_wrapper_of_a_set_names_its_codec_and_its_last_message() {
        let mut set = Vec::new();
        for offset in 0..100 {
            append(&mut set, Format::V1, offset, 1_000, None, Some(&[b'x'; 50]));
        }
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4] {
            let wrapped = wrap(Format::V1, codec, None, 100, 1_000, &set);
            let (front, body) = wrapped.expect("it shrinks");
            assert_eq!(front.len(), 34, "{codec}");
            assert_eq!(front[..8], 99_u64.to_be_bytes());
            assert_eq!(front[16..18], [1, codec.id()]);
            assert_eq!(front[18..26], 1_000_u64.to_be_bytes());
            assert_eq!(front[26..30], [0xff; 4]);
            let (front, _) = wrap(Format::V0, codec, None, 100, 1_000, &set).expect("likewise");
            assert_eq!(front.len(), 26);
            assert!(front.len() + body.len() < set.len());
        }
        assert_eq!(wrap(Format::V0, Codec::None, None, 100, 0, &set), None);
    }

    #[test]
    fn magic_0_has_the_broken_checksum_of_lz4_and_magic_1_the_right_one() {
        let set = [b'x'; 1_000];
        let frame = |format| {
            let (_, body) = wrap(format, Codec::Lz4, None, 1, 0, &set).expect("it shrinks");
            hex(&body[..7])
        };
        assert_eq!(frame(Format::V0), "04224d1860401a");
        assert_eq!(frame(Format::V1), "04224d18604082");
    }
}
