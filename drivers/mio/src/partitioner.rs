//! A partitioner of the application's own.

use crate::delivery::DeliveryError;
use crate::serializer::{BoxError, guarded};
use std::sync::Arc;
use titorelli::{DeliveryCause, Header, PartitionLists, Record};

/// What a partition is chosen by: a record, and the topic's partitions.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The key, as bytes.
    pub key: Option<&'a [u8]>,
    /// The value, as bytes.
    pub value: Option<&'a [u8]>,
    /// The headers.
    pub headers: &'a [Header<'a>],
    /// Every partition of the topic, in order; at least one.
    pub all: &'a [i32],
    /// Those that have a leader, in order; perhaps none.
    pub available: &'a [i32],
}

/// A partitioner of the application's own, given to
/// [`ProducerBuilder::partitioner`](crate::ProducerBuilder::partitioner).
///
/// It runs on the thread that sends, outside every lock; its time is not counted against
/// `max_block`. It is not asked for records that name their partition. An error goes to the receipt
/// of the record, and so does a panic or a partition that the topic does not have. A closure
/// `Fn(key_bytes, all_partitions, available_partitions) -> i32`, as kafka-python has it, is a
/// partitioner.
pub trait CustomPartitioner: Send + Sync {
    /// The partition for a record: one of [`Choice::all`].
    ///
    /// # Errors
    ///
    /// The record fails, with this as the source of its error.
    fn partition(&self, choice: &Choice<'_>) -> Result<i32, BoxError>;
}

impl<F> CustomPartitioner for F
where
    F: Fn(Option<&[u8]>, &[i32], &[i32]) -> i32 + Send + Sync,
{
    fn partition(&self, choice: &Choice<'_>) -> Result<i32, BoxError> {
        Ok(self(choice.key, choice.all, choice.available))
    }
}

/// The partition for a record, if the partitioner finds one that the topic has.
pub(crate) fn choose(
    partitioner: &dyn CustomPartitioner,
    record: &Record<'_>,
    lists: &PartitionLists,
) -> Result<i32, DeliveryError> {
    let choice = Choice {
        topic: record.topic,
        key: record.key,
        value: record.value,
        headers: record.headers,
        all: &lists.all,
        available: &lists.available,
    };
    let failed = |words: String, source| {
        let cause = DeliveryCause::NotPartitioned(words.into());
        DeliveryError::of_application(record.topic, cause, source)
    };
    let partition = guarded(|| partitioner.partition(&choice))
        .map_err(|error| failed(error.to_string(), Some(Arc::from(error))))?;
    if lists.all.binary_search(&partition).is_ok() {
        return Ok(partition);
    }
    let count = lists.all.len();
    let words = format!("the partitioner chose {partition}, the topic has {count} partitions");
    Err(failed(words, None))
}
