//! Compression of a batch's records, in exactly the frames that Java's decoders read.

use core::fmt;
use core::ops::RangeInclusive;
use core::str::FromStr;
use std::io::{Read as _, Write as _};

use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// Gzip (RFC 1952).
    Gzip,
    /// Snappy in xerial's framing, as Java writes it.
    Snappy,
    /// The LZ4 frame format with independent blocks of 64 KiB, as Java writes it.
    Lz4,
    /// Zstandard (KIP-110); only with the feature `zstd`.
    Zstd,
}

/// A name that is none of Kafka's codecs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownCodec(pub String);

/// Xerial's magic, its version 1, and the lowest version that can read it.
const XERIAL_HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
/// Java's default (`SnappyOutputStream`), and as much as some readers take.
const XERIAL_BLOCK_BYTES: usize = 32 * 1024;

impl Codec {
    /// Every codec, by rising id.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The id in the low three bits of a batch's attributes.
    #[must_use]
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// Kafka's name, as in `compression.type`.
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

    /// Whether this build can compress with it.
    #[must_use]
    pub const fn is_built(self) -> bool {
        !matches!(self, Self::Zstd) || cfg!(feature = "zstd")
    }

    /// The first Produce version at which brokers take it: 7 for zstd (KIP-110). Below it brokers
    /// since 2.1 answer `UNSUPPORTED_COMPRESSION_TYPE`, and older ones, which do not know it,
    /// `UNKNOWN_SERVER_ERROR`.
    #[must_use]
    pub const fn produce_version_min(self) -> i16 {
        match self {
            Self::None | Self::Gzip | Self::Snappy | Self::Lz4 => 0,
            Self::Zstd => 7,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Codec {
    type Err = UnknownCodec;

    fn from_str(name: &str) -> Result<Self, UnknownCodec> {
        let codec = Self::ALL.into_iter().find(|codec| codec.name() == name);
        codec.ok_or_else(|| UnknownCodec(name.to_owned()))
    }
}

impl fmt::Display for UnknownCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown codec {:?}; there are none, gzip, snappy, lz4, zstd",
            self.0
        )
    }
}

impl core::error::Error for UnknownCodec {}

/// The levels that Kafka's configuration takes (KIP-390); `None` for codecs without levels.
///
/// Besides them gzip takes -1, its default. The LZ4 encoder here has one level only: any level
/// is taken, for the sake of shared configurations, and has no effect.
#[must_use]
pub const fn level_range(codec: Codec) -> Option<RangeInclusive<i32>> {
    match codec {
        Codec::None | Codec::Snappy => None,
        Codec::Gzip => Some(1..=9),
        Codec::Lz4 => Some(1..=17),
        Codec::Zstd => Some(-131_072..=22),
    }
}

/// Java's default level; `None` for codecs without levels. Gzip's -1 is zlib's name for 6.
#[must_use]
pub const fn default_level(codec: Codec) -> Option<i32> {
    match codec {
        Codec::None | Codec::Snappy => None,
        Codec::Gzip => Some(-1),
        Codec::Lz4 => Some(9),
        Codec::Zstd => Some(3),
    }
}

/// The compressed body, or `None` when it would not be smaller: it is sent as it is, then.
///
/// `level`: of [`level_range`], `None` for the [`default_level`]; one outside is the nearest one
/// inside. Also `None` for a codec that [is not built](Codec::is_built), which `Config` refuses.
#[must_use]
pub fn compress(codec: Codec, level: Option<i32>, body: &[u8]) -> Option<Vec<u8>> {
    let compressed = match codec {
        Codec::None => None,
        Codec::Gzip => gzip(level, body),
        Codec::Snappy => snappy(body),
        Codec::Lz4 => lz4(body),
        Codec::Zstd => zstd(level, body),
    };
    compressed.filter(|compressed| compressed.len() < body.len())
}

/// What [`compress`] made smaller, as it was: so many bytes. `None`: it is no such body.
pub(crate) fn decompress(codec: Codec, body: &[u8], raw_bytes: usize) -> Option<Vec<u8>> {
    let mut raw = Vec::with_capacity(raw_bytes);
    // A byte more would show.
    let limit = u64::try_from(raw_bytes).ok()?.saturating_add(1);
    match codec {
        Codec::None => raw.extend_from_slice(body),
        Codec::Gzip => {
            let decoder = flate2::read::GzDecoder::new(body);
            decoder.take(limit).read_to_end(&mut raw).ok()?;
        }
        Codec::Snappy => unsnap(body, &mut raw)?,
        Codec::Lz4 => {
            let decoder = lz4_flex::frame::FrameDecoder::new(body);
            decoder.take(limit).read_to_end(&mut raw).ok()?;
        }
        Codec::Zstd => raw = unzstd(body, raw_bytes)?,
    }
    (raw.len() == raw_bytes).then_some(raw)
}

fn unsnap(body: &[u8], raw: &mut Vec<u8>) -> Option<()> {
    let mut decoder = snap::raw::Decoder::new();
    let mut rest = body.strip_prefix(&XERIAL_HEADER)?;
    while let Some((length, tail)) = rest.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (block, tail) = tail.split_at_checked(length)?;
        raw.extend_from_slice(&decoder.decompress_vec(block).ok()?);
        rest = tail;
    }
    Some(())
}

/// Room that a body usually compresses into.
fn usual_bytes(body: &[u8]) -> usize {
    body.len() / 2 + 64
}

