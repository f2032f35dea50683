//! The inside of the chaos run on a real Kafka: a proxy with bad weather, a producer behind it that
//! keeps account of every record, and the judge of that account.
//!
//! Owns: sockets, the pace, the account. Never: a broker; who disturbs those is `chaos.py`, which
//! asks here line by line on standard input and gets a line of JSON for each.

#![forbid(unsafe_code)]

mod account;
mod draws;
mod judge;
mod log;
mod pipeline;
mod proxy;
mod run;
mod sender;
mod weather;

use clap::{Args, Parser, Subcommand};
use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use titorelli_mio::Config;

/// What stands between the producer and a real Kafka.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Run),
    Pipeline(pipeline::Pipeline),
}

/// Where the brokers are, and how the producer is configured.
#[derive(Args)]
struct Place {
    /// A door of the proxy, and the broker behind it; repeatable.
    #[arg(long = "door", value_name = "HOST:PORT=HOST:PORT", value_parser = door, required = true)]
    doors: Vec<(SocketAddr, SocketAddr)>,
    /// The topic.
    #[arg(long)]
    topic: String,
    /// Begin with `Config::durable()` instead of the defaults.
    #[arg(long)]
    durable: bool,
    /// A key of the configuration; repeatable.
    #[arg(short = 'X', value_name = "KEY=VALUE", value_parser = pair)]
    settings: Vec<(String, String)>,
}

impl Place {
    /// The producer's configuration, which knows the doors only.
    fn config(&self) -> Result<Config, Box<dyn Error>> {
        let mut config = if self.durable {
            Config::durable()
        } else {
            Config::default()
        };
        let doors = self.doors.iter().map(|(door, _)| door.to_string());
        config.bootstrap_servers = doors.collect();
        for (key, value) in &self.settings {
            config.set(key, value)?;
        }
        config.check()?;
        Ok(config)
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn door(text: &str) -> Result<(SocketAddr, SocketAddr), String> {
    let (door, broker) = pair(text)?;
    let address = |text: String| text.parse().map_err(|error| format!("{text}: {error}"));
    Ok((address(door)?, address(broker)?))
}

fn main() -> ExitCode {
    let ended = match Arguments::parse().command {
        Command::Run(run) => run.run(),
        Command::Pipeline(pipeline) => pipeline.run(),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("titorelli-chaos: {error}");
            ExitCode::FAILURE
        }
    }
}
