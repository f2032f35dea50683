//! A producer id that is refused for good, at first or when the epochs of one are used up: drawn
//! apart from everything else of a seed, so that the runs of all others are what they were.

use titorelli::Config;

use super::knobs::Knobs;
use crate::cluster::{BrokerId, ID_FORBIDDEN, REPEAT_ID};
use crate::codec::error_code;
use crate::entropy::Entropy;
use crate::fault::Fault;
use crate::plan::Step;
use crate::story::ms;

/// Makes another number of a seed than what everything else of it is drawn from.
const SALT: u64 = 0x666f_7262_6964_6e6f;
/// How many of a hundred idempotent producers never get an id, and how many get no other.
const AT_FIRST_PERCENT: u64 = 2;
const AT_THE_LAST_EPOCH_PERCENT: u64 = 8;
/// Of a hundred of the latter, so many are given the id that has no epochs left.
const REPEATED_PERCENT: u64 = 30;
/// Of a hundred, so many are answered late.
const SLOW_PERCENT: u64 = 40;
/// So many pauses pass at most before batches are refused at the last epoch.
const PAUSES_MAX: u64 = 6;

/// When a producer id is refused for good.
#[derive(Debug)]
enum When {
    Never,
    AtFirst,
    AtTheLastEpoch,
}

/// What is done about producer ids.
#[derive(Debug)]
pub(super) struct Forbidding {
    entropy: Entropy,
    when: When,
}

impl Forbidding {
    pub(super) fn draw(seed: u64, core: &Config) -> Self {
        let mut entropy = Entropy::new(seed ^ SALT);
        let drawn = entropy.below(100);
        let when = if !core.enable_idempotence {
            When::Never
        } else if drawn < AT_FIRST_PERCENT {
            When::AtFirst
        } else if drawn < AT_FIRST_PERCENT + AT_THE_LAST_EPOCH_PERCENT {
            When::AtTheLastEpoch
        } else {
            When::Never
        };
        Self { entropy, when }
    }

    /// Where epochs begin.
    pub(super) fn shape(&self, knobs: &mut Knobs) {
        if let When::AtTheLastEpoch = self.when {
            knobs.first_epoch = i16::MAX;
        }
    }

    /// Puts the refusals among the steps of a run.
    pub(super) fn spread(&mut self, knobs: &Knobs, steps: &mut Vec<Step>) {
        let (at, faults) = match self.when {
            When::Never => return,
            When::AtFirst => (0, self.draw_refusals()),
            When::AtTheLastEpoch => (self.draw_place(steps), self.draw_end(knobs)),
        };
        steps.splice(at..at, faults.into_iter().map(Step::Inflict));
    }

    /// Some that are cured by time, so that records come meanwhile, and one or two that are not.
    fn draw_refusals(&mut self) -> Vec<Fault> {
        let pauses = self.entropy.below(4);
        let for_a_while = (0..pauses).map(|_| error_code::COORDINATOR_LOAD_IN_PROGRESS);
        let mut codes: Vec<i16> = for_a_while.collect();
        codes.push(self.entropy.pick(&ID_FORBIDDEN));
        codes.push(self.entropy.pick(&ID_FORBIDDEN));
        codes.into_iter().map(Fault::RefuseId).collect()
    }

    /// Behind one of the first pauses: mostly there is an id then.
    fn draw_place(&mut self, steps: &[Step]) -> usize {
        let nth = usize::try_from(self.entropy.below(PAUSES_MAX)).expect("few");
        let is_pause = |(_, step): &(usize, &Step)| matches!(step, Step::Wait(_));
        let place = steps.iter().enumerate().filter(is_pause).nth(nth);
        place.map_or(0, |(at, _)| at + 1)
    }

    /// There is no other id, or a while the same, and some batches need one.
    fn draw_end(&mut self, knobs: &Knobs) -> Vec<Fault> {
        let mut faults = Vec::new();
        let is_repeated = self.entropy.chance(REPEATED_PERCENT);
        if is_repeated {
            faults.push(Fault::RefuseId(REPEAT_ID));
        }
        if !is_repeated || self.entropy.chance(50) {
            faults.push(Fault::RefuseId(self.entropy.pick(&ID_FORBIDDEN)));
        }
        if self.entropy.chance(SLOW_PERCENT) {
            // Two are asked, and both answer.
            faults.push(Fault::RefuseId(self.entropy.pick(&ID_FORBIDDEN)));
            let extra = ms(self.entropy.within(1_100, 2_500));
            let brokers = (1..=i32::from(knobs.brokers)).map(BrokerId);
            faults.extend(brokers.map(|broker| Fault::Delay(broker, extra)));
        }
        for _ in 0..self.entropy.within(1, 4) {
            let (topic, partition) = knobs.draw_place(&mut self.entropy);
            faults.push(Fault::FailNext {
                topic,
                partition,
                error_code: error_code::OUT_OF_ORDER_SEQUENCE_NUMBER,
                append: false,
            });
        }
        faults
    }
}
