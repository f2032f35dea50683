//! The handle of a running cluster.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use mio::net::TcpListener;
use mio::{Interest, Poll, Token, Waker};
use titorelli_sim::cluster::{BrokerId, Cluster, ClusterConfig};

use crate::server::{Command, Server, waker_token};

/// What to serve, and where.
#[derive(Clone, Debug)]
pub struct EmbeddedConfig {
    /// The port of the first broker; the others follow one by one. 0: any free ports.
    pub first_port: u16,
    /// The cluster. Its brokers' hosts and ports are replaced by the real ones.
    pub cluster: ClusterConfig,
    /// Hosts and ports that the brokers announce instead of the real ones, one for each of them: of
    /// a proxy or a TLS front. Empty: the real ones.
    pub announced: Vec<(String, u16)>,
}

impl EmbeddedConfig {
    /// So many brokers, numbered from 1, on free ports, as [`ClusterConfig::with_brokers`].
    #[must_use]
    pub fn with_brokers(count: u16) -> Self {
        Self {
            first_port: 0,
            cluster: ClusterConfig::with_brokers(count),
            announced: Vec::new(),
        }
    }
}

/// A Kafka cluster that listens on 127.0.0.1. Dropping it closes every connection.
#[derive(Debug)]
pub struct Embedded {
    bootstrap: String,
    listening: Vec<SocketAddr>,
    commands: Sender<Command>,
    waker: Arc<Waker>,
    /// Invariant: `Some` until the server thread has been joined.
    thread: Option<JoinHandle<Cluster>>,
}

impl Embedded {
    /// Binds one listener per broker and starts the server thread.
    ///
    /// # Errors
    /// A port is taken or beyond 65535, there are addresses to announce but not one for each
    /// broker, or the system refuses sockets or a thread.
    pub fn start(mut config: EmbeddedConfig) -> io::Result<Self> {
        let count = config.cluster.brokers.len();
        if ![0, count].contains(&config.announced.len()) {
            let words = format!("{} announced, {count} brokers", config.announced.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, words));
        }
        let mut announced = config.announced.into_iter();
        let poll = Poll::new()?;
        let mut listeners = Vec::with_capacity(count);
        let mut listening = Vec::with_capacity(count);
        for (index, broker) in config.cluster.brokers.iter_mut().enumerate() {
            let port = match (config.first_port, u16::try_from(index)) {
                (0, Ok(_)) => Some(0),
                (first, Ok(index)) => first.checked_add(index),
                (_, Err(_)) => None,
            };
            let port = port.ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let mut listener = TcpListener::bind(address)?;
            poll.registry()
                .register(&mut listener, Token(index), Interest::READABLE)?;
            let address = listener.local_addr()?;
            listening.push(address);
            let real = || (address.ip().to_string(), address.port());
            (broker.host, broker.port) = announced.next().unwrap_or_else(real);
            listeners.push((listener, broker.id));
        }
        let waker = Arc::new(Waker::new(poll.registry(), waker_token(listeners.len()))?);
        let addresses = config
            .cluster
            .brokers
            .iter()
            .map(|b| format!("{}:{}", b.host, b.port));
        let bootstrap = addresses.collect::<Vec<String>>().join(",");
        let (commands, inbox) = channel();
        let server = Server::new(poll, listeners, Cluster::new(config.cluster), inbox);
        let thread = thread::Builder::new()
            .name("titorelli-serve".to_owned())
            .spawn(move || server.run())?;
        Ok(Self {
            bootstrap,
            listening,
            commands,
            waker,
            thread: Some(thread),
        })
    }

    /// `host:port` of every broker as it announces itself, separated by commas: a client's
    /// `bootstrap.servers`.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.bootstrap.clone()
    }

    /// Where the brokers listen, in their order, whatever they announce.
    #[must_use]
    pub fn listening(&self) -> &[SocketAddr] {
        &self.listening
    }

    /// Runs `action` on the cluster, between two requests, and returns its result.
    ///
    /// # Panics
    /// The server thread has ended: an earlier action panicked.
    pub fn control<R: Send + 'static>(
        &self,
        action: impl FnOnce(&mut Cluster) -> R + Send + 'static,
    ) -> R {
        let (reply, result) = channel();
        let act = move |cluster: &mut Cluster| {
            // The caller waits for it; it is gone only if its thread was killed.
            let _ = reply.send(action(cluster));
        };
        self.command(Command::Control(Box::new(act)));
        result.recv().expect("the server thread runs")
    }

    /// Cuts every connection to one broker, or to all of them, without notice.
    ///
    /// # Panics
    /// As [`Self::control`].
    pub fn cut_connections(&self, broker: Option<BrokerId>) {
        self.command(Command::Cut(broker));
    }

    /// Stops serving.
    pub fn shutdown(self) {
        drop(self);
    }

    /// Stops serving and hands over the cluster with its logs.
    ///
    /// # Panics
    /// As [`Self::control`].
    #[must_use]
    pub fn into_cluster(mut self) -> Cluster {
        self.join()
            .expect("joined once")
            .expect("the server thread has not panicked")
    }

    fn command(&self, command: Command) {
        self.commands.send(command).expect("the server thread runs");
        self.waker.wake().expect("the server thread can be woken");
    }

    fn join(&mut self) -> Option<thread::Result<Cluster>> {
        let thread = self.thread.take()?;
        // Both fail only when the thread has ended already.
        let _ = self.commands.send(Command::Shutdown);
        let _ = self.waker.wake();
        Some(thread.join())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        let _ = self.join();
    }
}
