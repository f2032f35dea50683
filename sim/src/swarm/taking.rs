//! What the application takes back: drawn apart from everything else of a seed, so that the runs of
//! those that take nothing back are what they were.

use titorelli::{Config, Purge};

use crate::entropy::Entropy;
use crate::plan::Step;

/// Makes another number of a seed than what everything else of it is drawn from.
const SALT: u64 = 0x7461_6b65_6261_636b;
/// A record that so many were accepted after may be withdrawn.
const NTH_MAX: u64 = 6;

/// How much is taken back in a run.
#[derive(Debug)]
pub(super) struct Taking {
    entropy: Entropy,
    /// Of a hundred pauses, before so many a record is withdrawn.
    withdraw_percent: u64,
    /// The same, for purges.
    purge_percent: u64,
    is_gapless: bool,
}

impl Taking {
    pub(super) fn draw(seed: u64) -> Self {
        let mut entropy = Entropy::new(seed ^ SALT);
        Self {
            withdraw_percent: entropy.pick(&[0, 0, 0, 10, 40]),
            purge_percent: entropy.pick(&[0, 0, 0, 0, 5]),
            is_gapless: entropy.chance(15),
            entropy,
        }
    }

    /// Whether failing records take others along.
    pub(super) fn shape(&self, core: &mut Config) {
        core.enable_gapless_guarantee = self.is_gapless && core.enable_idempotence;
    }

    /// Puts what is taken back before the pauses of a run.
    pub(super) fn spread(&mut self, steps: &mut Vec<Step>) {
        if self.withdraw_percent + self.purge_percent == 0 {
            return;
        }
        let mut spread = Vec::with_capacity(steps.len());
        for step in steps.drain(..) {
            if matches!(step, Step::Wait(_)) {
                if self.entropy.chance(self.withdraw_percent) {
                    let nth = self.entropy.below(NTH_MAX);
                    spread.push(Step::Withdraw(usize::try_from(nth).expect("few")));
                }
                if self.entropy.chance(self.purge_percent) {
                    let whats = [Purge::Queued, Purge::InFlight, Purge::All];
                    spread.push(Step::Purge(self.entropy.pick(&whats)));
                }
            }
            spread.push(step);
        }
        *steps = spread;
    }
}
