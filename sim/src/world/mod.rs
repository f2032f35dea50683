//! The real producer core, the network and the cluster, stepped together in virtual time.
//!
//! Owns: the clock and the order of events. Never: randomness but the network's, real time, I/O.
//! Invariants: after every step the core's own invariants hold; unfinished work implies that
//! something is planned (Wakeup); the same configuration gives the same timeline.

mod calls;
mod effects;
mod events;
mod faults;
mod mark;
mod nap;
mod narrate;
mod watching;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::BytesMut;
use titorelli::recording::{RecordedCore, Recording};
use titorelli::{
    Acks, Config, ConnId, Deadline, FlushId, Instant, Output, ProducerCore, Reason, SendError,
    Ticket,
};

use crate::by_conn::ByConn;
use crate::check::{Flights, Watch};
use crate::cluster::{BrokerId, Cluster, ClusterConfig, PeerId};
use crate::fault::{Fault, Garbling};
use crate::journal::{Journal, OwnedRecord, RecordId};
use crate::marks::{Mark, Marks};
use crate::network::{Event, Network, NetworkConfig};
use crate::sight::Sights;
use crate::timeline::{Telling, Timeline};
use calls::Inbox;
use nap::Naps;

/// A run that takes more steps between two quiet moments is caught in a loop.
const STEPS_MAX: u32 = 3_000_000;
/// As many calls of `handle_timeout` at one instant without any effect are a busy loop (L6).
const IDLE_CALLS_MAX: u32 = 50;
/// A run that is not quiet after so much virtual time hangs.
const QUIET_WITHIN: Duration = Duration::from_secs(3_600);
/// So often may time go on without a look at the core's invariants, and once more for so many
/// partitions.
const INSTANTS_UNCHECKED: usize = 2;
const PARTITIONS_PER_INSTANT: usize = 8;
/// Lines of the timeline in a failure report.
const TAIL_LINES: usize = 40;

/// Everything that a run depends on.
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Draws latencies, chunk sizes and the core's own randomness.
    pub seed: u64,
    /// The producer. Its bootstrap servers are replaced by the cluster's addresses.
    pub core: Config,
    /// The cluster.
    pub cluster: ClusterConfig,
    /// What lies between them.
    pub network: NetworkConfig,
}

/// A connection of the core.
#[derive(Debug)]
struct Connection {
    /// Where it was made to.
    host: Arc<str>,
    port: u16,
    /// Whom it leads to, or would lead to now; `None`: nobody has that address.
    broker: Option<BrokerId>,
    /// The broker's end, once it has accepted.
    peer: Option<PeerId>,
    /// Neither the core nor the network has ended it.
    is_open: bool,
    /// Bytes of requests that are not handed out whole yet: what the timeline reads.
    requests: BytesMut,
}

/// The producer and its surroundings.
#[derive(Debug)]
pub struct World {
    now: Instant,
    core: RecordedCore,
    cluster: Cluster,
    network: Network,
    journal: Journal,
    timeline: Timeline,
    /// What a page draws; `None`: there will be none.
    marks: Option<Box<Marks>>,
    connections: ByConn<Connection>,
    peers: BTreeMap<PeerId, ConnId>,
    /// Brokers whose network swallows attempts to connect.
    stalled: BTreeSet<BrokerId>,
    /// How long brokers read nothing after an answer, in milliseconds.
    throttled: BTreeMap<BrokerId, u64>,
    /// Brokers whose next answer is spoilt.
    garbled: BTreeMap<BrokerId, Garbling>,
    /// When the core was not called.
    naps: Naps,
    /// What it has missed, in order.
    missed: VecDeque<Event>,
    /// How often a broker has moved.
    moves: u16,
    /// What the application sends from within the next completions.
    echoes: VecDeque<OwnedRecord>,
    /// For calls that wait.
    inbox: Inbox,
    /// With the instant of the call.
    flushes: BTreeMap<FlushId, Instant>,
    /// When `close` gives up, once it was called.
    give_up_at: Option<Instant>,
    is_closed: bool,
    /// A checksum over everything that the core wanted sent, what became of it, and when.
    digest: u32,
    sights: Sights,
    /// Watches S7, for a producer that waits for answers.
    flights: Option<Flights>,
    watch: Watch,
    /// Whose bytes the core has heard in this step.
    heard: Option<ConnId>,
    /// How much is shown when the run has ended.
    telling: Telling,
    /// Steps taken so far.
    steps: u64,
    /// Faults that strike when so many steps have been taken.
    ambushes: Vec<(u64, Fault)>,
    /// When the cluster acts by itself, as of when it was last touched.
    cluster_at: Option<Instant>,
    is_cluster_touched: bool,
    /// How often time went on since the core's invariants were checked.
    unchecked_instants: usize,
    /// How often in a row `handle_timeout` was called at this instant without any effect.
    idle_calls: u32,
}

