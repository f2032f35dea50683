//! Bytes in: a stream, cut anywhere, becomes frames.
//!
//! Owns: the bytes of a frame that is not complete. Invariants B1, B2: no more is allocated than
//! arrived, and a length beyond the limit ends the connection.

use crate::counted::counted;
use core::fmt;
use std::borrow::Cow;

/// Bytes of the length in front of each frame.
const LENGTH_BYTES: usize = 4;
/// A frame holds at least its correlation id.
const FRAME_BYTES_MIN: usize = 4;

/// Assembles frames.
#[derive(Debug)]
pub(crate) struct Frames {
    frame_bytes_max: usize,
    /// What arrived of the frame under way, its length included.
    partial: Vec<u8>,
}

/// The stream is no Kafka stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameError {
    /// The first bytes are those of a TLS record.
    Tls,
    /// The first bytes are those of an HTTP answer.
    Http,
    /// The length is below 4, negative included.
    TooShort(i32),
    /// The length exceeds `receive_message_max_bytes`.
    TooLong {
        frame_bytes: usize,
        limit_bytes: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls => {
                f.write_str("the broker speaks TLS on this port: set security_protocol=SSL")
            }
            Self::Http => f.write_str("an HTTP server answers on this port"),
            Self::TooShort(length) => write!(f, "a frame of {}", counted(length, "byte")),
            Self::TooLong {
                frame_bytes,
                limit_bytes,
            } => write!(
                f,
                "a frame of {frame_bytes} bytes; receive_message_max_bytes is {limit_bytes}"
            ),
        }
    }
}

impl Frames {
    pub(crate) fn new(frame_bytes_max: usize) -> Self {
        Self {
            frame_bytes_max,
            partial: Vec::new(),
        }
    }

    /// Takes bytes from the front of `bytes` until a frame is complete, and returns it without its
    /// length; `None` when all bytes are taken.
    pub(crate) fn next<'a>(
        &mut self,
        bytes: &mut &'a [u8],
    ) -> Result<Option<Cow<'a, [u8]>>, FrameError> {
        if self.partial.is_empty()
            && let Some(length) = bytes.first_chunk::<LENGTH_BYTES>()
        {
            let end = LENGTH_BYTES + self.frame_bytes(*length)?;
            if let Some((frame, rest)) = bytes.split_at_checked(end) {
                *bytes = rest;
                return Ok(Some(Cow::Borrowed(&frame[LENGTH_BYTES..])));
            }
        }
        self.fill(LENGTH_BYTES, bytes);
        let Some(length) = self.partial.first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let end = LENGTH_BYTES + self.frame_bytes(*length)?;
        self.fill(end, bytes);
        if self.partial.len() < end {
            return Ok(None);
        }
        let mut frame = core::mem::take(&mut self.partial);
        frame.drain(..LENGTH_BYTES);
        Ok(Some(Cow::Owned(frame)))
    }

    /// Moves bytes into `partial` until it holds `end` of them.
    fn fill(&mut self, end: usize, bytes: &mut &[u8]) {
        let missing = end.saturating_sub(self.partial.len());
        let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
        self.partial.extend_from_slice(taken);
        *bytes = rest;
    }

    fn frame_bytes(&self, length: [u8; LENGTH_BYTES]) -> Result<usize, FrameError> {
        match length {
            [0x15 | 0x16, 0x03, _, _] => return Err(FrameError::Tls),
            [b'H', b'T', b'T', b'P'] => return Err(FrameError::Http),
            _ => {}
        }
        let length = i32::from_be_bytes(length);
        let frame_bytes = usize::try_from(length).unwrap_or(0);
        if frame_bytes < FRAME_BYTES_MIN {
            return Err(FrameError::TooShort(length));
        }
        if frame_bytes > self.frame_bytes_max {
            return Err(FrameError::TooLong {
                frame_bytes,
                limit_bytes: self.frame_bytes_max,
            });
        }
        Ok(frame_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames_of(stream: &[u8], chunk_bytes: usize) -> Result<Vec<Vec<u8>>, FrameError> {
        let (mut frames, mut found) = (Frames::new(100), Vec::new());
        for mut chunk in stream.chunks(chunk_bytes) {
            while let Some(frame) = frames.next(&mut chunk)? {
                found.push(frame.into_owned());
            }
        }
        Ok(found)
    }

    #[test]
    fn any_chunking_gives_the_same_frames() {
        let stream = b"\0\0\0\x04abcd\0\0\0\x06efghij\0\0\0\x05klmno";
        let whole = frames_of(stream, stream.len());
        assert_eq!(whole.as_ref().map(Vec::len), Ok(3));
        for chunk_bytes in 1..stream.len() {
            assert_eq!(
                frames_of(stream, chunk_bytes),
                whole,
                "chunks of {chunk_bytes}"
            );
        }
    }

    #[test]
    fn absurd_lengths_and_foreign_protocols_are_named() {
        assert_eq!(frames_of(b"\0\0\0\x03abc", 9), Err(FrameError::TooShort(3)));
        assert_eq!(
            frames_of(b"\xff\xff\xff\xff", 1),
            Err(FrameError::TooShort(-1))
        );
        let too_long = FrameError::TooLong {
            frame_bytes: 101,
            limit_bytes: 100,
        };
        assert_eq!(frames_of(b"\0\0\0\x65", 2), Err(too_long));
        assert_eq!(frames_of(b"\x15\x03\x03\x00\x02", 5), Err(FrameError::Tls));
        assert_eq!(frames_of(b"HTTP/1.1 400", 3), Err(FrameError::Http));
    }
}
