//! Conversations with a real Kafka broker, held again with the cluster: the same bytes must meet
//! the same fate.
//!
//! Compared are, per partition: error code, base offset, log start offset, whether a log append
//! time is set, which records are blamed, and whether there is a message. The order of the answers
//! (hash order in Kafka) and the words of the messages are not.

use core::time::Duration;
use std::collections::BTreeMap;

use titorelli::Instant;
use titorelli_sim::cluster::{
    BrokerId, Cluster, ClusterConfig, ClusterOutput, PeerId, TopicConfig,
};
use titorelli_sim::codec::{Malformed, Reader};

/// Connection, version, step, request, answer; separated by tabs.
const CONVERSATIONS: &str = include_str!("../data/kafka-4.4.0-produce.tsv");
/// The versions in it.
const VERSIONS: [i16; 5] = [2, 3, 7, 9, 12];

/// What became of one partition's batch.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fate {
    topic: String,
    partition: i32,
    error_code: i16,
    base_offset: i64,
    is_stamped: bool,
    log_start_offset: Option<i64>,
    blamed: Vec<i32>,
    has_message: bool,
}

/// Reads a whole answer, length included, to its last byte.
fn fates(answer: &[u8], version: i16) -> Result<Vec<Fate>, Malformed> {
    let mut reader = Reader::new(answer);
    reader.take(8)?;
    reader.set_flexible(version >= 9);
    reader.tags()?;
    let mut fates = Vec::new();
    for _ in 0..reader.count(1)? {
        let topic = reader.string()?.to_owned();
        for _ in 0..reader.count(1)? {
            fates.push(fate(&mut reader, topic.clone(), version)?);
        }
        reader.tags()?;
    }
    assert_eq!(reader.i32()?, 0, "nobody is throttled");
    reader.tags()?;
    assert!(reader.is_empty(), "the answer is read to its last byte");
    fates.sort();
    Ok(fates)
}

fn fate(reader: &mut Reader<'_>, topic: String, version: i16) -> Result<Fate, Malformed> {
    let mut fate = Fate {
        topic,
        partition: reader.i32()?,
        error_code: reader.i16()?,
        base_offset: reader.i64()?,
        is_stamped: reader.i64()? >= 0,
        log_start_offset: None,
        blamed: Vec::new(),
        has_message: false,
    };
    if version >= 5 {
        fate.log_start_offset = Some(reader.i64()?);
    }
    if version >= 8 {
        for _ in 0..reader.count(1)? {
            fate.blamed.push(reader.i32()?);
            reader.nullable_string()?;
            reader.tags()?;
        }
        fate.has_message = reader.nullable_string()?.is_some();
    }
    reader.tags()?;
    Ok(fate)
}

/// The cluster and topics of the conversations.
fn cluster() -> Cluster {
    let mut cluster = Cluster::new(ClusterConfig::with_brokers(1));
    let topic = |partitions| TopicConfig {
        partitions,
        ..TopicConfig::default()
    };
    for version in VERSIONS {
        cluster.create_topic(&format!("prod{version}"), 3);
        cluster.create_topic(&format!("idem{version}"), 10);
    }
    cluster.create_topic("prodx", 14);
    cluster.create_topic("txn", 14);
    cluster.create_topic_with(
        "small",
        TopicConfig {
            max_message_bytes: 512,
            ..topic(14)
        },
    );
    cluster.create_topic_with(
        "compact",
        TopicConfig {
            compacted: true,
            ..topic(14)
        },
    );
    cluster.create_topic_with(
        "late",
        TopicConfig {
            log_append_time: true,
            ..topic(14)
        },
    );
    let timestamp_after_max = Some(Duration::from_secs(3_600));
    cluster.create_topic_with(
        "ts",
        TopicConfig {
            timestamp_after_max,
            ..topic(14)
        },
    );
    cluster
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits: Vec<char> = hexadecimal.chars().collect();
    let byte = |pair: &[char]| {
        let digit = |digit: char| digit.to_digit(16).expect("a hexadecimal digit");
        u8::try_from(digit(pair[0]) * 16 + digit(pair[1])).expect("a byte")
    };
    digits.chunks_exact(2).map(byte).collect()
}

/// How the cluster reacts: an answer, a closed connection, or silence.
fn react(cluster: &mut Cluster, peer: PeerId, request: &[u8], version: i16) -> String {
    cluster.receive(Instant::ZERO, peer, request);
    let output = cluster.poll_output();
    assert_eq!(cluster.poll_output(), None, "one request, one reaction");
    match output {
        None => "silent".to_owned(),
        Some(ClusterOutput::Close(_)) => "closed".to_owned(),
        Some(ClusterOutput::Transmit { bytes, .. }) => {
            format!("{:?}", fates(&bytes, version).expect("readable"))
        }
    }
}

#[test]
fn every_batch_meets_the_fate_that_kafka_had_for_it() {
    let mut cluster = cluster();
    let mut peers: BTreeMap<&str, PeerId> = BTreeMap::new();
    let mut steps = 0;
    for line in CONVERSATIONS.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [connection, version, step, request, answer] = fields[..] else {
            panic!("five fields: {line}");
        };
        let version: i16 = version.parse().expect("a version");
        let peer = *peers
            .entry(connection)
            .or_insert_with(|| cluster.connect(BrokerId(1)).expect("it is up"));
        let expected = match answer {
            "closed" | "silent" => answer.to_owned(),
            answer => format!("{:?}", fates(&bytes(answer), version).expect("readable")),
        };
        let found = react(&mut cluster, peer, &bytes(request), version);
        assert_eq!(found, expected, "Produce v{version}: {step}");
        steps += 1;
    }
    assert!(steps > 400, "{steps} steps");
}
