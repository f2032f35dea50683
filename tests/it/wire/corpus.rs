//! What real brokers answered, and what a hand-made client asked them: twelve releases.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read as _;

use bytes::Bytes;
use serde_json::Value;
use titorelli::wire::record_batch::{self, Sequence, Stamp};
use titorelli::wire::{
    ApiKey, Codec, DecodeError, Format, Front, RequestHead, Uuid, api_versions, init_producer_id,
    metadata, produce,
};

use super::json::{assert_covers, of_api_versions, of_init_producer_id, of_metadata, of_produce};
use super::produce_frame;
use super::records::{encode, read_records};
use super::schema::{Request, Schemas, unhex};

macro_rules! releases {
    ($($release:literal)*) => {
        [$((
            $release,
            include_bytes!(concat!("../../data/corpus/", $release, ".jsonl.gz")).as_slice(),
        )),*]
    };
}

const RELEASES: [(&str, &[u8]); 12] = releases!(
    "0.8.2.2" "0.9.0.1" "0.10.0.1" "0.10.2.2" "0.11.0.3" "1.1.1" "2.0.1" "2.8.2" "3.9.2" "4.1.0"
    "4.3.1" "4.4.0"
);

/// One step of a conversation; frames with their length prefix, empty when there is none.
pub(super) struct Step {
    pub(super) release: &'static str,
    script: String,
    note: String,
    pub(super) number: u64,
    pub(super) api: String,
    pub(super) version: i16,
    /// Malformed on purpose.
    raw: bool,
    request: Vec<u8>,
    pub(super) response: Vec<u8>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            release,
            script,
            note,
            number,
            api,
            version,
            ..
        } = self;
        write!(f, "{release} {script} {number}: {api} v{version}, {note}")
    }
}

impl Step {
    fn key(&self) -> Option<ApiKey> {
        ApiKey::ALL.into_iter().find(|api| api.name() == self.api)
    }

    /// Of an API and version that we speak.
    pub(super) fn is_ours(&self) -> bool {
        self.key()
            .is_some_and(|api| api.supported().contains(self.version))
    }

    /// Answered with `UNSUPPORTED_VERSION`, behind which anything may come.
    pub(super) fn is_refused_version(&self) -> bool {
        self.api == "ApiVersions" && self.response.get(8..10) == Some(&[0, 35])
    }

    /// Brokers before 0.10 do not look at the version, and answer as the highest they know.
    fn is_answered_in_another_layout(&self) -> bool {
        let produce_max = match self.release {
            "0.8.2.2" => 0,
            "0.9.0.1" => 1,
            _ => return false,
        };
        (self.api == "Metadata" && self.version > 0)
            || (self.api == "Produce" && self.version > produce_max)
    }

    /// A Produce request that is not malformed on purpose.
    pub(super) fn is_produce(&self) -> bool {
        self.api == "Produce" && self.is_ours() && !self.raw && !self.request.is_empty()
    }

    /// The records of every partition of a Produce request.
    pub(super) fn record_sections(&self, schemas: &Schemas) -> Vec<Vec<u8>> {
        let request = schemas.request(&self.request[4..]).unwrap();
        let topics = request.body["TopicData"].as_array().unwrap();
        let partitions = topics
            .iter()
            .flat_map(|topic| topic["PartitionData"].as_array().unwrap());
        let sections = partitions.filter_map(|partition| partition["Records"].as_str());
        sections.map(unhex).collect()
    }

    /// Our decoder's answer, by the names of the schemas. The frame comes without its length.
    pub(super) fn decode_ours(&self, frame: &[u8]) -> Result<Value, DecodeError> {
        let version = self.version;
        Ok(match self.key().unwrap() {
            ApiKey::ApiVersions => of_api_versions(&api_versions::decode_response(version, frame)?),
            ApiKey::Metadata => of_metadata(&metadata::decode_response(version, frame)?),
            ApiKey::Produce => of_produce(&produce::decode_response(version, frame)?),
            ApiKey::InitProducerId => {
                of_init_producer_id(&init_producer_id::decode_response(version, frame)?)
            }
        })
    }
}

