//! Compression and checksum: the only heavy work there is, packed so that it can be done anywhere.

use crate::boundary::BatchId;
use crate::wire::compression::{self, Codec};
use crate::wire::cut::{self, Part};
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
    pub(crate) source: Source,
    pub(crate) level: Option<i32>,
    pub(crate) format: Format,
    /// What the header will say; its codec is the one wished for.
    pub(crate) stamp: Stamp,
}

/// Where a batch's records come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// As they were encoded.
    Raw(Vec<u8>),
    /// From a batch that was sealed before.
    Part(Part),
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
    /// Of a part of another batch: its size before it was compressed. Nobody knew it before.
    pub(crate) part_raw_bytes: Option<usize>,
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
        match &self.source {
            Source::Raw(raw) => raw.len(),
            Source::Part(part) => part.raw_bytes,
        }
    }

    /// Compresses, unless the result would be larger, and makes what goes before the body, with its
    /// checksum.
    #[must_use]
    pub fn run(mut self) -> SealedJob {
        match self.source {
            Source::Raw(raw) => {
                let (front, body) = pack(self.format, self.level, self.stamp, &raw);
                match body {
                    Some(body) => sealed(self.batch, front, body, Some(raw)),
                    None => sealed(self.batch, front, raw, None),
                }
            }
            Source::Part(part) => {
                let cut =
                    cut::cut(self.format, &part).expect("what was sealed here can be read here");
                self.stamp.max_timestamp = cut.max_timestamp_ms(self.stamp.base_timestamp);
                let (front, body) = pack(self.format, self.level, self.stamp, &cut.raw);
                let part_raw_bytes = Some(cut.raw.len());
                SealedJob {
                    part_raw_bytes,
                    ..sealed(self.batch, front, body.unwrap_or(cut.raw), None)
                }
            }
        }
    }

    /// What [`run`](Self::run) came to elsewhere, in zeros: so many bytes before the body; and the
    /// body's, with the size of its buffer, if it was compressed. `None`: it cannot have.
    pub(crate) fn stand_in(self, front_bytes: usize, came: StandIn) -> Option<SealedJob> {
        let front = Front::zeros(front_bytes)?;
        let raw_bytes = self.raw_bytes();
        match (self.source, came) {
            (Source::Raw(mut raw), StandIn::Plain) => {
                raw.fill(0);
                Some(sealed(self.batch, front, raw, None))
            }
            (Source::Raw(raw), StandIn::Packed { body, room }) => {
                let is_likely = body < raw_bytes && (body..=room_max(raw_bytes)).contains(&room);
                is_likely.then(|| sealed(self.batch, front, zeros(body, room), Some(raw)))
            }
            (Source::Part(_), StandIn::Part { raw, body, room }) => {
                let is_likely = body <= raw && raw <= raw_bytes;
                let is_likely = is_likely && (body..=room_max(raw)).contains(&room);
                is_likely.then(|| SealedJob {
                    part_raw_bytes: Some(raw),
                    ..sealed(self.batch, front, zeros(body, room), None)
                })
            }
            (Source::Raw(_), StandIn::Part { .. })
            | (Source::Part(_), StandIn::Plain | StandIn::Packed { .. }) => None,
        }
    }
}

/// What a seal came to, by lengths: of the body, and of its buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum StandIn {
    /// The body is the raw one.
    Plain,
    /// It was compressed.
    Packed { body: usize, room: usize },
    /// It was cut out of another batch, and so long before it was compressed.
    Part {
        raw: usize,
        body: usize,
        room: usize,
    },
}

/// What a compressed body's buffer may have, of so many bytes before.
fn room_max(raw_bytes: usize) -> usize {
    2 * raw_bytes + PACKED_ROOM_BYTES
}

fn zeros(count: usize, room: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(room);
    body.resize(count, 0);
    body
}

/// What goes before the body, and the body if it is another one than the raw one.
fn pack(
    format: Format,
    level: Option<i32>,
    mut stamp: Stamp,
    raw: &[u8],
) -> (Front, Option<Vec<u8>>) {
    if format < Format::V2 {
        let (codec, count) = (stamp.codec, stamp.record_count);
        let wrapped = message_set::wrap(format, codec, level, count, stamp.max_timestamp, raw);
        return wrapped.map_or((Front::NONE, None), |(front, body)| (front, Some(body)));
    }
    let compressed = match stamp.codec {
        Codec::None => None,
        codec @ (Codec::Gzip | Codec::Snappy | Codec::Lz4 | Codec::Zstd) => {
            compression::compress(codec, level, raw)
        }
    };
    if compressed.is_none() {
        stamp.codec = Codec::None;
    }
    let body = compressed.as_deref().unwrap_or(raw);
    (Front::from(record_batch::header(&stamp, body)), compressed)
}

fn sealed(batch: BatchId, front: Front, body: Vec<u8>, spare: Option<Vec<u8>>) -> SealedJob {
    SealedJob {
        batch,
        front,
        body_room_bytes: body.capacity(),
        body: Bytes::from(body),
        spare,
        part_raw_bytes: None,
    }
}
