//! The driver over real sockets, against the embedded cluster on loopback.

use std::future::Future;
use std::io::{Read, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use titorelli_mio::{
    Acks, BuildError, Codec, Config, FlushError, Header, Producer, Record, SendError,
};
use titorelli_serve::{Embedded, EmbeddedConfig};
use titorelli_sim::cluster::BrokerId;

/// Long enough for anything that is not broken.
const PATIENCE: Duration = Duration::from_secs(30);

fn cluster(partitions: i32) -> Embedded {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(3)).expect("loopback ports");
    embedded.control(move |cluster| cluster.create_topic("t", partitions));
    embedded
}

fn config(embedded: &Embedded) -> Config {
    let mut config = Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    config.retries = u32::MAX;
    config
}

/// A port of this machine that nobody listens on.
fn closed_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("bound").port()
}

fn values(embedded: Embedded, partition: i32) -> Vec<String> {
    let cluster = embedded.into_cluster();
    let records = cluster.log("t", partition).records();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    records
        .iter()
        .map(|record| text(record.value.as_deref().unwrap_or(b"<null>")))
        .collect()
}

#[test]
fn a_record_arrives_as_it_was_sent() {
    let embedded = cluster(1);
    let producer = Producer::new(config(&embedded)).expect("valid");
    let headers = [
        Header {
            name: "h",
            value: Some(b"1"),
        },
        Header {
            name: "h",
            value: None,
        },
        Header {
            name: "",
            value: Some(b""),
        },
    ];
    let record = Record::to("t")
        .key(b"k")
        .value(b"v")
        .headers(&headers)
        .timestamp_ms(1_234);
    let receipt = producer.send(&record).expect("accepted");
    let metadata = receipt.wait(PATIENCE).expect("in time").expect("acked");
    assert_eq!((metadata.partition, metadata.offset), (0, 0));
    drop(producer);
    let cluster = embedded.into_cluster();
    let log = cluster.log("t", 0).records();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].timestamp_ms, 1_234);
    assert_eq!(
        (log[0].key.as_deref(), log[0].value.as_deref()),
        (Some(&b"k"[..]), Some(&b"v"[..]))
    );
    let arrived: Vec<_> = log[0]
        .headers
        .iter()
        .map(|header| (&*header.name, header.value.as_deref()))
        .collect();
    assert_eq!(
        arrived,
        [(&b"h"[..], Some(&b"1"[..])), (b"h", None), (b"", Some(b""))]
    );
}

#[test]
fn a_record_without_a_timestamp_gets_the_wall_clock() {
    let embedded = cluster(1);
    let producer = Producer::new(config(&embedded)).expect("valid");
    let receipt = producer
        .send(&Record::to("t").value(b"v"))
        .expect("accepted");
    assert!(receipt.wait(PATIENCE).expect("in time").is_ok());
    drop(producer);
    let cluster = embedded.into_cluster();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after");
    let stamped = u128::try_from(cluster.log("t", 0).records()[0].timestamp_ms).expect("positive");
    assert!(now.as_millis().abs_diff(stamped) < 60_000, "{stamped}");
}

#[test]
fn every_codec_and_every_acks_deliver_in_order() {
    for codec in [
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ] {
        for acks in [Acks::None, Acks::Leader, Acks::All] {
            let embedded = cluster(1);
            let mut config = config(&embedded);
            (config.compression, config.acks) = (codec, acks);
            config.linger = Duration::from_millis(1);
            let producer = Producer::new(config).expect("valid");
            let sent: Vec<String> = (0..2_000)
                .map(|number| format!("record {number}"))
                .collect();
            let receipts: Vec<_> = sent
                .iter()
                .map(|value| producer.send(&Record::to("t").value(value.as_bytes())))
                .collect::<Result<_, _>>()
                .expect("accepted");
            producer.flush(PATIENCE).expect("flushed");
            for (number, receipt) in (0..).zip(&receipts) {
                let metadata = receipt.poll_now().expect("flushed").expect("acked");
                let offset = if acks == Acks::None { -1 } else { number };
                assert_eq!(metadata.offset, offset, "{codec:?} {acks:?}");
            }
            assert!(producer.close(PATIENCE).undelivered.is_empty());
            if acks == Acks::None {
                // Written is not yet read: the cluster reads what is left after the close.
                thread::sleep(Duration::from_millis(200));
            }
            assert_eq!(values(embedded, 0), sent, "{codec:?} {acks:?}");
        }
    }
}

