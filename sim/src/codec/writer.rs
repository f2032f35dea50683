//! Values to bytes; writing cannot fail.

use bytes::Bytes;

/// Most answers fit.
const RESPONSE_BYTES_EXPECTED: usize = 400;

/// The frame under construction. It begins with room for the length, which [`Writer::finish`]
/// fills in.
#[derive(Debug)]
pub struct Writer {
    out: Vec<u8>,
    /// Whether strings and arrays are compact and structures end with tagged fields (KIP-482).
    flexible: bool,
}

impl Writer {
    /// A response frame: length, correlation id and, when `header_tags`, an empty set of tagged
    /// fields (response header v1).
    #[must_use]
    pub fn response(correlation_id: i32, header_tags: bool, flexible: bool) -> Self {
        let mut out = Vec::with_capacity(RESPONSE_BYTES_EXPECTED);
        out.extend([0; 4]);
        let mut writer = Self { out, flexible };
        writer.i32(correlation_id);
        if header_tags {
            writer.out.push(0);
        }
        writer
    }

    /// A bare structure without a frame around it: the content of a tagged field.
    fn bare(flexible: bool) -> Self {
        Self {
            out: Vec::new(),
            flexible,
        }
    }

    /// The frame, with its length in front.
    #[must_use]
    pub fn finish(mut self) -> Bytes {
        let length = i32::try_from(self.out.len() - 4).expect("an answer is far below 2 GiB");
        self.out[..4].copy_from_slice(&length.to_be_bytes());
        Bytes::from(self.out)
    }

    /// One byte.
    pub fn bool(&mut self, value: bool) {
        self.out.push(u8::from(value));
    }

    /// A big-endian 16-bit integer.
    pub fn i16(&mut self, value: i16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// A big-endian 32-bit integer.
    pub fn i32(&mut self, value: i32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// A big-endian 64-bit integer.
    pub fn i64(&mut self, value: i64) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    /// A UUID.
    pub fn uuid(&mut self, value: &[u8; 16]) {
        self.out.extend_from_slice(value);
    }

    /// An unsigned variable-length integer.
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out
                .push(u8::try_from(value & 0x7f).expect("seven bits") | 0x80);
            value >>= 7;
        }
        self.out.push(u8::try_from(value).expect("seven bits"));
    }

    /// A string, compact or classic.
    pub fn string(&mut self, value: &str) {
        self.nullable_string(Some(value));
    }

    /// A string or null, compact or classic.
    pub fn nullable_string(&mut self, value: Option<&str>) {
        match (value, self.flexible) {
            (Some(text), true) => {
                let length = u32::try_from(text.len()).expect("a string is far below 4 GiB");
                self.uvarint(length + 1);
            }
            (Some(text), false) => {
                self.i16(i16::try_from(text.len()).expect("a classic string is below 32 KiB"));
            }
            (None, true) => self.uvarint(0),
            (None, false) => self.i16(-1),
        }
        self.out
            .extend_from_slice(value.unwrap_or_default().as_bytes());
    }

    /// An array: the count, then each element.
    pub fn array<T>(&mut self, elements: &[T], mut element: impl FnMut(&mut Self, &T)) {
        let count = u32::try_from(elements.len()).expect("an array is far below 4 Gi elements");
        if self.flexible {
            self.uvarint(count + 1);
        } else {
            self.i32(count.cast_signed());
        }
        for item in elements {
            element(self, item);
        }
    }

    /// An array of 32-bit integers.
    pub fn i32_array(&mut self, elements: &[i32]) {
        self.array(elements, |writer, element| writer.i32(*element));
    }

    /// The end of a structure without tagged fields: one zero byte if the layout is flexible.
    pub fn no_tags(&mut self) {
        if self.flexible {
            self.out.push(0);
        }
    }

    /// The end of a structure with one tagged field.
    pub fn one_tag(&mut self, tag: u32, content: impl FnOnce(&mut Self)) {
        assert!(
            self.flexible,
            "tagged fields exist in the flexible layout only"
        );
        let mut field = Self::bare(true);
        content(&mut field);
        self.uvarint(1);
        self.uvarint(tag);
        self.uvarint(u32::try_from(field.out.len()).expect("a tagged field is small"));
        self.out.extend_from_slice(&field.out);
    }
}
