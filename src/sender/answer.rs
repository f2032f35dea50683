//! What became of an attempt, and what becomes of its batch: acked, sent again, or failed.

use super::Sender;
use super::chronicle::Sent;
use super::hint::Hint;
use super::verdict::{self, Trace, Verdict};
use crate::boundary::{ConnId, Outcome};
use crate::connection::in_flight::{Carried, Request, RequestKind};
use crate::error::DeliveryCause;
use crate::slot::{BatchSlot, BrokerSlot, PartitionSlot};
use crate::trace::TraceEvent;
use crate::wire::ErrorCode;
use crate::wire::produce::{PartitionResult, Response, TopicRef};
use core::cmp::Ordering;
use core::time::Duration;
use std::sync::Arc;

/// No batch begins later: its last record would have no offset.
const OFFSET_MAX: i64 = i64::MAX - i32::MAX as i64;

impl Sender {
    /// The answer to a produce request. What it says of partitions that were not asked about is
    /// ignored; what it leaves out is unknown (invariant B3).
    pub(super) fn on_produced(&mut self, conn: ConnId, request: &Request, answer: Response) {
        let RequestKind::Produce(carried) = &request.kind else {
            unreachable!("it is the answer to such a request");
        };
        let slot = self.connections[&conn].broker;
        let node = self.brokers[slot.index()].node;
        let sent = Sent::of(request, node, request.ends_at);
        // Brokers answer in an order of their own. The sort is stable: the first of duplicates
        // stays first, and counts.
        let mut results = answer.partitions;
        results.sort_by(|a, b| (&a.topic, a.index).cmp(&(&b.topic, b.index)));
        let mut hints = Vec::new();
        for carried in carried {
            let found = results.partition_point(|result| self.order(result, *carried).is_lt());
            let result = results
                .get(found)
                .filter(|result| self.order(result, *carried).is_eq());
            self.on_answered(*carried, &sent, result);
            hints.extend(result.and_then(|result| Hint::of(result, carried.partition)));
        }
        self.follow(&hints, node, &answer.node_endpoints);
        let throttle_ms = u64::try_from(answer.throttle_time_ms).unwrap_or(0);
        self.meters.on_throttle(self.now, throttle_ms);
        self.throttle(slot, answer.throttle_time_ms);
    }

    /// How a result stands to the one that a batch waits for.
    fn order(&self, result: &PartitionResult, carried: Carried) -> Ordering {
        let partition = self.metadata.partition(carried.partition);
        let by_topic = match &result.topic {
            TopicRef::Name(name) => (**name).cmp(&*self.metadata.topic(partition.topic).name),
            TopicRef::Id(id) => id.cmp(&carried.topic_id),
        };
        by_topic.then(result.index.cmp(&partition.index))
    }

    fn on_answered(&mut self, carried: Carried, sent: &Sent, result: Option<&PartitionResult>) {
        let lane = &mut self.lanes[carried.partition.index()];
        lane.on_request_ended();
        lane.on_returned();
        let Some(slot) = self.accumulator.find(carried.batch) else {
            // It was completed meanwhile; a late answer changes no outcome (S1, S6).
            self.on_answered_late(carried, result);
            self.mark_ready(carried.partition);
            return;
        };
        let history = &mut self.accumulator.batch_mut(slot).history;
        history.attempts += 1;
        history.last_broker = Some(sent.node);
        let reign = history.reign;
        let Some(result) = result else {
            history.is_unresolved = true;
            let cause = DeliveryCause::Protocol("the answer leaves the partition out".into());
            self.put_down_attempt(slot, sent, Some(cause.clone()));
            return self.retry_or_fail(slot, cause);
        };
        if result.error != ErrorCode::NONE {
            self.put_down_attempt(slot, sent, Some(refusal(result)));
        }
        match verdict::verdict(result.error, self.config.enable_idempotence) {
            Verdict::Acked => {
                let leader = self.metadata.partition(carried.partition).leader;
                let lane = &mut self.lanes[carried.partition.index()];
                if leader == Some(sent.node) && lane.on_acked(reign) {
                    self.metadata.on_acked(carried.partition);
                    self.denied.remove(&carried.partition);
                }
                self.ack(slot, result);
                self.mark_ready(carried.partition);
            }
            Verdict::Retry { refresh, trace } => {
                self.note_trace(slot, trace, result);
                if refresh == verdict::Refresh::Metadata {
                    self.refresh.want_all();
                    self.on_denied(carried.partition, reign, sent.node, result.error);
                }
                self.retry_or_fail(slot, refusal(result));
            }
            Verdict::OutOfSequence => {
                self.note_trace(slot, Trace::None, result);
                self.on_out_of_sequence(slot, result);
            }
            Verdict::Split if self.may_split(slot, result) => self.split(slot),
            Verdict::Split => {
                self.note_trace(slot, Trace::None, result);
                self.requeue(slot);
                self.fail(slot, refusal(result));
            }
            Verdict::Fail(Trace::None) if self.may_clear(slot, result) => self.clear(slot, result),
            Verdict::Fail(trace) => {
                self.note_trace(slot, trace, result);
                self.requeue(slot);
                self.fail(slot, refusal(result));
            }
        }
    }

