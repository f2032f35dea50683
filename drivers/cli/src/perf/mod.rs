//! `titorelli perf`: a load generator that pays what an application pays.
//!
//! Every record has a receipt which is kept and checked in the order of the sends. One record in
//! `--sample` is sent with a callback instead, so that its latency is exact.

mod measure;
mod payload;

use crate::options::Settings;
use crate::output::{print, tell};
use crate::stop::{close, close_on_ctrl_c, is_about_one_record};
use crate::{Ended, INTERRUPTED, UNACKNOWLEDGED, explain, interrupt};
use clap::{Args, ValueEnum};
pub(crate) use measure::Mark;
use measure::{Run, Samples};
use payload::Pool;
use std::collections::VecDeque;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};
use titorelli::counted;
use titorelli_mio::{
    Config, DeliveryError, DeliveryFuture, Producer, Record, RecordMetadata, SendError,
};

/// Receipts are checked after so many sends.
const SETTLE_EVERY: u64 = 256;
/// Room is taken beforehand for so many samples at most.
const SAMPLES_AHEAD: usize = 1 << 20;
/// How long one look at the oldest receipt may wait.
const PATIENCE: Duration = Duration::from_millis(5);

/// What `--idempotence on` needs, where nothing else is said.
const IDEMPOTENT: [(&str, &str); 3] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("retries", "2147483647"),
];

/// What differs from the configuration's defaults.
const DEFAULTS: [(&str, &str); 3] = [
    ("bootstrap.servers", "127.0.0.1:9092"),
    ("linger.ms", "5"),
    ("buffer.memory", "67108864"),
];

/// Generate load and print what it cost as one line of JSON.
///
/// Unless told otherwise the cluster is at 127.0.0.1:9092, batches linger 5 ms, memory is 64 MiB.
///
/// It ends at the first record that is not accepted, and what it prints is of those until then:
/// rates count acknowledged records only. So it is after Ctrl-C. Exit status: 0 when every record
/// was acknowledged, 1 when one was not, 2 when nothing could begin, 130 after Ctrl-C.
#[derive(Args)]
pub(crate) struct Perf {
    /// Brokers to ask for the cluster first.
    #[arg(short = 'b', long, value_name = "HOST:PORT", value_delimiter = ',')]
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    bootstrap: Option<Vec<String>>,
    /// The topic.
    #[arg(short = 't', long, default_value = "t")]
    topic: String,
    /// How many records to send, 2 at least.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(2..))]
    records: u64,
    /// Bytes of each value; no more than `max_request_size` and `buffer_memory` allow.
    #[arg(long, default_value_t = 100)]
    size: usize,
    /// The key: none, or the record's number in eight bytes.
    #[arg(long, value_enum, default_value = "none")]
    key: Key,
    /// When a record counts as written: 0, 1 or all.
    #[arg(long)]
    acks: Option<String>,
    /// Whether the broker is to drop duplicates; on also means acks=all and retries, unless these
    /// are given.
    #[arg(long, value_enum, default_value = "off")]
    idempotence: Switch,
    /// Tell on standard error every second why records wait, while some do. SIGQUIT tells it once,
    /// also without this.
    #[arg(long)]
    explain: bool,
    /// none, gzip, snappy, lz4 or zstd.
    #[arg(long)]
    compression: Option<String>,
    /// How long a batch waits for more records, in milliseconds.
    #[arg(long)]
    linger_ms: Option<String>,
    /// Bytes of a batch.
    #[arg(long)]
    batch_size: Option<String>,
    /// Requests that may be unanswered on one connection.
    #[arg(long)]
    max_in_flight: Option<String>,
    /// Memory for records that are not yet completed, in MiB.
    #[arg(long)]
    buffer_mb: Option<u64>,
    /// Records per second; 0 is as fast as it goes.
    #[arg(long, default_value_t = 0.0, value_parser = rate)]
    rate: f64,
    /// Measure the latency of one record in so many, 1 at least.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    sample: u64,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Key {
    None,
    Int,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

impl Perf {
    /// Sends the records and prints the line.
    pub(crate) fn run(&self) -> Ended {
        let config = self.config()?;
        self.check_size(&config)?;
        let pool = Pool::new(self.size);
        let samples = usize::try_from(self.records / self.sample + 1)?;
        interrupt::listen()?;
        let patience = config.effective_delivery_timeout();
        let mut load = Load {
            producer: Producer::new(config)?,
            samples: Samples::with_capacity(samples.min(SAMPLES_AHEAD)),
            receipts: VecDeque::new(),
            offered: 0,
            settled: 0,
            errors: 0,
        };
        close_on_ctrl_c(&load.producer, patience);
        explain::listen(&load.producer, self.explain)?;
        let begin = Mark::now()?;
        let (steady, warm_up) = self.send_all(&pool, &mut load, &begin)?;
        load.settle_all();
        let run = Run {
            begin,
            steady,
            end: Mark::now()?,
            records: load.offered,
            warm_up,
            payload_bytes: self.size,
            errors: load.errors(),
            pool_crc32: pool.crc32(),
        };
        close(&load.producer);
        print(&format!("{}\n", run.json(&load.samples)))?;
        Ok(if interrupt::is_asked() {
            ExitCode::from(INTERRUPTED)
        } else if run.errors > 0 {
            ExitCode::from(UNACKNOWLEDGED)
        } else {
            ExitCode::SUCCESS
        })
    }

