//! The cluster that plays a release, with the topics and ids of the recorded one.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use titorelli::Instant;
use titorelli_sim::cluster::{
    BrokerId, Cluster, ClusterConfig, ClusterOutput, PeerId, TopicConfig,
};
use titorelli_sim::codec::{ApiKey, Reader, Request, TopicName, decode_request};

use super::corpus::Step;
use super::fate::{Metadata, fate};

/// Major, minor, patch.
pub(super) type Release = (u16, u16, u16);

/// Ids that no topic has, which the scripts ask for.
const NO_TOPICS: [[u8; 16]; 2] = [[0x42; 16], [0; 16]];
/// The topics that Produce v13 names by ids that no Metadata answer told, in their first order.
const PRODUCED: [&str; 6] = ["prod13", "prodx", "small", "late", "compact", "ts"];

/// A cluster in the middle of its conversations.
pub(super) struct Stage {
    release: Release,
    cluster: Cluster,
    script: String,
    peers: BTreeMap<String, PeerId>,
    /// Answers that no step has taken yet.
    answers: BTreeMap<PeerId, VecDeque<Vec<u8>>>,
    /// The recorded ids of the topics.
    names: BTreeMap<[u8; 16], String>,
    unnamed: VecDeque<&'static str>,
}

impl Stage {
    /// One broker, with the two topics of the script `metadata`.
    pub(super) fn single(release: Release, change: impl FnOnce(&mut ClusterConfig)) -> Self {
        let mut config = ClusterConfig::of_release(1, release);
        change(&mut config);
        let mut stage = Self::of(release, Cluster::new(config));
        stage.cluster.create_topic("meta1", 1);
        stage.cluster.create_topic("meta3", 3);
        stage
    }

    /// Three brokers, with topics that are spread as this first Metadata answer says.
    pub(super) fn triple(release: Release, first: &Step) -> Self {
        let mut config = ClusterConfig::of_release(3, release);
        config.topic.replication_factor = 3;
        let mut stage = Self::of(release, Cluster::new(config));
        for topic in metadata(first, layout(release, first)).topics {
            let in_sync = topic.partitions.iter().map(|partition| &partition.isr);
            let assignment: Vec<Vec<BrokerId>> = in_sync
                .map(|isr| isr.iter().copied().map(BrokerId).collect())
                .collect();
            let min_insync_replicas = if topic.name == "isr3" { 3 } else { 1 };
            let config = TopicConfig {
                min_insync_replicas,
                ..TopicConfig::default()
            };
            stage
                .cluster
                .create_topic_at(&topic.name, config, &assignment);
        }
        stage
    }

    fn of(release: Release, cluster: Cluster) -> Self {
        Self {
            release,
            cluster,
            script: String::new(),
            peers: BTreeMap::new(),
            answers: BTreeMap::new(),
            names: BTreeMap::new(),
            unnamed: PRODUCED.into(),
        }
    }

    /// How many answers no step has taken.
    pub(super) fn untaken(&self) -> usize {
        self.answers.values().map(VecDeque::len).sum()
    }

    /// How many records are in the logs.
    pub(super) fn record_count(&self) -> u64 {
        let logs = self.cluster.logs();
        logs.map(|(_, _, log)| log.record_count()).sum()
    }

    /// Sends these bytes on a connection of their own.
    pub(super) fn send_apart(&mut self, bytes: &[u8]) {
        let peer = self.cluster.connect(BrokerId(1)).expect("it is up");
        self.cluster.receive(Instant::ZERO, peer, bytes);
        while self.cluster.poll_output().is_some() {}
    }

    /// Before the first step of a script.
    fn begin(&mut self, script: &str) {
        script.clone_into(&mut self.script);
        self.answers.clear();
        self.peers.clear();
        match script {
            "produce" => self.create_topics(),
            "idempotence" => self.unnamed.push_back("idem13"),
            // Made by the script find-coordinator, and seen by brokers without Metadata v1.
            "framing" if self.release < (0, 10, 0) => {
                self.cluster.create_topic("__consumer_offsets", 5);
            }
            _ => {}
        }
    }

    fn create_topics(&mut self) {
        let produce = titorelli_sim::codec::ApiRange::of_release(self.release)[0];
        assert_eq!(produce.api_key, ApiKey::Produce.to_wire());
        for version in 0..=produce.version_max {
            self.cluster.create_topic(&format!("prod{version}"), 3);
            if version >= 3 {
                self.cluster.create_topic(&format!("idem{version}"), 10);
            }
        }
        let plain = TopicConfig {
            partitions: 14,
            ..TopicConfig::default()
        };
        let mut create = |name: &str, config| self.cluster.create_topic_with(name, config);
        create("prodx", plain);
        let max_message_bytes = 512;
        create(
            "small",
            TopicConfig {
                max_message_bytes,
                ..plain
            },
        );
        create(
            "compact",
            TopicConfig {
                compacted: true,
                ..plain
            },
        );
        if self.release >= (0, 10, 0) {
            create(
                "late",
                TopicConfig {
                    log_append_time: true,
                    ..plain
                },
            );
            let timestamp_after_max = Some(Duration::from_secs(1_000_000_000));
            create(
                "ts",
                TopicConfig {
                    timestamp_after_max,
                    ..plain
                },
            );
        }
        if self.release >= (0, 11, 0) {
            create("txn", plain);
        }
    }

