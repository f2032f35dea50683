//! Whatever a broker sends, and however the calls are ordered: nothing panics, nothing runs for
//! ever, and every accepted record ends once (B1, B5, B6, S1, S17).

use bytes::Bytes;
use core::time::Duration;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use titorelli::{
    Acks, BatchId, CloseCause, Codec, Config, ConnId, Input, Instant, Output, ProducerCore, Record,
    SealJob, SendError, WaiterId,
};
use titorelli_sim::cluster::{Cluster, ClusterConfig, ClusterOutput, PeerId};

/// More outputs than this at one instant, without an input, are endless.
const OUTPUTS_MAX: usize = 20_000;

/// A core on a bench: its outputs are kept, and nothing happens by itself.
struct Bench {
    core: ProducerCore,
    now: Instant,
    conns: BTreeSet<ConnId>,
    seals: VecDeque<SealJob>,
    handed: BTreeMap<ConnId, usize>,
    requests: VecDeque<(ConnId, Bytes)>,
    turns: VecDeque<WaiterId>,
    accepted: BTreeSet<(BatchId, u32)>,
    is_closed: bool,
}

impl Bench {
    fn new(config: Config) -> Option<Self> {
        let core = ProducerCore::new(config, [3; 32], Instant::ZERO).ok()?;
        Some(Self {
            core,
            now: Instant::ZERO,
            conns: BTreeSet::new(),
            seals: VecDeque::new(),
            handed: BTreeMap::new(),
            requests: VecDeque::new(),
            turns: VecDeque::new(),
            accepted: BTreeSet::new(),
            is_closed: false,
        })
    }

    fn fetch(&mut self) {
        let mut count = 0;
        while let Some(output) = self.core.poll_output() {
            count += 1;
            assert!(count < OUTPUTS_MAX, "L15: endless outputs");
            match output {
                Output::Connect { conn, .. } => assert!(self.conns.insert(conn), "{conn:?} twice"),
                Output::Transmit { conn, bytes } => {
                    *self.handed.entry(conn).or_default() += bytes.len();
                    self.requests.push_back((conn, bytes));
                }
                Output::Disconnect(conn) => drop(self.conns.remove(&conn)),
                Output::Seal(job) => self.seals.push_back(job),
                Output::Delivered(delivery) => {
                    for index in delivery.first..delivery.first + delivery.count {
                        let was_open = self.accepted.remove(&(delivery.batch, index));
                        assert!(was_open, "S1: {delivery:?}");
                    }
                }
                Output::Admitted(waiter) => self.turns.push_back(waiter),
                Output::Closed => self.is_closed = true,
                Output::Refused(..) | Output::Flushed(_) | Output::Trace(_) => {}
            }
        }
        self.core.check_invariants();
    }

    /// Fires what is due at this instant; it has to come to rest.
    fn fire(&mut self) {
        for _ in 0..100 {
            self.core.handle_timeout(self.now);
            self.fetch();
            if self
                .core
                .poll_timeout()
                .is_none_or(|deadline| deadline.at > self.now)
            {
                return;
            }
        }
        panic!("L6: busy with {:?}", self.core.poll_timeout());
    }

    fn input(&mut self, input: Input<'_>) {
        self.core.handle_input(self.now, input);
        self.fetch();
    }

    fn send(&mut self, record: &Record<'_>) -> Result<(), SendError> {
        let ticket = self.core.send(self.now, record)?;
        assert!(
            self.accepted.insert((ticket.batch, ticket.index)),
            "S1: {ticket:?} twice"
        );
        Ok(())
    }

    fn any_conn(&self, nth: usize) -> Option<ConnId> {
        self.conns
            .iter()
            .nth(nth % self.conns.len().max(1))
            .copied()
    }

    fn close(&mut self, within: Duration) {
        self.core.close(self.now, self.now + within);
        self.now = self.now + within;
        self.fire();
        assert!(self.is_closed, "L4: closed in time");
        assert!(self.accepted.is_empty(), "S1: records without an end");
        assert_eq!(self.core.stats().buffered_bytes, 0, "S8");
    }
}

/// A cluster that answers a bench at once.
struct Peer {
    cluster: Cluster,
    peers: BTreeMap<ConnId, PeerId>,
}

