//! The flight recorder's way to its file: a thread of its own takes what the core has written, and
//! writes it down. Nobody waits for it: a disk that is slow or full ends the recording, and
//! producing goes on.

use crate::park::Slot;
use crate::shared::Shared;
use parking_lot::Mutex;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use titorelli::recording::{Payloads, Recording};
use titorelli::{Config, ConfigError, counted};

/// How often the log is taken.
const TAKEN_EVERY: Duration = Duration::from_millis(10);
/// So much of it may wait for a disk that is slow for a moment.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// How far the recording of [`Config::trace_path`] has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingReport {
    /// The file.
    pub path: PathBuf,
    /// Bytes in it.
    pub bytes: u64,
    /// Why the recording ended before the producer was closed, if it did: a full disk, or one that
    /// is too slow.
    pub broke_off: Option<String>,
}

impl std::fmt::Display for RecordingReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} recorded in {}",
            counted(self.bytes, "byte"),
            self.path.display()
        )?;
        match &self.broke_off {
            None => Ok(()),
            Some(words) => write!(f, ", and no more: {words}"),
        }
    }
}

/// A recording that has a file.
pub(crate) struct Flight {
    file: File,
    progress: Arc<Progress>,
}

/// What is known of a recording from outside.
pub(crate) struct Progress {
    report: Mutex<RecordingReport>,
    /// Filled when nothing more will be written.
    ended: Slot<()>,
}

impl Progress {
    pub(crate) fn report(&self) -> RecordingReport {
        self.report.lock().clone()
    }

    /// Waits until everything is written, but not for ever: a disk may hang, and then the report
    /// says so.
    pub(crate) fn wait(&self, patience: Duration) {
        if self.ended.wait_for(patience).is_some() {
            // For who asks again.
            self.ended.put(());
        } else {
            let mut report = self.report.lock();
            let words = "the disk has not taken the rest";
            report.broke_off.get_or_insert_with(|| words.to_owned());
        }
    }
}

impl Flight {
    /// Opens the file, if there is to be one.
    pub(crate) fn of(config: &Config) -> Result<Option<Self>, ConfigError> {
        let Some(path) = &config.trace_path else {
            return Ok(None);
        };
        let file = File::create(path).map_err(|error| ConfigError {
            key: "trace_path".to_owned(),
            reason: format!("{}: {error}", path.display()),
        })?;
        let report = RecordingReport {
            path: path.clone(),
            bytes: 0,
            broke_off: None,
        };
        let progress = Progress {
            report: Mutex::new(report),
            ended: Slot::new(),
        };
        Ok(Some(Self {
            file,
            progress: Arc::new(progress),
        }))
    }

    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Writes until the producer is closed, on a thread of its own.
    pub(crate) fn start(self, shared: Arc<Shared>) -> std::io::Result<()> {
        let name = "titorelli-recorder".to_owned();
        thread::Builder::new()
            .name(name)
            .spawn(move || self.write(&shared))?;
        Ok(())
    }

    fn write(mut self, shared: &Shared) {
        let mut log = String::new();
        loop {
            thread::sleep(TAKEN_EVERY);
            let mut state = shared.lock();
            let is_over = state.is_dead();
            if is_over {
                state.core.stop_recording();
            }
            let is_recording = state.core.is_recording();
            log = state.core.take_log(log);
            drop(state);
            if let Err(error) = self.file.write_all(log.as_bytes()) {
                self.break_off(shared, error.to_string());
                break;
            }
            self.progress.report.lock().bytes += log.len() as u64;
            if is_over {
                break;
            }
            if !is_recording {
                self.break_off(shared, "the disk is slower than the producer".to_owned());
                break;
            }
        }
        self.progress.ended.put(());
    }

    fn break_off(&self, shared: &Shared, words: String) {
        let mut state = shared.lock();
        state.core.stop_recording();
        let rest = state.core.take_log(String::new());
        drop(state);
        drop(rest);
        self.progress.report.lock().broke_off = Some(words);
    }
}

/// How the core records: without what is in the records, unless that is wished for.
pub(crate) fn recording(config: &Config, salt: [u8; 32]) -> Option<Recording> {
    config.trace_path.as_ref()?;
    let payloads = if config.trace_payloads {
        Payloads::Whole
    } else {
        Payloads::Redacted { salt }
    };
    Some(Recording {
        payloads,
        waiting_bytes_max: WAITING_BYTES_MAX,
    })
}
