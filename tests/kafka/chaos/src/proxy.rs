//! A TCP proxy in front of the brokers: it delays answers, holds bytes up, and ends connections in
//! the ways that networks do.
//!
//! Brokers announce its doors, so that all of the producer's traffic goes through it.

use socket2::SockRef;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How soon a thread notices that its connection was ended.
const GLANCE: Duration = Duration::from_millis(10);
const CHUNK_BYTES: usize = 64 << 10;
/// No bound on what may still go to the broker.
const UNBOUNDED: u64 = u64::MAX;

/// The proxy; its threads end with the program.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
}

struct Shared {
    /// How long every answer is on its way, in microseconds.
    delay_us: AtomicU64,
    doors: Vec<Door>,
    links: Mutex<BTreeMap<u64, Arc<Link>>>,
    opened: AtomicU64,
}

/// Where the producer connects to instead of a broker.
struct Door {
    broker: SocketAddr,
    /// Nothing passes before that.
    held_until: Mutex<Instant>,
}

/// One connection, seen from between.
pub(crate) struct Link {
    door: usize,
    client: TcpStream,
    broker: TcpStream,
    is_over: AtomicBool,
    /// Answers are thrown away.
    is_mute: AtomicBool,
    /// Bytes that may still go to the broker before the connection is reset.
    bytes_left: AtomicU64,
}

impl Proxy {
    /// Opens the doors.
    ///
    /// # Errors
    ///
    /// One cannot be listened at.
    pub(crate) fn open(doors: &[(SocketAddr, SocketAddr)]) -> io::Result<Self> {
        let door = |(_, broker): &(SocketAddr, SocketAddr)| Door {
            broker: *broker,
            held_until: Mutex::new(Instant::now()),
        };
        let shared = Arc::new(Shared {
            delay_us: AtomicU64::new(0),
            doors: doors.iter().map(door).collect(),
            links: Mutex::new(BTreeMap::new()),
            opened: AtomicU64::new(0),
        });
        for (index, (address, _)) in doors.iter().enumerate() {
            let listener = TcpListener::bind(address)?;
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || shared.serve(index, client));
                }
            });
        }
        Ok(Self { shared })
    }

    /// Every answer is on its way so much longer.
    pub(crate) fn delay(&self, delay: Duration) {
        let delay_us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.shared.delay_us.store(delay_us, Ordering::Relaxed);
    }

    /// Nothing passes this door for a while; connections stay.
    pub(crate) fn hold(&self, door: usize, duration: Duration) {
        *self.shared.doors[door].held() = Instant::now() + duration;
    }

    /// How many doors there are.
    pub(crate) fn doors(&self) -> usize {
        self.shared.doors.len()
    }

    /// The connections that are alive.
    pub(crate) fn links(&self) -> Vec<Arc<Link>> {
        self.shared.links().values().cloned().collect()
    }

    /// How many connections there were.
    pub(crate) fn opened(&self) -> u64 {
        self.shared.opened.load(Ordering::Relaxed)
    }
}

impl Link {
    /// Through which door it came.
    pub(crate) const fn door(&self) -> usize {
        self.door
    }

