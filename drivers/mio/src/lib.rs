//! The production driver of [Titorelli](titorelli): one I/O thread, one lock, no async runtime.
//!
//! [`Producer`] is `Clone + Send + Sync`. [`Producer::send`] encodes the record into the open batch
//! of its partition under the lock and returns a [`DeliveryFuture`], which is a real `Future` on
//! any runtime and can also be waited for. Sockets, compression, checksums and completions are the
//! I/O thread's, outside the lock.

mod builder;
mod clock;
mod delivery;
mod dial;
mod effects;
mod flight;
mod fork;
mod io;
mod options;
mod outbox;
mod park;
mod producer;
mod resolve;
mod sending;
mod shared;
mod socket;
mod stream;
mod tls;
mod typed;

pub use builder::{BuildError, ProducerBuilder};
pub use delivery::DeliveryFuture;
pub use flight::RecordingReport;
pub use producer::Producer;
/// The TLS library, in the version that [`ProducerBuilder::ssl_context`] takes.
pub use rustls;
/// What a [`DeliveryError`] tells in detail.
pub use titorelli::DeliveryError as DeliveryDetail;
pub use titorelli::config::{KEYS, Key};
pub use titorelli::handle::{
    BoxError, Choice, CloseReport, CustomPartitioner, DeliveryError, FlushError, RecordMetadata,
    Serializer, TypedRecord, Undelivered, serializer,
};
pub use titorelli::metrics::{Metric, MetricKind};
pub use titorelli::{
    Acks, ApiVersion, CloseCause, Codec, Config, ConfigError, DeliveryCause, ErrorCode, Header,
    MetadataRecovery, Metrics, PartitionInfo, Partitioner, Purge, Record, Release,
    SecurityProtocol, SendError, Stats, UnknownCause, WaiterId, Withdrawal,
};
pub use typed::TypedProducer;
