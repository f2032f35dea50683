//! The flight recorder: a run written down, call by call, and replayed into a fresh core.
//!
//! [`RecordedCore`] has the methods of [`ProducerCore`]. While it records, it writes a line for
//! every call that crosses the boundary and a line for everything that came back; [`Replay`] takes
//! the log, makes the same calls and compares what comes back. With recording off a call costs one
//! branch more.
//!
//! ```text
//! titorelli-recording 1 whole             how it is written, and whether payloads are in it
//! config linger_ms 5                      the keys that are not as their defaults
//! begin 0 0707…                           the instant in microseconds, and the seed
//! 0 clock 1893456000000                   a call: its instant, its name, its arguments
//! 1005000 send orders 0 - - =painted      topic, partition, timestamp, key, value, headers
//! = ticket 0.1.0                          what it answered
//! 1005000 timeout
//! held 0.1                                whose bytes the driver still held when the batch ended
//! > transmit 0 61 #5d2b0a11               an output that was fetched: 61 bytes with this checksum
//! > none                                  there was no other
//! until 1010000 Linger                    what `poll_timeout` said
//! ```
//!
//! **Whole**, a log replays into the same bytes: batches are compressed again, and what they come
//! to is compared, so that another release of a codec is a difference.
//!
//! **Redacted**, a log has nothing of keys, values and header values but their lengths, and hashes
//! that tell equal from unequal within the log: they are salted with what no log says. Names of
//! topics and headers, timestamps, and what brokers sent stay. Where a key decided the partition,
//! the partition stands in its place. A redacted log replays with zeros: kinds, order, lengths,
//! tickets, outcomes, errors and deadlines are compared, as is every length on the wire, for the
//! sizes that batches were compressed to are in the log; the bytes that were sent are not.
//!
//! What the configuration says about security is in no log. Owns: the format. Never: files.
//! Hints to the driver (`take_news`, `take_crowding`) change nothing and are not recorded.

mod calls;
mod ended;
mod given;
mod lines;
mod recorder;
mod replay;
mod told;
mod words;

pub use ended::{ReplayError, Replayed};
pub use replay::Replay;

use crate::config::Config;
use crate::error::ConfigError;
use crate::producer::ProducerCore;
use crate::time::Instant;
use core::ops::Deref;
use recorder::Recorder;

/// What a log has of records.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Payloads {
    /// Keys, values and header values as they are: a replay sends the same bytes.
    Whole,
    /// Their lengths, and hashes salted with this. Whoever has the salt can try what a short value
    /// was: draw it, and forget it.
    Redacted {
        /// Drawn for this log, and for nothing else.
        salt: [u8; 32],
    },
}

impl core::fmt::Debug for Payloads {
    /// Without the salt.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Whole => "Whole",
            Self::Redacted { .. } => "Redacted",
        })
    }
}

/// How a run is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What the log has of records.
    pub payloads: Payloads,
    /// The recording ends when so much of the log waits to be [taken](RecordedCore::take_log):
    /// nobody waits for whoever writes it.
    pub waiting_bytes_max: usize,
}

/// A [`ProducerCore`] that may write down what crosses its boundary. Its observers are the core's.
#[derive(Debug)]
pub struct RecordedCore {
    core: ProducerCore,
    /// `None` when nothing is recorded, or no more.
    recorder: Option<Box<Recorder>>,
    /// What was not taken of a recording that has ended.
    rest: String,
}

impl RecordedCore {
    /// As [`ProducerCore::new`], recorded if it is said how.
    ///
    /// # Errors
    ///
    /// As [`ProducerCore::new`].
    pub fn new(
        config: Config,
        seed: [u8; 32],
        now: Instant,
        recording: Option<Recording>,
    ) -> Result<Self, ConfigError> {
        let recorder = recording.map(|how| Box::new(Recorder::begin(how, &config, seed, now)));
        let mut core = ProducerCore::new(config, seed, now)?;
        if recorder.is_some() {
            core.watch_held();
        }
        Ok(Self {
            core,
            recorder,
            rest: String::new(),
        })
    }

    // ---- The log ------------------------------------------------------------------------------

    /// Whether it still records.
    #[must_use]
    pub const fn is_recording(&self) -> bool {
        self.recorder.is_some()
    }

    /// Takes what was written since the last time. `spare` is written to from now on: give back
    /// what was taken, and a recording allocates nothing.
    pub fn take_log(&mut self, mut spare: String) -> String {
        spare.clear();
        match &mut self.recorder {
            Some(recorder) => core::mem::replace(&mut recorder.log, spare),
            None => core::mem::take(&mut self.rest),
        }
    }

    /// Records no more. What was not taken can still be.
    #[cold]
    pub fn stop_recording(&mut self) {
        if let Some(recorder) = self.recorder.take() {
            self.rest = recorder.log;
        }
    }

    /// A call is written down. True: so much of the log waits that the recording ends.
    #[cold]
    fn end_call(&mut self) {
        if let Some(recorder) = &mut self.recorder
            && recorder.end_call(&self.core.take_held())
        {
            self.stop_recording();
        }
    }

    // ---- Hints, not recorded ------------------------------------------------------------------

    /// As [`ProducerCore::take_news`].
    #[inline]
    pub fn take_news(&mut self) -> bool {
        self.core.take_news()
    }

    /// As [`ProducerCore::take_crowding`].
    #[inline]
    pub fn take_crowding(&mut self) -> bool {
        self.core.take_crowding()
    }
}

/// For the observers: whatever needs `&mut` goes through the recorder.
impl Deref for RecordedCore {
    type Target = ProducerCore;

    #[inline]
    fn deref(&self) -> &ProducerCore {
        &self.core
    }
}
