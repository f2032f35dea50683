//! The production driver of [Titorelli](titorelli): one I/O thread, one lock, no async runtime.
//!
//! [`Producer`] is `Clone + Send + Sync`. [`Producer::send`] encodes the record into the open batch
//! of its partition under the lock and returns a [`DeliveryFuture`], which is a real `Future` on
//! any runtime and can also be waited for. Sockets, compression, checksums and completions are the
//! I/O thread's, outside the lock.

mod builder;
mod clock;
mod closing;
mod delivery;
mod dial;
mod effects;
mod fork;
mod io;
mod options;
mod outbox;
mod park;
mod producer;
mod resolve;
pub mod serializer;
mod shared;
mod socket;
mod stream;
mod tls;
mod typed;

pub use builder::{BuildError, ProducerBuilder};
pub use closing::{CloseReport, Undelivered};
pub use delivery::{DeliveryError, DeliveryFuture, RecordMetadata};
pub use producer::{FlushError, Producer};
/// The TLS library, in the version that [`ProducerBuilder::ssl_context`] takes.
pub use rustls;
pub use serializer::Serializer;
pub use titorelli::{
    Acks, ApiVersion, Codec, Config, ConfigError, ErrorCode, Header, Metrics, PartitionInfo,
    Partitioner, Record, SecurityProtocol, SendError, Stats,
};
pub use typed::{TypedProducer, TypedRecord};
