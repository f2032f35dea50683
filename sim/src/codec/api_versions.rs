//! `ApiVersions` v0 to v5: the first exchange on a connection.

use bytes::Bytes;

use super::{ApiKey, ApiRange, Malformed, Reader, Writer};

/// An `ApiVersions` request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiVersionsRequest {
    /// v3+ (KIP-511): the client's name; empty before.
    pub client_software_name: String,
    /// v3+ (KIP-511): the client's version; empty before.
    pub client_software_version: String,
    /// v5+ (KIP-1242): the cluster that the client believes to talk to.
    pub cluster_id: Option<String>,
    /// v5+ (KIP-1242): the broker that the client believes to talk to; −1 is "do not check".
    pub node_id: i32,
}

impl ApiVersionsRequest {
    pub(super) fn decode(reader: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let mut request = Self {
            node_id: -1,
            ..Self::default()
        };
        if version >= 3 {
            reader
                .string()?
                .clone_into(&mut request.client_software_name);
            reader
                .string()?
                .clone_into(&mut request.client_software_version);
        }
        if version >= 5 {
            request.cluster_id = reader.nullable_string()?.map(str::to_owned);
            request.node_id = reader.i32()?;
        }
        reader.tags()?;
        Ok(request)
    }

    /// Whether name and version have the form that KIP-511 asks for:
    /// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`.
    #[must_use]
    pub fn is_software_well_formed(&self) -> bool {
        [&self.client_software_name, &self.client_software_version]
            .into_iter()
            .all(|text| {
                let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
                let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
                let bytes = text.as_bytes();
                edge(bytes.first()) && edge(bytes.last()) && bytes.iter().copied().all(inner)
            })
    }
}

/// An `ApiVersions` response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiVersionsResponse {
    /// 0, or 35, 42, 129.
    pub error_code: i16,
    /// What the broker announces.
    pub api_keys: Vec<ApiRange>,
    /// v1+: how long the client shall wait, in milliseconds.
    pub throttle_time_ms: i32,
}

impl ApiVersionsResponse {
    /// The whole frame. The response header is v0 at every version: a client reads this answer
    /// before it knows what the broker speaks (KIP-511).
    #[must_use]
    pub fn encode(&self, version: i16, correlation_id: i32) -> Bytes {
        let flexible = ApiKey::ApiVersions.is_flexible(version);
        let mut writer = Writer::response(correlation_id, false, flexible);
        writer.i16(self.error_code);
        writer.array(&self.api_keys, |writer, range| {
            writer.i16(range.api.to_wire());
            writer.i16(range.version_min);
            writer.i16(range.version_max);
            writer.no_tags();
        });
        if version >= 1 {
            writer.i32(self.throttle_time_ms);
        }
        writer.no_tags();
        writer.finish()
    }
}
