//! `cargo run --release -p titorelli-sim -- [SEED] [--count N] [--check]`
//!
//! Runs N seeds from SEED on (0 and 1,000 by default), tells what they came to, and ends at the
//! first that fails with the command that shows it. One seed alone prints its knobs and, if it
//! fails, its last lines. `--check` runs every seed twice and compares.

use std::panic::catch_unwind;
use std::process::ExitCode;

use titorelli_sim::{Summary, banner, run_seed};

/// What the command line asks for.
struct Options {
    seed: u64,
    count: u64,
    is_checked: bool,
}

fn main() -> ExitCode {
    let Some(options) = parse() else {
        eprintln!("usage: titorelli-sim [SEED] [--count N] [--check]");
        return ExitCode::from(2);
    };
    let is_alone = options.count == 1;
    let mut total = Summary::default();
    for seed in options.seed..options.seed.saturating_add(options.count) {
        if is_alone {
            println!("seed {seed}\n{}", banner(seed));
        }
        let Ok(summary) = catch_unwind(|| run_seed(seed, is_alone)) else {
            eprintln!("failed: cargo run --release -p titorelli-sim -- {seed}");
            return ExitCode::FAILURE;
        };
        if options.is_checked && run_seed(seed, false) != summary {
            eprintln!("failed: S18: seed {seed} ran otherwise the second time");
            return ExitCode::FAILURE;
        }
        total = total.plus(summary);
    }
    println!("ok seed={} count={} {total}", options.seed, options.count);
    ExitCode::SUCCESS
}

#[expect(clippy::disallowed_methods, reason = "a program reads its arguments")]
fn parse() -> Option<Options> {
    let mut arguments = std::env::args().skip(1);
    let mut options = Options {
        seed: 0,
        count: 1_000,
        is_checked: false,
    };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--check" => options.is_checked = true,
            "--count" => options.count = arguments.next()?.parse().ok()?,
            seed => {
                options.seed = seed.parse().ok()?;
                options.count = 1;
            }
        }
    }
    Some(options)
}
