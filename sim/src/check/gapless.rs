//! `enable_gapless_guarantee`: nothing is written behind a record that failed and was accepted
//! before that.
//!
//! What the application takes back is no such failure. Where brokers forget who wrote, or lie, they
//! may take what was in flight behind the gap: then nothing is looked at any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use titorelli::{Delivery, DeliveryCause, Instant, Outcome};

use crate::fault::Fault;
use crate::journal::{Journal, RecordId};
use crate::sight::Sight;

/// A record that failed.
#[derive(Clone, Copy, Debug)]
struct Gap {
    /// Which of all accepted records it was.
    accepted_as: u64,
    failed_at: Instant,
}

/// Watches what is written behind gaps.
#[derive(Debug)]
pub(super) struct Gapless {
    is_promised: bool,
    /// Whether some fail for others, whatever brokers do.
    is_wanted: bool,
    gaps: BTreeMap<(Arc<str>, i32), Vec<Gap>>,
    /// All that failed, whether it was written or not, but for what was taken back.
    failed: BTreeMap<(Arc<str>, i32), Vec<Gap>>,
    /// What it came across while it looked.
    seen: Vec<Sight>,
}

impl Gapless {
    pub(super) const fn new(is_promised: bool) -> Self {
        Self {
            is_promised,
            is_wanted: is_promised,
            gaps: BTreeMap::new(),
            failed: BTreeMap::new(),
            seen: Vec::new(),
        }
    }

    /// # Panics
    /// A record was written behind a gap, or failed for one that there is not.
    pub(super) fn on_delivered(
        &mut self,
        now: Instant,
        delivery: &Delivery,
        ids: &[RecordId],
        journal: &Journal,
    ) {
        if self.is_wanted {
            self.check_reason(now, delivery, ids, journal);
        }
        if !self.is_promised {
            return;
        }
        let place = (Arc::clone(&delivery.topic), delivery.partition);
        let gaps = self.gaps.entry(place).or_default();
        match &delivery.outcome {
            Outcome::Acked { .. } => {
                for id in ids {
                    let (nth, accepted_at) = (journal.accepted_as(*id), journal.accepted_at(*id));
                    let is_behind =
                        |gap: &&Gap| gap.accepted_as < nth && accepted_at < gap.failed_at;
                    let gap = gaps.iter().find(is_behind);
                    assert!(gap.is_none(), "gapless: {id:?} is written behind {gap:?}");
                }
            }
            Outcome::NotPersisted(error) if !is_taken_back(&error.cause) => {
                if error.cause == DeliveryCause::Gap {
                    self.seen.push(if error.attempts > 0 {
                        Sight::GapHeldInFlight
                    } else {
                        Sight::GapHeldQueued
                    });
                }
                gaps.extend(ids.iter().map(|id| Gap {
                    accepted_as: journal.accepted_as(*id),
                    failed_at: now,
                }));
            }
            Outcome::NotPersisted(_) | Outcome::MaybePersisted(_) => {}
        }
    }

    /// Who fails for another record came behind it, was accepted before that one failed, and is
    /// not in flight.
    fn check_reason(
        &mut self,
        now: Instant,
        delivery: &Delivery,
        ids: &[RecordId],
        journal: &Journal,
    ) {
        let (Outcome::NotPersisted(error) | Outcome::MaybePersisted(error)) = &delivery.outcome
        else {
            return;
        };
        if is_taken_back(&error.cause) {
            return;
        }
        let place = (Arc::clone(&delivery.topic), delivery.partition);
        let failed = self.failed.entry(place).or_default();
        if error.cause == DeliveryCause::Gap {
            let last = error.biography.attempts.last();
            let is_cut_off = last.is_some_and(|attempt| attempt.end.is_none());
            assert!(
                !is_cut_off,
                "gapless: its answer was not waited for: {error}"
            );
            for id in ids {
                let (nth, accepted_at) = (journal.accepted_as(*id), journal.accepted_at(*id));
                let is_before = |gap: &Gap| gap.accepted_as < nth && accepted_at <= gap.failed_at;
                assert!(
                    failed.iter().any(is_before),
                    "gapless: {id:?} fails for no record before it"
                );
            }
        }
        failed.extend(ids.iter().map(|id| Gap {
            accepted_as: journal.accepted_as(*id),
            failed_at: now,
        }));
    }

    pub(super) fn on_fault(&mut self, fault: &Fault) {
        self.is_promised &= !excuses_gaps(fault);
    }

    pub(super) fn take_seen(&mut self) -> Vec<Sight> {
        core::mem::take(&mut self.seen)
    }
}

/// Whether brokers may take what is in flight behind a gap after this.
pub(crate) const fn excuses_gaps(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::ForgetProducers(..)
            | Fault::ElectUnclean { .. }
            | Fault::Recreate(..)
            | Fault::Delete(_)
            | Fault::Starve(_)
            | Fault::Upgrade(..)
            | Fault::Distort(..)
            | Fault::Garble(..)
            | Fault::Mislead(..)
    )
}

const fn is_taken_back(cause: &DeliveryCause) -> bool {
    matches!(
        cause,
        DeliveryCause::Withdrawn | DeliveryCause::Purged | DeliveryCause::ProducerClosed
    )
}
