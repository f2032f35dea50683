//! Everything that is looked at while a run goes on: each fact goes to the checks that need it.
//!
//! Owns: the checks. Never: what they mean. Each of them does little work per fact, and none looks
//! at all records.

use bytes::Bytes;
use titorelli::{Acks, Config, ConnId, Deadline, Delivery, FlushId, Instant, Outcome, Output};
use titorelli::{SendError, Ticket, TraceEvent};

use super::fatal::Fatal;
use super::flushes::Flushes;
use super::gapless::Gapless;
use super::linger::Linger;
use super::memory::Memory;
use super::rates::Rates;
use super::reconnects::Reconnects;
use super::verdicts::{taken_back, verdict};
use super::waiters::Waiters;
use super::written::Written;
use crate::cluster::{Access, BrokerConfig};
use crate::codec::error_code;
use crate::fault::Fault;
use crate::journal::{Journal, OwnedRecord, RecordId};
use crate::sight::Sight;

/// The checks.
#[derive(Debug)]
pub(crate) struct Watch {
    config: Config,
    fatal: Fatal,
    flushes: Flushes,
    gapless: Gapless,
    linger: Linger,
    memory: Memory,
    rates: Rates,
    reconnects: Reconnects,
    waiters: Waiters,
    /// For acks=0.
    written: Option<Written>,
}

/// Whether brokers speak different versions: some take other records than others, or tell no epoch.
pub(super) fn are_several(brokers: &[BrokerConfig]) -> bool {
    let is_other = |broker: &BrokerConfig| broker.api_ranges != brokers[0].api_ranges;
    brokers.iter().any(is_other)
}

impl Watch {
    pub(crate) fn new(config: &Config, brokers: &[BrokerConfig]) -> Self {
        let has_formats = are_several(brokers);
        Self {
            config: config.clone(),
            fatal: Fatal::default(),
            flushes: Flushes::default(),
            gapless: Gapless::new(config.enable_gapless_guarantee),
            linger: Linger::new(config, has_formats),
            memory: Memory::new(config),
            rates: Rates::new(config),
            reconnects: Reconnects::new(config),
            waiters: Waiters::new(has_formats),
            written: (config.acks == Acks::None).then(Written::default),
        }
    }

    // ---- The application ----------------------------------------------------------------------

    /// A call, or the next try of one that waited, is answered; the journal has it already.
    /// `is_late`: there may be outputs that nobody has heard of.
    pub(crate) fn on_answer(
        &mut self,
        now: Instant,
        id: RecordId,
        answer: &Result<Ticket, SendError>,
        is_late: bool,
        journal: &Journal,
    ) {
        let record: &OwnedRecord = journal.record(id);
        self.linger.on_record(record);
        self.waiters.on_answer(id, record, answer, is_late);
        self.fatal.on_answer(now, answer.as_ref().err());
        if let Ok(ticket) = answer {
            self.flushes.on_accepted(journal.accepted_count());
            self.memory.on_accepted(now, *ticket, record);
        } else {
            self.rates.on_wait(is_late);
            self.linger.on_press(now);
        }
    }

    /// The application gives up a call that waits.
    pub(crate) fn on_cancelled(&mut self, id: RecordId) {
        self.waiters.on_refused(id);
    }

    /// A record was taken out of its batch: what is left has another slot.
    pub(crate) fn on_withdrawn(&mut self) {
        self.memory.on_part();
    }

    pub(crate) fn on_flush(&mut self, now: Instant, id: FlushId, journal: &Journal) {
        self.flushes.on_flush(id, journal.accepted_count());
        self.linger.on_press(now);
    }

    pub(crate) fn on_close(&mut self, now: Instant) {
        self.linger.on_press(now);
    }

    /// The application asks for a topic.
    pub(crate) fn on_question(&mut self) {
        self.rates.on_wait(false);
    }

    // ---- Effects of the core ------------------------------------------------------------------

