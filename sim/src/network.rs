//! The network between the producer and the cluster, in virtual time.
//!
//! Owns: the one event heap, the connections' pipes, every delay, and the generator that draws
//! them. Never: a byte's meaning.
//! Invariants: bytes of one direction of one connection arrive in order and whole, up to the point
//! where a cut was planned; an event never lies before the instant that made it.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, Bytes};
use titorelli::{ConnId, Instant, SealJob};

use crate::by_conn::ByConn;
use crate::entropy::Entropy;

/// A duration that is drawn anew each time, from `min` to `max`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The shortest.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

impl Span {
    /// Always the same.
    #[must_use]
    pub const fn exactly(duration: Duration) -> Self {
        Self {
            min: duration,
            max: duration,
        }
    }

    /// Anything between two durations.
    #[must_use]
    pub const fn between(min: Duration, max: Duration) -> Self {
        Self { min, max }
    }
}

/// How the network behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkConfig {
    /// From one end to the other, drawn for every chunk.
    pub latency: Span,
    /// How long a seal job takes.
    pub seal: Span,
    /// The transport takes at most so many bytes at once; `None` takes all.
    pub write_bytes_max: Option<usize>,
    /// The pause before it takes more.
    pub write_pause: Span,
    /// Bytes arrive in chunks of at most so many; `None` leaves them whole.
    pub chunk_bytes_max: Option<usize>,
    /// Some connections are much slower than others; `None`: none is.
    pub slow_links: Option<SlowLinks>,
}

/// Connections whose requests take longer: what they carried may be applied after the client gave
/// them up and went on elsewhere (late apply).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlowLinks {
    /// How many of a hundred connections.
    pub percent: u64,
    /// How much longer every byte to the broker takes; drawn once per connection.
    pub extra: Span,
}

impl Default for NetworkConfig {
    /// One millisecond each way, nothing is cut up, sealing takes no time: for stories.
    fn default() -> Self {
        Self {
            latency: Span::exactly(Duration::from_millis(1)),
            seal: Span::exactly(Duration::ZERO),
            write_bytes_max: None,
            write_pause: Span::exactly(Duration::from_micros(100)),
            chunk_bytes_max: None,
            slow_links: None,
        }
    }
}

/// Something that happens at an instant.
#[derive(Debug)]
pub(crate) enum Event {
    /// A connection attempt reaches the broker's host.
    Knock(ConnId),
    /// The client hears that it is connected.
    Established(ConnId),
    /// The client hears that nobody listens.
    Refused(ConnId),
    /// The client's transport took so many bytes.
    Sent(ConnId, usize),
    /// Bytes reach the broker.
    ToBroker(ConnId, Bytes),
    /// Bytes reach the client.
    ToClient(ConnId, Bytes),
    /// The broker sees that the client is gone.
    BrokerSeesEnd(ConnId),
    /// The client sees that the connection is gone; true: in an orderly way.
    ClientSeesEnd(ConnId, bool),
    /// A seal job is done.
    Sealed(SealJob),
}

/// One direction of a connection.
#[derive(Debug)]
struct Pipe {
    /// Nothing arrives before this: order is kept.
    last_arrival: Instant,
    /// So many bytes pass before the connection is cut; `None`: all.
    cut_after: Option<usize>,
    /// Added to every latency.
    extra: Duration,
    /// What is shipped vanishes.
    swallows: bool,
}

/// One connection as the network sees it.
#[derive(Debug)]
struct Link {
    to_broker: Pipe,
    to_client: Pipe,
    /// Handed out by the client, not yet taken by its transport.
    outbox: VecDeque<Bytes>,
    /// A write is planned.
    is_writing: bool,
    /// So many bytes the transport takes, and then none; `None`: all.
    takes_yet: Option<usize>,
    /// Nothing passes any more, in either direction.
    is_cut: bool,
    /// The broker's bytes vanish, but the connection seems alive (half-open).
    is_silent: bool,
}

/// The network and everything that is on its way.
#[derive(Debug)]
pub struct Network {
    config: NetworkConfig,
    entropy: Entropy,
    /// By instant, then in the order of planning.
    heap: BTreeMap<(Instant, u64), Planned>,
    next_serial: u64,
    links: ByConn<Link>,
}

#[derive(Debug)]
enum Planned {
    Event(Event),
    /// The transport takes the next bytes of the outbox.
    Write(ConnId),
}

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToBroker,
    ToClient,
}

impl Network {
    pub(crate) fn new(config: NetworkConfig, seed: u64) -> Self {
        Self {
            config,
            entropy: Entropy::new(seed),
            heap: BTreeMap::new(),
            next_serial: 0,
            links: ByConn::new(),
        }
    }

