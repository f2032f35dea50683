//! Bytes to values, with a bound before every step.
//!
//! Owns: the position in a frame. Never: an allocation, a panic, or a read past the end.

use core::fmt;

/// Why bytes could not be read. A real broker closes the connection on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl core::error::Error for Malformed {}

/// A cursor over the bytes of one frame.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    /// What is left to read.
    rest: &'a [u8],
    /// Whether strings, bytes and arrays are compact and structures end with tagged fields
    /// (KIP-482).
    flexible: bool,
}

impl<'a> Reader<'a> {
    /// A reader of `bytes` in the classic layout.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            flexible: false,
        }
    }

    /// Chooses the flexible (KIP-482) or the classic layout for what follows.
    pub const fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// The bytes not read yet.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether everything has been read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// Fewer bytes remain.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count)
            .ok_or(Malformed("shorter than announced"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(Malformed("ends inside a number"))?;
        self.rest = rest;
        Ok(*taken)
    }

    /// One byte.
    ///
    /// # Errors
    /// Nothing remains.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    /// A boolean: zero is false, every other byte is true.
    ///
    /// # Errors
    /// Nothing remains.
    pub fn bool(&mut self) -> Result<bool, Malformed> {
        Ok(self.u8()? != 0)
    }

    /// A big-endian 16-bit integer.
    ///
    /// # Errors
    /// Fewer than 2 bytes remain.
    pub fn i16(&mut self) -> Result<i16, Malformed> {
        self.array().map(i16::from_be_bytes)
    }

    /// A big-endian 32-bit integer.
    ///
    /// # Errors
    /// Fewer than 4 bytes remain.
    pub fn i32(&mut self) -> Result<i32, Malformed> {
        self.array().map(i32::from_be_bytes)
    }

    /// A big-endian unsigned 32-bit integer.
    ///
    /// # Errors
    /// Fewer than 4 bytes remain.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// A big-endian 64-bit integer.
    ///
    /// # Errors
    /// Fewer than 8 bytes remain.
    pub fn i64(&mut self) -> Result<i64, Malformed> {
        self.array().map(i64::from_be_bytes)
    }

    /// A UUID: 16 bytes.
    ///
    /// # Errors
    /// Fewer than 16 bytes remain.
    pub fn uuid(&mut self) -> Result<[u8; 16], Malformed> {
        self.array()
    }

    /// An unsigned variable-length integer of at most 10 bytes and 64 bits.
    fn varint_bits(&mut self, bits_max: u32) -> Result<u64, Malformed> {
        let mut value = 0_u64;
        let mut shift = 0_u32;
        loop {
            let byte = self.u8()?;
            let payload = u64::from(byte & 0x7f);
            let room = bits_max.saturating_sub(shift);
            if room < 7 && payload >> room != 0 {
                return Err(Malformed("variable-length integer too large"));
            }
            value |= payload << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
            shift += 7;
            if shift >= bits_max {
                return Err(Malformed("variable-length integer too long"));
            }
        }
    }

    /// An unsigned variable-length 32-bit integer.
    ///
    /// # Errors
    /// The bytes end, or the number does not fit.
    pub fn uvarint(&mut self) -> Result<u32, Malformed> {
        let value = self.varint_bits(32)?;
        u32::try_from(value).map_err(|_| Malformed("variable-length integer too large"))
    }

    /// A zigzag variable-length 32-bit integer, as record fields use.
    ///
    /// # Errors
    /// The bytes end, or the number does not fit.
    pub fn varint(&mut self) -> Result<i32, Malformed> {
        let raw = self.uvarint()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A zigzag variable-length 64-bit integer, as record timestamps use.
    ///
    /// # Errors
    /// The bytes end, or the number does not fit.
    pub fn varlong(&mut self) -> Result<i64, Malformed> {
        let raw = self.varint_bits(64)?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// A string, compact or classic; null is refused.
    ///
    /// # Errors
    /// Null, too short, or not UTF-8.
    pub fn string(&mut self) -> Result<&'a str, Malformed> {
        self.nullable_string()?
            .ok_or(Malformed("null where a string is required"))
    }

    /// A string or null, compact or classic.
    ///
    /// # Errors
    /// Too short, or not UTF-8.
    pub fn nullable_string(&mut self) -> Result<Option<&'a str>, Malformed> {
        let length = if self.flexible {
            i64::from(self.uvarint()?) - 1
        } else {
            i64::from(self.i16()?)
        };
        self.text(length)
    }

    /// A string or null in the classic layout, whatever the layout of the rest: the client id of a
    /// request header.
    ///
    /// # Errors
    /// Too short, or not UTF-8.
    pub fn classic_nullable_string(&mut self) -> Result<Option<&'a str>, Malformed> {
        let length = i64::from(self.i16()?);
        self.text(length)
    }

    fn text(&mut self, length: i64) -> Result<Option<&'a str>, Malformed> {
        if length == -1 {
            return Ok(None);
        }
        let length = usize::try_from(length).map_err(|_| Malformed("negative string length"))?;
        let bytes = self.take(length)?;
        core::str::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Malformed("not UTF-8"))
    }

    /// Bytes or null, compact or classic.
    ///
    /// # Errors
    /// Too short, or a negative length other than −1.
    pub fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let length = self.length()?;
        length.map(|length| self.take(length)).transpose()
    }

    fn length(&mut self) -> Result<Option<usize>, Malformed> {
        let length = if self.flexible {
            i64::from(self.uvarint()?) - 1
        } else {
            i64::from(self.i32()?)
        };
        if length == -1 {
            return Ok(None);
        }
        usize::try_from(length)
            .map(Some)
            .map_err(|_| Malformed("negative length"))
    }

    /// The number of elements of an array, or null. No more elements are promised than the rest
    /// can hold at `element_bytes_min` each.
    ///
    /// # Errors
    /// A negative count other than −1, or more elements than the remaining bytes can hold.
    pub fn nullable_count(&mut self, element_bytes_min: usize) -> Result<Option<usize>, Malformed> {
        assert!(element_bytes_min > 0, "an element takes at least one byte");
        let Some(count) = self.length()? else {
            return Ok(None);
        };
        if count > self.rest.len() / element_bytes_min {
            return Err(Malformed("more elements than bytes"));
        }
        Ok(Some(count))
    }

    /// As [`Self::nullable_count`]; null is refused.
    ///
    /// # Errors
    /// As there, and null.
    pub fn count(&mut self, element_bytes_min: usize) -> Result<usize, Malformed> {
        self.nullable_count(element_bytes_min)?
            .ok_or(Malformed("null where an array is required"))
    }

    /// Skips the tagged fields at the end of a structure, if the layout is flexible. Unknown,
    /// repeated and unordered tags are skipped as well, as brokers do.
    ///
    /// # Errors
    /// A field is longer than the rest.
    pub fn tags(&mut self) -> Result<(), Malformed> {
        if !self.flexible {
            return Ok(());
        }
        let fields = self.uvarint()?;
        for _ in 0..fields {
            self.uvarint()?;
            let length = self.uvarint()?;
            let length = usize::try_from(length).map_err(|_| Malformed("tag too large"))?;
            self.take(length)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_beyond_the_rest_is_refused_before_any_allocation() {
        let bytes = [0x7f, 0xff, 0xff, 0xff, 1, 2, 3];
        assert_eq!(
            Reader::new(&bytes).count(1),
            Err(Malformed("more elements than bytes"))
        );
    }

    #[test]
    fn zigzag_integers_cover_their_whole_range() {
        let check32 = |bytes: &[u8], value| assert_eq!(Reader::new(bytes).varint(), Ok(value));
        check32(&[0], 0);
        check32(&[1], -1);
        check32(&[2], 1);
        check32(&[0xff, 0xff, 0xff, 0xff, 0x0f], i32::MIN);
        check32(&[0xfe, 0xff, 0xff, 0xff, 0x0f], i32::MAX);
        assert!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0x1f])
                .varint()
                .is_err()
        );
        assert!(
            Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x00])
                .varint()
                .is_err()
        );
        let bytes = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Reader::new(&bytes).varlong(), Ok(i64::MIN));
    }
}
