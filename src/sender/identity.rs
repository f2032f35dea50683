//! Who the producer is to the brokers: its producer id and epoch (KIP-98), asked for once, and its
//! epoch raised by the producer itself when a partition has to begin its numbers again (KIP-360).
//!
//! Any broker gives a producer id, and two that are given do no harm: so whoever is slow to answer
//! is not waited for, and the first answer counts.

use super::Sender;
use super::lane::Lane;
use super::sequence::Ahead;
use crate::boundary::{BatchId, ConnId, Deadline, Reason};
use crate::connection::Connection;
use crate::connection::in_flight::RequestKind;
use crate::error::DeliveryCause;
use crate::slot::{BatchSlot, PartitionSlot};
use crate::time::Instant;
use crate::trace::TraceEvent;
use crate::wire::init_producer_id::{self, Request, Response};
use crate::wire::produce::PartitionResult;
use crate::wire::record_batch::Sequence;
use crate::wire::{ErrorCode, RequestHead};
use std::sync::Arc;

/// A producer id and its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

/// How often a batch may be refused for its number before it fails: brokers that refuse whatever
/// number comes would be asked until its deadline else (I8).
const SEQUENCE_REFUSALS_MAX: u32 = 8;

/// How the producer comes by its identity.
#[derive(Debug, Default)]
pub(crate) struct Registration {
    /// What new numbers are given under.
    known: Option<Identity>,
    /// Whether one was known before: then its numbers begin at 0.
    is_renewed: bool,
    /// The id that has no epochs left: given again it would bring its numbers again (I2).
    spent: Option<i64>,
    /// The connections that owe an answer.
    pub(super) asked: Vec<ConnId>,
    /// Those of them that were asked in another cluster: the id may be somebody else's in this one.
    void: Vec<ConnId>,
    /// Not asked before.
    pub(super) not_before: Instant,
    failures: u32,
    /// What the last attempt met.
    pub(crate) last_failure: Option<DeliveryCause>,
}

impl Identity {
    /// With the number of a batch's first record.
    fn sequence(self, base_sequence: i32) -> Sequence {
        Sequence {
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            base_sequence,
        }
    }
}

impl Registration {
    /// A connection owes no answer any more. Whether its answer counts.
    fn on_done(&mut self, conn: ConnId) -> bool {
        self.asked.retain(|asked| *asked != conn);
        let is_valid = !self.void.contains(&conn);
        self.void.retain(|void| *void != conn);
        is_valid
    }

    /// The next epoch of this identity, unless a higher one is in use already. After the last epoch
    /// there is no identity until brokers give another (I4).
    fn bump(&mut self, worn: Identity) {
        if self.known != Some(worn) {
            return;
        }
        let next = worn.epoch.checked_add(1);
        self.spent = next.is_none().then_some(worn.producer_id).or(self.spent);
        self.known = next.map(|epoch| Identity { epoch, ..worn });
        self.is_renewed = true;
    }
}

impl Sender {
    /// Whether a producer id is to be asked for: at first in any case, so that it is there when the
    /// first record is; after a failure while something waits for it.
    fn wants_identity(&self) -> bool {
        let registration = &self.registration;
        let has_need = registration.failures == 0 || self.accumulator.oldest().is_some();
        self.config.enable_idempotence
            && registration.known.is_none()
            && self.fatal.is_none()
            && has_need
    }

    /// Asks for a producer id, if it is time.
    pub(super) fn ask_identity(&mut self) {
        if !self.wants_identity() || self.registration.not_before > self.now {
            return;
        }
        let Some((conn, version)) = self.identity_source() else {
            if self.is_stranded() {
                self.mark_all_ready();
            }
            return;
        };
        let connection = self.connections.get_mut(&conn).expect("chosen from these");
        self.brokers[connection.broker.index()].asked_id_at = self.now;
        let correlation_id = connection.take_correlation_id();
        let head = RequestHead {
            correlation_id,
            client_id: Some(self.config.client_id()),
        };
        let request = Request {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            producer_id: -1,
            producer_epoch: -1,
        };
        let frame = init_producer_id::encode_request(version, &head, &request);
        self.registration.asked.push(conn);
        let kind = RequestKind::InitProducerId;
        self.emit(conn, correlation_id, version, kind, vec![frame]);
    }

    /// Whether something waits for an id, left its ring for that, and nobody is connected to for
    /// its sake.
    fn is_stranded(&self) -> bool {
        let is_left = |(index, lane): (usize, &Lane)| {
            let is_leaderless = self.leaderless.contains(&PartitionSlot::at(index));
            lane.has_work() && lane.ring.is_none() && !is_leaderless
        };
        self.connections.is_empty() && self.lanes.iter().enumerate().any(is_left)
    }