    /// Both sides are told at once, and what is on its way is gone: RST.
    pub(crate) fn reset(&self) {
        // The last thread that drops the sockets closes them.
        for socket in [&self.client, &self.broker] {
            let _ = SockRef::from(socket).set_linger(Some(Duration::ZERO));
        }
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Both sides are told after what was passed on: FIN.
    pub(crate) fn close(&self) {
        for socket in [&self.client, &self.broker] {
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// From now on requests arrive and answers do not.
    pub(crate) fn mute(&self) {
        self.is_mute.store(true, Ordering::Relaxed);
    }

    /// So many bytes still go to the broker, which may be a part of a request; then it is reset.
    pub(crate) fn tear_after(&self, bytes: u64) {
        self.bytes_left.store(bytes, Ordering::Relaxed);
    }

    /// One direction has ended, so the other does, as it would without a proxy.
    fn end(&self) {
        if !self.is_over() {
            self.close();
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// Reads what there is; nothing when it was time to glance.
    fn read(&self, mut from: &TcpStream, chunk: &mut [u8]) -> io::Result<Option<usize>> {
        match from.read(chunk) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => Ok(Some(count)),
            Err(error) if is_glance(&error) && !self.is_over() => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, mut to: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() && !self.is_over() {
            match to.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_glance(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn is_glance(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

impl Door {
    fn held(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.held_until.lock().expect("nobody panics with it")
    }

    /// Waits while the door is held.
    fn pass(&self, link: &Link) {
        while !link.is_over() && *self.held() > Instant::now() {
            thread::sleep(GLANCE);
        }
    }
}

impl Shared {
    fn links(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Arc<Link>>> {
        self.links.lock().expect("nobody panics with it")
    }

    /// One connection from its beginning to its end.
    fn serve(self: Arc<Self>, door: usize, client: TcpStream) {
        // A broker that is down refuses: the producer sees that its connection ends.
        let Ok(broker) = TcpStream::connect(self.doors[door].broker) else {
            return;
        };
        for socket in [&client, &broker] {
            let _ = socket.set_nodelay(true);
            let _ = socket.set_read_timeout(Some(GLANCE));
            let _ = socket.set_write_timeout(Some(GLANCE));
        }
        let link = Arc::new(Link {
            door,
            client,
            broker,
            is_over: AtomicBool::new(false),
            is_mute: AtomicBool::new(false),
            bytes_left: AtomicU64::new(UNBOUNDED),
        });
        let id = self.opened.fetch_add(1, Ordering::Relaxed);
        self.links().insert(id, Arc::clone(&link));
        let (send, receive) = mpsc::channel();
        thread::scope(|scope| {
            let (shared, link) = (&*self, &*link);
            scope.spawn(move || shared.carry_answers(link, send));
            scope.spawn(move || shared.hand_over(link, receive));
            shared.carry_requests(link);
        });
        self.links().remove(&id);
    }

    /// Producer → broker.
    fn carry_requests(&self, link: &Link) {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(count) = link.read(&link.client, &mut chunk) {
            let Some(count) = count else { continue };
            self.doors[link.door].pass(link);
            let left = link.bytes_left.load(Ordering::Relaxed);
            let passing = usize::try_from(left).map_or(count, |left| left.min(count));
            if left != UNBOUNDED {
                link.bytes_left
                    .store(left - passing as u64, Ordering::Relaxed);
            }
            let is_written = link.write(&link.broker, &chunk[..passing]).is_ok();
            if passing < count {
                link.reset();
            }
            if !is_written || link.is_over() {
                break;
            }
        }
        link.end();
    }

    /// Broker → on its way.
    fn carry_answers(&self, link: &Link, on_its_way: Sender<(Instant, Vec<u8>)>) {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(count) = link.read(&link.broker, &mut chunk) {
            let Some(count) = count else { continue };
            if link.is_mute.load(Ordering::Relaxed) {
                continue;
            }
            let delay = Duration::from_micros(self.delay_us.load(Ordering::Relaxed));
            let message = (Instant::now() + delay, chunk[..count].to_vec());
            if on_its_way.send(message).is_err() {
                break;
            }
        }
        // What is on its way still arrives.
        drop(on_its_way);
    }

    /// On its way → producer.
    fn hand_over(&self, link: &Link, on_its_way: Receiver<(Instant, Vec<u8>)>) {
        for (due, bytes) in on_its_way {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            self.doors[link.door].pass(link);
            if link.is_mute.load(Ordering::Relaxed) {
                continue;
            }
            if link.write(&link.client, &bytes).is_err() || link.is_over() {
                break;
            }
        }
        link.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A proxy before a server that answers every chunk with itself and tells how many bytes came.
    struct Fixture {
        proxy: Proxy,
        client: TcpStream,
        arrived: Arc<AtomicU64>,
    }

    impl Fixture {
        fn new() -> Self {
            let server = TcpListener::bind("127.0.0.1:0").unwrap();
            let broker = server.local_addr().unwrap();
            let arrived = Arc::new(AtomicU64::new(0));
            let count = Arc::clone(&arrived);
            thread::spawn(move || {
                let (mut stream, _) = server.accept().unwrap();
                let mut chunk = [0; 1_024];
                while let Ok(read @ 1..) = stream.read(&mut chunk) {
                    count.fetch_add(read as u64, Ordering::Relaxed);
                    let _ = stream.write_all(&chunk[..read]);
                }
            });
            // A port that was free a moment ago.
            let door = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = door.local_addr().unwrap();
            drop(door);
            let proxy = Proxy::open(&[(address, broker)]).unwrap();
            let mut client = TcpStream::connect(address).unwrap();
            client
                .set_read_timeout(Some(Duration::from_secs(5)))
                .unwrap();
            client.write_all(b"hello").unwrap();
            client.read_exact(&mut [0; 5]).unwrap();
            Self {
                proxy,
                client,
                arrived,
            }
        }

        fn link(&self) -> Arc<Link> {
            Arc::clone(&self.proxy.links()[0])
        }

        fn read_error(&mut self) -> ErrorKind {
            self.client.read_exact(&mut [0]).unwrap_err().kind()
        }
    }

    #[test]
    fn a_delay_is_a_way_and_not_a_queue() {
        let mut fixture = Fixture::new();
        fixture.proxy.delay(Duration::from_millis(200));
        let began = Instant::now();
        for _ in 0..10 {
            fixture.client.write_all(b"x").unwrap();
            thread::sleep(Duration::from_millis(5));
        }
        fixture.client.read_exact(&mut [0; 10]).unwrap();
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(200), "{took:?}");
        assert!(took < Duration::from_millis(1_500), "{took:?}");
    }

    #[test]
    fn a_reset_is_no_orderly_end() {
        let mut fixture = Fixture::new();
        fixture.link().reset();
        assert_eq!(fixture.read_error(), ErrorKind::ConnectionReset);
        let mut fixture = Fixture::new();
        fixture.link().close();
        assert_eq!(fixture.read_error(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_torn_request_arrives_in_part() {
        let mut fixture = Fixture::new();
        fixture.link().tear_after(3);
        fixture.client.write_all(b"request").unwrap();
        let mut answer = [0; 7];
        let error = fixture.client.read_exact(&mut answer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let end = Instant::now() + Duration::from_secs(5);
        while fixture.arrived.load(Ordering::Relaxed) < 8 && Instant::now() < end {
            thread::sleep(GLANCE);
        }
        assert_eq!(fixture.arrived.load(Ordering::Relaxed), 8);
    }

    #[test]
    fn a_muted_connection_takes_requests_and_loses_answers() {
        let mut fixture = Fixture::new();
        fixture.link().mute();
        fixture.client.write_all(b"request").unwrap();
        let end = Instant::now() + Duration::from_secs(5);
        while fixture.arrived.load(Ordering::Relaxed) < 12 && Instant::now() < end {
            thread::sleep(GLANCE);
        }
        assert_eq!(fixture.arrived.load(Ordering::Relaxed), 12);
        let patience = Some(Duration::from_millis(100));
        fixture.client.set_read_timeout(patience).unwrap();
        assert_eq!(fixture.read_error(), ErrorKind::WouldBlock);
    }

    #[test]
    fn a_held_door_lets_pass_later() {
        let mut fixture = Fixture::new();
        fixture.proxy.hold(0, Duration::from_millis(200));
        let began = Instant::now();
        fixture.client.write_all(b"x").unwrap();
        fixture.client.read_exact(&mut [0]).unwrap();
        assert!(began.elapsed() >= Duration::from_millis(190));
    }
}
