//! Calls that cannot be served at once: how they wait, whose turn it is, and what they are told.

use super::waiting::{Waiter, Want};
use super::{Patience, ProducerCore};
use crate::boundary::Output;
use crate::error::{SendError, UnknownCause};
use crate::sender::Sender;
use crate::sender::ask::Answered;
use crate::slot::TopicSlot;
use crate::time::Instant;
use crate::wire::ErrorCode;
use core::time::Duration;
use std::sync::Arc;

impl ProducerCore {
    /// A call has to wait, if it has the patience.
    #[cold]
    #[inline(never)]
    pub(super) fn wait(&mut self, now: Instant, patience: Patience, want: Want) -> SendError {
        let now = self.tick(now);
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
            Patience::Wait => {
                let deadline = now + self.sender.config.max_block;
                SendError::WouldBlock(self.waiters.add(now, deadline, want))
            }
            Patience::Until(deadline) if deadline > now => {
                SendError::WouldBlock(self.waiters.add(now, deadline, want))
            }
            Patience::None | Patience::Until(_) => self.refusal(want, Duration::ZERO),
            Patience::Turn(id, known) if known.deadline > now => {
                let waiter = Waiter {
                    want,
                    wants_since: now,
                    ..known
                };
                self.waiters.insert(id, waiter);
                SendError::WouldBlock(id)
            }
            Patience::Turn(_, known) => self.refusal(want, now.since(known.since)),
        }
    }

    /// The error for what was wanted and did not come.
    fn refusal(&mut self, want: Want, waited: Duration) -> SendError {
        if let Want::Memory(_) = want {
            self.sender.meters.on_exhausted(self.sender.now);
        }
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
    pub(super) fn on_metadata(&mut self, now: Instant, answered: &Answered) {
        let mut is_satisfied = answered.has_news && !self.sender.has_leaderless();
        for (id, waiter) in self.waiters.for_metadata() {
            let (Want::Topic(slot) | Want::Partition(slot, _)) = waiter.want else {
                continue;
            };
            let topic = self.sender.metadata.topic(slot);
            // What an earlier answer said of it is of then.
            let is_refused = answered.asked.topics.contains(&slot)
                && matches!(
                    topic.error,
                    Some(
                        ErrorCode::TOPIC_AUTHORIZATION_FAILED | ErrorCode::INVALID_TOPIC_EXCEPTION
                    )
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
                let waiter = self.waiters.admit(id, memory);
                self.measure_wait(&waiter);
                self.sender.outputs.push_back(Output::Admitted(id));
            } else if is_refused {
                let code = topic.error.expect("looked at");
                let error = SendError::TopicRefused {
                    topic: Arc::clone(&topic.name),
                    code,
                };
                self.waiters.remove(id, memory);
                self.sender.outputs.push_back(Output::Refused(id, error));
            } else if answered.is_late {
                is_satisfied = false;
                if !self.sender.is_asked_for(slot) {
                    self.sender.refresh.want(slot);
                }
            } else {
                // Who began to wait since the request went out waits for the next one.
                is_satisfied &= !answered.asked.topics.contains(&slot);
                self.sender.refresh.want(slot);
            }
        }
        if self.sender.has_leaderless() {
            self.sender.refresh.want_all();
        }
        let Sender { refresh, rng, .. } = &mut self.sender;
        let asked_at = answered.asked_at;
        if answered.is_late {
            refresh.on_answered_late(now, asked_at, is_satisfied, rng);
        } else {
            refresh.on_answered(now, asked_at, is_satisfied, rng);
        }
    }

    /// How long a call has waited for what it wanted last.
    pub(super) fn measure_wait(&mut self, waiter: &Waiter) {
        let now = self.sender.now;
        let span = now.since(waiter.wants_since);
        match waiter.want {
            Want::Memory(_) => self.sender.meters.on_buffer_wait(now, span),
            Want::Topic(_) | Want::Partition(..) => self.sender.meters.on_metadata_wait(span),
            Want::Turn(_) => unreachable!("with its turn it waits no more"),
        }
    }

    pub(super) fn expire_waiters(&mut self, now: Instant) {
        let memory = self.sender.accumulator.memory_mut();
        let mut expired = Vec::new();
        while let Some(waiter) = self.waiters.expire_next(now, memory) {
            expired.push(waiter);
        }
        for (id, waiter) in expired {
            self.measure_wait(&waiter);
            let error = self.refusal(waiter.want, now.since(waiter.since));
            self.sender.outputs.push_back(Output::Refused(id, error));
        }
    }
}