pub(super) fn steps() -> impl Iterator<Item = Step> {
    RELEASES.into_iter().flat_map(|(release, gzipped)| {
        let mut lines = String::new();
        flate2::read::GzDecoder::new(gzipped)
            .read_to_string(&mut lines)
            .unwrap();
        let step = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            Step {
                release,
                script: text("script"),
                note: text("note"),
                number: line["step"].as_u64().unwrap(),
                api: text("api"),
                version: i16::try_from(line["version"].as_i64().unwrap()).unwrap(),
                raw: !matches!(line["raw"], Value::Null | Value::Bool(false)),
                request: unhex(&text("request_hex")),
                response: unhex(&text("response_hex")),
            }
        };
        lines.lines().map(step).collect::<Vec<Step>>()
    })
}

/// Every step that a broker answered, and not in the layout of another version.
pub(super) fn answers() -> impl Iterator<Item = Step> {
    steps().filter(|step| !step.response.is_empty() && !step.is_answered_in_another_layout())
}

#[test]
fn every_answer_of_every_release_decodes_to_its_last_byte() {
    let schemas = Schemas::of_kafka();
    let mut seen = BTreeMap::new();
    for answer in answers().filter(Step::is_ours) {
        let frame = &answer.response[4..];
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        assert_eq!(answer.response[..4], length, "{answer}: one frame");
        let theirs = schemas
            .response(&answer.api, answer.version, frame)
            .unwrap_or_else(|why| panic!("{answer}: the schemas cannot read it: {why}"));
        let ours = answer
            .decode_ours(frame)
            .unwrap_or_else(|why| panic!("{answer}: {why}"));
        assert_covers(&ours, &theirs, &answer.to_string());
        *seen
            .entry((answer.api.clone(), answer.version))
            .or_insert(0) += 1;
    }
    for api in ApiKey::ALL {
        for version in api.supported().min..=api.supported().max {
            let count = seen
                .get(&(api.name().to_owned(), version))
                .copied()
                .unwrap_or(0);
            assert!(count >= 5, "only {count} answers to {api} v{version}");
        }
    }
    let total: usize = seen.values().sum();
    assert!(total >= FLOOR_ANSWERS, "{total} answers decoded");
}

/// Why a request of the corpus is not one that our encoder makes.
type Reason = &'static str;

/// Encodes with ours what the schemas read in a request.
fn reencode(request: &Request) -> Result<Vec<u8>, Reason> {
    let head = RequestHead {
        correlation_id: request.correlation_id,
        client_id: request.client_id.as_deref(),
    };
    let body = &request.body;
    let text = |name: &str| body[name].as_str().unwrap_or_default();
    match request.api.as_str() {
        "ApiVersions" => Ok(api_versions::encode_request(
            request.version,
            &head,
            text("ClientSoftwareName"),
            text("ClientSoftwareVersion"),
        )
        .to_vec()),
        "Metadata" => reencode_metadata(request.version, &head, body),
        "InitProducerId" => Ok(reencode_init_producer_id(request.version, &head, body)),
        _ => reencode_produce(request.version, &head, body),
    }
}

fn reencode_init_producer_id(version: i16, head: &RequestHead<'_>, body: &Value) -> Vec<u8> {
    let int = |name: &str| body[name].as_i64();
    let request = init_producer_id::Request {
        transactional_id: body["TransactionalId"].as_str(),
        transaction_timeout_ms: i32::try_from(int("TransactionTimeoutMs").unwrap()).unwrap(),
        producer_id: int("ProducerId").unwrap_or(-1),
        producer_epoch: i16::try_from(int("ProducerEpoch").unwrap_or(-1)).unwrap(),
    };
    init_producer_id::encode_request(version, head, &request).to_vec()
}

fn reencode_metadata(
    version: i16,
    head: &RequestHead<'_>,
    body: &Value,
) -> Result<Vec<u8>, Reason> {
    let asks = |name: &str| body[name] == Value::Bool(true);
    if asks("IncludeClusterAuthorizedOperations") || asks("IncludeTopicAuthorizedOperations") {
        return Err("asks for authorized operations");
    }
    let topics: Option<Vec<&str>> = match body["Topics"].as_array() {
        None => None,
        Some(topics) => Some(
            topics
                .iter()
                .map(|topic| match (&topic["Name"], &topic["TopicId"]) {
                    (Value::Null, _) => Err("asks by topic id"),
                    (_, Value::String(id)) if id.chars().any(|digit| digit != '0') => {
                        Err("asks by topic id")
                    }
                    (name, _) => Ok(name.as_str().unwrap()),
                })
                .collect::<Result<Vec<&str>, Reason>>()?,
        ),
    };
    let allow = body["AllowAutoTopicCreation"].as_bool().unwrap_or(true);
    Ok(metadata::encode_request(version, head, topics.as_deref(), allow).to_vec())
}