impl Peer {
    fn new() -> Self {
        let mut config = ClusterConfig::with_brokers(1);
        config.auto_create_topics = false;
        let mut cluster = Cluster::new(config);
        cluster.create_topic("t", 2);
        cluster.create_topic("u", 1);
        Self {
            cluster,
            peers: BTreeMap::new(),
        }
    }

    /// Hands all requests over and returns the answers. Bytes of ended connections are lost.
    fn answers(&mut self, bench: &mut Bench) -> Vec<(ConnId, Bytes)> {
        let mut answers = Vec::new();
        while let Some((conn, bytes)) = bench.requests.pop_front() {
            let broker = self.cluster.config().brokers[0].id;
            let Self { cluster, peers } = self;
            let connect = || cluster.connect(broker).expect("it is up");
            let peer = *peers.entry(conn).or_insert_with(connect);
            self.cluster.receive(bench.now, peer, &bytes);
            while let Some(output) = self.cluster.poll_output() {
                if let ClusterOutput::Transmit { bytes, .. } = output {
                    answers.push((conn, bytes));
                }
            }
        }
        answers
    }

    /// Converses until the core is at rest.
    fn converse(&mut self, bench: &mut Bench) {
        for _ in 0..50 {
            bench.fire();
            let waiting: Vec<ConnId> = bench.conns.iter().copied().collect();
            for conn in waiting
                .into_iter()
                .filter(|conn| !self.peers.contains_key(conn))
            {
                bench.input(Input::Connected(conn));
            }
            for (conn, bytes) in self.answers(bench) {
                bench.input(Input::Received(conn, &bytes));
            }
        }
    }
}

fn config() -> Config {
    let mut config = Config::default();
    config.bootstrap_servers = vec!["127.0.0.1:9001".to_owned()];
    config.request_timeout = Duration::from_millis(200);
    config.delivery_timeout = Some(Duration::from_millis(500));
    config.retry_backoff = Duration::from_millis(1);
    config.reconnect_backoff = Duration::from_millis(1);
    config.retries = 5;
    config
}

/// A bench whose core knows the topic `t` and its leader.
fn ready() -> (Bench, Peer) {
    ready_with(config())
}
fn ready_with(config: Config) -> (Bench, Peer) {
    let (mut bench, mut peer) = (Bench::new(config).expect("it works"), Peer::new());
    let unknown = bench.core.partitions_for(bench.now, "t");
    unknown.expect_err("unknown yet");
    peer.converse(&mut bench);
    let known = bench.core.partitions_for(bench.now, "t");
    known.expect("known now");
    (bench, peer)
}

fn seal_all(bench: &mut Bench) {
    while let Some(job) = bench.seals.pop_front() {
        bench.input(Input::Sealed(job.run()));
    }
}

/// What a flush pressed does not linger, though the core acts on it at its next call.
#[test]
fn why_a_flushed_record_waits_is_told_truly_before_the_core_is_called() {
    let mut config = config();
    config.linger = Duration::from_millis(9);
    let (mut bench, _) = ready_with(config);
    let record = Record::to("t").partition(0).value(b"v");
    let ticket = bench.core.send(bench.now, &record).expect("room");
    let told = |bench: &Bench| bench.core.explain(bench.now, ticket).expect("it waits");
    assert_eq!(told(&bench), "t-0: lingering 9 ms more");
    bench.core.flush(bench.now);
    assert_eq!(
        told(&bench),
        "t-0: broker 1 at 127.0.0.1:9001 not connected, tried next"
    );
}

/// A batch that expired while it was being sealed gives its place to the next one.
#[test]
fn a_batch_behind_one_that_expired_unsealed_is_sent() {
    let (mut bench, mut peer) = ready();
    bench
        .send(&Record::to("t").partition(0).value(b"first"))
        .expect("room");
    peer.converse(&mut bench);
    let first = bench.seals.pop_front().expect("it is sealed");
    bench.now = Instant::from_millis(400);
    bench
        .send(&Record::to("t").partition(0).value(b"second"))
        .expect("room");
    bench.fire();
    bench.now = Instant::from_millis(500);
    bench.fire();
    assert_eq!(bench.accepted.len(), 1, "the first has expired");
    bench.input(Input::Sealed(first.run()));
    for _ in 0..3 {
        peer.converse(&mut bench);
        seal_all(&mut bench);
    }
    let (acked, report) = (
        bench.core.stats().records_acked,
        bench.core.report(Instant::ZERO),
    );
    assert_eq!(acked, 1, "L2: {report}");
}

