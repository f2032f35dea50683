//! A minimal client in bytes, so that the tests do not lean on any producer's encoder.

use bytes::Bytes;
use titorelli::Instant;
use titorelli_sim::cluster::{BrokerId, Cluster, ClusterConfig, ClusterOutput, PeerId};
use titorelli_sim::codec::Reader;

/// One batch to encode; `default` is one record "v" without a producer id.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) values: Vec<&'static [u8]>,
    pub(crate) codec: i16,
    pub(crate) producer: (i64, i16, i32),
    pub(crate) last_offset_delta: Option<i32>,
    pub(crate) count: Option<i32>,
    pub(crate) max_timestamp_ms: i64,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            values: vec![b"v"],
            codec: 0,
            producer: (-1, -1, -1),
            last_offset_delta: None,
            count: None,
            max_timestamp_ms: 1_000,
        }
    }
}

pub(crate) fn varint(out: &mut Vec<u8>, value: i32) {
    let mut raw = (value << 1 ^ value >> 31).cast_unsigned();
    while raw >= 0x80 {
        out.push(u8::try_from(raw & 0x7f).unwrap() | 0x80);
        raw >>= 7;
    }
    out.push(u8::try_from(raw).unwrap());
}

fn int(value: usize) -> i32 {
    i32::try_from(value).unwrap()
}

impl Batch {
    pub(crate) fn of(values: &[&'static [u8]]) -> Self {
        Self {
            values: values.to_vec(),
            ..Self::default()
        }
    }

    pub(crate) fn records(&self) -> Vec<u8> {
        let mut records = Vec::new();
        for (index, value) in self.values.iter().enumerate() {
            let mut body = vec![0, 0];
            varint(&mut body, int(index));
            varint(&mut body, -1);
            varint(&mut body, int(value.len()));
            body.extend_from_slice(value);
            varint(&mut body, 1);
            varint(&mut body, 1);
            body.push(b'h');
            varint(&mut body, -1);
            varint(&mut records, int(body.len()));
            records.extend_from_slice(&body);
        }
        records
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        self.encode_with(&self.records())
    }

    /// The batch with this (compressed) records section.
    pub(crate) fn encode_with(&self, records: &[u8]) -> Vec<u8> {
        let count = int(self.values.len());
        let (producer_id, epoch, sequence) = self.producer;
        let mut body = Vec::new();
        body.extend_from_slice(&self.codec.to_be_bytes());
        body.extend_from_slice(&self.last_offset_delta.unwrap_or(count - 1).to_be_bytes());
        body.extend_from_slice(&1_000_i64.to_be_bytes());
        body.extend_from_slice(&self.max_timestamp_ms.to_be_bytes());
        body.extend_from_slice(&producer_id.to_be_bytes());
        body.extend_from_slice(&epoch.to_be_bytes());
        body.extend_from_slice(&sequence.to_be_bytes());
        body.extend_from_slice(&self.count.unwrap_or(count).to_be_bytes());
        body.extend_from_slice(records);
        let mut batch = vec![0; 8];
        batch.extend_from_slice(&(int(body.len()) + 9).to_be_bytes());
        batch.extend_from_slice(&(-1_i32).to_be_bytes());
        batch.push(2);
        batch.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
        batch.extend_from_slice(&body);
        batch
    }
}

/// A request frame in the classic layout, client id null.
pub(crate) fn frame(api_key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut frame = (int(body.len()) + 10).to_be_bytes().to_vec();
    frame.extend_from_slice(&api_key.to_be_bytes());
    frame.extend_from_slice(&version.to_be_bytes());
    frame.extend_from_slice(&77_i32.to_be_bytes());
    frame.extend_from_slice(&(-1_i16).to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

/// Produce v7 of one batch to one partition.
pub(crate) fn produce(acks: i16, topic: &str, partition: i32, records: &[u8]) -> Vec<u8> {
    let mut body = (-1_i16).to_be_bytes().to_vec();
    body.extend_from_slice(&acks.to_be_bytes());
    body.extend_from_slice(&1_000_i32.to_be_bytes());
    body.extend_from_slice(&1_i32.to_be_bytes());
    body.extend_from_slice(&i16::try_from(topic.len()).unwrap().to_be_bytes());
    body.extend_from_slice(topic.as_bytes());
    body.extend_from_slice(&1_i32.to_be_bytes());
    body.extend_from_slice(&partition.to_be_bytes());
    body.extend_from_slice(&int(records.len()).to_be_bytes());
    body.extend_from_slice(records);
    frame(0, 7, &body)
}

/// Three brokers, topic `orders` with three partitions, and a connection to broker 1.
pub(crate) fn orders() -> (Cluster, PeerId) {
    orders_with(|_| {})
}

pub(crate) fn orders_with(change: impl FnOnce(&mut ClusterConfig)) -> (Cluster, PeerId) {
    let mut config = ClusterConfig::with_brokers(3);
    change(&mut config);
    let mut cluster = Cluster::new(config);
    cluster.create_topic("orders", 3);
    let peer = cluster.connect(BrokerId(1)).unwrap();
    (cluster, peer)
}

/// Sends whole bytes and takes the one answer, or `None` if there is none (closed or silent).
pub(crate) fn ask(cluster: &mut Cluster, peer: PeerId, request: &[u8]) -> Option<Bytes> {
    cluster.receive(Instant::ZERO, peer, request);
    match cluster.poll_output() {
        Some(ClusterOutput::Transmit { bytes, .. }) => Some(bytes),
        Some(ClusterOutput::Close(_)) | None => None,
    }
}

/// Error code and base offset of the answer to [`produce`].
#[track_caller]
pub(crate) fn produced(cluster: &mut Cluster, peer: PeerId, request: &[u8]) -> (i16, i64) {
    read_produced(&ask(cluster, peer, request).expect("an answer"))
}

/// Error code and base offset of one answer for one partition.
pub(crate) fn read_produced(answer: &[u8]) -> (i16, i64) {
    let mut reader = Reader::new(answer);
    reader.take(8).unwrap();
    assert_eq!(reader.count(1), Ok(1));
    reader.string().unwrap();
    assert_eq!(reader.count(1), Ok(1));
    reader.i32().unwrap();
    (reader.i16().unwrap(), reader.i64().unwrap())
}
