//! The way of a record from the application to the core, and what a call waits for on it.

use crate::clock;
use crate::delivery::{DeliveryFuture, call};
use crate::producer::Producer;
use crate::shared::State;
use parking_lot::MutexGuard;
use std::sync::Arc;
use std::time::Duration;
use titorelli::handle::driver;
use titorelli::handle::{DeliveryError, RecordMetadata};
use titorelli::recording::RecordedCore;
use titorelli::{Instant, PartitionInfo, PartitionLists, Record, SendError, Ticket, WaiterId};

/// So much later than agreed a waiting call gives up by itself. The core refuses it in time; it is
/// not told when the I/O thread is in a callback.
const TURN_GRACE: Duration = Duration::from_millis(20);

/// What the application's partitioner came to.
enum Chosen {
    /// This partition; the rest of the call may wait until then.
    Partition(i32, Instant),
    /// The record fails.
    Failed(DeliveryError),
}

impl Producer {
    /// Accepts a record. Waits for metadata and memory, at most `max_block`; not at all on the I/O
    /// thread itself, that is in a callback.
    ///
    /// # Errors
    ///
    /// The record was not accepted; the error says why.
    #[inline]
    pub fn send(&self, record: &Record<'_>) -> Result<DeliveryFuture, SendError> {
        if self.must_choose(record) {
            return self.send_chosen(record);
        }
        self.send_then(record, State::receipt)
    }

    /// Accepts a record if that is possible at once.
    ///
    /// # Errors
    ///
    /// The record was not accepted; the error says why.
    pub fn try_send(&self, record: &Record<'_>) -> Result<DeliveryFuture, SendError> {
        if !self.must_choose(record) {
            return self.try_send_placed(record);
        }
        match self.choose(record, Duration::ZERO)? {
            Chosen::Partition(partition, _) => self.try_send_placed(&record.partition(partition)),
            Chosen::Failed(error) => Ok(self.failed_receipt(error)),
        }
    }

