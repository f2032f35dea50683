//! Why a record failed, as the application is told.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use titorelli::{DeliveryCause, ErrorCode};

/// Why a record failed, and whether it may be written all the same.
#[derive(Clone, Debug)]
pub struct DeliveryError {
    error: Arc<titorelli::DeliveryError>,
    may_be_persisted: bool,
    /// What the application's own code failed with.
    source: Option<Arc<dyn Error + Send + Sync>>,
}

impl DeliveryError {
    pub(super) fn new(error: titorelli::DeliveryError, may_be_persisted: bool) -> Self {
        Self {
            error: Arc::new(error),
            may_be_persisted,
            source: None,
        }
    }

    /// The record never came as far as a batch.
    pub(crate) fn of_application(
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
    pub(super) fn of_fork() -> Self {
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
    pub fn detail(&self) -> &titorelli::DeliveryError {
        &self.error
    }
}

/// An error of a record that has no place in a log yet.
pub(crate) fn placeless(topic: &str, cause: DeliveryCause) -> titorelli::DeliveryError {
    titorelli::DeliveryError {
        topic: topic.into(),
        partition: -1,
        cause,
        last_failure: None,
        broker: None,
        attempts: 0,
        age: Duration::ZERO,
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
        write!(f, "{}; {truth}", self.error)
    }
}

impl Error for DeliveryError {
    /// What a serializer or a partitioner failed with.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source = self.source.as_deref()?;
        Some(source)
    }
}
