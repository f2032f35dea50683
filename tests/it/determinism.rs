//! S18: the same configuration, seed and inputs give the same outputs, byte for byte; and how the
//! bytes of an answer are cut up changes nothing.

use crate::seeds::{Rig, play};
use bytes::BytesMut;
use core::fmt::Write as _;
use std::collections::VecDeque;
use titorelli::{Codec, Config, ConnId, Input, Instant, Output, ProducerCore, Record};
use titorelli_sim::cluster::{Cluster, ClusterConfig, ClusterOutput, PeerId};

/// Every output with its bytes, and every deadline, of a whole run.
fn trace_of(seed: u64) -> Vec<String> {
    let mut rig = Rig::new(seed);
    rig.keep_all();
    play(&mut rig);
    rig.take_story()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_deadlines() {
    let mut lines = 0;
    for seed in 0..40 {
        let (first, second) = (trace_of(seed), trace_of(seed));
        for (first, second) in first.iter().zip(&second) {
            assert_eq!(first, second, "S18: seed {seed}");
        }
        assert_eq!(first.len(), second.len(), "S18: seed {seed}");
        lines += first.len();
    }
    assert!(lines > 10_000, "the runs are runs: {lines}");
}

/// A conversation in which every answer arrives at once, cut into chunks of this size.
struct Conversation {
    core: ProducerCore,
    cluster: Cluster,
    chunk_bytes: usize,
    peer: Option<(ConnId, PeerId)>,
    /// Outputs in order, requests as one stream.
    story: String,
    stream: BytesMut,
}

impl Conversation {
    fn new(codec: Codec, chunk_bytes: usize) -> Self {
        let mut config = Config::default();
        config.bootstrap_servers = vec!["127.0.0.1:9001".to_owned()];
        config.compression = codec;
        config.batch_size = 300;
        config.retries = 2;
        config.trace = true;
        let mut cluster = Cluster::new(ClusterConfig::with_brokers(1));
        cluster.create_topic("orders", 3);
        cluster.fail_next("orders", 1, 19, false);
        let core = ProducerCore::new(config, [9; 32], Instant::ZERO).expect("it works");
        Self {
            core,
            cluster,
            chunk_bytes,
            peer: None,
            story: String::new(),
            stream: BytesMut::new(),
        }
    }

    /// Steps until nothing is due before `until`.
    fn run(&mut self, until: Instant) {
        let mut now = Instant::ZERO;
        let mut answers = VecDeque::new();
        loop {
            while let Some(output) = self.core.poll_output() {
                self.carry_out(now, output);
            }
            while let Some(output) = self.cluster.poll_output() {
                let ClusterOutput::Transmit { bytes, .. } = output else {
                    panic!("the cluster closes: {output:?}");
                };
                answers.push_back(bytes);
            }
            if let Some(answer) = answers.pop_front() {
                let (conn, _) = self.peer.expect("somebody asked");
                for chunk in answer.chunks(self.chunk_bytes) {
                    self.core.handle_input(now, Input::Received(conn, chunk));
                }
                continue;
            }
            match self.core.poll_timeout() {
                Some(deadline) if deadline.at <= until => now = now.max(deadline.at),
                Some(_) | None => return,
            }
            self.core.handle_timeout(now);
        }
    }

    fn carry_out(&mut self, now: Instant, output: Output) {
        match output {
            Output::Connect { conn, .. } => {
                let broker = self.cluster.config().brokers[0].id;
                let peer = self.cluster.connect(broker).expect("it is up");
                self.peer = Some((conn, peer));
                self.core.handle_input(now, Input::Connected(conn));
            }
            Output::Transmit { conn, bytes } => {
                self.core.handle_input(now, Input::Sent(conn, bytes.len()));
                self.stream.extend_from_slice(&bytes);
                let (_, peer) = self.peer.expect("connected");
                self.cluster.receive(now, peer, &bytes);
            }
            Output::Seal(job) => self.core.handle_input(now, Input::Sealed(job.run())),
            other @ (Output::Disconnect(_)
            | Output::Delivered(_)
            | Output::Admitted(_)
            | Output::Refused(..)
            | Output::Flushed(_)
            | Output::Closed
            | Output::Trace(_)) => writeln!(self.story, "{now} {other:?}").expect("grows"),
        }
    }
}

fn converse(codec: Codec, chunk_bytes: usize) -> (String, BytesMut) {
    let mut conversation = Conversation::new(codec, chunk_bytes);
    let core = &mut conversation.core;
    core.partitions_for(Instant::ZERO, "orders")
        .expect_err("it is unknown yet");
    conversation.run(Instant::from_millis(10));
    for number in 0..60_u8 {
        let value = [number; 40];
        let record = Record::to("orders")
            .partition(i32::from(number) % 3)
            .value(&value);
        let core = &mut conversation.core;
        core.send(Instant::from_millis(10), &record)
            .expect("there is room");
    }
    conversation.run(Instant::from_millis(5_000));
    let acked = conversation.core.stats().records_acked;
    assert_eq!(acked, 60, "{}", conversation.story);
    (conversation.story, conversation.stream)
}

#[test]
fn how_answers_are_cut_up_changes_nothing() {
    for codec in [Codec::None, Codec::Lz4] {
        let whole = converse(codec, usize::MAX);
        for chunk_bytes in [1, 2, 3, 5, 17, 100] {
            let cut = converse(codec, chunk_bytes);
            assert_eq!(whole.0, cut.0, "chunks of {chunk_bytes} bytes");
            assert!(
                whole.1 == cut.1,
                "requests with chunks of {chunk_bytes} bytes"
            );
        }
    }
}
