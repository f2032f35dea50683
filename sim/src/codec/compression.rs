//! The five codecs of record batches, read-only and bounded.

use std::io::{self, Read};

use bytes::Bytes;

use super::{Malformed, Reader};

/// The codec in bits 0 to 2 of a batch's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Codec {
    /// 0.
    None,
    /// 1.
    Gzip,
    /// 2; xerial framing or one raw block.
    Snappy,
    /// 3; the LZ4 frame format.
    Lz4,
    /// 4 (KIP-110), Produce v7+.
    Zstd,
}

impl Codec {
    /// The codec of these attributes; `None` for the unassigned ids 5 to 7.
    #[must_use]
    pub const fn from_attributes(attributes: i16) -> Option<Self> {
        match attributes & 0x07 {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The value of `compression.type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// The eight bytes in front of snappy data in the framing of the xerial library.
const XERIAL_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
/// The magic, and two version numbers of 4 bytes each.
const XERIAL_HEADER_BYTES: usize = 16;

/// The plain bytes of a batch's records section. Uncompressed bytes are shared, not copied.
///
/// # Errors
/// Bytes that the codec cannot read, or more than `bytes_max` of output.
pub fn inflate(codec: Codec, bytes: &Bytes, bytes_max: usize) -> Result<Bytes, Malformed> {
    match codec {
        Codec::None => Ok(bytes.clone()),
        Codec::Gzip => read_bounded(flate2::read::MultiGzDecoder::new(&bytes[..]), bytes_max),
        Codec::Snappy => snappy(bytes, bytes_max),
        Codec::Lz4 => read_bounded(lz4_flex::frame::FrameDecoder::new(&bytes[..]), bytes_max),
        Codec::Zstd => zstd::stream::read::Decoder::new(&bytes[..])
            .map_err(|_| Malformed("zstd cannot start"))
            .and_then(|decoder| read_bounded(decoder, bytes_max)),
    }
}

fn read_bounded(source: impl Read, bytes_max: usize) -> Result<Bytes, Malformed> {
    let limit = u64::try_from(bytes_max)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    let mut plain = Vec::new();
    let read: io::Result<usize> = source.take(limit).read_to_end(&mut plain);
    read.map_err(|_| Malformed("compressed data cannot be read"))?;
    if plain.len() > bytes_max {
        return Err(Malformed("more inflated bytes than allowed"));
    }
    Ok(Bytes::from(plain))
}

fn snappy(bytes: &[u8], bytes_max: usize) -> Result<Bytes, Malformed> {
    let mut plain = Vec::new();
    if !bytes.starts_with(&XERIAL_MAGIC) {
        snappy_block(bytes, &mut plain, bytes_max)?;
        return Ok(Bytes::from(plain));
    }
    let mut reader = Reader::new(bytes);
    reader.take(XERIAL_HEADER_BYTES)?;
    while !reader.is_empty() {
        let length = usize::try_from(reader.i32()?).map_err(|_| Malformed("snappy block"))?;
        snappy_block(reader.take(length)?, &mut plain, bytes_max)?;
    }
    Ok(Bytes::from(plain))
}

fn snappy_block(block: &[u8], plain: &mut Vec<u8>, bytes_max: usize) -> Result<(), Malformed> {
    let length = snap::raw::decompress_len(block).map_err(|_| Malformed("snappy length"))?;
    // No element of a snappy block expands to more than 64 bytes from fewer than 2.
    let start = plain.len();
    if length > bytes_max.saturating_sub(start) || length / 64 > block.len() {
        return Err(Malformed("more inflated bytes than allowed"));
    }
    plain.resize(start + length, 0);
    let written = snap::raw::Decoder::new()
        .decompress(block, &mut plain[start..])
        .map_err(|_| Malformed("snappy data cannot be read"))?;
    assert_eq!(written, length, "snappy writes what it announced");
    Ok(())
}
