//! A log run into a fresh core: the same calls, and what comes back is compared line by line.
//!
//! Whatever bytes a log has: no panic, and no more memory than the log and what the recorded run
//! could have held.

use super::ended::{ReplayError, Replayed};
use super::given::Given;
use super::lines::Lines;
use super::recorder::{END, REDACTED, TITLE, WHOLE};
use super::told::{self, Detail, Told};
use super::words::{Malformed, Words, text, unhex};
use crate::boundary::{BatchId, CloseCause, ConnId, Input, Output, Purge, Ticket, WaiterId};
use crate::config::{Config, KEYS};
use crate::counted::counted;
use crate::producer::ProducerCore;
use crate::seal::{SealJob, SealedJob, StandIn};
use crate::time::Instant;
use bytes::Bytes;
use core::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A redacted log is refused where its records would take more memory than this at one time: their
/// lengths are only numbers there.
const STAND_INS_BYTES_MAX: usize = 256 << 20;

/// A replay under way.
#[derive(Debug)]
pub struct Replay<'a> {
    lines: Lines<'a>,
    core: ProducerCore,
    detail: Detail,
    /// What the core wants sealed.
    jobs: BTreeMap<BatchId, SealJob>,
    /// Batches whose bytes the driver still held at their end.
    held: BTreeSet<BatchId>,
    /// The bytes of those that have not come to it.
    bodies: BTreeMap<BatchId, Bytes>,
    /// What the last call answered, until it is compared.
    owed: Option<String>,
    done: Replayed,
}

impl<'a> Replay<'a> {
    /// Reads the head of a log.
    ///
    /// # Errors
    ///
    /// It is none, or its configuration cannot work.
    pub fn new(log: &'a [u8]) -> Result<Self, ReplayError> {
        let mut lines = Lines {
            rest: log,
            number: 0,
        };
        let title = lines
            .next()?
            .and_then(|line| line.strip_prefix(TITLE))
            .map(str::trim_start);
        let detail = match title {
            Some(WHOLE) => Detail::Checksums,
            Some(REDACTED) => Detail::Lengths,
            Some(_) | None => return Err(lines.malformed("not a recording of this version")),
        };
        let mut config = Config::default();
        while let Some(line) = lines.next_if("config ")? {
            set(&mut config, line).map_err(|reason| lines.malformed(reason))?;
        }
        let begin = lines.next()?.unwrap_or_default();
        let (seed, now) = beginning(begin).map_err(|reason| lines.malformed(reason))?;
        let core = ProducerCore::new(config, seed, now).map_err(ReplayError::Config)?;
        let held = all_held(lines.clone())?;
        Ok(Self {
            lines,
            core,
            detail,
            jobs: BTreeMap::new(),
            held,
            bodies: BTreeMap::new(),
            owed: None,
            done: Replayed::default(),
        })
    }

    /// Runs it to its end.
    ///
    /// # Errors
    ///
    /// The first difference, or the first line that is none.
    pub fn run(mut self) -> Result<Replayed, ReplayError> {
        while self.step()? {}
        Ok(self.done)
    }

    /// Takes the next line; false: there is none. A line is a call, or something that came back.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run). After an error the replay is of no use but to be looked at.
    pub fn step(&mut self) -> Result<bool, ReplayError> {
        let Some(line) = self.lines.next()? else {
            return Ok(false);
        };
        if line.starts_with("= ") {
            let came = self.owed.take();
            self.compare(line, came.as_deref().unwrap_or("nothing"))?;
            return Ok(true);
        }
        if let Some(came) = self.owed.take() {
            self.compare(line, &came)?;
        }
        let words = || Words::of(line.split_once(' ').map_or("", |(_, rest)| rest));
        if line.starts_with("> ") {
            self.fetch(line)?;
        } else if line.starts_with("until ") {
            let came = self.render(&Told::Until(self.core.poll_timeout()));
            self.compare(line, &came)?;
        } else if line.starts_with("held ") {
            let batch = batch(&mut words()).map_err(|reason| self.lines.malformed(reason))?;
            self.bodies.remove(&batch);
        } else if line.split(' ').next() == Some(END) {
            self.lines.rest = &[];
        } else {
            self.call(line)?;
        }
        Ok(true)
    }