    /// When the next event is due.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.heap.keys().next().map(|(at, _)| *at)
    }

    /// The next event that is due at `now`.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Event> {
        while self.next_at().is_some_and(|at| at <= now) {
            let (_, planned) = self.heap.pop_first().expect("it has a first key");
            match planned {
                Planned::Event(event) => return Some(event),
                Planned::Write(conn) => {
                    if let Some(event) = self.write(now, conn) {
                        return Some(event);
                    }
                }
            }
        }
        None
    }

    fn plan(&mut self, at: Instant, planned: Planned) {
        let serial = self.next_serial;
        self.next_serial += 1;
        self.heap.insert((at, serial), planned);
    }

    fn plan_event(&mut self, at: Instant, event: Event) {
        self.plan(at, Planned::Event(event));
    }

    /// When something sent now in this direction arrives: never before what was sent earlier.
    fn arrival(&mut self, now: Instant, conn: ConnId, direction: Direction) -> Instant {
        let latency = self.entropy.span(self.config.latency);
        let link = &mut self.links[conn];
        let pipe = link.pipe_mut(direction);
        let at = now + latency + pipe.extra;
        pipe.last_arrival = pipe.last_arrival.max(at);
        pipe.last_arrival
    }

    // ---- The client's end ---------------------------------------------------------------------

    /// The client connects.
    pub(crate) fn connect(&mut self, now: Instant, conn: ConnId) {
        let extra = match self.config.slow_links {
            Some(slow) if self.entropy.chance(slow.percent) => self.entropy.span(slow.extra),
            Some(_) | None => Duration::ZERO,
        };
        let pipe = |extra| Pipe {
            last_arrival: now,
            cut_after: None,
            extra,
            swallows: false,
        };
        let link = Link {
            to_broker: pipe(extra),
            to_client: pipe(Duration::ZERO),
            outbox: VecDeque::new(),
            is_writing: false,
            takes_yet: None,
            is_cut: false,
            is_silent: false,
        };
        self.links.push(conn, link);
        let at = self.arrival(now, conn, Direction::ToBroker);
        self.plan_event(at, Event::Knock(conn));
    }

    /// The client hands over bytes to send.
    pub(crate) fn transmit(&mut self, now: Instant, conn: ConnId, bytes: Bytes) {
        let link = &mut self.links[conn];
        link.outbox.push_back(bytes);
        if !link.is_writing {
            link.is_writing = true;
            self.plan(now, Planned::Write(conn));
        }
    }

    /// The client closes. What its transport took may still arrive at the broker, later than
    /// anything that the client does next on another connection.
    pub(crate) fn disconnect(&mut self, now: Instant, conn: ConnId) {
        let link = &mut self.links[conn];
        link.outbox.clear();
        link.is_silent = true;
        let at = self.arrival(now, conn, Direction::ToBroker);
        self.plan_event(at, Event::BrokerSeesEnd(conn));
    }

    pub(crate) fn seal(&mut self, now: Instant, job: SealJob) {
        let at = now + self.entropy.span(self.config.seal);
        self.plan_event(at, Event::Sealed(job));
    }

    /// The transport takes the next bytes and ships them.
    fn write(&mut self, now: Instant, conn: ConnId) -> Option<Event> {
        let limit = match self.config.write_bytes_max {
            None => usize::MAX,
            Some(most) => self.entropy.size_up_to(most),
        };
        let link = &mut self.links[conn];
        let Some(front) = link.outbox.front_mut() else {
            link.is_writing = false;
            return None;
        };
        let taken = front.split_to(
            front
                .len()
                .min(limit)
                .min(link.takes_yet.unwrap_or(usize::MAX)),
        );
        if let Some(takes_yet) = &mut link.takes_yet {
            *takes_yet -= taken.len();
        }
        if taken.is_empty() {
            // Clogged for good: nobody writes any more.
            return None;
        }
        if !front.has_remaining() {
            link.outbox.pop_front();
        }
        let count = taken.len();
        let pause = match self.config.write_bytes_max {
            None => Duration::ZERO,
            Some(_) => self.entropy.span(self.config.write_pause),
        };
        self.plan(now + pause, Planned::Write(conn));
        self.ship(now, conn, Direction::ToBroker, taken);
        Some(Event::Sent(conn, count))
    }

    // ---- The broker's end ---------------------------------------------------------------------

    pub(crate) fn accept(&mut self, now: Instant, conn: ConnId) {
        let at = self.arrival(now, conn, Direction::ToClient);
        self.plan_event(at, Event::Established(conn));
    }

    pub(crate) fn refuse(&mut self, now: Instant, conn: ConnId) {
        let at = self.arrival(now, conn, Direction::ToClient);
        self.plan_event(at, Event::Refused(conn));
    }

    pub(crate) fn respond(&mut self, now: Instant, conn: ConnId, bytes: Bytes) {
        self.ship(now, conn, Direction::ToClient, bytes);
    }

    pub(crate) fn broker_closes(&mut self, now: Instant, conn: ConnId) {
        let link = &self.links[conn];
        if !link.is_silent && !link.is_cut {
            let at = self.arrival(now, conn, Direction::ToClient);
            self.plan_event(at, Event::ClientSeesEnd(conn, true));
        }
    }

    // ---- Faults -------------------------------------------------------------------------------

    /// Lets so many more bytes pass in a direction, then cuts the connection.
    pub(crate) fn cut_after(&mut self, conn: ConnId, direction: Direction, bytes: usize) {
        let link = &mut self.links[conn];
        link.pipe_mut(direction).cut_after = Some(bytes);
    }

    /// Makes the broker's bytes vanish from now on, without an end.
    pub(crate) fn silence(&mut self, conn: ConnId) {
        self.links[conn].is_silent = true;
    }

    /// Makes what the client writes from now on vanish, although the transport takes it.
    pub(crate) fn swallow(&mut self, conn: ConnId) {
        self.links[conn].to_broker.swallows = true;
    }

    /// The transport takes so many more bytes, and then no more.
    pub(crate) fn clog(&mut self, conn: ConnId, bytes: usize) {
        let link = &mut self.links[conn];
        link.takes_yet.get_or_insert(bytes);
    }

    /// What is written from now on takes so much longer.
    pub(crate) fn delay(&mut self, conn: ConnId, extra: Duration) {
        let link = &mut self.links[conn];
        link.to_broker.extra = extra;
    }

    /// The broker reads nothing from a connection that it throttles (KIP-219): what is asked there
    /// meanwhile is answered after `until`.
    pub(crate) fn mute(&mut self, conn: ConnId, until: Instant) {
        let link = &mut self.links[conn];
        link.to_client.last_arrival = link.to_client.last_arrival.max(until);
    }

    /// Ends every fault that is planned or lasting. A connection that fell silent stays so, one
    /// that is clogged or swallows too, and what is on the wire stays there.
    pub(crate) fn heal(&mut self) {
        self.config.slow_links = None;
        for link in self.links.rows_mut() {
            for pipe in [&mut link.to_broker, &mut link.to_client] {
                pipe.cut_after = None;
                pipe.extra = Duration::ZERO;
            }
        }
    }

    /// Cuts a connection now: both ends hear of it a latency later. What was shipped arrives.
    pub(crate) fn cut(&mut self, now: Instant, conn: ConnId) {
        let link = &mut self.links[conn];
        if core::mem::replace(&mut link.is_cut, true) {
            return;
        }
        let is_deaf = link.is_silent;
        let at = self.arrival(now, conn, Direction::ToBroker);
        self.plan_event(at, Event::BrokerSeesEnd(conn));
        if !is_deaf {
            let at = self.arrival(now, conn, Direction::ToClient);
            self.plan_event(at, Event::ClientSeesEnd(conn, false));
        }
    }

    // ---- Pipes --------------------------------------------------------------------------------

    /// Sends bytes on their way, in chunks, as far as they may pass.
    fn ship(&mut self, now: Instant, conn: ConnId, direction: Direction, mut bytes: Bytes) {
        let link = &mut self.links[conn];
        if link.is_cut || (link.is_silent && direction == Direction::ToClient) {
            return;
        }
        let pipe = link.pipe_mut(direction);
        if pipe.swallows {
            return;
        }
        let mut is_cut = false;
        if let Some(budget) = &mut pipe.cut_after {
            is_cut = bytes.len() > *budget;
            bytes.truncate(*budget);
            *budget -= bytes.len();
        }
        while !bytes.is_empty() {
            let size = match self.config.chunk_bytes_max {
                None => bytes.len(),
                Some(most) => self.entropy.size_up_to(most).min(bytes.len()),
            };
            let chunk = bytes.split_to(size);
            let at = self.arrival(now, conn, direction);
            let event = match direction {
                Direction::ToBroker => Event::ToBroker(conn, chunk),
                Direction::ToClient => Event::ToClient(conn, chunk),
            };
            self.plan_event(at, event);
        }
        if is_cut {
            self.cut(now, conn);
        }
    }
}

impl Link {
    const fn pipe_mut(&mut self, direction: Direction) -> &mut Pipe {
        match direction {
            Direction::ToBroker => &mut self.to_broker,
            Direction::ToClient => &mut self.to_client,
        }
    }
}
