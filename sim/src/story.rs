//! A directed test: a few verbs on a [`World`], whose timeline reads as a story.
//!
//! The network takes exactly one millisecond each way and cuts nothing up, sealing takes no time,
//! and the cluster is strict: what a broker would overlook is refused.

use core::time::Duration;

use titorelli::{Config, Purge, Withdrawal};

use crate::cluster::{BrokerId, Cluster, ClusterConfig, Strictness};
use crate::fault::Fault;
use crate::journal::{OwnedRecord, RecordId, RecordState};
use crate::network::NetworkConfig;
use crate::world::{World, WorldConfig};

/// So many milliseconds.
#[must_use]
pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A directed test under way.
#[derive(Debug)]
pub struct Story {
    world: World,
    /// The leader map, for the first line.
    title: String,
    /// When [`Self::ready`] was done.
    began: titorelli::Instant,
}

impl Story {
    /// Three brokers, no topics, no automatic creation; `change` adjusts the producer.
    #[must_use]
    pub fn new(change: impl FnOnce(&mut Config)) -> Self {
        Self::with(change, |_| {})
    }

    /// As [`Self::new`]; `change_cluster` adjusts the cluster.
    #[must_use]
    pub fn with(
        change: impl FnOnce(&mut Config),
        change_cluster: impl FnOnce(&mut ClusterConfig),
    ) -> Self {
        let mut core = Config::default();
        change(&mut core);
        let mut cluster = ClusterConfig::with_brokers(3);
        cluster.strictness = Strictness::Strict;
        cluster.auto_create_topics = false;
        change_cluster(&mut cluster);
        let title = format!(
            "acks={} retries={} linger={} ms, max in flight={}",
            core.acks.code(),
            core.retries,
            core.linger.as_millis(),
            core.max_in_flight_requests_per_connection,
        );
        let config = WorldConfig {
            seed: 0,
            core,
            cluster,
            network: NetworkConfig::default(),
        };
        Self {
            world: World::new(config),
            title,
            began: titorelli::Instant::ZERO,
        }
    }

    // ---- The stage ----------------------------------------------------------------------------

    /// Creates topics and appoints leaders: `"orders/0 -> b1, orders/1 -> b2"`.
    ///
    /// # Panics
    /// Anything that is not of this form.
    #[track_caller]
    pub fn cluster(&mut self, leaders: &str) {
        self.title = format!("{} | {leaders}", self.title);
        for entry in leaders.split(',') {
            let (place, leader) = entry.split_once("->").expect("a place, an arrow, a broker");
            let (topic, partition) = parse_place(place.trim());
            let leader = parse_broker(leader.trim());
            self.world.control(|cluster| {
                if !cluster.has_topic(&topic) {
                    cluster.create_topic(&topic, partition + 1);
                } else if cluster.partition_count(&topic) <= partition {
                    cluster.add_partitions(&topic, partition + 1);
                }
                if cluster.leader(&topic, partition).0 != Some(leader) {
                    cluster.move_leader(&topic, partition, leader);
                }
            });
        }
    }

    /// Connects to every leader and learns of every topic, by one record per partition; none of it
    /// is printed, and the clock of the story begins afterwards at a full second.
    ///
    /// # Panics
    /// Something of it fails.
    #[track_caller]
    pub fn ready(&mut self) {
        self.world.narrate(false);
        let places: Vec<(String, i32)> = self
            .world
            .cluster()
            .logs()
            .map(|(topic, partition, _)| (topic.to_owned(), partition))
            .collect();
        for (topic, partition) in places {
            let partition = Some(partition);
            let value = Some(b"ready".to_vec());
            self.world.send(OwnedRecord {
                topic,
                partition,
                value,
                ..OwnedRecord::default()
            });
        }
        self.world.run_until_quiet();
        let at_ms = self.world.now().as_micros() / 1_000;
        self.world
            .run_until(titorelli::Instant::from_millis((at_ms / 1_000 + 1) * 1_000));
        self.began = self.world.now();
        self.world.narrate(true);
    }

    // ---- The application ----------------------------------------------------------------------

    /// Sends a value to a place: `"orders/0"`, or `"orders"` for the partitioner's choice.
    #[track_caller]
    pub fn send(&mut self, place: &str, value: &str) -> RecordId {
        self.world.send(OwnedRecord::to(place, value))
    }