    /// The core as it is now.
    #[must_use]
    pub fn core(&self) -> &ProducerCore {
        &self.core
    }

    /// What was equal so far.
    #[must_use]
    pub fn done(&self) -> Replayed {
        self.done
    }

    fn fetch(&mut self, line: &str) -> Result<(), ReplayError> {
        let output = self.core.poll_output();
        let came = self.render(&Told::Output(output.as_ref()));
        self.compare(line, &came)?;
        match output {
            Some(Output::Transmit { bytes, .. }) => self.done.bytes += bytes.len() as u64,
            Some(Output::Seal(job)) => drop(self.jobs.insert(job.batch, job)),
            Some(
                Output::Connect { .. }
                | Output::Disconnect(_)
                | Output::Delivered(_)
                | Output::Admitted(_)
                | Output::Refused(..)
                | Output::Flushed(_)
                | Output::Closed
                | Output::Trace(_),
            )
            | None => {}
        }
        Ok(())
    }

    fn render(&self, told: &Told<'_>) -> String {
        let mut line = String::new();
        told.write(self.detail, &mut line);
        line
    }

    fn compare(&mut self, recorded: &str, came: &str) -> Result<(), ReplayError> {
        if recorded == came {
            self.done.outputs += 1;
            return Ok(());
        }
        Err(ReplayError::Difference {
            line: self.lines.number,
            step: self.done.steps,
            recorded: recorded.to_owned(),
            came: came.to_owned(),
        })
    }

    /// Makes the call of a line. A core that is told nonsense may panic: that is an answer, too.
    fn call(&mut self, line: &str) -> Result<(), ReplayError> {
        self.done.steps += 1;
        let number = self.lines.number;
        match catch_unwind(AssertUnwindSafe(|| self.make(line))) {
            Ok(Ok(answer)) => {
                self.owed = answer;
                Ok(())
            }
            Ok(Err(Failure::Malformed(reason))) => Err(self.lines.malformed(reason)),
            Ok(Err(Failure::Otherwise(came))) => self.compare(line, &came),
            Ok(Err(Failure::Later(error))) => Err(error),
            Err(panic) => Err(ReplayError::Panicked {
                line: number,
                step: self.done.steps,
                words: words_of(&*panic),
            }),
        }
    }

    /// Makes the call, and returns the line that must follow.
    fn make(&mut self, line: &str) -> Result<Option<String>, Failure> {
        let mut words = Words::of(line);
        let now = words.optional()?.map(Instant::from_micros);
        let name = words.word()?;
        if name == "send-with-clock" {
            return self.send_with_clock(&mut words).map(Some);
        }
        let now = now.ok_or("a call has an instant")?;
        match name {
            "clock" => {
                let unix_time_ms = words.number()?;
                words.end()?;
                self.core.set_wall_clock(now, unix_time_ms);
            }
            "cancel" => {
                let waiter = WaiterId(words.number()?);
                words.end()?;
                self.core.cancel(now, waiter);
            }
            "close" => {
                let give_up_at = Instant::from_micros(words.number()?);
                words.end()?;
                self.core.close(now, give_up_at);
            }
            "timeout" => {
                words.end()?;
                self.core.handle_timeout(now);
            }
            "purge" => {
                let name = words.word()?;
                words.end()?;
                let all = [Purge::Queued, Purge::InFlight, Purge::All];
                let what = all.into_iter().find(|what| told::purge(*what) == name);
                self.core.purge(now, what.ok_or("no such purge")?);
            }
            "withdraw" => {
                let batch = batch(&mut words)?;
                let index = words.number()?;
                words.end()?;
                let withdrawal = self.core.withdraw(now, Ticket { batch, index });
                return Ok(Some(self.render(&Told::Withdrawal(withdrawal))));
            }
            "sealed" => self.seal(now, line, words)?,
            "send" | "try-send" | "send-until" | "resume" => {
                return self.send(now, name, &mut words).map(Some);
            }
            "flush" | "partitions-for" | "partition-lists" => {
                return self.ask(now, name, &mut words).map(Some);
            }
            name => self.inform(now, name, &mut words)?,
        }
        Ok(None)
    }

