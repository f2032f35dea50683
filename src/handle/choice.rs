//! A partitioner of the application's own.

use super::serializer::BoxError;
use crate::record::Header;

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

/// A partitioner of the application's own, given to whoever builds its producer.
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
