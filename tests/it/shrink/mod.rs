//! Runs that fail are cut down to what makes them fail, and printed as a test.
//!
//! The core keeps its promises, so it is the judge that is at fault here: it forbids what may be.

// As it was printed, to the last blank.
#[rustfmt::skip]
mod printed;
#[rustfmt::skip]
mod printed_whole;

use core::time::Duration;
use titorelli::Config;
use titorelli_sim::cluster::{Access, BrokerId, Distortion, Lie};
use titorelli_sim::{
    Damage, Fault, Garbling, NetworkConfig, OwnedRecord, Plan, Profile, RecordState, Shrunk,
};
use titorelli_sim::{Replicas, SlowLinks, Span, Stage, Step, World, check, draw, ms, shrink_plan};

/// Forbids that a partition whose leader has moved acks what the plan sends; probes are not in it.
fn no_ack_where_the_leader_moved(world: &World) {
    for (id, record, state) in world.journal().records() {
        let RecordState::Acked { partition, .. } = *state else {
            continue;
        };
        let value = record.value.as_deref().unwrap_or_default();
        let count = world.cluster().partition_count(&record.topic);
        if partition < count && !value.ends_with(b"probe") {
            let (_, epoch) = world.cluster().leader(&record.topic, partition);
            assert_eq!(epoch, 0, "X1: {id:?} was acked where the leader moved");
        }
    }
}

/// Forbids what retries without idempotence make.
fn no_duplicate(world: &World) {
    let retries = world.core().config().retries;
    assert_eq!(
        check::copies(world, retries.into()),
        0,
        "X2: a record is there twice"
    );
}

/// Forbids that a record with a key and a large one are in one partition.
fn no_large_record_beside_a_key(world: &World) {
    for (_, partition, log) in world.cluster().logs() {
        let records = log.records();
        let has_key = records.iter().any(|record| record.key.is_some());
        let length = |value: &Option<bytes::Bytes>| value.as_ref().map_or(0, bytes::Bytes::len);
        let is_large = records.iter().any(|record| length(&record.value) >= 150);
        assert!(
            !(has_key && is_large),
            "{partition} has a key and a large record"
        );
    }
}

/// The first seed whose run fails before this judge, cut down.
fn shrink_first(judge: fn(&World)) -> Shrunk {
    let mut plans = (0..200).map(|seed| draw(Profile::Full, seed));
    let shrunk = plans.find_map(|plan| shrink_plan(plan, &judge));
    shrunk.expect("one of so many seeds fails")
}

/// A run as a seed might draw it, whatever seeds draw: much goes on, and little of it matters.
fn much_ado() -> Plan {
    let mut stage = Stage::new(4_711);
    stage.brokers = 3;
    stage.topics = vec![2, 3];
    stage.core.retries = 5;
    stage.core.linger = ms(5);
    stage.core.batch_size = 200;
    stage.network.chunk_bytes_max = Some(20);
    let (one, two) = (BrokerId(1), BrokerId(2));
    let number = |number: u32| format!("{number}:{}", ".".repeat(60)).into_bytes();
    let send = |place, index| Step::Send(OwnedRecord::to(place, number(index)));
    let mut steps = vec![
        send("t0/0", 0),
        Step::Echo(OwnedRecord::to("t1/2", number(1))),
        Step::Inflict(Fault::Throttle(two, 50)),
        Step::Wait(ms(20)),
        send("t1", 2),
        Step::Inflict(Fault::move_leader("t1/0", two)),
        Step::Flush,
        Step::Wait(ms(700)),
        send("t1/0", 3),
        send("t0/1", 4),
        Step::Inflict(Fault::fail_after_append("t0/0", 7)),
        Step::Inflict(Fault::Restart(one)),
    ];
    steps.extend((5..9).map(|index| send("t0/0", index)));
    steps.extend([Step::Wait(ms(700)), Step::Heal, Step::Close(ms(300_000))]);
    Plan { stage, steps }
}

#[test]
fn a_run_is_cut_down_to_a_move_a_record_and_the_time_it_takes() {
    let shrunk = shrink_plan(much_ado(), &no_ack_where_the_leader_moved).expect("it fails");
    assert!(shrunk.message.starts_with("X1: "), "{}", shrunk.message);
    assert!(shrunk.steps_before > 10, "{}", shrunk.steps_before);
    let Plan { stage, steps } = &shrunk.plan;
    assert!(matches!(steps.len(), 2..=3), "{steps:?}");
    assert_eq!((stage.topics.as_slice(), stage.seed), (&[1][..], 0));
    assert_eq!(stage.core, Config::default());
}

/// What is compiled as a module here is what was printed.
#[test]
fn what_is_printed_compiles_and_is_short() {
    let shrunk = shrink_plan(much_ado(), &no_duplicate).expect("it fails");
    let source = shrunk.plan.source("a_duplicate");
    expect_printed(&source, include_str!("printed.rs"));
    let lines = source
        .lines()
        .skip_while(|line| !line.starts_with("#[test]"));
    assert!(lines.count() <= 12, "\n{source}");
}

