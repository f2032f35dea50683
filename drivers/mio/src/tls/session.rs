//! One connection's TLS: the state machine around `rustls::ClientConnection`.
//!
//! ```text
//! shake() until true -> write(), read() in any order -> close()
//! ```
//!
//! Never: sockets. The transport is whatever reads and writes; it says `WouldBlock` when it is
//! spent. Invariant: rustls holds less than [`BUFFERED_BYTES_MAX`] and one record of what is to be
//! sent, so what a dead connection leaves behind is little and known to the byte.

use super::framing::Framing;
use super::ledger::Ledger;
use super::trust::Trust;
use crate::outbox::Outbox;
use rustls::{ClientConnection, Error, SupportedCipherSuite};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;
use titorelli::CloseCause;

/// What one record carries at most.
const RECORD_BYTES: usize = 16 * 1_024;
/// While less ciphertext than this waits, more is made.
const BUFFERED_BYTES_MAX: usize = 64 * 1_024;
/// Slices of plaintext that one record gathers.
const SLICES_MAX: usize = 64;
/// The least that a record adds to what it carries: a header and a tag.
const OVERHEAD_BYTES: usize = 5 + 16;
/// More records than rustls makes of one piece of ours, however small it is told to make them.
const RECORDS_SPARE: u64 = 1_024;

/// Why a session ended, in the driver's words.
#[derive(Clone, Debug)]
pub(crate) enum Broken {
    /// TLS itself failed.
    Tls(String),
    /// The transport failed.
    Transport(String),
}

impl From<Broken> for CloseCause {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Tls(words) => Self::Tls(words.into()),
            Broken::Transport(words) => Self::Transport(words.into()),
        }
    }
}

/// A TLS connection.
pub(crate) struct Session {
    client: ClientConnection,
    trust: Arc<Trust>,
    ledger: Ledger,
    framing: Framing,
    /// How many more records the keys are good for. TLS 1.3 renews them; where TLS 1.2 has used
    /// them up, rustls says that it took what is written, and throws it away.
    records_left: u64,
    /// Records before it were good; it is told after what they carried.
    broken: Option<Broken>,
    /// Whether the broker said anything inside.
    has_received: bool,
}

/// What one read of the transport brought.
enum Pulled {
    Bytes,
    Nothing,
    End,
}

impl Session {
    pub(super) fn new(mut client: ClientConnection, trust: Arc<Trust>) -> Self {
        // The bound is ours: rustls would cut records to odd sizes to keep to its own.
        client.set_buffer_limit(None);
        Self {
            client,
            trust,
            ledger: Ledger::default(),
            framing: Framing::default(),
            records_left: u64::MAX,
            broken: None,
            has_received: false,
        }
    }

    /// Goes on with the handshake as far as the transport lets it; true: it is complete.
    pub(crate) fn shake<T: Read + Write>(&mut self, transport: &mut T) -> Result<bool, Broken> {
        loop {
            self.flush(transport).map_err(|error| interrupted(&error))?;
            if !self.client.is_handshaking() {
                if let Some(SupportedCipherSuite::Tls12(suite)) =
                    self.client.negotiated_cipher_suite()
                {
                    let limit = suite.common.confidentiality_limit;
                    self.records_left = limit.saturating_sub(RECORDS_SPARE);
                }
                return Ok(true);
            }
            match self.pull(transport).map_err(|error| interrupted(&error))? {
                Pulled::Bytes => {}
                Pulled::Nothing => return Ok(false),
                Pulled::End => {
                    let words = "closed during the TLS handshake: does the port speak TLS?";
                    return Err(Broken::Tls(words.to_owned()));
                }
            }
            if let Err(error) = self.client.process_new_packets() {
                // The broker is told why, if it listens.
                let _ = self.flush(transport);
                return Err(Broken::Tls(self.trust.words(&error, true)));
            }
        }
    }

    /// Encrypts and writes what the transport takes; returns how much plaintext left whole, and
    /// whether the transport is spent. After an error [`take_last`](Self::take_last) tells what
    /// else left.
    pub(crate) fn write<T: Read + Write>(
        &mut self,
        transport: &mut T,
        outbox: &mut Outbox,
    ) -> Result<(usize, bool), Broken> {
        loop {
            self.encrypt(outbox)?;
            if !self.client.wants_write() {
                return Ok((self.ledger.take_whole(), false));
            }
            match self.write_once(transport) {
                Ok(true) => {}
                Ok(false) => return Ok((self.ledger.take_whole(), true)),
                Err(error) => return Err(self.last_words(transport, &error)),
            }
        }
    }

