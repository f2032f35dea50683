//! `titorelli demo`: produces through failures, and then proves from the logs what became of it.
//!
//! Owns: the embedded cluster, its disturbances, the order of work. Never: the judgement, which is
//! [`proof`]'s.

mod proof;

use crate::output::{print, tell};
use crate::{Ended, UNACKNOWLEDGED};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use proof::{Logs, Place, Proof, Receipts};
use std::collections::VecDeque;
use std::fmt;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use titorelli::counted;
use titorelli_mio::{Config, DeliveryError, DeliveryFuture, Producer, Record, RecordMetadata};
use titorelli_serve::{Embedded, EmbeddedConfig};
use titorelli_sim::cluster::{BrokerId, Cluster, LOSE_ANSWER};

const TOPIC: &str = "pictures";
const BROKERS: u16 = 3;
const PARTITIONS: i32 = 6;
/// The cluster is disturbed after so many records.
const DISTURB_EVERY: usize = 5_000;
/// So many records are under way while it is disturbed, so that there is something to lose.
const UNDER_WAY_MAX: usize = 5_000;
/// How long the end may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Produce to the embedded cluster through failures and prove what arrived.
///
/// Three brokers on free loopback ports; leaders move, connections are cut, answers are lost and
/// brokers are killed while records flow. Exit status 0 when every record was acknowledged, is
/// where its acknowledgement says, once, and stands in order.
#[derive(Args)]
pub(crate) struct Demo {
    /// How many records to produce.
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u32).range(1..))]
    records: u32,
}

impl Demo {
    /// Runs the demonstration and prints the table.
    pub(crate) fn run(&self) -> Ended {
        let records = usize::try_from(self.records)?;
        let embedded = Embedded::start(EmbeddedConfig::with_brokers(BROKERS))?;
        embedded.control(|cluster| cluster.create_topic(TOPIC, PARTITIONS));
        let mut run = Run::new(records, config(&embedded.bootstrap()))?;
        let mut disturber = Disturber::new(embedded);
        let began = Instant::now();
        for number in 0..records {
            run.send(number);
            if number % DISTURB_EVERY == DISTURB_EVERY - 1 {
                disturber.disturb();
                run.settle_down_to(UNDER_WAY_MAX);
            }
        }
        run.settle_down_to(0);
        let (elapsed, retries) = (began.elapsed(), run.producer.stats().retries);
        run.progress.finish_and_clear();
        run.producer.close(PATIENCE);
        let told = disturber.to_string();
        let proof = Proof::judge(&run.receipts, &read(&disturber.embedded.into_cluster()));
        print(&format!(
            "{} through {BROKERS} brokers in {:.1} s: {told}, {}\n\n{proof}",
            counted(records, "record"),
            elapsed.as_secs_f64(),
            counted(retries, "retry")
        ))?;
        Ok(if proof.is_kept() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(UNACKNOWLEDGED)
        })
    }
}

/// What must arrive once and in order, with pauses as short as loopback is.
fn config(bootstrap: &str) -> Config {
    let mut config = Config::durable();
    config.bootstrap_servers = vec![bootstrap.to_owned()];
    config.linger = Duration::from_millis(2);
    config.retry_backoff = Duration::from_millis(20);
    config.reconnect_backoff = Duration::from_millis(20);
    config
}

/// The producing side.
struct Run {
    producer: Producer,
    /// The receipts that are still open, oldest first, with their record's number.
    open: VecDeque<(usize, DeliveryFuture)>,
    receipts: Receipts,
    progress: ProgressBar,
}

impl Run {
    fn new(records: usize, config: Config) -> Result<Self, Box<dyn std::error::Error>> {
        let template = "{bar:32} {pos}/{len} records acknowledged {msg}";
        let bar =
            ProgressBar::new(records as u64).with_style(ProgressStyle::with_template(template)?);
        let receipts = Receipts {
            accepted: 0,
            places: vec![None; records],
        };
        let producer = Producer::new(config)?;
        Ok(Self {
            producer,
            open: VecDeque::new(),
            receipts,
            progress: bar,
        })
    }

    /// Sends the record whose value is its number.
    fn send(&mut self, number: usize) {
        let value = number.to_string();
        match self
            .producer
            .send(&Record::to(TOPIC).value(value.as_bytes()))
        {
            Ok(receipt) => {
                self.receipts.accepted += 1;
                self.open.push_back((number, receipt));
            }
            Err(error) => tell(format_args!("titorelli: record {number}: {error}")),
        }
    }

