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
