//! `InitProducerId`: the identity under which batches are written once (KIP-98, KIP-360).

use bytes::Bytes;

use super::api_key::ApiKey;
use super::error_code::ErrorCode;
use super::frame::{self, RequestHead};
use super::primitives::DecodeError;

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The transactional id, `None` outside transactions: then any broker gives a new producer id.
    pub transactional_id: Option<&'a str>,
    /// After how long the coordinator ends a transaction that nobody goes on with, in milliseconds;
    /// nobody looks at it outside transactions.
    pub transaction_timeout_ms: i32,
    /// The producer id whose epoch shall be raised (v3+, KIP-360), or -1.
    pub producer_id: i64,
    /// Its epoch (v3+), or -1.
    pub producer_epoch: i16,
}

/// A broker's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// For how long the broker mutes this connection, in milliseconds.
    pub throttle_time_ms: i32,
    /// `NONE`, or why there is no id.
    pub error: ErrorCode,
    /// The producer id; -1 on error.
    pub producer_id: i64,
    /// Its epoch; -1 on error.
    pub producer_epoch: i16,
}

/// The request as a frame.
///
/// # Panics
/// At a version outside [`ApiKey::supported`], or on a string of more than 32,767 bytes.
#[must_use]
pub fn encode_request(version: i16, head: &RequestHead<'_>, request: &Request<'_>) -> Bytes {
    let mut w = frame::request(ApiKey::InitProducerId, version, head);
    w.nullable_string(request.transactional_id);
    w.i32(request.transaction_timeout_ms);
    if version >= 3 {
        w.i64(request.producer_id);
        w.i16(request.producer_epoch);
    }
    w.no_tags();
    w.finish(0)
}

/// The answer to a request of this version.
///
/// # Errors
/// When the frame is not such an answer.
///
/// # Panics
/// At a version outside [`ApiKey::supported`].
pub fn decode_response(version: i16, frame: &[u8]) -> Result<Response, DecodeError> {
    let mut r = frame::response(ApiKey::InitProducerId, version, frame)?;
    let response = Response {
        throttle_time_ms: r.i32("throttle_time_ms")?,
        error: ErrorCode(r.i16("error_code")?),
        producer_id: r.i64("producer_id")?,
        producer_epoch: r.i16("producer_epoch")?,
    };
    r.skip_tags("InitProducerIdResponse")?;
    r.end("InitProducerIdResponse")?;
    Ok(response)
}
