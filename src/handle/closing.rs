//! What closing could not deliver.

use crate::boundary::{Delivery, Outcome};
use crate::error::DeliveryCause;
use std::sync::Arc;

/// Records that failed while the producer was being closed: one entry per batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// How many records.
    pub records: u32,
    /// Whether they may be in the log all the same.
    pub may_be_persisted: bool,
    /// Why they failed.
    pub cause: DeliveryCause,
}

impl Undelivered {
    /// What this delivery leaves undelivered; `None`: it is written.
    #[must_use]
    pub fn of(delivery: &Delivery) -> Option<Self> {
        let (error, may_be_persisted) = match &delivery.outcome {
            Outcome::Acked { .. } => return None,
            Outcome::NotPersisted(error) => (error, false),
            Outcome::MaybePersisted(error) => (error, true),
        };
        Some(Self {
            topic: Arc::clone(&delivery.topic),
            partition: delivery.partition,
            records: delivery.count,
            may_be_persisted,
            cause: error.cause.clone(),
        })
    }
}

/// What `close` could not deliver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseReport {
    /// Empty when everything was delivered.
    pub undelivered: Vec<Undelivered>,
}

impl CloseReport {
    /// How many records were not delivered.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.undelivered
            .iter()
            .map(|batch| u64::from(batch.records))
            .sum()
    }
}