    /// Holds one step: what the recorded broker did, and what the cluster does.
    pub(super) fn hold(&mut self, step: &Step) -> (String, String) {
        if step.script != self.script {
            self.begin(&step.script);
        }
        self.learn(step);
        let told = |answer: &[u8], name_of: &dyn Fn(&[u8; 16]) -> String| {
            let version = layout(self.release, step);
            fate(&step.api, version, answer, name_of)
                .unwrap_or_else(|why| format!("unreadable: {why}"))
        };
        let recorded_name = |id: &[u8; 16]| self.names.get(id).cloned();
        let recorded = match &step.response {
            Some(answer) => told(answer, &|id| {
                recorded_name(id).unwrap_or_else(|| format!("{id:x?}"))
            }),
            None if step.is_closed => "closed".to_owned(),
            None => "silent".to_owned(),
        };
        let answer = self.exchange(step);
        let told = |answer: &[u8]| {
            let name_of = |id: &[u8; 16]| {
                let name = self.cluster.topic_name(id);
                name.map_or_else(|| format!("{id:x?}"), str::to_owned)
            };
            let version = layout(self.release, step);
            fate(&step.api, version, answer, &name_of)
                .unwrap_or_else(|why| format!("unreadable: {why}"))
        };
        let found = match answer {
            Ok(answer) => told(&answer),
            Err(reaction) => reaction.to_owned(),
        };
        (recorded, found)
    }

    /// An answer, or what there is instead of one.
    fn exchange(&mut self, step: &Step) -> Result<Vec<u8>, &'static str> {
        let cluster = &mut self.cluster;
        let peer = *self
            .peers
            .entry(step.connection.clone())
            .or_insert_with(|| cluster.connect(BrokerId(step.node)).expect("it is up"));
        if step.note == "from the killed leader" {
            cluster.set_down(BrokerId(step.node));
        }
        let request = self.translated(step);
        self.cluster.receive(Instant::ZERO, peer, &request);
        while let Some(output) = self.cluster.poll_output() {
            if let ClusterOutput::Transmit { peer, bytes } = output {
                let answers = self.answers.entry(peer).or_default();
                answers.push_back(bytes.to_vec());
            }
        }
        if step.note.ends_with("FIN") {
            self.cluster.disconnected(peer);
        }
        let answer = self.answers.entry(peer).or_default().pop_front();
        let is_open = self.cluster.broker_of(peer).is_some();
        answer.ok_or(if is_open { "silent" } else { "closed" })
    }

    /// Remembers which topics the recorded ids are of.
    fn learn(&mut self, step: &Step) {
        let is_answered = step.response.is_some();
        if step.api == "Metadata" && is_answered && layout(self.release, step) >= 10 {
            for topic in metadata(step, step.version).topics {
                if !NO_TOPICS.contains(&topic.id) && !topic.partitions.is_empty() {
                    self.names.insert(topic.id, topic.name);
                }
            }
        }
        if step.api != "Produce" || step.version != 13 || step.request.is_empty() {
            return;
        }
        let length = i32::from_be_bytes(*step.request.first_chunk().expect("a length"));
        let end = usize::try_from(length).expect("a length") + 4;
        let frame = bytes::Bytes::copy_from_slice(&step.request[4..end]);
        let request = decode_request(&frame, ApiKey::Produce, 13).expect("readable");
        let Request::Produce(request) = request else {
            panic!("a Produce request");
        };
        for topic in request.topics {
            let TopicName::Id(id) = topic.topic else {
                panic!("v13 names topics by id");
            };
            if !NO_TOPICS.contains(&id) && !self.names.contains_key(&id) {
                let name = self.unnamed.pop_front().expect("a topic of the scripts");
                self.names.insert(id, name.to_owned());
            }
        }
    }

    /// The request with the cluster's topic ids in the places of the recorded ones.
    fn translated(&self, step: &Step) -> Vec<u8> {
        let mut request = step.request.clone();
        for (recorded, name) in &self.names {
            let Some(id) = self.cluster.topic_id(name) else {
                continue;
            };
            for at in 0..request.len().saturating_sub(15) {
                if request[at..at + 16] == recorded[..] {
                    request[at..at + 16].copy_from_slice(&id);
                }
            }
        }
        request
    }
}

/// The version whose layout an answer has: before 0.10 the newest at most.
pub(super) fn layout(release: Release, step: &Step) -> i16 {
    let newest = match (release, step.api.as_str()) {
        ((0, 8, _), _) | ((0, 9, _), "Metadata") => 0,
        ((0, 9, _), _) => 1,
        _ => return step.version,
    };
    step.version.clamp(0, newest)
}

/// The Metadata answer of a step.
pub(super) fn metadata(step: &Step, version: i16) -> Metadata {
    let answer = step.response.as_ref().expect("an answer");
    let mut reader = Reader::new(answer);
    reader.take(8).expect("a header");
    reader.set_flexible(version >= 9);
    reader.tags().expect("a header");
    Metadata::read(&mut reader, version, &|_| String::new()).expect("readable")
}
