//! The command-line tool `titorelli`: produce lines, measure, serve the embedded cluster, a
//! demonstration that proves itself, and simulated runs from seeds.
//!
//! Owns: arguments, files, the terminal, exit codes. Never: the protocol or a retry.

mod demo;
mod interrupt;
mod options;
mod perf;
mod produce;
mod serve;
mod sim;

use clap::{Parser, Subcommand};
use std::error::Error;
use std::process::ExitCode;

/// How a subcommand ended; an error is told on standard error and gives exit status 2.
type Ended = Result<ExitCode, Box<dyn Error>>;

/// Exit status when a record was not acknowledged.
const UNACKNOWLEDGED: u8 = 1;
/// Exit status when nothing could begin: wrong arguments, no such file.
const UNUSABLE: u8 = 2;
/// Exit status after Ctrl-C, as shells have it (128 + SIGINT).
const INTERRUPTED: u8 = 130;

/// A Kafka producer whose whole behaviour is one pure state machine.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Send lines of files or of standard input to a topic, one record each.
    Produce(produce::Produce),
    /// Generate load and print what it cost as one line of JSON.
    Perf(perf::Perf),
    /// Serve the embedded cluster on loopback for any Kafka producer.
    Serve(serve::Serve),
    /// Produce to the embedded cluster through failures and prove what arrived.
    Demo(demo::Demo),
    /// Run the producer against a simulated cluster, with faults, from a seed.
    Sim(sim::Sim),
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Produce(produce) => produce.run(),
        Command::Perf(perf) => perf.run(),
        Command::Serve(serve) => serve.run(),
        Command::Demo(demo) => demo.run(),
        Command::Sim(sim) => Ok(sim.run()),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("titorelli: {error}");
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
