//! Batches of ours, read by others: an independent reader here, and another implementation.

use std::io::Read as _;

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{Compression, RecordBatchDecoder};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use titorelli::Header;
use titorelli::wire::record_batch::{self, Sequence, Stamp};
use titorelli::wire::{Codec, compression, record};

/// A record, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) offset_delta: i64,
    pub(super) timestamp_delta: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Reads the records of an uncompressed body; `None` when they are malformed. Shares no code with
/// `titorelli::wire`.
pub(super) fn read_records(mut body: &[u8]) -> Option<Vec<Owned>> {
    let mut records = vec![];
    while !body.is_empty() {
        let length = usize::try_from(signed(&mut body)?).ok()?;
        let (mut record, rest) = body.split_at_checked(length)?;
        body = rest;
        let (0, rest) = record.split_first()? else {
            return None;
        };
        record = rest;
        let (timestamp_delta, offset_delta) = (signed(&mut record)?, signed(&mut record)?);
        let (key, value) = (field(&mut record)?, field(&mut record)?);
        let mut headers = vec![];
        for _ in 0..signed(&mut record)? {
            let name = String::from_utf8(field(&mut record)??).ok()?;
            headers.push((name, field(&mut record)?));
        }
        if !record.is_empty() {
            return None;
        }
        records.push(Owned {
            offset_delta,
            timestamp_delta,
            key,
            value,
            headers,
        });
    }
    Some(records)
}

fn signed(bytes: &mut &[u8]) -> Option<i64> {
    let mut bits = 0_u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        bits |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            let magnitude = i64::try_from(bits >> 1).unwrap();
            return Some(if bits & 1 == 0 {
                magnitude
            } else {
                -magnitude - 1
            });
        }
    }
    None
}

