//! Bytes and nouns: the Kafka protocol as a producer speaks it.
//!
//! Owns: the layout of every request, response and record batch, version by version.
//! Never: state, policy, time; which version to use is [`Versions::choose`], all else is the
//! caller's.
//! Invariants: whatever bytes a peer sends, a decoder answers or returns [`DecodeError`]; it never
//! panics and never allocates more than a small multiple of the frame.
//!
//! A frame *includes* its 4 length bytes when it is encoded, and comes *without* them to a
//! decoder, which starts at the correlation id.
//!
//! One file per API, fields top-down in the order of the bytes, each with the versions that have
//! it. Layouts: the message schemas of Apache Kafka (`clients/src/main/resources/common/message`).

pub mod api_versions;
pub mod compression;
pub mod init_producer_id;
pub mod message_set;
pub mod metadata;
pub mod produce;
pub mod record;
pub mod record_batch;

mod api_key;
pub(crate) mod cut;
mod error_code;
mod format;
mod frame;
mod primitives;
mod release;
mod uuid;
mod versions;

pub use api_key::{ApiKey, VersionRange};
pub use api_versions::ApiRange;
pub use compression::Codec;
pub use error_code::ErrorCode;
pub use format::{Format, Front};
pub use frame::{RequestHead, STRING_BYTES_MAX, correlation_id};
pub use primitives::{DecodeError, Malformed};
pub use release::Release;
pub use uuid::Uuid;
pub use versions::{Unsupported, Versions};
