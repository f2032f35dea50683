//! Titorelli: a Kafka producer whose whole behaviour is one pure state machine.
//!
//! [`ProducerCore`] takes time and network events and gives bytes to send and completions. It has
//! no clock, socket, thread, lock or global: the same configuration, seed and inputs give the same
//! outputs, byte for byte.
//!
//! # Driving it
//!
//! Carry out the outputs, tell the facts, and call `handle_timeout` no later than `poll_timeout`
//! says. One of the facts is the date: [`set_wall_clock`](ProducerCore::set_wall_clock) tells it
//! before the first record, and again when it may have changed; without it the timestamps of
//! records that bring none are of 1970. There is no further rule.
//!
//! ```
//! use titorelli::{Config, Instant, Output, ProducerCore, Reason, Record, SendError};
//!
//! let now = Instant::ZERO;
//! let mut core = ProducerCore::new(Config::default(), [7; 32], now).expect("the defaults work");
//! core.set_wall_clock(now, 1_893_456_000_000); // It is 2030.
//!
//! // Nothing is known of the topic yet: the call becomes a waiter, and there is work.
//! let sent = core.send(now, &Record::to("orders").value(b"one"));
//! assert!(matches!(sent, Err(SendError::WouldBlock(_))));
//! assert_eq!(core.poll_timeout().map(|deadline| deadline.at), Some(now));
//!
//! // The core acts when it is told that it is time, and says what it wants done.
//! core.handle_timeout(now);
//! let Some(Output::Connect { host, port, .. }) = core.poll_output() else {
//!     panic!("somebody has to be asked");
//! };
//! assert_eq!((&*host, port), ("localhost", 9092));
//!
//! // From here on it waits for the driver: next comes the end of its patience.
//! let deadline = core.poll_timeout().expect("a connection is being set up");
//! assert_eq!(deadline.reason, Reason::ConnectionSetup);
//! ```
//!
//! # The house
//!
//! The README has a whole driver on blocking sockets; `DESIGN.md` is the map.

#![forbid(unsafe_code)]

mod accumulator;
mod backoff;
mod biography;
mod boundary;
pub mod config;
mod connection;
mod counted;
mod error;
pub mod handle;
mod metadata;
pub mod metrics;
pub mod partitioner;
mod producer;
mod random;
mod record;
pub mod recording;
mod report;
mod seal;
mod sender;
mod slot;
mod stats;
#[cfg(test)]
mod test_support;
mod time;
mod trace;
pub mod wire;

pub use biography::{Attempt, Biography, Spent};
pub use boundary::{
    BatchId, CloseCause, ConnId, Deadline, Delivery, FlushId, Input, Outcome, Output,
    PartitionInfo, PartitionLists, Purge, Reason, SealJob, SealedJob, Ticket, WaiterId, Withdrawal,
};
pub use config::{Acks, ApiVersion, Config, MetadataRecovery, Partitioner, SecurityProtocol};
pub use counted::counted;
pub use error::{ConfigError, DeliveryCause, DeliveryError, SendError, UnknownCause};
pub use metrics::Metrics;
pub use partitioner::murmur2;
pub use producer::ProducerCore;
pub use record::{Header, Record};
pub use report::Report;
pub use stats::Stats;
pub use time::Instant;
pub use trace::TraceEvent;
pub use wire::{Codec, ErrorCode, Release};

/// The README's programs are compiled and run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