impl World {
    /// A producer that has done nothing, and a cluster without topics.
    ///
    /// # Panics
    /// The producer's configuration is refused.
    #[must_use]
    pub fn new(config: WorldConfig) -> Self {
        Self::recorded(config, None)
    }

    /// As [`Self::new`], recorded if it is said how.
    ///
    /// # Panics
    /// As there.
    #[must_use]
    pub fn recorded(config: WorldConfig, recording: Option<Recording>) -> Self {
        let WorldConfig {
            seed,
            core: mut core_config,
            cluster: mut cluster_config,
            network,
        } = config;
        cluster_config.tells_events = true;
        let addresses = cluster_config
            .brokers
            .iter()
            .map(|b| format!("{}:{}", b.host, b.port));
        core_config.bootstrap_servers = addresses.collect();
        core_config.trace = true;
        let is_answered = core_config.acks != Acks::None;
        let flights = is_answered.then(|| Flights::new(&core_config, &cluster_config.brokers));
        let watch = Watch::new(&core_config, &cluster_config.brokers);
        let mut core_seed = [0; 32];
        core_seed[..8].copy_from_slice(&seed.to_be_bytes());
        let wall_clock_ms = cluster_config.wall_clock_ms;
        let mut core = RecordedCore::new(core_config, core_seed, Instant::ZERO, recording)
            .expect("the producer's configuration works");
        core.set_wall_clock(Instant::ZERO, wall_clock_ms);
        Self {
            now: Instant::ZERO,
            core,
            cluster: Cluster::new(cluster_config),
            network: Network::new(network, seed),
            journal: Journal::default(),
            timeline: Timeline::default(),
            marks: None,
            connections: ByConn::new(),
            peers: BTreeMap::new(),
            stalled: BTreeSet::new(),
            throttled: BTreeMap::new(),
            garbled: BTreeMap::new(),
            naps: Naps::default(),
            moves: 0,
            missed: VecDeque::new(),
            echoes: VecDeque::new(),
            inbox: Inbox::default(),
            flushes: BTreeMap::new(),
            give_up_at: None,
            digest: 0,
            sights: Sights::default(),
            flights,
            watch,
            heard: None,
            telling: Telling::Tail,
            steps: 0,
            ambushes: Vec::new(),
            is_closed: false,
            cluster_at: None,
            is_cluster_touched: false,
            unchecked_instants: 0,
            idle_calls: 0,
        }
    }

    // ---- The application ----------------------------------------------------------------------

    /// The application sends a record. A call that has to wait is resumed when its turn comes.
    pub fn send(&mut self, record: OwnedRecord) -> RecordId {
        let is_late = self.naps.is_asleep();
        let id = self.offer(record, is_late);
        self.settle();
        id
    }

    /// The application will send this record from within the completion of others.
    pub fn echo(&mut self, record: OwnedRecord) {
        self.echoes.push_back(record);
    }

    /// `is_late`: there are effects of the core that nobody has carried out.
    fn offer(&mut self, record: OwnedRecord, is_late: bool) -> RecordId {
        self.idle_calls = 0;
        let result = record.lend(|record| self.core.send(self.now, record));
        self.called(record, &result, is_late)
    }

    /// Notes a call and its result.
    fn called(
        &mut self,
        record: OwnedRecord,
        result: &Result<Ticket, SendError>,
        is_late: bool,
    ) -> RecordId {
        self.sights.call(result);
        self.narrate_send(&record, result);
        let id = self.journal.sent(self.now, record, result.clone());
        let (now, journal) = (self.now, &self.journal);
        self.watch.on_answer(now, id, result, is_late, journal);
        self.mark(|| Mark::Records(vec![id]));
        id
    }

    /// The application flushes.
    pub fn flush(&mut self) -> FlushId {
        let id = self.core.flush(self.now);
        self.note("app", format_args!("flush {}", id.0));
        self.flushes.insert(id, self.now);
        self.watch.on_flush(self.now, id, &self.journal);
        self.settle();
        id
    }

    /// The application gives up the call that has waited longest, if one waits.
    pub fn cancel(&mut self) {
        let Some((waiter, id)) = self.journal.cancel_oldest() else {
            return;
        };
        let label = self.journal.record(id).label();
        self.note("app", format_args!("cancel {label}"));
        self.watch.on_cancelled(id);
        self.sights.cancelled();
        self.core.cancel(self.now, waiter);
        self.settle();
    }