    fn ask(&mut self, now: Instant, name: &str, words: &mut Words<'_>) -> Result<String, Failure> {
        if name == "flush" {
            words.end()?;
            let id = self.core.flush(now);
            return Ok(self.render(&Told::Flush(id)));
        }
        let topic = words.text()?;
        if name == "partitions-for" {
            words.end()?;
            let infos = self.core.partitions_for(now, &topic);
            return Ok(self.render(&Told::Partitions(&infos)));
        }
        let give_up_at = Instant::from_micros(words.number()?);
        words.end()?;
        let lists = self.core.partition_lists(now, &topic, give_up_at);
        Ok(self.render(&Told::Lists(&lists)))
    }

    fn inform(&mut self, now: Instant, name: &str, words: &mut Words<'_>) -> Result<(), Failure> {
        if !["connected", "received", "sent"].contains(&name) {
            let conn = ConnId(words.number()?);
            let cause = cause(name, &text(words.rest())?)?;
            self.core.handle_input(now, Input::Closed(conn, cause));
            return Ok(());
        }
        let conn = ConnId(words.number()?);
        match name {
            "received" => {
                let bytes = unhex(words.word()?)?;
                words.end()?;
                self.core.handle_input(now, Input::Received(conn, &bytes));
            }
            "sent" => {
                let count = words.number()?;
                words.end()?;
                self.core.handle_input(now, Input::Sent(conn, count));
            }
            _ => {
                words.end()?;
                self.core.handle_input(now, Input::Connected(conn));
            }
        }
        Ok(())
    }

    fn send(&mut self, now: Instant, name: &str, words: &mut Words<'_>) -> Result<String, Failure> {
        let number: u64 = match name {
            "send-until" | "resume" => words.number()?,
            _ => 0,
        };
        let given = Given::read(words, self.room_bytes())?;
        let core = &mut self.core;
        let sent = given.lend(|record| match name {
            "send" => core.send(now, record),
            "try-send" => core.try_send(now, record),
            "send-until" => core.send_until(now, record, Instant::from_micros(number)),
            _ => core.resume(now, WaiterId(number), record),
        });
        Ok(self.render(&Told::Sent(&sent)))
    }

    fn send_with_clock(&mut self, words: &mut Words<'_>) -> Result<String, Failure> {
        let unix_time_ms = words.number()?;
        let given = Given::read(words, self.room_bytes())?;
        let mut readings = Vec::new();
        while let Some(line) = self.lines.next_if("read ").map_err(Failure::Later)? {
            let mut words = Words::of(line);
            words.word()?;
            readings.push(Instant::from_micros(words.number()?));
            words.end()?;
        }
        let count = core::cell::Cell::new(0);
        let clock = || {
            let at = readings.get(count.get()).copied();
            count.set(count.get() + 1);
            at.unwrap_or_default()
        };
        let core = &mut self.core;
        let sent = given.lend(|record| core.send_with_clock(clock, unix_time_ms, record));
        if count.get() != readings.len() {
            let (came, recorded) = (count.get(), readings.len());
            let came = counted(came, "time");
            let words = format!("the clock was read {came}, and not {recorded}");
            return Err(Failure::Otherwise(words));
        }
        Ok(self.render(&Told::Sent(&sent)))
    }

    /// How much a record that is only a length may take.
    fn room_bytes(&self) -> usize {
        STAND_INS_BYTES_MAX.saturating_sub(self.core.stats().buffered_bytes)
    }

