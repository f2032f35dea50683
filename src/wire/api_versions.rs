//! `ApiVersions`: which APIs a broker speaks, at which versions (KIP-35, KIP-511).

use bytes::Bytes;

use super::api_key::{ApiKey, VersionRange};
use super::error_code::ErrorCode;
use super::frame::{self, RequestHead};
use super::primitives::{DecodeError, Reader};

/// The versions of one API that a broker announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ApiRange {
    /// The API's key; not only those of [`ApiKey`].
    pub api_key: i16,
    /// The lowest version.
    pub min: i16,
    /// The highest version.
    pub max: i16,
}

/// A broker's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `NONE`, or `UNSUPPORTED_VERSION` when the broker does not speak the request's version.
    pub error: ErrorCode,
    /// What the broker speaks. With `UNSUPPORTED_VERSION` at most `ApiVersions` itself (since
    /// Kafka 2.4), else nothing: ask again with that version, or with 0.
    pub ranges: Vec<ApiRange>,
    /// For how long the broker mutes this connection, in milliseconds (v1+).
    pub throttle_time_ms: i32,
}

/// Key, min, max; one byte of tags more in flexible versions.
const RANGE_BYTES_MIN: usize = 6;

impl ApiRange {
    /// The versions alone.
    #[must_use]
    pub const fn versions(&self) -> VersionRange {
        VersionRange {
            min: self.min,
            max: self.max,
        }
    }
}

impl Response {
    /// What the broker offers of an API; `None` when it does not list it.
    #[must_use]
    pub fn offered(&self, api: ApiKey) -> Option<VersionRange> {
        self.ranges
            .iter()
            .find(|range| range.api_key == api.code())
            .map(ApiRange::versions)
    }
}

/// A request. Software name and version are sent since v3; brokers refuse (`INVALID_REQUEST`)
/// what is not `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`.
///
/// # Panics
/// At a version outside [`ApiKey::supported`], or on a string of more than 32,767 bytes.
#[must_use]
pub fn encode_request(
    version: i16,
    head: &RequestHead<'_>,
    software_name: &str,
    software_version: &str,
) -> Bytes {
    let mut w = frame::request(ApiKey::ApiVersions, version, head);
    if version >= 3 {
        w.string(software_name);
        w.string(software_version);
    }
    w.no_tags();
    w.finish(0)
}

/// The answer to a request of this version.
///
/// `UNSUPPORTED_VERSION` is answered in the layout of v0, whatever was asked, and some brokers
/// send something else behind the code; then the ranges are empty.
///
/// # Errors
/// When the frame is not such an answer.
///
/// # Panics
/// At a version outside [`ApiKey::supported`].
pub fn decode_response(version: i16, frame: &[u8]) -> Result<Response, DecodeError> {
    let mut r = frame::response(ApiKey::ApiVersions, version, frame)?;
    let error = ErrorCode(r.i16("error_code")?);
    if error == ErrorCode::UNSUPPORTED_VERSION {
        let ranges = ranges_of_v0(r.non_flexible()).unwrap_or_default();
        return Ok(Response {
            error,
            ranges,
            throttle_time_ms: 0,
        });
    }
    let response = Response {
        error,
        ranges: r.array("api_keys", RANGE_BYTES_MIN, range)?,
        throttle_time_ms: if version >= 1 {
            r.i32("throttle_time_ms")?
        } else {
            0
        },
    };
    // Features (tags 0 to 2) matter to transactions only.
    r.skip_tags("ApiVersionsResponse")?;
    r.end("ApiVersionsResponse")?;
    Ok(response)
}

fn ranges_of_v0(mut r: Reader<'_>) -> Result<Vec<ApiRange>, DecodeError> {
    let ranges = r.array("api_keys", RANGE_BYTES_MIN, range)?;
    r.end("ApiVersionsResponse")?;
    Ok(ranges)
}

fn range(r: &mut Reader<'_>) -> Result<ApiRange, DecodeError> {
    let range = ApiRange {
        api_key: r.i16("api_key")?,
        min: r.i16("min_version")?,
        max: r.i16("max_version")?,
    };
    r.skip_tags("api_keys")?;
    Ok(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unsupported_version_is_understood_whatever_follows_the_code() {
        // v0 layout, as Kafka answers: ApiVersions 0 to 4.
        let kafka = b"\0\0\0\x01\0\x23\0\0\0\x01\0\x12\0\0\0\x04";
        let response = decode_response(4, kafka).unwrap();
        assert_eq!(response.error, ErrorCode::UNSUPPORTED_VERSION);
        assert_eq!(
            response.offered(ApiKey::ApiVersions),
            Some(VersionRange { min: 0, max: 4 })
        );
        // A mock broker: compact layout with a wrong count.
        let mock = b"\0\0\0\x01\0\x23\x01\0\x12\0\0\0\x02\0\0\0\0";
        let response = decode_response(4, mock).unwrap();
        assert_eq!(response.error, ErrorCode::UNSUPPORTED_VERSION);
        assert_eq!(response.ranges, []);
        // Nothing behind the code at all.
        assert_eq!(decode_response(3, b"\0\0\0\x01\0\x23").unwrap().ranges, []);
    }
}
