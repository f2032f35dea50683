//! Message sets: what producers sent before record batches (magic 0 and 1, Produce v0 to v2).
//!
//! ```text
//!  0 offset i64    8 messageSize i32   12 crc u32 (CRC-32 of everything from 16 on)   16 magic i8
//! 17 attributes i8   [18 timestamp i64, magic 1]   key: length i32 and bytes   value: likewise
//! ```
//! A message whose attributes name a codec wraps a compressed set.

use bytes::Bytes;

use super::{Codec, Malformed, Reader, inflate};

/// The longest that a message is without timestamp, key and value: 14 bytes after its size.
const MESSAGE_BYTES_MIN: i32 = 14;
/// Where a frame of LZ4 has the checksum of its descriptor.
const LZ4_CHECKSUM_AT: usize = 6;
/// For the descriptor "independent blocks of 64 KiB": the checksum that magic 0 has (KIP-57; it
/// covers the frame's magic too), and the one that the frame format wants.
const LZ4_CHECKSUMS: (u8, u8) = (0x1a, 0x82);

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The offset within its set.
    pub offset: i64,
    /// Whether checksum and length are right.
    pub is_intact: bool,
    /// The format: 0 or 1 if it is right.
    pub magic: u8,
    /// The codec, and the timestamp type.
    pub attributes: i16,
    /// Milliseconds since the Unix epoch; −1 in magic 0.
    pub timestamp_ms: i64,
    /// The key, or null.
    pub key: Option<Bytes>,
    /// The value, or null.
    pub value: Option<Bytes>,
    /// Its size in the set, in bytes.
    pub size_bytes: usize,
}

impl Message {
    /// The first message of what is left; `None`: it is cut.
    fn decode(reader: &mut Reader<'_>, set: &Bytes) -> Result<Option<Self>, Malformed> {
        let (Ok(offset), Ok(size)) = (reader.i64(), reader.i32()) else {
            return Ok(None);
        };
        if size < MESSAGE_BYTES_MIN {
            return Err(Malformed("message size below the minimum"));
        }
        let size = usize::try_from(size).expect("at least 14");
        let Ok(body) = reader.take(size) else {
            return Ok(None);
        };
        let mut body = Reader::new(body);
        let crc = body.u32()?;
        let mut whole = flate2::Crc::new();
        whole.update(body.rest());
        let magic = body.u8()?;
        let attributes = i16::from(body.u8()?);
        let mut read = || -> Result<_, Malformed> {
            // Other magics are none; some brokers take them all the same.
            let timestamp_ms = if magic == 0 { -1 } else { body.i64()? };
            let key = body.nullable_bytes()?.map(|bytes| set.slice_ref(bytes));
            let value = body.nullable_bytes()?.map(|bytes| set.slice_ref(bytes));
            Ok((timestamp_ms, key, value))
        };
        let fields = read();
        let is_whole = fields.is_ok() && body.is_empty();
        let (timestamp_ms, key, value) = fields.unwrap_or((-1, None, None));
        Ok(Some(Self {
            offset,
            is_intact: whole.sum() == crc && is_whole,
            magic,
            attributes,
            timestamp_ms,
            key,
            value,
            size_bytes: 12 + size,
        }))
    }

    /// The codec of what it wraps; `None` for an unassigned id.
    #[must_use]
    pub const fn codec(&self) -> Option<Codec> {
        Codec::from_attributes(self.attributes)
    }

    /// The messages that it wraps.
    ///
    /// # Errors
    /// No set is in it, or one of more than `bytes_max` bytes.
    pub fn unwrap(&self, bytes_max: usize) -> Result<Vec<Self>, Malformed> {
        self.unwrap_with(bytes_max, false)
    }

    /// The same; in magic 0 also from an LZ4 frame whose checksum is right, as brokers do since
    /// 0.10 (KIP-57).
    ///
    /// # Errors
    /// As [`Self::unwrap`].
    pub fn unwrap_mended(&self, bytes_max: usize) -> Result<Vec<Self>, Malformed> {
        self.unwrap_with(bytes_max, true)
    }

    fn unwrap_with(&self, bytes_max: usize, mends_lz4: bool) -> Result<Vec<Self>, Malformed> {
        let codec = self.codec().ok_or(Malformed("unassigned codec"))?;
        let compressed = self.value.clone().ok_or(Malformed("an empty wrapper"))?;
        let compressed = if codec == Codec::Lz4 {
            with_right_checksum(&compressed, self.magic, mends_lz4)?
        } else {
            compressed
        };
        messages(&inflate(codec, &compressed, bytes_max)?)
    }
}

/// An LZ4 frame as its format wants it, if it is as this magic wants it.
fn with_right_checksum(frame: &Bytes, magic: u8, mends: bool) -> Result<Bytes, Malformed> {
    let (broken, right) = LZ4_CHECKSUMS;
    let expected = if magic == 0 { broken } else { right };
    let found = frame.get(LZ4_CHECKSUM_AT);
    if found != Some(&expected) && !(mends && found == Some(&right)) {
        return Err(Malformed("checksum of the LZ4 frame's descriptor"));
    }
    let mut frame = frame.to_vec();
    frame[LZ4_CHECKSUM_AT] = right;
    Ok(Bytes::from(frame))
}

/// The messages of a set, wrappers as they are.
///
/// # Errors
/// Bytes that are no message set.
pub fn messages(set: &Bytes) -> Result<Vec<Message>, Malformed> {
    let (found, is_cut) = whole_messages(set)?;
    if is_cut {
        return Err(Malformed("a message is cut"));
    }
    if found.iter().any(|message| message.magic > 1) {
        return Err(Malformed("a message of another magic"));
    }
    Ok(found)
}

/// The messages of a set that are whole, wrappers as they are; and whether one that is cut follows.
///
/// # Errors
/// Bytes that are no message set.
pub fn whole_messages(set: &Bytes) -> Result<(Vec<Message>, bool), Malformed> {
    let mut reader = Reader::new(set);
    let mut found = Vec::new();
    while !reader.is_empty() {
        match Message::decode(&mut reader, set)? {
            Some(message) => found.push(message),
            None => return Ok((found, true)),
        }
    }
    Ok((found, false))
}
