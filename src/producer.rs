//! The spine: the application's calls, the order of work, and the boundary's methods.
//!
//! Owns: the waiting calls, the flushes, the state of `close`. Never: protocol detail.

use crate::boundary::{Deadline, FlushId, Input, Output, PartitionInfo, Reason, Ticket, WaiterId};
use crate::config::Config;
use crate::error::{ConfigError, SendError, UnknownCause};
use crate::record::Record;
use crate::report::Report;
use crate::sender::Sender;
use crate::slot::{PartitionSlot, TopicSlot};
use crate::stats::Stats;
use crate::time::Instant;
use crate::waiting::{Waiter, Waiters, Want};
use crate::wire::ErrorCode;
use crate::wire::record;
use crate::wire::record_batch::HEADER_BYTES;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

/// The greatest length of a topic's name (Java `Topic.MAX_NAME_LENGTH`).
const TOPIC_NAME_BYTES_MAX: usize = 249;

/// A Kafka producer as a pure state machine.
///
/// It has four kinds of methods:
/// - **commands**, what the application asks: [`send`](Self::send), [`try_send`](Self::try_send),
///   [`resume`](Self::resume), [`cancel`](Self::cancel), [`flush`](Self::flush),
///   [`partitions_for`](Self::partitions_for), [`close`](Self::close);
/// - **facts**, what happened outside: [`handle_input`](Self::handle_input) and
///   [`handle_timeout`](Self::handle_timeout);
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
    Closing { give_up_at: Instant },
    Closed,
}

/// What to do when a record cannot be accepted at once.
#[derive(Clone, Copy, Debug)]
enum Patience {
    /// Say so.
    None,
    /// Become a waiter.
    Wait,
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
    /// none is counted from the latest such fact.
    pub fn set_wall_clock(&mut self, now: Instant, unix_time_ms: i64) {
        self.wall_clock = (self.tick(now), unix_time_ms);
    }

    /// Accepts a record: it is encoded into the open batch of its partition.
    ///
    /// # Errors
    ///
    /// [`SendError::WouldBlock`] makes the call a waiter: after [`Output::Admitted`] give the
    /// record to [`resume`](Self::resume). Any other error is final.
    #[inline]
    pub fn send(&mut self, now: Instant, record: &Record<'_>) -> Result<Ticket, SendError> {
        self.offer(now, record, Patience::Wait)
    }

    /// Like [`send`](Self::send), but never waits: an unknown topic is asked for, and the call
    /// fails for now.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send), with the cause in place of [`SendError::WouldBlock`].
    #[inline]
    pub fn try_send(&mut self, now: Instant, record: &Record<'_>) -> Result<Ticket, SendError> {
        self.offer(now, record, Patience::None)
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
                let result = self.offer(now, record, Patience::Turn(waiter, known));
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
        self.sender.press();
        self.has_news = true;
        id
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
        let slot = self.intern(topic)?;
        if self.sender.metadata.topic(slot).partitions.is_empty() {
            return Err(self.wait(now, Patience::Wait, Want::Topic(slot)));
        }
        Ok(self.sender.metadata.infos(slot))
    }

