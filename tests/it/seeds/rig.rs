//! The core, driven as badly as its contract allows, against the cluster.

use super::dice::Dice;
use super::model::{Model, State};
use super::plan::Plan;
use super::wires::{Event, Wires};
use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use titorelli::{
    CloseCause, ConnId, Input, Instant, Output, ProducerCore, Reason, SendError, Ticket, WaiterId,
};
use titorelli_sim::cluster::{Cluster, ClusterConfig, ClusterOutput, PeerId, Strictness};

/// Lines of the past in a failure's report.
const TAIL_LINES: usize = 60;
/// As many calls of `handle_timeout` in a row without an output are a busy loop.
const IDLE_CALLS_MAX: u32 = 2;
/// As many calls at one instant are a busy loop, outputs or not.
const CALLS_MAX: u32 = 2_000;
/// A run that takes more steps hangs.
const STEPS_MAX: u64 = 2_000_000;

/// One run.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) plan: Plan,
    pub(crate) now: u64,
    pub(crate) core: ProducerCore,
    pub(crate) cluster: Cluster,
    pub(crate) wires: Wires,
    pub(crate) model: Model,
    pub(crate) dice: Dice,
    peers: BTreeMap<PeerId, ConnId>,
    /// Calls of `partitions_for` that wait.
    pub(super) queries: BTreeMap<WaiterId, String>,
    /// Waiters whose turn has come.
    pub(super) admitted: BTreeSet<WaiterId>,
    /// The deadline that was last looked at, and when it will be obeyed.
    wake: Option<(Instant, u64)>,
    pub(crate) give_up_at: Option<u64>,
    pub(crate) is_closed: bool,
    steps: u64,
    /// How late `handle_timeout` may be at all.
    slack: u64,
    tail: VecDeque<String>,
    keeps_all: bool,
    /// Waiters that were cancelled: what was told of them before comes too late.
    pub(super) cancelled: BTreeSet<WaiterId>,
    /// Outputs that were fetched and not yet carried out.
    fetched: VecDeque<Output>,
}

