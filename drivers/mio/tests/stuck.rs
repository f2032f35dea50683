//! A broker that stops reading: its connection is full, and nobody else is held up.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use titorelli_mio::{Config, Producer, Record};
use titorelli_serve::{Embedded, EmbeddedConfig};

/// Long enough for anything that is not broken.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a pipe looks whether it is stuck.
const NAP: Duration = Duration::from_millis(5);

/// Takes connections for a broker, and passes bytes on both ways except while it is stuck.
fn pass(listener: &TcpListener, broker: SocketAddr, is_stuck: &Arc<AtomicBool>) {
    for client in listener.incoming() {
        let client = client.expect("accepted");
        let server = TcpStream::connect(broker).expect("it listens");
        let clone = |stream: &TcpStream| stream.try_clone().expect("a socket is cloned");
        let (from, to, is_stuck) = (clone(&client), clone(&server), Arc::clone(is_stuck));
        thread::spawn(move || pipe(from, to, &is_stuck));
        let never = AtomicBool::new(false);
        thread::spawn(move || pipe(server, client, &never));
    }
}

fn pipe(mut from: TcpStream, mut to: TcpStream, is_stuck: &AtomicBool) {
    from.set_read_timeout(Some(NAP)).expect("a timeout is set");
    let mut buffer = vec![0; 16_384];
    loop {
        while is_stuck.load(Ordering::Relaxed) {
            thread::sleep(NAP);
        }
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) if to.write_all(&buffer[..count]).is_ok() => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Ok(_) | Err(_) => break,
        }
    }
    // The other end sees it, if it is still there.
    let _ = to.shutdown(std::net::Shutdown::Both);
}

#[test]
fn a_broker_that_stops_reading_stalls_nobody_else() {
    let listeners: Vec<TcpListener> = (0..2)
        .map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port"))
        .collect();
    let mut config = EmbeddedConfig::with_brokers(2);
    for listener in &listeners {
        let port = listener.local_addr().expect("bound").port();
        config.announced.push(("127.0.0.1".to_owned(), port));
    }
    let embedded = Embedded::start(config).expect("loopback ports");
    embedded.control(|cluster| cluster.create_topic("t", 2));
    let is_stuck = Arc::new(AtomicBool::new(false));
    let never = Arc::new(AtomicBool::new(false));
    let manners = [Arc::clone(&is_stuck), never];
    for ((listener, broker), manner) in listeners.into_iter().zip(embedded.listening()).zip(manners)
    {
        let broker = *broker;
        thread::spawn(move || pass(&listener, broker, &manner));
    }
    let mut config = Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    let producer = Producer::new(config).expect("valid");
    let send = |partition: i32, value: &[u8]| {
        let record = Record::to("t").partition(partition).value(value);
        producer.send(&record).expect("accepted")
    };
    for partition in [0, 1] {
        let receipt = send(partition, b"first");
        assert!(receipt.wait(PATIENCE).expect("in time").is_ok());
    }

    is_stuck.store(true, Ordering::Relaxed);
    // More than the sockets on the way hold.
    let large = vec![7; 500_000];
    let stuck: Vec<_> = (0..40).map(|_| send(0, &large)).collect();
    for _ in 0..100 {
        let receipt = send(1, b"another broker's");
        assert!(receipt.wait(PATIENCE).expect("nobody is held up").is_ok());
    }
    let waiting = stuck.iter().filter(|receipt| !receipt.is_done()).count();
    assert!(waiting > 30, "only {waiting} of 40 wait: it was not stuck");

    is_stuck.store(false, Ordering::Relaxed);
    for (offset, receipt) in (1..).zip(stuck) {
        let written = receipt.wait(PATIENCE).expect("in time").expect("acked");
        assert_eq!(written.offset, offset, "in order");
    }
}

#[test]
fn building_a_producer_touches_no_network() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a flag is set");
    let mut config = Config::default();
    config.bootstrap_servers = vec![listener.local_addr().expect("bound").to_string()];
    config.max_block = Duration::from_millis(300);
    let producer = Producer::new(config).expect("valid");
    thread::sleep(Duration::from_millis(100));
    let nobody = listener.accept().expect_err("nobody connects");
    assert_eq!(nobody.kind(), ErrorKind::WouldBlock);
    // The first question does.
    producer
        .partitions_for("t")
        .expect_err("the port is silent");
    listener.accept().expect("somebody connected");
}
