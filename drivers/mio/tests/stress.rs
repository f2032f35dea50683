//! One producer and sixteen threads that send, flush, ask and close at random.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use titorelli_mio::{Acks, Codec, Config, DeliveryFuture, Producer, Record, SendError};
use titorelli_serve::{Embedded, EmbeddedConfig};
use titorelli_sim::cluster::{BrokerId, Cluster};

const THREADS: u64 = 16;
const PARTITIONS: i32 = 6;
/// Long enough for anything that is not broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A small generator, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        // Xorshift64*, by Marsaglia and Vigna.
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

/// What all threads of a round did.
#[derive(Default)]
struct Tally {
    accepted: AtomicU64,
    refused: AtomicU64,
    called_back: AtomicU64,
    with_callback: AtomicU64,
    flushes: AtomicU64,
    closes: AtomicU64,
}

impl Tally {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn of(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// A record with what became of it: its value, unique, and its receipt.
type Sent = (String, DeliveryFuture);

/// One thread's part of a round.
struct Worker {
    number: u64,
    dice: Dice,
    producer: Producer,
    tally: Arc<Tally>,
    sent: Vec<Sent>,
}

impl Worker {
    fn run(mut self, deeds: u64) -> Vec<Sent> {
        for deed in 0..deeds {
            match self.dice.below(1_000) {
                0..=799 => self.send(deed),
                800..=859 => self.send_with_callback(deed),
                860..=899 => {
                    let timeout = Duration::from_millis(self.dice.below(20));
                    let _late_or_done = self.producer.flush(timeout);
                    Tally::count(&self.tally.flushes);
                }
                900..=919 => drop(self.producer.clone()),
                920..=939 => {
                    let known = self.producer.partitions_for("t");
                    assert!(known.is_ok_and(|known| known.len() == 6) || self.is_closed());
                }
                940..=979 => {
                    let stats = self.producer.stats();
                    assert!(stats.buffered_bytes <= 64 * 1_024, "S8");
                    assert!(!self.producer.metrics().to_prometheus().is_empty());
                }
                980..=998 => assert!(!self.producer.report().is_empty()),
                // It happens in the middle of everything, from several threads at once.
                _ if deed > deeds / 2 => {
                    let timeout = Duration::from_millis(self.dice.below(500));
                    self.producer.close(timeout);
                    Tally::count(&self.tally.closes);
                }
                _ => thread::yield_now(),
            }
        }
        self.sent
    }

    fn is_closed(&self) -> bool {
        self.producer.send(&Record::to("t").value(b"")).is_err()
    }

    /// A value that no other record has, of any size.
    fn value(&mut self, deed: u64) -> String {
        let size = usize::try_from(self.dice.below(300)).expect("small");
        format!("{}:{deed}:{:size$}", self.number, "")
    }

    fn send(&mut self, deed: u64) {
        let value = self.value(deed);
        let key = self.number.to_be_bytes();
        let mut record = Record::to("t").value(value.as_bytes());
        match self.dice.below(3) {
            0 => record = record.key(&key),
            1 => record = record.partition(i32::try_from(deed % 6).expect("small")),
            _ => {}
        }
        let sent = if self.dice.below(4) == 0 {
            self.producer.try_send(&record)
        } else {
            self.producer.send(&record)
        };
        match sent {
            Ok(receipt) => {
                Tally::count(&self.tally.accepted);
                self.sent.push((value, receipt));
            }
            Err(
                SendError::Closed | SendError::BufferFull { .. } | SendError::TopicUnknown { .. },
            ) => {
                Tally::count(&self.tally.refused);
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn send_with_callback(&mut self, deed: u64) {
        let value = self.value(deed);
        let tally = Arc::clone(&self.tally);
        let record = Record::to("t").value(value.as_bytes());
        let sent = self
            .producer
            .send_with(&record, move |_| Tally::count(&tally.called_back));
        if sent.is_ok() {
            Tally::count(&self.tally.with_callback);
        }
    }
}

/// How often each value is in the logs.
fn occurrences(cluster: &Cluster) -> BTreeMap<String, u64> {
    let mut found = BTreeMap::new();
    for partition in 0..PARTITIONS {
        for record in cluster.log("t", partition).records() {
            let value = record.value.as_deref().unwrap_or_default();
            let value = String::from_utf8_lossy(value).into_owned();
            *found.entry(value).or_insert(0) += 1;
        }
    }
    found
}

fn config(embedded: &Embedded, round: u64) -> Config {
    let mut config = Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    config.acks = Acks::All;
    config.retries = u32::MAX;
    config.retry_backoff = Duration::from_millis(2);
    config.reconnect_backoff = Duration::from_millis(2);
    config.linger = Duration::from_millis(round % 3);
    config.batch_size = 2_048;
    // Little, so that calls wait for memory.
    config.buffer_memory = 64 * 1_024;
    config.compression = [Codec::None, Codec::Lz4][usize::from(round % 2 == 1)];
    config
}

/// One producer from its beginning to its end; what the threads did.
fn round(round: u64, deeds: u64) -> Arc<Tally> {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(3)).expect("loopback ports");
    embedded.control(|cluster| cluster.create_topic("t", PARTITIONS));
    let producer = Producer::new(config(&embedded, round)).expect("valid");
    let (tally, sent) = (Arc::new(Tally::default()), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for number in 0..THREADS {
            let worker = Worker {
                number,
                dice: Dice(1 + round * THREADS + number),
                producer: producer.clone(),
                tally: Arc::clone(&tally),
                sent: Vec::new(),
            };
            let sent = &sent;
            scope.spawn(move || {
                let own = worker.run(deeds);
                sent.lock().extend(own);
            });
        }
        // Connections end meanwhile.
        for broker in [1, 2, 3] {
            thread::sleep(Duration::from_millis(3));
            embedded.control(move |cluster| cluster.close_connections(BrokerId(broker)));
        }
    });
    producer.close(PATIENCE);
    let sent = std::mem::take(&mut *sent.lock());
    let found = occurrences(&embedded.into_cluster());
    for (value, receipt) in &sent {
        // Closing is over: everything that was accepted is completed.
        let outcome = receipt.poll_now().expect("S1: completed");
        let count = found.get(value).copied().unwrap_or(0);
        match outcome {
            Ok(_) => assert!(count >= 1, "S2: acked and not there: {value}"),
            Err(error) if !error.may_be_persisted() => {
                assert_eq!(count, 0, "S2: not written and there: {value}: {error}");
            }
            Err(_) => {}
        }
    }
    assert_eq!(
        Tally::of(&tally.called_back),
        Tally::of(&tally.with_callback),
        "S1: a callback is called once"
    );
    tally
}

#[test]
fn sixteen_threads_send_flush_and_close_at_random() {
    let rounds = std::env::var("STRESS_ROUNDS").map_or(Ok(8), |text| text.parse());
    let (rounds, began) = (rounds.expect("a number"), Instant::now());
    let total = Tally::default();
    for number in 0..rounds {
        let tally = round(number, 400);
        for (sum, of_round) in [
            (&total.accepted, &tally.accepted),
            (&total.refused, &tally.refused),
            (&total.called_back, &tally.called_back),
            (&total.flushes, &tally.flushes),
            (&total.closes, &tally.closes),
        ] {
            sum.fetch_add(Tally::of(of_round), Ordering::Relaxed);
        }
    }
    println!(
        "{rounds} producers, {THREADS} threads each: {} records accepted, {} refused, {} called \
         back, {} flushes, {} closes in {:.1} s",
        Tally::of(&total.accepted),
        Tally::of(&total.refused),
        Tally::of(&total.called_back),
        Tally::of(&total.flushes),
        Tally::of(&total.closes),
        began.elapsed().as_secs_f64()
    );
    assert!(Tally::of(&total.accepted) > 1_000 * rounds);
    assert!(Tally::of(&total.closes) > 0);
}
