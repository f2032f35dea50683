//! The I/O thread: obeys the core.
//!
//! A round: facts in, timers, effects out (under the lock); then seals, completions, writes
//! (outside it); then sleep until the deadline, a socket's event, or a wake-up. No protocol
//! knowledge.

use crate::dial::Dialer;
use crate::effects::Effects;
use crate::resolve;
use crate::shared::Shared;
use crate::socket::{Attempt, Socket};
use mio::event::Event;
use mio::{Events, Poll, Token};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use titorelli::{CloseCause, ConnId, Input, Output, SealedJob};

/// The waker's token; sockets have their connection's number.
pub(crate) const WAKER: Token = Token(usize::MAX);
/// One read takes at most this much.
const READ_BYTES: usize = 64 * 1_024;

/// A fact for the next lock round.
enum Fact {
    Connected(ConnId),
    Sent(ConnId, usize),
    Closed(ConnId, CloseCause),
    Sealed(SealedJob),
}

/// What comes after a round.
enum Next {
    /// Another: this one may have made facts.
    Round,
    /// Nothing to do for so long; `None` is until something happens.
    Sleep(Option<Duration>),
    /// The core is closed, or this process is not the producer's.
    End,
}

/// The I/O thread's own state.
pub(crate) struct Io {
    shared: Arc<Shared>,
    poll: Poll,
    sockets: BTreeMap<ConnId, Socket>,
    facts: Vec<Fact>,
    effects: Effects,
    /// Connections with something to write.
    dirty: Vec<ConnId>,
    dialer: Dialer,
    buffer: Vec<u8>,
}

impl Io {
    pub(crate) fn new(shared: Arc<Shared>, poll: Poll, dialer: Dialer) -> Self {
        Self {
            shared,
            poll,
            sockets: BTreeMap::new(),
            facts: Vec::new(),
            effects: Effects::default(),
            dirty: Vec::new(),
            dialer,
            buffer: vec![0; READ_BYTES],
        }
    }

    /// Runs until the core is closed.
    pub(crate) fn run(mut self) {
        self.shared.lock().io_thread = Some(std::thread::current().id());
        let mut events = Events::with_capacity(256);
        loop {
            let sleep = match self.round() {
                Next::Round => continue,
                Next::Sleep(sleep) => sleep,
                Next::End => return,
            };
            // An interrupted sleep is a short one.
            let _ = self.poll.poll(&mut events, sleep);
            self.shared.lock().sleeps_until = None;
            for event in &events {
                if event.token() != WAKER {
                    self.on_event(event);
                }
            }
            self.check_attempts();
            self.take_resolved();
        }
    }

    /// One lock round and what follows from it.
    fn round(&mut self) -> Next {
        let mut state = self.shared.lock();
        let now = self.shared.clock.now();
        for fact in self.facts.drain(..) {
            let input = match fact {
                Fact::Connected(conn) => Input::Connected(conn),
                Fact::Sent(conn, bytes) => Input::Sent(conn, bytes),
                Fact::Closed(conn, cause) => Input::Closed(conn, cause),
                Fact::Sealed(job) => Input::Sealed(job),
            };
            state.core.handle_input(now, input);
        }
        state.core.handle_timeout(now);
        state.collect(&mut self.effects);
        if self.effects.is_empty() {
            let deadline = state.core.poll_timeout().map(|deadline| deadline.at);
            state.sleeps_until = Some(deadline.unwrap_or(titorelli::Instant::FAR));
            drop(state);
            let until = deadline.map(|at| self.shared.clock.until(at));
            return Next::Sleep(self.until_next_attempt(until));
        }
        let opens_gate = state.has_gate_waiters();
        drop(state);
        self.carry_out(opens_gate);
        // The child of a fork in a callback has this thread's place in the code, and the sockets;
        // they are its parent's.
        if self.effects.is_closed || self.shared.is_forked() {
            Next::End
        } else {
            Next::Round
        }
    }

    /// The sleep, shortened to the deadline of the first connection attempt.
    fn until_next_attempt(&self, sleep: Option<Duration>) -> Option<Duration> {
        let attempt = self.sockets.values().filter_map(Socket::deadline).min();
        let attempt = attempt.map(|at| at.saturating_duration_since(Instant::now()));
        sleep.into_iter().chain(attempt).min()
    }

