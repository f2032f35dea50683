//! `titorelli produce`: a line is a record.
//!
//! Owns: the order of work, from the first line to the report. Never: retries, which are the
//! core's. Exit status 0 only when every line was acknowledged.

mod lines;
mod receipts;
mod tally;
mod template;

use crate::options::Connection;
use crate::output::{print, tell};
use crate::stop::{GRACE, close, close_on_ctrl_c, is_about_one_record};
use crate::{Ended, INTERRUPTED, UNACKNOWLEDGED, explain, interrupt};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use lines::{Lines, Next};
use receipts::Receipts;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tally::Tally;
use template::{Template, header};
use titorelli::counted;
use titorelli_mio::{ApiVersion, BuildError, Config, Producer, SendError};

/// How often completed records are counted, and Ctrl-C is noticed, while nothing arrives.
const IDLE: Duration = Duration::from_millis(100);

/// Send lines of files or of standard input to a topic, one record each.
///
/// A line is what stands before a newline; a carriage return belongs to it. Exit status: 0 when
/// every record was acknowledged, 1 when one was not or reading failed, 2 when nothing could begin
/// or the report could not be printed, 130 after Ctrl-C, whatever became of the records.
///
/// Ctrl-C ends reading and sending, and waits for what was accepted. Pressed again it does not wait
/// either; what is not acknowledged by then is counted as failed, or as perhaps written.
#[derive(Args)]
pub(crate) struct Produce {
    #[command(flatten)]
    connection: Connection,
    /// The topic.
    #[arg(short = 't', long)]
    topic: String,
    /// Split each line at the first SEP into key and value; without SEP the key is null.
    ///
    /// SEP is taken as it stands: a tab is $'\t' in most shells.
    #[arg(short = 'K', long = "key-separator", value_name = "SEP")]
    #[arg(value_parser = clap::builder::NonEmptyStringValueParser::new())]
    key_separator: Option<String>,
    /// Send an empty value as null where there is a key, so that it deletes what the key names.
    #[arg(short = 'Z', long = "null")]
    empty_is_null: bool,
    /// Send every record to this partition.
    #[arg(short = 'p', long, value_name = "N", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// A header of every record; without `=` its value is null. Repeatable.
    #[arg(short = 'H', long = "header", value_name = "KEY=VALUE")]
    headers: Vec<String>,
    /// Print a report on standard output.
    #[arg(long, value_name = "FORMAT")]
    report: Option<ReportFormat>,
    /// Tell on standard error every second why records wait, while some do. SIGQUIT (Ctrl-\ in a
    /// terminal) tells it once, also without this.
    #[arg(long)]
    explain: bool,
    /// What to send; standard input when none is given, or where it is `-`.
    files: Vec<PathBuf>,
}

/// The format of `--report`.
#[derive(Clone, Copy, ValueEnum)]
enum ReportFormat {
    /// One line of JSON.
    Json,
}

impl Produce {
    /// Sends all lines and tells what became of them.
    pub(crate) fn run(&self) -> Ended {
        let config = self.connection.config()?;
        let input = Lines::open(&self.files)?;
        interrupt::listen()?;
        let pinned = config.api_version;
        let patience = config.effective_delivery_timeout().saturating_add(GRACE);
        let mut session = Session::new(config, progress(&self.files))?;
        close_on_ctrl_c(&session.producer, patience);
        explain::listen(&session.producer, self.explain)?;
        let began = Instant::now();
        let whole = session.send_all(&input, &self.template());
        session.finish(patience);
        let (elapsed, retries) = (began.elapsed(), session.producer.stats().retries);
        session.progress.finish_and_clear();
        close(&session.producer);
        let mut tally = session.tally;
        tally.end();
        if tally.acked == 0 && !tally.is_complete() && pinned != ApiVersion::Auto {
            tell(format_args!(
                "titorelli: api_version={pinned} is set: a broker that does not speak it closes \
                 the connection"
            ));
        }
        let words = || tell(format_args!("titorelli: {}", tally.words(elapsed, retries)));
        match self.report {
            Some(ReportFormat::Json) => {
                let report = format!("{}\n", tally.json(elapsed, retries));
                print(&report).inspect_err(|_| words())?;
            }
            None => words(),
        }
        Ok(if interrupt::is_asked() {
            ExitCode::from(INTERRUPTED)
        } else if !tally.is_complete() || !whole {
            ExitCode::from(UNACKNOWLEDGED)
        } else {
            ExitCode::SUCCESS
        })
    }