    /// Reads into `buffer`; `Ok(None)` when there is nothing now, `Ok(Some(0))` at the end.
    pub(crate) fn read<T: Read>(
        &mut self,
        transport: &mut T,
        buffer: &mut [u8],
    ) -> Result<Option<usize>, Broken> {
        loop {
            // 0 is an end that TLS announced. Many brokers just close; either is orderly.
            if let Ok(bytes) = self.client.reader().read(buffer) {
                self.has_received |= bytes > 0;
                return Ok(Some(bytes));
            }
            if let Some(broken) = &self.broken {
                return Err(broken.clone());
            }
            match self.pull(transport).map_err(|error| self.lost(&error))? {
                Pulled::Bytes => self.decrypt(),
                Pulled::Nothing => return Ok(None),
                Pulled::End if self.framing.is_inside_record() => {
                    let words = "the connection ended in the middle of a TLS record";
                    return Err(Broken::Transport(words.to_owned()));
                }
                Pulled::End => return Ok(Some(0)),
            }
        }
    }

    /// Whether something is to be written besides what is in the outbox.
    pub(crate) fn wants_write(&self) -> bool {
        self.client.wants_write()
    }

    /// Plaintext that may have left and was not told by [`write`](Self::write), now that nothing
    /// more leaves.
    pub(crate) fn take_last(&mut self) -> usize {
        self.ledger.take_last()
    }

    /// Says goodbye, if the transport takes it and nothing is half-said. An application's bytes
    /// that still wait are not wanted any more.
    pub(crate) fn close<T: Write>(&mut self, transport: &mut T) {
        if self.ledger.is_clear() {
            self.client.send_close_notify();
            // Nobody waits for the broker to take it.
            let _ = self.flush(transport);
        }
    }

    /// Encrypts from the outbox, a record at a time, while little waits to be written.
    fn encrypt(&mut self, outbox: &mut Outbox) -> Result<(), Broken> {
        let mut before = self.buffered()?;
        while before < BUFFERED_BYTES_MAX && !outbox.is_empty() {
            if self.records_left == 0 {
                let words = "the keys of this connection are used up, another is needed";
                return Err(Broken::Tls(words.to_owned()));
            }
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let count = outbox.lend(&mut slices, RECORD_BYTES);
            let slices = &slices[..count];
            let bytes: usize = slices.iter().map(|slice| slice.len()).sum();
            let taken = self.client.writer().write_vectored(slices);
            let after = self.buffered()?;
            if bytes > 0 {
                assert_eq!(taken.ok(), Some(bytes), "there is no limit and no failure");
                self.ledger.on_encrypted(bytes, before, after);
                let records = (after - before - bytes) / OVERHEAD_BYTES;
                self.records_left = self.records_left.saturating_sub(records as u64);
            }
            outbox.advance(bytes);
            before = after;
        }
        Ok(())
    }

    /// Bytes of ciphertext that wait to be written.
    fn buffered(&mut self) -> Result<usize, Broken> {
        match self.client.process_new_packets() {
            Ok(state) => Ok(state.tls_bytes_to_write()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn decrypt(&mut self) {
        if let Err(error) = self.client.process_new_packets() {
            self.broken = Some(self.failed(&error));
        }
    }

    /// Writes ciphertext until nothing waits or the transport is spent.
    fn flush<T: Write>(&mut self, transport: &mut T) -> io::Result<()> {
        while self.client.wants_write() && self.write_once(transport)? {}
        Ok(())
    }

    /// Writes once; false: the transport is spent.
    fn write_once<T: Write>(&mut self, transport: &mut T) -> io::Result<bool> {
        match self.client.write_tls(transport) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Ok(bytes) => {
                self.ledger.on_left(bytes);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Reads ciphertext once.
    fn pull<T: Read>(&mut self, transport: &mut T) -> io::Result<Pulled> {
        loop {
            match self.client.read_tls(&mut self.framing.follow(transport)) {
                Ok(0) => return Ok(Pulled::End),
                Ok(_) => return Ok(Pulled::Bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Pulled::Nothing),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Who refuses us says why before it goes: with TLS 1.3 the handshake is complete for us when
    /// the broker looks at our certificate, and the first we notice may be that it is gone.
    fn last_words<T: Read>(&mut self, transport: &mut T, error: &io::Error) -> Broken {
        while matches!(self.pull(transport), Ok(Pulled::Bytes)) {
            if let Err(error) = self.client.process_new_packets() {
                return self.failed(&error);
            }
        }
        self.lost(error)
    }

    /// The words for a failure after the handshake.
    fn failed(&self, error: &Error) -> Broken {
        Broken::Tls(self.trust.words(error, false))
    }

    /// The words for a transport that failed after the handshake.
    fn lost(&self, error: &io::Error) -> Broken {
        let suspicion = if self.has_received {
            ""
        } else {
            self.trust.suspicion()
        };
        Broken::Transport(format!("{error}{suspicion}"))
    }
}

/// The words for a transport that failed during the handshake.
fn interrupted(error: &io::Error) -> Broken {
    Broken::Tls(format!(
        "the connection broke during the TLS handshake ({error}): does the port speak TLS?"
    ))
}
