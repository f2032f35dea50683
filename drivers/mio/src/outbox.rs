//! What is to be written on a connection, in order.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Bytes that wait for the transport, front first.
#[derive(Default)]
pub(crate) struct Outbox {
    chunks: VecDeque<Bytes>,
}

impl Outbox {
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.chunks.push_back(bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Lends the front, as far as `slices` and `bytes_max` reach; returns how many slices that is.
    pub(crate) fn lend<'a>(&'a self, slices: &mut [IoSlice<'a>], bytes_max: usize) -> usize {
        let (mut room, mut count) = (bytes_max, 0);
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            if room == 0 {
                break;
            }
            let bytes = room.min(chunk.len());
            *slice = IoSlice::new(&chunk[..bytes]);
            room -= bytes;
            count += 1;
        }
        count
    }

    /// Takes `written` bytes off the front.
    pub(crate) fn advance(&mut self, mut written: usize) {
        while let Some(front) = self.chunks.front_mut() {
            if written < front.len() {
                front.advance(written);
                return;
            }
            written -= front.len();
            self.chunks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(chunks: &[&'static str]) -> Outbox {
        let chunks = chunks
            .iter()
            .map(|text| Bytes::from_static(text.as_bytes()));
        Outbox {
            chunks: chunks.collect(),
        }
    }

    fn lent(outbox: &Outbox, slices_max: usize, bytes_max: usize) -> Vec<Vec<u8>> {
        let mut slices = vec![IoSlice::new(&[]); slices_max];
        let count = outbox.lend(&mut slices, bytes_max);
        slices[..count].iter().map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn a_short_write_leaves_exactly_the_rest() {
        let mut outbox = outbox(&["abc", "", "defg", "h"]);
        outbox.advance(5);
        assert_eq!(outbox.chunks, ["fg", "h"]);
        outbox.advance(3);
        assert!(outbox.is_empty());
    }

    #[test]
    fn the_front_is_lent_as_far_as_there_is_room() {
        let outbox = outbox(&["abc", "", "defg", "h"]);
        let whole: [&[u8]; 4] = [b"abc", b"", b"defg", b"h"];
        assert_eq!(lent(&outbox, 4, usize::MAX), whole);
        assert_eq!(lent(&outbox, 3, usize::MAX), whole[..3]);
        assert_eq!(lent(&outbox, 4, 8), whole);
        assert_eq!(lent(&outbox, 4, 7), whole[..3]);
        assert_eq!(lent(&outbox, 4, 6), [&b"abc"[..], b"", b"def"]);
        assert_eq!(lent(&outbox, 4, 4), [&b"abc"[..], b"", b"d"]);
        assert_eq!(lent(&outbox, 4, 2), [b"ab"]);
    }
}
