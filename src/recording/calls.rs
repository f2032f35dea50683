//! The methods of the core that change it: as they are there, and written down.

use super::RecordedCore;
use super::recorder::Recorder;
use super::told::Told;
use crate::boundary::{
    Deadline, FlushId, Input, Output, PartitionInfo, PartitionLists, Ticket, WaiterId,
};
use crate::error::SendError;
use crate::record::Record;
use crate::time::Instant;
use core::cell::RefCell;
use std::sync::Arc;

/// The calls with a record, all but the one with a clock.
#[derive(Clone, Copy)]
enum Way {
    Send,
    Until(Instant),
    Try,
    Resume(WaiterId),
}

impl RecordedCore {
    // ---- Commands -----------------------------------------------------------------------------

    /// As [`ProducerCore::set_wall_clock`](crate::ProducerCore::set_wall_clock).
    #[inline]
    pub fn set_wall_clock(&mut self, now: Instant, unix_time_ms: i64) {
        self.note(|recorder| recorder.call(now, format_args!("clock {unix_time_ms}")));
        self.core.set_wall_clock(now, unix_time_ms);
    }

    /// As [`ProducerCore::send`](crate::ProducerCore::send).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn send(&mut self, now: Instant, record: &Record<'_>) -> Result<Ticket, SendError> {
        self.offer(now, record, Way::Send)
    }

    /// As [`ProducerCore::send_until`](crate::ProducerCore::send_until).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn send_until(
        &mut self,
        now: Instant,
        record: &Record<'_>,
        give_up_at: Instant,
    ) -> Result<Ticket, SendError> {
        self.offer(now, record, Way::Until(give_up_at))
    }

    /// As [`ProducerCore::try_send`](crate::ProducerCore::try_send).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn try_send(&mut self, now: Instant, record: &Record<'_>) -> Result<Ticket, SendError> {
        self.offer(now, record, Way::Try)
    }

    /// As [`ProducerCore::resume`](crate::ProducerCore::resume).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn resume(
        &mut self,
        now: Instant,
        waiter: WaiterId,
        record: &Record<'_>,
    ) -> Result<Ticket, SendError> {
        self.offer(now, record, Way::Resume(waiter))
    }

    /// As [`ProducerCore::send_with_clock`](crate::ProducerCore::send_with_clock).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn send_with_clock(
        &mut self,
        clock: impl Fn() -> Instant,
        unix_time_ms: i64,
        record: &Record<'_>,
    ) -> Result<Ticket, SendError> {
        if self.recorder.is_none() {
            return self.core.send_with_clock(clock, unix_time_ms, record);
        }
        self.send_with_watched_clock(&clock, unix_time_ms, record)
    }

    #[cold]
    #[inline(never)]
    fn send_with_watched_clock(
        &mut self,
        clock: &dyn Fn() -> Instant,
        unix_time_ms: i64,
        record: &Record<'_>,
    ) -> Result<Ticket, SendError> {
        self.note_record(format_args!("- send-with-clock {unix_time_ms}"), record);
        let readings = RefCell::new(Vec::new());
        let watched = || {
            let at = clock();
            readings.borrow_mut().push(at);
            at
        };
        let sent = self.core.send_with_clock(watched, unix_time_ms, record);
        self.note(|recorder| recorder.readings(&readings.borrow()));
        self.answer(&Told::Sent(&sent));
        sent
    }

    #[inline]
    fn offer(&mut self, now: Instant, record: &Record<'_>, way: Way) -> Result<Ticket, SendError> {
        if self.recorder.is_some() {
            let at = now.as_micros();
            match way {
                Way::Send => self.note_record(format_args!("{at} send"), record),
                Way::Until(end) => {
                    let end = end.as_micros();
                    self.note_record(format_args!("{at} send-until {end}"), record);
                }
                Way::Try => self.note_record(format_args!("{at} try-send"), record),
                Way::Resume(id) => self.note_record(format_args!("{at} resume {}", id.0), record),
            }
        }
        let sent = match way {
            Way::Send => self.core.send(now, record),
            Way::Until(give_up_at) => self.core.send_until(now, record, give_up_at),
            Way::Try => self.core.try_send(now, record),
            Way::Resume(waiter) => self.core.resume(now, waiter, record),
        };
        self.answer(&Told::Sent(&sent));
        sent
    }

    /// As [`ProducerCore::cancel`](crate::ProducerCore::cancel).
    pub fn cancel(&mut self, now: Instant, waiter: WaiterId) {
        self.note(|recorder| recorder.call(now, format_args!("cancel {}", waiter.0)));
        self.core.cancel(now, waiter);
        self.end();
    }

    /// As [`ProducerCore::flush`](crate::ProducerCore::flush).
    pub fn flush(&mut self, now: Instant) -> FlushId {
        self.note(|recorder| recorder.call(now, format_args!("flush")));
        let id = self.core.flush(now);
        self.answer(&Told::Flush(id));
        id
    }

    /// As [`ProducerCore::partitions_for`](crate::ProducerCore::partitions_for).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn partitions_for(
        &mut self,
        now: Instant,
        topic: &str,
    ) -> Result<Vec<PartitionInfo>, SendError> {
        self.note(|recorder| recorder.topic(now, "partitions-for", topic, None));
        let infos = self.core.partitions_for(now, topic);
        self.answer(&Told::Partitions(&infos));
        infos
    }

    /// As [`ProducerCore::partition_lists`](crate::ProducerCore::partition_lists).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn partition_lists(
        &mut self,
        now: Instant,
        topic: &str,
        give_up_at: Instant,
    ) -> Result<Arc<PartitionLists>, SendError> {
        self.note(|recorder| recorder.topic(now, "partition-lists", topic, Some(give_up_at)));
        let lists = self.core.partition_lists(now, topic, give_up_at);
        self.answer(&Told::Lists(&lists));
        lists
    }

    /// As [`ProducerCore::close`](crate::ProducerCore::close).
    pub fn close(&mut self, now: Instant, give_up_at: Instant) {
        let end = give_up_at.as_micros();
        self.note(|recorder| recorder.call(now, format_args!("close {end}")));
        self.core.close(now, give_up_at);
        self.end();
    }

    // ---- Facts --------------------------------------------------------------------------------

    /// As [`ProducerCore::handle_input`](crate::ProducerCore::handle_input).
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        self.note(|recorder| recorder.input(now, &input));
        self.core.handle_input(now, input);
        self.end();
    }

    /// As [`ProducerCore::handle_timeout`](crate::ProducerCore::handle_timeout).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.note(|recorder| recorder.call(now, format_args!("timeout")));
        self.core.handle_timeout(now);
        self.end();
    }

    // ---- Effects ------------------------------------------------------------------------------

    /// As [`ProducerCore::poll_output`](crate::ProducerCore::poll_output).
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.core.poll_output();
        self.answer(&Told::Output(output.as_ref()));
        output
    }

    /// As [`ProducerCore::poll_timeout`](crate::ProducerCore::poll_timeout), which is not recorded.
    #[must_use]
    pub fn poll_timeout(&mut self) -> Option<Deadline> {
        let deadline = self.core.poll_timeout();
        self.answer(&Told::Until(deadline));
        deadline
    }

    // ---- What is written ----------------------------------------------------------------------

    #[inline]
    fn note(&mut self, write: impl FnOnce(&mut Recorder)) {
        if let Some(recorder) = &mut self.recorder {
            write(recorder);
        }
    }

    #[cold]
    #[inline(never)]
    fn note_record(&mut self, words: core::fmt::Arguments<'_>, record: &Record<'_>) {
        let Some(recorder) = &mut self.recorder else {
            return;
        };
        let placed = if recorder.is_redacted() {
            self.core.place_of_key(record)
        } else {
            None
        };
        recorder.call_with(words, record, placed);
    }

    #[inline]
    fn answer(&mut self, told: &Told<'_>) {
        self.note(|recorder| recorder.told(told));
        self.end();
    }

    #[inline]
    fn end(&mut self) {
        if self.recorder.is_some() {
            self.end_call();
        }
    }
}
