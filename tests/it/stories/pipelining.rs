//! How much faster five batches in flight are than one, in order all the same (I7, S7c).

use core::time::Duration;

use titorelli::Acks;
use titorelli_sim::cluster::{ClusterConfig, Strictness};
use titorelli_sim::{
    Config, NetworkConfig, OwnedRecord, RecordState, Span, World, WorldConfig, ms,
};

const KIB: usize = 1_024;
/// 2 MB.
const BATCHES: usize = 128;
const BATCH_BYTES: usize = 16 * KIB;

/// Sends 2 MB to one partition in batches of 16 KiB; a broker's answer takes 20 ms. How long it
/// takes once the producer knows the leader.
fn two_megabytes(change: impl FnOnce(&mut Config)) -> Duration {
    let mut core = Config::default();
    core.acks = Acks::All;
    core.retries = u32::MAX;
    core.batch_size = BATCH_BYTES;
    core.linger = ms(5);
    change(&mut core);
    let mut cluster = ClusterConfig::with_brokers(1);
    cluster.strictness = Strictness::Strict;
    let network = NetworkConfig {
        latency: Span::exactly(ms(10)),
        ..NetworkConfig::default()
    };
    let mut world = World::new(WorldConfig {
        seed: 0,
        core,
        cluster,
        network,
    });
    world.narrate(false);
    world.control(|cluster| cluster.create_topic("orders", 1));
    world.send(OwnedRecord::to("orders/0", "ready"));
    world.run_until_quiet();
    let began = world.now();
    // One record fills a batch: there is no room for a second.
    let sent: Vec<_> = (0..BATCHES)
        .map(|nth| {
            let value = format!("{nth:.<width$}", width = BATCH_BYTES - 100);
            world.send(OwnedRecord::to("orders/0", value))
        })
        .collect();
    world.run_until_quiet();
    let log = world.cluster().log("orders", 0);
    assert_eq!(log.batch_count(), 1 + u64::try_from(BATCHES).expect("few"));
    for (nth, id) in sent.into_iter().enumerate() {
        let RecordState::Acked { offset, .. } = *world.journal().state(id) else {
            panic!("{nth} is acked");
        };
        assert_eq!(offset, i64::try_from(nth).expect("few") + 1, "in order");
    }
    world.now().since(began)
}

#[test]
fn five_batches_in_flight_are_five_times_as_fast_and_in_order() {
    let five = two_megabytes(|config| config.enable_idempotence = true);
    let one = two_megabytes(|config| config.max_in_flight_requests_per_connection = 1);
    assert!(five <= ms(600), "five in flight took {five:?}");
    assert!(
        (ms(2_500)..=ms(2_700)).contains(&one),
        "one in flight took {one:?}"
    );
}