impl Rig {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(seed, &mut dice);
        let mut cluster = ClusterConfig::with_brokers(plan.brokers);
        cluster.auto_create_topics = false;
        cluster.strictness = Strictness::Strict;
        cluster.topic.partitions = plan.workload.partitions;
        let mut config = plan.config.clone();
        let servers = cluster
            .brokers
            .iter()
            .map(|b| format!("{}:{}", b.host, b.port));
        config.bootstrap_servers = servers.collect();
        let wall_clock_ms = cluster.wall_clock_ms;
        let mut cluster = Cluster::new(cluster);
        for topic in 0..plan.workload.topics {
            cluster.create_topic(&format!("topic-{topic}"), plan.workload.partitions);
        }
        let core = ProducerCore::new(config, [7; 32], Instant::ZERO);
        let mut core = core.expect("the plan's configuration works");
        core.set_wall_clock(Instant::ZERO, wall_clock_ms);
        let wires = Wires::new(plan.habits.clone(), Dice::new(seed ^ 0x5eed));
        let slack = plan.habits.lateness_max;
        Self {
            slack,
            plan,
            now: 0,
            core,
            cluster,
            wires,
            model: Model::default(),
            dice,
            peers: BTreeMap::new(),
            queries: BTreeMap::new(),
            admitted: BTreeSet::new(),
            wake: None,
            give_up_at: None,
            is_closed: false,
            steps: 0,
            tail: VecDeque::new(),
            keeps_all: false,
            cancelled: BTreeSet::new(),
            fetched: VecDeque::new(),
        }
    }

    pub(crate) fn instant(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    /// No delay is longer than any timeout from now on.
    pub(crate) fn hurry(&mut self) {
        let habits = &mut self.plan.habits;
        (habits.latency_max, habits.seal_max) = (10, 0);
        (habits.report_max, habits.resume_max, habits.cancel_percent) = (0, 0, 0);
        (habits.write_bytes_max, habits.chunk_bytes_max) = (usize::MAX, usize::MAX);
        (habits.polls_partly, habits.lateness_max) = (false, 0);
        self.wake = None;
        self.wires.habits = habits.clone();
    }

    /// Forgets nothing of what happens, bytes included.
    pub(crate) fn keep_all(&mut self) {
        self.keeps_all = true;
    }

    /// What happened, a line per fact.
    pub(crate) fn take_story(&mut self) -> Vec<String> {
        core::mem::take(&mut self.tail).into()
    }

    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if !self.keeps_all && self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(format!("{:>12} {}", self.now, line()));
    }

    // ---- Time ---------------------------------------------------------------------------------

    /// When the core's deadline will be obeyed: a driver may be late.
    fn wake_at(&mut self) -> Option<u64> {
        let Some(deadline) = self.core.poll_timeout() else {
            self.wake = None;
            return None;
        };
        // What is due already is not put off by what becomes due since.
        let now = self.instant();
        if self
            .wake
            .is_none_or(|(at, _)| at != deadline.at && at > now)
        {
            let late = self.dice.below(self.plan.habits.lateness_max + 1);
            let at = deadline.at.as_micros().max(self.now).saturating_add(late);
            self.wake = Some((deadline.at, at));
        }
        self.wake.map(|(_, at)| at)
    }

    /// The next event or timer that is not after `until`; false: there is none.
    pub(crate) fn step(&mut self, until: u64) -> bool {
        let wake_at = self.wake_at();
        let event_at = self.wires.next_at();
        let Some(at) = [wake_at, event_at]
            .into_iter()
            .flatten()
            .min()
            .filter(|at| *at <= until)
        else {
            return false;
        };
        self.steps += 1;
        assert!(self.steps < STEPS_MAX, "L6: {STEPS_MAX} steps");
        self.now = self.now.max(at);
        if event_at.is_some_and(|event_at| event_at <= at) {
            let event = self.wires.pop().expect("it has a time");
            self.on_event(event);
            self.settle();
        } else {
            self.wake = None;
            self.fire();
        }
        self.check_deadlines();
        if self.keeps_all {
            let deadline = self.core.poll_timeout();
            self.note(|| format!("next {deadline:?}"));
        }
        true
    }

    pub(crate) fn run_until(&mut self, until: u64) {
        while self.step(until) {}
        self.now = self.now.max(until);
    }

    /// Calls `handle_timeout` until nothing is due at this instant.
    fn fire(&mut self) {
        let (mut idle_calls, mut calls) = (0, 0);
        loop {
            let reason = self.core.poll_timeout();
            self.note(|| format!("timer {reason:?}"));
            self.core.handle_timeout(self.instant());
            let has_effect = self.settle_all();
            let now = self.instant();
            let Some(deadline) = self.core.poll_timeout().filter(|d| d.at <= now) else {
                return;
            };
            (calls, idle_calls) = (calls + 1, if has_effect { 0 } else { idle_calls + 1 });
            assert!(idle_calls < IDLE_CALLS_MAX, "L6: busy with {deadline:?}");
            assert!(calls < CALLS_MAX, "L6: busy with {deadline:?} for ever");
        }
    }

    /// L1, L4: nothing is later than it may be.
    fn check_deadlines(&self) {
        let lateness = self.slack;
        if let Some(oldest) = self.model.oldest_open() {
            let timeout = self.plan.config.effective_delivery_timeout().as_micros();
            let most = oldest.saturating_add(u64::try_from(timeout).unwrap_or(u64::MAX));
            assert!(
                self.now <= most + lateness,
                "L1: accepted at {oldest}, now {}",
                self.now
            );
        }
        if self.first_in_line().is_some() && self.admitted.is_empty() {
            let reason = self.core.poll_timeout().map(|deadline| deadline.reason);
            let is_idle = reason == Some(Reason::Linger);
            assert!(
                !is_idle,
                "L13: a batch lingers while a call waits for memory"
            );
        }
        if let Some(give_up_at) = self.give_up_at
            && !self.is_closed
        {
            assert!(
                self.now <= give_up_at + lateness,
                "L4: not closed by {give_up_at}"
            );
        }
    }

    // ---- Effects ------------------------------------------------------------------------------

    /// Carries out outputs, not always all of them, and checks.
    fn settle(&mut self) {
        if self.plan.habits.polls_partly && self.dice.percent(50) {
            for _ in 0..self.dice.below(3) {
                if let Some(output) = self.fetch() {
                    self.on_output(output);
                }
            }
            let late = self.dice.below(2_000);
            self.wires.plan(self.now + late, Event::Poll);
            self.core.check_invariants();
            return;
        }
        self.settle_all();
    }

    /// Carries out all outputs; whether there were any.
    pub(crate) fn settle_all(&mut self) -> bool {
        let mut has_effect = false;
        while let Some(output) = self.fetch() {
            has_effect = true;
            self.on_output(output);
        }
        self.drain_cluster();
        self.core.check_invariants();
        let stats = self.core.stats();
        assert!(stats.buffered_bytes <= self.plan.config.buffer_memory, "S8");
        has_effect
    }

    /// The next output, from those that were fetched ahead or from the core.
    fn fetch(&mut self) -> Option<Output> {
        if self.fetched.is_empty() {
            self.fetch_one();
        }
        self.fetched.pop_front()
    }

    /// Fetches everything, so that it is known whose turn has come.
    pub(super) fn fetch_ahead(&mut self) {
        while self.fetch_one() {}
    }

    fn fetch_one(&mut self) -> bool {
        let Some(output) = self.core.poll_output() else {
            return false;
        };
        if let Output::Admitted(waiter) = output {
            let waiting = self
                .model
                .waiting
                .get(&waiter)
                .map(|n| self.model.entries[*n].state);
            if matches!(waiting, Some(State::Waiting(_, true))) {
                let first = self.first_in_line();
                assert_eq!(first, Some(waiter), "L5: {waiter:?} overtook {first:?}");
            }
            if let Some(number) = self.model.waiting.get(&waiter) {
                let topic = self.model.entries[*number].topic.clone();
                self.model.known.insert(topic);
            }
            self.admitted.insert(waiter);
        }
        if let Output::Refused(waiter, _) = output {
            // It is in line no more.
            self.admitted.insert(waiter);
        }
        self.fetched.push_back(output);
        true
    }

    fn on_output(&mut self, output: Output) {
        // A flush of a closed producer is over at once, and says so.
        let is_flush = matches!(output, Output::Flushed(_));
        assert!(
            !self.is_closed || is_flush,
            "L4: after Closed came {output:?}"
        );
        if !matches!(output, Output::Transmit { .. } | Output::Seal(_)) {
            self.note(|| format!("{output:?}"));
        }
        match output {
            Output::Connect { conn, host, port } => {
                let broker = self.cluster.broker_at(&host, port);
                self.wires.connect(self.now, conn, broker);
            }
            Output::Transmit { conn, bytes } => {
                self.note(|| format!("Transmit {conn:?} {} bytes", bytes.len()));
                if self.keeps_all {
                    self.note(|| format!("{bytes:?}"));
                }
                self.wires.transmit(self.now, conn, bytes);
            }
            Output::Disconnect(conn) => self.wires.disconnect(self.now, conn),
            Output::Seal(job) => {
                self.note(|| format!("Seal {:?}", job.batch()));
                let late = self.dice.below(self.plan.habits.seal_max + 1);
                self.wires.plan(self.now + late, Event::Sealed(job));
            }
            Output::Delivered(delivery) => self.model.delivered(&self.plan, &delivery),
            Output::Admitted(waiter) => self.on_admitted(waiter),
            Output::Refused(waiter, error) => {
                assert!(!matches!(error, SendError::WouldBlock(_)), "{error:?}");
                self.admitted.remove(&waiter);
                let is_late = self.cancelled.remove(&waiter);
                if self.queries.remove(&waiter).is_none() && !is_late {
                    let number = self.model.waiting.remove(&waiter);
                    let number = number.unwrap_or_else(|| panic!("L5: {waiter:?} is unknown"));
                    self.model.entries[number].state = State::Rejected;
                }
            }
            Output::Flushed(id) => {
                let (accepted_before, _) = self.model.flushes.remove(&id).expect("L3: once");
                let is_held_up = self.model.holds_up(accepted_before);
                assert!(!is_held_up, "L3: {id:?} ended before its records");
            }
            Output::Closed => {
                assert!(self.give_up_at.is_some(), "L4: closed when asked");
                assert_eq!(self.model.open_count(), 0, "L4: records are open");
                self.is_closed = true;
            }
            Output::Trace(_) => {}
        }
    }

    fn on_admitted(&mut self, waiter: WaiterId) {
        if self.queries.contains_key(&waiter) {
            return self.resume(waiter);
        }
        // It may have been cancelled after its turn was told, and before that was heard.
        if !self.admitted.contains(&waiter) {
            return;
        }
        let late = self.dice.below(self.plan.habits.resume_max + 1);
        if late == 0 {
            self.resume(waiter);
        } else if self.dice.percent(self.plan.habits.cancel_percent) {
            self.wires.plan(self.now + late, Event::Cancel(waiter));
        } else {
            self.wires.plan(self.now + late, Event::Resume(waiter));
        }
    }

    /// The first of those who wait for memory and were not admitted.
    pub(super) fn first_in_line(&self) -> Option<WaiterId> {
        let waiting = self.model.waiting.iter();
        let mut in_line = waiting.filter(|(waiter, number)| {
            let is_for_memory =
                matches!(self.model.entries[**number].state, State::Waiting(_, true));
            is_for_memory && !self.admitted.contains(waiter)
        });
        in_line.next().map(|(waiter, _)| *waiter)
    }

    fn resume(&mut self, waiter: WaiterId) {
        if !self.admitted.remove(&waiter) {
            return;
        }
        if let Some(topic) = self.queries.remove(&waiter) {
            self.core.cancel(self.instant(), waiter);
            let known = self.core.partitions_for(self.instant(), &topic);
            assert!(known.is_ok() || self.give_up_at.is_some(), "L5: {known:?}");
            return;
        }
        let Some(number) = self.model.waiting.remove(&waiter) else {
            return;
        };
        let now = self.instant();
        self.fetch_ahead();
        let first = self.first_in_line();
        let buffered = self.core.stats().buffered_bytes;
        let was_for_memory = matches!(self.model.entries[number].state, State::Waiting(_, true));
        let core = &mut self.core;
        let result = self.model.entries[number].lend(|r| core.resume(now, waiter, r));
        // What a record that may go anywhere waited for is not always known here.
        let is_sure = !self.may_go_anywhere(number);
        if is_sure && !was_for_memory && first.is_some_and(|first| first < waiter) {
            let after = self.core.stats().buffered_bytes;
            assert!(
                after <= buffered,
                "L5: {waiter:?} took memory before {first:?}"
            );
        }
        self.note(|| format!("resume {waiter:?} -> {result:?}"));
        if !matches!(result, Err(SendError::WouldBlock(_))) {
            // A refusal by close may be on its way already.
            self.cancelled.insert(waiter);
        }
        self.answered(number, &result);
    }

    /// Whether neither the record nor its key says where it goes.
    fn may_go_anywhere(&self, number: usize) -> bool {
        let entry = &self.model.entries[number];
        entry.partition.is_none() && self.plan.place_of(entry.key.as_deref(), 1).is_none()
    }

    pub(super) fn answered(&mut self, number: usize, result: &Result<Ticket, SendError>) {
        let is_blocked = matches!(result, Err(SendError::WouldBlock(_)));
        let mut is_for_memory = false;
        let may_go_anywhere = self.may_go_anywhere(number);
        let entry = &self.model.entries[number];
        if is_blocked && may_go_anywhere {
            // Any partition will do, so the topic is all that has to be known.
            is_for_memory = self.model.known.contains(&entry.topic);
        } else if is_blocked {
            // Asked again without patience, the core says what is missing.
            let (now, core) = (Instant::from_micros(self.now), &mut self.core);
            let why = entry.lend(|record| core.try_send(now, record));
            is_for_memory = matches!(why, Err(SendError::BufferFull { .. }));
            assert!(why.is_err(), "L5: blocked, and then accepted at once");
        }
        self.model.answered(self.now, number, result, is_for_memory);
    }

    pub(super) fn drain_cluster(&mut self) {
        while let Some(output) = self.cluster.poll_output() {
            match output {
                ClusterOutput::Transmit { peer, bytes } => {
                    if let Some(conn) = self.peers.get(&peer) {
                        self.wires.respond(self.now, *conn, bytes);
                    }
                }
                ClusterOutput::Close(peer) => {
                    if let Some(conn) = self.peers.remove(&peer) {
                        self.wires.all.get_mut(&conn).expect("connected").peer = None;
                        self.wires.broker_closes(self.now, conn);
                    }
                }
            }
        }
    }

    // ---- Events -------------------------------------------------------------------------------

    fn on_event(&mut self, event: Event) {
        if self.wires.is_black && !matches!(event, Event::Resume(_) | Event::Cancel(_)) {
            return;
        }
        let now = self.instant();
        match event {
            Event::Knock(conn) => self.on_knock(conn),
            Event::Established(conn) => self.inform(conn, Input::Connected(conn)),
            Event::Refused(conn) => {
                self.end(conn, CloseCause::Unreachable("connection refused".into()));
            }
            Event::Write(conn) => self.wires.write(self.now, conn),
            Event::Report(conn) => self.report(conn),
            Event::ToBroker(conn, bytes) => {
                if let Some(peer) = self.wires.all[&conn].peer {
                    self.cluster.receive(now, peer, &bytes);
                }
            }
            Event::ToClient(conn, bytes) => self.inform(conn, Input::Received(conn, &bytes)),
            Event::BrokerSeesEnd(conn) => {
                let wire = self.wires.all.get_mut(&conn).expect("connected");
                if let Some(peer) = wire.peer.take() {
                    self.peers.remove(&peer);
                    self.cluster.disconnected(peer);
                }
            }
            Event::ClientSeesEnd(conn) => self.end(conn, CloseCause::ByPeer),
            Event::Sealed(job) => self.core.handle_input(now, Input::Sealed(job.run())),
            Event::Send => self.act(),
            Event::Fault => self.on_fault(),
            Event::Resume(waiter) => self.resume(waiter),
            Event::Cancel(waiter) => self.cancel(waiter),
            Event::Close => self.close(self.plan.workload.close_within),
            // Called too early it is harmless.
            Event::Poll => self.core.handle_timeout(now),
        }
    }

    fn on_knock(&mut self, conn: ConnId) {
        let wire = self.wires.all.get_mut(&conn).expect("connected");
        match wire.broker.and_then(|broker| self.cluster.connect(broker)) {
            Some(peer) => {
                wire.peer = Some(peer);
                self.peers.insert(peer, conn);
                self.wires.accept(self.now, conn);
            }
            None => self.wires.refuse(self.now, conn),
        }
    }

    fn inform(&mut self, conn: ConnId, input: Input<'_>) {
        if self.wires.all[&conn].is_open {
            self.core.handle_input(self.instant(), input);
        }
    }

    fn report(&mut self, conn: ConnId) {
        let wire = self.wires.all.get_mut(&conn).expect("connected");
        let count = core::mem::take(&mut wire.unreported);
        if count > 0 {
            self.inform(conn, Input::Sent(conn, count));
        }
    }

    fn end(&mut self, conn: ConnId, cause: CloseCause) {
        self.report(conn);
        if self.wires.end(conn) {
            self.note(|| format!("closed {conn:?} {cause:?}"));
            self.core
                .handle_input(self.instant(), Input::Closed(conn, cause));
        }
    }
}

impl Drop for Rig {
    /// A run that fails shows how it came to that.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut story = String::new();
            for line in &self.tail {
                let _ = writeln!(story, "{line}");
            }
            eprintln!(
                "{story}\n{}\n{:#?}",
                self.core.report(Instant::ZERO),
                self.plan
            );
            eprintln!(
                "again: SEEDS={0}..{1} cargo test --test it seeds",
                self.plan.seed,
                self.plan.seed + 1
            );
        }
    }
}
