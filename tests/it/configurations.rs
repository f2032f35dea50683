//! S17: every combination of values is refused with a reason, or makes a producer that delivers.

use core::time::Duration;
use proptest::prelude::*;
use proptest::sample::select;
use titorelli::config::KEYS;
use titorelli::{ApiVersion, Config, Instant};
use titorelli_sim::cluster::ClusterConfig;
use titorelli_sim::{NetworkConfig, OwnedRecord, RecordId, RecordState, Span, World, WorldConfig};

/// Records that have to arrive, one after the other.
const RECORDS: usize = 100;
/// More steps than any record needs.
const STEPS_MAX: usize = 20_000;

/// Values worth trying for a key, extremes included.
fn values(key: &str) -> &'static [&'static str] {
    match key {
        "bootstrap_servers" => &["localhost", "a:1,b:2", "[::1]:9092"],
        "client_id" => &["", "painter", "a name with blanks"],
        "api_version" => &[
            "auto", "auto", "auto", "0.8.0", "0.8.2", "0.9", "0.10.0", "0.10.2", "0.11", "1.1",
            "2.0", "2.8.2", "3.9", "4.0", "4.4", "9.9", "0.7",
        ],
        "acks" => &["0", "1", "all"],
        "retries" => &["0", "1", "inf"],
        "compression_type" => &["none", "gzip", "snappy", "lz4", "zstd"],
        "compression_level" => &["unset", "unset", "1", "-7", "22"],
        "partitioner" => &[
            "default",
            "sticky",
            "uniform_sticky",
            "round_robin",
            "random",
            "murmur2",
            "murmur2_random",
            "consistent",
            "consistent_random",
            "fnv1a",
            "fnv1a_random",
        ],
        "security_protocol" => &["PLAINTEXT", "PLAINTEXT", "SSL"],
        "ssl_cafile" | "ssl_certfile" | "ssl_keyfile" => &["unset", "unset", "a.pem"],
        "backoff_jitter_percent" => &["0", "20", "100"],
        "batch_size" => &["0", "1", "61", "200", "16384", "2147483647", "2147483648"],
        "max_request_size" => &["0", "1", "255", "256", "1048576", "2147483647"],
        "buffer_memory" => &["0", "1", "255", "256", "33554432", "18446744073709551615"],
        "receive_message_max_bytes" => &["0", "1023", "4096", "100000000", "2147483647"],
        "receive_buffer_bytes" | "send_buffer_bytes" => &["unset", "1", "2147483647"],
        "max_in_flight_requests_per_connection" => &["0", "1", "5", "18446744073709551615"],
        "metrics_num_samples" => &["0", "1", "2", "65535"],
        "connections_max_idle_ms" => &["-1", "0", "1", "540000"],
        // Switches and times.
        _ => &[
            "0",
            "1",
            "true",
            "false",
            "unset",
            "7",
            "60000",
            "18446744073709551615",
        ],
    }
}

/// A few keys with values that they take.
fn pairs() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let names: Vec<&'static str> = KEYS.iter().map(|key| key.name).collect();
    let pair = select(names).prop_flat_map(|name| (Just(name), select(values(name))));
    prop::collection::vec(pair, 0..8)
}

/// A cluster that the producer can talk to: the pinned release, or any that tells its versions.
fn cluster(config: &Config, other: (u16, u16, u16)) -> ClusterConfig {
    let release = match config.api_version {
        ApiVersion::Auto => other,
        ApiVersion::Release(release) => (release.major, release.minor, release.patch),
    };
    ClusterConfig::of_release(3, release)
}

fn world(config: Config, cluster: ClusterConfig) -> World {
    let latency = Span::between(Duration::from_micros(20), Duration::from_micros(20));
    let mut world = World::new(WorldConfig {
        seed: 1,
        core: config,
        cluster,
        network: NetworkConfig {
            latency,
            ..NetworkConfig::default()
        },
    });
    world.narrate(false);
    world.control(|cluster| cluster.create_topic("t", 3));
    world
}

fn record(number: usize) -> OwnedRecord {
    OwnedRecord {
        topic: "t".to_owned(),
        key: number.is_multiple_of(2).then(|| vec![b'k']),
        value: Some(number.to_string().into_bytes()),
        ..OwnedRecord::default()
    }
}

/// Steps until a record has its end; flushes when it is accepted, for it may linger for ever.
fn await_end(world: &mut World, id: RecordId) -> RecordState {
    let mut is_flushed = false;
    for _ in 0..STEPS_MAX {
        match world.journal().state(id) {
            RecordState::Accepted(_) if !is_flushed => {
                world.flush();
                is_flushed = true;
            }
            RecordState::Waiting(_) | RecordState::Accepted(_) => {
                assert!(world.step(Instant::FAR), "Wakeup: nothing is planned");
            }
            end @ (RecordState::Rejected(_)
            | RecordState::Cancelled
            | RecordState::Acked { .. }
            | RecordState::NotPersisted(_)
            | RecordState::MaybePersisted(_)) => return end.clone(),
        }
    }
    panic!("{:?} after {STEPS_MAX} steps", world.journal().state(id));
}

/// Sends one record until it is written: a call that may not wait is made again.
fn deliver(world: &mut World, number: usize) {
    for _ in 0..20 {
        let id = world.send(record(number));
        match await_end(world, id) {
            RecordState::Acked { .. } => return,
            RecordState::Rejected(_) => world.run_for(Duration::from_millis(1)),
            RecordState::Waiting(_) | RecordState::Accepted(_) => unreachable!("it has an end"),
            RecordState::Cancelled => unreachable!("nobody gives up"),
            RecordState::NotPersisted(error) | RecordState::MaybePersisted(error) => {
                panic!("record {number}: {error}")
            }
        }
    }
    panic!("record {number} is refused again and again");
}

/// Every key that kafka-python, the Java producer and librdkafka document for a producer.
const THEIRS: &str = include_str!("keys_of_other_clients.txt");

#[test]
fn every_key_of_the_three_clients_is_known_or_refused_with_its_reason() {
    for name in THEIRS.split_whitespace() {
        // Hardly a key takes this value, but that is told of a key that is known.
        let told = Config::default().set(name, "?");
        let reason = told.err().map(|error| error.reason).unwrap_or_default();
        let is_unknown = ["unknown;", "unknown,"]
            .iter()
            .any(|words| reason.starts_with(words));
        assert!(!is_unknown, "{name}: {reason}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 600,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_configuration_is_refused_with_a_reason_or_delivers(
        pairs in pairs(),
        other in select(&[(0, 10, 0), (0, 11, 0), (2, 8, 2), (3, 9, 2), (4, 4, 0)][..]),
    ) {
        let mut config = Config::default();
        for (key, value) in &pairs {
            // A value of another kind: told as such.
            if let Err(error) = config.set(key, value) {
                prop_assert_eq!(&error.key, key);
                prop_assert!(!error.reason.is_empty());
            }
        }
        if let Err(error) = config.check() {
            prop_assert!(KEYS.iter().any(|key| key.name == error.key), "{}", error);
            prop_assert!(error.reason.len() > 10, "{}", error);
            return Ok(());
        }
        let cluster = cluster(&config, other);
        let knows_zstd = config.compression.name() != "zstd" || other >= (2, 1, 0);
        prop_assume!(knows_zstd || config.api_version != ApiVersion::Auto);
        let mut world = world(config, cluster);
        for number in 0..RECORDS {
            deliver(&mut world, number);
        }
    }
}
