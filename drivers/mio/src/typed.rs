//! A producer of the application's own types.

use crate::delivery::DeliveryFuture;
use crate::producer::Producer;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use titorelli::handle::driver::{Part, serialize};
use titorelli::handle::{CloseReport, Serializer, TypedRecord};
use titorelli::{Record, SendError};

thread_local! {
    /// The last used buffers of this thread, for key and value.
    static BUFFERS: Cell<(Vec<u8>, Vec<u8>)> = const { Cell::new((Vec::new(), Vec::new())) };
}

/// A [`Producer`] with serializers for keys and values. Clones share it.
pub struct TypedProducer<K: ?Sized, V: ?Sized> {
    producer: Producer,
    serializers: Arc<Serializers<K, V>>,
}

struct Serializers<K: ?Sized, V: ?Sized> {
    key: Box<dyn Serializer<K>>,
    value: Box<dyn Serializer<V>>,
    are_closed: AtomicBool,
}

impl<K: ?Sized, V: ?Sized> TypedProducer<K, V> {
    pub(crate) fn new(
        producer: Producer,
        key: impl Serializer<K> + 'static,
        value: impl Serializer<V> + 'static,
    ) -> Self {
        let serializers = Serializers {
            key: Box::new(key),
            value: Box::new(value),
            are_closed: AtomicBool::new(false),
        };
        Self {
            producer,
            serializers: Arc::new(serializers),
        }
    }

    /// Serializes key and value and accepts the record, as [`Producer::send`].
    ///
    /// # Errors
    ///
    /// The record was not accepted. What a serializer failed with is told by the receipt.
    pub fn send(&self, record: &TypedRecord<'_, K, V>) -> Result<DeliveryFuture, SendError> {
        // A serializer may send, too: it finds fresh ones.
        let (mut key, mut value) = BUFFERS.take();
        let sent = self.send_with(record, &mut key, &mut value);
        BUFFERS.set((key, value));
        sent
    }

    fn send_with(
        &self,
        record: &TypedRecord<'_, K, V>,
        key: &mut Vec<u8>,
        value: &mut Vec<u8>,
    ) -> Result<DeliveryFuture, SendError> {
        let (topic, headers) = (record.topic, record.headers);
        let serializers = &*self.serializers;
        let of_key = &*serializers.key;
        let has_key = match serialize(of_key, Part::Key, topic, headers, record.key, key) {
            Ok(has_key) => has_key,
            Err(error) => return Ok(self.producer.failed_receipt(error)),
        };
        let of_value = &*serializers.value;
        let has_value = match serialize(of_value, Part::Value, topic, headers, record.value, value)
        {
            Ok(has_value) => has_value,
            Err(error) => return Ok(self.producer.failed_receipt(error)),
        };
        self.producer.send(&Record {
            partition: record.partition,
            key: has_key.then_some(&**key),
            value: has_value.then_some(&**value),
            headers,
            timestamp_ms: record.timestamp_ms,
            ..Record::to(topic)
        })
    }

    /// The producer beneath, for flushing, for metrics, and for records that are bytes already.
    #[must_use]
    pub const fn producer(&self) -> &Producer {
        &self.producer
    }

    /// Closes the producer, as [`Producer::close`], and then the serializers.
    #[expect(
        clippy::must_use_candidate,
        reason = "closing is the effect; the report may be empty"
    )]
    pub fn close(&self, timeout: Duration) -> CloseReport {
        let report = self.producer.close(timeout);
        if !self.serializers.are_closed.swap(true, Ordering::Relaxed) {
            self.serializers.key.close();
            self.serializers.value.close();
        }
        report
    }
}

impl<K: ?Sized, V: ?Sized> Clone for TypedProducer<K, V> {
    fn clone(&self) -> Self {
        Self {
            producer: self.producer.clone(),
            serializers: Arc::clone(&self.serializers),
        }
    }
}

impl<K: ?Sized, V: ?Sized> fmt::Debug for TypedProducer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedProducer").finish_non_exhaustive()
    }
}