    /// A broker says that it does not lead a partition, of what left in that reign. What left
    /// before the present one bears on an earlier leader.
    fn on_denied(&mut self, partition: PartitionSlot, reign: u64, node: i32, error: ErrorCode) {
        if self.lanes[partition.index()].reign() != reign {
            return;
        }
        if self.metadata.doubt(partition, node, is_missing(error)) {
            self.denied.insert(partition, self.now);
        }
    }

    /// What an answer says of the number of a batch that was completed meanwhile (I3).
    fn on_answered_late(&mut self, carried: Carried, result: Option<&PartitionResult>) {
        let Some(result) = result else {
            return;
        };
        let sequences = &mut self.lanes[carried.partition.index()].sequences;
        match verdict::verdict(result.error, self.config.enable_idempotence) {
            Verdict::Acked => sequences.on_written(carried.batch),
            Verdict::OutOfSequence
            | Verdict::Split
            | Verdict::Fail(Trace::None)
            | Verdict::Retry {
                trace: Trace::None, ..
            } if result.base_offset < 0 => sequences.on_late_refusal(carried.batch),
            Verdict::OutOfSequence | Verdict::Split | Verdict::Fail(_) | Verdict::Retry { .. } => {}
        }
    }

    /// An error that brings an offset came after the append, whatever its code proves otherwise: a
    /// leader that waited for its followers, and ceased to lead meanwhile, says that it is none.
    fn note_trace(&mut self, slot: BatchSlot, trace: Trace, result: &PartitionResult) {
        let history = &mut self.accumulator.batch_mut(slot).history;
        history.is_unresolved |= trace == Trace::Possible || result.base_offset >= 0;
    }

    fn ack(&mut self, slot: BatchSlot, result: &PartitionResult) {
        let batch = self.accumulator.batch(slot);
        let sequences = &mut self.lanes[batch.partition.index()].sequences;
        sequences.on_written(batch.id);
        let is_duplicate = result.error == ErrorCode::DUPLICATE_SEQUENCE_NUMBER;
        // A negative offset with no error is a lie we can see through, and one without room for a
        // batch after it (B8, B10).
        let is_told = !is_duplicate && (0..=OFFSET_MAX).contains(&result.base_offset);
        let base_offset = if is_told { result.base_offset } else { -1 };
        let log_append_time_ms = result.log_append_time_ms.max(-1);
        self.complete(
            slot,
            Outcome::Acked {
                base_offset,
                log_append_time_ms,
            },
        );
    }

    /// acks=0: a request is fully written, and that is all there is to know.
    pub(super) fn on_written(&mut self, broker: BrokerSlot, request: Request) {
        let RequestKind::Produce(carried) = request.kind else {
            return;
        };
        let node = self.brokers[broker.index()].node;
        for carried in carried {
            let lane = &mut self.lanes[carried.partition.index()];
            lane.on_request_ended();
            lane.on_returned();
            if let Some(slot) = self.accumulator.find(carried.batch) {
                let history = &mut self.accumulator.batch_mut(slot).history;
                (history.attempts, history.last_broker) = (history.attempts + 1, Some(node));
                self.complete(
                    slot,
                    Outcome::Acked {
                        base_offset: -1,
                        log_append_time_ms: -1,
                    },
                );
            }
            self.mark_ready(carried.partition);
        }
    }

