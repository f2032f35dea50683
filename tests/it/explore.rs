//! Small runs with a fault at every single step, and with two.

use core::time::Duration;

use titorelli::Config;
use titorelli_sim::cluster::{BrokerId, ClusterConfig, Strictness};
use titorelli_sim::codec::error_code::{NOT_ENOUGH_REPLICAS, REQUEST_TIMED_OUT};
use titorelli_sim::{Exploration, Fault, NetworkConfig, OwnedRecord, World, WorldConfig};

const B1: BrokerId = BrokerId(1);
const B2: BrokerId = BrokerId(2);

fn send(world: &mut World, partition: i32, value: &str) {
    world.send(OwnedRecord {
        topic: "orders".to_owned(),
        partition: Some(partition),
        value: Some(value.as_bytes().to_vec()),
        ..OwnedRecord::default()
    });
}

/// Two partitions on two brokers, four records, the third while the first two are on their way.
fn four_records(world: &mut World) {
    world.control(|cluster| cluster.create_topic("orders", 2));
    send(world, 0, "a");
    send(world, 1, "b");
    world.run_for(Duration::from_millis(13));
    send(world, 0, "c");
    world.run_for(Duration::from_millis(1));
    send(world, 0, "d");
    world.flush();
}

/// One record, from the first connection to its ack.
fn one_record(world: &mut World) {
    world.control(|cluster| cluster.create_topic("orders", 1));
    send(world, 0, "a");
}

fn exploration(script: fn(&mut World), change: fn(&mut Config)) -> Exploration {
    let mut core = Config::default();
    core.request_timeout = Duration::from_millis(500);
    core.delivery_timeout = Some(Duration::from_secs(20));
    core.socket_connection_setup_timeout = Duration::from_millis(500);
    change(&mut core);
    let mut cluster = ClusterConfig::with_brokers(2);
    cluster.strictness = Strictness::Strict;
    let network = NetworkConfig::default();
    let fail = |error_code, append| Fault::FailNext {
        topic: "orders".to_owned(),
        partition: 0,
        error_code,
        append,
    };
    let faults = vec![
        Fault::Cut(B1),
        Fault::Cut(B2),
        Fault::CutRequestsAfter(B1, 20),
        Fault::CutResponsesAfter(B1, 0),
        Fault::CutResponsesAfter(B1, 11),
        Fault::Silence(B1),
        Fault::Down(B1),
        Fault::MoveLeader {
            topic: "orders".to_owned(),
            partition: 0,
            leader: B2,
        },
        fail(NOT_ENOUGH_REPLICAS, false),
        fail(REQUEST_TIMED_OUT, true),
    ];
    Exploration {
        config: WorldConfig {
            seed: 0,
            core,
            cluster,
            network,
        },
        script,
        faults,
    }
}

#[test]
fn every_fault_at_every_step_in_order() {
    let runs = exploration(four_records, |config| {
        config.retries = 5;
        config.max_in_flight_requests_per_connection = 1;
    })
    .every_fault();
    assert!(runs > 500, "{runs} runs");
}

#[test]
fn every_fault_at_every_step_without_retries() {
    let runs = exploration(four_records, |_| {}).every_fault();
    assert!(runs > 500, "{runs} runs");
}

#[test]
fn every_pair_of_faults_on_the_way_of_one_record() {
    let mut exploration = exploration(one_record, |config| config.retries = 5);
    exploration.faults = vec![
        Fault::Cut(B1),
        Fault::CutResponsesAfter(B1, 0),
        Fault::MoveLeader {
            topic: "orders".to_owned(),
            partition: 0,
            leader: B2,
        },
    ];
    let runs = exploration.every_pair();
    assert!(runs > 1_000, "{runs} runs");
}
