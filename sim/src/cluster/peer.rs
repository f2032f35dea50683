//! One connection as the broker sees it: bytes become frames.

use bytes::{Buf, Bytes, BytesMut};

use super::config::BrokerId;
use super::waiting::Produced;

/// A connection of a client to one broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PeerId(pub u64);

/// Bytes of the length in front of every frame.
const LENGTH_BYTES: usize = 4;
/// The smallest request: api key, version, correlation id, and a null client id.
const FRAME_BYTES_MIN: usize = 10;

/// The broker's end of one connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) broker: BrokerId,
    /// A broker thread that fails on a request neither answers it nor reads further ones.
    pub(super) is_mute: bool,
    /// A request that is not answered yet, and nothing after it read.
    pub(super) waiting: Option<Box<Produced>>,
    /// Bytes of frames that are not whole yet.
    inbox: BytesMut,
}

/// What the inbox holds next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A whole frame, without its length.
    Frame(Bytes),
    /// More bytes are needed.
    Wait,
    /// No frame can follow: the length is out of bounds.
    Broken,
    /// A frame of so many bytes, too few for a request's header.
    Short(usize),
}

impl Peer {
    pub(super) fn new(broker: BrokerId) -> Self {
        Self {
            broker,
            is_mute: false,
            waiting: None,
            inbox: BytesMut::new(),
        }
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if !self.is_mute {
            self.inbox.extend_from_slice(bytes);
        }
    }

    /// Takes the next whole frame out of the inbox.
    pub(super) fn next_frame(&mut self, frame_bytes_max: usize) -> Next {
        let Some(length) = self.inbox.first_chunk::<LENGTH_BYTES>() else {
            return Next::Wait;
        };
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            return Next::Broken;
        };
        if length > frame_bytes_max {
            return Next::Broken;
        }
        if length < FRAME_BYTES_MIN {
            return Next::Short(length);
        }
        if self.inbox.len() < LENGTH_BYTES + length {
            // Room for the rest is not reserved: a length is a promise that costs nothing to make.
            return Next::Wait;
        }
        self.inbox.advance(LENGTH_BYTES);
        Next::Frame(self.inbox.split_to(length).freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_whole_however_the_bytes_came_in() {
        let mut peer = Peer::new(BrokerId(1));
        let stream = [&[0, 0, 0, 10][..], &[7; 10], &[0, 0, 0, 11], &[8; 11]].concat();
        let mut frames = Vec::new();
        for byte in stream {
            peer.extend(&[byte]);
            if let Next::Frame(frame) = peer.next_frame(100) {
                frames.push(frame);
            }
        }
        assert_eq!(
            frames,
            [Bytes::from_static(&[7; 10]), Bytes::from_static(&[8; 11])]
        );
    }

    #[test]
    fn a_length_below_the_header_is_told_at_once() {
        for length in [0_u8, 1, 9] {
            let mut peer = Peer::new(BrokerId(1));
            peer.extend(&[0, 0, 0, length]);
            assert_eq!(peer.next_frame(100), Next::Short(usize::from(length)));
        }
    }

    #[test]
    fn a_length_out_of_bounds_breaks_the_connection_at_once() {
        for length in [-1_i32, i32::MIN, 101, i32::MAX] {
            let mut peer = Peer::new(BrokerId(1));
            peer.extend(&length.to_be_bytes());
            assert_eq!(peer.next_frame(100), Next::Broken, "length {length}");
        }
    }
}