    /// Waits until no more than so many records are under way.
    fn settle_down_to(&mut self, under_way: usize) {
        while self.open.len() > under_way {
            let Some((number, receipt)) = self.open.front_mut() else {
                return;
            };
            let (number, outcome) = (*number, receipt.wait(PATIENCE));
            self.open.pop_front();
            self.completed(number, outcome);
            if number % 1_000 == 0 {
                self.progress.set_position(number as u64);
            }
        }
    }

    fn completed(&mut self, number: usize, outcome: Option<Result<RecordMetadata, DeliveryError>>) {
        match outcome {
            Some(Ok(metadata)) => {
                let RecordMetadata {
                    partition, offset, ..
                } = metadata;
                self.receipts.places[number] = Some(Place { partition, offset });
            }
            Some(Err(error)) => tell(format_args!("titorelli: record {number}: {error}")),
            None => tell(format_args!(
                "titorelli: record {number}: no outcome within {PATIENCE:?}"
            )),
        }
    }
}

/// The cluster, and what is done to it, in turn.
struct Disturber {
    embedded: Embedded,
    steps: usize,
    leader_moves: usize,
    cuts: usize,
    lost_answers: usize,
    kills: usize,
    /// A broker that was killed and is not back yet.
    down: Option<BrokerId>,
}

impl Disturber {
    fn new(embedded: Embedded) -> Self {
        Self {
            embedded,
            steps: 0,
            leader_moves: 0,
            cuts: 0,
            lost_answers: 0,
            kills: 0,
            down: None,
        }
    }

    fn disturb(&mut self) {
        match self.steps % 4 {
            0 => self.move_leader(),
            1 => self.kill(),
            2 => self.cut(),
            _ => self.lose_answers(),
        }
        self.steps += 1;
    }

    fn move_leader(&mut self) {
        let partition = turn(self.leader_moves, PARTITIONS);
        self.embedded.control(move |cluster| {
            let (leader, _epoch) = cluster.leader(TOPIC, partition);
            let next = leader.map_or(0, |broker| broker.0) % i32::from(BROKERS) + 1;
            cluster.move_leader(TOPIC, partition, BrokerId(next));
        });
        self.leader_moves += 1;
    }

    /// A broker goes down in the midst of its work; it is back two steps later.
    fn kill(&mut self) {
        let broker = BrokerId(turn(self.kills, BROKERS.into()) + 1);
        self.embedded
            .control(move |cluster| cluster.set_down(broker));
        self.down = Some(broker);
        self.kills += 1;
    }

    fn cut(&mut self) {
        let broker = BrokerId(turn(self.cuts, BROKERS.into()) + 1);
        self.embedded.cut_connections(Some(broker));
        self.cuts += 1;
    }

    /// Every partition's next batch is written, and its connection ends in place of the answer.
    fn lose_answers(&mut self) {
        let down = self.down.take();
        self.embedded.control(move |cluster| {
            if let Some(broker) = down {
                cluster.set_up(broker);
            }
            for partition in 0..PARTITIONS {
                cluster.fail_next(TOPIC, partition, LOSE_ANSWER, true);
            }
        });
        self.lost_answers += 1;
    }
}

impl fmt::Display for Disturber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            leader_moves,
            kills,
            cuts,
            lost_answers,
            ..
        } = self;
        write!(
            f,
            "{} moved, {} killed, connections to a broker cut {}, answers lost {}",
            counted(leader_moves, "leader"),
            counted(kills, "broker"),
            counted(cuts, "time"),
            counted(lost_answers, "time")
        )
    }
}

/// 0, 1, … `count` − 1, and again from 0.
fn turn(step: usize, count: i32) -> i32 {
    i32::try_from(step).map_or(0, |step| step % count)
}

/// The numbers in the logs.
fn read(cluster: &Cluster) -> Logs {
    let number = |value: &[u8]| std::str::from_utf8(value).ok()?.parse().ok();
    let log = |partition| {
        let records = cluster.log(TOPIC, partition).records();
        records
            .iter()
            .map(|record| number(record.value.as_deref()?))
            .collect()
    };
    (0..PARTITIONS).map(log).collect()
}
