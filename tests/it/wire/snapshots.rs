//! Golden bytes: Produce requests in annotated hex; and the table of fields by version.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use bytes::Bytes;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    TopicProduceResponse,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, InitProducerIdResponse, MetadataResponse, ProduceResponse,
    TopicName,
};
use serde_json::Value;
use titorelli::wire::record_batch::{self, Sequence, Stamp};
use titorelli::wire::{
    ApiKey, Codec, RequestHead, Uuid, api_versions, init_producer_id, metadata, produce, record,
};

use super::json::{
    SKIPPED, assert_covers, of_api_versions, of_init_producer_id, of_metadata, of_produce,
};
use super::oracle_responses::frame;
use super::produce_frame;
use super::schema::{Mark, Schemas};
use crate::snapshots::check;

/// A batch of one record for each of these values, for this partition.
fn batch(index: i32, values: &[&str]) -> produce::Partition {
    let mut body = vec![];
    for (offset_delta, value) in (0..).zip(values) {
        record::encode(
            &mut body,
            offset_delta,
            0,
            None,
            Some(value.as_bytes()),
            &[],
        );
    }
    let stamp = Stamp {
        codec: Codec::None,
        record_count: u32::try_from(values.len()).unwrap(),
        base_timestamp: 1_700_000_000_000,
        max_timestamp: 1_700_000_000_000,
        sequence: Sequence {
            producer_id: 4_000,
            producer_epoch: 0,
            base_sequence: 0,
        },
        is_transactional: false,
    };
    let header = record_batch::header(&stamp, &body);
    produce::Partition {
        index,
        front: header.into(),
        body: Bytes::from(body),
    }
}

/// Two topics, the first with two partitions.
fn produce_two_topics(version: i16) -> Vec<u8> {
    let (orders, payments) = (
        [batch(0, &["a", "b"]), batch(2, &["c"])],
        [batch(1, &["d"])],
    );
    let topics = [
        produce::Topic {
            name: "orders",
            id: Uuid([0xaa; 16]),
            partitions: &orders,
        },
        produce::Topic {
            name: "payments",
            id: Uuid([0xbb; 16]),
            partitions: &payments,
        },
    ];
    let request = produce::Request {
        transactional_id: None,
        acks: -1,
        timeout_ms: 30_000,
        topics: &topics,
    };
    let head = RequestHead {
        correlation_id: 7,
        client_id: Some("joseph"),
    };
    produce_frame(version, &head, &request)
}

/// Sixteen bytes a line, each field on its own lines, with its name as Kafka's schemas have it.
fn annotated(frame: &[u8]) -> String {
    let marks = RefCell::default();
    Schemas::of_kafka()
        .marked_request(&frame[4..], &marks)
        .unwrap();
    let mut fields = vec![(0, 0, "length".to_owned())];
    fields.extend(
        marks
            .into_inner()
            .into_iter()
            .map(|(left, depth, label)| (frame.len() - left, depth, label)),
    );
    fields.push((frame.len(), 0, String::new()));
    let mut text = String::new();
    for pair in fields.windows(2) {
        let ((start, depth, label), (end, ..)) = (&pair[0], &pair[1]);
        for (line, bytes) in (0..).zip(frame[*start..*end].chunks(16)) {
            let at = start + line * 16;
            let hex: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let label = if line == 0 { label } else { "" };
            let row = format!(
                "{at:04x}  {:47}  {:indent$}{label}",
                hex.join(" "),
                "",
                indent = depth * 2
            );
            writeln!(text, "{}", row.trim_end()).unwrap();
        }
    }
    text
}

#[test]
fn produce_requests_have_golden_bytes() {
    for version in [3, 9, 13] {
        let text = annotated(&produce_two_topics(version));
        check(&format!("wire__produce_v{version}_two_topics"), &text);
    }
}

/// Fields by version: rows in the order of the bytes.
fn table(api: ApiKey, message: &str, fields: impl Fn(i16) -> Vec<String>) -> String {
    // The oracle that reads them knows Produce from its first version with record batches on.
    let least = if api == ApiKey::Produce { 3 } else { 0 };
    let versions: Vec<i16> = (least..=api.supported().max).collect();
    let columns: Vec<Vec<String>> = versions.iter().map(|version| fields(*version)).collect();
    let mut rows: Vec<String> = vec![];
    for column in columns.iter().rev() {
        let mut next = 0;
        for field in column {
            if let Some(at) = rows.iter().position(|row| row == field) {
                next = at + 1;
            } else {
                rows.insert(next, field.clone());
                next += 1;
            }
        }
    }
    let mut text = format!("{:40}", format!("{api} {message}"));
    for version in versions {
        write!(text, "{version:>3}").unwrap();
    }
    text.push('\n');
    for row in rows {
        let cells = columns
            .iter()
            .map(|column| if column.contains(&row) { "  x" } else { "  ." });
        writeln!(text, "  {row:38}{}", cells.collect::<String>()).unwrap();
    }
    text + "\n"
}