    /// Carries out the effects, outside the lock. Writes come first: the broker can work while
    /// completions are told.
    fn carry_out(&mut self, opens_gate: bool) {
        let mut transport = std::mem::take(&mut self.effects.transport);
        for output in transport.drain(..) {
            match output {
                Output::Connect { conn, host, port } => {
                    let token = usize::try_from(conn.0).expect("connections are counted");
                    resolve::resolve(&self.shared, conn, &host, port);
                    self.sockets.insert(conn, Socket::new(Token(token), host));
                }
                Output::Transmit { conn, bytes } => {
                    if let Some(socket) = self.sockets.get_mut(&conn) {
                        socket.queue(bytes);
                        if self.dirty.last() != Some(&conn) {
                            self.dirty.push(conn);
                        }
                    }
                }
                Output::Disconnect(conn) => {
                    if let Some(mut socket) = self.sockets.remove(&conn) {
                        // The core wants the end, and counts all that it handed out.
                        let _ = socket.close(&self.dialer);
                    }
                }
                Output::Seal(job) => self.facts.push(Fact::Sealed(job.run())),
                Output::Delivered(_)
                | Output::Admitted(_)
                | Output::Refused(..)
                | Output::Flushed(_)
                | Output::Closed
                | Output::Trace(_) => {}
            }
        }
        self.effects.transport = transport;
        let mut dirty = std::mem::take(&mut self.dirty);
        for conn in dirty.drain(..) {
            self.write(conn);
        }
        self.dirty = dirty;
        if opens_gate {
            self.shared.open_gate();
        }
        self.effects.tell(self.shared.home());
        if !self.shared.is_forked() {
            self.take_resolved();
        }
    }

    fn write(&mut self, conn: ConnId) {
        let Some(socket) = self.sockets.get_mut(&conn) else {
            return;
        };
        match socket.write() {
            Ok(0) => {}
            Ok(bytes) => self.facts.push(Fact::Sent(conn, bytes)),
            Err(cause) => self.lose(conn, cause),
        }
    }

    fn lose(&mut self, conn: ConnId, cause: CloseCause) {
        if let Some(mut socket) = self.sockets.remove(&conn) {
            match socket.close(&self.dialer) {
                0 => {}
                bytes => self.facts.push(Fact::Sent(conn, bytes)),
            }
            self.facts.push(Fact::Closed(conn, cause));
        }
    }

    fn on_event(&mut self, event: &Event) {
        let conn = ConnId(event.token().0 as u64);
        self.check_attempt(conn);
        if event.is_writable()
            && let Some(socket) = self.sockets.get_mut(&conn)
        {
            socket.on_writable();
        }
        // Reading comes first: a broker that refuses us says why before it goes. And what TLS read
        // may be worth an answer.
        self.read(conn, event.is_read_closed() || event.is_error());
        self.write(conn);
    }

    /// Hands over what arrived. A short read has emptied the socket, and the next byte is an event
    /// of its own; but the end of the stream may already have been in this one.
    fn read(&mut self, conn: ConnId, is_ending: bool) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(socket) = self.sockets.get_mut(&conn) {
            let is_emptied_by_short_reads = socket.is_emptied_by_short_reads();
            match socket.read(&mut buffer) {
                Ok(None) => break,
                Ok(Some(0)) => self.lose(conn, CloseCause::ByPeer),
                Ok(Some(bytes)) => {
                    let mut state = self.shared.lock();
                    let now = self.shared.clock.now();
                    state
                        .core
                        .handle_input(now, Input::Received(conn, &buffer[..bytes]));
                    drop(state);
                    let is_emptied = bytes < buffer.len() && is_emptied_by_short_reads;
                    if is_emptied && !is_ending {
                        break;
                    }
                }
                Err(cause) => self.lose(conn, cause),
            }
        }
        self.buffer = buffer;
    }

    fn check_attempts(&mut self) {
        let now = Instant::now();
        let late = |socket: &Socket| socket.deadline().is_some_and(|deadline| deadline <= now);
        let late: Vec<ConnId> = self
            .sockets
            .iter()
            .filter(|(_, s)| late(s))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in late {
            self.check_attempt(conn);
        }
    }

    fn check_attempt(&mut self, conn: ConnId) {
        let Some(socket) = self.sockets.get_mut(&conn) else {
            return;
        };
        let attempt = socket.check(Instant::now(), &self.dialer);
        self.on_attempt(conn, attempt);
    }

    fn take_resolved(&mut self) {
        let resolved = std::mem::take(&mut *self.shared.resolved.lock());
        for answer in resolved {
            let Some(socket) = self.sockets.get_mut(&answer.conn) else {
                continue;
            };
            let attempt = match answer.addresses {
                Ok(addresses) => socket.connect(addresses, &self.dialer),
                Err(words) => Attempt::Failed(CloseCause::Unresolved(words.into())),
            };
            self.on_attempt(answer.conn, attempt);
        }
    }

    fn on_attempt(&mut self, conn: ConnId, attempt: Attempt) {
        match attempt {
            Attempt::Pending => {}
            Attempt::Established => self.facts.push(Fact::Connected(conn)),
            Attempt::Failed(cause) => self.lose(conn, cause),
        }
    }
}

/// The thread ends, by `close` or by a panic: nobody may wait for it any longer.
impl Drop for Io {
    fn drop(&mut self) {
        if self.shared.is_forked() {
            return;
        }
        self.shared.lock().die(&mut self.effects);
        self.effects.tell(self.shared.home());
    }
}
