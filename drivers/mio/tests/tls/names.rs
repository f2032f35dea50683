//! The name that brokers see in every request.

use crate::PATIENCE;
use crate::front::Front;
use titorelli_mio::{Config, Producer, Record, SecurityProtocol};

/// The client ids of the requests of one connection, each once. A request begins with its length,
/// API, version, correlation id and client id.
fn client_ids(heard: &[u8]) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = heard;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(i32::from_be_bytes(*length)).expect("a length");
        // The last may be on its way.
        let Some((frame, after)) = after.split_at_checked(length) else {
            break;
        };
        let id_length = usize::from(u16::from_be_bytes([frame[8], frame[9]]));
        let id = String::from_utf8(frame[10..10 + id_length].to_vec()).expect("text");
        if !ids.contains(&id) {
            ids.push(id);
        }
        rest = after;
    }
    ids
}

/// The name that a producer of this configuration has at its broker.
fn name_at_broker(configure: impl FnOnce(&mut Config)) -> String {
    let front = Front::start("localhost", None);
    let mut config = front.config();
    config.security_protocol = SecurityProtocol::Plaintext;
    configure(&mut config);
    let producer = Producer::new(config).expect("valid");
    let receipt = producer
        .send(&Record::to("t").value(b"v"))
        .expect("accepted");
    receipt.wait(PATIENCE).expect("in time").expect("acked");
    let heard = front.manner.heard.lock().expect("not poisoned").clone();
    let mut ids: Vec<String> = heard.iter().flat_map(|heard| client_ids(heard)).collect();
    assert!(ids.len() >= 2, "a bootstrap server and a leader were asked");
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    ids.remove(0)
}

#[test]
fn producers_without_a_name_are_numbered() {
    let number = || {
        let name = name_at_broker(|_| {});
        let number = name.strip_prefix("titorelli-producer-").expect(&name);
        number.parse::<u64>().expect("a number")
    };
    let first = number();
    let second = number();
    assert!(first >= 1 && second > first, "{first}, {second}");
}

#[test]
fn a_producer_with_a_name_keeps_it_whatever_it_is() {
    assert_eq!(
        name_at_broker(|config| config.client_id = "billing".to_owned()),
        "billing"
    );
    // The thread's name ends where this does not.
    let odd = "nul\0 and \u{fc}";
    assert_eq!(
        name_at_broker(|config| config.client_id = odd.to_owned()),
        odd
    );
}

#[test]
fn the_thread_is_called_like_the_producer() {
    let front = Front::start("localhost", None);
    let mut config = front.config();
    config.security_protocol = SecurityProtocol::Plaintext;
    config.client_id = "billing".to_owned();
    let producer = Producer::new(config).expect("valid");
    let (told, tells) = std::sync::mpsc::channel();
    let callback = move |_| {
        let name = std::thread::current().name().map(str::to_owned);
        told.send(name).expect("the test listens");
    };
    producer
        .send_with(&Record::to("t").value(b"v"), callback)
        .expect("accepted");
    let name = tells.recv_timeout(PATIENCE).expect("in time");
    assert_eq!(name.as_deref(), Some("billing-network-thread"));
}