/// Calls without patience do not make a storm of requests: one per backoff (L9).
#[test]
fn what_nobody_has_is_asked_for_once_per_backoff() {
    for (topic, partition) in [("nobody-has-it", None), ("t", Some(7))] {
        let (mut bench, mut peer) = ready();
        let before = bench.core.stats().metadata_requests;
        let record = Record {
            partition,
            ..Record::to(topic)
        };
        for _ in 0..70 {
            bench
                .core
                .try_send(bench.now, &record)
                .expect_err("nobody has it");
            peer.converse(&mut bench);
            bench.now = bench.now + Duration::from_micros(10);
        }
        let count = bench.core.stats().metadata_requests - before;
        assert!(
            count <= 2,
            "{count} requests for {topic} {partition:?} in 0.7 ms"
        );
    }
}

/// A topic that is named while another is being asked for does not wait for a backoff.
#[test]
fn a_second_topic_is_asked_for_as_soon_as_the_first_is_answered() {
    let (mut bench, mut peer) = ready();
    bench.send(&Record::to("t").value(b"v")).expect("room");
    peer.converse(&mut bench);
    seal_all(&mut bench);
    peer.converse(&mut bench);
    bench
        .core
        .send(bench.now, &Record::to("u").value(b"v"))
        .expect_err("unknown yet");
    bench.fire();
    bench
        .core
        .send(bench.now, &Record::to("nobody-has-it").value(b"v"))
        .expect_err("unknown yet");
    for (conn, bytes) in peer.answers(&mut bench) {
        bench.input(Input::Received(conn, &bytes));
    }
    bench.fire();
    assert!(
        !bench.requests.is_empty(),
        "{:?}",
        bench.core.poll_timeout()
    );
}

/// Answers with some bytes changed, cut off, or replaced.
fn mutated(answer: &[u8], noise: &[(usize, u8)], cut: usize) -> Vec<u8> {
    let mut bytes = answer.to_vec();
    for (at, byte) in noise {
        let at = at % bytes.len();
        // The length stays mostly right, or little else would be reached.
        if at >= 4 || byte % 8 == 0 {
            bytes[at] = *byte;
        }
    }
    if cut.is_multiple_of(4) {
        bytes.truncate(cut / 4 % (bytes.len() + 1));
    }
    bytes
}

/// So many cases, and no file of earlier failures: they become tests.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        cases,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(256))]

    /// Noise at any phase: from the first byte on, after so many right answers.
    #[test]
    fn noise_ends_a_connection_and_nothing_else(
        right in 0_usize..4,
        noise in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..6),
        acks in prop::sample::select(vec![Acks::None, Acks::Leader, Acks::All]),
    ) {
        let mut config = config();
        config.acks = acks;
        let (mut bench, mut peer) = (Bench::new(config).expect("it works"), Peer::new());
        let _ = bench.core.send(bench.now, &Record::to("t").value(b"v"));
        for round in 0..right + noise.len() {
            bench.fire();
            seal_all(&mut bench);
            for conn in bench.conns.clone() {
                bench.input(Input::Connected(conn));
            }
            let answers = peer.answers(&mut bench);
            if let Some(noise) = round.checked_sub(right).and_then(|nth| noise.get(nth)) {
                if let Some(conn) = bench.any_conn(round) {
                    bench.input(Input::Received(conn, noise));
                }
            } else {
                for (conn, bytes) in answers {
                    bench.input(Input::Received(conn, &bytes));
                }
            }
            while let Some(waiter) = bench.turns.pop_front() {
                let record = Record::to("t").value(b"v");
                if let Ok(ticket) = bench.core.resume(bench.now, waiter, &record) {
                    bench.accepted.insert((ticket.batch, ticket.index));
                }
            }
            bench.now = bench.now + Duration::from_millis(7);
        }
        bench.close(Duration::from_millis(50));
    }

    /// Answers that are almost right: counts, codes, ids and lengths are changed.
    #[test]
    fn answers_that_lie_cost_no_record_its_one_end(
        noise in prop::collection::vec(
            (prop::collection::vec((any::<usize>(), any::<u8>()), 0..4), any::<usize>()), 1..20),
    ) {
        let (mut bench, mut peer) = ready();
        for (noise, cut) in noise {
            for partition in 0..2 {
                let _ = bench.send(&Record::to("t").partition(partition).value(b"value"));
            }
            bench.fire();
            seal_all(&mut bench);
            for conn in bench.conns.clone() {
                bench.input(Input::Connected(conn));
            }
            for (conn, answer) in peer.answers(&mut bench) {
                let bytes = mutated(&answer, &noise, cut);
                bench.input(Input::Received(conn, &bytes));
            }
            bench.now = bench.now + Duration::from_millis(3);
            bench.fire();
        }
        // Nothing is ever answered again: all ends by itself (B6).
        bench.now = bench.now + Duration::from_secs(600);
        bench.fire();
        prop_assert!(bench.accepted.is_empty(), "L1: {}", bench.core.report(Instant::ZERO));
        bench.close(Duration::ZERO);
    }
}