    /// Sends any record.
    pub fn give(&mut self, record: OwnedRecord) -> RecordId {
        self.world.send(record)
    }

    /// Waits, then sends.
    #[track_caller]
    pub fn send_after(&mut self, pause: Duration, place: &str, value: &str) -> RecordId {
        self.wait(pause);
        self.send(place, value)
    }

    /// Asks for a topic's partitions; how many are known now.
    pub fn partitions_for(&mut self, topic: &str) -> usize {
        self.world.partitions_for(topic)
    }

    /// Flushes.
    pub fn flush(&mut self) {
        self.world.flush();
    }

    /// Withdraws a record.
    pub fn withdraw(&mut self, record: RecordId) -> Withdrawal {
        self.world.withdraw(record)
    }

    /// Purges.
    pub fn purge(&mut self, what: Purge) {
        self.world.purge(what);
    }

    /// Closes the producer, and gives up after so long.
    pub fn close(&mut self, give_up_after: Duration) {
        self.world.close(give_up_after);
    }

    /// Lets so much time pass.
    pub fn wait(&mut self, span: Duration) {
        self.world.run_for(span);
    }

    /// Lets time pass until nothing is under way; every invariant is checked at each step.
    #[track_caller]
    pub fn run_until_idle(&mut self) {
        self.world.run_until_quiet();
    }

    // ---- Faults -------------------------------------------------------------------------------

    /// The next batch for a place is answered with this code, and not appended.
    #[track_caller]
    pub fn fails_next(&mut self, place: &str, error_code: i16) {
        self.script(place, error_code, false);
    }

    /// The next batch for a place is answered with this code, although it is appended.
    #[track_caller]
    pub fn fails_next_after_append(&mut self, place: &str, error_code: i16) {
        self.script(place, error_code, true);
    }

    #[track_caller]
    fn script(&mut self, place: &str, error_code: i16, append: bool) {
        let (topic, partition) = parse_place(place);
        self.world
            .control(|cluster| cluster.fail_next(&topic, partition, error_code, append));
    }

    /// Moves the leader of a place.
    #[track_caller]
    pub fn move_leader(&mut self, place: &str, broker: &str) {
        let (topic, partition) = parse_place(place);
        let broker = parse_broker(broker);
        self.fault(format_args!("{broker} leads {place} from now on"));
        self.world
            .control(|cluster| cluster.move_leader(&topic, partition, broker));
    }

    /// Takes a broker down.
    #[track_caller]
    pub fn take_down(&mut self, broker: &str) {
        self.fault(format_args!("{broker} goes down"));
        let broker = parse_broker(broker);
        self.world.control(|cluster| cluster.set_down(broker));
    }

    /// Brings a broker up again.
    #[track_caller]
    pub fn bring_up(&mut self, broker: &str) {
        self.fault(format_args!("{broker} comes up"));
        let broker = parse_broker(broker);
        self.world.control(|cluster| cluster.set_up(broker));
    }

    /// The connection to a broker is cut after so many more bytes of requests.
    #[track_caller]
    pub fn cut_requests_after(&mut self, broker: &str, bytes: usize) {
        self.fault(format_args!(
            "the connection to {broker} is cut {bytes} bytes from here"
        ));
        self.inflict(&Fault::CutRequestsAfter(parse_broker(broker), bytes));
    }

    /// The next answer of a broker is lost, and the connection with it.
    #[track_caller]
    pub fn lose_next_response(&mut self, broker: &str) {
        self.fault(format_args!("the next answer of {broker} will be lost"));
        self.inflict(&Fault::CutResponsesAfter(parse_broker(broker), 0));
    }

    /// A broker's answers vanish from now on, without an end of the connection.
    #[track_caller]
    pub fn silence(&mut self, broker: &str) {
        self.fault(format_args!("{broker} falls silent"));
        self.inflict(&Fault::Silence(parse_broker(broker)));
    }

    /// Attempts to connect to a broker are swallowed from now on.
    #[track_caller]
    pub fn stall(&mut self, broker: &str) {
        self.fault(format_args!("nobody answers where {broker} was"));
        self.inflict(&Fault::Stall(parse_broker(broker)));
    }

    /// Any fault strikes.
    pub fn strike(&mut self, fault: &Fault) {
        self.world.inflict(fault);
    }

