//! Connecting: every address of a host in turn, until one answers and, with TLS, has shaken hands.

use crate::clock;
use crate::options::SocketOptions;
use crate::stream::Stream;
use crate::tls::{Broken, Peer, Session, Tls};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::collections::VecDeque;
use std::fmt::{Display, Write as _};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use titorelli::CloseCause;

/// What every attempt needs.
pub(crate) struct Dialer {
    pub(crate) registry: Registry,
    pub(crate) options: SocketOptions,
    pub(crate) tls: Option<Tls>,
    /// Time for all addresses of a connection together.
    pub(crate) patience: Duration,
}

/// One address is tried; the others wait.
pub(crate) struct Dial {
    current: Current,
    rest: Rest,
}

struct Current {
    tcp: TcpStream,
    address: SocketAddr,
    /// Without one it may take for ever.
    deadline: Option<Instant>,
    /// With TLS, from the moment that the socket is connected.
    session: Option<Box<Session>>,
}

/// What outlives the attempt at one address.
struct Rest {
    token: Token,
    /// With TLS.
    peer: Option<Peer>,
    left: VecDeque<SocketAddr>,
    /// The time each address gets.
    share: Duration,
    /// What the addresses before said.
    failures: String,
    /// Whether one of them failed with TLS.
    is_tls: bool,
}

/// How far a connection attempt is.
pub(crate) enum Dialed {
    Pending(Dial),
    Established(Stream),
    Failed(CloseCause),
}

impl Dial {
    /// When the present address is given up for the next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.current.deadline
    }

    pub(crate) fn tcp(&mut self) -> &mut TcpStream {
        &mut self.current.tcp
    }
}

impl Dialer {
    /// Begins with the first address. Each gets its share of the patience.
    pub(crate) fn dial(&self, token: Token, host: &str, addresses: Vec<SocketAddr>) -> Dialed {
        let peer = match self.tls.as_ref().map(|tls| tls.peer(host)).transpose() {
            Ok(peer) => peer,
            Err(words) => return Dialed::Failed(CloseCause::Tls(words.into())),
        };
        let share = self.patience / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        self.try_next(Rest {
            token,
            peer,
            left: addresses.into(),
            share,
            failures: String::new(),
            is_tls: false,
        })
    }

    fn try_next(&self, mut rest: Rest) -> Dialed {
        while let Some(address) = rest.left.pop_front() {
            match self.open(address, rest.token) {
                Ok(tcp) => {
                    let current = Current {
                        tcp,
                        address,
                        deadline: clock::deadline(rest.share),
                        session: None,
                    };
                    return Dialed::Pending(Dial { current, rest });
                }
                Err(error) => rest.note(address, &error),
            }
        }
        let words = rest.failures.into();
        Dialed::Failed(if rest.is_tls {
            CloseCause::Tls(words)
        } else {
            CloseCause::Unreachable(words)
        })
    }

    fn open(&self, address: SocketAddr, token: Token) -> io::Result<TcpStream> {
        let mut tcp = self.options.connect(address)?;
        let interests = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut tcp, token, interests)?;
        Ok(tcp)
    }

    /// Goes on as far as it can: after an event, or when its deadline passed.
    pub(crate) fn check(&self, dial: Dial, now: Instant) -> Dialed {
        let Dial {
            mut current,
            mut rest,
        } = dial;
        let failure = match self.advance(&mut current, &rest) {
            Ok(true) => {
                let Current { tcp, session, .. } = current;
                return Dialed::Established(match session {
                    Some(session) => Stream::Tls(tcp, session),
                    None => Stream::Plain(tcp),
                });
            }
            Ok(false) if current.deadline.is_none_or(|deadline| now < deadline) => {
                return Dialed::Pending(Dial { current, rest });
            }
            Ok(false) if current.session.is_some() => {
                Broken::Tls("no end of the TLS handshake in time".to_owned())
            }
            Ok(false) => transport(&ErrorKind::TimedOut.into()),
            Err(broken) => broken,
        };
        match failure {
            Broken::Tls(words) => {
                rest.is_tls = true;
                rest.note(current.address, &words);
            }
            Broken::Transport(words) => rest.note(current.address, &words),
        }
        let _ = self.registry.deregister(&mut current.tcp);
        drop(current);
        self.try_next(rest)
    }

    /// Whether the connection can be used now.
    fn advance(&self, current: &mut Current, rest: &Rest) -> Result<bool, Broken> {
        if let Some(session) = &mut current.session {
            return session.shake(&mut current.tcp);
        }
        match (current.tcp.take_error(), current.tcp.peer_addr()) {
            (Ok(Some(error)) | Err(error), _) => return Err(transport(&error)),
            (Ok(None), Err(_)) => return Ok(false),
            (Ok(None), Ok(_)) => {}
        }
        let Some((tls, peer)) = self.tls.as_ref().zip(rest.peer.as_ref()) else {
            return Ok(true);
        };
        let session = tls.begin(peer, current.address.ip())?;
        let session = current.session.insert(Box::new(session));
        session.shake(&mut current.tcp)
    }
}

impl Rest {
    fn note(&mut self, address: SocketAddr, words: &dyn Display) {
        let separator = if self.failures.is_empty() { "" } else { ", " };
        // Writing to a string does not fail.
        let _ = write!(self.failures, "{separator}{address}: {words}");
    }
}

fn transport(error: &io::Error) -> Broken {
    Broken::Transport(error.to_string())
}