    /// Whom to ask, at which version: the least loaded connection that has room, and of these in
    /// turn, for one may refuse for ever (L12); unless one was asked that may answer any moment.
    fn identity_source(&self) -> Option<(ConnId, i16)> {
        let is_quick = |connection: &Connection| self.now < connection.patience_ends_at();
        let Registration { asked, void, .. } = &self.registration;
        let mut awaited = asked.iter().filter(|conn| !void.contains(conn));
        if awaited.any(|conn| is_quick(&self.connections[conn])) {
            return None;
        }
        let is_free = |connection: &&Connection| {
            let throttled_until = self.brokers[connection.broker.index()].throttled_until;
            throttled_until <= self.now && is_quick(connection) && !asked.contains(&connection.id)
        };
        let speaks = |connection: &Connection| {
            let versions = connection.room(self.rules.max_in_flight)?;
            Some((connection.id, versions.init_producer_id?))
        };
        let free = self.connections.values().filter(is_free);
        let able = free.filter(|connection| speaks(connection).is_some());
        let turn = |c: &&Connection| self.brokers[c.broker.index()].asked_id_at;
        let best = able.min_by_key(|c| (c.in_flight.len(), turn(c)))?;
        speaks(best)
    }

    /// When a producer id can be asked for.
    pub(super) fn identity_deadline(&self) -> Option<Deadline> {
        if !self.wants_identity() {
            return None;
        }
        let not_before = self.registration.not_before;
        if not_before > self.now {
            return Some(Deadline {
                at: not_before,
                reason: Reason::ProducerIdBackoff,
            });
        }
        if self.identity_source().is_some() || self.is_stranded() {
            return Some(Deadline {
                at: self.now,
                reason: Reason::WorkQueued,
            });
        }
        self.earliest_relief()
    }

    /// The request for a producer id is answered.
    pub(super) fn on_init_producer_id(&mut self, conn: ConnId, answer: &Response) {
        let broker = self.connections[&conn].broker;
        let is_valid = self.registration.on_done(conn);
        self.throttle(broker, answer.throttle_time_ms);
        // The first answer counts, also the one that ends everything (S14).
        if !is_valid || self.registration.known.is_some() || self.fatal.is_some() {
            return;
        }
        match answer.error {
            ErrorCode::NONE if self.registration.spent == Some(answer.producer_id) => {
                let cause = DeliveryCause::Protocol("a producer id that is spent".into());
                self.on_identity_refused(cause);
            }
            ErrorCode::NONE if answer.producer_id >= 0 && answer.producer_epoch >= 0 => {
                let identity = Identity {
                    producer_id: answer.producer_id,
                    epoch: answer.producer_epoch,
                };
                self.on_identity(identity);
            }
            ErrorCode::NONE => {
                let cause = DeliveryCause::Protocol("a producer id below 0".into());
                self.on_identity_refused(cause);
            }
            // Neither is cured by time (S14).
            code @ (ErrorCode::CLUSTER_AUTHORIZATION_FAILED | ErrorCode::UNSUPPORTED_VERSION) => {
                self.fatal = Some(DeliveryCause::NoProducerId(code));
            }
            code => self.on_identity_refused(DeliveryCause::NoProducerId(code)),
        }
    }

    fn on_identity(&mut self, identity: Identity) {
        self.registration.known = Some(identity);
        self.registration.failures = 0;
        self.registration.last_failure = None;
        self.trace(|_| TraceEvent::ProducerId {
            producer_id: identity.producer_id,
            epoch: identity.epoch,
        });
        self.mark_all_ready();
    }

    /// Lanes that wait for a producer id have left their rings.
    fn mark_all_ready(&mut self) {
        for index in 0..self.lanes.len() {
            self.mark_ready(PartitionSlot::at(index));
        }
    }

    fn on_identity_refused(&mut self, cause: DeliveryCause) {
        let registration = &mut self.registration;
        registration.failures = registration.failures.saturating_add(1);
        let pause = self.retry.pause(registration.failures, &mut self.rng);
        registration.not_before = self.now + pause;
        registration.last_failure = Some(cause);
    }

    /// The connection that was asked for a producer id is gone.
    pub(super) fn on_identity_lost(&mut self, conn: ConnId, cause: &DeliveryCause) {
        if self.registration.on_done(conn) && self.registration.known.is_none() {
            self.on_identity_refused(cause.clone());
        }
    }

