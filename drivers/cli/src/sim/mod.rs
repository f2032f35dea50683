//! `titorelli sim`: whole runs of the real core in the simulated world, each drawn from a seed.
//!
//! A run is a world of its own, so every core of the machine runs some; what is printed does not
//! depend on how many there are.

mod explore;
mod flight;

use crate::output::{print, tell};
use crate::perf::Mark;
use crate::{Ended, UNACKNOWLEDGED};
use clap::Args;
use core::fmt;
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use std::num::NonZeroUsize;
use std::panic::{self, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;
use titorelli::counted;
use titorelli_sim::{Profile, Summary, Telling, banner, run_seed, shrink};

/// So many seeds come across every situation, wherever they begin.
const SEEDS_THAT_SEE_ALL: u64 = 1_000;
/// How often the time is told anew while nothing else is.
const TICK: Duration = Duration::from_millis(500);
/// As much of a message as fits into a line of a comment.
const COMMENT_CHARS_MAX: usize = 97;

/// Run the producer against a simulated cluster, with faults, from a seed.
///
/// Many seeds run on all cores; it ends at the first that breaks a promise and prints the command
/// that shows it. From 1,000 seeds on, it also fails when there is a situation that none came
/// across. One seed alone prints its knobs and, if it fails, its last lines. Exit status: 0 when
/// every seed kept every promise, 1 when one did not.
#[derive(Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line, on or off by itself"
)]
pub(crate) struct Sim {
    /// One seed, told in full.
    #[arg(long, value_name = "S", conflicts_with = "seeds")]
    seed: Option<u64>,
    /// The seeds from A to before B.
    #[arg(long, value_name = "A..B", default_value = "0..1000")]
    seeds: Seeds,
    /// What kind of run a seed draws: full (everything is drawn), small (3 brokers, 3 partitions,
    /// 24 records, all faults), wide (10 topics of 20 partitions, 1,000 records) or idempotent (as
    /// small, and every producer is).
    #[arg(long, value_name = "NAME", default_value_t)]
    profile: Profile,
    /// Run a small world with every fault at every step, then with every pair of them: one-record,
    /// four-records, full-buffer or close; or, with four kinds of fault up to three of them,
    /// once-and-in-order.
    #[arg(long, value_name = "NAME", value_parser = explore::by_name)]
    #[arg(conflicts_with_all = ["seed", "seeds", "profile", "check", "sights"])]
    explore: Option<String>,
    /// With --seed: tell the whole run, not only how it failed.
    #[arg(long, requires = "seed", conflicts_with = "seeds")]
    trace: bool,
    /// With --seed: cut a run that fails down to the least that fails in the same way, and print
    /// it as a test in Rust.
    #[arg(long, requires = "seed", conflicts_with_all = ["seeds", "trace", "check", "sights"])]
    shrink: bool,
    /// With --seed: write every call of the producer's core to FILE, also when the run fails.
    #[arg(long, value_name = "FILE", requires = "seed", conflicts_with_all = ["shrink", "check"])]
    record: Option<PathBuf>,
    /// With --seed: draw the run as a page for a browser in FILE, also when it fails.
    #[arg(long, value_name = "FILE.html", requires = "seed")]
    #[arg(conflicts_with_all = ["shrink", "check"])]
    timeline: Option<PathBuf>,
    /// Make the calls of a recording again, of a seed or of a producer, and compare what comes
    /// back; exit status 1 at the first difference.
    #[arg(long, value_name = "FILE", conflicts_with_all = [
        "seed", "seeds", "trace", "shrink", "check", "sights", "threads", "record", "timeline",
    ])]
    replay: Option<PathBuf>,
    /// Run every seed twice and compare.
    #[arg(long)]
    check: bool,
    /// Print how often each situation was come across.
    #[arg(long)]
    sights: bool,
    /// How many threads [default: one for each core].
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// The seeds from `from`, `count` of them.
#[derive(Clone, Copy)]
struct Seeds {
    from: u64,
    count: u64,
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text
            .split_once("..")
            .ok_or("not of the form A..B, such as 0..1000")?;
        let number = |text: &str| text.parse().map_err(|error| format!("{text:?}: {error}"));
        let (from, to): (u64, u64) = (number(from)?, number(to)?);
        let count = to.checked_sub(from).filter(|count| *count > 0);
        let count = count.ok_or_else(|| format!("there is no seed from {from} to before {to}"))?;
        Ok(Self { from, count })
    }
}

