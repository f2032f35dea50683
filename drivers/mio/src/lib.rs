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
mod flight;
mod fork;
mod io;
mod options;
mod outbox;
mod park;
mod partitioner;
mod producer;
mod resolve;
mod sending;
pub mod serializer;
mod shared;
mod socket;
mod stream;
mod tls;
mod typed;

pub use builder::{BuildError, ProducerBuilder};
pub use closing::{CloseReport, Undelivered};
pub use delivery::{DeliveryError, DeliveryFuture, RecordMetadata};
pub use flight::RecordingReport;
pub use partitioner::{Choice, CustomPartitioner};
pub use producer::{FlushError, Producer};
/// The TLS library, in the version that [`ProducerBuilder::ssl_context`] takes.
pub use rustls;
pub use serializer::{BoxError, Serializer};
/// What a [`DeliveryError`] tells in detail.
pub use titorelli::DeliveryError as DeliveryDetail;
pub use titorelli::config::{KEYS, Key};
pub use titorelli::metrics::{Metric, MetricKind};
pub use titorelli::{
    Acks, ApiVersion, CloseCause, Codec, Config, ConfigError, DeliveryCause, ErrorCode, Header,
    Metrics, PartitionInfo, Partitioner, Record, Release, SecurityProtocol, SendError, Stats,
    UnknownCause, WaiterId,
};
pub use typed::{TypedProducer, TypedRecord};
