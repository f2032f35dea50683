//! The application's own code in the driver's hands: callbacks, wakers, and whatever they hold.
//! It may do what it likes there, and harms nobody.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use titorelli_mio::{Config, Producer, Record, SendError};
use titorelli_serve::{Embedded, EmbeddedConfig};

/// Long enough for anything that is not broken.
const PATIENCE: Duration = Duration::from_secs(20);

fn cluster() -> Embedded {
    let mut config = EmbeddedConfig::with_brokers(1);
    config.cluster.auto_create_topics = false;
    let embedded = Embedded::start(config).expect("loopback ports");
    embedded.control(|cluster| cluster.create_topic("t", 1));
    embedded
}

fn config(embedded: &Embedded) -> Config {
    let mut config = Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    config
}

/// Runs a test on a thread of its own: one that hangs fails, and does not hang the others.
#[track_caller]
fn in_time<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, done) = mpsc::channel();
    thread::spawn(move || sender.send(body()));
    done.recv_timeout(3 * PATIENCE)
        .expect("it ends, and without a panic")
}

/// Asks the producer for something when it is dropped.
struct AsksWhenDropped(Producer, mpsc::Sender<u64>);

impl Drop for AsksWhenDropped {
    fn drop(&mut self) {
        // The test may be over.
        let _ = self.1.send(self.0.stats().records_accepted);
    }
}

#[test]
fn a_refused_callback_is_dropped_outside_the_lock() {
    in_time(|| {
        let embedded = cluster();
        let mut config = config(&embedded);
        config.max_block = Duration::from_secs(2);
        let producer = Producer::new(config).expect("valid");
        producer.partitions_for("t").expect("known");
        let unknown = |producer: &Producer, told: &mpsc::Sender<u64>| {
            let asks = AsksWhenDropped(producer.clone(), told.clone());
            let record = Record::to("unknown").value(b"v");
            let sent = producer.send_with(&record, move |_| drop(asks));
            assert!(
                matches!(sent, Err(SendError::TopicUnknown { .. })),
                "{sent:?}"
            );
        };
        let (sender, told) = mpsc::channel();
        unknown(&producer, &sender);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(0));
        // In a callback it is refused at once.
        let inside = producer.clone();
        let record = Record::to("t").value(b"v");
        producer
            .send_with(&record, move |_| unknown(&inside, &sender))
            .expect("accepted");
        assert_eq!(told.recv_timeout(PATIENCE), Ok(1));
    });
}
