//! What the application takes back: drawn apart from everything else of a seed, so that the runs of
//! those that take nothing back are what they were.

use titorelli::{Config, Purge};

use super::knobs::Knobs;
use crate::check::excuses_gaps;
use crate::cluster::BrokerId;
use crate::codec::error_code;
use crate::entropy::Entropy;
use crate::fault::Fault;
use crate::plan::Step;

/// Makes another number of a seed than what everything else of it is drawn from.
const SALT: u64 = 0x7461_6b65_6261_636b;
/// A record that so many were accepted after may be withdrawn.
const NTH_MAX: u64 = 6;
/// How many of a hundred idempotent producers promise that nothing is written behind a gap.
const GAPLESS_PERCENT: u64 = 25;
/// In how many of a hundred of these nothing excuses them.
const UNEXCUSED_PERCENT: u64 = 80;
/// How many of a hundred bursts go to one partition there, and meet a refusal.
const REFUSED_BURSTS_PERCENT: u64 = 30;
/// Of how many of a hundred some leaves, and the rest is not even begun.
const CLOGGED_BURSTS_PERCENT: u64 = 8;
/// Refusals that are no reason to send a batch again.
const FINAL: [i16; 4] = [
    error_code::TOPIC_AUTHORIZATION_FAILED,
    error_code::POLICY_VIOLATION,
    error_code::INVALID_TIMESTAMP,
    error_code::MESSAGE_TOO_LARGE,
];

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
            is_gapless: entropy.chance(GAPLESS_PERCENT),
            entropy,
        }
    }

    /// Whether failing records take others along.
    pub(super) fn shape(&self, core: &mut Config) {
        core.enable_gapless_guarantee = self.is_gapless && core.enable_idempotence;
    }

    /// Where failing records take others along: mostly nothing strikes that would excuse what is
    /// written behind them, and now and then one of many of a partition fails.
    pub(super) fn widen_gaps(&mut self, knobs: &Knobs, steps: &mut Vec<Step>) {
        if !knobs.core.enable_gapless_guarantee {
            return;
        }
        if self.entropy.chance(UNEXCUSED_PERCENT) {
            steps.retain(|step| !matches!(step, Step::Inflict(fault) if excuses_gaps(fault)));
        }
        let mut widened = Vec::with_capacity(steps.len());
        let is_record = |step: &Step| matches!(step, Step::Send(_) | Step::Echo(_));
        for burst in steps.chunk_by_mut(|one, next| is_record(one) && is_record(next)) {
            if is_record(&burst[0]) && self.entropy.chance(REFUSED_BURSTS_PERCENT) {
                let (topic, partition) = knobs.draw_place(&mut self.entropy);
                for step in &mut *burst {
                    if let Step::Send(record) | Step::Echo(record) = step {
                        (record.topic, record.partition) = (topic.clone(), Some(partition));
                    }
                }
                widened.push(Step::Inflict(Fault::FailNext {
                    topic,
                    partition,
                    error_code: self.entropy.pick(&FINAL),
                    append: false,
                }));
            }
            widened.extend(burst.iter().cloned());
            if is_record(&burst[0]) && self.entropy.chance(CLOGGED_BURSTS_PERCENT) {
                let bytes = self.entropy.pick(&[200, 400, 1_000, 3_000]);
                let brokers = (1..=i32::from(knobs.brokers)).map(BrokerId);
                widened.extend(brokers.map(|id| Step::Inflict(Fault::Clog(id, bytes))));
            }
        }
        *steps = widened;
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
