//! Errors that help: who erred, what was tried, may the record have been written, what to do now.
//!
//! [`ConfigError`]: the configuration. [`SendError`]: a record was not accepted.
//! [`DeliveryError`]: an accepted record failed. Bytes from a broker are never an error of a call:
//! they close a connection and become retries or deliveries.

use crate::biography::Biography;
use crate::boundary::{CloseCause, WaiterId};
use crate::counted::counted;
use crate::wire::ErrorCode;
use core::fmt;
use core::time::Duration;
use std::sync::Arc;

/// A configuration that cannot work, found when it is set or when the producer is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The key at fault, as it was set; by its first name where values do not fit together.
    pub key: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl ConfigError {
    pub(crate) fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            reason: reason.into(),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration {}: {}", self.key, self.reason)
    }
}

impl std::error::Error for ConfigError {}

/// A record was not accepted: it is nowhere, holds no memory, and will never be written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// Not yet: wait for [`Output::Admitted`](crate::Output::Admitted) or
    /// [`Output::Refused`](crate::Output::Refused) of this waiter. Drivers never show it.
    WouldBlock(WaiterId),
    /// The buffer is full, for longer than `max_block` where the call may wait.
    BufferFull {
        /// Bytes the record needs.
        needed_bytes: usize,
        /// Bytes held by records that are not yet completed.
        used_bytes: usize,
        /// `buffer_memory`.
        limit_bytes: usize,
        /// How long the call waited.
        waited: Duration,
    },
    /// The topic's partitions are not known, for longer than `max_block` where the call may wait.
    TopicUnknown {
        /// The topic.
        topic: Arc<str>,
        /// How long the call waited.
        waited: Duration,
        /// What stands in the way, as far as it is known.
        cause: UnknownCause,
    },
    /// The partition asked for does not exist, for longer than `max_block`.
    PartitionUnknown {
        /// The topic.
        topic: Arc<str>,
        /// The partition asked for.
        partition: i32,
        /// How many partitions the topic has.
        partition_count: usize,
        /// How long the call waited.
        waited: Duration,
    },
    /// The broker refuses this topic for good: not authorised, or an invalid name.
    TopicRefused {
        /// The topic.
        topic: Arc<str>,
        /// The broker's code.
        code: ErrorCode,
    },
    /// The record alone exceeds a limit.
    TooLarge {
        /// Bytes of a batch with just this record, at most.
        record_bytes: usize,
        /// The limit.
        limit_bytes: usize,
        /// The key that sets the limit.
        limit_key: &'static str,
    },
    /// The record's own fields are invalid.
    InvalidRecord(&'static str),
    /// The producer was built in another process, of which this one is a fork: its I/O thread is
    /// not here. Told by drivers.
    Forked,
    /// The producer cannot go on, for this reason: it can only be closed (invariant S14).
    Fatal(DeliveryCause),
    /// The producer is closed or closing.
    Closed,
}

/// Why a topic stayed unknown.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownCause {
    /// No broker has answered yet; the last failure of each address tried.
    NoBroker(Arc<str>),
    /// Brokers answer, and this is what they say about the topic.
    Broker(ErrorCode),
    /// The answer is still on its way.
    Pending,
}

