//! Reads what a peer sent: trusts nothing.

use core::fmt;

use crate::counted::counted;
use crate::wire::uuid::Uuid;

/// Bytes of a peer that are not what the protocol says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What was being read: the field's name.
    pub what: &'static str,
    /// Where it begins: bytes from the correlation id of the frame.
    pub at: usize,
    /// What is wrong with it.
    pub why: Malformed,
}

/// What can be wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The field needs more bytes than the frame has left.
    CutShort {
        /// Bytes that the field needs.
        needed: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// The array has more elements than the bytes that are left could hold.
    TooManyElements {
        /// Elements that the array claims.
        count: usize,
        /// Bytes that are left.
        left: usize,
    },
    /// A length or count is negative, other than null's -1.
    NegativeLength(i32),
    /// Null where the protocol does not allow it.
    Null,
    /// A varint of more than 32 bits.
    VarintTooLong,
    /// A string that is not UTF-8.
    NotUtf8,
    /// A string longer than it can be.
    TooLong {
        /// Its length.
        bytes: usize,
        /// The longest that is legal.
        bytes_max: usize,
    },
    /// Bytes after the end of the message or tagged field.
    BytesLeft(usize),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed {} at byte {}: ", self.what, self.at)?;
        match self.why {
            Malformed::CutShort { needed, left } => {
                write!(f, "needs {}, {left} left", counted(needed, "byte"))
            }
            Malformed::TooManyElements { count, left } => {
                let (elements, room) = (counted(count, "element"), counted(left, "byte"));
                write!(f, "{elements} cannot fit into the {room} left")
            }
            Malformed::NegativeLength(length) => write!(f, "length {length}"),
            Malformed::Null => f.write_str("null"),
            Malformed::VarintTooLong => f.write_str("varint of more than 32 bits"),
            Malformed::NotUtf8 => f.write_str("not UTF-8"),
            Malformed::TooLong { bytes, bytes_max } => {
                write!(f, "{}, at most {bytes_max} legal", counted(bytes, "byte"))
            }
            Malformed::BytesLeft(left) => {
                write!(f, "{} left behind its end", counted(left, "byte"))
            }
        }
    }
}

impl core::error::Error for DecodeError {}

/// A cursor over one frame, or over one tagged field of it.
#[derive(Clone, Debug)]
pub(in crate::wire) struct Reader<'a> {
    /// The frame up to where this reader may read.
    bytes: &'a [u8],
    /// The next byte; at most `bytes.len()`.
    at: usize,
    /// Whether lengths are compact and structures end with tagged fields.
    flexible: bool,
}

impl<'a> Reader<'a> {
    pub(in crate::wire) fn new(frame: &'a [u8], flexible: bool) -> Self {
        Self {
            bytes: frame,
            at: 0,
            flexible,
        }
    }

    /// The same position, read in non-flexible notation.
    pub(in crate::wire) fn non_flexible(&self) -> Self {
        Self {
            flexible: false,
            ..self.clone()
        }
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn malformed(&self, what: &'static str, why: Malformed) -> DecodeError {
        DecodeError {
            what,
            at: self.at,
            why,
        }
    }

    fn take(&mut self, what: &'static str, needed: usize) -> Result<&'a [u8], DecodeError> {
        let left = self.left();
        if needed > left {
            return Err(self.malformed(what, Malformed::CutShort { needed, left }));
        }
        let taken = &self.bytes[self.at..self.at + needed];
        self.at += needed;
        Ok(taken)
    }

    fn take_array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(what, N)?);
        Ok(array)
    }

    pub(in crate::wire) fn i16(&mut self, what: &'static str) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.take_array(what)?))
    }

    pub(in crate::wire) fn i32(&mut self, what: &'static str) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.take_array(what)?))
    }

    pub(in crate::wire) fn i64(&mut self, what: &'static str) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.take_array(what)?))
    }