    /// Like [`send`](Self::send); the result is given to `callback`, on the I/O thread. A panic
    /// there harms only this record. What the application's own partitioner fails with is told at
    /// once, on this thread.
    ///
    /// # Errors
    ///
    /// The record was not accepted, and `callback` is dropped.
    pub fn send_with<F>(&self, record: &Record<'_>, callback: F) -> Result<(), SendError>
    where
        F: FnOnce(Result<RecordMetadata, DeliveryError>) + Send + 'static,
    {
        // Under the lock of the send: the I/O thread cannot have completed it.
        let accept = |state: &mut State, ticket: Ticket, callback: F| {
            let receipt = state.receipt(ticket);
            receipt
                .batch
                .on_completion(receipt.index, Box::new(callback));
        };
        if !self.must_choose(record) {
            return self.send_then(record, |state, ticket| accept(state, ticket, callback));
        }
        match self.choose(record, self.owner.max_block)? {
            Chosen::Failed(error) => call(Box::new(callback), Err(error)),
            Chosen::Partition(partition, give_up_at) => {
                let record = record.partition(partition);
                self.send_until(&record, give_up_at, |state, ticket| {
                    accept(state, ticket, callback);
                })?;
            }
        }
        Ok(())
    }

    /// The partitions of a topic, with or without a leader. Waits for metadata, at most
    /// `max_block`; not at all in a callback.
    ///
    /// # Errors
    ///
    /// The topic is not known in time, or refused.
    pub fn partitions_for(&self, topic: &str) -> Result<Vec<PartitionInfo>, SendError> {
        let give_up_at = self.owner.shared.clock.now() + self.owner.max_block;
        self.ask(topic, give_up_at, |core, now| {
            core.partitions_for(now, topic)
        })
    }

    /// The receipt of a record that the application's own code failed for.
    pub(crate) fn failed_receipt(&self, error: DeliveryError) -> DeliveryFuture {
        DeliveryFuture::failed_before(self.owner.shared.home(), error)
    }

    /// Whether the application's own partitioner has a say.
    #[inline]
    fn must_choose(&self, record: &Record<'_>) -> bool {
        self.owner.partitioner.is_some() && record.partition.is_none()
    }

    #[cold]
    #[inline(never)]
    fn send_chosen(&self, record: &Record<'_>) -> Result<DeliveryFuture, SendError> {
        match self.choose(record, self.owner.max_block)? {
            Chosen::Failed(error) => Ok(self.failed_receipt(error)),
            Chosen::Partition(partition, give_up_at) => {
                self.send_until(&record.partition(partition), give_up_at, State::receipt)
            }
        }
    }

    /// Asks the application's partitioner. Waits for the topic's partitions at most `budget`; what
    /// is left of that is for memory. The partitioner's own time is not counted.
    fn choose(&self, record: &Record<'_>, budget: Duration) -> Result<Chosen, SendError> {
        let clock = self.owner.shared.clock;
        let began = clock.now();
        let lists = self.lists(record.topic, began + budget)?;
        let left = budget.saturating_sub(clock.now().since(began));
        let own = self.owner.partitioner.as_deref();
        let own = own.expect("asked only where there is one");
        Ok(match driver::choose(own, record, &lists) {
            Ok(partition) => Chosen::Partition(partition, clock.now() + left),
            Err(error) => Chosen::Failed(error),
        })
    }

    fn lists(&self, topic: &str, give_up_at: Instant) -> Result<Arc<PartitionLists>, SendError> {
        self.ask(topic, give_up_at, |core, now| {
            core.partition_lists(now, topic, give_up_at)
        })
    }

    /// Asks the core about a topic, and waits until it knows, or until then.
    fn ask<T>(
        &self,
        topic: &str,
        give_up_at: Instant,
        mut question: impl FnMut(&mut RecordedCore, Instant) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        let shared = &self.owner.shared;
        shared.refuse_if_forked()?;
        let began = shared.clock.now();
        let mut state = shared.lock();
        loop {
            let now = shared.clock.now();
            let told = state.core().and_then(|core| question(core, now));
            let Err(SendError::WouldBlock(waiter)) = told else {
                shared.unlock(state);
                return told;
            };
            let (parked, must_end) = self.await_turn(state, waiter, give_up_at)?;
            state = parked;
            let now = shared.clock.now();
            state.core.cancel(now, waiter);
            if must_end {
                // Without patience the core says what stands in the way.
                let told = state
                    .core()
                    .and_then(|core| core.partition_lists(now, topic, now));
                if let Err(error) = told {
                    shared.unlock(state);
                    return Err(after(now.since(began), error));
                }
            }
        }
    }

    fn try_send_placed(&self, record: &Record<'_>) -> Result<DeliveryFuture, SendError> {
        let shared = &self.owner.shared;
        shared.refuse_if_forked()?;
        let (now, unix_time_ms) = (shared.clock.now(), clock::coarse_unix_time_ms());
        let mut state = shared.lock();
        state.core.set_wall_clock(now, unix_time_ms);
        let ticket = state.core().and_then(|core| core.try_send(now, record));
        let result = ticket.map(|ticket| state.receipt(ticket));
        shared.unlock(state);
        result
    }

    /// The way of most records: `accept` is called under the lock of the send that succeeds.
    #[inline]
    fn send_then<T>(
        &self,
        record: &Record<'_>,
        accept: impl FnOnce(&mut State, Ticket) -> T,
    ) -> Result<T, SendError> {
        let shared = &self.owner.shared;
        shared.refuse_if_forked()?;
        let unix_time_ms = clock::coarse_unix_time_ms();
        let mut state = shared.lock();
        let sent = state
            .core()
            .and_then(|core| core.send_with_clock(|| shared.clock.now(), unix_time_ms, record));
        self.accepted(accept, state, sent, record, unix_time_ms, None)
    }

    /// The way of a record whose call has waited before.
    fn send_until<T>(
        &self,
        record: &Record<'_>,
        give_up_at: Instant,
        accept: impl FnOnce(&mut State, Ticket) -> T,
    ) -> Result<T, SendError> {
        let shared = &self.owner.shared;
        let (now, unix_time_ms) = (shared.clock.now(), clock::coarse_unix_time_ms());
        let mut state = shared.lock();
        state.core.set_wall_clock(now, unix_time_ms);
        let sent = state
            .core()
            .and_then(|core| core.send_until(now, record, give_up_at));
        self.accepted(accept, state, sent, record, unix_time_ms, Some(give_up_at))
    }

    /// What the core said to a record at first. Here and below `accept` comes before the lock, and
    /// so goes after it: it holds what is the application's, whose end may run any code.
    #[inline]
    fn accepted<'a, T>(
        &'a self,
        accept: impl FnOnce(&mut State, Ticket) -> T,
        mut state: MutexGuard<'a, State>,
        sent: Result<Ticket, SendError>,
        record: &Record<'_>,
        unix_time_ms: i64,
        give_up_at: Option<Instant>,
    ) -> Result<T, SendError> {
        let shared = &self.owner.shared;
        match sent {
            Ok(ticket) => {
                let accepted = accept(&mut state, ticket);
                shared.unlock_accepted(state);
                Ok(accepted)
            }
            Err(SendError::WouldBlock(waiter)) => {
                let give_up_at =
                    give_up_at.unwrap_or_else(|| shared.clock.now() + self.owner.max_block);
                self.send_in_turn(accept, state, waiter, record, (unix_time_ms, give_up_at))
            }
            Err(error) => {
                shared.unlock(state);
                Err(error)
            }
        }
    }

