//! `titorelli sim --explore`: a small run with every fault at every step, then with every pair, and
//! so on as far as that exploration goes.

use super::{Ended, Seeds, UNACKNOWLEDGED, progress, run_many, silently};
use crate::output::{print, tell};
use std::error::Error;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Instant;
use titorelli::counted;
use titorelli_sim::{Exploration, Strike, Telling};

/// What of the command line names an exploration.
pub(super) fn by_name(name: &str) -> Result<String, String> {
    if Exploration::named(name).is_some() {
        return Ok(name.to_owned());
    }
    let lines = Exploration::NAMED.map(|(name, what)| format!("  {name:<17} {what}"));
    Err(format!("there are\n{}", lines.join("\n")))
}

/// Explores; the command fails at the first run that breaks a promise.
pub(super) fn run(name: &str, threads: NonZeroUsize) -> Ended {
    let exploration = Exploration::named(name).expect("the command line was checked");
    let began = Instant::now();
    let firsts = exploration.next_strikes(&[]);
    let mut counts = Vec::new();
    // What fails with one fault is not looked for among pairs.
    for more in 0..exploration.depth {
        match search(&exploration, &firsts, more, threads)? {
            // Those with fewer faults are among them.
            Ok(runs) => counts.push(runs - counts.iter().sum::<u64>()),
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
    let counted = |(faults, runs): (usize, &u64)| format!("{faults} in {}", counted(runs, "run"));
    let counts: Vec<String> = (1..).zip(&counts).map(counted).collect();
    print(&format!(
        "ok: {name}: of {} faults at every step {}, in {:.1} s\n",
        exploration.faults.len(),
        counts.join(", "),
        began.elapsed().as_secs_f64()
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Tries every first fault alone, and with so many more: how many runs that took, or the first
/// faults that broke a promise.
fn search(
    exploration: &Exploration,
    firsts: &[Strike],
    more: u32,
    threads: NonZeroUsize,
) -> Result<Result<u64, Vec<Strike>>, Box<dyn Error>> {
    let places = Seeds {
        from: 0,
        count: u64::try_from(firsts.len())?,
    };
    let attempt = |place: u64| {
        let place = usize::try_from(place).expect("an index");
        let mut strikes = vec![firsts[place].clone()];
        let every = AssertUnwindSafe(|| exploration.every(&mut strikes, more));
        catch_unwind(every).map_err(|_| strikes)
    };
    let of = match more {
        0 => "faults".to_owned(),
        1 => "first faults of pairs".to_owned(),
        _ => format!("first faults of {}", more + 1),
    };
    let progress = progress(places.count, &of)?;
    Ok(silently(|| {
        let run = |place| attempt(place).ok();
        let found = run_many(places, threads, &progress, run, u64::wrapping_add);
        found.map_err(|place| attempt(place).expect_err("it failed before"))
    }))
}
