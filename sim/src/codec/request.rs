//! One frame to one request.

use bytes::Bytes;

use super::{
    ApiKey, ApiVersionsRequest, InitProducerIdRequest, Malformed, MetadataRequest, ProduceRequest,
    Reader,
};

/// The header of a request (v1 and v2: the client id is a classic string in both).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API's number; it may be unknown.
    pub api_key: i16,
    /// Its version; it may be unsupported.
    pub api_version: i16,
    /// What the answer will carry.
    pub correlation_id: i32,
}

/// A request body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Produce.
    Produce(ProduceRequest),
    /// Metadata.
    Metadata(MetadataRequest),
    /// `ApiVersions`.
    ApiVersions(ApiVersionsRequest),
    /// `InitProducerId`.
    InitProducerId(InitProducerIdRequest),
}

/// The first eight bytes of a frame (without its length): what is asked, and at which version.
///
/// # Errors
/// Fewer than eight bytes.
pub fn request_header(frame: &[u8]) -> Result<RequestHeader, Malformed> {
    let mut reader = Reader::new(frame);
    Ok(RequestHeader {
        api_key: reader.i16()?,
        api_version: reader.i16()?,
        correlation_id: reader.i32()?,
    })
}

/// The client id of a frame (without its length).
///
/// # Errors
/// The frame ends before it does.
pub fn client_id(frame: &[u8]) -> Result<Option<&str>, Malformed> {
    let mut reader = Reader::new(frame);
    reader.take(8)?;
    reader.classic_nullable_string()
}

/// Reads the whole frame (without its length) of a request for `api`, whose version is supported.
/// Bytes after the body are ignored, as brokers do.
///
/// # Errors
/// Any byte that is not as the schema says.
pub fn decode_request(frame: &Bytes, api: ApiKey, version: i16) -> Result<Request, Malformed> {
    let mut reader = Reader::new(frame);
    reader.take(8)?;
    reader.classic_nullable_string()?;
    reader.set_flexible(api.is_flexible(version));
    reader.tags()?;
    let reader = &mut reader;
    match api {
        ApiKey::Produce => ProduceRequest::decode(reader, frame, version).map(Request::Produce),
        ApiKey::Metadata => MetadataRequest::decode(reader, version).map(Request::Metadata),
        ApiKey::ApiVersions => {
            ApiVersionsRequest::decode(reader, version).map(Request::ApiVersions)
        }
        ApiKey::InitProducerId => {
            InitProducerIdRequest::decode(reader, version).map(Request::InitProducerId)
        }
    }
}