    /// The record has to wait, perhaps more than once. Its time is that of the call.
    #[cold]
    #[inline(never)]
    fn send_in_turn<'a, T>(
        &'a self,
        accept: impl FnOnce(&mut State, Ticket) -> T,
        mut state: MutexGuard<'a, State>,
        mut waiter: WaiterId,
        record: &Record<'_>,
        (unix_time_ms, give_up_at): (i64, Instant),
    ) -> Result<T, SendError> {
        let shared = &self.owner.shared;
        let began = shared.clock.now();
        loop {
            let parked = self.await_turn(state, waiter, give_up_at);
            let must_end;
            (state, must_end) = parked?;
            let now = shared.clock.now();
            state.core.set_wall_clock(now, unix_time_ms);
            // Whoever must end may have been admitted all the same: nobody had the time to say so.
            let sent = state
                .core()
                .and_then(|core| core.resume(now, waiter, record));
            match sent {
                Err(SendError::WouldBlock(again)) if must_end => {
                    state.core.cancel(now, again);
                    // Without patience the core says what stands in the way.
                    let sent = state.core().and_then(|core| core.try_send(now, record));
                    let sent = sent.map_err(|error| after(now.since(began), error));
                    return self.settled(accept, state, sent);
                }
                Err(SendError::WouldBlock(again)) => waiter = again,
                sent => return self.settled(accept, state, sent),
            }
        }
    }

    /// What the core said to a record in the end.
    fn settled<'a, T>(
        &'a self,
        accept: impl FnOnce(&mut State, Ticket) -> T,
        mut state: MutexGuard<'a, State>,
        sent: Result<Ticket, SendError>,
    ) -> Result<T, SendError> {
        let accepted = match sent {
            Ok(ticket) => Ok(accept(&mut state, ticket)),
            Err(error) => Err(error),
        };
        self.owner.shared.unlock(state);
        accepted
    }

    /// Gives the lock back until it is the waiter's turn. True: it may not wait any longer, and
    /// whether it was its turn must be asked of the core.
    fn await_turn<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        waiter: WaiterId,
        give_up_at: Instant,
    ) -> Result<(MutexGuard<'a, State>, bool), SendError> {
        let shared = &self.owner.shared;
        if state.is_io_thread() {
            // Waiting here would wait for ourselves.
            return Ok((state, true));
        }
        let turn = state.park(waiter);
        shared.unlock(state);
        let patience = give_up_at.since(shared.clock.now());
        let answer = turn.wait_for(patience.saturating_add(TURN_GRACE));
        let mut state = shared.lock();
        // It may have come in the meantime; after this nobody looks for the place any more.
        let answer = answer.or_else(|| state.leave(waiter, &turn));
        match answer {
            Some(Ok(())) => Ok((state, false)),
            Some(Err(error)) => {
                shared.unlock(state);
                Err(error)
            }
            None => Ok((state, true)),
        }
    }
}

/// The refusal of a call that has waited so long before.
fn after(waited: Duration, mut error: SendError) -> SendError {
    if let SendError::BufferFull { waited: told, .. }
    | SendError::TopicUnknown { waited: told, .. }
    | SendError::PartitionUnknown { waited: told, .. } = &mut error
    {
        *told = waited;
    }
    error
}
