//! A record of the application's own types.

use crate::record::Header;

/// A record whose key and value are not bytes yet.
#[derive(Debug)]
pub struct TypedRecord<'a, K: ?Sized, V: ?Sized> {
    /// The topic's name.
    pub topic: &'a str,
    /// The partition; `None` lets the partitioner choose.
    pub partition: Option<i32>,
    /// The key, if there is one.
    pub key: Option<&'a K>,
    /// The value; without one, and with a serializer that leaves it so, the record is a tombstone.
    pub value: Option<&'a V>,
    /// Headers in order; a name may repeat.
    pub headers: &'a [Header<'a>],
    /// `CreateTime` in milliseconds since the Unix epoch; `None` is the time of the `send`.
    pub timestamp_ms: Option<i64>,
}

impl<'a, K: ?Sized, V: ?Sized> TypedRecord<'a, K, V> {
    /// A record for `topic` without key and value.
    #[must_use]
    pub const fn to(topic: &'a str) -> Self {
        Self {
            topic,
            partition: None,
            key: None,
            value: None,
            headers: &[],
            timestamp_ms: None,
        }
    }

    /// With this key.
    #[must_use]
    pub const fn key(mut self, key: &'a K) -> Self {
        self.key = Some(key);
        self
    }

    /// With this value.
    #[must_use]
    pub const fn value(mut self, value: &'a V) -> Self {
        self.value = Some(value);
        self
    }

    /// To exactly this partition.
    #[must_use]
    pub const fn partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// With these headers.
    #[must_use]
    pub const fn headers(mut self, headers: &'a [Header<'a>]) -> Self {
        self.headers = headers;
        self
    }

    /// With this `CreateTime`, in milliseconds since the Unix epoch.
    #[must_use]
    pub const fn timestamp_ms(mut self, timestamp_ms: i64) -> Self {
        self.timestamp_ms = Some(timestamp_ms);
        self
    }
}
