//! The handle that the application under test holds.

use core::fmt;
use core::time::Duration;
use std::rc::Rc;
use std::sync::Arc;

use titorelli::handle::driver;
use titorelli::handle::{CloseReport, DeliveryError, FlushError, RecordMetadata, Serializer};
use titorelli::{
    Instant, Metrics, PartitionInfo, PartitionLists, Purge, Record, SendError, Stats, Withdrawal,
};

use super::delivery::DeliveryFuture;
use super::shared::{Shared, State};
use super::typed::TypedProducer;
use crate::journal::{OwnedRecord, RecordId, RecordState};

/// The producer of a simulation, with the methods of the mio driver's. Clones share it. A call that
/// waits lets virtual time pass.
///
/// Two things differ. Dropping the last clone closes nothing: the simulation keeps one, and its end
/// closes it. And whatever the real one gives to its own thread happens here, within the calls that
/// let time pass, so that callbacks need not be `Send`.
#[derive(Clone)]
pub struct Producer {
    shared: Rc<Shared>,
}

/// What the application's partitioner came to.
enum Chosen {
    /// This partition; the rest of the call may wait until then.
    Partition(Option<i32>, Instant),
    /// The record fails.
    Failed(DeliveryError),
}

impl Producer {
    pub(super) fn new(shared: Rc<Shared>) -> Self {
        Self { shared }
    }

    /// Accepts a record. Waits for metadata and memory, at most `max_block`; not at all in a
    /// callback.
    ///
    /// # Errors
    ///
    /// The record was not accepted; the error says why.
    pub fn send(&self, record: &Record<'_>) -> Result<DeliveryFuture, SendError> {
        self.send_within(record, self.max_block())
    }

    /// Accepts a record if that is possible at once.
    ///
    /// # Errors
    ///
    /// The record was not accepted; the error says why.
    pub fn try_send(&self, record: &Record<'_>) -> Result<DeliveryFuture, SendError> {
        self.send_within(record, Duration::ZERO)
    }

    /// Like [`send`](Self::send); the result is given to `callback`, from within the call that lets
    /// time pass. What the application's own partitioner fails with is told at once.
    ///
    /// # Errors
    ///
    /// The record was not accepted, and `callback` is dropped.
    pub fn send_with<F>(&self, record: &Record<'_>, callback: F) -> Result<(), SendError>
    where
        F: FnOnce(Result<RecordMetadata, DeliveryError>) + 'static,
    {
        self.send(record)?.on_delivery(callback);
        Ok(())
    }

    /// The partitions of a topic, with or without a leader. Waits for metadata, at most
    /// `max_block`; not at all in a callback.
    ///
    /// # Errors
    ///
    /// The topic is not known in time, or refused.
    pub fn partitions_for(&self, topic: &str) -> Result<Vec<PartitionInfo>, SendError> {
        let give_up_at = self.shared.now() + self.max_block();
        let question =
            |core: &mut titorelli::recording::RecordedCore, now| core.partitions_for(now, topic);
        self.shared.ask(topic, give_up_at, question)
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
    /// more`. `None` when it is, and when it is another producer's.
    #[must_use]
    pub fn explain(&self, receipt: &DeliveryFuture) -> Option<String> {
        let id = receipt.record_of(&self.shared)?;
        self.shared.state().world.explain(id)
    }

    /// Takes a record back, if nothing of its batch can have left: then it fails as not persisted,
    /// and the others of its batch go on without it. One that has left, or is about to, goes on.
    /// The receipt of another producer's record is unknown.
    ///
    /// franz-go: a cancelled record context.
    #[expect(
        clippy::must_use_candidate,
        reason = "withdrawing is the effect; the receipt tells the end, too"
    )]
    pub fn withdraw(&self, receipt: &DeliveryFuture) -> Withdrawal {
        let Some(id) = receipt.record_of(&self.shared) else {
            return Withdrawal::Unknown;
        };
        self.shared.with(|state| state.world.withdraw(id))
    }

    /// Ends what is under way, of all partitions: what never left fails as not persisted, what is
    /// in flight as perhaps persisted. No sequence number is given twice, and none is missing: with
    /// `enable_idempotence` a partition may begin again under a higher epoch. Calls that wait go on
    /// waiting, and records that are accepted after it go out.
    ///
    /// librdkafka: `rd_kafka_purge`.
    pub fn purge(&self, what: Purge) {
        self.shared.with(|state| state.world.purge(what));
    }

