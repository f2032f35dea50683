//! The application's own code in the driver's hands: callbacks, wakers, and whatever they hold.
//! It may do what it likes there, and harms nobody.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};
use titorelli_mio::{Config, DeliveryFuture, Producer, Record, SendError};
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

/// A task that is run by whoever wakes it, as some executors do.
struct Inline(Mutex<Option<Task>>);

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Inline {
    fn start(task: impl Future<Output = ()> + Send + 'static) {
        Waker::from(Arc::new(Self(Mutex::new(Some(Box::pin(task)))))).wake();
    }
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        let task = self.0.lock().expect("no panic").take();
        let Some(mut task) = task else {
            return;
        };
        let waker = Waker::from(Arc::clone(&self));
        let mut context = Context::from_waker(&waker);
        if task.as_mut().poll(&mut context).is_pending() {
            *self.0.lock().expect("no panic") = Some(task);
        }
    }
}

/// A producer that gathers the records of 300 ms in one batch.
fn lingering(embedded: &Embedded) -> Producer {
    let mut config = config(embedded);
    config.linger = Duration::from_millis(300);
    let producer = Producer::new(config).expect("valid");
    producer.partitions_for("t").expect("known");
    producer
}

fn send(producer: &Producer) -> DeliveryFuture {
    let record = Record::to("t").value(b"v");
    producer.send(&record).expect("accepted")
}

#[test]
fn a_task_may_run_where_it_is_woken() {
    in_time(|| {
        let embedded = cluster();
        let producer = lingering(&embedded);
        let (first, second) = (send(&producer), send(&producer));
        let (sender, told) = mpsc::channel();
        Inline::start(async move {
            assert!(first.await.is_ok());
            // Of the same batch: whoever completes it must not hold its lock.
            second.on_delivery(move |result| sender.send(result.is_ok()).expect("heard"));
        });
        assert_eq!(told.recv_timeout(PATIENCE), Ok(true));
        assert!(send(&producer).wait(PATIENCE).expect("in time").is_ok());
    });
}

#[test]
fn a_waker_that_panics_harms_nobody() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("this is the waker's own affair");
        }
    }
    in_time(|| {
        let embedded = cluster();
        let producer = lingering(&embedded);
        let (mut first, second) = (send(&producer), send(&producer));
        let waker = Waker::from(Arc::new(Panics));
        let polled = Pin::new(&mut first).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending());
        let (sender, told) = mpsc::channel();
        second.on_delivery(move |result| sender.send(result.is_ok()).expect("heard"));
        assert_eq!(told.recv_timeout(PATIENCE), Ok(true));
        assert!(send(&producer).wait(PATIENCE).expect("in time").is_ok());
    });
}

/// A waker that adds a callback to a record when it is dropped.
struct Asks(Arc<DeliveryFuture>);

impl Wake for Asks {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Asks {
    fn drop(&mut self) {
        self.0.on_delivery(drop);
    }
}

#[test]
fn a_waker_is_dropped_outside_the_locks() {
    in_time(|| {
        let embedded = cluster();
        let producer = lingering(&embedded);
        let (mut first, second) = (send(&producer), Arc::new(send(&producer)));
        // Each replaces the one before.
        for _ in 0..100 {
            let waker = Waker::from(Arc::new(Asks(Arc::clone(&second))));
            let polled = Pin::new(&mut first).poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        assert!(second.wait(PATIENCE).expect("in time").is_ok());
        assert!(send(&producer).wait(PATIENCE).expect("in time").is_ok());
    });
}

#[test]
fn what_a_callback_panics_with_may_panic_when_it_is_dropped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("this is the payload's own affair");
        }
    }
    in_time(|| {
        let embedded = cluster();
        let producer = Producer::new(config(&embedded)).expect("valid");
        let record = Record::to("t").value(b"v");
        let panics = |_| std::panic::panic_any(Bomb);
        producer.send_with(&record, panics).expect("accepted");
        producer.flush(PATIENCE).expect("flushed");
        assert!(send(&producer).wait(PATIENCE).expect("in time").is_ok());
        // On the thread that sends, too.
        let partitioner = |_: Option<&[u8]>, _: &[i32], _: &[i32]| std::panic::panic_any(Bomb);
        let builder = Producer::builder(config(&embedded)).partitioner(partitioner);
        let producer = builder.build().expect("valid");
        let failed = send(&producer).wait(PATIENCE).expect("in time");
        assert!(failed.is_err_and(|error| error.to_string().contains("panicked")));
    });
}

#[test]
fn threads_that_wait_for_one_receipt_are_all_told() {
    in_time(|| {
        let embedded = cluster();
        let producer = lingering(&embedded);
        let receipt = Arc::new(send(&producer));
        let threads = [(); 4].map(|()| {
            let receipt = Arc::clone(&receipt);
            thread::spawn(move || receipt.wait(Duration::MAX))
        });
        for thread in threads {
            let result = thread.join().expect("no panic").expect("for ever");
            assert!(result.is_ok());
        }
    });
}

/// A callback that holds up the I/O thread until what this returns is dropped.
fn hold_up(producer: &Producer) -> mpsc::Sender<()> {
    let (release, held) = mpsc::channel::<()>();
    let (entered, inside) = mpsc::channel();
    let stuck = move |_| {
        entered.send(()).expect("somebody waits");
        let _released = held.recv();
    };
    let record = Record::to("t").value(b"v");
    producer.send_with(&record, stuck).expect("accepted");
    inside.recv_timeout(PATIENCE).expect("called");
    release
}