impl fmt::Display for UnknownCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBroker(failures) => write!(f, "no broker answered ({failures})"),
            Self::Broker(code) => write!(f, "the broker says {code}"),
            Self::Pending => f.write_str("no answer yet"),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock(waiter) => write!(f, "waiting (waiter {})", waiter.0),
            Self::BufferFull {
                needed_bytes,
                used_bytes,
                limit_bytes,
                waited,
            } => write!(
                f,
                "buffer full: {needed_bytes} bytes needed, {used_bytes} of {limit_bytes} in use \
                 after waiting {waited:?}; not accepted, send it again later or raise \
                 buffer_memory"
            ),
            Self::TopicUnknown {
                topic,
                waited,
                cause,
            } => write!(
                f,
                "topic {topic}: partitions unknown after waiting {waited:?}: {cause}; not \
                 accepted, check the topic's name and the bootstrap servers"
            ),
            Self::PartitionUnknown {
                topic,
                partition,
                partition_count,
                waited,
            } => write!(
                f,
                "topic {topic} has {}, partition {partition} did not appear within {waited:?}; not \
                 accepted",
                counted(partition_count, "partition")
            ),
            Self::TopicRefused { topic, code } => {
                write!(
                    f,
                    "topic {topic}: refused by the broker: {code}; not accepted"
                )
            }
            Self::TooLarge {
                record_bytes,
                limit_bytes,
                limit_key,
            } => write!(
                f,
                "the record needs {record_bytes} bytes, {limit_key} allows {limit_bytes}; not \
                 accepted"
            ),
            Self::InvalidRecord(reason) => write!(f, "invalid record: {reason}; not accepted"),
            Self::Forked => f.write_str(
                "the producer was built before this process was forked, and its I/O thread is not \
                 here; not accepted, build a producer in this process",
            ),
            Self::Fatal(cause) => write!(
                f,
                "the producer cannot go on: {cause}; not accepted, close it and build another when \
                 this is cured"
            ),
            Self::Closed => f.write_str("the producer is closed; not accepted"),
        }
    }
}

impl std::error::Error for SendError {}

/// Why an accepted record failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryError {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition; −1 where none was chosen yet.
    pub partition: i32,
    /// What ended it.
    pub cause: DeliveryCause,
    /// What the last attempt met before that, when the end was a deadline.
    pub last_failure: Option<DeliveryCause>,
    /// Node id of the broker of the last attempt; `None` when there was no attempt.
    pub broker: Option<i32>,
    /// Requests of which at least one byte was handed to a transport (invariant S12), or was about
    /// to be when the record ended.
    pub attempts: u32,
    /// Those of them after which the records went on in a smaller batch, for the broker refused the
    /// one they were in; `retries` does not count them.
    pub splits: u32,
    /// Time from the opening of the batch to its end.
    pub age: Duration,
    /// What happened to it in that time.
    pub biography: Arc<Biography>,
}

/// What ended a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryCause {
    /// The broker's answer, with its words where it sent some.
    Broker(ErrorCode, Option<Arc<str>>),
    /// `delivery_timeout` passed.
    DeliveryTimeout,
    /// No answer within `request_timeout`; the connection was closed.
    RequestTimeout,
    /// The connection was not usable within `socket_connection_setup_timeout`.
    SetupTimeout,
    /// The connection to the partition's leader does not serve yet, or ended before it did: which
    /// broker, how far it came, and for how long it has. Told as the last failure of what was never
    /// sent.
    NotReady(Arc<str>),
    /// The connection ended before the answer.
    Disconnected(CloseCause),
    /// The broker's bytes made no sense, so its connection was closed.
    Protocol(Arc<str>),
    /// No broker led the partition. Told as the last failure of what was never sent.
    NoLeader,
    /// No broker gave a producer id, without which nothing is sent with `enable_idempotence`: the
    /// code it answered.
    NoProducerId(ErrorCode),
    /// The broker cannot take it: what it cannot take.
    Unsupported(Arc<str>),
    /// A serializer of the application failed, or panicked: its words. Told by drivers.
    NotSerialized(Arc<str>),
    /// The application's partitioner failed, panicked, or chose a partition that the topic does
    /// not have: what it did. Told by drivers.
    NotPartitioned(Arc<str>),
    /// The record was under way when this process was forked; only the other process can know.
    /// Told by drivers.
    Forked,
    /// The application took the record back, with
    /// [`withdraw`](crate::ProducerCore::withdraw).
    Withdrawn,
    /// The application gave up what was under way, with [`purge`](crate::ProducerCore::purge).
    Purged,
    /// A record before it in its partition failed, and `enable_gapless_guarantee` is set.
    Gap,
    /// `close` ran out of time.
    ProducerClosed,
}

