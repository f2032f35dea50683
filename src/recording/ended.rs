//! How a replay ended.

use crate::counted::counted;
use crate::error::ConfigError;
use core::fmt;

/// What was equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Calls that were made.
    pub steps: u64,
    /// Lines about what came back that were compared.
    pub outputs: u64,
    /// Bytes for brokers among it: equal by their checksums, or, redacted, in number.
    pub bytes: u64,
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            steps,
            outputs,
            bytes,
        } = self;
        write!(
            f,
            "{}, {} and {} for brokers",
            counted(steps, "step"),
            counted(outputs, "output"),
            counted(bytes, "byte")
        )
    }
}

/// A log does not replay. Lines are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReplayError {
    /// The line is none that a recorder writes.
    Malformed {
        /// Which line.
        line: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The configuration in the log cannot work.
    Config(ConfigError),
    /// Something else came than what was recorded.
    Difference {
        /// The line that was recorded.
        line: u64,
        /// The call that it came from, counted from 1.
        step: u64,
        /// What was recorded.
        recorded: String,
        /// What came.
        came: String,
    },
    /// The core panicked, as the recorded one perhaps did.
    Panicked {
        /// The line of the call.
        line: u64,
        /// The call, counted from 1.
        step: u64,
        /// The words of the panic.
        words: String,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line, reason } => write!(f, "line {line}: {reason}"),
            Self::Config(error) => error.fmt(f),
            Self::Difference {
                line,
                step,
                recorded,
                came,
            } => {
                write!(
                    f,
                    "line {line}, step {step}:\n  recorded  {recorded}\n  came      {came}"
                )
            }
            Self::Panicked { line, step, words } => {
                write!(f, "line {line}, step {step}: the core panicked: {words}")
            }
        }
    }
}

impl std::error::Error for ReplayError {}
