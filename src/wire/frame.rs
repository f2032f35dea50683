//! What every frame has in common: the request header and the response header.

use super::api_key::ApiKey;
use super::primitives::{DecodeError, Reader, Writer};

/// The longest string a request may carry, in bytes: non-flexible versions count in 16 bits.
///
/// Names that come from outside (topics, `client.id`) are checked against it where they come in;
/// an encoder panics on a longer one.
pub const STRING_BYTES_MAX: usize = 32_767;

/// What a request says about itself besides its API and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHead<'a> {
    /// Comes back in the response; rises by one with each request of a connection.
    pub correlation_id: i32,
    /// `client.id`: shown in the broker's logs, metrics and quotas.
    pub client_id: Option<&'a str>,
}

/// The correlation id of a response: the first 4 bytes of its frame.
///
/// # Errors
/// When the frame is shorter than that.
pub fn correlation_id(frame: &[u8]) -> Result<i32, DecodeError> {
    Reader::new(frame, false).i32("correlation_id")
}

/// A writer behind the request header of this API and version.
///
/// Header v1: api key, version, correlation id, client id. v2, of flexible versions, adds tagged
/// fields; its client id stays a *non-compact* string, so that a broker can read it before it
/// knows the version (KIP-482).
pub(super) fn request(api: ApiKey, version: i16, head: &RequestHead<'_>) -> Writer {
    api.assert_supported(version);
    let mut w = Writer::frame();
    w.i16(api.code());
    w.i16(version);
    w.i32(head.correlation_id);
    w.nullable_string(head.client_id);
    w.set_flexible(api.is_flexible(version));
    w.no_tags();
    w
}

/// A reader behind the response header of this API and version.
///
/// Header v0: correlation id. v1, of flexible versions, adds tagged fields; `ApiVersions` always
/// answers with v0, as the client cannot know what the broker speaks (KIP-511).
pub(super) fn response(api: ApiKey, version: i16, frame: &[u8]) -> Result<Reader<'_>, DecodeError> {
    api.assert_supported(version);
    let flexible = api.is_flexible(version);
    let mut r = Reader::new(frame, flexible);
    r.i32("correlation_id")?;
    if api != ApiKey::ApiVersions {
        r.skip_tags("response header")?;
    }
    Ok(r)
}