    /// Seals what the core wanted sealed. Redacted, the bytes are others than they were: they are
    /// zeros, as many as there were.
    fn seal(&mut self, now: Instant, line: &str, mut words: Words<'_>) -> Result<(), Failure> {
        let mut rest = words;
        let batch = batch(&mut words)?;
        let job = self
            .jobs
            .remove(&batch)
            .ok_or("nothing is to be sealed for this batch")?;
        let sealed = match self.detail {
            Detail::Checksums => job.run(),
            Detail::Lengths => stand_in(job, &mut words)?,
        };
        let mut came = String::new();
        told::sealed(&mut came, self.detail, &sealed);
        if rest.rest() != came {
            let call = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
            return Err(Failure::Otherwise(format!("{call} {came}")));
        }
        if self.held.contains(&batch) {
            self.bodies.insert(batch, sealed.body.clone());
        }
        self.core.handle_input(now, Input::Sealed(sealed));
        Ok(())
    }
}

/// Why a call could not be made as it was.
enum Failure {
    Malformed(Malformed),
    /// It was made otherwise: how.
    Otherwise(String),
    /// A line that belongs to it is none.
    Later(ReplayError),
}

impl From<Malformed> for Failure {
    fn from(reason: Malformed) -> Self {
        Self::Malformed(reason)
    }
}

fn stand_in(job: SealJob, words: &mut Words<'_>) -> Result<SealedJob, Malformed> {
    let front_bytes = words.number()?;
    let came = match words.word()? {
        "plain" => StandIn::Plain,
        "packed" => StandIn::Packed {
            body: words.number()?,
            room: words.number()?,
        },
        "part" => StandIn::Part {
            raw: words.number()?,
            body: words.number()?,
            room: words.number()?,
        },
        _ => return Err("neither plain nor packed nor part"),
    };
    job.stand_in(front_bytes, came)
        .ok_or("no seal is like that")
}

/// `config linger_ms 5`
fn set(config: &mut Config, line: &str) -> Result<(), Malformed> {
    let mut words = Words::of(line);
    words.word()?;
    let name = words.word()?;
    let value = words.text()?;
    words.end()?;
    let key = KEYS
        .iter()
        .find(|key| key.name == name)
        .ok_or("no such key")?;
    (key.read)(config, &value).map_err(|_| "not a value of this key")
}

/// `begin 0 0707…`
fn beginning(line: &str) -> Result<([u8; 32], Instant), Malformed> {
    let mut words = Words::of(line);
    if words.word()? != "begin" {
        return Err("a log begins with its configuration, and when");
    }
    let now = Instant::from_micros(words.number()?);
    let seed = unhex(words.word()?)?;
    words.end()?;
    Ok((seed.try_into().map_err(|_| "a seed has 32 bytes")?, now))
}

/// Every batch whose bytes are still held at its end: they must be held from the beginning.
fn all_held(mut lines: Lines<'_>) -> Result<BTreeSet<BatchId>, ReplayError> {
    let mut held = BTreeSet::new();
    while let Some(line) = lines.next()? {
        if let Some(words) = line.strip_prefix("held ") {
            let batch = batch(&mut Words::of(words));
            held.insert(batch.map_err(|reason| lines.malformed(reason))?);
        }
    }
    Ok(held)
}

/// `3.0`
fn batch(words: &mut Words<'_>) -> Result<BatchId, Malformed> {
    let (slot, generation) = words.word()?.split_once('.').ok_or("not a batch")?;
    let number = |word: &str| word.parse().map_err(|_| "not a batch");
    Ok(BatchId {
        slot: number(slot)?,
        generation: number(generation)?,
    })
}

fn cause(name: &str, words: &str) -> Result<CloseCause, Malformed> {
    Ok(match name {
        "unresolved" => CloseCause::Unresolved(words.into()),
        "unreachable" => CloseCause::Unreachable(words.into()),
        "closed-by-peer" => CloseCause::ByPeer,
        "transport-failed" => CloseCause::Transport(words.into()),
        "tls-failed" => CloseCause::Tls(words.into()),
        _ => return Err("no such call"),
    })
}

fn words_of(panic: &dyn Any) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref().copied());
    text.unwrap_or("without words").to_owned()
}
