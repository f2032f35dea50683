//! What the application hands over: one record, borrowed, on its way into a batch.

/// One record as the application gives it to [`send`](crate::ProducerCore::send).
///
/// Everything is borrowed: the core encodes it once, directly into the open batch of its
/// partition, and keeps nothing else of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// The topic's name.
    pub topic: &'a str,
    /// The partition; `None` lets the partitioner choose.
    pub partition: Option<i32>,
    /// The key; `None` is Kafka's null key, which is not the empty key.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone (null), which is not the empty value.
    pub value: Option<&'a [u8]>,
    /// Headers in order; a name may repeat.
    pub headers: &'a [Header<'a>],
    /// `CreateTime` in milliseconds since the Unix epoch; `None` is the time of the `send`, by the
    /// wall clock that [`set_wall_clock`](crate::ProducerCore::set_wall_clock) told last.
    pub timestamp_ms: Option<i64>,
}

/// One record header: a name and a value, which may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The name. Names may repeat within a record; order is kept.
    pub name: &'a str,
    /// The value; `None` is null, which is not the empty value.
    pub value: Option<&'a [u8]>,
}

impl<'a> Record<'a> {
    /// A record for `topic` with a null key and a null value.
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
    pub const fn key(mut self, key: &'a [u8]) -> Self {
        self.key = Some(key);
        self
    }

    /// With this value.
    #[must_use]
    pub const fn value(mut self, value: &'a [u8]) -> Self {
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