impl fmt::Display for DeliveryCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broker(code, None) => write!(f, "the broker answered {code}"),
            Self::Broker(code, Some(words)) => write!(f, "the broker answered {code}: {words}"),
            Self::DeliveryTimeout => f.write_str("delivery_timeout passed"),
            Self::RequestTimeout => f.write_str("no answer within request_timeout"),
            Self::SetupTimeout => f.write_str("not ready within socket_connection_setup_timeout"),
            Self::NotReady(words) => f.write_str(words),
            Self::Disconnected(cause) => write!(f, "disconnected: {cause}"),
            Self::Protocol(what) => write!(f, "unreadable answer: {what}"),
            Self::NoLeader => f.write_str("the partition has no leader"),
            Self::NoProducerId(code) => write!(f, "no producer id: the broker answered {code}"),
            Self::Unsupported(what) => write!(f, "the broker does not take {what}"),
            Self::NotSerialized(words) => write!(f, "not serialized: {words}"),
            Self::NotPartitioned(words) => write!(f, "no partition: {words}"),
            Self::Forked => f.write_str("it was under way when this process was forked"),
            Self::Withdrawn => f.write_str("it was withdrawn"),
            Self::Purged => f.write_str("it was purged"),
            Self::Gap => f.write_str(
                "a record before it in its partition failed, and enable_gapless_guarantee is set",
            ),
            Self::ProducerClosed => f.write_str("the producer was closed before it was delivered"),
        }
    }
}

impl fmt::Display for CloseCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unresolved(words) => write!(f, "host name not resolved: {words}"),
            Self::Unreachable(words) => write!(f, "not reachable: {words}"),
            Self::ByPeer => f.write_str("closed by the broker"),
            Self::Transport(words) => write!(f, "transport failed: {words}"),
            Self::Tls(words) => write!(f, "TLS: {words}"),
        }
    }
}

impl DeliveryError {
    /// The broker's code, where a broker's answer ended it.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        match &self.cause {
            DeliveryCause::Broker(code, _) => Some(*code),
            DeliveryCause::DeliveryTimeout
            | DeliveryCause::RequestTimeout
            | DeliveryCause::SetupTimeout
            | DeliveryCause::NotReady(_)
            | DeliveryCause::Disconnected(_)
            | DeliveryCause::Protocol(_)
            | DeliveryCause::NoLeader
            | DeliveryCause::NoProducerId(_)
            | DeliveryCause::Unsupported(_)
            | DeliveryCause::NotSerialized(_)
            | DeliveryCause::NotPartitioned(_)
            | DeliveryCause::Forked
            | DeliveryCause::Withdrawn
            | DeliveryCause::Purged
            | DeliveryCause::Gap
            | DeliveryCause::ProducerClosed => None,
        }
    }
}

impl fmt::Display for DeliveryError {
    /// In a sentence; with `{:#}` each attempt is told.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.partition < 0 {
            // It never came as far as a batch: there is nothing to tell of its way.
            return match &*self.topic {
                "" => write!(f, "{}", self.cause),
                topic => write!(f, "{topic}: {}", self.cause),
            };
        }
        write!(f, "{}-{}: {}", self.topic, self.partition, self.cause)?;
        if let Some(last) = &self.last_failure {
            write!(f, " (last failure: {last})")?;
        }
        let attempts = counted(self.attempts, "attempt");
        write!(f, "; {attempts} in {:?}", self.age)?;
        if self.splits > 0 {
            write!(f, ", {} of them in a larger batch", self.splits)?;
        }
        match self.broker {
            Some(node) => write!(f, ", last at broker {node}")?,
            None => f.write_str(", never sent")?,
        }
        if f.alternate() {
            return write!(f, "; {}", self.biography);
        }
        write!(f, " ({})", self.biography.spent)
    }
}

impl std::error::Error for DeliveryError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_came_into_no_batch_has_no_partition_and_no_attempts() {
        let error = |topic: &str, partition| DeliveryError {
            topic: topic.into(),
            partition,
            cause: DeliveryCause::NotSerialized("no such customer".into()),
            last_failure: None,
            broker: None,
            attempts: 0,
            splits: 0,
            age: Duration::ZERO,
            biography: Arc::default(),
        };
        let words = "orders: not serialized: no such customer";
        assert_eq!(error("orders", -1).to_string(), words);
        assert_eq!(error("", -1).to_string(), &words[8..]);
        let words = "orders-0: not serialized: no such customer; 0 attempts in 0ns, never sent \
                     (no time at all)";
        assert_eq!(error("orders", 0).to_string(), words);
    }
}