fn reencode_produce(version: i16, head: &RequestHead<'_>, body: &Value) -> Result<Vec<u8>, Reason> {
    let int = |value: &Value| i32::try_from(value.as_i64().unwrap()).unwrap();
    let topics = body["TopicData"].as_array().unwrap();
    let mut partitions: Vec<Vec<produce::Partition>> = vec![];
    for topic in topics {
        let of_topic = topic["PartitionData"]
            .as_array()
            .unwrap()
            .iter()
            .map(|partition| {
                let records = partition["Records"].as_str().ok_or("null records")?;
                let records = unhex(records);
                let index = int(&partition["Index"]);
                if Format::of_produce(version) < Format::V2 {
                    return Ok(produce::Partition {
                        index,
                        front: Front::NONE,
                        body: Bytes::from(records),
                    });
                }
                // The records as given: good or bad, whole or cut, one batch or several.
                let (header, body) = records
                    .split_first_chunk::<{ record_batch::HEADER_BYTES }>()
                    .ok_or("less than a batch header")?;
                Ok(produce::Partition {
                    index,
                    front: (*header).into(),
                    body: Bytes::copy_from_slice(body),
                })
            });
        partitions.push(of_topic.collect::<Result<Vec<_>, Reason>>()?);
    }
    let borrowed: Vec<produce::Topic<'_>> = topics
        .iter()
        .zip(&partitions)
        .map(|(topic, partitions)| produce::Topic {
            name: topic["Name"].as_str().unwrap_or_default(),
            id: Uuid(match topic["TopicId"].as_str() {
                None => [0; 16],
                Some(id) => unhex(id).try_into().unwrap(),
            }),
            partitions,
        })
        .collect();
    let request = produce::Request {
        transactional_id: body["TransactionalId"].as_str(),
        acks: i16::try_from(int(&body["Acks"])).unwrap(),
        timeout_ms: int(&body["TimeoutMs"]),
        topics: &borrowed,
    };
    Ok(produce_frame(version, head, &request))
}

#[test]
fn our_requests_equal_a_hand_made_clients_byte_for_byte() {
    let schemas = Schemas::of_kafka();
    let mut equal: BTreeMap<(String, i16), usize> = BTreeMap::new();
    let mut excluded: BTreeMap<Reason, usize> = BTreeMap::new();
    for step in steps().filter(|step| step.is_ours() && !step.request.is_empty()) {
        let reencoded = if step.raw {
            Err("malformed on purpose")
        } else {
            let request = schemas.request(&step.request[4..]);
            reencode(&request.unwrap_or_else(|why| panic!("{step}: {why}")))
        };
        match reencoded {
            Ok(ours) => {
                assert_eq!(ours, step.request, "{step}");
                *equal.entry((step.api.clone(), step.version)).or_insert(0) += 1;
            }
            Err(reason) => *excluded.entry(reason).or_insert(0) += 1,
        }
    }
    for api in ApiKey::ALL {
        for version in api.supported().min..=api.supported().max {
            let count = equal
                .get(&(api.name().to_owned(), version))
                .copied()
                .unwrap_or(0);
            assert!(count >= 5, "only {count} requests of {api} v{version}");
        }
    }
    let total: usize = equal.values().sum();
    assert!(total >= FLOOR_REQUESTS, "{total} requests equal");
    let expected: BTreeMap<Reason, usize> = EXCLUDED_REQUESTS.into_iter().collect();
    assert_eq!(excluded, expected, "{total} are equal");
}

