//! `titorelli sim --explore`: a small run with every fault at every step, then with every pair.

use super::{Ended, UNACKNOWLEDGED, progress, silently};
use crate::output::{print, tell};
use std::error::Error;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;
use titorelli_sim::{Exploration, Strike, Telling};

/// What of the command line names an exploration.
pub(super) fn by_name(name: &str) -> Result<String, String> {
    if Exploration::named(name).is_some() {
        return Ok(name.to_owned());
    }
    let lines = Exploration::NAMED.map(|(name, what)| format!("  {name:<13} {what}"));
    Err(format!("there are\n{}", lines.join("\n")))
}

/// Explores; the command fails at the first run that breaks a promise.
pub(super) fn run(name: &str, threads: NonZeroUsize) -> Ended {
    let exploration = Exploration::named(name).expect("the command line was checked");
    let began = Instant::now();
    let firsts = exploration.next_strikes(&[]);
    let mut counts = Vec::new();
    // What fails with one fault is not looked for among pairs.
    for more in [0, 1] {
        match search(&exploration, &firsts, more, threads)? {
            Ok(runs) => counts.push(runs),
            Err(strikes) => {
                // Once more, told.
                let _ = catch_unwind(|| exploration.run(&strikes, Telling::Tail));
                let words: Vec<String> = strikes.iter().map(Strike::to_string).collect();
                tell(format_args!(
                    "failed: {name} with {}",
                    words.join(", then ")
                ));
                return Ok(ExitCode::from(UNACKNOWLEDGED));
            }
        }
    }
    print(&format!(
        "ok: {name}: one of {} faults at every step in {} runs, two in {}, in {:.1} s\n",
        exploration.faults.len(),
        counts[0],
        counts[1] - counts[0],
        began.elapsed().as_secs_f64()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Tries every first fault alone, and with so many more: how many runs that took, or which faults
/// broke a promise.
fn search(
    exploration: &Exploration,
    firsts: &[Strike],
    more: u32,
    threads: NonZeroUsize,
) -> Result<Result<u64, Vec<Strike>>, Box<dyn Error>> {
    let search = Search {
        exploration,
        firsts,
        more,
        next: AtomicUsize::new(0),
        runs: AtomicU64::new(0),
        failed: Mutex::new(None),
    };
    let progress = progress(u64::try_from(firsts.len())?, "first faults")?;
    silently(|| {
        thread::scope(|scope| {
            for _ in 0..threads.get() {
                scope.spawn(|| search.take_turns(&progress));
            }
        });
    });
    progress.finish_and_clear();
    let failed = search.failed.into_inner();
    let failed = failed.unwrap_or_else(PoisonError::into_inner);
    Ok(failed.map_or_else(|| Ok(search.runs.into_inner()), Err))
}

/// What the threads share.
struct Search<'a> {
    exploration: &'a Exploration,
    firsts: &'a [Strike],
    more: u32,
    next: AtomicUsize,
    runs: AtomicU64,
    /// What broke a promise first.
    failed: Mutex<Option<Vec<Strike>>>,
}

impl Search<'_> {
    /// Takes one first fault after the other, with all that may follow it.
    fn take_turns(&self, progress: &indicatif::ProgressBar) {
        while let Some(first) = self.firsts.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let mut strikes = vec![first.clone()];
            let every = AssertUnwindSafe(|| self.exploration.every(&mut strikes, self.more));
            if let Ok(runs) = catch_unwind(every) {
                self.runs.fetch_add(runs, Ordering::Relaxed);
            } else {
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert(strikes);
                self.next.store(self.firsts.len(), Ordering::Relaxed);
            }
            progress.inc(1);
        }
    }
}