    /// The connection of an attempt is gone; `sent`: with which request. Without a byte out it was
    /// none (S12).
    pub(super) fn on_attempt_lost(
        &mut self,
        carried: Carried,
        sent: Option<&Sent>,
        cause: &DeliveryCause,
    ) {
        self.lanes[carried.partition.index()].on_returned();
        let Some(slot) = self.accumulator.find(carried.batch) else {
            self.mark_ready(carried.partition);
            return;
        };
        let history = &mut self.accumulator.batch_mut(slot).history;
        history.last_failure = Some(cause.clone());
        let Some(sent) = sent else {
            if history.attempts == 0 {
                self.take_back_numbers(slot);
            }
            self.requeue(slot);
            if self.is_behind_gap(slot) {
                self.fail(slot, DeliveryCause::Gap);
            } else if self.is_found_out_late(slot) {
                self.fail(slot, DeliveryCause::DeliveryTimeout);
            }
            return;
        };
        history.attempts += 1;
        history.last_broker = Some(sent.node);
        history.is_unresolved = true;
        self.put_down_attempt(slot, sent, Some(cause.clone()));
        self.retry_or_fail(slot, cause.clone());
    }

    /// Sends the batch again after a pause, if `retries` allows; else it fails.
    pub(super) fn retry_or_fail(&mut self, slot: BatchSlot, cause: DeliveryCause) {
        self.requeue(slot);
        if self.is_behind_gap(slot) {
            return self.fail(slot, DeliveryCause::Gap);
        }
        let history = &self.accumulator.batch(slot).history;
        let attempts = history.attempts - history.divisions;
        // acks=0 is never sent again: nobody would tell whether it was needed.
        if attempts > self.config.retries || self.rules.is_unanswered {
            return self.fail(slot, cause);
        }
        if self.is_found_out_late(slot) {
            return self.fail(slot, DeliveryCause::DeliveryTimeout);
        }
        // A leader of a newer epoch than it left for is worth an attempt at once (KIP-951, L8).
        let partition = self.accumulator.batch(slot).partition;
        let is_led_anew = self.lanes[partition.index()].is_led_anew(history.reign);
        let pause = if is_led_anew {
            Duration::ZERO
        } else {
            self.retry.pause(attempts, &mut self.rng)
        };
        let not_before = self.now + pause;
        let batch = self.accumulator.batch_mut(slot);
        batch.history.last_failure = Some(cause.clone());
        batch.history.not_before = not_before;
        let (id, records) = (batch.root(), batch.record_count);
        self.backing_off.insert((not_before, partition));
        self.stats.retries += 1;
        let topic = self.metadata.partition(partition).topic;
        self.meters.on_retry(self.now, topic, records);
        self.trace(|sender| TraceEvent::Retry {
            topic: Arc::clone(&sender.metadata.topic_of(partition).name),
            partition: sender.metadata.partition(partition).index,
            batch: id,
            cause,
            not_before,
        });
    }

    /// Back into the lane, in its place.
    pub(super) fn requeue(&mut self, slot: BatchSlot) {
        let partition = self.accumulator.batch(slot).partition;
        self.enqueue(partition, slot);
    }

    /// The broker asks for a pause (KIP-219). Absurd values are clamped (B8).
    pub(super) fn throttle(&mut self, slot: BrokerSlot, throttle_time_ms: i32) {
        let Ok(millis @ 1..) = u64::try_from(throttle_time_ms) else {
            return;
        };
        let most = self.config.effective_delivery_timeout();
        let until = self.now + Duration::from_millis(millis).min(most);
        let broker = &mut self.brokers[slot.index()];
        broker.throttle(self.now, until);
        let node = broker.node;
        self.trace(|_| TraceEvent::Throttled { node, until });
    }
}

/// Whether the broker knows no such partition.
fn is_missing(error: ErrorCode) -> bool {
    [
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::UNKNOWN_TOPIC_ID,
    ]
    .contains(&error)
}

/// The broker's refusal as a cause, in its own words if it sent some (KIP-467).
pub(super) fn refusal(result: &PartitionResult) -> DeliveryCause {
    let of_record = result
        .record_errors
        .iter()
        .find_map(|(_, words)| words.as_deref());
    let words = result.error_message.as_deref().or(of_record);
    DeliveryCause::Broker(result.error, words.map(Arc::from))
}
