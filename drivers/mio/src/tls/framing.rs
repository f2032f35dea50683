//! Where the incoming stream is: between two TLS records, or inside one.

use std::io::{self, Read};

/// Type, version and length.
const HEADER_BYTES: usize = 5;

/// Follows the headers of the records that arrive. Whether they make sense is for others to judge.
#[derive(Default)]
pub(super) struct Framing {
    header: [u8; HEADER_BYTES],
    /// How much of the header arrived; less than all of it.
    header_bytes: usize,
    /// How much of the record's body is missing; 0 unless the header is complete.
    missing: usize,
}

impl Framing {
    fn on_bytes(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.missing > 0 {
                let skipped = self.missing.min(bytes.len());
                self.missing -= skipped;
                bytes = &bytes[skipped..];
                continue;
            }
            self.header[self.header_bytes] = *first;
            self.header_bytes += 1;
            if self.header_bytes == HEADER_BYTES {
                self.header_bytes = 0;
                self.missing = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
            }
            bytes = rest;
        }
    }

    /// Whether the stream ended would cut a record.
    pub(super) fn is_inside_record(&self) -> bool {
        self.header_bytes > 0 || self.missing > 0
    }

    /// Reads from `transport`, and follows.
    pub(super) fn follow<'a, T: Read>(&'a mut self, transport: &'a mut T) -> Followed<'a, T> {
        Followed {
            framing: self,
            transport,
        }
    }
}

/// A transport whose records are followed.
pub(super) struct Followed<'a, T> {
    framing: &'a mut Framing,
    transport: &'a mut T,
}

impl<T: Read> Read for Followed<'_, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.transport.read(buffer)?;
        self.framing.on_bytes(&buffer[..bytes]);
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where `stream` may end without cutting a record, by the sizes of its chunks.
    fn gaps(stream: &[u8], chunk_bytes: usize) -> Vec<usize> {
        let (mut framing, mut at, mut gaps) = (Framing::default(), 0, Vec::new());
        for chunk in stream.chunks(chunk_bytes) {
            framing.on_bytes(chunk);
            at += chunk.len();
            if !framing.is_inside_record() {
                gaps.push(at);
            }
        }
        gaps
    }

    #[test]
    fn the_end_of_a_record_is_known_in_any_chunking() {
        let stream = b"\x17\x03\x03\x00\x02ab\x17\x03\x03\x00\x00\x15\x03\x03\x00\x01c";
        assert_eq!(gaps(stream, 1), [7, 12, 18]);
        assert_eq!(gaps(stream, 6), [12, 18]);
        assert_eq!(gaps(stream, 7), [7, 18]);
        assert_eq!(gaps(stream, stream.len()), [18]);
        assert_eq!(gaps(&stream[..17], 17), [0; 0]);
    }
}
