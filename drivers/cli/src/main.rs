//! The command-line tool `titorelli`: produce lines, measure, serve the embedded cluster, a
//! demonstration that proves itself, and simulated runs from seeds.
//!
//! Owns: arguments, files, the terminal, exit codes. Never: the protocol or a retry.

#![forbid(unsafe_code)]

mod config;
mod demo;
mod explain;
mod interrupt;
mod options;
mod output;
mod perf;
mod produce;
mod serve;
mod sim;
mod stop;

use clap::{Parser, Subcommand};
use output::tell;
use std::error::Error;
use std::process::ExitCode;

/// How a subcommand ended; an error is told on standard error and gives exit status 2.
type Ended = Result<ExitCode, Box<dyn Error>>;

/// Exit status when a record was not acknowledged.
const UNACKNOWLEDGED: u8 = 1;
/// Exit status when nothing could begin (wrong arguments, no such file), or when standard output
/// takes no more.
const UNUSABLE: u8 = 2;
/// Exit status after Ctrl-C, as shells have it (128 + SIGINT).
const INTERRUPTED: u8 = 130;

/// A Kafka producer whose whole behaviour is one pure state machine.
#[derive(Parser)]
#[command(name = "titorelli", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

// Without words of their own here, the subcommands' help has all that their modules say.
#[derive(Subcommand)]
enum Command {
    Produce(produce::Produce),
    Perf(perf::Perf),
    Serve(serve::Serve),
    Demo(demo::Demo),
    Sim(sim::Sim),
    Config(config::Keys),
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Produce(produce) => produce.run(),
        Command::Perf(perf) => perf.run(),
        Command::Serve(serve) => serve.run(),
        Command::Demo(demo) => demo.run(),
        Command::Sim(sim) => sim.run(),
        Command::Config(keys) => keys.run(),
    };
    ended.unwrap_or_else(|error| {
        tell(format_args!("titorelli: {error}"));
        ExitCode::from(UNUSABLE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }
}
