//! S14: a producer that cannot go on says why at every call, and says the same; what never left
//! ends with that, at once.

use titorelli::{DeliveryCause, Instant, Outcome, SendError};

use crate::fault::Fault;

/// What the producer said that ended it.
#[derive(Debug, Default)]
pub(crate) struct Fatal {
    cause: Option<DeliveryCause>,
    /// When that was first heard of.
    ended_at: Option<Instant>,
    /// A core that is not called hands out late what was so before.
    is_unsure: bool,
}

impl Fatal {
    /// A call is answered, or has waited in vain.
    ///
    /// # Panics
    /// The producer had ended, and takes it up again or gives another cause.
    pub(crate) fn on_answer(&mut self, now: Instant, refusal: Option<&SendError>) {
        match (refusal, &self.cause) {
            (Some(SendError::Fatal(cause)), _) => self.on_cause(now, cause),
            (Some(SendError::WouldBlock(_)) | None, Some(first)) => {
                panic!("S14: it takes a record, and could not go on: {first}")
            }
            (
                Some(
                    SendError::BufferFull { .. }
                    | SendError::TopicUnknown { .. }
                    | SendError::PartitionUnknown { .. },
                ),
                Some(first),
            ) => {
                let is_in_time = !self.is_late(now) || self.is_unsure;
                assert!(is_in_time, "S14: a call waited for nothing: {first}");
            }
            (_, Some(_) | None) => {}
        }
    }

    /// A batch has ended.
    ///
    /// # Panics
    /// The producer had ended before, and the batch did not end with it, though it never left. Or
    /// it ended with it, though nobody knew whether it was written: that is found out first.
    pub(crate) fn on_delivered(&mut self, now: Instant, outcome: &Outcome) {
        let error = match outcome {
            Outcome::Acked { .. } => return,
            Outcome::NotPersisted(error) => error,
            Outcome::MaybePersisted(error) => {
                let is_cut_off = matches!(error.cause, DeliveryCause::NoProducerId(_));
                assert!(!is_cut_off, "S14: its answer was not waited for: {error}");
                return;
            }
        };
        if let cause @ DeliveryCause::NoProducerId(_) = &error.cause {
            return self.on_cause(now, cause);
        }
        let has_waited = error.cause == DeliveryCause::DeliveryTimeout && error.attempts == 0;
        assert!(
            !has_waited || !self.is_late(now) || self.is_unsure,
            "S14: what never left waited, and the producer could not go on: {error}"
        );
    }

    pub(crate) fn on_fault(&mut self, fault: &Fault) {
        self.is_unsure |= matches!(fault, Fault::Starve(_));
    }

    /// Whether it had ended before.
    fn is_late(&self, now: Instant) -> bool {
        self.ended_at.is_some_and(|ended_at| ended_at < now)
    }

    fn on_cause(&mut self, now: Instant, cause: &DeliveryCause) {
        self.ended_at.get_or_insert(now);
        let first = self.cause.get_or_insert_with(|| cause.clone());
        assert_eq!(cause, first, "S14: the first cause is told");
    }
}
