//! One connection, from its host's name to its end.

use crate::dial::{Dial, Dialed, Dialer};
use crate::outbox::Outbox;
use crate::stream::Stream;
use bytes::Bytes;
use mio::Token;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;
use titorelli::CloseCause;

/// A connection.
pub(crate) struct Socket {
    token: Token,
    /// As it was configured or announced.
    host: Arc<str>,
    stage: Stage,
    outbox: Outbox,
    /// The transport took less than it was given; it says when it takes more.
    is_blocked: bool,
}

enum Stage {
    Resolving,
    Dialing(Dial),
    Connected(Stream),
}

/// How far a connection attempt is.
pub(crate) enum Attempt {
    Pending,
    Established,
    Failed(CloseCause),
}

impl Socket {
    pub(crate) fn new(token: Token, host: Arc<str>) -> Self {
        Self {
            token,
            host,
            stage: Stage::Resolving,
            outbox: Outbox::default(),
            is_blocked: false,
        }
    }

    /// When the present address is given up for the next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Dialing(dial) => dial.deadline(),
            Stage::Resolving | Stage::Connected(_) => None,
        }
    }

    /// The host's addresses are known.
    pub(crate) fn connect(&mut self, addresses: Vec<SocketAddr>, dialer: &Dialer) -> Attempt {
        let progress = dialer.dial(self.token, &self.host, addresses);
        self.on_dialed(progress)
    }

    /// Looks how the attempt went: after an event, or when its deadline passed.
    pub(crate) fn check(&mut self, now: Instant, dialer: &Dialer) -> Attempt {
        match std::mem::replace(&mut self.stage, Stage::Resolving) {
            Stage::Dialing(dial) => self.on_dialed(dialer.check(dial, now)),
            stage @ (Stage::Resolving | Stage::Connected(_)) => {
                self.stage = stage;
                Attempt::Pending
            }
        }
    }

    fn on_dialed(&mut self, progress: Dialed) -> Attempt {
        match progress {
            Dialed::Pending(dial) => {
                self.stage = Stage::Dialing(dial);
                Attempt::Pending
            }
            Dialed::Established(stream) => {
                self.stage = Stage::Connected(stream);
                Attempt::Established
            }
            Dialed::Failed(cause) => Attempt::Failed(cause),
        }
    }

    pub(crate) fn queue(&mut self, bytes: Bytes) {
        self.outbox.push(bytes);
    }

    pub(crate) fn on_writable(&mut self) {
        self.is_blocked = false;
    }

    /// Writes what the transport takes; returns how much of what was queued left with it.
    pub(crate) fn write(&mut self) -> Result<usize, CloseCause> {
        let Stage::Connected(stream) = &mut self.stage else {
            return Ok(0);
        };
        if self.is_blocked || self.outbox.is_empty() && !stream.wants_write() {
            return Ok(0);
        }
        let written = stream.write(&mut self.outbox)?;
        self.is_blocked = written.is_blocked;
        Ok(written.bytes)
    }

    /// Reads into `buffer`; `Ok(None)` when there is nothing now, `Ok(Some(0))` at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, CloseCause> {
        match &mut self.stage {
            Stage::Connected(stream) => stream.read(buffer),
            Stage::Resolving | Stage::Dialing(_) => Ok(None),
        }
    }

    /// Whether a read that leaves room in its buffer has emptied the socket.
    pub(crate) fn is_emptied_by_short_reads(&self) -> bool {
        matches!(&self.stage, Stage::Connected(stream) if stream.is_emptied_by_short_reads())
    }

    /// Ends it; returns how much of what was queued may have left and was not told by
    /// [`write`](Self::write).
    #[must_use = "what left decides the fate of records, unless the core wanted the end"]
    pub(crate) fn close(&mut self, dialer: &Dialer) -> usize {
        let (tcp, bytes) = match &mut self.stage {
            Stage::Resolving => return 0,
            Stage::Dialing(dial) => (dial.tcp(), 0),
            Stage::Connected(stream) => {
                let bytes = stream.close();
                (stream.tcp(), bytes)
            }
        };
        let _ = dialer.registry.deregister(tcp);
        bytes
    }
}
