//! Compression and checksum: the only heavy work there is, packed so that it can be done anywhere.

use crate::boundary::BatchId;
use crate::wire::compression::{self, Codec};
use crate::wire::record_batch::{self, Stamp};
use crate::wire::{Format, Front, message_set};
use bytes::Bytes;

/// A compressed body's buffer is at most this much larger than twice the raw one.
const PACKED_ROOM_BYTES: usize = 4_096;

/// A closed batch on its way to being compressed and checked. [`run`](Self::run) is a pure
/// function of it: call it on any thread, outside any lock.
#[derive(Debug)]
pub struct SealJob {
    pub(crate) batch: BatchId,
    pub(crate) raw: Vec<u8>,
    pub(crate) level: Option<i32>,
    pub(crate) format: Format,
    /// What the header will say; its codec is the one wished for.
    pub(crate) stamp: Stamp,
}

/// A batch ready for the wire: the result of a [`SealJob`].
#[derive(Debug)]
pub struct SealedJob {
    pub(crate) batch: BatchId,
    pub(crate) front: Front,
    pub(crate) body: Bytes,
    /// The size of the body's buffer: it is used again.
    pub(crate) body_room_bytes: usize,
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

    /// Compresses, unless the result would be larger, and makes what goes before the body, with its
    /// checksum.
    #[must_use]
    pub fn run(mut self) -> SealedJob {
        if self.format < Format::V2 {
            return self.run_message_set();
        }
        let compressed = match self.stamp.codec {
            Codec::None => None,
            codec @ (Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd) => {
                compression::compress(codec, self.level, &self.raw)
            }
        };
        if compressed.is_none() {
            self.stamp.codec = Codec::None;
        }
        let front = |body: &[u8]| Front::from(record_batch::header(&self.stamp, body));
        match compressed {
            Some(body) => sealed(self.batch, front(&body), body, Some(self.raw)),
            None => sealed(self.batch, front(&self.raw), self.raw, None),
        }
    }

    /// What [`run`](Self::run) came to elsewhere, in zeros: so many bytes before the body; and the
    /// body's, with the size of its buffer, if it was compressed. `None`: it cannot have.
    pub(crate) fn stand_in(
        mut self,
        front_bytes: usize,
        packed: Option<(usize, usize)>,
    ) -> Option<SealedJob> {
        let front = Front::zeros(front_bytes)?;
        let Some((body_bytes, room_bytes)) = packed else {
            self.raw.fill(0);
            return Some(sealed(self.batch, front, self.raw, None));
        };
        let room_bytes_max = 2 * self.raw.len() + PACKED_ROOM_BYTES;
        if body_bytes >= self.raw.len() || !(body_bytes..=room_bytes_max).contains(&room_bytes) {
            return None;
        }
        let mut body = Vec::with_capacity(room_bytes);
        body.resize(body_bytes, 0);
        Some(sealed(self.batch, front, body, Some(self.raw)))
    }

    fn run_message_set(self) -> SealedJob {
        let wrapped = message_set::wrap(
            self.format,
            self.stamp.codec,
            self.level,
            self.stamp.record_count,
            self.stamp.max_timestamp,
            &self.raw,
        );
        match wrapped {
            Some((front, body)) => sealed(self.batch, front, body, Some(self.raw)),
            None => sealed(self.batch, Front::NONE, self.raw, None),
        }
    }
}

fn sealed(batch: BatchId, front: Front, body: Vec<u8>, spare: Option<Vec<u8>>) -> SealedJob {
    SealedJob {
        batch,
        front,
        body_room_bytes: body.capacity(),
        body: Bytes::from(body),
        spare,
    }
}