    /// Makes everything accepted so far leave at once and waits until all of it is completed, one
    /// way or the other. Others may go on sending; what they send is not waited for. In a callback
    /// it does not wait.
    ///
    /// # Errors
    ///
    /// Not all of it was completed within `timeout`, which bounds the whole call.
    pub fn flush(&self, timeout: Duration) -> Result<(), FlushError> {
        let flush = self.shared.with(|state| state.world.flush());
        if self.shared.is_in_callback() {
            return Err(FlushError::InCallback);
        }
        let until = self.shared.now() + timeout;
        let done = |state: &mut State| state.world.is_flushed(flush).then_some(());
        let done = self.shared.wait_for(until, done);
        done.ok_or_else(|| FlushError::Timeout {
            waited: timeout,
            buffered_bytes: self.stats().buffered_bytes,
        })
    }

    /// Ends the producer for all clones: what was accepted is delivered, and what is not within
    /// `timeout` fails and is reported. In a callback it does not wait.
    #[expect(
        clippy::must_use_candidate,
        reason = "closing is the effect; the report may be empty"
    )]
    pub fn close(&self, timeout: Duration) -> CloseReport {
        self.shared.with(|state| {
            state.begin_closing();
            if !state.world.is_closed() {
                state.world.close(timeout);
            }
        });
        let is_closed = |state: &mut State| state.world.is_closed().then_some(());
        // The core keeps to the timeout, and the world sees to it that it does.
        let _ = self.shared.wait_for(Instant::FAR, is_closed);
        CloseReport {
            undelivered: self.shared.state().undelivered(),
        }
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.state().world.core().stats()
    }

    /// The metrics of this moment under the names of the Java producer, also as Prometheus' text.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared.state().world.core().metrics()
    }

    /// What is under way, a line per connection and busy partition.
    #[must_use]
    pub fn report(&self) -> String {
        let state = self.shared.state();
        state.world.core().report(state.world.now()).to_string()
    }

    /// The receipt of a record that the application's own code failed for.
    pub(super) fn failed_receipt(&self, error: DeliveryError) -> DeliveryFuture {
        DeliveryFuture::failed_before(Rc::clone(&self.shared), error)
    }

    fn max_block(&self) -> Duration {
        self.shared.state().world.core().config().max_block
    }

    fn send_within(
        &self,
        record: &Record<'_>,
        patience: Duration,
    ) -> Result<DeliveryFuture, SendError> {
        match self.choose(record, patience)? {
            Chosen::Failed(error) => Ok(self.failed_receipt(error)),
            Chosen::Partition(partition, give_up_at) => {
                let record = Record {
                    partition,
                    ..*record
                };
                let id = self.accept(&record, give_up_at)?;
                Ok(DeliveryFuture::new(Rc::clone(&self.shared), id))
            }
        }
    }

    /// Asks the application's partitioner, where it has a say.
    fn choose(&self, record: &Record<'_>, patience: Duration) -> Result<Chosen, SendError> {
        let give_up_at = self.shared.now() + patience;
        let own = self.shared.state().partitioner.clone();
        let Some(own) = own.filter(|_| record.partition.is_none()) else {
            return Ok(Chosen::Partition(record.partition, give_up_at));
        };
        let lists = self.lists(record.topic, give_up_at)?;
        Ok(match driver::choose(&*own, record, &lists) {
            Ok(partition) => Chosen::Partition(Some(partition), give_up_at),
            Err(error) => Chosen::Failed(error),
        })
    }

    fn lists(&self, topic: &str, give_up_at: Instant) -> Result<Arc<PartitionLists>, SendError> {
        self.shared.ask(topic, give_up_at, |core, now| {
            core.partition_lists(now, topic, give_up_at)
        })
    }

    /// Gives the record to the core, and waits until it is accepted or refused.
    fn accept(&self, record: &Record<'_>, give_up_at: Instant) -> Result<RecordId, SendError> {
        let give_up_at = if self.shared.is_in_callback() {
            self.shared.now()
        } else {
            give_up_at
        };
        let record = OwnedRecord::from(record);
        let id = self
            .shared
            .with(|state| state.world.send_until(record, give_up_at));
        let answer = |state: &mut State| match state.world.journal().state(id) {
            RecordState::Waiting(_) => None,
            RecordState::Rejected(error) => Some(Err(error.clone())),
            RecordState::Cancelled => unreachable!("a call that waits is not given up"),
            RecordState::Accepted(_)
            | RecordState::Acked { .. }
            | RecordState::NotPersisted(_)
            | RecordState::MaybePersisted(_) => Some(Ok(id)),
        };
        let answer = self.shared.wait_for(Instant::FAR, answer);
        answer.expect("a call that may not wait is answered")
    }
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer").finish_non_exhaustive()
    }
}