    /// Does something else to the cluster; `what` is the line that is printed.
    pub fn control(&mut self, what: &str, action: impl FnOnce(&mut Cluster)) {
        self.fault(what);
        self.world.control(action);
    }

    /// The fault without its own line: the story has told it in its words.
    fn inflict(&mut self, fault: &Fault) {
        self.world.narrate(false);
        self.world.inflict(fault);
        self.world.narrate(true);
    }

    fn fault(&mut self, what: impl core::fmt::Display) {
        self.world.note("fault", what);
    }

    // ---- The moral ----------------------------------------------------------------------------

    /// Every one of these records was acked, and is in the log where the core says.
    ///
    /// # Panics
    /// One is not.
    #[track_caller]
    pub fn expect_delivered<const N: usize>(&self, records: [RecordId; N]) {
        for id in records {
            let state = self.world.journal().state(id);
            let label = self.world.journal().record(id).label();
            assert!(
                matches!(state, RecordState::Acked { .. }),
                "{label} is acked: {state:?}"
            );
        }
        crate::check::truth(&self.world);
    }

    /// Whether a record was acked.
    #[must_use]
    pub fn is_acked(&self, record: RecordId) -> bool {
        matches!(self.state(record), RecordState::Acked { .. })
    }

    /// The values in the log of a place, without those of [`Self::ready`].
    ///
    /// # Panics
    /// They are others.
    #[track_caller]
    pub fn expect_log(&self, place: &str, values: &[&str]) {
        let (topic, partition) = parse_place(place);
        let records = self.world.cluster().log(&topic, partition).records();
        let text = |value: &bytes::Bytes| String::from_utf8_lossy(value).into_owned();
        let found: Vec<String> = records
            .iter()
            .map(|record| record.value.as_ref().map(text).unwrap_or_default())
            .filter(|value| value != "ready")
            .collect();
        assert_eq!(found, values, "the log of {place}");
    }

    /// The last value in the log of a place.
    ///
    /// # Panics
    /// It is another.
    #[track_caller]
    pub fn expect_log_ends(&self, place: &str, value: &str) {
        let (topic, partition) = parse_place(place);
        let records = self.world.cluster().log(&topic, partition).records();
        let last = records.last().and_then(|record| record.value.as_deref());
        assert_eq!(last, Some(value.as_bytes()), "the log of {place}");
    }

    /// The times of the lines with these words in them, in microseconds since the story began.
    ///
    /// # Panics
    /// There is none.
    #[track_caller]
    #[must_use]
    pub fn micros_of(&self, words: &str) -> Vec<u64> {
        let times = self.world.timeline().times_of(words);
        assert!(!times.is_empty(), "no line has {words:?}");
        let micros = |at: &titorelli::Instant| at.as_micros() - self.began.as_micros();
        times.iter().map(micros).collect()
    }

    /// Why a record waits, as the core tells it; `None` when it does not.
    #[must_use]
    pub fn explain(&self, record: RecordId) -> Option<String> {
        self.world.explain(record)
    }

    /// What became of a record.
    #[must_use]
    pub fn state(&self, record: RecordId) -> &RecordState {
        self.world.journal().state(record)
    }

    /// The world, for everything else.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// From now on, what [`page`](Self::page) draws is kept.
    pub fn draw(&mut self) {
        self.world.draw();
    }

    /// The story since [`draw`](Self::draw) as a page of HTML for a browser: lanes, arrows, faults.
    #[must_use]
    pub fn page(&self) -> String {
        self.world.page(&self.title, "", None)
    }

    /// The whole story: the title and a line per fact.
    #[must_use]
    pub fn timeline(&self) -> String {
        format!("{}\n{}", self.title, self.world.timeline())
    }
}

/// `orders/0`
#[track_caller]
pub(crate) fn parse_place(place: &str) -> (String, i32) {
    let (topic, partition) = place
        .rsplit_once('/')
        .expect("a topic, a slash, a partition");
    (
        topic.to_owned(),
        partition.parse().expect("a partition's number"),
    )
}

/// `b1`
#[track_caller]
fn parse_broker(broker: &str) -> BrokerId {
    let id = broker.strip_prefix('b').and_then(|id| id.parse().ok());
    BrokerId(id.expect("a b and a broker's number"))
}
