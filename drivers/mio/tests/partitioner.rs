//! A partitioner of the application's own: what it sees, what it may do, and what it may fail with.

use std::error::Error;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use titorelli_mio::serializer::{BoxError, Raw, plain};
use titorelli_mio::{
    BuildError, Choice, Config, CustomPartitioner, DeliveryError, Partitioner, Producer, Record,
    RecordMetadata, TypedRecord,
};
use titorelli_serve::{Embedded, EmbeddedConfig};
use titorelli_sim::cluster::BrokerId;

/// Long enough for anything that is not broken.
const PATIENCE: Duration = Duration::from_secs(30);

fn cluster() -> Embedded {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(3)).expect("loopback ports");
    embedded.control(|cluster| cluster.create_topic("t", 4));
    embedded
}

fn config(embedded: &Embedded) -> Config {
    let mut config = Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    config.retries = u32::MAX;
    config
}

#[track_caller]
fn send(producer: &Producer, record: &Record<'_>) -> Result<RecordMetadata, DeliveryError> {
    let receipt = producer.send(record).expect("told by the receipt");
    receipt.wait(PATIENCE).expect("in time")
}

/// What a closure with kafka-python's three arguments was called with.
type Call = (Option<Vec<u8>>, Vec<i32>, Vec<i32>);

#[test]
fn a_closure_sees_the_key_all_partitions_and_those_with_a_leader() {
    let embedded = cluster();
    let calls = Arc::new(Mutex::new(Vec::<Call>::new()));
    let seen = Arc::clone(&calls);
    let own = move |key: Option<&[u8]>, all: &[i32], available: &[i32]| {
        let call = (key.map(<[u8]>::to_vec), all.to_vec(), available.to_vec());
        seen.lock().expect("no panic").push(call);
        2
    };
    let builder = Producer::builder(config(&embedded)).partitioner(own);
    let producer = builder.build().expect("valid");
    let metadata = send(&producer, &Record::to("t").key(b"k").value(b"v")).expect("acked");
    assert_eq!(metadata.partition, 2);
    let metadata = send(&producer, &Record::to("t").value(b"v")).expect("acked");
    assert_eq!(metadata.partition, 2);
    // It is not asked where the record says itself.
    let metadata = send(&producer, &Record::to("t").value(b"v").partition(1)).expect("acked");
    assert_eq!(metadata.partition, 1);
    let all = vec![0, 1, 2, 3];
    assert_eq!(
        *calls.lock().expect("no panic"),
        [
            (Some(b"k".to_vec()), all.clone(), all.clone()),
            (None, all.clone(), all),
        ]
    );
}

#[test]
fn partitions_without_a_leader_are_told_apart() {
    let embedded = cluster();
    embedded.control(|cluster| cluster.set_down(BrokerId(2)));
    let lists = Arc::new(Mutex::new((0, 0)));
    let seen = Arc::clone(&lists);
    let own = move |_: Option<&[u8]>, all: &[i32], available: &[i32]| {
        *seen.lock().expect("no panic") = (all.len(), available.len());
        available[0]
    };
    // With one replica each, what the broker led has no leader now.
    embedded.control(|cluster| {
        let mut topic = titorelli_sim::cluster::TopicConfig::default();
        (topic.partitions, topic.replication_factor) = (6, 1);
        cluster.create_topic_with("thin", topic);
        cluster.set_down(BrokerId(3));
    });
    let builder = Producer::builder(config(&embedded)).partitioner(own);
    let producer = builder.build().expect("valid");
    assert!(send(&producer, &Record::to("thin").value(b"v")).is_ok());
    let (all, available) = *lists.lock().expect("no panic");
    assert_eq!(all, 6);
    assert!((1..6).contains(&available), "{available} of {all}");
}

/// Chooses by everything that there is to know, and fails in every way that there is.
struct Odd;

impl CustomPartitioner for Odd {
    fn partition(&self, choice: &Choice<'_>) -> Result<i32, BoxError> {
        match choice.value {
            Some(b"error") => Err("no place for this".into()),
            Some(b"panic") => panic!("a bad value"),
            Some(b"beyond") => Ok(4),
            Some(b"negative") => Ok(-1),
            _ => Ok(i32::try_from(choice.headers.len() + choice.topic.len())?),
        }
    }
}

#[test]
fn an_error_a_panic_and_a_partition_that_is_not_there_fail_their_record_only() {
    let embedded = cluster();
    let builder = Producer::builder(config(&embedded)).partitioner(Odd);
    let producer = builder.build().expect("valid");
    for (value, words) in [
        (&b"error"[..], "no partition: no place for this"),
        (b"panic", "no partition: it panicked: a bad value"),
        (b"beyond", "chose 4, the topic has 4 partitions"),
        (b"negative", "chose -1, the topic has 4 partitions"),
    ] {
        let record = Record::to("t").value(value);
        let error = send(&producer, &record).expect_err(words);
        assert!(error.to_string().contains(words), "{error}");
        assert!(!error.may_be_persisted());
        assert_eq!(error.source().is_some(), words.starts_with("no partition:"));
        // In every way of sending.
        assert!(
            producer
                .try_send(&record)
                .expect("told by the receipt")
                .failed()
        );
        let (sender, told) = std::sync::mpsc::channel();
        let told_here = move |outcome: Result<RecordMetadata, DeliveryError>| {
            sender.send(outcome.is_err()).expect("heard");
        };
        producer
            .send_with(&record, told_here)
            .expect("told by the callback");
        assert_eq!(told.recv(), Ok(true));
    }
    let metadata = send(&producer, &Record::to("t").value(b"fine")).expect("acked");
    assert_eq!(metadata.partition, 1);
}

/// What the application's own code takes is not counted against `max_block`.
#[test]
fn slow_serializers_and_partitioners_do_not_use_up_max_block() {
    let embedded = cluster();
    let mut config = config(&embedded);
    config.max_block = Duration::from_millis(200);
    let slow = |_: Option<&[u8]>, _: &[i32], _: &[i32]| {
        thread::sleep(Duration::from_millis(400));
        3
    };
    let builder = Producer::builder(config).partitioner(slow);
    let producer = builder.build().expect("valid");
    let typed = producer.typed::<str, str>(
        Raw,
        plain(|text: &str| {
            thread::sleep(Duration::from_millis(400));
            text.to_owned()
        }),
    );
    let receipt = typed
        .send(&TypedRecord::to("t").value("v"))
        .expect("in time");
    let metadata = receipt.wait(PATIENCE).expect("in time").expect("acked");
    assert_eq!(metadata.partition, 3);
}

#[test]
fn a_second_partitioner_is_refused_with_the_reason() {
    for change in [
        |config: &mut Config| config.partitioner = Partitioner::RoundRobin,
        |config: &mut Config| config.partitioner_ignore_keys = true,
    ] {
        let mut config = Config::default();
        change(&mut config);
        let builder = Producer::builder(config).partitioner(Odd);
        let error = builder.build().expect_err("two are given");
        assert!(
            matches!(&error, BuildError::Config(error)
                if error.key.starts_with("partitioner") && error.reason.contains("in code")),
            "{error}"
        );
    }
}