fn gzip(level: Option<i32>, body: &[u8]) -> Option<Vec<u8>> {
    let level = match level {
        None | Some(-1) => flate2::Compression::default(),
        Some(level) => flate2::Compression::new(level.clamp(1, 9).unsigned_abs()),
    };
    let mut encoder = GzEncoder::new(Vec::with_capacity(usual_bytes(body)), level);
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

/// Xerial: a header, then blocks, each a big-endian length and a raw snappy block.
fn snappy(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = snap::raw::Encoder::new();
    let block_bytes_max = snap::raw::max_compress_len(XERIAL_BLOCK_BYTES.min(body.len()));
    let mut block = vec![0; block_bytes_max];
    let mut out = Vec::with_capacity(usual_bytes(body));
    out.extend_from_slice(&XERIAL_HEADER);
    for part in body.chunks(XERIAL_BLOCK_BYTES) {
        let block_bytes = encoder.compress(part, &mut block).ok()?;
        out.extend_from_slice(&u32::try_from(block_bytes).ok()?.to_be_bytes());
        out.extend_from_slice(&block[..block_bytes]);
    }
    Some(out)
}

/// Java refuses dependent blocks (`Lz4BlockInputStream`); no checksums but the header's, which is
/// correct here (magic 0 needed a broken one, KIP-57).
fn lz4(body: &[u8]) -> Option<Vec<u8>> {
    let frame = FrameInfo::new()
        .block_size(BlockSize::Max64KB)
        .block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(frame, Vec::with_capacity(usual_bytes(body)));
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

#[cfg(feature = "zstd")]
fn zstd(level: Option<i32>, body: &[u8]) -> Option<Vec<u8>> {
    let level = level.or(default_level(Codec::Zstd))?;
    let levels = level_range(Codec::Zstd)?;
    zstd::bulk::compress(body, level.clamp(*levels.start(), *levels.end())).ok()
}

#[cfg(feature = "zstd")]
fn unzstd(body: &[u8], raw_bytes: usize) -> Option<Vec<u8>> {
    zstd::bulk::decompress(body, raw_bytes).ok()
}

#[cfg(not(feature = "zstd"))]
fn unzstd(_body: &[u8], _raw_bytes: usize) -> Option<Vec<u8>> {
    None
}

#[cfg(not(feature = "zstd"))]
fn zstd(_level: Option<i32>, _body: &[u8]) -> Option<Vec<u8>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lz4_frames_have_independent_blocks_of_64_kib_and_no_checksums() {
        for body_bytes in [100, 70_000, 300_000] {
            let frame = compress(Codec::Lz4, None, &vec![b'a'; body_bytes]).unwrap();
            assert_eq!(frame[..7], [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]);
        }
    }

    #[test]
    fn snappy_frames_are_xerials() {
        let frame = compress(Codec::Snappy, None, &vec![b'a'; 100_000]).unwrap();
        assert_eq!(frame[..8], *b"\x82SNAPPY\0");
        assert_eq!(frame[8..16], [0, 0, 0, 1, 0, 0, 0, 1]);
        let (mut rest, mut blocks) = (&frame[16..], vec![]);
        while let Some((length, tail)) = rest.split_first_chunk() {
            let (block, tail) = tail.split_at(u32::from_be_bytes(*length) as usize);
            blocks.push(snap::raw::decompress_len(block).unwrap());
            rest = tail;
        }
        assert_eq!(blocks, [32_768, 32_768, 32_768, 1_696]);
    }

    #[test]
    fn what_does_not_shrink_is_not_compressed() {
        for codec in Codec::ALL {
            assert_eq!(compress(codec, None, b""), None, "{codec}");
            assert_eq!(compress(codec, None, b"abc"), None, "{codec}");
        }
        assert_eq!(compress(Codec::None, None, &[0; 1_000]), None);
    }

    #[test]
    fn what_was_compressed_is_read_again_and_nothing_else_is() {
        let body = b"the same picture again and again ".repeat(3_000);
        for codec in Codec::ALL.into_iter().filter(|codec| codec.is_built()) {
            let Some(packed) = compress(codec, None, &body) else {
                assert_eq!(codec, Codec::None);
                continue;
            };
            let raw = decompress(codec, &packed, body.len());
            assert_eq!(raw.as_ref(), Some(&body), "{codec}");
            assert_eq!(decompress(codec, &packed, body.len() - 1), None, "{codec}");
            assert_eq!(decompress(codec, &packed, body.len() + 1), None, "{codec}");
            assert_eq!(
                decompress(codec, &packed[..20], body.len()),
                None,
                "{codec}"
            );
        }
    }

    #[test]
    fn every_level_is_taken_and_the_default_is_javas() {
        let body = b"the same picture again and again ".repeat(2_000);
        for codec in Codec::ALL.into_iter().filter(|codec| codec.is_built()) {
            let Some(levels) = level_range(codec) else {
                continue;
            };
            let at = |level| compress(codec, Some(level), &body);
            assert_eq!(at(i32::MIN), at(*levels.start()), "{codec}");
            assert_eq!(at(i32::MAX), at(*levels.end()), "{codec}");
            assert!(at(1).is_some() && at(*levels.end()).is_some(), "{codec}");
            assert_eq!(
                compress(codec, default_level(codec), &body),
                compress(codec, None, &body)
            );
        }
        assert_eq!(
            compress(Codec::Gzip, Some(6), &body),
            compress(Codec::Gzip, None, &body)
        );
        assert_ne!(
            compress(Codec::Gzip, Some(1), &body),
            compress(Codec::Gzip, None, &body)
        );
    }

    #[test]
    fn names_and_ids_are_kafkas() {
        for (id, codec) in Codec::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(codec.id()), id);
            assert_eq!(codec.name().parse(), Ok(codec));
        }
        let unknown = "gzip ".parse::<Codec>().unwrap_err();
        assert_eq!(
            unknown.to_string(),
            "unknown codec \"gzip \"; there are none, gzip, snappy, lz4, zstd"
        );
    }
}