impl Sim {
    /// Runs the seeds.
    pub(crate) fn run(&self) -> Ended {
        if let Some(file) = &self.replay {
            return flight::replay(file);
        }
        let threads = self
            .threads
            .map_or_else(thread::available_parallelism, Ok)?;
        if let Some(name) = &self.explore {
            return explore::run(name, threads);
        }
        if let Some(seed) = self.seed.filter(|_| self.shrink) {
            return run_shrink(self.profile, seed);
        }
        let began = Mark::now()?;
        let result = match self.seed {
            Some(seed) => {
                print(&format!("seed {seed}\n{}\n", banner(self.profile, seed)))?;
                if self.record.is_none() && self.timeline.is_none() {
                    self.run_one(seed, self.telling())
                } else {
                    let (record, timeline) = (self.record.as_deref(), self.timeline.as_deref());
                    flight::witness_seed(self.profile, seed, self.telling(), record, timeline)?
                }
                .ok_or(seed)
            }
            None => run_many(
                self.seeds,
                threads,
                &progress(self.seeds.count, "seeds")?,
                |seed| self.run_one(seed, Telling::Nothing),
                Summary::plus,
            ),
        };
        let total = match result {
            Ok(total) => total,
            Err(seed) => {
                tell(format_args!(
                    "failed: titorelli sim{} --seed {seed}",
                    self.flag()
                ));
                return Ok(ExitCode::from(UNACKNOWLEDGED));
            }
        };
        let which = match self.seed {
            Some(seed) => format!("seed {seed}"),
            None => format!(
                "{} from {}",
                counted(self.seeds.count, "seed"),
                self.seeds.from
            ),
        };
        let seconds = began.elapsed().as_secs_f64();
        print(&format!("ok: {which} in {seconds:.1} s: {total}\n"))?;
        if self.seed.is_none() {
            print(&self.pace(began.cpu_seconds()?, &total))?;
        }
        if self.sights {
            print(&total.sights.to_string())?;
        }
        if self.seed.is_none()
            && self.seeds.count >= SEEDS_THAT_SEE_ALL
            && self.profile == Profile::Full
        {
            let missing: Vec<_> = total.sights.missing().collect();
            if !missing.is_empty() {
                tell(format_args!("failed: no seed came across {missing:?}"));
                return Ok(ExitCode::from(UNACKNOWLEDGED));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// How the profile is said on the command line; nothing for the one that is meant anyway.
    fn flag(&self) -> String {
        if self.profile == Profile::default() {
            return String::new();
        }
        format!(" --profile {}", self.profile)
    }

    /// How much a second of one core came to.
    #[expect(clippy::cast_precision_loss, reason = "three digits are enough")]
    fn pace(&self, cpu_seconds: f64, total: &Summary) -> String {
        let per_second = |count: u64| count as f64 / cpu_seconds;
        format!(
            "{} profile: {:.0} seeds and {:.0} records per CPU-second\n",
            self.profile,
            per_second(self.seeds.count),
            per_second(total.records)
        )
    }

    /// What is told of the one seed.
    fn telling(&self) -> Telling {
        if self.trace {
            Telling::Whole
        } else {
            Telling::Tail
        }
    }

    /// What a seed came to; none: it broke a promise, which has been told.
    fn run_one(&self, seed: u64, telling: Telling) -> Option<Summary> {
        let summary = catch_unwind(|| run_seed(self.profile, seed, telling)).ok()?;
        if self.check && run_seed(self.profile, seed, Telling::Nothing) != summary {
            tell(format_args!(
                "S18: seed {seed} ran otherwise the second time"
            ));
            return None;
        }
        Some(summary)
    }
}

/// Prints the least of a seed's run that still fails, as a test.
fn run_shrink(profile: Profile, seed: u64) -> Ended {
    // The runs on the way fail by the hundred, and only the last counts.
    let shrunk = silently(|| shrink(profile, seed));
    let Some(shrunk) = shrunk else {
        print(&format!("ok: seed {seed} keeps every promise\n"))?;
        return Ok(ExitCode::SUCCESS);
    };
    tell(format_args!(
        "{}\n{} -> {} in {}",
        shrunk.message,
        counted(shrunk.steps_before, "step"),
        shrunk.plan.steps.len(),
        counted(shrunk.runs, "run")
    ));
    let source = shrunk.plan.source(&format!("seed_{seed}"));
    let words: String = shrunk.message.chars().take(COMMENT_CHARS_MAX).collect();
    print(&format!("// {words}\n{source}"))?;
    Ok(ExitCode::from(UNACKNOWLEDGED))
}

/// Nothing is told of panics meanwhile.
fn silently<R>(work: impl FnOnce() -> R) -> R {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let result = work();
    panic::set_hook(hook);
    result
}

/// Runs all seeds on so many threads; all of them added up, or the first that broke a promise.
fn run_many<T: Default + Send>(
    seeds: Seeds,
    threads: NonZeroUsize,
    progress: &ProgressBar,
    run: impl Fn(u64) -> Option<T> + Sync,
    plus: fn(T, T) -> T,
) -> Result<T, u64> {
    let hunt = Hunt {
        next: AtomicU64::new(0),
        failed: AtomicU64::new(u64::MAX),
    };
    let total = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.get())
            .map(|_| scope.spawn(|| run_some(seeds, &hunt, progress, &run, plus)))
            .collect();
        let sums = workers
            .into_iter()
            .map(|worker| worker.join().expect("a seed's panic is caught"));
        sums.fold(T::default(), plus)
    });
    progress.finish_and_clear();
    let failed = hunt.failed.into_inner();
    if failed == u64::MAX {
        Ok(total)
    } else {
        Err(seeds.from + failed)
    }
}