/// A call or a fact with random arguments.
#[derive(Clone, Debug)]
enum Deed {
    Send(Option<i32>, usize, Option<i64>),
    TrySend(String),
    Resume(u64),
    Cancel(u64),
    Flush,
    Ask(String),
    Close(u64),
    Connected(u64),
    Received(u64, Vec<u8>),
    Sent(u64, usize),
    Closed(u64),
    Seal(usize),
    Timeout(u64),
    Fetch,
    Answer,
    WallClock(i64),
}

fn deed() -> impl Strategy<Value = Deed> {
    let topic = prop_oneof![Just("t".to_owned()), Just("unknown".to_owned()), ".{0,6}"];
    prop_oneof![
        6 => (any::<Option<i8>>(), 0_usize..3_000, any::<Option<i64>>())
            .prop_map(|(p, bytes, ts)| Deed::Send(p.map(i32::from), bytes, ts)),
        2 => topic.clone().prop_map(Deed::TrySend),
        2 => (0_u64..9).prop_map(Deed::Resume),
        1 => (0_u64..9).prop_map(Deed::Cancel),
        1 => Just(Deed::Flush),
        1 => topic.prop_map(Deed::Ask),
        1 => prop_oneof![Just(0), Just(u64::MAX), 0_u64..1_000_000].prop_map(Deed::Close),
        3 => (0_u64..6).prop_map(Deed::Connected),
        1 => (0_u64..6, prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(conn, bytes)| Deed::Received(conn, bytes)),
        2 => (0_u64..6, any::<usize>()).prop_map(|(conn, bytes)| Deed::Sent(conn, bytes)),
        1 => (0_u64..6).prop_map(Deed::Closed),
        3 => (0_usize..4).prop_map(Deed::Seal),
        4 => prop_oneof![Just(0), 0_u64..2_000_000, any::<u64>()].prop_map(Deed::Timeout),
        3 => Just(Deed::Fetch),
        8 => Just(Deed::Answer),
        1 => any::<i64>().prop_map(Deed::WallClock),
    ]
}

fn extreme_config() -> impl Strategy<Value = Config> {
    let sizes = || prop::sample::select(vec![0, 1, 61, 100, 16_384, 0x7fff_ffff, usize::MAX]);
    let times = || {
        let micros = [0, 1, 1_000, 200_000, u64::MAX].map(Duration::from_micros);
        prop::sample::select([&micros[..], &[Duration::MAX]].concat())
    };
    let codecs = vec![
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ];
    let all_sizes = (sizes(), sizes(), sizes());
    let all_times = (times(), times(), times(), times(), times(), times());
    let counts = (
        prop::sample::select(vec![0, 1, u32::MAX]),
        prop::sample::select(vec![1, 2, usize::MAX]),
    );
    let kinds = (
        prop::sample::select(vec![Acks::None, Acks::Leader, Acks::All]),
        prop::sample::select(codecs),
    );
    (all_sizes, all_times, counts, kinds).prop_map(|(sizes, times, counts, kinds)| {
        let mut config = Config::default();
        config.bootstrap_servers = vec!["127.0.0.1:9001".to_owned()];
        (
            config.batch_size,
            config.buffer_memory,
            config.max_request_size,
        ) = sizes;
        // Only so much is ever taken; a test machine has less than usize::MAX.
        config.batch_size = config.batch_size.min(0x7fff_ffff);
        config.max_request_size = config.max_request_size.clamp(256, 0x7fff_ffff);
        config.buffer_memory = config.buffer_memory.max(256);
        config.linger = times.0;
        config.max_block = times.1;
        config.retry_backoff = times.2;
        config.retry_backoff_max = Some(times.2.max(times.3));
        config.request_timeout = times.4.max(Duration::from_micros(1));
        config.metadata_max_age = times.5;
        config.reconnect_backoff_max = Some(config.reconnect_backoff.max(times.3));
        let least = config.linger.saturating_add(config.request_timeout);
        config.delivery_timeout = Some(least.saturating_add(times.3));
        (config.retries, config.max_in_flight_requests_per_connection) = counts;
        (config.acks, config.compression) = kinds;
        config
    })
}