    /// Any byte but 0 is true, as in Java (`Type.BOOLEAN`).
    pub(in crate::wire) fn bool(&mut self, what: &'static str) -> Result<bool, DecodeError> {
        let [byte] = self.take_array(what)?;
        Ok(byte != 0)
    }

    pub(in crate::wire) fn uuid(&mut self, what: &'static str) -> Result<Uuid, DecodeError> {
        Ok(Uuid(self.take_array(what)?))
    }

    fn unsigned_varint(&mut self, what: &'static str) -> Result<u32, DecodeError> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = self.take_array(what)?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return u32::try_from(value).map_err(|_| DecodeError {
                    what,
                    at: start,
                    why: Malformed::VarintTooLong,
                });
            }
        }
        Err(DecodeError {
            what,
            at: start,
            why: Malformed::VarintTooLong,
        })
    }

    /// A length or count; `None` is null. `bits_16`: of a string, in non-flexible versions.
    fn length(&mut self, what: &'static str, bits_16: bool) -> Result<Option<usize>, DecodeError> {
        let start = self.at;
        let length = if self.flexible {
            i64::from(self.unsigned_varint(what)?) - 1
        } else if bits_16 {
            i64::from(self.i16(what)?)
        } else {
            i64::from(self.i32(what)?)
        };
        if length == -1 {
            return Ok(None);
        }
        usize::try_from(length).map(Some).map_err(|_| DecodeError {
            what,
            at: start,
            why: Malformed::NegativeLength(i32::try_from(length).unwrap_or(i32::MIN)),
        })
    }

    pub(in crate::wire) fn nullable_string(
        &mut self,
        what: &'static str,
    ) -> Result<Option<String>, DecodeError> {
        let Some(length) = self.length(what, true)? else {
            return Ok(None);
        };
        let start = self.at;
        let bytes = self.take(what, length)?;
        match core::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(DecodeError {
                what,
                at: start,
                why: Malformed::NotUtf8,
            }),
        }
    }

    pub(in crate::wire) fn string(&mut self, what: &'static str) -> Result<String, DecodeError> {
        let start = self.at;
        let text = self.nullable_string(what)?;
        text.ok_or(DecodeError {
            what,
            at: start,
            why: Malformed::Null,
        })
    }

    /// A string that may not be null, nor longer than this.
    pub(in crate::wire) fn bounded_string(
        &mut self,
        what: &'static str,
        bytes_max: usize,
    ) -> Result<String, DecodeError> {
        let start = self.at;
        let text = self.string(what)?;
        let why = Malformed::TooLong {
            bytes: text.len(),
            bytes_max,
        };
        if text.len() <= bytes_max {
            Ok(text)
        } else {
            Err(DecodeError {
                what,
                at: start,
                why,
            })
        }
    }

    /// An array which may not be null. `element_bytes_min`: no element of it is ever shorter.
    pub(in crate::wire) fn array<T>(
        &mut self,
        what: &'static str,
        element_bytes_min: usize,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        assert!(
            element_bytes_min > 0,
            "a count of empty elements would have no bound"
        );
        let start = self.at;
        let Some(count) = self.length(what, false)? else {
            return Err(DecodeError {
                what,
                at: start,
                why: Malformed::Null,
            });
        };
        let left = self.left();
        if count > left / element_bytes_min {
            let why = Malformed::TooManyElements { count, left };
            return Err(DecodeError {
                what,
                at: start,
                why,
            });
        }
        let mut elements = Vec::with_capacity(count_to_reserve::<T>(count, left));
        for _ in 0..count {
            elements.push(element(self)?);
        }
        Ok(elements)
    }

    pub(in crate::wire) fn array_of_i32(
        &mut self,
        what: &'static str,
    ) -> Result<Vec<i32>, DecodeError> {
        self.array(what, 4, |r| r.i32(what))
    }

    /// The tagged fields at the end of a structure; nothing in non-flexible versions.
    ///
    /// `known` reads the field of a tag and says so with `true`; the others are skipped. Order
    /// and repetition are not checked, as brokers and Java do not either.
    pub(in crate::wire) fn tags(
        &mut self,
        what: &'static str,
        mut known: impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        if !self.flexible {
            return Ok(());
        }
        let start = self.at;
        let count = self.unsigned_varint(what)? as usize;
        let left = self.left();
        // A tag and a size: two bytes at least.
        if count > left / 2 {
            let why = Malformed::TooManyElements { count, left };
            return Err(DecodeError {
                what,
                at: start,
                why,
            });
        }
        for _ in 0..count {
            let tag = self.unsigned_varint(what)?;
            let size = self.unsigned_varint(what)? as usize;
            let field_at = self.at;
            self.take(what, size)?;
            let mut field = Self {
                bytes: &self.bytes[..self.at],
                at: field_at,
                ..*self
            };
            if known(tag, &mut field)? {
                field.end(what)?;
            }
        }
        Ok(())
    }

    pub(in crate::wire) fn skip_tags(&mut self, what: &'static str) -> Result<(), DecodeError> {
        self.tags(what, |_, _| Ok(false))
    }

    /// That nothing is left. No broker sends more than the message (nor does any captured one).
    pub(in crate::wire) fn end(&self, what: &'static str) -> Result<(), DecodeError> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.malformed(what, Malformed::BytesLeft(left))),
        }
    }
}