    fn template(&self) -> Template<'_> {
        Template {
            topic: &self.topic,
            partition: self.partition,
            headers: self.headers.iter().map(|text| header(text)).collect(),
            key_separator: self.key_separator.as_deref().map(str::as_bytes),
            empty_is_null: self.empty_is_null,
        }
    }
}

/// A run of `produce`.
struct Session {
    producer: Producer,
    receipts: Receipts,
    tally: Tally,
    progress: ProgressBar,
}

impl Session {
    fn new(config: Config, progress: ProgressBar) -> Result<Self, BuildError> {
        let producer = Producer::new(config)?;
        Ok(Self {
            producer,
            receipts: Receipts::default(),
            tally: Tally::default(),
            progress,
        })
    }

    /// Sends lines until the input ends or Ctrl-C; false when something else ended it.
    fn send_all(&mut self, input: &Lines, template: &Template<'_>) -> bool {
        while !interrupt::is_asked() {
            match input.next_chunk(IDLE) {
                Next::Chunk(chunk) => {
                    let fine = self.send_chunk(&chunk, template);
                    self.progress.inc(chunk.len() as u64);
                    input.recycle(chunk);
                    if !fine {
                        return false;
                    }
                }
                Next::Idle => {}
                Next::End => return true,
                Next::Failed(error) => {
                    tell(format_args!("titorelli: reading stopped: {error}"));
                    return false;
                }
            }
            self.receipts.settle(&mut self.tally);
            self.show();
        }
        true
    }

    /// Sends the lines of one chunk; false when it makes no sense to go on.
    fn send_chunk(&mut self, chunk: &[u8], template: &Template<'_>) -> bool {
        for line in lines::lines(chunk) {
            let record = template.record(line);
            let (key, value) = (
                record.key.unwrap_or_default(),
                record.value.unwrap_or_default(),
            );
            let bytes = key.len() + value.len();
            let sent = self.producer.send(&record);
            if let Err(SendError::Closed) = sent {
                // Ctrl-C: this line is as good as unread.
                return true;
            }
            self.tally.offered(bytes);
            match sent {
                Ok(receipt) => self.receipts.push(receipt),
                Err(error) => {
                    self.tally.refused(&error);
                    if !is_about_one_record(&error) {
                        tell(format_args!(
                            "titorelli: stopped at line {}: the next would fare no better; what \
                             follows it was not read, or not sent",
                            self.tally.records
                        ));
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Waits until every accepted record is completed.
    fn finish(&mut self, patience: Duration) {
        // None: a time that is never over.
        let end = Instant::now().checked_add(patience);
        // Its only purpose here is to end lingering at once; the receipts tell the outcomes.
        let _late = self.producer.flush(Duration::ZERO);
        while self.receipts.len() > 0 && end.is_none_or(|end| Instant::now() < end) {
            if interrupt::is_urged() {
                // What is under way fails, and is counted.
                self.producer.close(Duration::ZERO);
            }
            self.receipts.settle_within(IDLE, &mut self.tally);
            self.show();
        }
    }

    fn show(&self) {
        if !self.progress.is_hidden() {
            let (acked, records) = (self.tally.acked, self.tally.records);
            self.progress.set_message(format!(
                "{acked} of {} acknowledged",
                counted(records, "record")
            ));
        }
    }
}

/// A bar over the files' bytes, or a count of bytes where a pipe hides the end.
fn progress(files: &[PathBuf]) -> ProgressBar {
    let size = |path: &PathBuf| regular_file_bytes(path);
    let total: Option<u64> = files.iter().map(size).sum();
    let (bar, template) = match total.filter(|_| !files.is_empty()) {
        Some(total) => {
            let template = "{bar:32} {bytes}/{total_bytes} {bytes_per_sec} {msg}";
            (ProgressBar::new(total), template)
        }
        None => (
            ProgressBar::new_spinner(),
            "{spinner} {bytes} {bytes_per_sec} {msg}",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn regular_file_bytes(path: &Path) -> Option<u64> {
    let metadata = std::fs::metadata(path).ok()?;
    metadata.is_file().then_some(metadata.len())
}
