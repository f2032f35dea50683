//! S12 and L8 on the wire: a batch leaves at most once more than `retries`, and its attempts are a
//! backoff apart.

use std::collections::BTreeMap;

use titorelli::{Config, Instant};

use super::pause::Pause;

/// What is known of a batch of which a byte left.
#[derive(Debug)]
struct Attempts {
    count: u32,
    /// When the core handed out the last of them.
    handed_at: Instant,
}

/// The attempts of every batch, by the checksum of its records.
#[derive(Debug)]
pub(crate) struct AttemptLog {
    count_max: u32,
    pause: Pause,
    by_batch: BTreeMap<u64, Attempts>,
    likeness: Likeness,
}

/// Whether batches are known by what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    /// No two of them hold the same.
    Unique,
    /// Some may, and a few at most.
    Unsure,
    /// They may, and one that left before is not known by its content.
    Equal,
}

impl AttemptLog {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            count_max: config.retries.saturating_add(1),
            pause: Pause::of_retries(config),
            by_batch: BTreeMap::new(),
            likeness: Likeness::Unsure,
        }
    }

    /// No two batches hold the same from now on.
    pub(crate) fn tell_apart(&mut self) {
        self.likeness = Likeness::Unique;
    }

    /// Batches may hold the same from now on: attempts are not told from each other.
    pub(crate) fn allow_equals(&mut self) {
        self.likeness = Likeness::Equal;
    }

    /// Whether a byte of it left before.
    pub(crate) fn has_left(&self, batch: u64) -> bool {
        self.by_batch.contains_key(&batch)
    }

    /// The core hands out a batch; its partition's leader last changed then.
    ///
    /// # Panics
    /// It should have waited: a new leader alone is worth an attempt at once (KAFKA-15415).
    pub(crate) fn on_handed(&self, now: Instant, batch: u64, moved_at: Option<Instant>) {
        let Some(Attempts { count, handed_at }) = self.by_batch.get(&batch) else {
            return;
        };
        let earliest = *handed_at + self.pause.least(*count);
        let is_elsewhere = moved_at.is_some_and(|moved_at| moved_at >= *handed_at);
        assert!(
            is_elsewhere || self.likeness != Likeness::Unique || now >= earliest,
            "L8: attempt {} at {now}, before {earliest}",
            count + 1
        );
    }

    /// The first byte of a batch left, handed out then.
    ///
    /// # Panics
    /// It is one attempt too many.
    pub(crate) fn on_left(&mut self, batch: u64, handed_at: Instant) {
        if self.likeness == Likeness::Equal {
            return;
        }
        let attempts = self.by_batch.entry(batch).or_insert(Attempts {
            count: 0,
            handed_at,
        });
        attempts.count += 1;
        attempts.handed_at = handed_at;
        assert!(
            attempts.count <= self.count_max || self.likeness != Likeness::Unique,
            "S12: attempt {} left, {} are allowed",
            attempts.count,
            self.count_max
        );
    }
}
