//! S5: what the producer sends is whole frames that an independent decoder reads.

use bytes::Bytes;

use crate::codec::{
    ApiKey, BatchHeader, ProducePartition, Request, RequestHeader, decode_request, first_batch,
    request_header,
};

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

/// The batch that a produce request carries for a partition.
///
/// # Panics
/// There is none.
pub(crate) fn read_batch(item: &ProducePartition) -> BatchHeader {
    let records = item.records.as_ref().expect("S5: a batch is never null");
    let (batch, _) = first_batch(records)
        .ok()
        .flatten()
        .expect("S5: an independent decoder reads every batch");
    batch
}
