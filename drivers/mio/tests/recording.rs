//! The flight recorder over real sockets: what a producer did is replayed into a fresh core.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use titorelli::recording::{Replay, Replayed};
use titorelli_mio::{Codec, Config, Header, Partitioner, Producer, Record};
use titorelli_serve::{Embedded, EmbeddedConfig};
use titorelli_sim::cluster::BrokerId;

/// Long enough for anything that is not broken.
const PATIENCE: Duration = Duration::from_secs(30);

fn cluster(partitions: i32) -> Embedded {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(3)).expect("loopback ports");
    embedded.control(move |cluster| cluster.create_topic("t", partitions));
    embedded
}

fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn config(embedded: &Embedded, file: &str) -> Config {
    let mut config = Config::durable();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    config.trace_path = Some(scratch(file));
    config
}

/// Four threads send a thousand records each, while a broker's connections are cut.
fn work(config: Config, embedded: &Embedded) -> Producer {
    let producer = Producer::new(config).expect("valid");
    let senders: Vec<_> = (0..4_u32)
        .map(|thread| {
            let producer = producer.clone();
            thread::spawn(move || {
                for number in 0..1_000_u32 {
                    let key = format!("secret key {}", (thread + number) % 50);
                    let value = format!("secret value {thread}:{number}");
                    let headers = [Header {
                        name: "trace",
                        value: Some(b"secret header"),
                    }];
                    let record = Record::to("t").value(value.as_bytes()).headers(&headers);
                    let record = match number % 3 {
                        0 => record.key(key.as_bytes()),
                        1 => record.partition(i32::try_from(number % 7).expect("small")),
                        _ => record,
                    };
                    drop(producer.send(&record).expect("accepted"));
                    if number % 400 == 399 {
                        producer.flush(PATIENCE).expect("delivered");
                    }
                }
            })
        })
        .collect();
    for broker in [1, 2, 3] {
        thread::sleep(Duration::from_millis(5));
        embedded.control(move |cluster| cluster.close_connections(BrokerId(broker)));
    }
    for sender in senders {
        sender.join().expect("sent");
    }
    producer.partitions_for("t").expect("known");
    let closed = producer.close(PATIENCE);
    assert_eq!(closed.records(), 0, "everything is delivered");
    producer
}

/// Replays a file, with all that the producer did in it.
#[track_caller]
fn replay(file: &str, producer: &Producer) -> Replayed {
    let log = fs::read(scratch(file)).expect("recorded");
    let report = producer.recording().expect("recorded");
    assert_eq!((report.bytes, report.broke_off), (log.len() as u64, None));
    let mut replay = Replay::new(&log).unwrap_or_else(|error| panic!("{file}: {error}"));
    while replay
        .step()
        .unwrap_or_else(|error| panic!("{file}: {error}"))
    {}
    let (again, then) = (replay.core().stats(), producer.stats());
    assert_eq!(again.records_acked, 4_000, "{file}");
    assert_eq!(again, then, "{file}");
    replay.done()
}

#[test]
fn a_run_over_sockets_replays_with_and_without_its_payloads() {
    for (file, codec, is_whole) in [
        ("redacted.rec", Codec::Lz4, false),
        ("whole.rec", Codec::Zstd, true),
        ("plain.rec", Codec::None, false),
    ] {
        let embedded = cluster(7);
        let mut config = config(&embedded, file);
        config.compression = codec;
        config.batch_size = 2_000;
        // Calls wait for memory, and connections end with bytes that are not sent.
        config.buffer_memory = 20_000;
        config.max_in_flight_requests_per_connection = 5;
        config.trace_payloads = is_whole;
        let producer = work(config, &embedded);
        let replayed = replay(file, &producer);
        assert!(
            replayed.steps > 4_000 && replayed.bytes > 40_000,
            "{replayed}"
        );
        let log = fs::read_to_string(scratch(file)).expect("recorded");
        assert_eq!(log.contains("secret"), is_whole, "{file}");
        assert_eq!(log.contains(" packed "), codec != Codec::None, "{file}");
        for words in [
            "send-with-clock",
            "resume ",
            "= waits ",
            "read ",
            "flush",
            " trace",
        ] {
            assert!(log.contains(words), "{words} is not in {file}");
        }
    }
}