    /// Sends until one is refused: all are alike, so the next would fare no better. Tells the
    /// moment when the first fifth was acknowledged, and how many records that were.
    fn send_all(
        &self,
        pool: &Pool,
        load: &mut Load,
        begin: &Mark,
    ) -> Result<(Mark, u64), Box<dyn Error>> {
        let warm_up = (self.records / 5).max(1);
        let mut steady = (*begin, 0);
        for index in 0..self.records {
            if index == warm_up {
                if self.rate == 0.0 {
                    load.settle_all();
                }
                steady = (Mark::now()?, load.acked());
            }
            self.pace(index, begin);
            match self.send(index, pool, load) {
                Ok(()) => {}
                Err(SendError::Closed) => break, // Ctrl-C.
                Err(error) if index == 0 && is_about_one_record(&error) => {
                    return Err(error.into());
                }
                Err(error) => {
                    load.refused(&error);
                    tell(format_args!(
                        "titorelli: stopped after {}: the next would fare no better",
                        counted(load.offered, "record")
                    ));
                    break;
                }
            }
            if index % SETTLE_EVERY == SETTLE_EVERY - 1 {
                load.settle();
            }
        }
        Ok(steady)
    }

    fn config(&self) -> Result<Config, Box<dyn Error>> {
        let servers = self.bootstrap.as_ref().map(|servers| servers.join(","));
        let buffer_memory = self.buffer_mb.map(|mib| mib.saturating_mul(1 << 20));
        let buffer_memory = buffer_memory.map(|bytes| bytes.to_string());
        let own: Vec<(&str, &str)> = [
            ("bootstrap.servers", &servers),
            ("acks", &self.acks),
            ("compression.type", &self.compression),
            ("linger.ms", &self.linger_ms),
            ("batch.size", &self.batch_size),
            ("max.in.flight.requests.per.connection", &self.max_in_flight),
            ("buffer.memory", &buffer_memory),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.as_deref()?)))
        .collect();
        let mut defaults = self.settings.defaults();
        for (key, value) in DEFAULTS {
            defaults.set(key, value)?;
        }
        if self.idempotence == Switch::On {
            for (key, value) in IDEMPOTENT {
                defaults.set(key, value)?;
            }
        }
        self.settings.config(defaults, &own)
    }

    /// Refuses what could never be sent, before memory is taken for it.
    fn check_size(&self, config: &Config) -> Result<(), Box<dyn Error>> {
        for (key, limit) in [
            ("max_request_size", config.max_request_size),
            ("buffer_memory", config.buffer_memory),
        ] {
            if self.size > limit {
                return Err(format!("--size {}: {key} allows {limit} bytes", self.size).into());
            }
        }
        Ok(())
    }

    /// Sleeps until the record is due, or until Ctrl-C.
    fn pace(&self, index: u64, begin: &Mark) {
        if self.rate == 0.0 {
            return;
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "a run has far fewer than 2^52 records"
        )]
        let due = index as f64 / self.rate;
        let due = Duration::try_from_secs_f64(due).unwrap_or(Duration::MAX);
        while let Some(early) = due
            .checked_sub(begin.elapsed())
            .filter(|early| !early.is_zero() && !interrupt::is_asked())
        {
            thread::sleep(early.min(interrupt::GLANCE));
        }
    }

    fn send(&self, index: u64, pool: &Pool, load: &mut Load) -> Result<(), SendError> {
        let number = index.to_be_bytes();
        let low = usize::from(u16::from_be_bytes([number[6], number[7]]));
        let record = Record {
            key: (self.key == Key::Int).then_some(&number[..]),
            ..Record::to(&self.topic).value(pool.payload(low))
        };
        if index.is_multiple_of(self.sample) {
            load.send_sampled(&record)
        } else {
            load.send(&record)
        }
    }
}