/// The names of marked fields, indented; each once.
fn names(marks: RefCell<Vec<Mark>>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let names = marks.into_inner().into_iter();
    names
        .map(|(_, depth, label)| format!("{}{label}", "  ".repeat(depth)))
        .filter(|field| seen.insert(field.clone()))
        .collect()
}

/// The fields of our request, as Kafka's schemas read them.
fn request_fields(frame: &[u8]) -> Vec<String> {
    let marks = RefCell::default();
    Schemas::of_kafka()
        .marked_request(&frame[4..], &marks)
        .unwrap();
    names(marks)
}

/// The fields of a response which our decoder reads as Kafka's schemas do.
fn response_fields(api: ApiKey, version: i16, frame: &[u8], ours: &Value) -> Vec<String> {
    let marks = RefCell::default();
    let theirs = Schemas::of_kafka()
        .marked_response(api.name(), version, frame, &marks)
        .unwrap();
    assert_covers(ours, &theirs, api.name());
    let is_read = |name: &String| {
        let name = name.trim_start();
        SKIPPED.iter().all(|skipped| !name.starts_with(skipped))
    };
    names(marks).into_iter().filter(is_read).collect()
}

fn api_versions_fields(version: i16) -> Vec<String> {
    let full = ApiVersionsResponse::default().with_api_keys(vec![ApiVersion::default()]);
    let frame = frame(1, version, &full);
    let ours = of_api_versions(&api_versions::decode_response(version, &frame).unwrap());
    response_fields(ApiKey::ApiVersions, version, &frame, &ours)
}

fn metadata_fields(version: i16) -> Vec<String> {
    let topic = MetadataResponseTopic::default()
        .with_name(Some(TopicName("topic".into())))
        .with_partitions(vec![MetadataResponsePartition::default()]);
    let full = MetadataResponse::default()
        .with_brokers(vec![MetadataResponseBroker::default()])
        .with_topics(vec![topic]);
    let frame = frame(1, version, &full);
    let ours = of_metadata(&metadata::decode_response(version, &frame).unwrap());
    response_fields(ApiKey::Metadata, version, &frame, &ours)
}

fn produce_fields(version: i16) -> Vec<String> {
    let mut partition = PartitionProduceResponse::default()
        .with_record_errors(vec![BatchIndexAndErrorMessage::default()]);
    let mut full = ProduceResponse::default();
    if version >= 10 {
        let leader = LeaderIdAndEpoch::default().with_leader_id(BrokerId(2));
        partition = partition.with_current_leader(leader);
        full = full.with_node_endpoints(vec![NodeEndpoint::default()]);
    }
    let topic = TopicProduceResponse::default().with_partition_responses(vec![partition]);
    let frame = frame(1, version, &full.with_responses(vec![topic]));
    let ours = of_produce(&produce::decode_response(version, &frame).unwrap());
    response_fields(ApiKey::Produce, version, &frame, &ours)
}

fn init_producer_id_fields(version: i16) -> Vec<String> {
    let frame = frame(1, version, &InitProducerIdResponse::default());
    let ours = of_init_producer_id(&init_producer_id::decode_response(version, &frame).unwrap());
    response_fields(ApiKey::InitProducerId, version, &frame, &ours)
}

#[test]
fn every_version_has_its_fields() {
    let head = RequestHead {
        correlation_id: 1,
        client_id: None,
    };
    let tables = [
        table(ApiKey::ApiVersions, "request", |version| {
            request_fields(&api_versions::encode_request(version, &head, "name", "1"))
        }),
        table(ApiKey::ApiVersions, "response", api_versions_fields),
        table(ApiKey::Metadata, "request", |version| {
            request_fields(&metadata::encode_request(
                version,
                &head,
                Some(&["topic"]),
                true,
            ))
        }),
        table(ApiKey::Metadata, "response", metadata_fields),
        table(ApiKey::Produce, "request", |version| {
            request_fields(&produce_two_topics(version))
        }),
        table(ApiKey::Produce, "response", produce_fields),
        table(ApiKey::InitProducerId, "request", |version| {
            let request = init_producer_id::Request {
                transactional_id: None,
                transaction_timeout_ms: 0,
                producer_id: -1,
                producer_epoch: -1,
            };
            request_fields(&init_producer_id::encode_request(version, &head, &request))
        }),
        table(ApiKey::InitProducerId, "response", init_producer_id_fields),
    ];
    check("table__wire_fields_by_version", tables.concat().trim_end());
}