    /// An effect that the world is about to carry out.
    pub(crate) fn on_output(&mut self, now: Instant, output: &Output, journal: &Journal) {
        match output {
            Output::Connect { conn, .. } => self.reconnects.on_connect(now, *conn),
            Output::Seal(job) => {
                if journal.with_ticket(job.batch(), 0).is_none() {
                    self.memory.on_part();
                }
                self.linger.on_sealing(now, job, journal);
            }
            Output::Delivered(delivery) => self.on_delivered(now, delivery, journal),
            Output::Admitted(waiter) => {
                if let Some(id) = journal.waiting_as(*waiter) {
                    self.waiters.on_admitted(id);
                }
                // It has waited until now.
                self.linger.on_press(now);
            }
            Output::Refused(waiter, error) => {
                self.fatal.on_answer(now, Some(error));
                if let Some(id) = journal.waiting_as(*waiter) {
                    self.waiters.on_refused(id);
                }
            }
            Output::Flushed(id) => self.flushes.on_flushed(*id),
            Output::Trace(TraceEvent::Ready { conn, node, .. }) => {
                self.reconnects.on_ready(*conn, *node);
            }
            Output::Trace(TraceEvent::ConnectionLost { conn, node, .. }) => {
                self.reconnects.on_lost(now, *conn, *node);
            }
            Output::Transmit { .. } | Output::Disconnect(_) | Output::Closed | Output::Trace(_) => {
            }
        }
    }

    fn on_delivered(&mut self, now: Instant, delivery: &Delivery, journal: &Journal) {
        if let Some(opened_at) = self.memory.on_delivered(delivery) {
            verdict(&self.config, now, opened_at, &delivery.outcome);
        }
        let ids = (delivery.first..delivery.first + delivery.count)
            .filter_map(|index| journal.with_ticket(delivery.batch, index));
        let ids: Vec<RecordId> = ids.collect();
        self.gapless.on_delivered(now, delivery, &ids, journal);
        self.fatal.on_delivered(now, &delivery.outcome);
        taken_back(&delivery.outcome);
        for id in ids {
            self.flushes.on_ended(journal.accepted_as(id));
            self.memory.on_record_ended(journal.record(id));
        }
        let after = delivery.first + delivery.count;
        let rest = (after..).map_while(|index| journal.with_ticket(delivery.batch, index));
        if let Some(last) = rest.last() {
            self.flushes.on_part_ended(journal.accepted_as(last));
        }
        if let Some(written) = &mut self.written
            && matches!(delivery.outcome, Outcome::Acked { .. })
        {
            written.on_acked(delivery.count);
        }
    }

    // ---- The wire -----------------------------------------------------------------------------

    /// A whole request, from its header on.
    pub(crate) fn on_request(&mut self, now: Instant, conn: ConnId, frame: &Bytes) {
        self.rates.on_request(now, conn, frame);
        if let Some(written) = &mut self.written {
            written.on_request(conn, frame);
        }
    }

    pub(crate) fn on_sent(&mut self, conn: ConnId, bytes: usize) {
        if let Some(written) = &mut self.written {
            written.on_sent(conn, bytes);
        }
    }

    pub(crate) fn on_fault(&mut self, fault: &Fault) {
        self.fatal.on_fault(fault);
        self.gapless.on_fault(fault);
        if matches!(
            fault,
            Fault::Delete(_)
                | Fault::Recreate(..)
                | Fault::Permit(_, Access::None)
                | Fault::Mislead(..)
        ) {
            self.waiters.on_unsure();
        }
        if let Fault::LimitBatches(..)
        | Fault::FailNext {
            error_code: error_code::MESSAGE_TOO_LARGE | error_code::RECORD_LIST_TOO_LARGE,
            ..
        } = fault
        {
            // Its parts may take their slots long before they are seen.
            self.memory.on_part();
        }
        if matches!(fault, Fault::Upgrade(..)) {
            self.linger.on_upgrade();
            self.waiters.on_unsure();
        }
        if matches!(
            fault,
            Fault::Starve(_)
                | Fault::Readdress(_)
                | Fault::SwapAddresses(..)
                | Fault::Blank(_)
                | Fault::Mislead(..)
        ) {
            self.reconnects.on_moved();
        }
    }

    /// What the checks came across.
    pub(crate) fn take_seen(&mut self) -> Vec<Sight> {
        self.gapless.take_seen()
    }

    // ---- After each step ----------------------------------------------------------------------

    /// Everything that the core had to say was heard.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        buffered_bytes: usize,
        next: impl Fn() -> Option<Deadline>,
        journal: &Journal,
    ) {
        let waiting_count = journal.waiting_count();
        if waiting_count > 0 {
            self.linger.on_press(now);
        }
        if self.flushes.is_waiting() {
            let next = next();
            if next.is_none_or(|deadline| deadline.at > now) {
                self.flushes.check(next);
            }
        }
        self.memory.check(buffered_bytes, waiting_count);
    }
}
