//! The cluster over real sockets.

use std::io::{Read, Write};
use std::net::TcpStream;

use titorelli_serve::{Embedded, EmbeddedConfig};
use titorelli_sim::cluster::BrokerId;

/// `ApiVersions` v0, correlation id 7, no client id.
const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];

fn addresses(embedded: &Embedded) -> Vec<String> {
    embedded.bootstrap().split(',').map(str::to_owned).collect()
}

fn ask(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    stream.write_all(&API_VERSIONS)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
    stream.read_exact(&mut body)?;
    Ok(body)
}

#[test]
fn every_broker_answers_on_its_own_port() {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(3)).unwrap();
    let addresses = addresses(&embedded);
    assert_eq!(addresses.len(), 3);
    for address in &addresses {
        let mut stream = TcpStream::connect(address).unwrap();
        for _ in 0..3 {
            assert_eq!(ask(&mut stream).unwrap()[..6], [0, 0, 0, 7, 0, 0]);
        }
    }
    let (host, port) = addresses[1].rsplit_once(':').unwrap();
    let (host, port) = (host.to_owned(), port.parse().unwrap());
    let broker = embedded.control(move |cluster| cluster.broker_at(&host, port));
    assert_eq!(broker, Some(BrokerId(2)));
}

#[test]
fn a_cut_connection_ends_and_a_new_one_is_taken() {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(2)).unwrap();
    let addresses = addresses(&embedded);
    let mut first = TcpStream::connect(&addresses[0]).unwrap();
    let mut second = TcpStream::connect(&addresses[1]).unwrap();
    ask(&mut first).unwrap();
    ask(&mut second).unwrap();
    embedded.cut_connections(Some(BrokerId(1)));
    let mut rest = Vec::new();
    // An end or a reset, but no byte.
    let _ = first.read_to_end(&mut rest);
    assert!(rest.is_empty());
    ask(&mut second).unwrap();
    ask(&mut TcpStream::connect(&addresses[0]).unwrap()).unwrap();
}

#[test]
fn a_broker_that_is_down_closes_what_it_accepts() {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(1)).unwrap();
    let address = embedded.bootstrap();
    let mut before = TcpStream::connect(&address).unwrap();
    ask(&mut before).unwrap();
    embedded.control(|cluster| cluster.set_down(BrokerId(1)));
    assert!(ask(&mut before).is_err());
    assert!(ask(&mut TcpStream::connect(&address).unwrap()).is_err());
    embedded.control(|cluster| cluster.set_up(BrokerId(1)));
    ask(&mut TcpStream::connect(&address).unwrap()).unwrap();
}

#[test]
fn the_logs_outlive_the_server() {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(1)).unwrap();
    embedded.control(|cluster| cluster.create_topic("orders", 2));
    let cluster = embedded.into_cluster();
    assert_eq!(cluster.logs().count(), 2);
}