#[test]
fn a_receipt_is_a_future_on_any_executor() {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let embedded = cluster(3);
    let producer = Producer::new(config(&embedded)).expect("valid");
    let mut receipt = pin!(
        producer
            .send(&Record::to("t").value(b"v"))
            .expect("accepted")
    );
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match receipt.as_mut().poll(&mut context) {
            Poll::Ready(result) => break assert_eq!(result.expect("acked").offset, 0),
            Poll::Pending => thread::park_timeout(PATIENCE),
        }
    }
}

#[test]
fn callbacks_may_send_and_may_panic() {
    let embedded = cluster(1);
    let producer = Producer::new(config(&embedded)).expect("valid");
    let (told, tells) = mpsc::channel();
    producer
        .send_with(&Record::to("t").value(b"a"), |_| {
            panic!("this is the callback's own affair")
        })
        .expect("accepted");
    let (again, tell) = (producer.clone(), told.clone());
    producer
        .send_with(&Record::to("t").value(b"b"), move |result| {
            assert_eq!(result.expect("acked").offset, 1);
            // A flush here cannot wait, and a send does not.
            assert!(again.flush(PATIENCE).is_err());
            let sent = again.send_with(&Record::to("t").value(b"c"), move |result| {
                tell.send(result.expect("acked").offset)
                    .expect("the test listens");
            });
            sent.expect("accepted");
        })
        .expect("accepted");
    assert_eq!(tells.recv_timeout(PATIENCE), Ok(2));
    drop(producer);
    assert_eq!(values(embedded, 0), ["a", "b", "c"]);
}

#[test]
fn a_callback_may_ask_for_partitions() {
    let embedded = cluster(1);
    embedded.control(|cluster| cluster.create_topic("other", 2));
    let producer = Producer::new(config(&embedded)).expect("valid");
    let (told, tells) = mpsc::channel();
    let inside = producer.clone();
    let asked = move |_| {
        // Known topics are told; for an unknown one the I/O thread would wait for itself.
        let known = inside
            .partitions_for("t")
            .map(|partitions| partitions.len());
        told.send((known, inside.partitions_for("other")))
            .expect("the test listens");
    };
    producer
        .send_with(&Record::to("t").value(b"v"), asked)
        .expect("accepted");
    let (known, unknown) = tells
        .recv_timeout(Duration::from_secs(10))
        .expect("no deadlock");
    assert_eq!(known, Ok(1));
    assert!(
        matches!(unknown, Err(SendError::TopicUnknown { .. })),
        "{unknown:?}"
    );
}

#[test]
fn try_send_never_waits() {
    let embedded = cluster(1);
    let producer = Producer::new(config(&embedded)).expect("valid");
    let began = Instant::now();
    let refused = producer.try_send(&Record::to("t").value(b"early"));
    assert!(
        matches!(refused, Err(SendError::TopicUnknown { .. })),
        "{refused:?}"
    );
    assert!(began.elapsed() < Duration::from_secs(5));
    // The refusal asked for the topic: soon it is known.
    let receipt = loop {
        match producer.try_send(&Record::to("t").value(b"late")) {
            Ok(receipt) => break receipt,
            Err(SendError::TopicUnknown { .. }) => thread::sleep(Duration::from_millis(5)),
            Err(error) => panic!("{error}"),
        }
        assert!(began.elapsed() < PATIENCE);
    };
    assert!(receipt.wait(PATIENCE).expect("in time").is_ok());
}

