//! A dead broker is the trouble of its partitions alone (L10): those of others are written as fast
//! as ever, for minutes.

use core::time::Duration;

use titorelli_sim::cluster::{BrokerId, ClusterConfig, Strictness, TopicConfig};
use titorelli_sim::{
    Config, Fault, NetworkConfig, OwnedRecord, RecordId, RecordState, World, WorldConfig, ms,
};

const B1: BrokerId = BrokerId(1);
const B2: BrokerId = BrokerId(2);
const PARTITIONS: i32 = 8;
const DOWN_FOR: Duration = Duration::from_secs(300);
/// Each way takes a millisecond.
const ROUND_TRIP: Duration = ms(2);

/// A producer with the settings for what must arrive; partitions without a second replica, four
/// for each of two brokers.
fn world() -> World {
    let mut cluster = ClusterConfig::with_brokers(2);
    cluster.strictness = Strictness::Strict;
    cluster.auto_create_topics = false;
    let mut world = World::new(WorldConfig {
        seed: 0,
        core: Config::durable(),
        cluster,
        network: NetworkConfig::default(),
    });
    world.narrate(false);
    world.control(|cluster| {
        let config = TopicConfig {
            partitions: PARTITIONS,
            replication_factor: 1,
            ..TopicConfig::default()
        };
        cluster.create_topic_with("orders", config);
    });
    for partition in 0..PARTITIONS {
        world.send(OwnedRecord::to(&format!("orders/{partition}"), "ready"));
    }
    world.run_until_quiet();
    world
}

fn is_acked(world: &World, id: RecordId) -> bool {
    matches!(world.journal().state(id), RecordState::Acked { .. })
}

/// A record to each partition after every pause, while the faults last: the 99th of a hundred of
/// the times that those took whose leader is well.
fn p99(faults: &[Fault], pause: Duration) -> Duration {
    let mut world = world();
    for fault in faults {
        world.inflict(fault);
    }
    let ends_at = world.now() + DOWN_FOR;
    let mut took = Vec::new();
    let mut nth = 0;
    while world.now() < ends_at {
        nth += 1;
        let called_at = world.now();
        let mut open = Vec::new();
        for partition in 0..PARTITIONS {
            let place = format!("orders/{partition}");
            let id = world.send(OwnedRecord::to(&place, format!("{partition}:{nth}")));
            if world.cluster().leader("orders", partition).0 == Some(B1) {
                open.push(id);
            }
        }
        assert_eq!(open.len(), 4, "the leaders of four are well");
        while !open.is_empty() {
            world.run_for(Duration::from_micros(250));
            let waited = world.now().since(called_at);
            let before = open.len();
            open.retain(|id| !is_acked(&world, *id));
            took.extend(vec![waited; before - open.len()]);
            assert!(waited < Duration::from_secs(20), "after {nth} rounds");
        }
        world.run_until((called_at + pause).max(world.now()));
    }
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

#[track_caller]
fn expect_quick(faults: &[Fault], pause: Duration) {
    let limit = Config::durable().linger * 2 + ROUND_TRIP;
    let p99 = p99(faults, pause);
    assert!(p99 <= limit, "{faults:?} every {pause:?}: {p99:?}");
}

#[test]
fn a_broker_that_is_down_holds_nobody_else_up() {
    expect_quick(&[Fault::Down(B2)], ms(100));
    expect_quick(&[Fault::Down(B2)], ms(5_000));
}

#[test]
fn a_broker_that_says_nothing_any_more_holds_nobody_else_up() {
    let faults = [Fault::Swallow(B2), Fault::Stall(B2)];
    expect_quick(&faults, ms(100));
    expect_quick(&faults, ms(5_000));
}
