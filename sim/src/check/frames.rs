//! S5: what the producer sends is whole frames that an independent decoder reads.

use bytes::Bytes;

use crate::cluster::ClusterEvent;
use crate::codec::{
    ApiKey, Codec, ProducePartition, Request, RequestHeader, decode_request, error_code,
    first_batch, messages, request_header,
};

/// More than any message set of a run inflates to.
const SET_BYTES_MAX: usize = 64 << 20;
/// Where a batch's own checksum is; what is before it does not count.
const CRC_AT: usize = 17;
/// Answers that say: these bytes are wrong.
const MALFORMED: [i16; 5] = [
    error_code::UNKNOWN_SERVER_ERROR,
    error_code::CORRUPT_MESSAGE,
    error_code::INVALID_REQUIRED_ACKS,
    error_code::UNSUPPORTED_COMPRESSION_TYPE,
    error_code::INVALID_RECORD,
];

/// A whole request of the producer, without its length.
///
/// # Panics
/// It is none.
pub(crate) fn read_request(frame: &Bytes) -> (RequestHeader, ApiKey, Request) {
    let header = request_header(frame).expect("S5: a request has a header");
    let api = ApiKey::from_wire(header.api_key).expect("S5: a known API");
    let request = decode_request(frame, api, header.api_version)
        .expect("S5: an independent decoder reads every request");
    (header, api, request)
}

/// What a produce request carries for a partition.
#[derive(Debug)]
pub(crate) struct ReadBatch {
    /// The records as they travel.
    pub(crate) records: Bytes,
    pub(crate) record_count: usize,
    /// The sequence number of an idempotent batch's first record.
    pub(crate) base_sequence: Option<i32>,
    /// Producer id and epoch of an idempotent batch.
    pub(crate) producer: Option<(i64, i16)>,
    /// How the records are compressed; of a message set that is inside of it.
    pub(crate) codec: Codec,
    /// That of the whole batch, from its own checksum on.
    pub(crate) checksum: u32,
}

/// The batch, or the message set, that a produce request carries for a partition.
///
/// # Panics
/// There is none.
pub(crate) fn read_batch(item: &ProducePartition) -> ReadBatch {
    let records = item.records.as_ref().expect("S5: a batch is never null");
    let (batch, _) = first_batch(records)
        .ok()
        .flatten()
        .expect("S5: an independent decoder reads every batch");
    if batch.magic < 2 {
        return ReadBatch {
            records: records.clone(),
            record_count: message_count(records),
            base_sequence: None,
            producer: None,
            codec: Codec::None,
            checksum: 0,
        };
    }
    ReadBatch {
        record_count: usize::try_from(batch.record_count).expect("S5: a batch has records"),
        base_sequence: Some(batch.base_sequence).filter(|sequence| *sequence >= 0),
        producer: (batch.producer_id >= 0).then_some((batch.producer_id, batch.producer_epoch)),
        codec: batch.codec().expect("S5: a codec that there is"),
        checksum: crc32c::crc32c(&records[CRC_AT..]),
        records: batch.records,
    }
}

fn message_count(set: &Bytes) -> usize {
    let outer = messages(set).expect("S5: an independent decoder reads every message set");
    match outer.as_slice() {
        [wrapper] if wrapper.codec() != Some(Codec::None) => {
            let inner = wrapper.unwrap(SET_BYTES_MAX);
            inner.expect("S5: and what is in its wrapper").len()
        }
        plain => plain.len(),
    }
}

/// S5: the cluster's own decoder finds nothing wrong with what the producer sends.
///
/// # Panics
/// It does.
pub(crate) fn judgement(event: &ClusterEvent) {
    match event {
        ClusterEvent::Handled { batches, .. } => {
            for batch in batches.iter().filter(|batch| !batch.is_scripted) {
                let code = batch.error_code;
                assert!(
                    !MALFORMED.contains(&code),
                    "S5: {} for {batch:?}",
                    error_code::name(code)
                );
            }
        }
        ClusterEvent::Lost { .. } => {}
        ClusterEvent::Closed {
            reason, is_fault, ..
        } => {
            assert!(is_fault, "S5: the broker closes the connection: {reason}");
        }
    }
}
