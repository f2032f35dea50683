//! What every request tells a broker besides records: who asks, for how many acks, and how long the
//! broker may wait for them.

use bytes::{Buf, Bytes, BytesMut};
use core::time::Duration;
use titorelli::{Acks, Config, Input, Instant, Output, ProducerCore, Record};
use titorelli_sim::cluster::{Cluster, ClusterConfig, ClusterOutput};
use titorelli_sim::codec::{ApiKey, ProduceRequest, Request, decode_request, request_header};

/// The stream of requests until a record is written.
fn requests(config: Config) -> BytesMut {
    let now = Instant::ZERO;
    let mut cluster = Cluster::new(ClusterConfig::with_brokers(1));
    cluster.create_topic("orders", 1);
    let broker = cluster.config().brokers[0].id;
    let mut core = ProducerCore::new(config, [1; 32], now).expect("it works");
    let record = Record::to("orders").value(b"v");
    core.send(now, &record).expect_err("the topic is unknown");
    let (mut stream, mut link) = (BytesMut::new(), None);
    loop {
        core.handle_timeout(now);
        let Some(output) = core.poll_output() else {
            let (conn, _) = link.expect("connected");
            match cluster.poll_output() {
                Some(ClusterOutput::Transmit { bytes, .. }) => {
                    core.handle_input(now, Input::Received(conn, &bytes));
                }
                other => panic!("nothing more to do: {other:?}"),
            }
            continue;
        };
        match output {
            Output::Connect { conn, .. } => {
                link = Some((conn, cluster.connect(broker).expect("it is up")));
                core.handle_input(now, Input::Connected(conn));
            }
            Output::Transmit { conn, bytes } => {
                stream.extend_from_slice(&bytes);
                let (_, peer) = link.expect("connected");
                cluster.receive(now, peer, &bytes);
                core.handle_input(now, Input::Sent(conn, bytes.len()));
            }
            Output::Seal(job) => core.handle_input(now, Input::Sealed(job.run())),
            Output::Admitted(waiter) => drop(core.resume(now, waiter, &record).expect("its turn")),
            Output::Delivered(_) => return stream,
            Output::Disconnect(_)
            | Output::Refused(..)
            | Output::Flushed(_)
            | Output::Closed
            | Output::Trace(_) => {}
        }
    }
}

/// The client ids of all requests, and the produce requests.
fn read(mut stream: BytesMut) -> (Vec<Bytes>, Vec<ProduceRequest>) {
    let (mut clients, mut produced) = (Vec::new(), Vec::new());
    while stream.has_remaining() {
        let length = usize::try_from(stream.get_i32()).expect("a length");
        let mut frame = stream.split_to(length).freeze();
        let header = request_header(&frame).expect("a request");
        let api = ApiKey::from_wire(header.api_key).expect("a known API");
        if let Ok(Request::Produce(request)) = decode_request(&frame, api, header.api_version) {
            produced.push(request);
        }
        frame.advance(8);
        let length = usize::try_from(frame.get_i16()).expect("a client id");
        clients.push(frame.split_to(length));
    }
    (clients, produced)
}

#[test]
fn brokers_are_told_the_client_the_acks_and_the_time() {
    for (acks, code) in [(Acks::None, 0), (Acks::Leader, 1), (Acks::All, -1)] {
        let mut config = Config::default();
        config.client_id = "joseph k.".to_owned();
        config.acks = acks;
        config.request_timeout = Duration::from_millis(12_345);
        let (clients, produced) = read(requests(config));
        assert!(clients.len() >= 4, "versions, metadata, versions, records");
        assert!(
            clients.iter().all(|client| client == "joseph k."),
            "{clients:?}"
        );
        assert_eq!(produced.len(), 1);
        assert_eq!((produced[0].acks, produced[0].timeout_ms), (code, 12_345));
    }
}

#[test]
fn a_core_without_a_name_tells_its_drivers_default() {
    let (clients, _) = read(requests(Config::default()));
    assert!(
        clients.iter().all(|client| client == "titorelli-producer"),
        "{clients:?}"
    );
}
