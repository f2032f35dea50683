//! `titorelli sim --explore`: a small run with every fault at every step, then with every pair.

use super::{Ended, UNACKNOWLEDGED, progress, silently};
use crate::output::{print, tell};
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
    let singles = firsts.len() + 1;
    let search = Search {
        exploration: &exploration,
        firsts: &firsts,
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
    if let Some(strikes) = failed.unwrap_or_else(PoisonError::into_inner) {
        // Once more, told.
        let _ = catch_unwind(|| exploration.run(&strikes, Telling::Tail));
        let words: Vec<String> = strikes.iter().map(Strike::to_string).collect();
        tell(format_args!(
            "failed: {name} with {}",
            words.join(", then ")
        ));
        return Ok(ExitCode::from(UNACKNOWLEDGED));
    }
    let runs = search.runs.into_inner() + 1;
    let seconds = began.elapsed().as_secs_f64();
    print(&format!(
        "ok: {name}: {} runs in {seconds:.1} s, every one clean: none or one of {} faults at \
         every step {singles}, two {}\n",
        runs,
        exploration.faults.len(),
        runs - u64::try_from(singles)?,
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// What the threads share.
struct Search<'a> {
    exploration: &'a Exploration,
    firsts: &'a [Strike],
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
            let every = AssertUnwindSafe(|| self.exploration.every(&mut strikes, 1));
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
