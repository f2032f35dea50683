//! The way in: a record is checked, given a partition, and encoded.

use super::waiting::Want;
use super::{Patience, ProducerCore};
use crate::boundary::Ticket;
use crate::config::Partitioner;
use crate::error::SendError;
use crate::record::Record;
use crate::sender::Sender;
use crate::slot::TopicSlot;
use crate::time::Instant;
use crate::wire::Format;
use crate::wire::record_batch::HEADER_BYTES;

/// The greatest length of a topic's name (Java `Topic.MAX_NAME_LENGTH`).
const TOPIC_NAME_BYTES_MAX: usize = 249;

impl ProducerCore {
    /// The one way in for records. The clock is read only where time matters: when a batch opens,
    /// or when the call has to wait.
    #[inline]
    pub(super) fn offer(
        &mut self,
        clock: impl Fn() -> Instant,
        unix_time_ms: Option<i64>,
        record: &Record<'_>,
        patience: Patience,
    ) -> Result<Ticket, SendError> {
        self.refuse_if_closed()?;
        if record.value.is_none() && record.key.is_none() {
            let reason = "a null value deletes what its key names, so it needs a key";
            return Err(SendError::InvalidRecord(reason));
        }
        self.check_format(record)?;
        let body_bytes = self.sender.accumulator.body_bytes_max(record);
        self.check_size(body_bytes)?;
        let timestamp_ms = self.timestamp_ms(record, unix_time_ms)?;
        let topic = match self.sender.metadata.find(record.topic) {
            Some(topic) => topic,
            None => self.intern(record.topic)?,
        };
        let partition = match self.choose_partition(topic, record) {
            Ok(partition) => partition,
            Err(_) if record.partition.is_some_and(i32::is_negative) => {
                return Err(SendError::InvalidRecord("the partition is negative"));
            }
            Err(want) => return Err(self.wait(clock(), patience, want)),
        };
        let in_turn = self.is_in_turn(patience);
        let Sender {
            accumulator, now, ..
        } = &mut self.sender;
        let tick = || {
            *now = clock().max(*now);
            *now
        };
        let appended =
            accumulator.append(tick, partition, record, timestamp_ms, body_bytes, in_turn);
        let has_opened = appended.is_ok_and(|ticket| ticket.index == 0);
        if has_opened || accumulator.has_just_closed() {
            if has_opened {
                self.on_batch_opened(partition);
            }
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
                if self.sender.config.partitioner == Partitioner::UniformSticky {
                    self.count_produced(partition, ticket);
                }
                Ok(ticket)
            }
            Err(exhausted) => {
                self.on_not_appended(partition, record);
                let want = Want::Memory(exhausted.needed_bytes);
                Err(self.wait(clock(), patience, want))
            }
        }
    }

    /// Whether the call may take memory: nobody waits for it, or not before this one did (L5).
    #[inline]
    fn is_in_turn(&self, patience: Patience) -> bool {
        let Some(first) = self.waiters.first_for_memory() else {
            return true;
        };
        match patience {
            Patience::None | Patience::Wait | Patience::Until(_) => false,
            // With memory set aside for it, its turn was given to it in order. A waiter for
            // metadata has had none yet.
            Patience::Turn(id, known) => known.want != Want::Turn(0) || id < first,
        }
    }

    /// What brokers before 0.11 could not keep is refused rather than lost.
    #[inline]
    fn check_format(&self, record: &Record<'_>) -> Result<(), SendError> {
        let format = self.sender.accumulator.format();
        if format == Format::V2 {
            return Ok(());
        }
        if !record.headers.is_empty() {
            let reason =
                "the brokers, or api_version, are older than Kafka 0.11, which brought headers";
            return Err(SendError::InvalidRecord(reason));
        }
        if record.timestamp_ms.is_some() && format == Format::V0 {
            let reason =
                "the brokers, or api_version, are older than Kafka 0.10, which brought timestamps";
            return Err(SendError::InvalidRecord(reason));
        }
        Ok(())
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
    fn timestamp_ms(
        &self,
        record: &Record<'_>,
        unix_time_ms: Option<i64>,
    ) -> Result<i64, SendError> {
        match record.timestamp_ms {
            Some(timestamp_ms @ 0..) => Ok(timestamp_ms),
            Some(_) => Err(SendError::InvalidRecord("the timestamp is negative")),
            None => Ok(unix_time_ms.unwrap_or_else(|| self.wall_clock_ms()).max(0)),
        }
    }

    /// What the wall clock shows, as far as it was told.
    fn wall_clock_ms(&self) -> i64 {
        let (then, unix_time_ms) = self.wall_clock;
        let passed_ms = self.sender.now.since(then).as_millis();
        unix_time_ms.saturating_add(i64::try_from(passed_ms).unwrap_or(i64::MAX))
    }

    /// The topic of this name, if it can be one (Java `Topic.validate`).
    #[cold]
    pub(super) fn intern(&mut self, name: &str) -> Result<TopicSlot, SendError> {
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
}