/// The single, uncompressed, intact batch of such bytes: its stamp and its body.
fn intact_batch(records: &[u8]) -> Result<(Stamp, &[u8]), Reason> {
    let int = |at: usize, size: usize| {
        records[at..at + size]
            .iter()
            .fold(0_u64, |int, byte| int << 8 | u64::from(*byte))
    };
    if records.len() < record_batch::HEADER_BYTES {
        return Err("less than a batch header");
    }
    let body = &records[record_batch::HEADER_BYTES..];
    let attributes = int(21, 2);
    let codec = Codec::ALL
        .into_iter()
        .find(|codec| u64::from(codec.id()) == attributes & 7);
    let rules = [
        (records[16] == 2, "another magic"),
        (
            int(8, 4) == (records.len() - 12) as u64,
            "a wrong length, or several batches",
        ),
        (
            int(17, 4) == u64::from(crc32c::crc32c(&records[21..])),
            "a wrong checksum",
        ),
        (int(0, 8) == 0, "a base offset"),
        (int(12, 4) == 0xffff_ffff, "a leader epoch"),
        (
            codec.is_some() && attributes & !0x17 == 0,
            "other attributes",
        ),
        (
            int(57, 4) > 0 && int(23, 4) + 1 == int(57, 4),
            "a wrong count or last offset",
        ),
    ];
    if let Some((_, reason)) = rules.into_iter().find(|(holds, _)| !holds) {
        return Err(reason);
    }
    let stamp = Stamp {
        codec: codec.unwrap(),
        record_count: u32::try_from(int(57, 4)).unwrap(),
        base_timestamp: int(27, 8).cast_signed(),
        max_timestamp: int(35, 8).cast_signed(),
        sequence: Sequence {
            producer_id: int(43, 8).cast_signed(),
            producer_epoch: u16::try_from(int(51, 2)).unwrap().cast_signed(),
            base_sequence: u32::try_from(int(53, 4)).unwrap().cast_signed(),
        },
        is_transactional: attributes & 0x10 != 0,
    };
    Ok((stamp, body))
}

#[test]
fn our_batches_equal_a_hand_made_clients_byte_for_byte() {
    let schemas = Schemas::of_kafka();
    let (mut headers, mut bodies) = (0, 0);
    let mut excluded: BTreeMap<Reason, usize> = BTreeMap::new();
    for step in steps().filter(|step| step.is_produce() && step.version >= 3) {
        for records in step.record_sections(&schemas) {
            let (stamp, body) = match intact_batch(&records) {
                Ok(batch) => batch,
                Err(reason) => {
                    *excluded.entry(reason).or_insert(0) += 1;
                    continue;
                }
            };
            assert_eq!(
                record_batch::header(&stamp, body)[..],
                records[..61],
                "{step}"
            );
            headers += 1;
            if stamp.codec != Codec::None {
                continue; // Compressed by hand there, by libraries here.
            }
            let Some(owned) = read_records(body) else {
                *excluded.entry("malformed records").or_insert(0) += 1;
                continue;
            };
            let mut ours = vec![];
            for record in &owned {
                encode(&mut ours, record);
            }
            assert_eq!(ours, body, "{step}");
            bodies += 1;
        }
    }
    assert!(
        headers >= FLOOR_HEADERS && bodies >= FLOOR_BODIES,
        "{headers} {bodies}"
    );
    let expected: BTreeMap<Reason, usize> = EXCLUDED_BATCHES.into_iter().collect();
    assert_eq!(excluded, expected);
}

/// Answers of brokers to `ApiVersions` v0-4, Metadata v0-13, Produce v0-13.
const FLOOR_ANSWERS: usize = 9_000;
/// Requests of these versions that our encoder reproduces.
const FLOOR_REQUESTS: usize = 8_900;
/// Batch headers that our stamp reproduces, and uncompressed bodies that our records reproduce.
const FLOOR_HEADERS: usize = 5_000;
const FLOOR_BODIES: usize = 4_400;

/// Requests that our encoder never makes.
const EXCLUDED_REQUESTS: [(Reason, usize); 5] = [
    ("asks by topic id", 85),
    ("asks for authorized operations", 27),
    ("less than a batch header", 40),
    ("malformed on purpose", 202),
    ("null records", 64),
];
/// Batches that our encoder never makes: all but those with several are bad on purpose.
const EXCLUDED_BATCHES: [(Reason, usize); 9] = [
    ("a base offset", 80),
    ("a leader epoch", 40),
    ("a wrong checksum", 69),
    ("a wrong count or last offset", 320),
    ("a wrong length, or several batches", 229),
    ("another magic", 120),
    ("less than a batch header", 40),
    ("malformed records", 80),
    ("other attributes", 200),
];
