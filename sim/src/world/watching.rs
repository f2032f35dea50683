//! What the world shows to those who look for broken promises.

use titorelli::{DeliveryCause, Instant, Outcome, Output, ProducerCore, TraceEvent};

use super::World;
use crate::check::nothing_is_due;
use crate::fault::Fault;
use crate::timeline::Telling;

/// At every so manieth step the core is called although nothing is due, where many runs have to
/// be quick; elsewhere at every one.
const STEPS_PER_EARLY_CALL: u64 = 8;

impl World {
    /// Values of records are unique: batches can be told apart by what they hold.
    pub(crate) fn tell_batches_apart(&mut self) {
        if let Some(flights) = &mut self.flights {
            flights.tell_apart();
        }
    }

    /// Nothing happens before `until`, and nothing is due: now and then the core has to prove it.
    pub(super) fn call_early(&mut self, until: Instant) {
        let is_thorough = self.telling != Telling::Nothing;
        let is_its_turn = is_thorough || self.steps.is_multiple_of(STEPS_PER_EARLY_CALL);
        if until > self.now && is_its_turn {
            nothing_is_due(&mut self.core, until);
        }
    }

    /// A fault that is about to strike.
    pub(super) fn watch_fault(&mut self, fault: &Fault) {
        self.watch.on_fault(fault);
        if let Some(flights) = &mut self.flights {
            flights.leaders.on_fault(fault);
        }
    }

    /// An effect of the core that is about to be carried out.
    pub(super) fn watch_output(&mut self, output: &Output) {
        self.watch.on_output(self.now, output, &self.journal);
        if let Output::Closed = output {
            let has_open = self.connections.rows().any(|(_, c)| c.is_open);
            assert!(!has_open, "S8: a connection outlives the producer");
        }
        let Some(flights) = &mut self.flights else {
            return;
        };
        match output {
            Output::Delivered(delivery) => {
                let (topic, partition) = (&delivery.topic, delivery.partition);
                let is_acked = matches!(delivery.outcome, Outcome::Acked { .. });
                let id = self.journal.with_ticket(delivery.batch, delivery.first);
                if let (Some(id), false) = (id, is_acked) {
                    let value = self.journal.record(id).value.as_deref();
                    let place = ((**topic).to_owned(), partition);
                    flights.on_given_up(self.now, &place, value);
                }
            }
            Output::Trace(TraceEvent::ConnectionLost {
                conn,
                cause: DeliveryCause::RequestTimeout,
                ..
            }) => flights.on_request_timeout(self.now, *conn),
            Output::Trace(TraceEvent::LeaderChanged {
                topic,
                partition,
                leader,
                epoch,
            }) => {
                let (place, told) = ((&**topic, *partition), (*leader, *epoch));
                let cluster = &self.cluster;
                if let Some(leader) = leader {
                    flights.on_believed(place, (*leader, *epoch));
                }
                flights.leaders.on_changed(self.now, place, told, cluster);
            }
            Output::Connect { .. }
            | Output::Transmit { .. }
            | Output::Disconnect(_)
            | Output::Seal(_)
            | Output::Admitted(_)
            | Output::Refused(..)
            | Output::Flushed(_)
            | Output::Closed
            | Output::Trace(_) => {}
        }
    }

    /// The core has said all that it had to say, unless it is not called.
    pub(super) fn look(&mut self, buffered_bytes: usize) {
        if self.naps.is_asleep() {
            return;
        }
        let core: &ProducerCore = &self.core;
        let next = || core.poll_timeout();
        self.watch
            .check(self.now, buffered_bytes, next, &self.journal);
        for sight in self.watch.take_seen() {
            self.sights.see(sight);
        }
        let Some(flights) = &mut self.flights else {
            return;
        };
        if let Some(conn) = self.heard.take() {
            flights.check_answers(conn);
        }
        for sight in flights.take_seen() {
            self.sights.see(sight);
        }
    }
}
