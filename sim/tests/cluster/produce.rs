//! Batches: what is accepted, what is refused, and what the log then holds.

use std::io::Write;

use titorelli_sim::cluster::{LogRetention, Strictness, record_digest};
use titorelli_sim::codec::error_code::{
    CORRUPT_MESSAGE, INVALID_RECORD, INVALID_REQUIRED_ACKS, MESSAGE_TOO_LARGE, NONE,
    OUT_OF_ORDER_SEQUENCE_NUMBER, UNKNOWN_SERVER_ERROR, UNKNOWN_TOPIC_OR_PARTITION,
};

use super::client::{Batch, ask, orders, orders_with, produce, produced};

#[test]
fn a_batch_is_found_in_the_log_as_it_was_sent() {
    let (mut cluster, peer) = orders();
    let batch = Batch::of(&[b"a", b"", b"c"]).encode();
    assert_eq!(
        produced(&mut cluster, peer, &produce(-1, "orders", 0, &batch)),
        (NONE, 0)
    );
    assert_eq!(
        produced(&mut cluster, peer, &produce(1, "orders", 0, &batch)),
        (NONE, 3)
    );
    let log = cluster.log("orders", 0);
    assert_eq!(log.records().len(), 6);
    let record = &log.records()[4];
    assert_eq!((record.offset, record.timestamp_ms), (4, 1_000));
    assert_eq!(
        (record.key.as_deref(), record.value.as_deref()),
        (None, Some(&b""[..]))
    );
    assert_eq!(&record.headers[0].name[..], b"h");
    assert_eq!(record.headers[0].value, None);
    assert_eq!(log.batches()[1].base_offset, 3);
}

#[test]
fn counts_and_digest_are_kept_without_the_records() {
    let (mut cluster, peer) = orders_with(|config| config.retention = LogRetention::Counts);
    let batch = Batch::of(&[b"a", b"bc"]).encode();
    assert_eq!(
        produced(&mut cluster, peer, &produce(-1, "orders", 0, &batch)),
        (NONE, 0)
    );
    let log = cluster.log("orders", 0);
    assert!(log.records().is_empty() && log.batches().is_empty());
    assert_eq!(
        (log.record_count(), log.batch_count(), log.record_bytes()),
        (2, 1, 3)
    );
    let digest = record_digest(record_digest(0, None, Some(b"a")), None, Some(b"bc"));
    assert_eq!(log.digest(), digest);
}

#[test]
fn every_codec_is_read() {
    let (mut cluster, peer) = orders();
    let plain = Batch::of(&[b"same", b"same", b"same"]);
    let records = plain.records();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&records).unwrap();
    let raw_snappy = snap::raw::Encoder::new().compress_vec(&records).unwrap();
    let mut xerial = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    xerial.extend_from_slice(&i32::try_from(raw_snappy.len()).unwrap().to_be_bytes());
    xerial.extend_from_slice(&raw_snappy);
    let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
    lz4.write_all(&records).unwrap();
    let sections = [
        (1, gzip.finish().unwrap()),
        (2, raw_snappy),
        (2, xerial),
        (3, lz4.finish().unwrap()),
        (4, zstd::encode_all(&records[..], 1).unwrap()),
    ];
    for (codec, section) in sections {
        let batch = Batch {
            codec,
            ..plain.clone()
        };
        let request = produce(-1, "orders", 0, &batch.encode_with(&section));
        assert_eq!(
            produced(&mut cluster, peer, &request).0,
            NONE,
            "codec {codec}"
        );
        let garbage = produce(-1, "orders", 0, &batch.encode_with(b"garbage inside"));
        assert_eq!(
            produced(&mut cluster, peer, &garbage),
            (UNKNOWN_SERVER_ERROR, -1)
        );
    }
    let log = cluster.log("orders", 0);
    assert_eq!(log.record_count(), 15);
    assert!(
        log.records()
            .iter()
            .all(|record| record.value.as_deref() == Some(b"same"))
    );
}