/// Takes one seed after the other until none is left, or one before it has failed.
fn run_some<T: Default>(
    seeds: Seeds,
    hunt: &Hunt,
    progress: &ProgressBar,
    run: impl Fn(u64) -> Option<T>,
    plus: fn(T, T) -> T,
) -> T {
    let mut total = T::default();
    loop {
        let place = hunt.next.fetch_add(1, Ordering::Relaxed);
        let end = seeds.count.min(hunt.failed.load(Ordering::Relaxed));
        if place >= end {
            return total;
        }
        match run(seeds.from + place) {
            Some(more) => total = plus(total, more),
            None => {
                hunt.failed.fetch_min(place, Ordering::Relaxed);
            }
        }
        progress.inc(1);
    }
}

/// What the threads share: places in the row of seeds. All before the first that failed are run
/// to their end, so that it is the first whichever thread was faster.
struct Hunt {
    next: AtomicU64,
    failed: AtomicU64,
}

/// A bar on standard error, where that is a terminal. It is there from the beginning and its clock
/// goes on, for the first of what it counts may take minutes.
fn progress(count: u64, of: &str) -> Result<ProgressBar, Box<dyn std::error::Error>> {
    let template = format!("{{pos}} of {{len}} {of} in {{elapsed}}{{to_go}} {{wide_bar}}");
    let to_go = |state: &ProgressState, words: &mut dyn fmt::Write| {
        // Nobody knows before the first is done. The bar's words take everything.
        if state.pos() > 0 {
            let left = HumanDuration(state.eta());
            let _ = write!(words, ", {:.1}/s, {left:#} to go", state.per_sec());
        }
    };
    let style = ProgressStyle::with_template(&template)?.with_key("to_go", to_go);
    let bar = ProgressBar::new(count).with_style(style);
    if !bar.is_hidden() {
        bar.enable_steady_tick(TICK);
    }
    Ok(bar)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads(count: usize) -> NonZeroUsize {
        NonZeroUsize::new(count).unwrap()
    }

    fn seeds(text: &str) -> Seeds {
        text.parse().unwrap()
    }

    #[test]
    fn what_seeds_come_to_does_not_depend_on_the_threads() {
        let run = |count| {
            run_many(
                seeds("5..25"),
                threads(count),
                &ProgressBar::hidden(),
                |seed| Some(run_seed(Profile::Full, seed, Telling::Nothing)),
                Summary::plus,
            )
        };
        let alone = run(1).expect("clean");
        assert!(alone.records > 100 && alone.digest != 0, "{alone}");
        assert_eq!(run(4), Ok(alone));
    }

    /// Of many that fail the first is told, though others are done sooner; and it ends there.
    #[test]
    fn the_first_seed_that_fails_is_the_one_that_is_told() {
        let ran = AtomicU64::new(0);
        let fails = |seed: u64| {
            ran.fetch_add(1, Ordering::Relaxed);
            if seed == 1_013 {
                thread::sleep(Duration::from_millis(50));
            }
            (seed < 1_013).then(Summary::default)
        };
        for count in [1, 2, 8] {
            let told = run_many(
                seeds("1000..1000000"),
                threads(count),
                &ProgressBar::hidden(),
                fails,
                Summary::plus,
            );
            assert_eq!(told, Err(1_013), "{count} threads");
        }
        assert!(ran.into_inner() < 100, "it ends at the first");
    }

    #[test]
    fn no_seed_is_left_out_up_to_the_greatest() {
        let sum = AtomicU64::new(0);
        let count = |seed: u64| {
            sum.fetch_add(u64::MAX - seed, Ordering::Relaxed);
            Some(Summary::default())
        };
        let text = format!("{}..{}", u64::MAX - 3, u64::MAX);
        let told = run_many(
            seeds(&text),
            threads(2),
            &ProgressBar::hidden(),
            count,
            Summary::plus,
        );
        assert_eq!((told, sum.into_inner()), (Ok(Summary::default()), 6));
    }
}
