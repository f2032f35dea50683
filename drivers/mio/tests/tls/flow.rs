//! Much data over TLS.

use crate::authority::{Authority, Files};
use crate::{PATIENCE, front};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use titorelli_mio::{Acks, Codec, Producer, Record};

/// Bytes that no codec makes smaller, by their number.
fn noise(number: u64, bytes: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut noise: Vec<u8> = number.to_le_bytes().to_vec();
    while noise.len() < bytes {
        noise.extend_from_slice(&next());
    }
    noise.truncate(bytes);
    noise
}

#[test]
fn megabytes_arrive_intact_with_every_codec() {
    const RECORDS: u64 = 600;
    const BYTES: usize = 10_000;
    let (authority, files) = (Authority::new("a"), Files::new());
    for codec in [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ] {
        let server = authority.issue(&["localhost"]).server();
        let (front, mut config) = front("localhost", &authority, server, &files);
        config.acks = Acks::All;
        config.compression = codec;
        config.batch_size = 200_000;
        config.linger = Duration::from_millis(5);
        // Much less than a request: writes are cut short all the time.
        config.send_buffer_bytes = Some(8 * 1_024);
        config.receive_buffer_bytes = Some(8 * 1_024);
        let producer = Producer::new(config).expect("valid");
        let send = |number| producer.send(&Record::to("t").value(&noise(number, BYTES)));
        let receipts: Vec<_> = (0..RECORDS).map(|n| send(n).expect("accepted")).collect();
        producer.flush(PATIENCE).expect("flushed");
        for receipt in receipts {
            receipt.poll_now().expect("flushed").expect("acked");
        }
        drop(producer);
        let mut values = front.values().concat();
        values.sort();
        let mut expected: Vec<_> = (0..RECORDS).map(|number| noise(number, BYTES)).collect();
        expected.sort();
        assert!(values == expected, "{codec:?}: {} values", values.len());
    }
}

#[test]
fn an_answer_of_many_records_arrives_while_much_is_sent() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let server = authority.issue(&["localhost"]).server();
    let (front, mut config) = front("localhost", &authority, server, &files);
    front.embedded().control(|cluster| {
        for number in 0..20 {
            cluster.create_topic(&format!("wide-{number}"), 1_000);
        }
    });
    config.receive_buffer_bytes = Some(8 * 1_024);
    let producer = Producer::new(config).expect("valid");
    let mut receipts = Vec::new();
    for number in 0..20 {
        for _ in 0..20 {
            let record = Record::to("t").value(&[7; 10_000]);
            receipts.push(producer.send(&record).expect("accepted"));
        }
        let partitions = producer.partitions_for(&format!("wide-{number}"));
        assert_eq!(partitions.expect("known").len(), 1_000);
    }
    for receipt in receipts {
        receipt.wait(PATIENCE).expect("in time").expect("acked");
    }
}

#[test]
fn an_answer_of_many_records_is_read_to_its_end_though_nothing_follows() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let server = authority.issue(&["localhost"]).server();
    let (front, mut config) = front("localhost", &authority, server, &files);
    config.max_block = Duration::from_secs(10);
    let producer = Producer::new(config).expect("valid");
    for number in 0..5 {
        let topic = format!("wide-{number}");
        let name = topic.clone();
        front
            .embedded()
            .control(move |cluster| cluster.create_topic(&name, 5_000));
        let partitions = producer.partitions_for(&topic).expect("known");
        assert_eq!(partitions.len(), 5_000);
    }
}

#[test]
fn connections_that_are_cut_again_and_again_lose_nothing() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let server = authority.issue(&["localhost"]).server();
    let (front, mut config) = front("localhost", &authority, server, &files);
    config.acks = Acks::All;
    config.retry_backoff = Duration::from_millis(1);
    config.reconnect_backoff = Duration::from_millis(1);
    config.reconnect_backoff_max = Some(Duration::from_millis(5));
    let producer = Producer::new(config).expect("valid");
    let began = Instant::now();
    let mut receipts = Vec::new();
    let mut number = 0_u64;
    while front.manner.handshakes.load(Ordering::Relaxed) < 150 {
        assert!(began.elapsed() < PATIENCE);
        for _ in 0..20 {
            let record = Record::to("t");
            let receipt = producer.send(&record.value(&number.to_le_bytes()));
            receipts.push(receipt.expect("accepted"));
            number += 1;
        }
        front.embedded().cut_connections(None);
        std::thread::sleep(Duration::from_millis(5));
    }
    producer.flush(PATIENCE).expect("flushed");
    for receipt in receipts {
        receipt.poll_now().expect("flushed").expect("acked");
    }
    drop(producer);
    let mut values = front.values().concat();
    values.sort();
    values.dedup();
    let mut expected: Vec<_> = (0..number)
        .map(|number| number.to_le_bytes().to_vec())
        .collect();
    expected.sort();
    assert!(values == expected, "{} values of {number}", values.len());
}
