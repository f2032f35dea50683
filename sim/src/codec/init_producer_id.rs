//! `InitProducerId` v0 to v5: the identity of an idempotent producer (KIP-98, KIP-360).

use bytes::Bytes;

use super::{ApiKey, Malformed, Reader, Writer};

/// An `InitProducerId` request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitProducerIdRequest {
    /// The transactional id; null for a producer that is idempotent only.
    pub transactional_id: Option<String>,
    /// The transaction timeout, in milliseconds.
    pub transaction_timeout_ms: i32,
    /// v3+: the producer id in use, or −1.
    pub producer_id: i64,
    /// v3+: the epoch in use, or −1.
    pub producer_epoch: i16,
}

impl InitProducerIdRequest {
    pub(super) fn decode(reader: &mut Reader<'_>, version: i16) -> Result<Self, Malformed> {
        let transactional_id = reader.nullable_string()?.map(str::to_owned);
        let transaction_timeout_ms = reader.i32()?;
        let (producer_id, producer_epoch) = if version >= 3 {
            (reader.i64()?, reader.i16()?)
        } else {
            (-1, -1)
        };
        reader.tags()?;
        Ok(Self {
            transactional_id,
            transaction_timeout_ms,
            producer_id,
            producer_epoch,
        })
    }
}

/// An `InitProducerId` response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitProducerIdResponse {
    /// How long the client shall wait, in milliseconds.
    pub throttle_time_ms: i32,
    /// 0 or an error.
    pub error_code: i16,
    /// The producer id, or −1.
    pub producer_id: i64,
    /// The epoch, or −1.
    pub producer_epoch: i16,
}

impl InitProducerIdResponse {
    /// The whole frame.
    #[must_use]
    pub fn encode(&self, version: i16, correlation_id: i32) -> Bytes {
        let flexible = ApiKey::InitProducerId.is_flexible(version);
        let mut writer = Writer::response(correlation_id, flexible, flexible);
        writer.i32(self.throttle_time_ms);
        writer.i16(self.error_code);
        writer.i64(self.producer_id);
        writer.i16(self.producer_epoch);
        writer.no_tags();
        writer.finish()
    }
}
