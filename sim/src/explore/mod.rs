//! A small run, repeated with a fault at every single step, and with several: exhaustive where the
//! swarm samples.

mod small;

use core::fmt;
use core::time::Duration;

use crate::check;
use crate::fault::Fault;
use crate::timeline::Telling;
use crate::world::{World, WorldConfig};

/// Records that have no outcome after so much virtual time never get one.
const RECORDS_END_WITHIN: Duration = Duration::from_secs(3_600);

/// A run that is short enough to be repeated at every step.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// The world, the same each time.
    pub config: WorldConfig,
    /// Creates topics and sends records; it need not wait for their end.
    pub script: fn(&mut World),
    /// The faults to try.
    pub faults: Vec<Fault>,
    /// How many of them strike in a run at most.
    pub depth: u32,
    /// No fault strikes before so many steps.
    pub first_step: u64,
    /// None strikes when every record has its outcome; else they strike until nothing is under way.
    pub ends_with_records: bool,
}

/// A fault, and when it strikes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strike {
    /// So many steps have been taken.
    pub at_step: u64,
    /// What happens.
    pub fault: Fault,
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at step {}", self.fault, self.at_step)
    }
}

impl Exploration {
    /// What can be explored by name, and what happens in it.
    pub const NAMED: [(&'static str, &'static str); 5] = small::NAMED;

    /// The exploration of this name; `None`: there is none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        small::of_name(name)
    }

    /// Every fault at every step of the run with these strikes, from the last of them on: they may
    /// make it longer, and the next may strike there.
    ///
    /// # Panics
    /// Something does not hold that must always hold.
    #[must_use]
    pub fn next_strikes(&self, strikes: &[Strike]) -> Vec<Strike> {
        let steps = self.run(strikes, Telling::Nothing);
        let from = strikes.last().map_or(self.first_step, |last| last.at_step);
        let strike = |at_step| {
            let fault = move |fault: &Fault| Strike {
                at_step,
                fault: fault.clone(),
            };
            self.faults.iter().map(fault)
        };
        (from..steps).flat_map(strike).collect()
    }

    /// Tries every fault at every step. Returns how many runs that took.
    ///
    /// # Panics
    /// Something does not hold that must always hold.
    #[must_use]
    pub fn every_fault(&self) -> u64 {
        self.every(&mut Vec::new(), 1)
    }

    /// Tries every pair of faults at every pair of steps. Returns how many runs that took: the
    /// square of [`Self::every_fault`], half of it.
    ///
    /// # Panics
    /// As there.
    #[must_use]
    pub fn every_pair(&self) -> u64 {
        self.every(&mut Vec::new(), 2)
    }

    /// Tries whatever can follow these strikes, up to so many more; `strikes` is as before when it
    /// returns how many runs that took, the one without any more among them.
    ///
    /// # Panics
    /// As [`Self::every_fault`]; `strikes` is then what led to it.
    pub fn every(&self, strikes: &mut Vec<Strike>, more: u32) -> u64 {
        let mut runs = 1;
        if more == 0 {
            let _ = self.run(strikes, Telling::Nothing);
            return runs;
        }
        for strike in self.next_strikes(strikes) {
            strikes.push(strike);
            runs += self.every(strikes, more - 1);
            strikes.pop();
        }
        runs
    }

    /// One run with these faults; how many steps it took until no other may strike.
    ///
    /// # Panics
    /// Something does not hold that must always hold.
    #[must_use]
    pub fn run(&self, strikes: &[Strike], telling: Telling) -> u64 {
        let mut world = World::new(self.config.clone());
        world.tell(telling);
        for strike in strikes {
            world.ambush(strike.at_step, strike.fault.clone());
        }
        (self.script)(&mut world);
        if !self.ends_with_records {
            world.run_until_quiet();
        }
        let give_up_at = world.now() + RECORDS_END_WITHIN;
        while world.journal().open_count() > 0 && world.step(give_up_at) {}
        let steps = world.steps();
        world.run_until_quiet();
        world.heal();
        world.run_until_quiet();
        check::logs(&world);
        let buffered_bytes = world.core().stats().buffered_bytes;
        assert_eq!(
            buffered_bytes, 0,
            "S8: nothing is under way, and memory is held"
        );
        steps
    }
}