#[test]
fn a_failure_without_a_name_is_known_by_its_words_and_keeps_what_it_needs() {
    let shrunk = shrink_first(no_large_record_beside_a_key);
    let sends: Vec<&OwnedRecord> = shrunk
        .plan
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Send(record) | Step::Echo(record) => Some(record),
            Step::Wait(_)
            | Step::Settle
            | Step::Flush
            | Step::Cancel
            | Step::Inflict(_)
            | Step::Damage(..)
            | Step::Heal
            | Step::Withdraw(_)
            | Step::Purge(_)
            | Step::Close(_) => None,
        })
        .collect();
    assert!(sends.len() <= 2, "{sends:?}");
    assert!(sends.iter().any(|record| record.key.is_some()), "{sends:?}");
    let longest = sends
        .iter()
        .map(|record| record.value.as_ref().map_or(0, Vec::len));
    assert!(longest.max() < Some(300), "{sends:?}");
}

/// Below the words about it, the file is what is printed now.
fn expect_printed(source: &str, file: &str) {
    let (_, printed) = file.split_once("\n\n").expect("words, and the source");
    assert_eq!(source, printed, "\n{source}");
}

/// Everything that a plan may hold is printed as Rust that compiles, and keeps every promise.
#[test]
fn every_kind_of_step_is_printed() {
    let mut stage = Stage::new(4_711);
    stage.brokers = 3;
    stage.releases = vec![(2, 8, 0)];
    stage.answers_without_acks = true;
    stage.first_epoch = 32_766;
    stage.topics = vec![2, 1];
    stage.core.retries = 5;
    stage.replicas = Replicas {
        factor: 2,
        min_in_sync: 2,
        fetch: ms(5),
        lag_max: ms(200),
    };
    stage.network = NetworkConfig {
        latency: Span::between(Duration::from_micros(50), ms(20)),
        seal: Span::exactly(ms(1)),
        write_bytes_max: Some(50),
        write_pause: Span::exactly(ms(2)),
        chunk_bytes_max: Some(20),
        slow_links: Some(SlowLinks {
            percent: 40,
            extra: Span::between(ms(50), ms(3_000)),
        }),
    };
    let mut steps = vec![
        Step::Send(OwnedRecord::to("t0/1", "0:").key("k")),
        Step::Echo(OwnedRecord::to("t1", "1:....").header("a", Some(&[7]))),
        Step::Send(OwnedRecord::to("t1", "2:").timestamp(1_699_999_950_000)),
        Step::Flush,
        Step::Cancel,
        Step::Wait(Duration::from_micros(1_500)),
    ];
    steps.extend(faults().into_iter().map(Step::Inflict));
    steps.extend([
        Step::Damage(BrokerId(2), Damage::Swallowed),
        Step::Heal,
        Step::Settle,
        Step::Close(Duration::from_secs(1)),
    ]);
    let source = Plan { stage, steps }.source("everything");
    expect_printed(&source, include_str!("printed_whole.rs"));
}

/// One of each kind.
fn faults() -> Vec<Fault> {
    let broker = BrokerId(1);
    let topic = || "t0".to_owned();
    vec![
        Fault::Cut(broker),
        Fault::CutRequestsAfter(broker, 9),
        Fault::CutResponsesAfter(broker, 0),
        Fault::Silence(broker),
        Fault::Swallow(broker),
        Fault::Stall(broker),
        Fault::Admit(broker),
        Fault::move_leader("t0/1", broker),
        Fault::replace_leader("t0/1", broker),
        Fault::elect_unclean("t0/1", broker),
        Fault::HoldReplicas(broker),
        Fault::FreeReplicas(broker),
        Fault::Down(broker),
        Fault::Up(broker),
        Fault::fail_next("t0/0", 6),
        Fault::fail_after_append("t1/0", -1),
        Fault::ForgetProducers(topic(), 1),
        Fault::RefuseId(14),
        Fault::LimitBatches(topic(), 1_000),
        Fault::LiftLimit(topic()),
        Fault::Throttle(broker, 1_000),
        Fault::Permit(topic(), Access::Describe),
        Fault::AddPartition(topic()),
        Fault::Clog(broker, 100),
        Fault::Delay(broker, ms(5_000)),
        Fault::Garble(broker, Garbling::Half),
        Fault::Distort(broker, Distortion::EntriesTwice),
        Fault::Restart(broker),
        Fault::Upgrade(broker, (3, 7, 0)),
        Fault::Lag(broker),
        Fault::Blank(broker),
        Fault::Mislead(broker, Lie::NoLeader),
        Fault::CatchUp(broker),
        Fault::Readdress(broker),
        Fault::SwapAddresses(broker, BrokerId(2)),
        Fault::Delete(topic()),
        Fault::Recreate(topic(), 2),
        Fault::Starve(ms(20)),
        Fault::Leap(ms(700)),
    ]
}
