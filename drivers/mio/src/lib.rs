//! The production driver of [Titorelli](titorelli): one I/O thread, one lock, no async runtime.
//!
//! [`Producer`] is `Clone + Send + Sync`. [`Producer::send`] encodes the record into the open batch
//! of its partition under the lock and returns a [`DeliveryFuture`], which is a real `Future` on
//! any runtime and can also be waited for. Sockets, compression, checksums and completions are the
//! I/O thread's, outside the lock.

mod clock;
mod closing;
mod delivery;
mod effects;
mod io;
mod park;
mod producer;
mod resolve;
mod shared;
mod socket;

pub use closing::{CloseReport, Undelivered};
pub use delivery::{DeliveryError, DeliveryFuture, RecordMetadata};
pub use producer::{BuildError, FlushTimeout, Producer};
pub use titorelli::{
    Acks, ApiVersion, Codec, Config, ConfigError, ErrorCode, Header, Metrics, PartitionInfo,
    Partitioner, Record, SecurityProtocol, SendError, Stats,
};
