//! Times in which the core is not called (F52), or which the clock skips (F51).

use titorelli::Instant;

/// Every such time, in order.
#[derive(Debug, Default)]
pub(super) struct Naps {
    past: Vec<(Instant, Instant)>,
    /// The one under way: its beginning and its end.
    present: Option<(Instant, Instant)>,
}

impl Naps {
    /// The core is not called from `from` until `until`; a nap that is under way gets longer.
    pub(super) fn begin(&mut self, from: Instant, until: Instant) {
        self.present = Some(match self.present {
            None => (from, until),
            Some((from, end)) => (from, until.max(end)),
        });
    }

    /// The clock jumped.
    pub(super) fn skip(&mut self, from: Instant, until: Instant) {
        self.past.push((from, until));
    }

    /// The core is called again.
    pub(super) fn end(&mut self, now: Instant) {
        if let Some((from, _)) = self.present.take() {
            self.past.push((from, now));
        }
    }

    /// When the nap that is under way ends.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.present.map(|(_, end)| end)
    }

    pub(super) const fn is_asleep(&self) -> bool {
        self.present.is_some()
    }

    /// When something that is due at `due` is done at the latest: a core that is not called can do
    /// nothing.
    pub(super) fn latest(&self, due: Instant) -> Instant {
        let over = |nap: &&(Instant, Instant)| nap.0 <= due && due < nap.1;
        self.past.iter().rev().find(over).map_or(due, |nap| nap.1)
    }
}
