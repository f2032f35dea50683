//! No allocation per record: what `send` allocates is per batch.

use std::time::Duration;
use titorelli_mio::{Config, Producer, Record};
use titorelli_serve::{Embedded, EmbeddedConfig};

#[test]
fn sending_allocates_per_batch_and_not_per_record() {
    const RECORDS: u64 = 100_000;
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(1)).expect("loopback ports");
    embedded.control(|cluster| cluster.create_topic("t", 4));
    let mut config = Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    config.linger = Duration::from_millis(5);
    let producer = Producer::new(config).expect("valid");
    let value = [b'v'; 100];
    let record = Record::to("t").value(&value);
    let mut receipts = Vec::with_capacity(usize::try_from(RECORDS).expect("fits"));
    // Warm: topic known, buffers at the size they need.
    for _ in 0..10_000 {
        drop(producer.send(&record).expect("accepted"));
    }
    producer.flush(Duration::from_secs(30)).expect("flushed");
    let before = producer.stats().batches;
    let counted = allocation_counter::measure(|| {
        for _ in 0..RECORDS {
            receipts.push(producer.send(&record).expect("accepted"));
        }
    });
    producer.flush(Duration::from_secs(30)).expect("flushed");
    let batches = producer.stats().batches - before;
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.poll_now().is_some_and(|r| r.is_ok()))
    );
    // A batch needs its state and, when no buffer rests, one that doubles from 1 KiB to 16 KiB;
    // now and then a table grows, and a wait for memory needs a place to wait. Nothing else.
    let allowed = 8 * batches;
    assert!(
        batches < RECORDS / 50,
        "{batches} batches: the records did not batch"
    );
    assert!(
        counted.count_total <= allowed,
        "{} allocations, {allowed} allowed",
        counted.count_total
    );
}