/// The application's partitioner is not in the core; what it asks and what it chose is.
#[test]
fn a_run_with_a_partitioner_of_the_applications_own_replays() {
    let embedded = cluster(7);
    let producer = Producer::builder(config(&embedded, "own.rec"))
        .partitioner(|_: Option<&[u8]>, all: &[i32], _: &[i32]| all[all.len() - 1])
        .build()
        .expect("valid");
    for _ in 0..100 {
        drop(
            producer
                .send(&Record::to("t").value(b"v"))
                .expect("accepted"),
        );
        drop(
            producer
                .try_send(&Record::to("t").value(b"v"))
                .expect("accepted"),
        );
    }
    producer.close(PATIENCE);
    let log = fs::read(scratch("own.rec")).expect("recorded");
    let replayed = Replay::new(&log).and_then(Replay::run).expect("it replays");
    assert!(replayed.steps > 200, "{replayed}");
}

/// Keys decide where records go; without the keys the log says where.
#[test]
fn a_redacted_run_of_every_partitioner_replays() {
    for partitioner in Partitioner::ALL {
        let file = format!("{}.rec", partitioner.name());
        let embedded = cluster(7);
        let mut config = config(&embedded, &file);
        config.partitioner = partitioner;
        let producer = work(config, &embedded);
        replay(&file, &producer);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    let embedded = cluster(1);
    let mut config = config(&embedded, "unused");
    config.trace_path = Some("/dev/full".into());
    let producer = Producer::new(config).expect("valid");
    let send = || {
        let receipt = producer
            .send(&Record::to("t").value(b"v"))
            .expect("accepted");
        receipt.wait(PATIENCE).expect("in time").expect("written");
    };
    let began = Instant::now();
    while producer.recording().expect("asked for").broke_off.is_none() {
        send();
        assert!(began.elapsed() < PATIENCE, "the disk is full");
    }
    send();
    let report = producer.recording().expect("asked for");
    let words = report.broke_off.expect("waited for");
    assert!(words.contains("No space left"), "{words}");
    assert!(producer.report().contains(&words), "{}", producer.report());
    assert_eq!((report.bytes, producer.close(PATIENCE).records()), (0, 0));
}

/// A pipe that nobody reads takes what fits into it, and no more.
#[cfg(unix)]
#[test]
fn a_disk_that_hangs_holds_up_nobody() {
    let pipe = scratch("hangs.pipe");
    let _ = fs::remove_file(&pipe);
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo is there").success());
    let options = fs::OpenOptions::new().read(true).write(true).open(&pipe);
    let unread = options.expect("a pipe");
    let embedded = cluster(1);
    let mut config = config(&embedded, "hangs.pipe");
    config.linger = Duration::from_millis(5);
    let producer = Producer::new(config).expect("valid");
    let value = Arc::new([b'v'; 100]);
    for _ in 0..5_000 {
        drop(
            producer
                .send(&Record::to("t").value(&*value))
                .expect("accepted"),
        );
    }
    let began = Instant::now();
    assert_eq!(producer.close(PATIENCE).records(), 0);
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "it does not wait for the disk"
    );
    let report = producer.recording().expect("asked for");
    assert!(report.bytes < 1_000_000, "it hangs: {report}");
    assert!(
        report.broke_off.is_some(),
        "what is missing is told: {report}"
    );
    drop(unread);
}

#[test]
fn a_file_that_cannot_be_written_is_told_at_once() {
    let mut config = Config::default();
    config.trace_path = Some("/no/such/folder/x.rec".into());
    let error = Producer::new(config)
        .expect_err("no such folder")
        .to_string();
    assert!(
        error.contains("trace_path: /no/such/folder/x.rec: "),
        "{error}"
    );
}
