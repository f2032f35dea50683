//! Which plaintext left, told by how much ciphertext left.
//!
//! While the connection lives, plaintext counts as sent when the record that carries it has left
//! whole: nobody can read less. When the connection ends, every byte counts whose ciphertext may
//! have left, although nobody should be able to read it (invariants S2, S12). With acks=0 that is
//! no weaker than plain TCP, where what the system took over may be lost as well.

use std::collections::VecDeque;

/// In front of the ciphertext of a record's first byte there are at least these.
const HEADER_BYTES: u64 = 5;

/// The account of one connection.
#[derive(Default)]
pub(super) struct Ledger {
    /// Pieces of plaintext whose ciphertext has not left whole, oldest first.
    pieces: VecDeque<Piece>,
    /// Bytes of ciphertext that left.
    left: u64,
    /// Plaintext that left whole and was not taken note of.
    whole: usize,
}

/// Plaintext that was encrypted together.
struct Piece {
    plain_bytes: usize,
    /// Where its ciphertext begins and ends in the stream of ciphertext.
    begins_at: u64,
    ends_at: u64,
}

impl Ledger {
    /// Plaintext was encrypted: the ciphertext that waits grew from `before` to `after` bytes.
    pub(super) fn on_encrypted(&mut self, plain_bytes: usize, before: usize, after: usize) {
        assert!(plain_bytes > 0, "an empty piece says nothing");
        assert!(after - before > plain_bytes, "a record has a header");
        self.pieces.push_back(Piece {
            plain_bytes,
            begins_at: self.left + before as u64,
            ends_at: self.left + after as u64,
        });
    }

    /// So much more ciphertext left.
    pub(super) fn on_left(&mut self, bytes: usize) {
        self.left += bytes as u64;
        while let Some(piece) = self.pieces.front()
            && piece.ends_at <= self.left
        {
            self.whole += piece.plain_bytes;
            self.pieces.pop_front();
        }
    }

    /// Plaintext that left whole since this was last asked.
    pub(super) fn take_whole(&mut self) -> usize {
        std::mem::take(&mut self.whole)
    }

    /// Plaintext that may have left and was not told by [`take_whole`](Self::take_whole), now that
    /// nothing more leaves.
    pub(super) fn take_last(&mut self) -> usize {
        let partial = self.pieces.front().map_or(0, |piece| {
            let ciphertext = self.left.saturating_sub(piece.begins_at + HEADER_BYTES);
            let bytes = usize::try_from(ciphertext).unwrap_or(usize::MAX);
            bytes.min(piece.plain_bytes)
        });
        self.pieces.clear();
        self.take_whole() + partial
    }

    /// Whether no plaintext waits to leave.
    pub(super) fn is_clear(&self) -> bool {
        self.pieces.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pieces behind 7 bytes of a handshake: of 10 bytes in 32, and of 4 in 26.
    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        ledger.on_encrypted(10, 7, 39);
        ledger.on_encrypted(4, 39, 65);
        ledger
    }

    #[test]
    fn plaintext_counts_when_its_record_left_whole() {
        let mut ledger = ledger();
        for (bytes, expected) in [(7, 0), (31, 0), (1, 10), (25, 0), (1, 4)] {
            ledger.on_left(bytes);
            assert_eq!(ledger.take_whole(), expected);
        }
        assert!(ledger.is_clear());
        assert_eq!(ledger.take_last(), 0);
    }

    #[test]
    fn at_the_end_every_byte_counts_whose_ciphertext_may_have_left() {
        for (left, expected) in [
            (0, 0),
            (7, 0),
            (12, 0),
            (13, 1),
            (20, 8),
            (21, 9),
            (22, 10),
            (38, 10),
            (39, 10),
            (44, 10),
            (45, 11),
            (47, 13),
            (48, 14),
            (64, 14),
            (65, 14),
        ] {
            let mut ledger = ledger();
            ledger.on_left(left);
            assert_eq!(ledger.take_last(), expected, "{left} bytes left");
            assert_eq!(ledger.take_last(), 0, "it is told once");
        }
    }
}
