//! One accepted connection: answers on their way out.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use titorelli_sim::cluster::PeerId;

/// A client that leaves more answers unread than this, in bytes, is cut off: memory is bounded.
const OUTBOX_BYTES_MAX: usize = 16 << 20;
/// As many answers go into one system call.
const SLICES_MAX: usize = 64;

/// The server's end of one connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    pub(crate) peer: PeerId,
    outbox: VecDeque<Bytes>,
    /// Invariant: the sum of the lengths in `outbox`.
    outbox_bytes: usize,
    /// The cluster wants it closed once `outbox` is empty.
    is_closing: bool,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Keep,
    Drop,
}

impl Connection {
    pub(crate) const fn new(stream: TcpStream, peer: PeerId) -> Self {
        Self {
            stream,
            peer,
            outbox: VecDeque::new(),
            outbox_bytes: 0,
            is_closing: false,
        }
    }

    pub(crate) fn queue(&mut self, bytes: Bytes) {
        self.outbox_bytes += bytes.len();
        self.outbox.push_back(bytes);
    }

    pub(crate) const fn close_when_written(&mut self) {
        self.is_closing = true;
    }

    /// Writes as much as the socket takes.
    pub(crate) fn write(&mut self) -> Fate {
        while !self.outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (slice, bytes) in slices.iter_mut().zip(&self.outbox) {
                *slice = IoSlice::new(bytes);
                count += 1;
            }
            match self.stream.write_vectored(&slices[..count]) {
                Ok(0) => return Fate::Drop,
                Ok(written) => self.written(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let is_stuck = self.outbox_bytes > OUTBOX_BYTES_MAX;
                    return if is_stuck { Fate::Drop } else { Fate::Keep };
                }
                Err(_) => return Fate::Drop,
            }
        }
        if self.is_closing {
            Fate::Drop
        } else {
            Fate::Keep
        }
    }

    fn written(&mut self, mut count: usize) {
        assert!(
            count <= self.outbox_bytes,
            "no more is written than was there"
        );
        self.outbox_bytes -= count;
        while let Some(front) = self.outbox.front_mut() {
            if count < front.len() {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.outbox.pop_front();
        }
    }
}
