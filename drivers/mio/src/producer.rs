//! The handle that the application holds.

use crate::builder::{BuildError, ProducerBuilder};
use crate::clock::Clock;
use crate::delivery::DeliveryFuture;
use crate::dial::Dialer;
use crate::flight::{self, Flight, Progress, RecordingReport};
use crate::io::{self, Io};
use crate::options::SocketOptions;
use crate::shared::Shared;
use crate::tls::Tls;
use crate::typed::TypedProducer;
use mio::{Poll, Waker};
use parking_lot::Mutex;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use titorelli::handle::{CloseReport, CustomPartitioner, FlushError, Serializer};
use titorelli::recording::RecordedCore;
use titorelli::{Config, Metrics, Purge, SendError, Stats, Withdrawal};

/// How long dropping the last handle may take.
const DROP_TIMEOUT: Duration = Duration::from_secs(10);
/// How much longer than asked for `close` waits for the I/O thread, which may be in a callback.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// A Kafka producer. Clones share it; it may be used from any number of threads.
///
/// Dropping the last clone closes it gracefully, within ten seconds.
#[derive(Clone)]
pub struct Producer {
    pub(crate) owner: Arc<Owner>,
}

/// The one owner of the I/O thread.
pub(crate) struct Owner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) partitioner: Option<Arc<dyn CustomPartitioner>>,
    /// The budget of a call for all its waiting.
    pub(crate) max_block: Duration,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// What became of `trace_path`.
    recording: Option<Arc<Progress>>,
}

impl Producer {
    /// Starts a producer. Does no network I/O of its own: brokers are connected to when there is
    /// something to ask or to send. Files that the configuration names are read now.
    ///
    /// # Errors
    ///
    /// The configuration cannot work, or the system refuses a thread or a poller.
    pub fn new(config: Config) -> Result<Self, BuildError> {
        Self::builder(config).build()
    }

    /// A producer to be built from a configuration, and from what text cannot say.
    pub fn builder(config: Config) -> ProducerBuilder {
        ProducerBuilder::new(config)
    }