    /// Ends the producer: nothing is accepted any more, what was accepted leaves at once, and
    /// [`Output::Closed`] comes when all of it is completed; at `give_up_at` the rest fails.
    pub fn close(&mut self, now: Instant, give_up_at: Instant) {
        self.tick(now);
        let give_up_at = match self.lifecycle {
            Lifecycle::Open => give_up_at,
            Lifecycle::Closing {
                give_up_at: earlier,
            } => earlier.min(give_up_at),
            Lifecycle::Closed => return,
        };
        self.lifecycle = Lifecycle::Closing { give_up_at };
        for id in self.waiters.ids() {
            self.waiters
                .remove(id, self.sender.accumulator.memory_mut());
            self.sender
                .outputs
                .push_back(Output::Refused(id, SendError::Closed));
        }
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
        if self.sender.take_answered() {
            self.on_metadata(now);
        }
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
            Lifecycle::Closing { .. } | Lifecycle::Open => {}
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
            Lifecycle::Open | Lifecycle::Closed => None,
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

    /// Whether a command since the last call, or since [`handle_timeout`](Self::handle_timeout), may
    /// have brought the deadline forward: a driver that sleeps looks at
    /// [`poll_timeout`](Self::poll_timeout) again when it says so, and need not otherwise.
    #[inline]
    pub fn take_news(&mut self) -> bool {
        core::mem::take(&mut self.has_news)
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

    /// What is under way, for people.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut report = self.sender.report();
        report.lines.push(format!(
            "{} calls wait, {} bytes set aside for them",
            self.waiters.len(),
            self.waiters.reserved_bytes()
        ));
        report
    }

    /// Panics when something does not hold that must always hold. O(everything): for tests and the
    /// simulator.
    pub fn check_invariants(&self) {
        self.sender.check_invariants(self.waiters.reserved_bytes());
    }

    // ---- Inside -------------------------------------------------------------------------------

    /// Time does not go back.
    #[inline]
    fn tick(&mut self, now: Instant) -> Instant {
        let now = now.max(self.sender.now);
        self.sender.now = now;
        now
    }

    fn refuse_if_closed(&self) -> Result<(), SendError> {
        match self.lifecycle {
            Lifecycle::Open => Ok(()),
            Lifecycle::Closing { .. } | Lifecycle::Closed => Err(SendError::Closed),
        }
    }

    /// The one way in for records.
    #[inline]
    fn offer(
        &mut self,
        now: Instant,
        record: &Record<'_>,
        patience: Patience,
    ) -> Result<Ticket, SendError> {
        let now = self.tick(now);
        self.refuse_if_closed()?;
        let body_bytes = record::encoded_bytes_max(record.key, record.value, record.headers);
        self.check_size(body_bytes)?;
        let timestamp_ms = self.timestamp_ms(now, record)?;
        let topic = match self.sender.metadata.find(record.topic) {
            Some(topic) => topic,
            None => self.intern(record.topic)?,
        };
        let partition = match self.choose_partition(topic, record) {
            Ok(partition) => partition,
            Err(want) => return Err(self.wait(now, patience, want)),
        };
        let in_turn = self.is_in_turn(patience);
        let accumulator = &mut self.sender.accumulator;
        let appended =
            accumulator.append(now, partition, record, timestamp_ms, body_bytes, in_turn);
        let has_opened = appended.is_ok_and(|ticket| ticket.index == 0);
        if has_opened || accumulator.has_just_closed() {
            self.sender.on_appended(partition);
            self.has_news = true;
            if self.waiters.presses() {
                // It must not linger on memory that others wait for.
                self.sender.press();
            }
        }
        match appended {
            Ok(ticket) => {
                self.sender.stats.records_accepted += 1;
                Ok(ticket)
            }
            Err(exhausted) => Err(self.wait(now, patience, Want::Memory(exhausted.needed_bytes))),
        }
    }

    /// Whether the call may take memory: nobody waits for it, or not before this one did (L5).
    #[inline]
    fn is_in_turn(&self, patience: Patience) -> bool {
        let Some(first) = self.waiters.first_for_memory() else {
            return true;
        };
        match patience {
            Patience::None | Patience::Wait => false,
            // With memory set aside for it, its turn was given to it in order. A waiter for
            // metadata has had none yet.
            Patience::Turn(id, known) => known.want != Want::Turn(0) || id < first,
        }
    }

    #[inline]
    fn check_size(&self, body_bytes: usize) -> Result<(), SendError> {
        let config = &self.sender.config;
        let record_bytes = body_bytes.saturating_add(HEADER_BYTES);
        let (limit_bytes, limit_key) = if record_bytes > config.max_request_size {
            (config.max_request_size, "max_request_size")
        } else if body_bytes > config.buffer_memory {
            (config.buffer_memory, "buffer_memory")
        } else {
            return Ok(());
        };
        Err(SendError::TooLarge {
            record_bytes,
            limit_bytes,
            limit_key,
        })
    }

    #[inline]
    fn timestamp_ms(&self, now: Instant, record: &Record<'_>) -> Result<i64, SendError> {
        match record.timestamp_ms {
            Some(0..) => Ok(record.timestamp_ms.unwrap_or_default()),
            Some(_) => Err(SendError::InvalidRecord("the timestamp is negative")),
            None => {
                let (then, unix_time_ms) = self.wall_clock;
                let passed_ms = now.as_micros().saturating_sub(then.as_micros()) / 1_000;
                let passed_ms = i64::try_from(passed_ms).unwrap_or(i64::MAX);
                Ok(unix_time_ms.saturating_add(passed_ms).max(0))
            }
        }
    }

    /// The record's partition, or what has to be known first.
    #[inline]
    fn choose_partition(
        &mut self,
        topic: TopicSlot,
        record: &Record<'_>,
    ) -> Result<PartitionSlot, Want> {
        let metadata = &mut self.sender.metadata;
        let partitions = &metadata.topic(topic).partitions;
        if partitions.is_empty() {
            return Err(Want::Topic(topic));
        }
        if let Some(partition) = record.partition {
            let index = usize::try_from(partition).unwrap_or(usize::MAX);
            return partitions
                .get(index)
                .copied()
                .ok_or(Want::Partition(topic, partition));
        }
        if let Some(key) = record.key {
            return Ok(metadata.partition_for_key(topic, key));
        }
        // Without a key the partition is random, and kept until its batch has left: batches fill
        // (KIP-480).
        match metadata.sticky(topic) {
            Some(partition) if self.sender.accumulator.has_open(partition) => Ok(partition),
            Some(_) | None => Ok(metadata.draw_sticky(topic, &mut self.sender.rng)),
        }
    }

    /// The topic of this name, if it can be one (Java `Topic.validate`).
    #[cold]
    fn intern(&mut self, name: &str) -> Result<TopicSlot, SendError> {
        let is_legal =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if name.is_empty() || name.len() > TOPIC_NAME_BYTES_MAX || name == "." || name == ".." {
            return Err(SendError::InvalidRecord(
                "the topic's name has 1 to 249 characters",
            ));
        }
        if !name.bytes().all(is_legal) {
            let reason = "a topic's name consists of ASCII letters, digits, '.', '_' and '-'";
            return Err(SendError::InvalidRecord(reason));
        }
        Ok(self.sender.metadata.intern(name))
    }

    /// A call has to wait, if it has the patience.
    #[cold]
    #[inline(never)]
    fn wait(&mut self, now: Instant, patience: Patience, want: Want) -> SendError {
        if let Want::Partition(_, ..0) = want {
            return SendError::InvalidRecord("the partition is negative");
        }
        match want {
            Want::Topic(topic) | Want::Partition(topic, _) => self.sender.refresh.want(topic),
            // What is open leaves now, or its memory would come back only by lingering.
            Want::Memory(_) => self.sender.press(),
            Want::Turn(_) => unreachable!("a turn is not wanted"),
        }
        self.has_news = true;
        match patience {
            Patience::None => self.refusal(want, Duration::ZERO),
            Patience::Wait => {
                let deadline = now + self.sender.config.max_block;
                SendError::WouldBlock(self.waiters.add(now, deadline, want))
            }
            Patience::Turn(id, known) if known.deadline > now => {
                self.waiters.insert(id, Waiter { want, ..known });
                SendError::WouldBlock(id)
            }
            Patience::Turn(_, known) => self.refusal(want, now.since(known.since)),
        }
    }

    /// The error for what was wanted and did not come.
    fn refusal(&self, want: Want, waited: Duration) -> SendError {
        let memory = self.sender.accumulator.memory();
        let name = |topic: TopicSlot| Arc::clone(&self.sender.metadata.topic(topic).name);
        match want {
            Want::Memory(needed_bytes) => SendError::BufferFull {
                needed_bytes,
                used_bytes: memory.used_bytes(),
                limit_bytes: memory.limit_bytes(),
                waited,
            },
            Want::Topic(topic) => SendError::TopicUnknown {
                topic: name(topic),
                waited,
                cause: match (
                    self.sender.metadata.topic(topic).error,
                    self.sender.failures(),
                ) {
                    (Some(code), _) => UnknownCause::Broker(code),
                    (None, Some(failures)) => UnknownCause::NoBroker(failures),
                    (None, None) => UnknownCause::Pending,
                },
            },
            Want::Partition(topic, partition) => SendError::PartitionUnknown {
                topic: name(topic),
                partition,
                partition_count: self.sender.metadata.topic(topic).partitions.len(),
                waited,
            },
            Want::Turn(_) => unreachable!("a turn is not wanted"),
        }
    }

    /// A metadata answer came: whom does it help?
    fn on_metadata(&mut self, now: Instant) {
        let mut is_satisfied = !self.sender.has_leaderless();
        for (id, waiter) in self.waiters.for_metadata() {
            let (Want::Topic(slot) | Want::Partition(slot, _)) = waiter.want else {
                continue;
            };
            let topic = self.sender.metadata.topic(slot);
            let is_refused = matches!(
                topic.error,
                Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::INVALID_TOPIC_EXCEPTION)
            );
            let count = topic.partitions.len();
            let is_known = match waiter.want {
                Want::Partition(_, partition) => {
                    usize::try_from(partition).is_ok_and(|index| index < count)
                }
                Want::Topic(_) | Want::Memory(_) | Want::Turn(_) => count > 0,
            };
            let memory = self.sender.accumulator.memory_mut();
            if is_known {
                self.waiters.admit(id, memory);
                self.sender.outputs.push_back(Output::Admitted(id));
            } else if is_refused {
                let code = topic.error.expect("looked at");
                let error = SendError::TopicRefused {
                    topic: Arc::clone(&topic.name),
                    code,
                };
                self.waiters.remove(id, memory);
                self.sender.outputs.push_back(Output::Refused(id, error));
            } else {
                is_satisfied = false;
                self.sender.refresh.want(slot);
            }
        }
        if self.sender.has_leaderless() {
            self.sender.refresh.want_all();
        }
        let Sender { refresh, rng, .. } = &mut self.sender;
        refresh.on_answered(now, is_satisfied, rng);
    }

    fn expire_waiters(&mut self, now: Instant) {
        let memory = self.sender.accumulator.memory_mut();
        let mut expired = Vec::new();
        while let Some(waiter) = self.waiters.expire_next(now, memory) {
            expired.push(waiter);
        }
        for (id, waiter) in expired {
            let error = self.refusal(waiter.want, now.since(waiter.since));
            self.sender.outputs.push_back(Output::Refused(id, error));
        }
    }

    /// Says what became true: memory for waiters, flushes and close completed.
    fn settle(&mut self) {
        while let Some(id) = self
            .waiters
            .admit_next(self.sender.accumulator.memory_mut())
        {
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
            self.sender.outputs.push_back(Output::Flushed(flush.id));
        }
        if matches!(self.lifecycle, Lifecycle::Closing { .. }) && oldest.is_none() {
            self.lifecycle = Lifecycle::Closed;
            self.sender.disconnect_all();
            self.sender.outputs.push_back(Output::Closed);
        }
    }
}