    /// The application asks for a topic's partitions; how many are known now. The core goes and
    /// asks when none are.
    pub fn partitions_for(&mut self, topic: &str) -> usize {
        let known = self.core.partitions_for(self.now, topic);
        self.watch.on_question();
        self.settle();
        known.map_or(0, |partitions| partitions.len())
    }

    /// The application closes the producer, and gives up after so long.
    pub fn close(&mut self, give_up_after: Duration) {
        self.note(
            "app",
            format_args!("close within {} ms", give_up_after.as_millis()),
        );
        let give_up_at = self.now + give_up_after;
        self.give_up_at = Some(give_up_at);
        self.core.close(self.now, give_up_at);
        self.watch.on_close(self.now);
        self.settle();
    }

    // ---- Time ---------------------------------------------------------------------------------

    /// Lets so much time pass.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    /// Lets time pass until this instant.
    pub fn run_until(&mut self, until: Instant) {
        for _ in 0..STEPS_MAX {
            if !self.step(until) {
                self.now = self.now.max(until);
                self.idle_calls = 0;
                return;
            }
        }
        panic!("{STEPS_MAX} steps before {until}");
    }

    /// Lets time pass until nothing is under way: no record, flush or close is unfinished, and
    /// nothing is on the wire.
    pub fn run_until_quiet(&mut self) {
        let give_up_at = self.now + QUIET_WITHIN;
        for _ in 0..STEPS_MAX {
            if self.is_quiet() {
                self.core.check_invariants();
                return;
            }
            let has_stepped = self.step(give_up_at);
            assert!(
                has_stepped,
                "Wakeup: unfinished work, and nothing is planned"
            );
        }
        panic!("{STEPS_MAX} steps, and not quiet");
    }

    /// The core is asked last: its answer costs the most, and is seldom needed.
    fn is_quiet(&self) -> bool {
        self.network.next_at().is_none()
            && self.cluster_at.is_none()
            && self.journal.open_count() == 0
            && self.flushes.is_empty()
            && self.give_up_at.is_some() == self.is_closed
            && !self.naps.is_asleep()
            && self
                .deadline()
                .is_none_or(|deadline| deadline.at > self.now)
    }

    /// Whether the core wanted it before it heard of the connection's end.
    fn is_moot(&self, output: &Output) -> bool {
        let (Output::Transmit { conn, .. } | Output::Disconnect(conn)) = output else {
            return false;
        };
        !self.connections[*conn].is_open
    }

    fn deadline(&self) -> Option<Deadline> {
        self.core().poll_timeout()
    }

    /// Takes the next event, or fires the next deadline, that is not after `until`; false: there
    /// is none.
    pub fn step(&mut self, until: Instant) -> bool {
        if let Some(wake_at) = self.naps.wake_at() {
            return self.doze(until, wake_at);
        }
        let event_at = self.network.next_at();
        // What happens at this instant comes before whatever the core wants.
        let is_due = event_at.is_some_and(|at| at <= self.now);
        let deadline = if is_due {
            None
        } else {
            self.core.poll_timeout()
        };
        let cluster_at = self.cluster_at;
        let due = [event_at, cluster_at, deadline.map(|deadline| deadline.at)];
        let Some(at) = due.into_iter().flatten().min().filter(|at| *at <= until) else {
            return false;
        };
        self.call_early(at);
        self.begin_step(at);
        if event_at.is_some_and(|at| at <= self.now) {
            if let Some(event) = self.network.pop(self.now) {
                self.idle_calls = 0;
                self.on_event(event);
            }
        } else if cluster_at.is_some_and(|at| at <= self.now) {
            self.idle_calls = 0;
            self.touch_cluster();
        } else {
            self.on_deadline(deadline.expect("one of them is due"));
        }
        self.settle();
        true
    }

    /// The core acts, because it said that it would.
    fn on_deadline(&mut self, deadline: Deadline) {
        if deadline.reason != Reason::WorkQueued {
            self.note("core", format_args!("timer {:?}", deadline.reason));
        }
        self.sights.timer(deadline.reason);
        self.core.handle_timeout(self.now);
        self.idle_calls += 1;
        assert!(
            self.idle_calls < IDLE_CALLS_MAX,
            "L6: busy at {:?}",
            deadline.reason
        );
    }

    /// Time goes on to `at`, and faults in ambush strike.
    fn begin_step(&mut self, at: Instant) {
        self.strike();
        self.steps += 1;
        if at > self.now {
            self.check_core();
            self.now = at;
            self.idle_calls = 0;
        }
    }

