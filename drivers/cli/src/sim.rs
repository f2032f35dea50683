//! `titorelli sim`: whole runs of the real core in the simulated world, each drawn from a seed.

use crate::output::{print, tell};
use crate::{Ended, UNACKNOWLEDGED};
use clap::Args;
use std::panic::catch_unwind;
use std::process::ExitCode;
use std::time::Instant;
use titorelli_sim::{Summary, banner, run_seed};

/// Run the producer against a simulated cluster, with faults, from a seed.
///
/// Ends at the first seed that breaks a promise and prints the command that shows it. One seed
/// alone prints its knobs and, if it fails, its last lines. Exit status: 0 when every seed kept
/// every promise, 1 when one did not.
#[derive(Args)]
pub(crate) struct Sim {
    /// The first seed; with --count 1, the only one.
    #[arg(default_value_t = 0)]
    seed: u64,
    /// How many seeds to run.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Run every seed twice and compare.
    #[arg(long)]
    check: bool,
}

impl Sim {
    /// Runs the seeds.
    pub(crate) fn run(&self) -> Ended {
        let Some(last) = self.seed.checked_add(self.count - 1) else {
            return Err("--count: there are not so many seeds from there".into());
        };
        let is_alone = self.count == 1;
        let began = Instant::now();
        let mut total = Summary::default();
        for seed in self.seed..=last {
            if is_alone {
                print(&format!("seed {seed}\n{}\n", banner(seed)))?;
            }
            let Ok(summary) = catch_unwind(|| run_seed(seed, is_alone)) else {
                tell(format_args!("failed: titorelli sim {seed} --count 1"));
                return Ok(ExitCode::from(UNACKNOWLEDGED));
            };
            if self.check && run_seed(seed, false) != summary {
                tell(format_args!(
                    "failed: S18: seed {seed} ran otherwise the second time"
                ));
                return Ok(ExitCode::from(UNACKNOWLEDGED));
            }
            total = total.plus(summary);
        }
        let seconds = began.elapsed().as_secs_f64();
        print(&format!(
            "ok: {} seeds from {} in {seconds:.1} s: {total}\n",
            self.count, self.seed
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}