#[test]
fn a_batch_is_refused_with_the_code_that_kafka_answers() {
    let (mut cluster, peer) = orders_with(|config| config.topic.max_message_bytes = 512);
    let mut check = |acks, topic, partition, records: &[u8], expected| {
        let request = produce(acks, topic, partition, records);
        assert_eq!(produced(&mut cluster, peer, &request), (expected, -1));
    };
    let good = Batch::of(&[b"a", b"b", b"c"]);
    let bytes = good.encode();
    let mut bad_crc = bytes.clone();
    *bad_crc.last_mut().unwrap() ^= 1;
    let mut bad_length = bytes.clone();
    bad_length[11] = 40;
    let bad_base = [&[0, 0, 0, 0, 0, 0, 0, 9][..], &bytes[8..]].concat();
    check(-1, "orders", 0, &bad_crc, CORRUPT_MESSAGE);
    check(-1, "orders", 0, &bad_length, CORRUPT_MESSAGE);
    check(-1, "orders", 0, &bad_base, INVALID_RECORD);
    check(-1, "orders", 0, &bytes[..bytes.len() - 1], INVALID_RECORD);
    check(-1, "orders", 0, &[], INVALID_RECORD);
    check(
        -1,
        "orders",
        0,
        &[&bytes[..], &bytes].concat(),
        INVALID_RECORD,
    );
    check(-1, "orders", 9, &bytes, UNKNOWN_TOPIC_OR_PARTITION);
    check(-1, "nobody", 0, &bytes, UNKNOWN_TOPIC_OR_PARTITION);
    check(2, "orders", 0, &bytes, INVALID_REQUIRED_ACKS);
    check(
        -1,
        "orders",
        0,
        &Batch::of(&[&[7; 600]]).encode(),
        MESSAGE_TOO_LARGE,
    );
    for (count, last_offset_delta) in [(2, 1), (2, 2), (4, 3), (3, 5), (3, 1), (-1, 2), (0, -1)] {
        let last_offset_delta = Some(last_offset_delta);
        let batch = Batch {
            count: Some(count),
            last_offset_delta,
            ..good.clone()
        };
        check(-1, "orders", 0, &batch.encode(), INVALID_RECORD);
    }
    assert_eq!(cluster.log("orders", 0).record_count(), 0);
}

#[test]
fn what_kafka_overlooks_is_refused_when_strict() {
    let odd = Batch {
        max_timestamp_ms: 999,
        ..Batch::default()
    }
    .encode();
    let (mut lenient, peer) = orders();
    assert_eq!(
        produced(&mut lenient, peer, &produce(-1, "orders", 0, &odd)).0,
        NONE
    );
    let (mut strict, peer) = orders_with(|config| config.strictness = Strictness::Strict);
    assert_eq!(
        produced(&mut strict, peer, &produce(-1, "orders", 0, &odd)).0,
        INVALID_RECORD
    );
    let good = Batch::default().encode();
    assert_eq!(
        produced(&mut strict, peer, &produce(-1, "orders", 0, &good)).0,
        NONE
    );
}

#[test]
fn a_repeated_idempotent_batch_is_answered_with_its_old_offset() {
    let (mut cluster, peer) = orders();
    let batch = |sequence| {
        Batch {
            producer: (9, 0, sequence),
            ..Batch::default()
        }
        .encode()
    };
    let mut send = |sequence| {
        produced(
            &mut cluster,
            peer,
            &produce(-1, "orders", 0, &batch(sequence)),
        )
    };
    assert_eq!(
        [send(0), send(1), send(0), send(1)],
        [(NONE, 0), (NONE, 1), (NONE, 0), (NONE, 1)]
    );
    assert_eq!(send(3), (OUT_OF_ORDER_SEQUENCE_NUMBER, -1));
    let log = cluster.log("orders", 0);
    assert_eq!((log.record_count(), log.duplicate_count()), (2, 2));
}

#[test]
fn without_acks_there_is_no_answer_and_a_refusal_closes() {
    let (mut cluster, peer) = orders();
    let batch = Batch::default().encode();
    assert_eq!(
        ask(&mut cluster, peer, &produce(0, "orders", 0, &batch)),
        None
    );
    assert!(cluster.broker_of(peer).is_some(), "still connected");
    assert_eq!(cluster.log("orders", 0).record_count(), 1);
    assert_eq!(
        ask(&mut cluster, peer, &produce(0, "nobody", 0, &batch)),
        None
    );
    assert!(cluster.broker_of(peer).is_none(), "closed");
}
