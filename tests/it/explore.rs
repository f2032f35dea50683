//! Small runs with a fault at every single step, and with two.

use titorelli_sim::cluster::BrokerId;
use titorelli_sim::{Exploration, Fault};

#[test]
fn every_fault_at_every_step() {
    for (name, _) in Exploration::NAMED {
        let exploration = Exploration::named(name).expect("it has a name");
        let runs = exploration.every_fault();
        assert!(runs > 100, "{name}: {runs} runs");
    }
}

#[test]
fn every_fault_at_every_step_without_retries() {
    let mut exploration = Exploration::named("four-records").expect("it has a name");
    exploration.config.core.retries = 0;
    let max_in_flight = &mut exploration
        .config
        .core
        .max_in_flight_requests_per_connection;
    *max_in_flight = 5;
    let runs = exploration.every_fault();
    assert!(runs > 500, "{runs} runs");
}

#[test]
fn every_pair_of_faults_on_the_way_of_one_record() {
    let mut exploration = Exploration::named("one-record").expect("it has a name");
    exploration.faults = vec![
        Fault::Cut(BrokerId(1)),
        Fault::CutResponsesAfter(BrokerId(1), 0),
        Fault::move_leader("orders/0", BrokerId(2)),
    ];
    let runs = exploration.every_pair();
    assert!(runs > 1_000, "{runs} runs");
}