    /// Starts the I/O thread.
    pub(crate) fn start(
        config: Config,
        tls: Option<Tls>,
        partitioner: Option<Arc<dyn CustomPartitioner>>,
    ) -> Result<Self, BuildError> {
        let clock = Clock::start();
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), io::WAKER)?;
        let dialer = Dialer {
            registry: poll.registry().try_clone()?,
            options: SocketOptions::of(&config),
            tls,
            patience: config.socket_connection_setup_timeout,
        };
        // A thread's name ends where a C string does.
        let name = format!("{}-network-thread", config.client_id).replace('\0', "");
        let max_block = config.max_block;
        let flight = Flight::of(&config)?;
        let progress = flight.as_ref().map(Flight::progress);
        let recording = flight::recording(&config, entropy());
        let core = RecordedCore::new(config, entropy(), clock.now(), recording)?;
        let shared = Arc::new(Shared::new(core, clock, waker));
        let io = Io::new(Arc::clone(&shared), poll, dialer);
        let thread = thread::Builder::new().name(name).spawn(move || io.run())?;
        let thread = Mutex::new(Some(thread));
        let producer = Self {
            owner: Arc::new(Owner {
                shared: Arc::clone(&shared),
                partitioner,
                max_block,
                thread,
                recording: progress,
            }),
        };
        if let Some(flight) = flight {
            flight.start(shared)?;
        }
        Ok(producer)
    }

    /// The same producer for the application's own types of keys and values.
    pub fn typed<K: ?Sized, V: ?Sized>(
        &self,
        key_serializer: impl Serializer<K> + 'static,
        value_serializer: impl Serializer<V> + 'static,
    ) -> TypedProducer<K, V> {
        TypedProducer::new(self.clone(), key_serializer, value_serializer)
    }

    /// Why a record is not completed yet, in a sentence with numbers: `orders-3: lingering 2.1 ms
    /// more`. `None` when it is, when it is another producer's, and in a fork of the producer's
    /// process.
    #[must_use]
    pub fn explain(&self, receipt: &DeliveryFuture) -> Option<String> {
        let shared = &self.owner.shared;
        if shared.is_forked() {
            return None;
        }
        let state = shared.lock();
        let ticket = state.ticket(receipt).filter(|_| !state.is_dead())?;
        state.core.explain(shared.clock.now(), ticket)
    }

    /// Takes a record back, if nothing of its batch can have left: then it fails as not persisted,
    /// and the others of its batch go on without it. One that has left, or is about to, goes on.
    /// The receipt of another producer's record is unknown, and in a fork of the producer's
    /// process every one is.
    ///
    /// franz-go: a cancelled record context.
    #[expect(
        clippy::must_use_candidate,
        reason = "withdrawing is the effect; the receipt tells the end, too"
    )]
    pub fn withdraw(&self, receipt: &DeliveryFuture) -> Withdrawal {
        let shared = &self.owner.shared;
        if shared.is_forked() {
            return Withdrawal::Unknown;
        }
        let mut state = shared.lock();
        let Some(ticket) = state.ticket(receipt).filter(|_| !state.is_dead()) else {
            return Withdrawal::Unknown;
        };
        let withdrawal = state.core.withdraw(shared.clock.now(), ticket);
        shared.unlock(state);
        withdrawal
    }

    /// Ends what is under way, of all partitions: what never left fails as not persisted, what is
    /// in flight as perhaps persisted. No sequence number is given twice, and none is missing: with
    /// `enable_idempotence` a partition may begin again under a higher epoch. Calls that wait go on
    /// waiting, and records that are accepted after it go out. In a fork of the producer's process
    /// it does nothing.
    ///
    /// librdkafka: `rd_kafka_purge`.
    pub fn purge(&self, what: Purge) {
        let shared = &self.owner.shared;
        if shared.is_forked() {
            return;
        }
        let mut state = shared.lock();
        if !state.is_dead() {
            state.core.purge(shared.clock.now(), what);
        }
        shared.unlock(state);
    }

    /// Makes everything accepted so far leave at once and waits until all of it is completed, one
    /// way or the other. Others may go on sending; what they send is not waited for. In a callback
    /// it does not wait.
    ///
    /// # Errors
    ///
    /// Not all of it was completed within `timeout`, which bounds the whole call.
    pub fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        let shared = &self.owner.shared;
        if shared.is_forked() {
            return Err(FlushError::Forked);
        }
        let mut state = shared.lock();
        let flush = state.core.flush(shared.clock.now());
        let is_io_thread = state.is_io_thread();
        let done = state.await_flush(flush);
        shared.unlock(state);
        if is_io_thread {
            return Err(FlushError::InCallback);
        }
        done.wait_for(timeout).ok_or_else(|| FlushError::Timeout {
            waited: timeout,
            buffered_bytes: self.stats().buffered_bytes,
        })
    }

    /// Ends the producer for all clones: what was accepted is delivered, and what is not within
    /// `timeout` fails and is reported, batch by batch, and in a sentence where the report is
    /// printed. A callback that does not return holds this up for a second more; the outcomes stand
    /// then, and the callbacks that are left are called once it returns. In a callback it does not
    /// wait. In a fork of the producer's process it does nothing: the records are the other
    /// process's.
    #[expect(
        clippy::must_use_candidate,
        reason = "closing is the effect; the report may be empty"
    )]
    pub fn close(&self, timeout: Duration) -> CloseReport {
        self.owner.close(timeout)
    }

    /// Counters. None in a fork of the producer's process.
    #[must_use]
    pub fn stats(&self) -> Stats {
        if self.owner.shared.is_forked() {
            return Stats::default();
        }
        self.owner.shared.lock().core.stats()
    }

    /// The metrics of this moment under the names of the Java producer, also as Prometheus' text.
    /// None in a fork of the producer's process.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        if self.owner.shared.is_forked() {
            return Metrics::default();
        }
        self.owner.shared.lock().core.metrics()
    }

    /// What is under way: a line per broker, and per partition with something to send, why its
    /// oldest record waits; and how far a recording is.
    #[must_use]
    pub fn report(&self) -> String {
        if self.owner.shared.is_forked() {
            return SendError::Forked.to_string();
        }
        let shared = &self.owner.shared;
        let now = shared.clock.now();
        let report = shared.lock().core.report(now).to_string();
        match self.recording() {
            None => report,
            Some(recording) => format!("{report}{recording}\n"),
        }
    }

    /// How far the recording is that `trace_path` asks for; `None` where it asks for none. In a
    /// fork of the producer's process nothing is recorded.
    #[must_use]
    pub fn recording(&self) -> Option<RecordingReport> {
        if self.owner.shared.is_forked() {
            return None;
        }
        self.owner
            .recording
            .as_ref()
            .map(|recording| recording.report())
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").finish_non_exhaustive()
    }
}

impl Owner {
    fn close(&self, timeout: Duration) -> CloseReport {
        let shared = &self.shared;
        if shared.is_forked() {
            // The records are the other process's, and so is the thread.
            return CloseReport::default();
        }
        let mut state = shared.lock();
        if state.undelivered.is_none() {
            state.undelivered = Some(Vec::new());
        }
        let now = shared.clock.now();
        state.core.close(now, now + timeout);
        let is_io_thread = state.is_io_thread();
        let flush = state.core.flush(now);
        let done = state.await_flush(flush);
        shared.unlock(state);
        if !is_io_thread {
            let is_done = done.wait_for(timeout.saturating_add(CLOSE_GRACE)).is_some();
            if !is_done {
                shared.give_up();
            }
            // A callback that does not return is not waited for: the thread is left behind.
            let may_wait = !shared.lock().has_given_up;
            let thread = self.thread.lock().take().filter(|_| may_wait);
            if let Some(thread) = thread {
                // A panic there was told to everybody who waited.
                let _ = thread.join();
            }
            if let Some(recording) = self.recording.as_ref().filter(|_| may_wait) {
                recording.wait(CLOSE_GRACE);
            }
        }
        let undelivered = shared.lock().undelivered.clone().unwrap_or_default();
        CloseReport { undelivered }
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        if self.shared.is_forked() {
            // There is no thread here that could be detached.
            std::mem::forget(self.thread.get_mut().take());
        }
        self.close(DROP_TIMEOUT.saturating_sub(CLOSE_GRACE));
    }
}

/// A seed nobody can guess: the standard library's own source of entropy.
fn entropy() -> [u8; 32] {
    let mut seed = [0; 32];
    for (index, chunk) in seed.chunks_exact_mut(8).enumerate() {
        chunk.copy_from_slice(&RandomState::new().hash_one(index).to_le_bytes());
    }
    seed
}