#[expect(clippy::option_option, reason = "malformed, null, or bytes")]
fn field(bytes: &mut &[u8]) -> Option<Option<Vec<u8>>> {
    let length = signed(bytes)?;
    if length == -1 {
        return Some(None);
    }
    let (field, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(Some(field.to_vec()))
}

/// Appends a record as the core does.
pub(super) fn encode(out: &mut Vec<u8>, record: &Owned) {
    let headers: Vec<Header<'_>> = record
        .headers
        .iter()
        .map(|(name, value)| Header {
            name,
            value: value.as_deref(),
        })
        .collect();
    let (key, value) = (record.key.as_deref(), record.value.as_deref());
    let before = out.len();
    let offset_delta = u32::try_from(record.offset_delta).unwrap();
    record::encode(
        out,
        offset_delta,
        record.timestamp_delta,
        key,
        value,
        &headers,
    );
    let bound = record::encoded_bytes_max(key, value, &headers);
    assert!(out.len() - before <= bound, "the bound holds");
    assert!(out.len() - before + 19 >= bound, "the bound is tight");
}

/// Decompresses what [`compression::compress`] made, with nobody's help but the codec's.
fn decompress(codec: Codec, body: &[u8]) -> Vec<u8> {
    let mut out = vec![];
    match codec {
        Codec::None => out.extend_from_slice(body),
        Codec::Gzip => {
            flate2::read::GzDecoder::new(body)
                .read_to_end(&mut out)
                .unwrap();
        }
        Codec::Snappy => {
            let mut rest = &body[16..];
            while let Some((length, tail)) = rest.split_first_chunk() {
                let (block, tail) = tail.split_at(u32::from_be_bytes(*length) as usize);
                out.extend(snap::raw::Decoder::new().decompress_vec(block).unwrap());
                rest = tail;
            }
        }
        Codec::Lz4 => {
            lz4_flex::frame::FrameDecoder::new(body)
                .read_to_end(&mut out)
                .unwrap();
        }
        #[cfg(feature = "zstd")]
        Codec::Zstd => out.extend(zstd::decode_all(body).unwrap()),
        #[cfg(not(feature = "zstd"))]
        Codec::Zstd => unreachable!("not built"),
    }
    out
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    // The lengths about which a varint grows, and bytes that compress.
    prop_oneof![
        vec(any::<u8>(), 0..6),
        (
            prop_oneof![62_usize..66, 8_190_usize..8_194, 0_usize..300],
            0..4_u8
        )
            .prop_map(|(length, byte)| vec![byte; length]),
    ]
}

/// Timestamp delta, key, value, headers.
type OwnedFields = (
    i64,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Vec<(String, Option<Vec<u8>>)>,
);

pub(super) fn records(unique_names: bool) -> impl Strategy<Value = Vec<Owned>> {
    let name = if unique_names { "[a-z]{0,4}" } else { "[ab]" };
    let header = (name, option::of(bytes()));
    let timestamp_delta = prop_oneof![-3..3_i64, any::<i32>().prop_map(i64::from)];
    let record = (
        timestamp_delta,
        option::of(bytes()),
        option::of(bytes()),
        vec(header, 0..4),
    );
    vec(record, 1..20).prop_map(move |records| {
        let number = |(offset_delta, record): (i64, OwnedFields)| {
            let (timestamp_delta, key, value, mut headers) = record;
            if unique_names {
                headers.sort();
                headers.dedup_by(|one, next| one.0 == next.0);
            }
            Owned {
                offset_delta,
                timestamp_delta,
                key,
                value,
                headers,
            }
        };
        (0..).zip(records).map(number).collect()
    })
}

fn codecs() -> impl Iterator<Item = Codec> {
    Codec::ALL.into_iter().filter(|codec| codec.is_built())
}

proptest! {
    #[test]
    fn records_come_back_from_an_independent_reader(records in records(false)) {
        let mut body = vec![];
        for record in &records { encode(&mut body, record); }
        prop_assert_eq!(read_records(&body), Some(records));
    }

    #[test]
    fn batches_come_back_from_another_implementation_with_every_codec(
        records in records(true),
        base_timestamp in 0..=1_i64 << 50,
        (producer_id, producer_epoch) in (-1_i64.., -1_i16..),
        base_sequence in 0..i32::MAX - 100,
        is_transactional: bool,
    ) {
        let mut body = vec![];
        for record in &records { encode(&mut body, record); }
        for codec in codecs() {
            let compressed = compression::compress(codec, None, &body);
            let used = if compressed.is_some() { codec } else { Codec::None };
            let body = compressed.unwrap_or_else(|| body.clone());
            let stamp = Stamp {
                codec: used,
                record_count: u32::try_from(records.len()).unwrap(),
                base_timestamp,
                max_timestamp: base_timestamp,
                sequence: Sequence { producer_id, producer_epoch, base_sequence, },
                is_transactional,
            };
            let header = record_batch::header(&stamp, &body);
            let mut batch = Bytes::from([&header[..], &body].concat());
            let inflate = |body: &mut Bytes, by: Compression| {
                prop_assert_eq_codec(by, used);
                Ok(Bytes::from(decompress(used, body)))
            };
            let decoded =
                RecordBatchDecoder::decode_with_custom_compression(&mut batch, Some(inflate))
                    .unwrap();
            prop_assert!(batch.is_empty());
            prop_assert_eq!(decoded.records.len(), records.len());
            for (theirs, ours) in decoded.records.iter().zip(&records) {
                prop_assert_eq!(theirs.transactional, is_transactional);
                prop_assert!(!theirs.control && !theirs.delete_horizon);
                prop_assert_eq!(theirs.partition_leader_epoch, -1);
                prop_assert_eq!(theirs.producer_id, producer_id);
                prop_assert_eq!(theirs.producer_epoch, producer_epoch);
                prop_assert_eq!(theirs.offset, ours.offset_delta);
                let sequence = i64::from(base_sequence) + ours.offset_delta;
                prop_assert_eq!(i64::from(theirs.sequence), sequence);
                prop_assert_eq!(theirs.timestamp, base_timestamp + ours.timestamp_delta);
                prop_assert_eq!(theirs.key.as_deref(), ours.key.as_deref());
                prop_assert_eq!(theirs.value.as_deref(), ours.value.as_deref());
                let headers: Vec<_> = theirs
                    .headers
                    .iter()
                    .map(|(name, value)| (name.to_string(), value.as_ref().map(|v| v.to_vec())))
                    .collect();
                prop_assert_eq!(&headers, &ours.headers);
            }
        }
    }

    #[test]
    fn any_body_comes_back_from_every_codec(
        parts in vec((0..4_u8, 0..40_000_usize), 0..8),
        level in option::of(-5..20),
    ) {
        let body: Vec<u8> = parts.iter().flat_map(|(byte, count)| vec![*byte; *count]).collect();
        for codec in codecs() {
            if let Some(compressed) = compression::compress(codec, level, &body) {
                prop_assert!(compressed.len() < body.len());
                prop_assert_eq!(&decompress(codec, &compressed), &body);
            }
        }
    }
}

/// That the header names the codec which was used.
#[track_caller]
fn prop_assert_eq_codec(theirs: Compression, ours: Codec) {
    let expected = match ours {
        Codec::None => Compression::None,
        Codec::Gzip => Compression::Gzip,
        Codec::Snappy => Compression::Snappy,
        Codec::Lz4 => Compression::Lz4,
        Codec::Zstd => Compression::Zstd,
    };
    assert_eq!(theirs, expected);
}

#[test]
fn another_implementations_batch_is_ours_byte_for_byte() {
    use kafka_protocol::indexmap::IndexMap;
    use kafka_protocol::records::{RecordBatchEncoder, RecordEncodeOptions, TimestampType};

    let record = |offset: i64, key: Option<&'static [u8]>, value: Option<&'static [u8]>| {
        kafka_protocol::records::Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: -1,
            producer_id: 7,
            producer_epoch: 3,
            timestamp_type: TimestampType::Creation,
            offset,
            sequence: 40 + i32::try_from(offset).unwrap(),
            timestamp: 1_700_000_000_000 + offset,
            key: key.map(Bytes::from_static),
            value: value.map(Bytes::from_static),
            headers: IndexMap::from_iter([("h".into(), Some(Bytes::from_static(b"x")))]),
        }
    };
    let theirs = [
        record(0, Some(b"key"), Some(b"value")),
        record(1, None, None),
    ];
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    let mut expected = BytesMut::new();
    RecordBatchEncoder::encode(&mut expected, &theirs, &options).unwrap();

    let mut body = vec![];
    let headers = [Header {
        name: "h",
        value: Some(b"x"),
    }];
    record::encode(&mut body, 0, 0, Some(b"key"), Some(b"value"), &headers);
    record::encode(&mut body, 1, 1, None, None, &headers);
    let stamp = Stamp {
        codec: Codec::None,
        record_count: 2,
        base_timestamp: 1_700_000_000_000,
        max_timestamp: 1_700_000_000_001,
        sequence: Sequence {
            producer_id: 7,
            producer_epoch: 3,
            base_sequence: 40,
        },
        is_transactional: false,
    };
    let ours = [&record_batch::header(&stamp, &body)[..], &body].concat();
    assert_eq!(ours, expected);
}
