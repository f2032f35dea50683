//! The codec against independent witnesses: another implementation, Kafka's schemas, real brokers.

#![expect(
    clippy::unwrap_used,
    reason = "what the tests share panics as the tests do"
)]

mod corpus;
mod hostile;
mod json;
mod message_sets;
mod oracle_requests;
mod oracle_responses;
mod records;
mod schema;
mod snapshots;
mod told;

use bytes::Bytes;
use titorelli::wire::{RequestHead, produce};

/// The chunks of a Produce request, side by side.
fn produce_frame(version: i16, head: &RequestHead<'_>, request: &produce::Request<'_>) -> Vec<u8> {
    let mut chunks: Vec<Bytes> = Vec::new();
    produce::encode_request(version, head, request, &mut chunks);
    assert!(
        chunks.iter().all(|chunk| !chunk.is_empty()),
        "no chunk is empty"
    );
    chunks.concat()
}