    /// The brokers say which cluster they are. Where it is another than before, somebody else may
    /// have the producer id there: a new one is asked for, and all numbers begin again.
    pub(super) fn on_cluster_id(&mut self, told: Option<&str>) {
        let Some(told) = told else {
            return;
        };
        if self.cluster_id.as_deref() == Some(told) {
            return;
        }
        let is_first = self.cluster_id.replace(told.into()).is_none();
        if is_first || !self.config.enable_idempotence {
            return;
        }
        self.registration.known = None;
        self.registration.void = self.registration.asked.clone();
        self.registration.is_renewed = true;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            if lane.sequences.has_given() || lane.in_flight() > 0 {
                lane.sequences.on_out_of_step();
                self.restarting.insert(PartitionSlot::at(index));
            } else {
                lane.sequences.restart();
            }
        }
    }

    /// Whether the lane's next batch has a number, or may be given one now.
    pub(super) fn may_number(&self, partition: PartitionSlot) -> bool {
        let lane = &self.lanes[partition.index()];
        let next = lane.queue.front();
        !self.config.enable_idempotence
            || next.is_some_and(|slot| self.accumulator.batch(*slot).sequence.is_some())
            || (!lane.sequences.must_restart() && self.identity_for(partition).is_some())
    }

    /// Under whom the lane's next number is given: a lane with numbers in doubt stays with theirs,
    /// any other takes the newest (I4).
    fn identity_for(&self, partition: PartitionSlot) -> Option<Identity> {
        let lane = &self.lanes[partition.index()];
        let own = lane.sequences.identity();
        let is_bound = lane.sequences.has_given() || lane.in_flight() > 0;
        match own {
            Some(own) if is_bound => Some(own),
            _ => self.registration.known.or(own),
        }
    }

    /// A batch gets its number, if it has none (I1).
    pub(super) fn number(&mut self, slot: BatchSlot) {
        let batch = self.accumulator.batch(slot);
        if !self.config.enable_idempotence || batch.sequence.is_some() {
            return;
        }
        let (partition, id, count) = (batch.partition, batch.id, batch.record_count);
        let identity = self.identity_for(partition).expect("it was looked at");
        let first = if self.registration.is_renewed {
            0
        } else {
            self.config.first_sequence
        };
        let lane = &mut self.lanes[partition.index()];
        if lane.sequences.identity() != Some(identity) {
            lane.on_new_identity();
        }
        let base_sequence = lane.sequences.give(identity, first, id, count);
        self.accumulator.batch_mut(slot).sequence = Some(identity.sequence(base_sequence));
    }

    /// A batch did not leave: what numbers it and those after it had is free again.
    pub(super) fn take_back_numbers(&mut self, slot: BatchSlot) {
        let (partition, id) = {
            let batch = self.accumulator.batch(slot);
            (batch.partition, batch.id)
        };
        for id in self.lanes[partition.index()].sequences.take_back(id) {
            if let Some(slot) = self.accumulator.find(id) {
                self.accumulator.batch_mut(slot).sequence = None;
            }
        }
    }

    /// A batch that has a number ends without an acknowledgement: what becomes of the number (I3).
    pub(super) fn abandon_number(&mut self, slot: BatchSlot, was_unresolved: bool) {
        let batch = self.accumulator.batch(slot);
        if batch.sequence.is_none() {
            return;
        }
        let (partition, id, history) = (batch.partition, batch.id, &batch.history);
        let (attempts, is_unresolved) = (history.attempts, history.is_unresolved);
        if attempts == 0 {
            return self.take_back_numbers(slot);
        }
        let sequences = &mut self.lanes[partition.index()].sequences;
        if is_unresolved {
            sequences.on_abandoned(id, !was_unresolved);
        } else {
            sequences.on_missing(id);
        }
        self.restarting.insert(partition);
    }

    /// A broker refuses a batch for its number, or for its epoch (I8).
    pub(super) fn on_out_of_sequence(&mut self, slot: BatchSlot, result: &PartitionResult) {
        let batch = self.accumulator.batch_mut(slot);
        batch.history.sequence_refusals += 1;
        let is_unresolved = batch.history.is_unresolved;
        let is_hopeless = batch.history.sequence_refusals > SEQUENCE_REFUSALS_MAX;
        let (partition, id) = (batch.partition, batch.id);
        let cause = super::answer::refusal(result);
        let sequences = &mut self.lanes[partition.index()].sequences;
        match sequences.ahead_of(id) {
            // Those before it are sent again before it is, and then it fits.
            Ahead::Live if !is_hopeless => self.retry_or_fail(slot, cause),
            // An earlier attempt may have written it, and the broker may have forgotten.
            Ahead::Nothing | Ahead::Abandoned | Ahead::Live if is_unresolved || is_hopeless => {
                self.requeue(slot);
                self.fail(slot, cause);
            }
            Ahead::Nothing | Ahead::Abandoned | Ahead::Live => {
                sequences.on_out_of_step();
                self.restarting.insert(partition);
                self.retry_or_fail(slot, cause);
            }
        }
    }

    /// Lanes whose numbers are in doubt, or have a hole, begin again under a higher epoch, when
    /// nothing of theirs is under way.
    pub(super) fn restart_sequences(&mut self) {
        for partition in core::mem::take(&mut self.restarting) {
            let lane = &self.lanes[partition.index()];
            if !lane.sequences.must_restart() {
                self.mark_ready(partition);
            } else if lane.in_flight() > 0 || !self.is_settled(partition) {
                self.restarting.insert(partition);
            } else {
                self.restart(partition);
            }
        }
    }

    /// Whether the oldest batch that would be sent under a new number is known to be absent under
    /// the old one (I5). One in doubt is tried under its own number first.
    fn is_settled(&self, partition: PartitionSlot) -> bool {
        let oldest = self.lanes[partition.index()].sequences.live().next();
        oldest.is_none_or(|id| {
            let slot = self.accumulator.find(id).expect("a live batch");
            !self.accumulator.batch(slot).history.is_unresolved
        })
    }

    /// Checks what must always hold: a batch and its lane agree on its number.
    pub(super) fn check_sequences(&self, lane: &Lane) {
        lane.sequences.check_invariants(self.rules.max_in_flight);
        for id in lane.sequences.live() {
            let slot = self
                .accumulator
                .find(id)
                .expect("a live batch is in the table");
            let sequence = self.accumulator.batch(slot).sequence;
            let identity = lane.sequences.identity();
            let told = identity.map(|identity| (identity.producer_id, identity.epoch));
            let own = sequence.map(|own| (own.producer_id, own.producer_epoch));
            assert_eq!(own, told, "I4: one epoch at a time");
        }
        for slot in &lane.queue {
            let batch = self.accumulator.batch(*slot);
            let is_numbered = batch.sequence.is_some();
            let has_left = batch.history.attempts > 0;
            assert!(
                has_left || !is_numbered,
                "I1: what is queued anew has no number"
            );
        }
    }

    fn restart(&mut self, partition: PartitionSlot) {
        let lane = &self.lanes[partition.index()];
        for id in lane.sequences.live().collect::<Vec<_>>() {
            // Perhaps one before it took it along.
            let Some(slot) = self.accumulator.find(id) else {
                continue;
            };
            let history = &self.accumulator.batch(slot).history;
            if history.is_unresolved {
                // One before it is absent, so brokers would refuse its number; and it may be there
                // all the same, if they forgot the producer or the topic is another (I5).
                let code = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
                self.fail(slot, DeliveryCause::Broker(code, None));
            } else if self.is_found_out_late(slot) {
                self.fail(slot, DeliveryCause::DeliveryTimeout);
            }
        }
        let lane = &mut self.lanes[partition.index()];
        let live: Vec<_> = lane.sequences.live().collect();
        let worn = lane.sequences.identity().expect("it has given numbers");
        lane.sequences.restart();
        for id in &live {
            let slot = self.accumulator.find(*id).expect("a live batch");
            self.accumulator.batch_mut(slot).sequence = None;
        }
        self.registration.bump(worn);
        let next = self.registration.known;
        self.trace(|sender| TraceEvent::SequencesRestarted {
            topic: Arc::clone(&sender.metadata.topic_of(partition).name),
            partition: sender.metadata.partition(partition).index,
            epoch: next.map(|identity| identity.epoch),
        });
        self.mark_ready(partition);
        if let Some(cause) = self.fatal.clone() {
            self.fail_unnumbered(&live, &cause);
        }
    }

    /// Nobody gives these another number any more, and they are known to be absent (S14).
    fn fail_unnumbered(&mut self, batches: &[BatchId], cause: &DeliveryCause) {
        for id in batches {
            // Perhaps one before it took it along.
            if let Some(slot) = self.accumulator.find(*id) {
                self.fail(slot, cause.clone());
            }
        }
    }
}
