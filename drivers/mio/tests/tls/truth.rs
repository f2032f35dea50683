//! Connections that are cut in the middle of a TLS record: what is told of the records stays true.

use crate::authority::{Authority, Files};
use crate::front::{Front, Manner};
use crate::{PATIENCE, front};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use titorelli_mio::rustls::SupportedProtocolVersion;
use titorelli_mio::rustls::version::{TLS12, TLS13};
use titorelli_mio::{Acks, DeliveryFuture, Producer, Record};

/// What became of the records of a run, by number.
#[derive(Default)]
struct Told {
    acked: BTreeSet<u64>,
    not_persisted: BTreeSet<u64>,
    maybe_persisted: BTreeSet<u64>,
}

/// Sends records while connections are cut after ever other numbers of bytes, and compares what is
/// told of them with what is in the logs.
fn run(version: &'static SupportedProtocolVersion, acks: Acks, retries: u32) -> Told {
    let (authority, files) = (Authority::new("a"), Files::new());
    let server = authority
        .issue(&["localhost"])
        .server_with(&[version], None);
    let (front, mut config) = front("localhost", &authority, server, &files);
    (config.acks, config.retries) = (acks, retries);
    config.retry_backoff = Duration::from_millis(1);
    config.reconnect_backoff = Duration::from_millis(1);
    config.reconnect_backoff_max = Some(Duration::from_millis(5));
    config.batch_size = 4_000;
    config.send_buffer_bytes = Some(8 * 1_024);
    let producer = Producer::new(config).expect("valid");
    producer.partitions_for("t").expect("known");
    let (mut receipts, mut number) = (Vec::new(), 0_u64);
    let mut value = vec![0; 1_000];
    for round in 0..60_usize {
        let manner: &Manner = &front.manner;
        let cut: &AtomicUsize = [&manner.cut_after_received, &manner.cut_after_sent][round % 2];
        // More than a handshake, and then somewhere in what follows it.
        let handshake = [700, 2_500][round % 2];
        cut.store(
            handshake + round * 997 % [40_000, 300][round % 2],
            Ordering::Relaxed,
        );
        front.embedded().cut_connections(None);
        for _ in 0..60 {
            value[..8].copy_from_slice(&number.to_le_bytes());
            let record = Record::to("t").value(&value);
            receipts.push((number, producer.send(&record).expect("accepted")));
            number += 1;
        }
        std::thread::sleep(Duration::from_millis(20));
        cut.store(usize::MAX, Ordering::Relaxed);
    }
    producer.flush(PATIENCE).expect("flushed");
    let told = told(receipts);
    drop(producer);
    compare(&told, front);
    told
}

/// What is told of records that are all completed.
fn told(receipts: Vec<(u64, DeliveryFuture)>) -> Told {
    let mut told = Told::default();
    for (number, receipt) in receipts {
        match receipt.poll_now().expect("completed") {
            Ok(_) => told.acked.insert(number),
            Err(error) if error.may_be_persisted() => told.maybe_persisted.insert(number),
            Err(_) => told.not_persisted.insert(number),
        };
    }
    told
}

/// Compares what is told with what is in the logs. Without acknowledgements nobody knows.
fn compare(told: &Told, front: Front) {
    // What is on its way through the front still arrives.
    std::thread::sleep(Duration::from_millis(200));
    let number_of = |value: &Vec<u8>| {
        let number = value.first_chunk().expect("eight bytes");
        u64::from_le_bytes(*number)
    };
    let written: BTreeSet<u64> = front.values().concat().iter().map(number_of).collect();
    let lost: Vec<_> = told.acked.difference(&written).collect();
    assert!(lost.is_empty(), "acknowledged and not written: {lost:?}");
    let denied: Vec<_> = told.not_persisted.intersection(&written).collect();
    assert!(denied.is_empty(), "denied and written: {denied:?}");
}

#[test]
fn what_is_told_is_true_when_connections_are_cut_in_a_record() {
    for version in [&TLS12, &TLS13] {
        let told = run(version, Acks::Leader, 0);
        assert!(!told.acked.is_empty(), "nothing came through");
        assert!(!told.maybe_persisted.is_empty(), "no cut hit a request");
    }
}

#[test]
fn retries_bring_everything_there_when_connections_are_cut_in_a_record() {
    for version in [&TLS12, &TLS13] {
        let told = run(version, Acks::All, u32::MAX);
        assert_eq!(told.acked.len(), 3_600);
    }
}

#[test]
fn what_did_not_leave_is_told_so_and_the_rest_is_not_denied() {
    const RECORDS: u64 = 4_000;
    let (authority, files) = (Authority::new("a"), Files::new());
    for acks in [Acks::None, Acks::Leader] {
        let server = authority.issue(&["localhost"]).server();
        let (front, mut config) = front("localhost", &authority, server, &files);
        config.acks = acks;
        config.send_buffer_bytes = Some(8 * 1_024);
        let producer = Producer::new(config).expect("valid");
        let first = producer.send(&Record::to("t").value(&[0xff; 8]));
        let first = first.expect("accepted").wait(PATIENCE);
        first.expect("in time").expect("acked");
        front.manner.is_stalling.store(true, Ordering::Relaxed);
        // What was on its way to be read is read.
        std::thread::sleep(Duration::from_millis(100));
        let mut value = vec![0; 1_000];
        let mut receipts = Vec::new();
        for number in 0..RECORDS {
            value[..8].copy_from_slice(&number.to_le_bytes());
            let record = Record::to("t").value(&value);
            receipts.push((number, producer.send(&record).expect("accepted")));
        }
        // All that is not completed then fails; the sockets are full, and nobody reads.
        producer.close(Duration::from_millis(300));
        let mut told = told(receipts);
        assert!(!told.not_persisted.is_empty(), "{acks:?}: all of it left");
        assert!(
            told.not_persisted.len() < 4_000,
            "{acks:?}: none of it left"
        );
        front.manner.is_stalling.store(false, Ordering::Relaxed);
        if acks == Acks::None {
            assert!(!told.acked.is_empty(), "none of it left");
            // They left, which is all that is known of them.
            told.acked.clear();
        }
        compare(&told, front);
    }
}