fn perform(bench: &mut Bench, peer: &mut Peer, deed: Deed) {
    let conn = |n: u64| ConnId(n);
    match deed {
        Deed::Send(partition, bytes, timestamp_ms) => {
            let value = vec![b'x'; bytes];
            let record = Record {
                partition,
                timestamp_ms,
                ..Record::to("t").value(&value)
            };
            let _ = bench.send(&record);
        }
        Deed::TrySend(topic) => {
            if let Ok(ticket) = bench
                .core
                .try_send(bench.now, &Record::to(&topic).value(b"v"))
            {
                bench.accepted.insert((ticket.batch, ticket.index));
            }
        }
        Deed::Resume(waiter) => {
            let waiter = bench.turns.pop_front().unwrap_or(WaiterId(waiter));
            if let Ok(ticket) = bench
                .core
                .resume(bench.now, waiter, &Record::to("t").value(b"v"))
            {
                bench.accepted.insert((ticket.batch, ticket.index));
            }
        }
        Deed::Cancel(waiter) => bench.core.cancel(bench.now, WaiterId(waiter)),
        Deed::Flush => drop(bench.core.flush(bench.now)),
        Deed::Ask(topic) => drop(bench.core.partitions_for(bench.now, &topic)),
        Deed::Close(micros) => bench.core.close(bench.now, Instant::from_micros(micros)),
        Deed::Connected(n) => bench.input(Input::Connected(conn(n))),
        Deed::Received(n, bytes) => bench.input(Input::Received(conn(n), &bytes)),
        Deed::Sent(n, bytes) => bench.input(Input::Sent(conn(n), bytes)),
        Deed::Closed(n) => {
            bench.conns.remove(&conn(n));
            bench.input(Input::Closed(conn(n), CloseCause::ByPeer));
        }
        Deed::Seal(nth) => {
            if let Some(job) = bench.seals.remove(nth) {
                bench.input(Input::Sealed(job.run()));
            }
        }
        Deed::Timeout(micros) => {
            // Time may seem to go back, and leap.
            let at = bench.now + Duration::from_micros(micros % 10_000_000);
            bench
                .core
                .handle_timeout(Instant::from_micros(micros.min(at.as_micros())));
            bench.now = if micros % 3 == 0 { bench.now } else { at };
        }
        Deed::Fetch => bench.fetch(),
        Deed::Answer => {
            bench.core.handle_timeout(bench.now);
            bench.fetch();
            for conn in bench.conns.clone() {
                bench.input(Input::Connected(conn));
            }
            for (conn, bytes) in peer.answers(bench) {
                bench.input(Input::Received(conn, &bytes));
            }
        }
        Deed::WallClock(unix_time_ms) => bench.core.set_wall_clock(bench.now, unix_time_ms),
    }
    bench.core.check_invariants();
}

proptest! {
    #![proptest_config(cases(512))]

    /// Any calls in any order with any arguments, under any configuration.
    #[test]
    fn no_order_of_calls_panics(
        config in extreme_config(),
        deeds in prop::collection::vec(deed(), 1..80),
    ) {
        let Some(mut bench) = Bench::new(config) else {
            return Err(TestCaseError::reject("refused, with a reason"));
        };
        let mut peer = Peer::new();
        for deed in deeds {
            perform(&mut bench, &mut peer, deed);
        }
        bench.fetch();
        bench.close(Duration::from_millis(1));
    }
}

#[test]
fn a_null_value_needs_a_key() {
    let (mut bench, _peer) = ready();
    for send in [ProducerCore::send, ProducerCore::try_send] {
        let refused = send(&mut bench.core, bench.now, &Record::to("t"));
        assert!(
            matches!(refused, Err(SendError::InvalidRecord(why)) if why.contains("key")),
            "{refused:?}"
        );
    }
    bench.send(&Record::to("t").key(b"")).expect("a tombstone");
    bench.send(&Record::to("t").value(b"")).expect("no null");
}
