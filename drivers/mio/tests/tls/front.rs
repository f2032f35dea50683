//! A TLS front for the embedded cluster: it takes TLS from producers, and gives the brokers what
//! was inside. It can be told to misbehave.

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use titorelli_mio::Config;
use titorelli_mio::rustls::{HandshakeKind, ServerConfig, ServerConnection};
use titorelli_serve::{Embedded, EmbeddedConfig};

/// How long a connection's thread sleeps without news, so that it sees the end of the front.
const NAP: Duration = Duration::from_millis(20);
/// What one read takes.
const READ_BYTES: usize = 16 * 1_024;

/// What all connections share. Numbers are of bytes of ciphertext; `usize::MAX` is none.
pub(crate) struct Manner {
    /// `None`: bytes go through as they are.
    pub(crate) server: Mutex<Option<Arc<ServerConfig>>>,
    /// The next connections are cut when so much came from the producer.
    pub(crate) cut_after_received: AtomicUsize,
    /// The next connections are cut when so much went to the producer.
    pub(crate) cut_after_sent: AtomicUsize,
    /// Most bytes of one write to the producer.
    pub(crate) step: AtomicUsize,
    /// Nothing is read from producers.
    pub(crate) is_stalling: AtomicBool,
    /// The next bytes to a producer are changed, after the handshake.
    pub(crate) is_damaging: AtomicBool,
    /// What producers said, in plaintext, by connection.
    pub(crate) heard: Mutex<Vec<Vec<u8>>>,
    /// Complete handshakes, and those of them that resumed a session.
    pub(crate) handshakes: AtomicUsize,
    pub(crate) resumed: AtomicUsize,
    is_over: AtomicBool,
}

/// A cluster behind a front.
pub(crate) struct Front {
    pub(crate) manner: Arc<Manner>,
    embedded: Option<Embedded>,
    bootstrap: String,
}

impl Front {
    /// Three brokers that call themselves `host`, with topic `t`.
    pub(crate) fn start(host: &str, server: Option<ServerConfig>) -> Self {
        Self::with_brokers(3, host, server)
    }

    /// As many brokers as are wanted; with one there is one connection to it.
    pub(crate) fn with_brokers(count: u16, host: &str, server: Option<ServerConfig>) -> Self {
        let listen = |_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let listeners: Vec<TcpListener> = (0..count).map(listen).collect();
        let port = |listener: &TcpListener| listener.local_addr().expect("bound").port();
        let mut config = EmbeddedConfig::with_brokers(count);
        let announced = listeners
            .iter()
            .map(|listener| (host.to_owned(), port(listener)));
        config.announced = announced.collect();
        let embedded = Embedded::start(config).expect("loopback ports");
        embedded.control(|cluster| cluster.create_topic("t", 3));
        let manner = Arc::new(Manner {
            server: Mutex::new(server.map(Arc::new)),
            cut_after_received: AtomicUsize::new(usize::MAX),
            cut_after_sent: AtomicUsize::new(usize::MAX),
            step: AtomicUsize::new(usize::MAX),
            is_stalling: AtomicBool::new(false),
            is_damaging: AtomicBool::new(false),
            heard: Mutex::new(Vec::new()),
            handshakes: AtomicUsize::new(0),
            resumed: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        for (listener, broker) in listeners.into_iter().zip(embedded.listening()) {
            let (manner, broker) = (Arc::clone(&manner), *broker);
            thread::spawn(move || accept(&listener, broker, &manner));
        }
        Self {
            manner,
            bootstrap: embedded.bootstrap(),
            embedded: Some(embedded),
        }
    }

    pub(crate) fn embedded(&self) -> &Embedded {
        self.embedded.as_ref().expect("until `values`")
    }

    /// A configuration that knows the front, with TLS.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        config.bootstrap_servers = vec![self.bootstrap.clone()];
        config.set("security_protocol", "SSL").expect("a protocol");
        config.retries = u32::MAX;
        config
    }

    /// Connections from now on meet this server.
    pub(crate) fn become_server(&self, server: ServerConfig) {
        *self.manner.server.lock().expect("not poisoned") = Some(Arc::new(server));
    }

    /// The values in topic `t` by partition, when all is over.
    pub(crate) fn values(mut self) -> Vec<Vec<Vec<u8>>> {
        let cluster = self.embedded.take().expect("once").into_cluster();
        let values = |partition| {
            let records = cluster.log("t", partition).records();
            let value = |record: &titorelli_sim::cluster::LogRecord| {
                record.value.as_deref().unwrap_or_default().to_vec()
            };
            records.iter().map(value).collect()
        };
        (0..cluster.partition_count("t")).map(values).collect()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.manner.is_over.store(true, Ordering::Relaxed);
    }
}

fn accept(listener: &TcpListener, broker: SocketAddr, manner: &Arc<Manner>) {
    listener.set_nonblocking(true).expect("a socket");
    while !manner.is_over.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                let manner = Arc::clone(manner);
                thread::spawn(move || {
                    // However it ends, both sockets are closed.
                    let _ = serve(stream, broker, &manner);
                });
            }
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// One connection.
struct Link<'a> {
    manner: &'a Manner,
    producer: TcpStream,
    broker: TcpStream,
    tls: Option<ServerConnection>,
    is_counted: bool,
    /// Its place in [`Manner::heard`].
    index: usize,
    to_producer: Vec<u8>,
    to_broker: Vec<u8>,
    /// Ciphertext that may still come and go.
    receives: usize,
    sends: usize,
}

