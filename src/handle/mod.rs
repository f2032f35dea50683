//! What the handles of all drivers have in common: what an application gives to a producer and is
//! told by it, whichever driver stands between it and the core.
//!
//! A program that names these types runs on any of them. [`driver`] is for who writes one.

mod choice;
mod closing;
pub mod driver;
mod error;
pub mod serializer;
mod typed;

pub use choice::{Choice, CustomPartitioner};
pub use closing::{CloseReport, Undelivered};
pub use error::{DeliveryError, FlushError, placeless};
pub use serializer::{BoxError, Serializer};
pub use typed::TypedRecord;

use std::sync::Arc;

/// Where a record was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset in the partition; −1 when the broker told none (acks=0), or one that cannot be.
    pub offset: i64,
    /// The broker's time in milliseconds, where the topic is stamped by the broker; else −1.
    pub log_append_time_ms: i64,
}
