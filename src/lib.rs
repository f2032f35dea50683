//! Titorelli: a Kafka producer whose whole behaviour is one pure state machine.
//!
//! [`ProducerCore`] takes time and network events and gives bytes to send and completions. It has
//! no clock, socket, thread, lock or global: the same configuration, seed and inputs give the same
//! outputs, byte for byte.

mod accumulator;
mod backoff;
mod boundary;
mod config;
mod connection;
mod error;
mod metadata;
mod producer;
mod random;
mod record;
mod report;
mod sender;
mod slot;
mod stats;
#[cfg(test)]
mod test_support;
mod time;
mod trace;
mod waiting;
pub mod wire;

pub use accumulator::partitioner::murmur2;
pub use boundary::{
    BatchId, CloseCause, ConnId, Deadline, Delivery, FlushId, Input, Outcome, Output,
    PartitionInfo, Reason, SealJob, SealedJob, Ticket, WaiterId,
};
pub use config::{Acks, Config};
pub use error::{ConfigError, DeliveryCause, DeliveryError, SendError, UnknownCause};
pub use producer::ProducerCore;
pub use record::{Header, Record};
pub use report::Report;
pub use stats::Stats;
pub use time::Instant;
pub use trace::TraceEvent;
pub use wire::{Codec, ErrorCode};
