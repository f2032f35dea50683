//! Batches that are too large for their topic: the core goes on with parts of them, which take
//! places in its table that no receipt ever names.

use std::time::Duration;
use titorelli_mio::{Config, DeliveryFuture, Producer, Record};
use titorelli_serve::{Embedded, EmbeddedConfig};

/// Records that come while parts are under way have places beyond theirs, and every receipt is told
/// of its own record.
#[test]
fn receipts_are_told_apart_beside_the_parts_of_a_divided_batch() {
    const PARTITIONS: i32 = 16;
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(1)).expect("loopback ports");
    embedded.control(|cluster| {
        cluster.create_topic("large", 1);
        cluster.create_topic("small", PARTITIONS);
        cluster.limit_batches("large", 400);
    });
    let mut config = Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    config.linger = Duration::from_millis(2);
    let producer = Producer::new(config).expect("valid");
    let mut receipts: Vec<(&str, i32, DeliveryFuture)> = Vec::new();
    for round in 0..200 {
        for _ in 0..20 {
            let record = Record::to("large").partition(0).value(&[b'l'; 100]);
            receipts.push(("large", 0, producer.send(&record).expect("accepted")));
        }
        for partition in 0..PARTITIONS {
            let record = Record::to("small").partition(partition).value(b"s");
            receipts.push((
                "small",
                partition,
                producer.send(&record).expect("accepted"),
            ));
        }
        if round % 10 == 0 {
            producer.flush(Duration::from_secs(30)).expect("flushed");
        } else {
            std::thread::sleep(Duration::from_micros(300));
        }
    }
    producer.flush(Duration::from_secs(30)).expect("flushed");
    assert!(producer.stats().splits > 0, "nothing was too large");
    let mut offsets = std::collections::BTreeSet::new();
    for (topic, partition, receipt) in &receipts {
        let written = receipt.poll_now().expect("flushed").expect("written");
        assert_eq!((&*written.topic, written.partition), (*topic, *partition));
        assert!(offsets.insert((*topic, *partition, written.offset)));
    }
}