/// A number of records per second.
fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok();
    let rate = rate.filter(|rate: &f64| rate.is_finite() && *rate >= 0.0);
    rate.ok_or_else(|| "not a number from 0 on".to_owned())
}

/// The producer and the receipts that are still open.
struct Load {
    producer: Producer,
    samples: Arc<Samples>,
    /// Oldest first.
    receipts: VecDeque<DeliveryFuture>,
    /// Records that the producer was given.
    offered: u64,
    /// Unsampled records that were completed, or never accepted.
    settled: u64,
    /// Those of them that were not acknowledged.
    errors: u64,
}

impl Load {
    fn send(&mut self, record: &Record<'_>) -> Result<(), SendError> {
        self.receipts.push_back(self.producer.send(record)?);
        self.offered += 1;
        Ok(())
    }

    fn send_sampled(&mut self, record: &Record<'_>) -> Result<(), SendError> {
        let (samples, sent_at) = (Arc::clone(&self.samples), Instant::now());
        let note = move |outcome: Result<RecordMetadata, DeliveryError>| {
            samples.completed(sent_at.elapsed(), outcome.is_err());
        };
        self.producer.send_with(record, note)?;
        self.offered += 1;
        Ok(())
    }

    /// A record was not accepted.
    fn refused(&mut self, error: &SendError) {
        self.offered += 1;
        self.failed(error);
    }

    fn failed(&mut self, error: &dyn Error) {
        if self.errors == 0 {
            tell(format_args!("titorelli: {error}"));
        }
        self.errors += 1;
        self.settled += 1;
    }

    fn completed(&mut self, outcome: Result<RecordMetadata, DeliveryError>) {
        self.receipts.pop_front();
        match outcome {
            Ok(_) => self.settled += 1,
            Err(error) => self.failed(&error),
        }
    }

    fn errors(&self) -> u64 {
        self.errors + self.samples.errors()
    }

    /// Records that were acknowledged, as far as they were looked at.
    fn acked(&self) -> u64 {
        let errors = self.errors();
        (self.settled + self.samples.completed_len()).saturating_sub(errors)
    }

    /// Counts every completed record up to the first that is not.
    fn settle(&mut self) {
        while let Some(oldest) = self.receipts.front() {
            if oldest.succeeded() {
                self.receipts.pop_front();
                self.settled += 1;
            } else if let Some(outcome) = oldest.poll_now() {
                self.completed(outcome);
            } else {
                return;
            }
        }
    }

    /// Waits until every record is completed.
    fn settle_all(&mut self) {
        while self.settled + self.samples.completed_len() < self.offered {
            if interrupt::is_urged() {
                self.producer.close(Duration::ZERO);
            }
            match self.receipts.front_mut() {
                Some(oldest) => {
                    if let Some(outcome) = oldest.wait(PATIENCE) {
                        self.completed(outcome);
                    }
                }
                None => thread::sleep(Duration::from_micros(200)),
            }
            self.settle();
        }
    }
}