#[test]
fn a_full_buffer_blocks_and_lets_go() {
    let embedded = cluster(1);
    let mut config = config(&embedded);
    config.buffer_memory = 8 * 1_024;
    config.batch_size = 1_024;
    config.linger = Duration::from_secs(3_600);
    config.delivery_timeout = Some(Duration::from_secs(7_200));
    let producer = Producer::new(config).expect("valid");
    let done = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (producer, done) = (producer.clone(), Arc::clone(&done));
            thread::spawn(move || {
                for _ in 0..500 {
                    let counted = Arc::clone(&done);
                    let record = Record::to("t").value(&[7; 100]);
                    let callback = move |result: Result<_, _>| {
                        assert!(result.is_ok());
                        counted.fetch_add(1, Ordering::Relaxed);
                    };
                    producer
                        .send_with(&record, callback)
                        .expect("accepted in time");
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    producer.flush(PATIENCE).expect("flushed");
    assert_eq!(done.load(Ordering::Relaxed), 2_000);
    assert_eq!(producer.stats().buffered_bytes, 0);
}

#[test]
fn the_error_names_every_address_that_was_tried() {
    let mut config = Config::default();
    let (first, second) = (closed_port(), closed_port());
    config.bootstrap_servers = vec![format!("127.0.0.1:{first},[::1]:{second}")];
    config.max_block = Duration::from_millis(300);
    let producer = Producer::new(config).expect("valid");
    let began = Instant::now();
    let error = producer
        .send(&Record::to("t").value(b"v"))
        .expect_err("nobody is there");
    assert!(began.elapsed() >= Duration::from_millis(300));
    let words = error.to_string();
    for expected in [format!("127.0.0.1:{first}"), format!("[::1]:{second}")] {
        assert!(words.contains(&expected), "{words}");
    }
    assert!(producer.close(PATIENCE).undelivered.is_empty());
}

#[test]
fn a_name_with_several_addresses_is_tried_until_one_answers() {
    // The cluster listens on 127.0.0.1 only; `localhost` may well be ::1 first.
    let embedded = cluster(1);
    let port = embedded.bootstrap();
    let port = port.rsplit(':').next().expect("host:port");
    let mut config = Config::default();
    config.bootstrap_servers = vec![format!("localhost:{port}")];
    let producer = Producer::new(config).expect("valid");
    assert_eq!(producer.partitions_for("t").expect("known").len(), 1);
}

#[test]
fn a_name_that_does_not_resolve_is_said_so() {
    let mut config = Config::default();
    config.bootstrap_servers = vec!["no-such-host.invalid:9092".to_owned()];
    config.max_block = Duration::from_secs(2);
    let producer = Producer::new(config).expect("valid");
    let error = producer.partitions_for("t").expect_err("no such host");
    assert!(
        error.to_string().contains("no-such-host.invalid"),
        "{error}"
    );
}

#[test]
fn a_connection_that_ends_with_its_last_bytes_is_noticed_at_once() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("accepted");
            let mut request = [0; 8];
            stream.read_exact(&mut request).expect("a request");
            // Bytes and the end of the stream in one event.
            stream.write_all(&[0, 0]).expect("written");
        }
    });
    let mut config = Config::default();
    config.bootstrap_servers = vec![address.to_string()];
    config.max_block = Duration::from_secs(2);
    let producer = Producer::new(config).expect("valid");
    let error = producer
        .partitions_for("t")
        .expect_err("no broker")
        .to_string();
    assert!(
        error.contains("closed by the broker") || error.contains("reset"),
        "{error}"
    );
}

#[test]
fn close_returns_what_was_not_delivered() {
    let embedded = cluster(1);
    let mut config = config(&embedded);
    config.linger = Duration::from_secs(60);
    let producer = Producer::new(config).expect("valid");
    producer.partitions_for("t").expect("known");
    embedded.control(|cluster| {
        for id in 1..=3 {
            cluster.set_down(BrokerId(id));
        }
    });
    let receipts: Vec<_> = (0..10)
        .map(|_| {
            producer
                .send(&Record::to("t").value(b"v"))
                .expect("accepted")
        })
        .collect();
    let report = producer.close(Duration::from_millis(200));
    assert_eq!(report.records(), 10);
    assert!(
        report
            .undelivered
            .iter()
            .all(|batch| &*batch.topic == "t" && batch.partition == 0)
    );
    for receipt in receipts {
        let error = receipt
            .poll_now()
            .expect("completed by close")
            .expect_err("not delivered");
        assert!(
            !error.may_be_persisted(),
            "no byte of it ever left: {error}"
        );
    }
    let refused = producer.send(&Record::to("t").value(b"v"));
    assert_eq!(refused.err(), Some(SendError::Closed));
    assert_eq!(
        producer.flush(PATIENCE),
        Ok(()),
        "there is nothing left to wait for"
    );
}

#[test]
fn dropping_the_last_handle_delivers() {
    let embedded = cluster(1);
    let mut config = config(&embedded);
    config.linger = Duration::from_secs(60);
    let producer = Producer::new(config).expect("valid");
    let other = producer.clone();
    drop(
        producer
            .send(&Record::to("t").value(b"a"))
            .expect("accepted"),
    );
    drop(producer);
    drop(other.send(&Record::to("t").value(b"b")).expect("accepted"));
    drop(other);
    assert_eq!(values(embedded, 0), ["a", "b"]);
}

#[test]
fn an_impossible_configuration_is_refused_with_its_reason() {
    let mut config = Config::default();
    config.delivery_timeout = Some(Duration::from_secs(1));
    let error = Producer::new(config).expect_err("shorter than request_timeout");
    assert!(matches!(&error, BuildError::Config(error) if error.key == "delivery_timeout_ms"));
}

