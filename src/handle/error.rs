//! Why a record or a flush failed, as the application is told.

use crate::error::{self, DeliveryCause, SendError};
use crate::wire::ErrorCode;
use core::fmt;
use core::time::Duration;
use std::error::Error;
use std::sync::Arc;

/// Why a record failed, and whether it may be written all the same.
#[derive(Clone, Debug)]
pub struct DeliveryError {
    error: Arc<error::DeliveryError>,
    may_be_persisted: bool,
    /// What the application's own code failed with.
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl DeliveryError {
    /// Of a record that a delivery failed; whether it may be in the log all the same.
    #[must_use]
    pub fn new(error: error::DeliveryError, may_be_persisted: bool) -> Self {
        Self {
            error: Arc::new(error),
            may_be_persisted,
            source: None,
        }
    }

    /// The record never came as far as a batch.
    #[must_use]
    pub fn of_application(
        topic: &str,
        cause: DeliveryCause,
        source: Option<Arc<dyn Error + Send + Sync>>,
    ) -> Self {
        Self {
            source,
            ..Self::new(placeless(topic, cause), false)
        }
    }

    /// The record was under way in another process when this one was forked from it.
    #[must_use]
    pub fn of_fork() -> Self {
        Self::new(placeless("", DeliveryCause::Forked), true)
    }

    /// Whether the record may be in the log: an attempt was made whose fate is unknown. If false,
    /// it is not there and never will be.
    #[must_use]
    pub fn may_be_persisted(&self) -> bool {
        self.may_be_persisted
    }

    /// The broker's code, where a broker's answer ended the record.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        self.error.code()
    }

    /// The whole story: topic, partition, cause, attempts, age, broker. The partition is −1 where
    /// none was chosen yet.
    #[must_use]
    pub fn detail(&self) -> &error::DeliveryError {
        &self.error
    }
}

/// An error of a record that has no place in a log yet.
#[must_use]
pub fn placeless(topic: &str, cause: DeliveryCause) -> error::DeliveryError {
    error::DeliveryError {
        topic: topic.into(),
        partition: -1,
        cause,
        last_failure: None,
        broker: None,
        attempts: 0,
        splits: 0,
        age: Duration::ZERO,
        biography: Arc::default(),
    }
}

impl PartialEq for DeliveryError {
    /// What the application's own code failed with is not compared: it may be anything.
    fn eq(&self, other: &Self) -> bool {
        self.error == other.error && self.may_be_persisted == other.may_be_persisted
    }
}

impl Eq for DeliveryError {}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let truth = if self.may_be_persisted {
            "it may have been written: sending it again may duplicate it"
        } else if self.error.partition < 0 {
            // The application's own code failed: the same again fails again.
            "it was not written"
        } else {
            "it was not written: sending it again is safe"
        };
        self.error.fmt(f)?;
        write!(f, "; {truth}")
    }
}

impl Error for DeliveryError {
    /// What a serializer or a partitioner failed with.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}

/// A flush did not end. What it covers is still under way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlushError {
    /// Not in time.
    Timeout {
        /// How long it waited.
        waited: Duration,
        /// Bytes of records that are not completed, those sent since included.
        buffered_bytes: usize,
    },
    /// It was called in a callback, on the I/O thread, which cannot wait for itself. Everything
    /// leaves at once all the same.
    InCallback,
    /// The producer was built in another process, of which this one is a fork.
    Forked,
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout {
                waited,
                buffered_bytes,
            } => write!(
                f,
                "flush timed out after {waited:?} with {buffered_bytes} bytes not completed; they \
                 are still under way"
            ),
            Self::InCallback => f.write_str("a flush in a callback does not wait"),
            Self::Forked => SendError::Forked.fmt(f),
        }
    }
}

impl Error for FlushError {}
