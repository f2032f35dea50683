//! The server thread: sockets on one side, the cluster on the other.
//!
//! Owns: every socket. Never: a byte of the Kafka protocol.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant as Clock};

use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use titorelli::Instant;
use titorelli_sim::cluster::{BrokerId, Cluster, ClusterOutput, PeerId};

use crate::connection::{Connection, Fate};

/// Bytes of one read.
const READ_BYTES: usize = 256 << 10;
/// Events of one poll.
const EVENTS_MAX: usize = 256;

/// What the handle asks of the server thread.
pub(crate) enum Command {
    /// Run this on the cluster.
    Control(Box<dyn FnOnce(&mut Cluster) + Send>),
    /// Drop the connections to one broker, or all.
    Cut(Option<BrokerId>),
    /// End the thread.
    Shutdown,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control(_) => f.write_str("Control"),
            Self::Cut(broker) => f.debug_tuple("Cut").field(broker).finish(),
            Self::Shutdown => f.write_str("Shutdown"),
        }
    }
}

/// Listeners have tokens from 0 on, then comes the waker, then the connections.
pub(crate) const fn waker_token(listener_count: usize) -> Token {
    Token(listener_count)
}

/// The state of the server thread.
pub(crate) struct Server {
    poll: Poll,
    listeners: Vec<(TcpListener, BrokerId)>,
    cluster: Cluster,
    commands: Receiver<Command>,
    connections: BTreeMap<PeerId, Connection>,
    started: Clock,
    buffer: Vec<u8>,
}

impl Server {
    pub(crate) fn new(
        poll: Poll,
        listeners: Vec<(TcpListener, BrokerId)>,
        cluster: Cluster,
        commands: Receiver<Command>,
    ) -> Self {
        Self {
            poll,
            listeners,
            cluster,
            commands,
            connections: BTreeMap::new(),
            started: Clock::now(),
            buffer: vec![0; READ_BYTES],
        }
    }

    /// Serves until [`Command::Shutdown`], or until the handle is gone.
    pub(crate) fn run(mut self) -> Cluster {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => panic!("polling sockets: {error}"),
            }
            for event in &events {
                self.on_event(event);
            }
            self.cluster.handle_timeout(self.now());
            if !self.obey() {
                return self.cluster;
            }
            self.flush_outputs();
        }
    }

    /// How long there is nothing to do unless something comes: what waits for followers is answered
    /// in time. Rounded up, or the poll would end before it is due.
    fn patience(&self) -> Option<Duration> {
        let due = self.cluster.poll_timeout()?;
        Some(due.since(self.now()) + Duration::from_millis(1))
    }

    fn now(&self) -> Instant {
        let micros = self.started.elapsed().as_micros();
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    fn token_of(&self, peer: PeerId) -> Token {
        let offset = self.listeners.len() + 1;
        Token(usize::try_from(peer.0).expect("connections are counted from 1") + offset)
    }

    fn on_event(&mut self, event: &Event) {
        let Token(token) = event.token();
        if token < self.listeners.len() {
            return self.accept(token);
        }
        let Some(serial) = token.checked_sub(self.listeners.len() + 1) else {
            return;
        };
        let peer = PeerId(u64::try_from(serial).expect("a token fits"));
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(peer);
        }
        if event.is_writable() {
            self.write(peer);
        }
    }

    /// Carries out what the handle asked for; false: end.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Control(action)) => action(&mut self.cluster),
                Ok(Command::Cut(broker)) => self.cut(broker),
                Ok(Command::Shutdown) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn cut(&mut self, broker: Option<BrokerId>) {
        let is_hit = |peer: &PeerId| broker.is_none() || self.cluster.broker_of(*peer) == broker;
        let peers: Vec<PeerId> = self.connections.keys().copied().filter(is_hit).collect();
        for peer in peers {
            self.drop_connection(peer);
        }
    }

    /// Takes every waiting connection. That of a broker which is down is closed at once: its port
    /// stays bound, so that nobody else gets it.
    fn accept(&mut self, index: usize) {
        loop {
            let (listener, broker) = &self.listeners[index];
            let (mut stream, _) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // WouldBlock, or the client has gone, or descriptors are used up: wait for events.
                Err(_) => return,
            };
            let Some(peer) = self.cluster.connect(*broker) else {
                continue;
            };
            let interests = Interest::READABLE | Interest::WRITABLE;
            let token = self.token_of(peer);
            let is_ready = stream.set_nodelay(true).is_ok()
                && self
                    .poll
                    .registry()
                    .register(&mut stream, token, interests)
                    .is_ok();
            if is_ready {
                self.connections.insert(peer, Connection::new(stream, peer));
            } else {
                self.cluster.disconnected(peer);
            }
        }
    }

    /// Reads until the socket has nothing more.
    fn read(&mut self, peer: PeerId) {
        let mut buffer = core::mem::take(&mut self.buffer);
        while let Some(connection) = self.connections.get_mut(&peer) {
            match connection.stream.read(&mut buffer) {
                Ok(0) => self.drop_connection(peer),
                Ok(count) => {
                    self.cluster.receive(self.now(), peer, &buffer[..count]);
                    self.flush_outputs();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.drop_connection(peer),
            }
        }
        self.buffer = buffer;
    }

    /// Moves what the cluster wants sent to the connections, and writes.
    fn flush_outputs(&mut self) {
        let mut touched: Option<PeerId> = None;
        while let Some(output) = self.cluster.poll_output() {
            let (ClusterOutput::Transmit { peer, .. } | ClusterOutput::Close(peer)) = output;
            if let Some(before) = touched.replace(peer).filter(|before| *before != peer) {
                self.write(before);
            }
            let Some(connection) = self.connections.get_mut(&peer) else {
                continue;
            };
            match output {
                ClusterOutput::Transmit { bytes, .. } => connection.queue(bytes),
                ClusterOutput::Close(_) => connection.close_when_written(),
            }
        }
        if let Some(peer) = touched {
            self.write(peer);
        }
    }

    fn write(&mut self, peer: PeerId) {
        let Some(connection) = self.connections.get_mut(&peer) else {
            return;
        };
        assert_eq!(
            connection.peer, peer,
            "connections are kept under their own peer"
        );
        if connection.write() == Fate::Drop {
            self.drop_connection(peer);
        }
    }

    fn drop_connection(&mut self, peer: PeerId) {
        self.cluster.disconnected(peer);
        // Closing the socket takes it out of the poll as well.
        self.connections.remove(&peer);
    }
}
