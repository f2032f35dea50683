//! Writes requests: everything written was checked where it came in.

use bytes::Bytes;

use crate::wire::uuid::Uuid;

/// Appends the primitive types of the protocol to one growing frame.
#[derive(Debug)]
pub(in crate::wire) struct Writer {
    /// The frame so far; its first 4 bytes become the length.
    out: Vec<u8>,
    /// Whether lengths are compact and structures end with tagged fields.
    flexible: bool,
}

impl Writer {
    /// An empty frame: 4 bytes for its length, non-flexible so far.
    pub(in crate::wire) fn frame() -> Self {
        let mut out = Vec::with_capacity(256);
        out.extend_from_slice(&[0; 4]);
        Self {
            out,
            flexible: false,
        }
    }

    pub(in crate::wire) fn set_flexible(&mut self, flexible: bool) {
        self.flexible = flexible;
    }

    /// Room for so many bytes more, in one allocation.
    pub(in crate::wire) fn reserve(&mut self, additional: usize) {
        self.out.reserve(additional);
    }

    /// Bytes written so far, with the 4 of the length.
    pub(in crate::wire) fn written(&self) -> usize {
        self.out.len()
    }

    /// The frame, its length filled in; `elsewhere` bytes of it do not pass through here.
    pub(in crate::wire) fn finish(mut self, elsewhere: usize) -> Bytes {
        let length = i32::try_from(self.out.len() - 4 + elsewhere)
            .expect("a request is at most 2 GiB: batches are bounded where they are drained");
        self.out[..4].copy_from_slice(&length.to_be_bytes());
        Bytes::from(self.out)
    }

    pub(in crate::wire) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(in crate::wire) fn bool(&mut self, value: bool) {
        self.out.push(u8::from(value));
    }

    pub(in crate::wire) fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    pub(in crate::wire) fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    pub(in crate::wire) fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    pub(in crate::wire) fn uuid(&mut self, value: Uuid) {
        self.raw(&value.0);
    }

    fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        self.out.push((value & 0x7f) as u8);
    }

    /// The length of a byte string or the count of an array; `None` is null.
    pub(in crate::wire) fn length(&mut self, length: Option<usize>) {
        let length = length.map(|length| {
            i32::try_from(length).expect("a count or length in a request fits 31 bits")
        });
        match (self.flexible, length) {
            (true, None) => self.unsigned_varint(0),
            (true, Some(length)) => self.unsigned_varint(length.unsigned_abs() + 1),
            (false, None) => self.i32(-1),
            (false, Some(length)) => self.i32(length),
        }
    }

    pub(in crate::wire) fn nullable_string(&mut self, text: Option<&str>) {
        let length = text.map(|text| {
            i16::try_from(text.len()).expect("a string in a request has at most 32,767 bytes")
        });
        match (self.flexible, length) {
            (true, None) => self.unsigned_varint(0),
            (true, Some(length)) => self.unsigned_varint(u32::from(length.unsigned_abs()) + 1),
            (false, None) => self.i16(-1),
            (false, Some(length)) => self.i16(length),
        }
        self.raw(text.unwrap_or_default().as_bytes());
    }

    pub(in crate::wire) fn string(&mut self, text: &str) {
        self.nullable_string(Some(text));
    }

    /// The end of a structure: zero tagged fields; nothing in non-flexible versions.
    pub(in crate::wire) fn no_tags(&mut self) {
        if self.flexible {
            self.out.push(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written behind the 4 bytes of the length.
    fn written(flexible: bool, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut w = Writer::frame();
        w.set_flexible(flexible);
        write(&mut w);
        w.finish(0)[4..].to_vec()
    }

    #[test]
    fn lengths_have_two_notations() {
        assert_eq!(written(false, |w| w.string("ab")), b"\0\x02ab");
        assert_eq!(written(true, |w| w.string("ab")), b"\x03ab");
        assert_eq!(written(false, |w| w.nullable_string(None)), [0xff, 0xff]);
        assert_eq!(written(true, |w| w.nullable_string(None)), [0]);
        assert_eq!(written(false, |w| w.length(Some(300))), [0, 0, 1, 44]);
        assert_eq!(written(true, |w| w.length(Some(300))), [0xad, 2]);
        assert_eq!(written(false, |w| w.length(None)), [0xff; 4]);
        assert_eq!(written(true, |w| w.length(None)), [0]);
        assert_eq!(written(true, |w| w.length(Some(126))), [127]);
        assert_eq!(written(true, |w| w.length(Some(127))), [0x80, 1]);
        assert_eq!(written(false, Writer::no_tags), []);
        assert_eq!(written(true, Writer::no_tags), [0]);
    }

    #[test]
    fn the_longest_string_can_be_written_in_both_notations() {
        let longest = "x".repeat(crate::wire::STRING_BYTES_MAX);
        assert_eq!(
            written(false, |w| w.string(&longest)).len(),
            2 + longest.len()
        );
        assert_eq!(
            written(true, |w| w.string(&longest)).len(),
            3 + longest.len()
        );
    }

    #[test]
    fn the_length_counts_what_does_not_pass_through_the_writer() {
        let mut w = Writer::frame();
        w.i16(1);
        assert_eq!(w.finish(1_000)[..], [0, 0, 3, 0xea, 0, 1]);
    }
}
