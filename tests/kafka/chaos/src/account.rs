//! What the producer said about every record.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use titorelli_mio::{DeliveryError, RecordMetadata, SendError};

/// What became of a record, as the application was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nothing yet.
    Open,
    /// `send` did not accept it.
    Refused,
    /// Written, at this offset; `None` when the broker told none.
    Acked(Option<i64>),
    /// Failed, and not in the log.
    NotPersisted,
    /// Failed, and perhaps in the log.
    MaybePersisted,
}

impl Told {
    const fn number(self) -> i64 {
        match self {
            Self::Acked(Some(offset)) => offset,
            Self::Acked(None) => -1,
            Self::NotPersisted => -2,
            Self::MaybePersisted => -3,
            Self::Refused => -4,
            Self::Open => -5,
        }
    }

    const fn of_number(number: i64) -> Self {
        match number {
            -1 => Self::Acked(None),
            -2 => Self::NotPersisted,
            -3 => Self::MaybePersisted,
            -4 => Self::Refused,
            ..=-5 => Self::Open,
            offset => Self::Acked(Some(offset)),
        }
    }
}

/// Partition → number of the record in it → what was told.
pub(crate) type Statement = Vec<Vec<Told>>;

/// The account, written by the sending thread and by the producer's callbacks.
pub(crate) struct Account {
    told: Vec<Vec<AtomicI64>>,
    /// Records that were given to `send`.
    pub(crate) sent: AtomicU64,
    /// Records that have their outcome.
    pub(crate) completed: AtomicU64,
    /// Outcomes for records that had one already.
    pub(crate) repeated: AtomicU64,
    /// Why records failed, and how many of each.
    reasons: Mutex<BTreeMap<String, u64>>,
}

impl Account {
    /// Of so many partitions with so many records each.
    pub(crate) fn new(partitions: usize, records_each: usize) -> Self {
        let open = || AtomicI64::new(Told::Open.number());
        let partition = || (0..records_each).map(|_| open()).collect();
        Self {
            told: (0..partitions).map(|_| partition()).collect(),
            sent: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            reasons: Mutex::new(BTreeMap::new()),
        }
    }

    pub(crate) fn completed(
        &self,
        partition: usize,
        number: usize,
        outcome: Result<RecordMetadata, DeliveryError>,
    ) {
        let told = match outcome {
            Ok(metadata) => Told::Acked((metadata.offset >= 0).then_some(metadata.offset)),
            Err(error) => {
                self.note(&error.detail().cause.to_string(), error.may_be_persisted());
                if error.may_be_persisted() {
                    Told::MaybePersisted
                } else {
                    Told::NotPersisted
                }
            }
        };
        self.write(partition, number, told);
    }

    pub(crate) fn refused(&self, partition: usize, number: usize, error: &SendError) {
        let words = error.to_string();
        self.note(words.split(':').next().unwrap_or_default(), false);
        self.write(partition, number, Told::Refused);
    }

    fn write(&self, partition: usize, number: usize, told: Told) {
        let before = self.told[partition][number].swap(told.number(), Ordering::Relaxed);
        let is_first = before == Told::Open.number();
        self.repeated
            .fetch_add(u64::from(!is_first), Ordering::Relaxed);
        self.completed.fetch_add(1, Ordering::Relaxed);
    }

    fn note(&self, cause: &str, may_be_persisted: bool) {
        let truth = if may_be_persisted { "maybe" } else { "not" };
        let mut reasons = self.reasons.lock().expect("no callback panics");
        *reasons.entry(format!("{truth}: {cause}")).or_default() += 1;
    }

    /// Why records failed: words, how many.
    pub(crate) fn reasons(&self) -> Vec<(String, u64)> {
        let reasons = self.reasons.lock().expect("no callback panics");
        reasons.iter().map(|(why, n)| (why.clone(), *n)).collect()
    }

    /// What was told until now.
    pub(crate) fn statement(&self) -> Statement {
        let told = |number: &AtomicI64| Told::of_number(number.load(Ordering::Relaxed));
        let partition = |numbers: &Vec<AtomicI64>| numbers.iter().map(told).collect();
        self.told.iter().map(partition).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Told;

    #[test]
    fn what_was_told_survives_its_number() {
        for told in [
            Told::Open,
            Told::Refused,
            Told::Acked(None),
            Told::Acked(Some(0)),
            Told::Acked(Some(7)),
            Told::NotPersisted,
            Told::MaybePersisted,
        ] {
            assert_eq!(Told::of_number(told.number()), told);
        }
    }
}
