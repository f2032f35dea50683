//! A log as it is written: a line for each call, then lines for what came back.

use super::told::{self, Detail, Told, micros};
use super::words::{Escaped, Hex, NOTHING, Phrase};
use super::{Payloads, Recording};
use crate::boundary::{BatchId, CloseCause, Input};
use crate::config::{Config, KEYS, Key};
use crate::producer::ProducerCore;
use crate::record::Record;
use crate::time::Instant;
use core::fmt::{self, Write};
use core::hash::Hasher;
use std::hash::DefaultHasher;

/// The first words of every log.
pub(super) const TITLE: &str = "titorelli-recording 1";
pub(super) const WHOLE: &str = "whole";
pub(super) const REDACTED: &str = "redacted";
/// The first word of the last line, where the run went on and the recording did not.
pub(super) const END: &str = "end";

/// Writes a log.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) log: String,
    how: Recording,
}

impl Recorder {
    /// The head of a log.
    pub(super) fn begin(how: Recording, config: &Config, seed: [u8; 32], now: Instant) -> Self {
        let mut log = String::new();
        let kind = match how.payloads {
            Payloads::Whole => WHOLE,
            Payloads::Redacted { .. } => REDACTED,
        };
        line(&mut log, format_args!("{TITLE} {kind}"));
        for key in KEYS.iter().filter(|key| is_told(key)) {
            let value = key.value_in(config);
            if value != key.default {
                let value = Escaped(value.as_bytes());
                line(&mut log, format_args!("config {} {value}", key.name));
            }
        }
        line(
            &mut log,
            format_args!("begin {} {}", micros(now), Hex(&seed)),
        );
        Self { log, how }
    }

    fn detail(&self) -> Detail {
        match self.how.payloads {
            Payloads::Whole => Detail::Checksums,
            Payloads::Redacted { .. } => Detail::Lengths,
        }
    }

    /// A call without arguments, or with these.
    pub(super) fn call(&mut self, now: Instant, words: fmt::Arguments<'_>) {
        line(&mut self.log, format_args!("{} {words}", micros(now)));
    }

    /// A call with a record. Redacted, where its key puts it is told in place of the key.
    pub(super) fn offer(
        &mut self,
        core: &mut ProducerCore,
        words: fmt::Arguments<'_>,
        record: &Record<'_>,
    ) {
        let placed = match self.how.payloads {
            Payloads::Whole => None,
            Payloads::Redacted { .. } => core.place_of_key(record),
        };
        let log = &mut self.log;
        // A `String` takes everything.
        let _ = write!(log, "{words} {}", Escaped(record.topic.as_bytes()));
        let _ = match (record.partition, placed) {
            (Some(partition), _) => write!(log, " {partition}"),
            (None, Some(partition)) => write!(log, " @{partition}"),
            (None, None) => write!(log, " {NOTHING}"),
        };
        let _ = match record.timestamp_ms {
            Some(timestamp_ms) => write!(log, " {timestamp_ms}"),
            None => write!(log, " {NOTHING}"),
        };
        payload(log, self.how.payloads, record.key);
        payload(log, self.how.payloads, record.value);
        for header in record.headers {
            let _ = write!(log, " {}", Escaped(header.name.as_bytes()));
            payload(log, self.how.payloads, header.value);
        }
        log.push('\n');
    }

    /// A question about a topic, with the end of its patience where it has one.
    pub(super) fn topic(
        &mut self,
        now: Instant,
        call: &str,
        topic: &str,
        give_up_at: Option<Instant>,
    ) {
        let topic = Escaped(topic.as_bytes());
        match give_up_at {
            None => self.call(now, format_args!("{call} {topic}")),
            Some(at) => self.call(now, format_args!("{call} {topic} {}", micros(at))),
        }
    }

    /// When the clock was read during the call.
    pub(super) fn readings(&mut self, readings: &[Instant]) {
        for at in readings {
            line(&mut self.log, format_args!("read {}", micros(*at)));
        }
    }

    pub(super) fn input(&mut self, now: Instant, input: &Input<'_>) {
        match input {
            Input::Connected(conn) => self.call(now, format_args!("connected {}", conn.0)),
            Input::Received(conn, bytes) => {
                self.call(now, format_args!("received {} {}", conn.0, Hex(bytes)));
            }
            Input::Sent(conn, bytes) => self.call(now, format_args!("sent {} {bytes}", conn.0)),
            Input::Closed(conn, cause) => {
                let (kind, words) = cause_words(cause);
                self.call(now, format_args!("{kind} {} {}", conn.0, Phrase(words)));
            }
            Input::Sealed(job) => {
                let detail = self.detail();
                let _ = write!(self.log, "{} sealed ", micros(now));
                told::sealed(&mut self.log, detail, job);
                self.log.push('\n');
            }
        }
    }

    pub(super) fn told(&mut self, told: &Told<'_>) {
        told.write(self.detail(), &mut self.log);
        self.log.push('\n');
    }

    /// A call has ended: whose bytes somebody still held when their batch did. Whether a buffer
    /// can be used again depends on it, and the memory that the next batch has. True: too much
    /// waits to be taken.
    pub(super) fn end_call(&mut self, held: &[BatchId]) -> bool {
        for batch in held {
            let (slot, generation) = (batch.slot, batch.generation);
            line(&mut self.log, format_args!("held {slot}.{generation}"));
        }
        let is_full = self.log.len() > self.how.waiting_bytes_max;
        if is_full {
            line(
                &mut self.log,
                format_args!("{END} the log was not taken in time"),
            );
        }
        is_full
    }
}

/// What is secret is in the group about security; and the core does not ask how it is recorded.
fn is_told(key: &Key) -> bool {
    key.group != "Security" && !["trace_path", "trace_payloads"].contains(&key.name)
}

/// The names of the causes of an end, and their words.
pub(super) fn cause_words(cause: &CloseCause) -> (&'static str, &str) {
    match cause {
        CloseCause::Unresolved(words) => ("unresolved", words),
        CloseCause::Unreachable(words) => ("unreachable", words),
        CloseCause::ByPeer => ("closed-by-peer", ""),
        CloseCause::Transport(words) => ("transport-failed", words),
        CloseCause::Tls(words) => ("tls-failed", words),
    }
}

fn line(log: &mut String, words: fmt::Arguments<'_>) {
    let _ = writeln!(log, "{words}");
}

/// ` -` for null; ` =` and the bytes; or, redacted, ` ~` with their number and salted hash.
fn payload(log: &mut String, payloads: Payloads, bytes: Option<&[u8]>) {
    let _ = match (bytes, payloads) {
        (None, _) => write!(log, " {NOTHING}"),
        (Some(bytes), Payloads::Whole) => write!(log, " ={}", Escaped(bytes)),
        (Some(bytes), Payloads::Redacted { salt }) => {
            let mut hasher = DefaultHasher::new();
            hasher.write(&salt);
            hasher.write(bytes);
            write!(log, " ~{}~{:016x}", bytes.len(), hasher.finish())
        }
    };
}
