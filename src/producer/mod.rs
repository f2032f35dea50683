//! The spine: the application's calls, the order of work, and the boundary's methods.
//!
//! Owns: the waiting calls, the flushes, the state of `close`. Never: protocol detail.

mod choose;
mod offer;
mod turns;
mod waiting;

use crate::boundary::{
    BatchId, Deadline, FlushId, Input, Output, PartitionInfo, PartitionLists, Purge, Reason,
    Ticket, WaiterId, Withdrawal,
};
use crate::config::Config;
use crate::counted::counted;
use crate::error::{ConfigError, SendError};
use crate::metrics::Metrics;
use crate::record::Record;
use crate::report::Report;
use crate::sender::Sender;
use crate::slot::TopicSlot;
use crate::stats::Stats;
use crate::time::Instant;
use std::collections::VecDeque;
use std::sync::Arc;
use waiting::{Waiter, Waiters, Want};

/// A Kafka producer as a pure state machine.
///
/// It has four kinds of methods:
/// - **commands**, what the application asks: [`send`](Self::send), [`try_send`](Self::try_send),
///   [`resume`](Self::resume), [`cancel`](Self::cancel), [`flush`](Self::flush),
///   [`withdraw`](Self::withdraw), [`purge`](Self::purge),
///   [`partitions_for`](Self::partitions_for), [`close`](Self::close);
/// - **facts**, what happened outside: [`set_wall_clock`](Self::set_wall_clock),
///   [`handle_input`](Self::handle_input) and [`handle_timeout`](Self::handle_timeout);
/// - **effects**, what to do next: [`poll_output`](Self::poll_output) and
///   [`poll_timeout`](Self::poll_timeout);
/// - **observers**: [`stats`](Self::stats), [`report`](Self::report),
///   [`check_invariants`](Self::check_invariants).
///
/// They may be called in any order and as often as one likes: facts are noted, `handle_timeout`
/// acts, and while something is queued `poll_timeout` answers *now*. A driver that obeys the
/// deadline is correct. Time is the caller's and never goes back: an earlier `now` counts as the
/// latest one seen.
#[derive(Debug)]
pub struct ProducerCore {
    sender: Sender,
    waiters: Waiters,
    flushes: VecDeque<Flush>,
    next_flush: u64,
    lifecycle: Lifecycle,
    /// Unix time in milliseconds at the instant beside it.
    wall_clock: (Instant, i64),
    /// A command may have brought the deadline forward.
    has_news: bool,
}

/// A flush waits for every batch that was opened before it.
#[derive(Clone, Copy, Debug)]
struct Flush {
    id: FlushId,
    before_ordinal: u64,
}

/// Whether records are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lifecycle {
    Open,
    /// Nothing can be produced any more (S14).
    Failed,
    Closing {
        give_up_at: Instant,
    },
    Closed,
}

/// What to do when a record cannot be accepted at once.
#[derive(Clone, Copy, Debug)]
enum Patience {
    /// Say so.
    None,
    /// Become a waiter, for `max_block`.
    Wait,
    /// Become a waiter, until then.
    Until(Instant),
    /// It is a waiter whose turn came.
    Turn(WaiterId, Waiter),
}

impl ProducerCore {
    /// A producer that has done nothing yet. The same configuration, seed and inputs give the same
    /// outputs, byte for byte (invariant S18).
    ///
    /// # Errors
    ///
    /// The configuration cannot work; see [`Config::check`].
    pub fn new(config: Config, seed: [u8; 32], now: Instant) -> Result<Self, ConfigError> {
        Ok(Self {
            sender: Sender::new(config, seed, now)?,
            waiters: Waiters::default(),
            flushes: VecDeque::new(),
            next_flush: 0,
            lifecycle: Lifecycle::Open,
            wall_clock: (now, 0),
            has_news: false,
        })
    }

    // ---- Commands -----------------------------------------------------------------------------

    /// Tells the core what Unix time it is, in milliseconds: the `CreateTime` of records that bring
    /// none is counted from the latest such fact, and from 1970 while there is none.
    pub fn set_wall_clock(&mut self, now: Instant, unix_time_ms: i64) {
        self.wall_clock = (self.tick(now), unix_time_ms);
    }

    /// Accepts a record: it is encoded into the open batch of its partition.
    ///
    /// # Errors
    ///
    /// [`SendError::WouldBlock`] makes the call a waiter: after [`Output::Admitted`] give the
    /// record to [`resume`](Self::resume). Every such call is a waiter of its own, and nothing
    /// limits their number: who has one record at a time calls again only after its turn. Any
    /// other error is final.
    #[inline]
    pub fn send(&mut self, now: Instant, record: &Record<'_>) -> Result<Ticket, SendError> {
        let now = self.tick(now);
        self.offer(|| now, None, record, Patience::Wait)
    }

