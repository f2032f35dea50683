//! The formats that Kafka's records have had, and what goes before a body in each.

use core::fmt;
use core::ops::Deref;

use super::record_batch::{self, HEADER_BYTES, Sequence};

/// A format of records. The version of the Produce request decides which one it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Magic 0: message sets without timestamps (until Kafka 0.9, Produce v0 and v1).
    V0,
    /// Magic 1: message sets with timestamps (Kafka 0.10, Produce v2; KIP-32).
    V1,
    /// Magic 2: record batches, with headers (Kafka 0.11, Produce v3; KIP-98).
    V2,
}

impl Format {
    /// What this version of Produce carries.
    #[must_use]
    pub const fn of_produce(version: i16) -> Self {
        match version {
            ..=1 => Self::V0,
            2 => Self::V1,
            _ => Self::V2,
        }
    }

    /// The magic byte.
    #[must_use]
    pub const fn magic(self) -> u8 {
        match self {
            Self::V0 => 0,
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.magic())
    }
}

/// What a batch has before its body: a record batch its header, a compressed message set the front
/// of its wrapper, an uncompressed one nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Front {
    bytes: [u8; HEADER_BYTES],
    length: u8,
}

impl Front {
    /// Nothing.
    pub const NONE: Self = Self {
        bytes: [0; HEADER_BYTES],
        length: 0,
    };

    /// So many zeros, if they fit.
    pub(crate) fn zeros(count: usize) -> Option<Self> {
        let length = u8::try_from(count).ok()?;
        let bytes = [0; HEADER_BYTES];
        (count <= HEADER_BYTES).then_some(Self { bytes, length })
    }

    /// Puts another sequence into a record batch's header; nothing else has any.
    pub(crate) fn restamp(&mut self, sequence: Sequence, body: &[u8]) {
        assert_eq!(
            self.len(),
            HEADER_BYTES,
            "only record batches have sequences"
        );
        record_batch::restamp(&mut self.bytes, sequence, body);
    }

    /// These bytes; at most [`HEADER_BYTES`].
    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut front = Self::NONE;
        for part in parts {
            let at = usize::from(front.length);
            front.bytes[at..at + part.len()].copy_from_slice(part);
            front.length = u8::try_from(at + part.len()).expect("at most 61 bytes");
        }
        front
    }
}

impl From<[u8; HEADER_BYTES]> for Front {
    fn from(bytes: [u8; HEADER_BYTES]) -> Self {
        Self {
            bytes,
            length: u8::try_from(HEADER_BYTES).expect("61"),
        }
    }
}

impl Deref for Front {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}