/// For how many of `count` elements room is made before the first is read: they never take more
/// memory than what is left to read, whatever the count claims (B2).
fn count_to_reserve<T>(count: usize, left: usize) -> usize {
    count.min(left / size_of::<T>().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a call reads better without the `&`"
    )]
    fn check<T: PartialEq + fmt::Debug>(
        flexible: bool,
        bytes: &[u8],
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, DecodeError>,
        expected: Result<T, Malformed>,
    ) {
        let mut r = Reader::new(bytes, flexible);
        let decoded = read(&mut r).and_then(|value| r.end("end").map(|()| value));
        assert_eq!(decoded.map_err(|error| error.why), expected);
    }

    #[test]
    fn a_count_reserves_no_more_memory_than_there_are_bytes() {
        assert_eq!(count_to_reserve::<[u8; 100]>(5, 1_000), 5);
        assert_eq!(count_to_reserve::<[u8; 100]>(1_000, 1_000), 10);
        assert_eq!(count_to_reserve::<i32>(250, 1_000), 250);
        assert_eq!(count_to_reserve::<()>(250, 1_000), 250);
    }

    #[test]
    fn integers_are_big_endian() {
        check(false, &[0x81, 2], |r| r.i16("x"), Ok(-0x7efe));
        check(false, &[1, 2, 3, 4], |r| r.i32("x"), Ok(0x0102_0304));
        check(
            false,
            &[1, 2, 3, 4, 5, 6, 7, 8],
            |r| r.i64("x"),
            Ok(0x0102_0304_0506_0708),
        );
        check(false, &[2], |r| r.bool("x"), Ok(true));
        check(
            false,
            &[0; 3],
            |r| r.i32("x"),
            Err(Malformed::CutShort { needed: 4, left: 3 }),
        );
    }

    #[test]
    fn a_string_has_two_notations() {
        check(false, b"\0\x02ab", |r| r.string("x"), Ok("ab".to_owned()));
        check(true, b"\x03ab", |r| r.string("x"), Ok("ab".to_owned()));
        check(false, &[0xff, 0xff], |r| r.nullable_string("x"), Ok(None));
        check(true, &[0], |r| r.nullable_string("x"), Ok(None));
        check(
            false,
            &[0xff, 0xff],
            |r| r.string("x"),
            Err(Malformed::Null),
        );
        check(true, &[0], |r| r.string("x"), Err(Malformed::Null));
        check(
            false,
            &[0xff, 0xfe],
            |r| r.string("x"),
            Err(Malformed::NegativeLength(-2)),
        );
        check(true, &[2, 0xff], |r| r.string("x"), Err(Malformed::NotUtf8));
        check(
            true,
            b"\x03a",
            |r| r.string("x"),
            Err(Malformed::CutShort { needed: 2, left: 1 }),
        );
        let long = Malformed::TooLong {
            bytes: 2,
            bytes_max: 1,
        };
        check(true, b"\x03ab", |r| r.bounded_string("x", 1), Err(long));
        check(
            true,
            b"\x03ab",
            |r| r.bounded_string("x", 2),
            Ok("ab".to_owned()),
        );
    }

    #[test]
    fn a_varint_has_at_most_32_bits() {
        check(
            true,
            &[0xff, 0xff, 0xff, 0xff, 0x0f],
            |r| r.unsigned_varint("x"),
            Ok(u32::MAX),
        );
        let too_long = Err(Malformed::VarintTooLong);
        check(
            true,
            &[0xff, 0xff, 0xff, 0xff, 0x1f],
            |r| r.unsigned_varint("x"),
            too_long,
        );
        check(
            true,
            &[0x80; 6],
            |r| r.unsigned_varint("x"),
            Err(Malformed::VarintTooLong),
        );
        // Longer than it need be: Java reads that as well.
        check(true, &[0x81, 0x00], |r| r.unsigned_varint("x"), Ok(1));
    }

    #[test]
    fn an_array_is_never_larger_than_what_is_left() {
        check(
            false,
            &[0, 0, 0, 1, 0, 0, 0, 9],
            |r| r.array_of_i32("x"),
            Ok(vec![9]),
        );
        check(true, &[2, 0, 0, 0, 9], |r| r.array_of_i32("x"), Ok(vec![9]));
        check(false, &[0, 0, 0, 0], |r| r.array_of_i32("x"), Ok(vec![]));
        check(
            false,
            &[0xff; 4],
            |r| r.array_of_i32("x"),
            Err(Malformed::Null),
        );
        check(true, &[0], |r| r.array_of_i32("x"), Err(Malformed::Null));
        let many = Malformed::TooManyElements { count: 2, left: 7 };
        check(
            true,
            &[3, 0, 0, 0, 0, 0, 0, 0],
            |r| r.array_of_i32("x"),
            Err(many),
        );
    }

    #[test]
    fn unknown_tagged_fields_are_skipped_and_known_ones_read_whole() {
        let tag_7 = |tag: u32, r: &mut Reader<'_>| Ok(tag == 7 && r.i16("known").is_ok());
        check(false, &[], |r| r.tags("x", tag_7), Ok(()));
        check(
            true,
            &[2, 5, 3, 0xff, 0xff, 0xff, 7, 2, 0, 1],
            |r| r.tags("x", tag_7),
            Ok(()),
        );
        let left = Err(Malformed::BytesLeft(1));
        check(true, &[1, 7, 3, 0, 1, 2], |r| r.tags("x", tag_7), left);
        let short = Err(Malformed::CutShort { needed: 3, left: 2 });
        check(true, &[1, 7, 3, 0, 1], |r| r.tags("x", tag_7), short);
        let many = Err(Malformed::TooManyElements { count: 2, left: 3 });
        check(true, &[2, 7, 1, 0], |r| r.tags("x", tag_7), many);
    }

    #[test]
    fn a_known_tagged_field_cannot_read_beyond_itself() {
        let bytes = [1, 0, 1, 0, 9, 9, 9];
        let mut r = Reader::new(&bytes, true);
        let error = r
            .tags("x", |_, r| r.i32("field").map(|_| true))
            .unwrap_err();
        assert_eq!((error.what, error.at), ("field", 3));
        assert_eq!(error.why, Malformed::CutShort { needed: 4, left: 1 });
    }

    #[test]
    fn an_error_says_what_where_and_why() {
        let mut r = Reader::new(&[0, 0, 0, 1, 0], false);
        r.i32("correlation_id").unwrap();
        let error = r.i16("error_code").unwrap_err();
        assert_eq!(
            error.to_string(),
            "malformed error_code at byte 4: needs 2 bytes, 1 left"
        );
    }
}
