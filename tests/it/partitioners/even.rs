//! How even it is, over more records than a world is good for: a core alone, that is told of a
//! topic once and then never carried out.

use std::collections::BTreeMap;
use titorelli::{BatchId, Config, Input, Instant, Output, Partitioner, ProducerCore, Record};
use titorelli_sim::cluster::{Cluster, ClusterConfig, ClusterOutput};

const PARTITIONS: i32 = 6;

/// A core that knows the topic `orders` with six partitions, led by one broker.
fn core(change: impl FnOnce(&mut Config)) -> ProducerCore {
    let mut config = Config::default();
    config.bootstrap_servers = vec!["127.0.0.1:9001".to_owned()];
    config.buffer_memory = 1 << 30;
    change(&mut config);
    let mut cluster = Cluster::new(ClusterConfig::with_brokers(1));
    cluster.create_topic("orders", PARTITIONS);
    let broker = cluster.config().brokers[0].id;
    let now = Instant::ZERO;
    let mut core = ProducerCore::new(config, [9; 32], now).expect("it works");
    let mut peers = BTreeMap::new();
    while core.partitions_for(now, "orders").is_err() {
        core.handle_timeout(now);
        while let Some(output) = core.poll_output() {
            if let Output::Connect { conn, .. } = output {
                peers.insert(conn, cluster.connect(broker).expect("it is up"));
                core.handle_input(now, Input::Connected(conn));
            } else if let Output::Transmit { conn, bytes } = output {
                cluster.receive(now, peers[&conn], &bytes);
            }
            while let Some(ClusterOutput::Transmit { peer, bytes }) = cluster.poll_output() {
                let conn = peers.iter().find(|(_, known)| **known == peer);
                let (conn, _) = conn.expect("somebody asked");
                core.handle_input(now, Input::Received(*conn, &bytes));
            }
        }
    }
    core
}

/// The partitions of all batches: a core that is closed at once tells where they were to go.
fn partitions(mut core: ProducerCore) -> BTreeMap<BatchId, usize> {
    core.close(Instant::ZERO, Instant::ZERO);
    core.handle_timeout(Instant::ZERO);
    let mut partitions = BTreeMap::new();
    while let Some(output) = core.poll_output() {
        if let Output::Delivered(delivery) = output {
            let partition = usize::try_from(delivery.partition).expect("not negative");
            partitions.insert(delivery.batch, partition);
        }
    }
    partitions
}

/// The bytes of values that each partition is given, of 100,000 records of all sizes.
fn bytes(change: impl FnOnce(&mut Config)) -> [usize; 6] {
    let mut core = core(change);
    let value = [b'x'; 400];
    let mut batches = Vec::new();
    for number in 0..100_000_usize {
        let value = &value[..number.wrapping_mul(number) % 391];
        let record = Record::to("orders").value(value);
        let ticket = core.send(Instant::ZERO, &record).expect("there is room");
        batches.push((ticket.batch, value.len()));
    }
    let partitions = partitions(core);
    let mut bytes = [0; 6];
    for (batch, value_bytes) in batches {
        bytes[partitions[&batch]] += value_bytes;
    }
    bytes
}

#[test]
fn bytes_are_even_whatever_the_sizes_of_records() {
    for (partitioner, is_adaptive) in [
        (Partitioner::UniformSticky, false),
        (Partitioner::UniformSticky, true),
        (Partitioner::RoundRobin, true),
        (Partitioner::Random, true),
    ] {
        let bytes = bytes(|config| {
            config.partitioner = partitioner;
            config.partitioner_adaptive = is_adaptive;
            config.batch_size = 300;
        });
        let mean = bytes.iter().sum::<usize>() / 6;
        let is_near = |bytes: &usize| bytes.abs_diff(mean) * 100 < mean * 3;
        assert!(
            bytes.iter().all(is_near),
            "{partitioner:?} {is_adaptive} {bytes:?}"
        );
    }
}
