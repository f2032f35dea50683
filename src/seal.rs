//! Compression and checksum: the only heavy work there is, packed so that it can be done anywhere.

use crate::boundary::BatchId;
use crate::wire::compression::{self, Codec};
use crate::wire::record_batch::{self, HEADER_BYTES, Stamp};
use bytes::Bytes;

/// A closed batch on its way to being compressed and checked. [`run`](Self::run) is a pure
/// function of it: call it on any thread, outside any lock.
#[derive(Debug)]
pub struct SealJob {
    pub(crate) batch: BatchId,
    pub(crate) raw: Vec<u8>,
    pub(crate) level: Option<i32>,
    /// What the header will say; its codec is the one wished for.
    pub(crate) stamp: Stamp,
}

/// A batch ready for the wire: the result of a [`SealJob`].
#[derive(Debug)]
pub struct SealedJob {
    pub(crate) batch: BatchId,
    pub(crate) header: [u8; HEADER_BYTES],
    pub(crate) body: Bytes,
    /// The buffer of the uncompressed records, where the body is another one.
    pub(crate) spare: Option<Vec<u8>>,
}

impl SealJob {
    /// The batch to be sealed.
    #[must_use]
    pub fn batch(&self) -> BatchId {
        self.batch
    }

    /// Bytes to compress and check: how long [`run`](Self::run) takes depends on it.
    #[must_use]
    pub fn raw_bytes(&self) -> usize {
        self.raw.len()
    }

    /// Compresses, unless the result would be larger, and stamps the header with its CRC-32C.
    #[must_use]
    pub fn run(mut self) -> SealedJob {
        let compressed = match self.stamp.codec {
            Codec::None => None,
            codec @ (Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd) => {
                compression::compress(codec, self.level, &self.raw)
            }
        };
        let (body, spare) = if let Some(compressed) = compressed {
            (Bytes::from(compressed), Some(self.raw))
        } else {
            self.stamp.codec = Codec::None;
            (Bytes::from(self.raw), None)
        };
        let header = record_batch::header(&self.stamp, &body);
        SealedJob {
            batch: self.batch,
            header,
            body,
            spare,
        }
    }
}
