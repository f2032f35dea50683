//! A small run, repeated with a fault at every single step: exhaustive where the swarm samples.

use crate::check;
use crate::fault::Fault;
use crate::world::{World, WorldConfig};

/// A run that is short enough to be repeated at every step.
#[derive(Clone, Debug)]
pub struct Exploration {
    /// The world, the same each time.
    pub config: WorldConfig,
    /// Creates topics and sends records; it need not wait for their end.
    pub script: fn(&mut World),
    /// The faults to try.
    pub faults: Vec<Fault>,
}

impl Exploration {
    /// Tries every fault at every step. Returns how many runs that took.
    ///
    /// # Panics
    /// Something does not hold that must always hold; the timeline says which fault struck when.
    #[must_use]
    pub fn every_fault(&self) -> u64 {
        let steps = self.run(&[]);
        let mut runs = 1;
        for fault in &self.faults {
            for at in 0..steps {
                self.run(&[(at, fault)]);
                runs += 1;
            }
        }
        runs
    }

    /// Tries every pair of faults at every pair of steps. Returns how many runs that took: the
    /// square of [`Self::every_fault`], half of it.
    ///
    /// # Panics
    /// As there.
    #[must_use]
    pub fn every_pair(&self) -> u64 {
        let mut runs = 0;
        for first in &self.faults {
            let steps = self.run(&[]);
            for first_at in 0..steps {
                // The first fault may make the run longer, and the second may strike there.
                let steps = self.run(&[(first_at, first)]);
                runs += 1;
                for second in &self.faults {
                    for second_at in first_at..steps {
                        self.run(&[(first_at, first), (second_at, second)]);
                        runs += 1;
                    }
                }
            }
        }
        runs
    }

    /// One run with these faults; how many steps it took.
    fn run(&self, faults: &[(u64, &Fault)]) -> u64 {
        let mut world = World::new(self.config.clone());
        for (at, fault) in faults {
            world.ambush(*at, (*fault).clone());
        }
        (self.script)(&mut world);
        world.run_until_quiet();
        let steps = world.steps();
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
