//! One TCP connection: every address tried, vectored writes, reads until it would block.

use bytes::{Buf, Bytes};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use titorelli::CloseCause;

/// Slices handed to one vectored write; more per call gain nothing.
const SLICES_MAX: usize = 64;

/// A connection, from its host's addresses on.
pub(crate) struct Socket {
    token: Token,
    stage: Stage,
    /// What is to be written, front first.
    queue: VecDeque<Bytes>,
    /// The transport took less than it was given; it says when it takes more.
    is_blocked: bool,
}

enum Stage {
    Resolving,
    Connecting(Connecting),
    Connected(TcpStream),
}

/// One address is tried; the others wait.
struct Connecting {
    stream: TcpStream,
    address: SocketAddr,
    deadline: Instant,
    left: VecDeque<SocketAddr>,
    /// What the addresses before said.
    failures: String,
    /// The time each address gets.
    patience: Duration,
}

/// How far a connection attempt is.
pub(crate) enum Attempt {
    Pending,
    Established,
    Failed(CloseCause),
}

impl Socket {
    pub(crate) fn new(token: Token) -> Self {
        Self {
            token,
            stage: Stage::Resolving,
            queue: VecDeque::new(),
            is_blocked: false,
        }
    }

    /// When the present address is given up for the next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Connecting(attempt) => Some(attempt.deadline),
            Stage::Resolving | Stage::Connected(_) => None,
        }
    }

    /// Begins with the first address. Each gets its share of `patience`.
    pub(crate) fn connect(
        &mut self,
        addresses: Vec<SocketAddr>,
        patience: Duration,
        registry: &Registry,
    ) -> Attempt {
        let share = patience / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        self.try_next(addresses.into(), String::new(), share, registry)
    }

    fn try_next(
        &mut self,
        mut left: VecDeque<SocketAddr>,
        mut failures: String,
        patience: Duration,
        registry: &Registry,
    ) -> Attempt {
        while let Some(address) = left.pop_front() {
            match open(address, self.token, registry) {
                Ok(stream) => {
                    let deadline = Instant::now() + patience;
                    self.stage = Stage::Connecting(Connecting {
                        stream,
                        address,
                        deadline,
                        left,
                        failures,
                        patience,
                    });
                    return Attempt::Pending;
                }
                Err(error) => note(&mut failures, address, &error),
            }
        }
        Attempt::Failed(CloseCause::Unreachable(failures.into()))
    }

    /// Looks how the attempt went: after an event, or when its deadline passed.
    pub(crate) fn check(&mut self, now: Instant, registry: &Registry) -> Attempt {
        let stage = std::mem::replace(&mut self.stage, Stage::Resolving);
        let Stage::Connecting(attempt) = stage else {
            self.stage = stage;
            return Attempt::Pending;
        };
        let failure = match (attempt.stream.take_error(), attempt.stream.peer_addr()) {
            (Ok(Some(error)) | Err(error), _) => error,
            (Ok(None), Ok(_)) => {
                // Small requests must not wait for the answer to the one before.
                let _ = attempt.stream.set_nodelay(true);
                self.stage = Stage::Connected(attempt.stream);
                return Attempt::Established;
            }
            (Ok(None), Err(_)) if now < attempt.deadline => {
                self.stage = Stage::Connecting(attempt);
                return Attempt::Pending;
            }
            (Ok(None), Err(_)) => io::Error::from(ErrorKind::TimedOut),
        };
        let Connecting {
            mut stream,
            address,
            left,
            mut failures,
            patience,
            ..
        } = attempt;
        note(&mut failures, address, &failure);
        let _ = registry.deregister(&mut stream);
        drop(stream);
        self.try_next(left, failures, patience, registry)
    }

    pub(crate) fn queue(&mut self, bytes: Bytes) {
        self.queue.push_back(bytes);
    }

    pub(crate) fn on_writable(&mut self) {
        self.is_blocked = false;
    }

    /// Writes what the transport takes; returns how much that was.
    pub(crate) fn write(&mut self) -> io::Result<usize> {
        let Stage::Connected(stream) = &mut self.stage else {
            return Ok(0);
        };
        let mut total = 0;
        while !self.is_blocked && !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (slice, bytes) in slices.iter_mut().zip(&self.queue) {
                *slice = IoSlice::new(bytes);
                count += 1;
            }
            match stream.write_vectored(&slices[..count]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    total += written;
                    advance(&mut self.queue, written);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.is_blocked = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // What was taken is reported before the error is met again.
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    /// Reads into `buffer`; `Ok(None)` when there is nothing now, `Ok(Some(0))` at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let Stage::Connected(stream) = &mut self.stage else {
            return Ok(None);
        };
        loop {
            match stream.read(buffer) {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        match &mut self.stage {
            Stage::Resolving => {}
            Stage::Connecting(Connecting { stream, .. }) | Stage::Connected(stream) => {
                let _ = registry.deregister(stream);
            }
        }
    }
}

fn open(address: SocketAddr, token: Token, registry: &Registry) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}

fn note(failures: &mut String, address: SocketAddr, error: &io::Error) {
    let separator = if failures.is_empty() { "" } else { ", " };
    // Writing to a string does not fail.
    let _ = write!(failures, "{separator}{address}: {error}");
}

/// Takes `written` bytes off the front.
fn advance(queue: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(front) = queue.front_mut() {
        if written < front.len() {
            front.advance(written);
            return;
        }
        written -= front.len();
        queue.pop_front();
    }
}

/// The end of a connection as the core understands it.
pub(crate) fn lost(error: &io::Error) -> CloseCause {
    CloseCause::Transport(Arc::from(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_write_leaves_exactly_the_rest() {
        let mut queue: VecDeque<Bytes> = ["abc", "", "defg", "h"]
            .map(|text| Bytes::from_static(text.as_bytes()))
            .into();
        advance(&mut queue, 5);
        assert_eq!(queue, ["fg", "h"]);
        advance(&mut queue, 3);
        assert!(queue.is_empty());
    }
}
