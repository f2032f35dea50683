//! The simulated producer for the application's own types.

use core::cell::Cell;
use core::fmt;
use core::time::Duration;
use std::rc::Rc;

use titorelli::handle::driver::{Part, serialize};
use titorelli::handle::{CloseReport, Serializer, TypedRecord};
use titorelli::{Record, SendError};

use super::delivery::DeliveryFuture;
use super::producer::Producer;

/// A [`Producer`] with serializers for keys and values, with the methods of the mio driver's.
/// Clones share it.
pub struct TypedProducer<K: ?Sized, V: ?Sized> {
    producer: Producer,
    serializers: Rc<Serializers<K, V>>,
}

struct Serializers<K: ?Sized, V: ?Sized> {
    key: Box<dyn Serializer<K>>,
    value: Box<dyn Serializer<V>>,
    are_closed: Cell<bool>,
}

impl<K: ?Sized, V: ?Sized> TypedProducer<K, V> {
    pub(super) fn new(
        producer: Producer,
        key: impl Serializer<K> + 'static,
        value: impl Serializer<V> + 'static,
    ) -> Self {
        let serializers = Serializers {
            key: Box::new(key),
            value: Box::new(value),
            are_closed: Cell::new(false),
        };
        Self {
            producer,
            serializers: Rc::new(serializers),
        }
    }

    /// Serializes key and value and accepts the record, as [`Producer::send`].
    ///
    /// # Errors
    ///
    /// The record was not accepted. What a serializer failed with is told by the receipt.
    pub fn send(&self, record: &TypedRecord<'_, K, V>) -> Result<DeliveryFuture, SendError> {
        let (topic, headers) = (record.topic, record.headers);
        let of = &*self.serializers;
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let written = serialize(&*of.key, Part::Key, topic, headers, record.key, &mut key)
            .and_then(|has_key| {
                let from = record.value;
                serialize(&*of.value, Part::Value, topic, headers, from, &mut value)
                    .map(|has_value| (has_key, has_value))
            });
        let (has_key, has_value) = match written {
            Ok(has) => has,
            Err(error) => return Ok(self.producer.failed_receipt(error)),
        };
        self.producer.send(&Record {
            partition: record.partition,
            key: has_key.then_some(&*key),
            value: has_value.then_some(&*value),
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
        if !self.serializers.are_closed.replace(true) {
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
            serializers: Rc::clone(&self.serializers),
        }
    }
}

impl<K: ?Sized, V: ?Sized> fmt::Debug for TypedProducer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedProducer").finish_non_exhaustive()
    }
}
