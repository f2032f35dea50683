//! Everything of the sender that happens by the passing of time, and when it happens next.
//!
//! Invariants L6, L7: a deadline is answered if and only if acting on it changes something.

use super::Sender;
use super::ask::Oracle;
use super::link::Ending;
use crate::accumulator::batch::Place;
use crate::boundary::{ConnId, Deadline, Reason};
use crate::connection::Connection;
use crate::connection::phase::{Phase, PhaseEvent, Step};
use crate::error::DeliveryCause;
use crate::slot::BatchSlot;
use crate::time::Instant;

impl Sender {
    /// Drops connections that took too long to be set up, or to answer.
    pub(super) fn give_up_connections(&mut self) {
        let late: Vec<ConnId> = self
            .connections
            .values()
            .filter(|connection| self.connection_deadline(connection).at <= self.now)
            .map(|connection| connection.id)
            .collect();
        for conn in late {
            if self.step(conn, PhaseEvent::SetupTimedOut) == Step::GiveUp {
                self.lose(conn, &DeliveryCause::SetupTimeout, Ending::Dropped);
            } else if self.connections[&conn].requests() == 0 {
                // Nothing failed: no pause before the next, and no doubt about the cluster.
                self.end_idle(conn);
            } else {
                self.lose(conn, &DeliveryCause::RequestTimeout, Ending::Dropped);
            }
        }
    }

    fn connection_deadline(&self, connection: &Connection) -> Deadline {
        match connection.phase {
            Phase::Connecting { give_up_at } | Phase::Negotiating { give_up_at } => Deadline {
                at: give_up_at,
                reason: Reason::ConnectionSetup,
            },
            Phase::Ready(_) if connection.requests() == 0 => {
                // Who is kept waiting by the broker is not idle.
                let throttled_until = self.brokers[connection.broker.index()].throttled_until;
                let idle_since = connection.used_at.max(throttled_until);
                Deadline {
                    at: idle_since + self.config.connections_max_idle,
                    reason: Reason::ConnectionIdle,
                }
            }
            Phase::Ready(_) => {
                let throttled_until = self.brokers[connection.broker.index()].throttled_until;
                let timeout = self.config.request_timeout;
                let at = connection.request_deadline(timeout, throttled_until);
                Deadline {
                    at: at.unwrap_or(Instant::FAR),
                    reason: Reason::RequestTimeout,
                }
            }
        }
    }

    /// Fails what is older than `delivery_timeout`, wherever it is (invariant L1).
    pub(super) fn expire_batches(&mut self) {
        while let Some((slot, at)) = self.first_expiry() {
            if at > self.now {
                return;
            }
            if self.can_be_found_out(slot) {
                self.accumulator.put_overdue(slot);
            } else {
                self.fail(slot, DeliveryCause::DeliveryTimeout);
            }
        }
    }

    /// The batch that expires next, and when.
    fn first_expiry(&self) -> Option<(BatchSlot, Instant)> {
        let timeout = self.config.effective_delivery_timeout();
        let expiry = |slot: BatchSlot, timeout| {
            let created = self.accumulator.batch(slot).created;
            (slot, created + timeout)
        };
        let in_time = self.accumulator.oldest_in_time();
        let in_time = in_time.map(|slot| expiry(slot, timeout));
        let overdue = self.accumulator.oldest_overdue();
        let resolve_timeout = timeout.saturating_add(self.config.resolve_timeout);
        let overdue = overdue.map(|slot| expiry(slot, resolve_timeout));
        overdue.into_iter().chain(in_time).min_by_key(|(_, at)| *at)
    }

    /// Whether a batch whose deadline is past is worth to be sent again under its own number: then
    /// it is known whether it was written.
    fn can_be_found_out(&self, slot: BatchSlot) -> bool {
        let batch = self.accumulator.batch(slot);
        let is_under_way = matches!(batch.place, Place::InFlight(_));
        !self.config.resolve_timeout.is_zero()
            && !batch.is_overdue
            && batch.sequence.is_some()
            && (batch.history.is_unresolved || is_under_way)
    }

    /// Whether a batch is past its deadline, and known to be absent by now.
    pub(super) fn is_found_out_late(&self, slot: BatchSlot) -> bool {
        let batch = self.accumulator.batch(slot);
        batch.is_overdue && !batch.history.is_unresolved
    }

    /// Open batches that lingered long enough, or that something presses, become due.
    pub(super) fn end_lingers(&mut self) {
        while let Some((partition, ends_at)) = self.accumulator.first_lingering() {
            let open = self.accumulator.open_slot(partition).expect("it lingers");
            let is_pressed = self.accumulator.batch(open).ordinal < self.pressed_before;
            if ends_at > self.now && !is_pressed {
                return;
            }
            self.make_open_due(partition);
        }
    }

    /// Lanes whose backoff is over may send again.
    pub(super) fn end_backoffs(&mut self) {
        while let Some((at, partition)) = self.backing_off.first().copied() {
            if at > self.now {
                return;
            }
            self.backing_off.pop_first();
            self.mark_ready(partition);
        }
    }