    /// A step while the core is not called: what the network brings, or the end of the nap.
    fn doze(&mut self, until: Instant, wake_at: Instant) -> bool {
        let event_at = self.network.next_at().filter(|at| *at < wake_at);
        let cluster_at = self.cluster_at.filter(|at| *at < wake_at);
        let at = [event_at, cluster_at].into_iter().flatten().min();
        let at = at.unwrap_or(wake_at);
        if at > until {
            return false;
        }
        self.begin_step(at);
        if let Some(event) = self.network.pop(self.now) {
            self.on_event(event);
        } else if cluster_at.is_some_and(|at| at <= self.now) {
            self.touch_cluster();
        } else if at == wake_at {
            self.wake();
        }
        self.settle();
        true
    }

    /// Carries out what the core and the cluster want done, and checks.
    fn settle(&mut self) {
        while !self.naps.is_asleep()
            && let Some(output) = self.core.poll_output()
        {
            self.idle_calls = 0;
            if !self.is_moot(&output) {
                self.on_output(output);
            }
        }
        self.drain_cluster();
        if core::mem::take(&mut self.is_cluster_touched) {
            self.cluster_at = self.cluster.poll_timeout();
        }
        let stats = self.core.stats();
        let limit = self.core.config().buffer_memory;
        // The one exception: parts of a batch that was too large are compressed less well than it.
        assert!(
            stats.buffered_bytes <= limit || stats.splits > 0,
            "S8: more buffered than buffer_memory"
        );
        self.look(stats.buffered_bytes);
    }

    /// Time has passed for the cluster too, and it is about to change.
    fn touch_cluster(&mut self) {
        self.is_cluster_touched = true;
        self.cluster.handle_timeout(self.now);
    }

    /// The core's own invariants, before time goes on. They take time for each partition: in a
    /// wide world they are not checked every time.
    fn check_core(&mut self) {
        self.unchecked_instants += 1;
        let least = INSTANTS_UNCHECKED + self.cluster.partition_total() / PARTITIONS_PER_INSTANT;
        if self.unchecked_instants > least {
            self.unchecked_instants = 0;
            self.core.check_invariants();
        }
    }

    /// L1: no record outlasts `delivery_timeout`, which counts from the opening of its batch.
    fn check_ages(&self, ended: &[RecordId]) {
        let config = self.core.config();
        let limit = config.effective_delivery_timeout() + config.resolve_timeout;
        for id in ended {
            let ends_at = self.naps.latest(self.journal.accepted_at(*id) + limit);
            assert!(
                self.now <= ends_at,
                "L1: {id:?} ended at {}, beyond delivery_timeout at {ends_at}",
                self.now
            );
        }
    }

    // ---- Observers ----------------------------------------------------------------------------

    /// How many steps were taken: events of the network, and calls of `handle_timeout`.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// What time it is.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The producer.
    #[must_use]
    pub fn core(&self) -> &ProducerCore {
        &self.core
    }

    /// What was recorded so far, and not taken before.
    pub fn take_log(&mut self) -> String {
        self.core.take_log(String::new())
    }

    /// The cluster.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What the application sent, and what became of it.
    #[must_use]
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What happened.
    #[must_use]
    pub const fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// Whether [`Self::close`] has come to its end.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// A checksum over everything that the core wanted sent, what became of it, and when:
    /// equal runs have equal ones.
    #[must_use]
    pub const fn digest(&self) -> u32 {
        self.digest
    }

    /// What it came across.
    #[must_use]
    pub const fn sights(&self) -> &Sights {
        &self.sights
    }

    /// How much is told of the run.
    pub(crate) const fn tell(&mut self, telling: Telling) {
        self.narrate(matches!(telling, Telling::Tail | Telling::Whole));
        self.telling = telling;
    }

    /// Turns the timeline on or off.
    pub const fn narrate(&mut self, is_on: bool) {
        self.timeline.switch(is_on);
    }
}

impl World {
    /// Shows how a run came to fail.
    pub(crate) fn show_failure(&self) {
        if self.telling == Telling::Tail {
            eprintln!("{}", self.timeline.tail(TAIL_LINES));
        }
        if self.telling != Telling::Silence {
            // A core whose invariants are broken may not be able to describe itself.
            let report = catch_unwind(AssertUnwindSafe(|| self.core.report(self.now).to_string()));
            eprintln!("{}", report.unwrap_or_default());
        }
    }
}

impl Drop for World {
    /// A run that panics shows how it came to that.
    fn drop(&mut self) {
        if self.telling == Telling::Whole {
            eprint!("{}", self.timeline);
        }
        if std::thread::panicking() {
            self.show_failure();
        }
    }
}
