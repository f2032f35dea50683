//! Serializers: what they see, and what becomes of what they fail with.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use titorelli_mio::serializer::{BoxError, Raw, fallible, plain};
use titorelli_mio::{
    Config, DeliveryError, Header, Producer, Record, RecordMetadata, Serializer, TypedRecord,
};
use titorelli_serve::{Embedded, EmbeddedConfig};

/// Long enough for anything that is not broken.
const PATIENCE: Duration = Duration::from_secs(30);

fn cluster() -> Embedded {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(1)).expect("loopback ports");
    embedded.control(|cluster| cluster.create_topic("t", 1));
    embedded
}

fn producer(embedded: &Embedded) -> Producer {
    let mut config = Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    config.retries = u32::MAX;
    Producer::new(config).expect("valid")
}

type Logged = (Option<String>, Option<String>);

fn logged(embedded: Embedded) -> Vec<Logged> {
    let text = |bytes: &Option<bytes::Bytes>| {
        let bytes = bytes.as_ref()?;
        Some(String::from_utf8_lossy(bytes).into_owned())
    };
    let cluster = embedded.into_cluster();
    let records = cluster.log("t", 0).records().iter();
    records
        .map(|record| (text(&record.key), text(&record.value)))
        .collect()
}

#[track_caller]
fn outcome(receipt: &titorelli_mio::DeliveryFuture) -> Result<RecordMetadata, DeliveryError> {
    receipt.wait(PATIENCE).expect("in time")
}

struct Order {
    number: u32,
    item: &'static str,
}

#[test]
fn keys_and_values_of_any_type_arrive_as_their_serializers_make_them() {
    let embedded = cluster();
    let producer = producer(&embedded);
    let orders = producer.typed(
        plain(|number: &u32| number.to_be_bytes().map(|byte| byte + b'0')),
        |topic: &str, headers: &[Header<'_>], order: &Order, out: &mut Vec<u8>| {
            let traced = headers.iter().any(|header| header.name == "trace");
            let text = format!("{topic} {} {} {traced}", order.number, order.item);
            out.extend_from_slice(text.as_bytes());
            Ok::<_, BoxError>(())
        },
    );
    let trace = [Header {
        name: "trace",
        value: None,
    }];
    let order = Order {
        number: 7,
        item: "a heath landscape",
    };
    let to = |key, headers| TypedRecord::to("t").key(key).value(&order).headers(headers);
    let first = orders.send(&to(&1, &trace)).expect("accepted");
    let second = orders.send(&to(&2, &[])).expect("accepted");
    let tombstone = TypedRecord::to("t").key(&3);
    let third = orders.send(&tombstone).expect("accepted");
    for receipt in [first, second, third] {
        let metadata = outcome(&receipt).expect("acked");
        assert_eq!((&*metadata.topic, metadata.partition), ("t", 0));
    }
    drop((orders, producer));
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        logged(embedded),
        [
            (text("0001"), text("t 7 a heath landscape true")),
            (text("0002"), text("t 7 a heath landscape false")),
            (text("0003"), None),
        ]
    );
}

#[test]
fn what_is_bytes_already_is_taken_as_it_is() {
    let embedded = cluster();
    let producer = producer(&embedded);
    let texts = producer.typed::<str, [u8]>(Raw, Raw);
    let record = TypedRecord::to("t").key("k").value(&b"v"[..]);
    assert!(outcome(&texts.send(&record).expect("accepted")).is_ok());
    drop((texts, producer));
    assert_eq!(logged(embedded), [(Some("k".into()), Some("v".into()))]);
}

/// The error of a serializer is the record's, with its source; a panic harms nothing else.
#[test]
fn an_error_and_a_panic_of_a_serializer_go_to_the_receipt_of_their_record() {
    let embedded = cluster();
    let producer = producer(&embedded);
    let numbers = producer.typed::<str, str>(
        plain(|key: &str| {
            assert_ne!(key, "bad", "a bad key");
            key.to_owned()
        }),
        fallible(|text: &str| text.parse::<u8>().map(|number| [number])),
    );
    let send = |key: &str, value: &str| {
        let record = TypedRecord::to("t").key(key).value(value);
        let receipt = numbers.send(&record).expect("told by the receipt");
        outcome(&receipt)
    };
    assert!(send("good", "65").is_ok());
    let error = send("good", "many").expect_err("no number");
    assert!(!error.may_be_persisted());
    assert!(
        error
            .to_string()
            .contains("not serialized: value: invalid digit"),
        "{error}"
    );
    let source = error.source().expect("the parser's own error");
    assert!(source.is::<std::num::ParseIntError>());
    let error = send("bad", "65").expect_err("a panic");
    assert!(error.to_string().contains("key: it panicked:"), "{error}");
    assert!(error.to_string().contains("a bad key"), "{error}");
    // The producer goes on.
    assert!(send("good", "66").is_ok());
    assert!(producer.close(PATIENCE).undelivered.is_empty());
    let values: Vec<_> = logged(embedded)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert_eq!(values, [Some("A".into()), Some("B".into())]);
}

/// Writes something for nothing, and counts how often it is closed.
struct Counting(Arc<AtomicUsize>);

impl Serializer<str> for Counting {
    fn serialize(
        &self,
        _topic: &str,
        _headers: &[Header<'_>],
        data: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), BoxError> {
        out.extend_from_slice(data.as_bytes());
        Ok(())
    }

    fn serialize_none(
        &self,
        _topic: &str,
        _headers: &[Header<'_>],
        out: &mut Vec<u8>,
    ) -> Result<bool, BoxError> {
        out.extend_from_slice(b"nothing");
        Ok(true)
    }

    fn close(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_serializer_may_write_something_for_nothing_and_is_closed_once() {
    let embedded = cluster();
    let closed = Arc::new(AtomicUsize::new(0));
    let counting = || Counting(Arc::clone(&closed));
    let texts = producer(&embedded).typed::<str, str>(counting(), counting());
    let clone = texts.clone();
    let receipt = clone.send(&TypedRecord::to("t")).expect("accepted");
    assert!(outcome(&receipt).is_ok());
    assert!(texts.close(PATIENCE).undelivered.is_empty());
    assert!(clone.close(PATIENCE).undelivered.is_empty());
    assert_eq!(
        closed.load(Ordering::Relaxed),
        2,
        "key and value, once each"
    );
    let nothing = Some("nothing".to_owned());
    assert_eq!(logged(embedded), [(nothing.clone(), nothing)]);
}

/// A serializer that sends is on its own: the records of both arrive.
#[test]
fn a_serializer_may_send() {
    let embedded = cluster();
    let producer = producer(&embedded);
    let inner = producer.typed::<str, str>(Raw, Raw);
    let outer = producer.typed::<str, str>(
        Raw,
        move |topic: &str, _: &[Header<'_>], data: &str, out: &mut Vec<u8>| {
            let record = TypedRecord::to(topic).key("inner").value(data);
            drop(inner.send(&record)?);
            out.extend_from_slice(data.as_bytes());
            Ok::<_, BoxError>(())
        },
    );
    let record = TypedRecord::to("t").key("outer").value("v");
    assert!(outcome(&outer.send(&record).expect("accepted")).is_ok());
    assert!(producer.send(&Record::to("t").value(b"last")).is_ok());
    drop((outer, producer));
    let keys: Vec<_> = logged(embedded).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [Some("inner".into()), Some("outer".into()), None]);
}
