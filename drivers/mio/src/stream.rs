//! An established connection: plain TCP, or TLS over it.

use crate::outbox::Outbox;
use crate::tls::Session;
use mio::net::TcpStream;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use titorelli::CloseCause;

/// Slices handed to one vectored write; more per call gain nothing.
const SLICES_MAX: usize = 64;

/// What bytes are written to and read from.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(TcpStream, Box<Session>),
}

/// What a write came to.
pub(crate) struct Written {
    /// Bytes of the outbox that left.
    pub(crate) bytes: usize,
    /// The transport took less than it was given; it says when it takes more.
    pub(crate) is_blocked: bool,
}

impl Stream {
    /// Writes what the transport takes.
    pub(crate) fn write(&mut self, outbox: &mut Outbox) -> Result<Written, CloseCause> {
        match self {
            Self::Plain(tcp) => write(tcp, outbox).map_err(|error| lost(&error)),
            Self::Tls(tcp, session) => {
                let (bytes, is_blocked) = session.write(tcp, outbox)?;
                Ok(Written { bytes, is_blocked })
            }
        }
    }

    /// Reads into `buffer`; `Ok(None)` when there is nothing now, `Ok(Some(0))` at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, CloseCause> {
        match self {
            Self::Plain(tcp) => read(tcp, buffer).map_err(|error| lost(&error)),
            Self::Tls(tcp, session) => Ok(session.read(tcp, buffer)?),
        }
    }

    /// Whether a read that leaves room in its buffer has emptied the socket. TLS hands over what
    /// one record carried, and the next may be there already.
    pub(crate) fn is_emptied_by_short_reads(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Whether something is to be written besides what is in the outbox.
    pub(crate) fn wants_write(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(_, session) => session.wants_write(),
        }
    }

    /// Ends it; returns how many bytes of the outbox may have left that no write told of.
    pub(crate) fn close(&mut self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Tls(tcp, session) => {
                session.close(tcp);
                session.take_last()
            }
        }
    }

    /// The socket.
    pub(crate) fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(tcp) | Self::Tls(tcp, _) => tcp,
        }
    }
}

fn write(tcp: &mut TcpStream, outbox: &mut Outbox) -> io::Result<Written> {
    let mut bytes = 0;
    let mut is_blocked = false;
    while !is_blocked && !outbox.is_empty() {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let count = outbox.lend(&mut slices, usize::MAX);
        match tcp.write_vectored(&slices[..count]) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes += written;
                outbox.advance(written);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => is_blocked = true,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // What was taken is reported before the error is met again.
            Err(_) if bytes > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Written { bytes, is_blocked })
}

fn read(tcp: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match tcp.read(buffer) {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The end of a connection as the core understands it.
fn lost(error: &io::Error) -> CloseCause {
    CloseCause::Transport(error.to_string().into())
}