    /// The next thing to do, and why.
    pub(crate) fn deadline(&self) -> Option<Deadline> {
        if self.has_facts || !self.outputs.is_empty() {
            return Some(Deadline {
                at: self.now,
                reason: Reason::WorkQueued,
            });
        }
        let connections = self
            .connections
            .values()
            .map(|c| self.connection_deadline(c));
        let brokers = (0..self.brokers.len()).filter_map(|index| self.broker_deadline(index));
        let expiry = self.first_expiry().map(|(_, at)| Deadline {
            at,
            reason: Reason::DeliveryTimeout,
        });
        let linger = self.accumulator.first_lingering();
        let linger = linger.map(|(_, at)| Deadline {
            at,
            reason: Reason::Linger,
        });
        let backoff = self.backing_off.first();
        let backoff = backoff.map(|(at, _)| Deadline {
            at: *at,
            reason: Reason::RetryBackoff,
        });
        connections
            .chain(brokers)
            .chain(expiry)
            .chain(linger)
            .chain(backoff)
            .chain(self.metadata_deadline())
            .chain(self.identity_deadline())
            .chain(self.rebootstrap_deadline())
            .filter(|deadline| deadline.at != Instant::FAR)
            .min_by_key(|deadline| deadline.at)
    }

    /// When a broker with something drafted or in its ring can be sent to, or connected to.
    fn broker_deadline(&self, index: usize) -> Option<Deadline> {
        let broker = &self.brokers[index];
        let conn = broker.conn.map(|conn| &self.connections[&conn]);
        if conn.is_some_and(Connection::has_sealed_draft) {
            return Some(Deadline {
                at: broker.throttled_until,
                reason: Reason::Throttle,
            });
        }
        if broker.ring.is_empty() {
            return None;
        }
        let Some(conn) = broker.conn else {
            let is_due = broker.retry_at <= self.now;
            let reason = if is_due {
                Reason::WorkQueued
            } else {
                Reason::ReconnectBackoff
            };
            return Some(Deadline {
                at: broker.retry_at,
                reason,
            });
        };
        // A connection without room frees itself by an answer or its own deadline.
        self.connections[&conn].room(self.rules.max_in_flight)?;
        let at = broker.throttled_until;
        let reason = if at > self.now {
            Reason::Throttle
        } else {
            Reason::WorkQueued
        };
        Some(Deadline {
            at: at.max(self.now),
            reason,
        })
    }

    fn metadata_deadline(&self) -> Option<Deadline> {
        if self.refresh.waited_for().is_some() {
            return self.give_up_deadline();
        }
        let mut wanted = self.refresh.deadline()?;
        if wanted.at <= self.now && wanted.reason == Reason::MetadataBackoff {
            // It waits for nothing but to be done.
            wanted.reason = Reason::WorkQueued;
        }
        match self.oracle() {
            Oracle::Ask(_) => Some(wanted),
            Oracle::Connect(slot) => {
                let retry_at = self.brokers[slot.index()].retry_at;
                if retry_at <= wanted.at {
                    return Some(wanted);
                }
                let reconnect = Deadline {
                    at: retry_at,
                    reason: Reason::ReconnectBackoff,
                };
                // A broker that throttles may be free to answer before that.
                let free = self.throttle_end_after(self.now).map(|end| Deadline {
                    at: end.at.max(wanted.at),
                    ..end
                });
                free.into_iter()
                    .chain([reconnect])
                    .min_by_key(|deadline| deadline.at)
            }
            // Before it is due it is a timer like any other; after that, events decide.
            Oracle::Wait if wanted.at > self.now => Some(wanted),
            Oracle::Wait => self.earliest_relief(),
        }
    }

    /// When whoever needs any broker, and can ask none now, should look again.
    pub(super) fn earliest_relief(&self) -> Option<Deadline> {
        self.relief_after(self.now)
    }

    /// [`Self::earliest_relief`] for who can ask none at `at`.
    pub(super) fn relief_after(&self, at: Instant) -> Option<Deadline> {
        self.throttle_end_after(at)
            .into_iter()
            .chain(self.slow_after(at))
            .min_by_key(|deadline| deadline.at)
    }

    /// When the first of the connections counts as slow that are set up or owe an answer, of those
    /// that do not at `at`.
    fn slow_after(&self, at: Instant) -> Option<Deadline> {
        let slow = self.connections.values().map(|connection| Deadline {
            at: connection.patience_ends_at(),
            reason: match connection.phase {
                Phase::Ready(_) => Reason::RequestTimeout,
                Phase::Connecting { .. } | Phase::Negotiating { .. } => Reason::ConnectionSetup,
            },
        });
        slow.filter(|deadline| deadline.at > at && deadline.at != Instant::FAR)
            .min_by_key(|deadline| deadline.at)
    }

    /// When the first of the brokers can be asked again that throttle at `at`.
    fn throttle_end_after(&self, at: Instant) -> Option<Deadline> {
        let limit = self.rules.max_in_flight;
        let with_room = self
            .connections
            .values()
            .filter(|c| c.room(limit).is_some());
        let ends = with_room.map(|c| self.brokers[c.broker.index()].throttled_until);
        let at = ends.filter(|end| *end > at).min()?;
        Some(Deadline {
            at,
            reason: Reason::Throttle,
        })
    }
}
