//! Message sets: what a hand-made client wrote and old brokers took, made again by ours.

use std::collections::BTreeMap;

use titorelli::wire::{Codec, Format, message_set};

use super::corpus::{Step, steps};
use super::schema::Schemas;

/// Sets that are equal, by magic; the rest are bad on purpose or compressed by hand.
const FLOORS_EQUAL: [usize; 2] = [580, 280];

/// One message as the bytes have it.
#[derive(Debug)]
struct Message<'a> {
    offset: u64,
    is_intact: bool,
    magic: u8,
    attributes: u8,
    timestamp_ms: i64,
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn int(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// A field of the message: `Err` when there is none.
fn field<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, ()> {
    let length = u32::try_from(int(take(bytes, 4).ok_or(())?))
        .expect("four bytes")
        .cast_signed();
    match usize::try_from(length) {
        Ok(length) => take(bytes, length).map(Some).ok_or(()),
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(()),
    }
}

/// The messages of a set, by this test's own reading of the format; `None` when it is no such set.
fn messages(mut set: &[u8]) -> Option<Vec<Message<'_>>> {
    let mut found = Vec::new();
    while !set.is_empty() {
        let offset = int(take(&mut set, 8)?);
        let size = usize::try_from(int(take(&mut set, 4)?)).ok()?;
        let mut message = take(&mut set, size)?;
        let crc = int(take(&mut message, 4)?);
        let mut whole = flate2::Crc::new();
        whole.update(message);
        let magic = take(&mut message, 1)?[0];
        let attributes = take(&mut message, 1)?[0];
        let timestamp_ms = match magic {
            0 => 0,
            1 => int(take(&mut message, 8)?).cast_signed(),
            _ => return None,
        };
        let (key, value) = (field(&mut message).ok()?, field(&mut message).ok()?);
        found.push(Message {
            offset,
            is_intact: message.is_empty() && crc == u64::from(whole.sum()),
            magic,
            attributes,
            timestamp_ms,
            key,
            value,
        });
    }
    Some(found)
}

/// The set made again by ours, if it is one that ours would make.
fn remade(set: &[u8]) -> Option<Vec<u8>> {
    let mut ours = Vec::new();
    for (index, message) in (0..).zip(messages(set)?) {
        let is_usual = message.is_intact
            && message.attributes == 0
            && message.offset == u64::from(index)
            && message.timestamp_ms >= 0;
        let format = [Format::V0, Format::V1][usize::from(message.magic)];
        if !is_usual {
            return None;
        }
        let (at, key, value) = (message.timestamp_ms, message.key, message.value);
        message_set::append(&mut ours, format, index, at, key, value);
    }
    (!ours.is_empty()).then_some(ours)
}

#[test]
fn our_message_sets_equal_a_hand_made_clients_byte_for_byte() {
    let schemas = Schemas::of_kafka();
    let mut equal: BTreeMap<(u8, &str), usize> = BTreeMap::new();
    let is_old = |step: &Step| step.is_produce() && step.version < 3;
    for step in steps().filter(is_old) {
        for set in step.record_sections(&schemas) {
            if let Some(ours) = remade(&set) {
                assert_eq!(ours, set, "{step}");
                *equal.entry((set[16], step.release)).or_insert(0) += 1;
            }
        }
    }
    for (magic, floor) in (0..).zip(FLOORS_EQUAL) {
        let count: usize = equal
            .iter()
            .filter(|((of, _), _)| *of == magic)
            .map(|(_, count)| count)
            .sum();
        assert!(count >= floor, "magic {magic}: {equal:?}");
    }
}

#[test]
fn a_compressed_set_unwraps_to_itself() {
    for format in [Format::V0, Format::V1] {
        let mut set = Vec::new();
        for index in 0..300 {
            let value = format!("value {index} {}", "x".repeat(30));
            let key = (index % 3 > 0).then_some(&b"key"[..]);
            message_set::append(&mut set, format, index, 5, key, Some(value.as_bytes()));
        }
        for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4] {
            let (front, body) =
                message_set::wrap(format, codec, None, 300, 5, &set).expect("it shrinks");
            let whole = [&front[..], &body].concat();
            let wrapper = messages(&whole).expect("a set of one message");
            assert_eq!(wrapper.len(), 1);
            let wrapper = &wrapper[0];
            assert!(wrapper.is_intact && wrapper.key.is_none(), "{wrapper:?}");
            assert_eq!((wrapper.offset, wrapper.magic), (299, format.magic()));
            assert_eq!(wrapper.attributes, codec.id());
            let mut inner = wrapper.value.expect("the set").to_vec();
            if (format, codec) == (Format::V0, Codec::Lz4) {
                inner[6] = 0x82; // The right checksum, for a reader that knows no other.
            }
            assert_eq!(inflate(codec, &inner), set, "{format} {codec}");
        }
    }
}

fn inflate(codec: Codec, bytes: &[u8]) -> Vec<u8> {
    use std::io::Read as _;
    let mut plain = Vec::new();
    match codec {
        Codec::Gzip => {
            let mut decoder = flate2::read::GzDecoder::new(bytes);
            decoder.read_to_end(&mut plain).expect("gzip");
        }
        Codec::Lz4 => {
            let mut decoder = lz4_flex::frame::FrameDecoder::new(bytes);
            decoder.read_to_end(&mut plain).expect("lz4");
        }
        Codec::Snappy => {
            let mut rest = &bytes[16..];
            while let Some(length) = take(&mut rest, 4) {
                let block = take(&mut rest, usize::try_from(int(length)).expect("small"));
                let block = block.expect("a whole block");
                plain.extend(
                    snap::raw::Decoder::new()
                        .decompress_vec(block)
                        .expect("snappy"),
                );
            }
        }
        Codec::None | Codec::Zstd => unreachable!("no message set has them"),
    }
    plain
}
