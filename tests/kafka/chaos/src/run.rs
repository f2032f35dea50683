//! `titorelli-chaos run`: a line in, a line of JSON out.

use crate::Place;
use crate::account::Account;
use crate::judge::Verdict;
use crate::log;
use crate::proxy::Proxy;
use crate::sender::Load;
use crate::weather::Weather;
use clap::Args;
use std::error::Error;
use std::fmt::Write;
use std::io::{self, BufRead};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use titorelli_mio::Producer;

/// How long the end may take after the last `send`: all timeouts are shorter.
const PATIENCE: Duration = Duration::from_secs(240);

/// Send through the proxy, and obey: `start`, `storm`, `calm`, `cut DOOR`, `hold DOOR MS`,
/// `progress`, `finish`, `judge FILE`.
///
/// Doors count from 0. `finish` sends a last record to every partition and is answered when all
/// have their outcomes.
#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    place: Place,
    /// Partitions of the topic.
    #[arg(long)]
    partitions: usize,
    /// Records for all partitions together; a partition gets its share, rounded up.
    #[arg(long)]
    records: usize,
    /// How long sending them takes, if nothing holds the producer up.
    #[arg(long)]
    seconds: u64,
    /// Bytes of a value.
    #[arg(long, default_value_t = 100)]
    value_bytes: usize,
    /// Of the weather.
    #[arg(long)]
    seed: u64,
    /// Mean time between two connections that something befalls, while it storms.
    #[arg(long, default_value_t = 1_000)]
    weather_ms: u64,
}

impl Run {
    /// Obeys until standard input ends.
    ///
    /// # Errors
    ///
    /// The configuration cannot work, a door is taken, or an order makes no sense.
    pub(crate) fn run(self) -> Result<(), Box<dyn Error>> {
        let proxy = Arc::new(Proxy::open(&self.place.doors)?);
        let mean = Duration::from_millis(self.weather_ms);
        let weather = Weather::start(Arc::clone(&proxy), self.seed, mean);
        let load = Load {
            topic: self.place.topic.clone(),
            partitions: self.partitions,
            records_each: self.records.div_ceil(self.partitions.max(1)),
            duration: Duration::from_secs(self.seconds),
            value_bytes: self.value_bytes,
        };
        let mut stage = Stage {
            producer: Producer::new(self.place.config()?)?,
            account: Arc::new(Account::new(load.partitions, load.records_each + 1)),
            began: Instant::now(),
            sending: None,
            load,
            proxy,
            weather,
        };
        for line in io::stdin().lock().lines() {
            println!("{}", stage.obey(&line?)?);
        }
        Ok(())
    }
}

/// All that an order may touch.
struct Stage {
    load: Load,
    producer: Producer,
    account: Arc<Account>,
    proxy: Arc<Proxy>,
    weather: Arc<Weather>,
    sending: Option<JoinHandle<()>>,
    began: Instant,
}

impl Stage {
    fn obey(&mut self, line: &str) -> Result<String, Box<dyn Error>> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["start"] => self.start(),
            ["storm"] => self.weather.storm(true),
            ["calm"] => self.weather.storm(false),
            ["cut", door] => {
                let door = self.door(door)?;
                let links = self.proxy.links().into_iter();
                links
                    .filter(|link| link.door() == door)
                    .for_each(|link| link.reset());
            }
            ["hold", door, ms] => {
                let duration = Duration::from_millis(ms.parse()?);
                self.proxy.hold(self.door(door)?, duration);
            }
            ["progress"] => return Ok(self.progress()),
            ["finish"] => self.finish()?,
            ["judge", file] => return self.judge(Path::new(file)),
            _ => return Err(format!("no such order: {line}").into()),
        }
        Ok("{}".to_owned())
    }

    fn door(&self, text: &str) -> Result<usize, Box<dyn Error>> {
        let door = text.parse()?;
        if door < self.proxy.doors() {
            Ok(door)
        } else {
            Err(format!("no door {door}").into())
        }
    }

    fn start(&mut self) {
        let (load, producer) = (self.load.clone(), self.producer.clone());
        let account = Arc::clone(&self.account);
        self.began = Instant::now();
        self.sending = Some(thread::spawn(move || load.send(&producer, &account)));
    }

    fn progress(&self) -> String {
        let is_sending = self.sending.as_ref().is_some_and(|it| !it.is_finished());
        format!(
            r#"{{"sent":{},"completed":{},"is_sending":{is_sending}}}"#,
            self.account.sent.load(Ordering::Relaxed),
            self.account.completed.load(Ordering::Relaxed),
        )
    }

    fn finish(&mut self) -> Result<(), Box<dyn Error>> {
        if let Some(sending) = self.sending.take() {
            sending.join().map_err(|_| "the sender panicked")?;
        }
        // So that the leaders of the end have written something: a loss before it shows as one.
        self.load
            .send_round(self.load.records_each, &self.producer, &self.account);
        // What it does not complete is open, which the judge sees.
        let end = Instant::now() + PATIENCE;
        if let Err(error) = self.producer.flush(PATIENCE) {
            eprintln!("titorelli-chaos: {error}\n{}", self.producer.report());
        }
        // Callbacks run after the flush knows.
        while self.account.completed.load(Ordering::Relaxed)
            < self.account.sent.load(Ordering::Relaxed)
            && Instant::now() < end
        {
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn judge(&self, file: &Path) -> Result<String, Box<dyn Error>> {
        let log = log::read(file, self.load.partitions)?;
        let verdict = Verdict::of(&self.account.statement(), &log);
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let mut told = String::from("{");
        for (name, count) in verdict.counts() {
            write!(told, r#""{name}":{count},"#)?;
        }
        for (name, count) in self.weather.struck() {
            write!(told, r#""{name}":{count},"#)?;
        }
        let reasons = self.account.reasons().into_iter();
        let reasons: Vec<String> = reasons
            .map(|(why, count)| format!("{}:{count}", quoted(&why)))
            .collect();
        let examples: Vec<String> = verdict.examples.iter().map(|it| quoted(it)).collect();
        write!(
            told,
            r#""sent":{},"repeated":{},"connections":{},"retries":{},"seconds":{:.1},"#,
            count(&self.account.sent),
            count(&self.account.repeated),
            self.proxy.opened(),
            self.producer.stats().retries,
            self.began.elapsed().as_secs_f64(),
        )?;
        write!(
            told,
            r#""is_true":{},"is_kept":{},"reasons":{{{}}},"examples":[{}]}}"#,
            verdict.is_true() && count(&self.account.repeated) == 0,
            verdict.is_kept() && count(&self.account.repeated) == 0,
            reasons.join(","),
            examples.join(",")
        )?;
        Ok(told)
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let plain = text.chars().filter(|char| !char.is_control());
    let escaped = plain.collect::<String>().replace('\\', "\\\\");
    format!("\"{}\"", escaped.replace('"', "\\\""))
}
