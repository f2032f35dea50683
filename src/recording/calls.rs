//! The methods of the core that change it: as they are there, and written down.

use super::RecordedCore;
use super::recorder::Recorder;
use super::told::{self, Told, micros};
use crate::boundary::{
    BatchId, Deadline, FlushId, Input, Output, PartitionInfo, PartitionLists, Purge, Ticket,
    WaiterId, Withdrawal,
};
use crate::error::SendError;
use crate::producer::ProducerCore;
use crate::record::Record;
use crate::time::Instant;
use core::cell::RefCell;
use std::sync::Arc;

impl RecordedCore {
    // ---- Commands -----------------------------------------------------------------------------

    /// As [`ProducerCore::set_wall_clock`].
    #[inline]
    pub fn set_wall_clock(&mut self, now: Instant, unix_time_ms: i64) {
        self.watch(
            |log, _| log.call(now, format_args!("clock {unix_time_ms}")),
            |core| core.set_wall_clock(now, unix_time_ms),
            |_, ()| (),
        );
    }

    /// As [`ProducerCore::send`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn send(&mut self, now: Instant, record: &Record<'_>) -> Result<Ticket, SendError> {
        self.watch(
            |log, core| log.offer(core, format_args!("{} send", micros(now)), record),
            |core| core.send(now, record),
            |log, sent| log.told(&Told::Sent(sent)),
        )
    }

    /// As [`ProducerCore::send_until`].
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
        let (at, end) = (micros(now), micros(give_up_at));
        self.watch(
            |log, core| log.offer(core, format_args!("{at} send-until {end}"), record),
            |core| core.send_until(now, record, give_up_at),
            |log, sent| log.told(&Told::Sent(sent)),
        )
    }

    /// As [`ProducerCore::send_with_clock`].
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
        let readings = RefCell::new(Vec::new());
        let watched = || {
            let at = clock();
            readings.borrow_mut().push(at);
            at
        };
        self.watch(
            |log, core| {
                let words = format_args!("- send-with-clock {unix_time_ms}");
                log.offer(core, words, record);
            },
            |core| core.send_with_clock(watched, unix_time_ms, record),
            |log, sent| {
                log.readings(&readings.borrow());
                log.told(&Told::Sent(sent));
            },
        )
    }

    /// As [`ProducerCore::try_send`].
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn try_send(&mut self, now: Instant, record: &Record<'_>) -> Result<Ticket, SendError> {
        self.watch(
            |log, core| log.offer(core, format_args!("{} try-send", micros(now)), record),
            |core| core.try_send(now, record),
            |log, sent| log.told(&Told::Sent(sent)),
        )
    }

    /// As [`ProducerCore::resume`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn resume(
        &mut self,
        now: Instant,
        waiter: WaiterId,
        record: &Record<'_>,
    ) -> Result<Ticket, SendError> {
        let (at, id) = (micros(now), waiter.0);
        self.watch(
            |log, core| log.offer(core, format_args!("{at} resume {id}"), record),
            |core| core.resume(now, waiter, record),
            |log, sent| log.told(&Told::Sent(sent)),
        )
    }

    /// As [`ProducerCore::cancel`].
    pub fn cancel(&mut self, now: Instant, waiter: WaiterId) {
        self.watch(
            |log, _| log.call(now, format_args!("cancel {}", waiter.0)),
            |core| core.cancel(now, waiter),
            |_, ()| (),
        );
    }

    /// As [`ProducerCore::flush`].
    pub fn flush(&mut self, now: Instant) -> FlushId {
        self.watch(
            |log, _| log.call(now, format_args!("flush")),
            |core| core.flush(now),
            |log, id| log.told(&Told::Flush(*id)),
        )
    }

    /// As [`ProducerCore::withdraw`].
    pub fn withdraw(&mut self, now: Instant, ticket: Ticket) -> Withdrawal {
        let BatchId { slot, generation } = ticket.batch;
        self.watch(
            |log, _| {
                let index = ticket.index;
                log.call(now, format_args!("withdraw {slot}.{generation} {index}"));
            },
            |core| core.withdraw(now, ticket),
            |log, withdrawal| log.told(&Told::Withdrawal(*withdrawal)),
        )
    }

    /// As [`ProducerCore::purge`].
    pub fn purge(&mut self, now: Instant, what: Purge) {
        let name = told::purge(what);
        self.watch(
            |log, _| log.call(now, format_args!("purge {name}")),
            |core| core.purge(now, what),
            |_, ()| (),
        );
    }

    /// As [`ProducerCore::partitions_for`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn partitions_for(
        &mut self,
        now: Instant,
        topic: &str,
    ) -> Result<Vec<PartitionInfo>, SendError> {
        self.watch(
            |log, _| log.topic(now, "partitions-for", topic, None),
            |core| core.partitions_for(now, topic),
            |log, infos| log.told(&Told::Partitions(infos)),
        )
    }

    /// As [`ProducerCore::partition_lists`].
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
        self.watch(
            |log, _| log.topic(now, "partition-lists", topic, Some(give_up_at)),
            |core| core.partition_lists(now, topic, give_up_at),
            |log, lists| log.told(&Told::Lists(lists)),
        )
    }

    /// As [`ProducerCore::close`].
    pub fn close(&mut self, now: Instant, give_up_at: Instant) {
        self.watch(
            |log, _| log.call(now, format_args!("close {}", micros(give_up_at))),
            |core| core.close(now, give_up_at),
            |_, ()| (),
        );
    }

    // ---- Facts --------------------------------------------------------------------------------

    /// As [`ProducerCore::handle_input`].
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        if let Some(recorder) = &mut self.recorder {
            recorder.input(now, &input);
            self.core.handle_input(now, input);
            return self.end_call();
        }
        self.core.handle_input(now, input);
    }

    /// As [`ProducerCore::handle_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.watch(
            |log, _| log.call(now, format_args!("timeout")),
            |core| core.handle_timeout(now),
            |_, ()| (),
        );
    }

    // ---- Effects ------------------------------------------------------------------------------

    /// As [`ProducerCore::poll_output`].
    pub fn poll_output(&mut self) -> Option<Output> {
        self.watch(
            |_, _| (),
            ProducerCore::poll_output,
            |log, output| log.told(&Told::Output(output.as_ref())),
        )
    }

    /// As [`ProducerCore::poll_timeout`], which is not recorded.
    #[must_use]
    pub fn poll_timeout(&mut self) -> Option<Deadline> {
        self.watch(
            |_, _| (),
            |core| core.poll_timeout(),
            |log, deadline| log.told(&Told::Until(*deadline)),
        )
    }

    // ---- What is written ----------------------------------------------------------------------

    /// Makes a call; recorded, with what is written before it and after it.
    #[inline]
    fn watch<T>(
        &mut self,
        before: impl FnOnce(&mut Recorder, &mut ProducerCore),
        call: impl FnOnce(&mut ProducerCore) -> T,
        after: impl FnOnce(&mut Recorder, &T),
    ) -> T {
        if self.recorder.is_none() {
            return call(&mut self.core);
        }
        self.record(before, call, after)
    }

    #[cold]
    #[inline(never)]
    fn record<T>(
        &mut self,
        before: impl FnOnce(&mut Recorder, &mut ProducerCore),
        call: impl FnOnce(&mut ProducerCore) -> T,
        after: impl FnOnce(&mut Recorder, &T),
    ) -> T {
        let recorder = self.recorder.as_mut().expect("looked at");
        before(recorder, &mut self.core);
        let answer = call(&mut self.core);
        after(recorder, &answer);
        self.end_call();
        answer
    }
}
