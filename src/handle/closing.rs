//! What closing could not deliver.

use crate::boundary::{Delivery, Outcome};
use crate::counted::counted;
use crate::error::DeliveryCause;
use core::fmt;
use std::collections::BTreeSet;
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

impl fmt::Display for CloseReport {
    /// One sentence: how many records, of how many partitions, how many of them may be written all
    /// the same, and what the first failed with.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.undelivered.first() else {
            return f.write_str("nothing was left undelivered");
        };
        let place = |batch: &Undelivered| (Arc::clone(&batch.topic), batch.partition);
        let places: BTreeSet<_> = self.undelivered.iter().map(place).collect();
        let (records, partitions) = (
            counted(self.records(), "record"),
            counted(places.len(), "partition"),
        );
        write!(f, "{records} of {partitions} undelivered")?;
        let doubtful = self
            .undelivered
            .iter()
            .filter(|batch| batch.may_be_persisted);
        match doubtful.map(|batch| u64::from(batch.records)).sum() {
            0 => f.write_str(", none of them written")?,
            all if all == self.records() => f.write_str(", perhaps written all the same")?,
            some => write!(f, ", {some} of them perhaps written all the same")?,
        }
        let (topic, partition, cause) = (&first.topic, first.partition, &first.cause);
        match partition {
            0.. => write!(f, "; first {topic}-{partition}: {cause}"),
            // None was chosen yet.
            _ => write!(f, "; first {topic}: {cause}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_in_a_sentence() {
        let left = |partition, records, may_be_persisted| Undelivered {
            topic: "orders".into(),
            partition,
            records,
            may_be_persisted,
            cause: DeliveryCause::ProducerClosed,
        };
        let told = |undelivered| CloseReport { undelivered }.to_string();
        assert_eq!(told(Vec::new()), "nothing was left undelivered");
        let cause = "first orders-0: the producer was closed before it was delivered";
        assert_eq!(
            told(vec![left(0, 1, true)]),
            format!("1 record of 1 partition undelivered, perhaps written all the same; {cause}")
        );
        assert_eq!(
            told(vec![left(0, 2, false), left(0, 3, false)]),
            format!("5 records of 1 partition undelivered, none of them written; {cause}")
        );
        assert_eq!(
            told(vec![left(0, 2, false), left(1, 1, true)]),
            format!(
                "3 records of 2 partitions undelivered, 1 of them perhaps written all the same; \
                 {cause}"
            )
        );
    }
}