#[test]
fn every_span_may_be_as_long_as_it_likes() {
    let embedded = cluster(1);
    let mut config = config(&embedded);
    let ever = Duration::MAX;
    config.socket_connection_setup_timeout = ever;
    config.socket_connection_setup_timeout_max = Some(ever);
    (config.linger, config.request_timeout) = (ever, ever);
    (config.delivery_timeout, config.max_block) = (Some(ever), ever);
    (config.metadata_max_age, config.connections_max_idle) = (ever, ever);
    let producer = Producer::new(config).expect("valid");
    assert_eq!(producer.partitions_for("t").expect("known").len(), 1);
    let record = Record::to("t").value(b"v");
    let receipt = producer.send(&record).expect("accepted");
    assert_eq!(producer.flush(ever), Ok(()));
    assert!(receipt.wait(ever).expect("for ever").is_ok());
    let receipt = producer.send(&record).expect("accepted");
    assert_eq!(producer.close(ever).records(), 0);
    assert!(receipt.succeeded());
}

/// A callback that does not return holds up the I/O thread, and not whoever closes.
#[test]
fn close_does_not_wait_for_a_callback_that_never_returns() {
    let embedded = cluster(1);
    let producer = Producer::new(config(&embedded)).expect("valid");
    let (release, held) = mpsc::channel::<()>();
    let (entered, inside) = mpsc::channel();
    let record = Record::to("t").value(b"v");
    let stuck = move |_| {
        entered.send(()).expect("somebody waits");
        // It ends when the test does.
        let _ = held.recv();
    };
    producer.send_with(&record, stuck).expect("accepted");
    inside.recv_timeout(PATIENCE).expect("called");
    let began = Instant::now();
    producer.close(Duration::from_millis(100));
    assert!(began.elapsed() < PATIENCE / 2, "L4");
    assert!(matches!(producer.send(&record), Err(SendError::Closed)));
    drop(release);
}

/// Two kinds of handle: receipts and callbacks; both are told of the topic.
#[test]
fn a_receipt_tells_the_topic_and_takes_callbacks() {
    let embedded = cluster(1);
    let producer = Producer::new(config(&embedded)).expect("valid");
    let receipt = producer
        .send(&Record::to("t").value(b"v"))
        .expect("accepted");
    let (sender, told) = mpsc::channel();
    for name in ["first", "second"] {
        let sender = sender.clone();
        receipt.on_delivery(move |outcome| {
            let metadata = outcome.expect("acked");
            let place = (
                metadata.topic.to_string(),
                metadata.partition,
                metadata.offset,
            );
            sender.send((name, place)).expect("heard");
        });
    }
    let place = ("t".to_owned(), 0, 0);
    assert_eq!(told.recv_timeout(PATIENCE), Ok(("first", place.clone())));
    assert_eq!(told.recv_timeout(PATIENCE), Ok(("second", place)));
    assert!(receipt.is_done() && receipt.succeeded() && !receipt.failed());
}

#[test]
fn a_flush_is_bounded_and_tells_what_is_left() {
    let embedded = cluster(1);
    let mut config = config(&embedded);
    config.linger = Duration::from_secs(60);
    let producer = Producer::new(config).expect("valid");
    let early = producer
        .send(&Record::to("t").value(b"v"))
        .expect("accepted");
    producer
        .flush(PATIENCE)
        .expect("linger does not hold it up");
    assert!(early.succeeded());
    embedded.control(|cluster| cluster.set_down(BrokerId(1)));
    embedded.control(|cluster| cluster.set_down(BrokerId(2)));
    embedded.control(|cluster| cluster.set_down(BrokerId(3)));
    let late = producer
        .send(&Record::to("t").value(b"v"))
        .expect("accepted");
    let timeout = Duration::from_millis(50);
    let error = producer.flush(timeout).expect_err("nobody is there");
    assert!(
        matches!(error, FlushError::Timeout { waited, buffered_bytes }
            if waited == timeout && buffered_bytes > 0),
        "{error}"
    );
    assert!(!late.is_done(), "it is still under way");
}

/// The embedded cluster keeps its own time: nothing comes over a socket when followers have caught
/// up.
#[test]
fn all_in_sync_replicas_are_waited_for() {
    let mut config = EmbeddedConfig::with_brokers(3);
    config.cluster.replica_fetch = Duration::from_millis(50);
    let embedded = Embedded::start(config).expect("loopback ports");
    embedded.control(|cluster| cluster.create_topic("t", 1));
    let mut config = self::config(&embedded);
    config.acks = Acks::All;
    let producer = Producer::new(config).expect("valid");
    producer.partitions_for("t").expect("known");
    for offset in 0..3 {
        let began = Instant::now();
        let receipt = producer.send(&Record::to("t").value(b"v"));
        let written = receipt.expect("accepted").wait(PATIENCE).expect("in time");
        assert_eq!(written.expect("acked").offset, offset);
        assert!(began.elapsed() >= Duration::from_millis(50));
    }
}
