//! The flight recorder: what was recorded is replayed call by call, and nothing else comes back.

mod malformed;
mod redacted;
mod whole;

use titorelli::recording::{Payloads, Replay, ReplayError, Replayed};
use titorelli_sim::{Profile, Telling, draw, witness};

const REDACTED: Payloads = Payloads::Redacted { salt: [5; 32] };

/// The log of a seed's run.
fn log_of(seed: u64, payloads: Payloads) -> String {
    let witnessed = witness(&draw(Profile::Full, seed), Telling::Nothing, payloads);
    witnessed.ended.expect("the seed keeps every promise");
    witnessed.log
}

fn replay(log: &str) -> Result<Replayed, ReplayError> {
    Replay::new(log.as_bytes())?.run()
}

/// The log with this line, counted from 1, made another, or left out.
fn with_line(log: &str, number: u64, change: impl Fn(&str) -> Option<String>) -> String {
    let mut changed = String::new();
    for (at, line) in (1..).zip(log.lines()) {
        let line = if at == number {
            change(line)
        } else {
            Some(line.to_owned())
        };
        if let Some(line) = line {
            changed.push_str(&line);
            changed.push('\n');
        }
    }
    changed
}