    /// [`send`](Self::send) that waits until an instant of the caller's instead of `max_block`: for
    /// a call that has waited before, or has a deadline of its own.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_until(
        &mut self,
        now: Instant,
        record: &Record<'_>,
        give_up_at: Instant,
    ) -> Result<Ticket, SendError> {
        let now = self.tick(now);
        self.offer(|| now, None, record, Patience::Until(give_up_at))
    }

    /// [`send`](Self::send) with a clock in place of the time: it is read only when time matters,
    /// that is once per batch and not once per record. `unix_time_ms` is the timestamp of a record
    /// that brings none.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_with_clock(
        &mut self,
        clock: impl Fn() -> Instant,
        unix_time_ms: i64,
        record: &Record<'_>,
    ) -> Result<Ticket, SendError> {
        self.offer(clock, Some(unix_time_ms), record, Patience::Wait)
    }

    /// Like [`send`](Self::send), but never waits: an unknown topic is asked for, and the call
    /// fails for now.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), with the cause in place of [`SendError::WouldBlock`].
    #[inline]
    pub fn try_send(&mut self, now: Instant, record: &Record<'_>) -> Result<Ticket, SendError> {
        let now = self.tick(now);
        self.offer(|| now, None, record, Patience::None)
    }

    /// Accepts the record of a waiter whose turn came. It may have to wait once more, for the next
    /// thing, as the same waiter and until the same deadline.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send). A waiter whose turn has not come still would block; one that is not
    /// known any more is a new `send`.
    pub fn resume(
        &mut self,
        now: Instant,
        waiter: WaiterId,
        record: &Record<'_>,
    ) -> Result<Ticket, SendError> {
        match self.waiters.find(waiter) {
            Some(Waiter {
                want: Want::Turn(_),
                ..
            }) => {
                let memory = self.sender.accumulator.memory_mut();
                let known = self.waiters.remove(waiter, memory).expect("found");
                let now = self.tick(now);
                let result = self.offer(|| now, None, record, Patience::Turn(waiter, known));
                self.settle();
                result
            }
            Some(_) => Err(SendError::WouldBlock(waiter)),
            None => self.send(now, record),
        }
    }

    /// Forgets a waiter; what was set aside for it is free again. Nothing happens when it is not
    /// known any more.
    pub fn cancel(&mut self, now: Instant, waiter: WaiterId) {
        self.tick(now);
        self.waiters
            .remove(waiter, self.sender.accumulator.memory_mut());
        self.settle();
        self.has_news = true;
    }

    /// Makes everything accepted so far leave at once. [`Output::Flushed`] says that all of it is
    /// completed, one way or the other; records accepted later do not delay it but by riding along.
    pub fn flush(&mut self, now: Instant) -> FlushId {
        self.tick(now);
        let id = FlushId(self.next_flush);
        self.next_flush += 1;
        if self.lifecycle == Lifecycle::Closed {
            self.sender.outputs.push_back(Output::Flushed(id));
            return id;
        }
        let before_ordinal = self.sender.accumulator.next_ordinal();
        self.flushes.push_back(Flush { id, before_ordinal });
        self.sender.meters.on_flush(self.sender.now, id);
        self.sender.press();
        self.has_news = true;
        id
    }

    /// Takes a record back, if nothing of its batch can have left: it completes as not persisted,
    /// by [`DeliveryCause::Withdrawn`](crate::DeliveryCause::Withdrawn). The others of its batch go
    /// on without it; they linger no more. A record whose batch has a sequence number that may have
    /// left, is in a request, or is being sealed goes on (invariants I2, I3). O(batches under way)
    /// where the batch was divided before, else O(partition's queue).
    ///
    /// franz-go: a cancelled record context, `RecordContext`.
    pub fn withdraw(&mut self, now: Instant, ticket: Ticket) -> Withdrawal {
        self.tick(now);
        let withdrawal = self.sender.withdraw(ticket);
        self.settle();
        self.has_news = true;
        withdrawal
    }

    /// Ends what is under way, of all partitions, by
    /// [`DeliveryCause::Purged`](crate::DeliveryCause::Purged). What never left is not persisted;
    /// of what is in flight it is not known, and what its answer says changes nothing. Sequence
    /// numbers that may have left are not given again: the partition begins again under a higher
    /// epoch, unless a later answer settles the doubt (I3). Calls that wait go on waiting, and
    /// records that are accepted after it go out. Flushes and `close` wait for nothing that was
    /// purged. O(batches under way).
    ///
    /// librdkafka: `rd_kafka_purge`.
    pub fn purge(&mut self, now: Instant, what: Purge) {
        self.tick(now);
        self.sender.purge(what);
        self.settle();
        self.has_news = true;
    }

    /// The partitions of a topic, with or without a leader.
    ///
    /// # Errors
    ///
    /// [`SendError::WouldBlock`] while the topic is unknown: after [`Output::Admitted`] call again.
    pub fn partitions_for(
        &mut self,
        now: Instant,
        topic: &str,
    ) -> Result<Vec<PartitionInfo>, SendError> {
        let now = self.tick(now);
        self.refuse_if_closed()?;
        let slot = self.known_topic(now, topic, Patience::Wait)?;
        Ok(self.sender.metadata.infos(slot))
    }

    /// The numbers of a topic's partitions, for a partitioner of the application's: it costs
    /// nothing while nothing changes. Waits until `give_up_at`; see
    /// [`send_until`](Self::send_until).
    ///
    /// # Errors
    ///
    /// As [`partitions_for`](Self::partitions_for).
    pub fn partition_lists(
        &mut self,
        now: Instant,
        topic: &str,
        give_up_at: Instant,
    ) -> Result<Arc<PartitionLists>, SendError> {
        let now = self.tick(now);
        self.refuse_if_closed()?;
        let slot = self.known_topic(now, topic, Patience::Until(give_up_at))?;
        Ok(self.sender.metadata.lists(slot))
    }

    fn known_topic(
        &mut self,
        now: Instant,
        topic: &str,
        patience: Patience,
    ) -> Result<TopicSlot, SendError> {
        let slot = match self.sender.metadata.find(topic) {
            Some(slot) => slot,
            None => self.intern(topic)?,
        };
        if self.sender.metadata.topic(slot).is_known() {
            return Ok(slot);
        }
        Err(self.wait(now, patience, Want::Topic(slot)))
    }

    /// Ends the producer: nothing is accepted any more, what was accepted leaves at once, and
    /// [`Output::Closed`] comes when all of it is completed; at `give_up_at` the rest fails.
    pub fn close(&mut self, now: Instant, give_up_at: Instant) {
        self.tick(now);
        let give_up_at = match self.lifecycle {
            Lifecycle::Open | Lifecycle::Failed => give_up_at,
            Lifecycle::Closing {
                give_up_at: earlier,
            } => earlier.min(give_up_at),
            Lifecycle::Closed => return,
        };
        self.lifecycle = Lifecycle::Closing { give_up_at };
        self.refuse_waiters(&SendError::Closed);
        self.sender.press();
        self.has_news = true;
    }

    // ---- Facts --------------------------------------------------------------------------------

    /// Notes what happened outside.
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        let now = self.tick(now);
        if self.lifecycle == Lifecycle::Closed {
            return;
        }
        self.sender.handle_input(input);
        if let Some(answered) = self.sender.take_answered() {
            self.on_metadata(now, &answered);
        }
        self.fail_if_fatal();
        self.settle();
    }

    /// Acts: fires what is due, and sends what can be sent. Calling it early or twice is harmless.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.tick(now);
        self.has_news = false;
        match self.lifecycle {
            Lifecycle::Closed => return,
            Lifecycle::Closing { give_up_at } if give_up_at <= now => {
                self.sender.give_up();
                return self.settle();
            }
            Lifecycle::Closing { .. } | Lifecycle::Open | Lifecycle::Failed => {}
        }
        self.expire_waiters(now);
        if self.waiters.presses() {
            self.sender.press();
        }
        self.sender.advance(now);
        self.settle();
    }

    // ---- Effects ------------------------------------------------------------------------------

    /// The next effect to carry out, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.sender.pop_output()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next, and why; `None` while only an
    /// input or a command can create work. May change after every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        if self.lifecycle == Lifecycle::Closed {
            let at = self.sender.now;
            return (!self.sender.outputs.is_empty()).then_some(Deadline {
                at,
                reason: Reason::WorkQueued,
            });
        }
        let waiter = self.waiters.first_deadline();
        let waiter = waiter.map(|at| Deadline {
            at,
            reason: Reason::MaxBlock,
        });
        let close = match self.lifecycle {
            Lifecycle::Closing { give_up_at } => Some(Deadline {
                at: give_up_at,
                reason: Reason::Close,
            }),
            Lifecycle::Open | Lifecycle::Failed | Lifecycle::Closed => None,
        };
        let deadlines = self
            .sender
            .deadline()
            .into_iter()
            .chain(waiter)
            .chain(close);
        deadlines
            .filter(|d| d.at != Instant::FAR)
            .min_by_key(|deadline| deadline.at)
    }

    /// Whether a command since the last call, or since [`handle_timeout`](Self::handle_timeout),
    /// may have brought the deadline forward: a driver that sleeps looks at
    /// [`poll_timeout`](Self::poll_timeout) again when it says so, and need not otherwise.
    #[inline]
    pub fn take_news(&mut self) -> bool {
        core::mem::take(&mut self.has_news)
    }

    /// Whether a record that was accepted since the last call closed a batch for a leader that has
    /// a connection and about 1 MiB of closed batches waiting for it. More of them gains nothing: a
    /// driver whose caller may wait does well to let it wait until something was sent, but no
    /// longer than some 2 ms, so that an outage still fills `buffer_memory`.
    #[inline]
    pub fn take_crowding(&mut self) -> bool {
        core::mem::take(&mut self.sender.is_crowded)
    }

    // ---- Observers ----------------------------------------------------------------------------

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.sender.stats;
        stats.buffered_bytes = self.sender.accumulator.memory().used_bytes();
        stats.waiters = self.waiters.len();
        stats
    }

    /// The configuration it was built with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.sender.config
    }

    /// The metrics of this moment, under the names of the Java producer. O(topics + brokers).
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.sender.metrics(self.waiters.len())
    }

    /// Why the record of this ticket is not completed yet, in a sentence: `orders-3: lingering 2.1
    /// ms more`. `None` when it is completed, or its ticket was never given. O(batches) at most.
    #[must_use]
    pub fn explain(&self, now: Instant, ticket: Ticket) -> Option<String> {
        self.sender.at(now).explain(ticket)
    }

    /// What is under way, for people: the memory, every broker, and for every partition with
    /// something to send why its oldest record waits.
    #[must_use]
    pub fn report(&self, now: Instant) -> Report {
        let mut report = self.sender.report(now);
        report.lines.push(format!(
            "{} waiting, {} bytes set aside for what waits",
            counted(self.waiters.len(), "call"),
            self.waiters.reserved_bytes()
        ));
        report
    }

    /// Panics when something does not hold that must always hold. O(everything): for tests and the
    /// simulator.
    pub fn check_invariants(&self) {
        self.sender.check_invariants(self.waiters.reserved_bytes());
    }

    // ---- For the recorder ---------------------------------------------------------------------

    /// From now on the batches are told whose bytes somebody still held when they ended.
    pub(crate) fn watch_held(&mut self) {
        self.sender.accumulator.watch_held();
    }

    /// Those since the last call.
    pub(crate) fn take_held(&mut self) -> Vec<BatchId> {
        self.sender.accumulator.take_held()
    }

    // ---- Inside -------------------------------------------------------------------------------

    /// Time does not go back.
    #[inline]
    fn tick(&mut self, now: Instant) -> Instant {
        let now = now.max(self.sender.now);
        self.sender.now = now;
        now
    }

    /// Nothing can be produced any more: what never left fails, and nobody waits (S14).
    fn fail_if_fatal(&mut self) {
        let Some(cause) = self.sender.fatal.clone() else {
            return;
        };
        if self.lifecycle == Lifecycle::Open {
            self.lifecycle = Lifecycle::Failed;
            self.refuse_waiters(&SendError::Fatal(cause.clone()));
        }
        self.sender.fail_unsent(&cause);
    }

    fn refuse_waiters(&mut self, error: &SendError) {
        for id in self.waiters.ids() {
            self.waiters
                .remove(id, self.sender.accumulator.memory_mut());
            let refused = Output::Refused(id, error.clone());
            self.sender.outputs.push_back(refused);
        }
    }

    fn refuse_if_closed(&self) -> Result<(), SendError> {
        match self.lifecycle {
            Lifecycle::Open => Ok(()),
            Lifecycle::Failed => {
                let cause = self.sender.fatal.clone();
                Err(SendError::Fatal(cause.expect("why it failed")))
            }
            Lifecycle::Closing { .. } | Lifecycle::Closed => Err(SendError::Closed),
        }
    }

    /// Says what became true: memory for waiters, flushes and close completed.
    fn settle(&mut self) {
        while let Some((id, waiter)) = self
            .waiters
            .admit_next(self.sender.accumulator.memory_mut())
        {
            self.measure_wait(&waiter);
            self.sender.outputs.push_back(Output::Admitted(id));
        }
        let accumulator = &self.sender.accumulator;
        let oldest = accumulator
            .oldest()
            .map(|slot| accumulator.batch(slot).ordinal);
        while let Some(flush) = self.flushes.front().copied() {
            if oldest.is_some_and(|ordinal| ordinal < flush.before_ordinal) {
                break;
            }
            self.flushes.pop_front();
            self.sender.meters.on_flushed(self.sender.now, flush.id);
            self.sender.outputs.push_back(Output::Flushed(flush.id));
        }
        if matches!(self.lifecycle, Lifecycle::Closing { .. }) && oldest.is_none() {
            self.lifecycle = Lifecycle::Closed;
            self.sender.disconnect_all();
            self.sender.outputs.push_back(Output::Closed);
        }
    }
}