fn serve(producer: std::net::TcpStream, broker: SocketAddr, manner: &Manner) -> io::Result<()> {
    producer.set_nonblocking(true)?;
    producer.set_nodelay(true)?;
    let server = manner.server.lock().expect("not poisoned").clone();
    let tls = server.map(|server| ServerConnection::new(server).expect("a session"));
    let index = {
        let mut heard = manner.heard.lock().expect("not poisoned");
        heard.push(Vec::new());
        heard.len() - 1
    };
    let mut link = Link {
        manner,
        producer: TcpStream::from_std(producer),
        broker: TcpStream::connect(broker)?,
        tls,
        is_counted: false,
        index,
        to_producer: Vec::new(),
        to_broker: Vec::new(),
        receives: manner.cut_after_received.load(Ordering::Relaxed),
        sends: manner.cut_after_sent.load(Ordering::Relaxed),
    };
    let mut poll = Poll::new()?;
    let interests = Interest::READABLE | Interest::WRITABLE;
    poll.registry()
        .register(&mut link.producer, Token(0), interests)?;
    poll.registry()
        .register(&mut link.broker, Token(1), interests)?;
    let mut events = Events::with_capacity(8);
    while !manner.is_over.load(Ordering::Relaxed) {
        if !link.advance()? {
            poll.poll(&mut events, Some(NAP))?;
        }
    }
    Ok(())
}

impl Link<'_> {
    /// Moves what can be moved; false when that is nothing.
    fn advance(&mut self) -> io::Result<bool> {
        let mut buffer = [0; READ_BYTES];
        let mut has_moved = false;
        // Nobody's buffers grow without bound.
        let is_stalling = self.manner.is_stalling.load(Ordering::Relaxed);
        if !is_stalling && self.to_broker.len() < 4 * READ_BYTES {
            let most = self.receives.min(READ_BYTES);
            if let Some(bytes) = read(&mut self.producer, &mut buffer[..most])? {
                has_moved = true;
                self.receives -= bytes;
                if let Err(error) = self.take(&buffer[..bytes]) {
                    // The alert, and the end behind it.
                    let _ = self.producer.write_all(&self.to_producer);
                    let _ = self.producer.shutdown(Shutdown::Write);
                    thread::sleep(NAP);
                    return Err(error);
                }
            }
        }
        if self.to_producer.len() < 4 * READ_BYTES
            && let Some(bytes) = read(&mut self.broker, &mut buffer)?
        {
            has_moved = true;
            match &mut self.tls {
                Some(tls) => tls.writer().write_all(&buffer[..bytes])?,
                None => self.to_producer.extend_from_slice(&buffer[..bytes]),
            }
        }
        self.encrypt()?;
        let most = self.sends.min(self.manner.step.load(Ordering::Relaxed));
        let bytes = write(&mut self.producer, &mut self.to_producer, most)?;
        self.sends -= bytes;
        has_moved |= bytes > 0 || write(&mut self.broker, &mut self.to_broker, usize::MAX)? > 0;
        if self.receives == 0 || self.sends == 0 {
            return Err(ErrorKind::ConnectionAborted.into());
        }
        Ok(has_moved)
    }

    /// Bytes came from the producer.
    fn take(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let mut plain = Vec::new();
        match &mut self.tls {
            None => plain.extend_from_slice(bytes),
            Some(tls) => {
                while !bytes.is_empty() {
                    tls.read_tls(&mut bytes)?;
                    let result = tls.process_new_packets();
                    while tls.wants_write() {
                        tls.write_tls(&mut self.to_producer)?;
                    }
                    let state = result.map_err(io::Error::other)?;
                    let mut part = vec![0; state.plaintext_bytes_to_read()];
                    tls.reader().read_exact(&mut part)?;
                    plain.extend_from_slice(&part);
                    if state.peer_has_closed() {
                        return Err(ErrorKind::ConnectionAborted.into());
                    }
                }
                if !tls.is_handshaking() && !self.is_counted {
                    self.is_counted = true;
                    self.manner.handshakes.fetch_add(1, Ordering::Relaxed);
                    let is_resumed = tls.handshake_kind() == Some(HandshakeKind::Resumed);
                    let count = usize::from(is_resumed);
                    self.manner.resumed.fetch_add(count, Ordering::Relaxed);
                }
            }
        }
        let mut heard = self.manner.heard.lock().expect("not poisoned");
        heard[self.index].extend_from_slice(&plain);
        drop(heard);
        self.to_broker.extend_from_slice(&plain);
        Ok(())
    }

    fn encrypt(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.to_producer)?;
            }
            if !tls.is_handshaking()
                && let Some(last) = self.to_producer.last_mut()
                && self.manner.is_damaging.swap(false, Ordering::Relaxed)
            {
                *last ^= 1;
            }
        }
        Ok(())
    }
}

/// Reads what is there; an end is an error.
fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    match stream.read(buffer) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes what is taken, `most` at most.
fn write(stream: &mut TcpStream, bytes: &mut Vec<u8>, most: usize) -> io::Result<usize> {
    if bytes.is_empty() {
        return Ok(0);
    }
    let most = most.min(bytes.len());
    match stream.write(&bytes[..most]) {
        Ok(written) => {
            bytes.drain(..written);
            Ok(written)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(error),
    }
}