#[test]
fn calls_that_wait_return_in_time_though_a_callback_does_not() {
    in_time(|| {
        let embedded = cluster();
        let mut config = config(&embedded);
        config.max_block = Duration::from_millis(500);
        (config.buffer_memory, config.batch_size) = (8_192, 1_024);
        let producer = Producer::new(config.clone()).expect("valid");
        producer.partitions_for("t").expect("known");
        let release = hold_up(&producer);
        let began = Instant::now();
        let is_late = |waited: Duration| waited >= config.max_block && waited < PATIENCE / 2;
        let refused = producer.send(&Record::to("unknown").value(b"v"));
        assert!(
            matches!(refused, Err(SendError::TopicUnknown { waited, .. }) if is_late(waited)),
            "{refused:?}"
        );
        let refused = producer.send(&Record::to("t").partition(7).value(b"v"));
        assert!(
            matches!(refused, Err(SendError::PartitionUnknown { waited, .. }) if is_late(waited)),
            "{refused:?}"
        );
        let refused = producer.partitions_for("unknown");
        assert!(
            matches!(refused, Err(SendError::TopicUnknown { waited, .. }) if is_late(waited)),
            "{refused:?}"
        );
        let refused = loop {
            if let Err(error) = producer.send(&Record::to("t").value(&[7; 500])) {
                break error;
            }
        };
        assert!(
            matches!(refused, SendError::BufferFull { waited, .. } if is_late(waited)),
            "{refused:?}"
        );
        assert!(began.elapsed() < PATIENCE);
        assert_eq!(producer.stats().waiters, 0);
        drop(release);
        assert!(send(&producer).wait(PATIENCE).expect("in time").is_ok());
    });
}

/// Callbacks are about as slow as calls are patient: some give up just when it is their turn.
#[test]
fn who_gives_up_when_its_turn_comes_loses_nothing() {
    in_time(|| {
        let embedded = cluster();
        let mut config = config(&embedded);
        config.max_block = Duration::from_millis(5);
        (config.buffer_memory, config.batch_size) = (8_192, 1_024);
        config.linger = Duration::ZERO;
        let producer = Producer::new(config).expect("valid");
        while producer.partitions_for("t").is_err() {}
        let told = Arc::new(AtomicUsize::new(0));
        let accepted: usize = thread::scope(|scope| {
            let senders = [(); 8].map(|()| {
                scope.spawn(|| {
                    let record = Record::to("t").value(&[7; 900]);
                    let sent = (0..100).filter(|number| {
                        let (told, is_slow) = (Arc::clone(&told), number % 10 == 0);
                        let callback = move |result: Result<_, _>| {
                            assert!(result.is_ok());
                            told.fetch_add(1, Ordering::Relaxed);
                            if is_slow {
                                thread::sleep(Duration::from_millis(25));
                            }
                        };
                        producer.send_with(&record, callback).is_ok()
                    });
                    sent.count()
                })
            });
            let sent = senders.map(|sender| sender.join().expect("no panic"));
            sent.into_iter().sum()
        });
        producer.flush(PATIENCE).expect("flushed");
        assert_eq!(told.load(Ordering::Relaxed), accepted);
        let stats = producer.stats();
        assert_eq!((stats.waiters, stats.buffered_bytes), (0, 0));
        assert!(accepted < 800, "some were refused");
    });
}

#[test]
fn close_reports_what_a_callback_that_does_not_return_leaves_undone() {
    in_time(|| {
        let embedded = cluster();
        let producer = Producer::new(config(&embedded)).expect("valid");
        let release = hold_up(&producer);
        let receipt = send(&producer);
        let (sender, told) = mpsc::channel();
        receipt.on_delivery(move |result| sender.send(result).expect("heard"));
        let began = Instant::now();
        let report = producer.close(Duration::from_millis(300));
        assert_eq!(report.records(), 1, "{report:?}");
        assert!(
            report
                .undelivered
                .iter()
                .all(|batch| !batch.may_be_persisted)
        );
        let failed = receipt.poll_now().expect("its outcome stands");
        assert!(
            failed
                .as_ref()
                .is_err_and(|error| !error.may_be_persisted())
        );
        assert_eq!(producer.close(Duration::MAX), report, "at once");
        assert_eq!(producer.flush(Duration::MAX), Ok(()), "nothing is left");
        assert_eq!(
            producer.send(&Record::to("t").value(b"v")).err(),
            Some(SendError::Closed)
        );
        drop(producer);
        assert!(began.elapsed() < PATIENCE / 2);
        assert!(told.try_recv().is_err(), "callbacks are the I/O thread's");
        drop(release);
        assert_eq!(told.recv_timeout(PATIENCE), Ok(failed));
    });
}

#[test]
fn dropping_the_last_handle_waits_ten_seconds_at_most_for_a_callback() {
    in_time(|| {
        let embedded = cluster();
        let producer = Producer::new(config(&embedded)).expect("valid");
        let release = hold_up(&producer);
        let receipt = send(&producer);
        let began = Instant::now();
        drop(producer);
        assert!(began.elapsed() < Duration::from_secs(11));
        assert!(receipt.failed());
        drop(release);
    });
}
