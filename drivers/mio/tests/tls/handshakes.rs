//! Who trusts whom: what is accepted, and in which words the rest is refused.

use crate::authority::{Authority, Files, Identity};
use crate::front::Front;
use crate::{PATIENCE, front, refusal, refusal_of};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};
use titorelli_mio::rustls::crypto::ring;
use titorelli_mio::rustls::version::{TLS12, TLS13};
use titorelli_mio::rustls::{ClientConfig, SupportedProtocolVersion};
use titorelli_mio::{BuildError, Config, Producer, Record, SecurityProtocol};

/// Sends a record and waits until it is written.
#[track_caller]
fn expect_delivery(producer: &Producer) {
    let receipt = producer
        .send(&Record::to("t").value(b"v"))
        .expect("accepted");
    receipt.wait(PATIENCE).expect("in time").expect("acked");
}

#[track_caller]
fn expect_words(words: &str, expected: &[&str]) {
    for part in expected {
        assert!(words.contains(part), "{part:?} is not in {words:?}");
    }
}

/// The configuration of a producer that shows a certificate.
fn with_certificate(mut config: Config, identity: &Identity, files: &Files) -> Config {
    config.ssl_certfile = Some(files.write("producer.pem", identity.pem()));
    config.ssl_keyfile = Some(files.write("producer.key", identity.key_pem()));
    config
}

fn context(authority: &Authority, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .expect("suites of these versions")
        .with_root_certificates(authority.roots())
        .with_no_client_auth()
}

#[test]
fn a_broker_of_the_right_authority_and_name_is_trusted() {
    let (authority, files) = (Authority::new("a"), Files::new());
    // By name, with both versions and with only the older; and by address.
    for (host, versions) in [
        ("localhost", &[&TLS12, &TLS13][..]),
        ("localhost", &[&TLS12]),
        ("127.0.0.1", &[&TLS13]),
    ] {
        let server = authority.issue(&[host]).server_with(versions, None);
        let (front, config) = front(host, &authority, server, &files);
        expect_delivery(&Producer::new(config).expect("valid"));
        assert_eq!(front.values().concat(), [b"v"], "{host} {versions:?}");
    }
}

#[test]
fn a_broker_of_another_authority_is_refused() {
    let (authority, other, files) = (Authority::new("a"), Authority::new("b"), Files::new());
    let server = other.issue(&["localhost"]).server();
    let (_front, config) = front("localhost", &authority, server, &files);
    let words = refusal(config);
    expect_words(
        &words,
        &[
            "TLS: ",
            "127.0.0.1:",
            "is from no authority in ssl_cafile (",
            "authority.pem)",
        ],
    );
}

#[test]
fn a_broker_of_an_authority_that_was_made_anew_is_refused() {
    let (authority, namesake, files) = (Authority::new("a"), Authority::new("a"), Files::new());
    let server = namesake.issue(&["localhost"]).server();
    let (_front, config) = front("localhost", &authority, server, &files);
    expect_words(&refusal(config), &["is there another of the same name?"]);
}

#[test]
fn a_broker_of_another_name_is_refused_unless_names_are_not_checked() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let server = || authority.issue(&["b1.example", "10.9.8.7"]).server();
    for host in ["localhost", "127.0.0.1"] {
        let (_front, config) = front(host, &authority, server(), &files);
        let not_for = format!("is not for {host}, it names b1.example, 10.9.8.7");
        expect_words(&refusal(config.clone()), &["TLS: ", &not_for]);
        let mut lenient = config;
        lenient.ssl_check_hostname = false;
        expect_delivery(&Producer::new(lenient).expect("valid"));
    }
}

#[test]
fn without_a_check_of_names_the_authority_and_the_dates_are_checked_all_the_same() {
    let (authority, other, files) = (Authority::new("a"), Authority::new("b"), Files::new());
    for (identity, expected) in [
        (other.issue(&["b1.example"]), "is from no authority in"),
        (
            authority.issue_between(&["b1.example"], 2001, 2002),
            "expired",
        ),
    ] {
        let (_front, mut config) = front("localhost", &authority, identity.server(), &files);
        config.ssl_check_hostname = false;
        expect_words(&refusal(config), &["TLS: ", expected]);
    }
}

#[test]
fn a_certificate_out_of_its_time_is_refused() {
    let (authority, files) = (Authority::new("a"), Files::new());
    for (from, to, expected) in [
        (
            2001,
            2002,
            [
                "the broker's certificate expired ",
                " days ago, by this machine's clock",
            ],
        ),
        (
            2089,
            2090,
            [
                "is not valid yet, but in ",
                " days, by this machine's clock",
            ],
        ),
    ] {
        let server = authority.issue_between(&["localhost"], from, to).server();
        let (_front, config) = front("localhost", &authority, server, &files);
        expect_words(&refusal(config), &expected);
    }
}

#[test]
fn a_broker_that_wants_a_certificate_gets_it() {
    let (authority, files) = (Authority::new("a"), Files::new());
    for version in [&TLS12, &TLS13] {
        let broker = authority.issue(&["localhost"]);
        let server = broker.server_with(&[version], Some(&authority));
        let (front, config) = front("localhost", &authority, server, &files);
        let config = with_certificate(config, &authority.issue(&["me"]), &files);
        expect_delivery(&Producer::new(config).expect("valid"));
        assert_eq!(front.values().concat(), [b"v"], "{version:?}");
    }
}

#[test]
fn a_broker_that_wants_a_certificate_and_gets_none_says_so() {
    let (authority, files) = (Authority::new("a"), Files::new());
    for version in [&TLS12, &TLS13] {
        let broker = authority.issue(&["localhost"]);
        let server = broker.server_with(&[version], Some(&authority));
        let (_front, config) = front("localhost", &authority, server, &files);
        let words = refusal(config);
        let expected = "wants a certificate from the producer: set ssl_certfile and ssl_keyfile";
        expect_words(&words, &["TLS: ", expected, "certificate_required"]);
    }
}

#[test]
fn a_broker_that_does_not_know_the_authority_of_the_producer_says_so() {
    let (authority, other, files) = (Authority::new("a"), Authority::new("b"), Files::new());
    for version in [&TLS12, &TLS13] {
        let broker = authority.issue(&["localhost"]);
        let server = broker.server_with(&[version], Some(&authority));
        let (_front, config) = front("localhost", &authority, server, &files);
        let config = with_certificate(config, &other.issue(&["me"]), &files);
        let words = refusal(config);
        expect_words(
            &words,
            &[
                "TLS: ",
                "refuses the certificate in ssl_certfile (",
                "unknown_ca",
            ],
        );
    }
}

#[test]
fn plaintext_to_a_port_that_speaks_tls_is_told() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let server = authority.issue(&["localhost"]).server();
    let (_front, mut config) = front("localhost", &authority, server, &files);
    (config.security_protocol, config.ssl_cafile) = (SecurityProtocol::Plaintext, None);
    expect_words(&refusal(config), &["speaks TLS on this port"]);
}

#[test]
fn tls_to_a_port_that_does_not_speak_it_is_told() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let (front, config) = {
        let front = Front::start("localhost", None);
        let mut config = front.config();
        config.ssl_cafile = Some(files.write("authority.pem", authority.pem()));
        (front, config)
    };
    // The embedded cluster does what Kafka does: it takes the greeting for an enormous request, and
    // closes.
    let words = refusal(config.clone());
    expect_words(
        &words,
        &[
            "TLS: ",
            "during the TLS handshake",
            "does the port speak TLS?",
        ],
    );
    drop(front);
    // Others answer in their own tongue.
    let port = answering(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    let mut config = config;
    config.bootstrap_servers = vec![format!("localhost:{port}")];
    expect_words(
        &refusal(config),
        &["TLS: ", "the answer is not TLS: does the port speak TLS?"],
    );
}

/// A port that answers everything with these words.
fn answering(words: &'static [u8]) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("accepted");
            let mut greeting = [0; 5];
            stream.read_exact(&mut greeting).expect("a greeting");
            stream.write_all(words).expect("written");
            // What is said to that is not of interest; however it ends, it ends.
            thread::spawn(move || stream.read_to_end(&mut Vec::new()));
        }
    });
    port
}

#[test]
fn a_broker_that_dies_in_the_handshake_is_told() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let server = authority.issue(&["localhost"]).server();
    let (front, config) = front("localhost", &authority, server, &files);
    // In the middle of its first record, after some of them, and before any.
    for bytes in [1, 100, 300] {
        front.manner.cut_after_sent.store(bytes, Ordering::Relaxed);
        let words = refusal(config.clone());
        expect_words(&words, &["TLS: ", "during the TLS handshake"]);
    }
    front.manner.cut_after_received.store(1, Ordering::Relaxed);
    expect_words(
        &refusal(config.clone()),
        &["TLS: ", "during the TLS handshake"],
    );
    front
        .manner
        .cut_after_sent
        .store(usize::MAX, Ordering::Relaxed);
    front
        .manner
        .cut_after_received
        .store(usize::MAX, Ordering::Relaxed);
    expect_delivery(&Producer::new(config).expect("valid"));
}

#[test]
fn a_silent_port_is_given_up_in_time() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let server = authority.issue(&["localhost"]).server();
    let (front, mut config) = front("localhost", &authority, server, &files);
    let port = answering(b"");
    config.bootstrap_servers = vec![format!("127.0.0.1:{port}")];
    config.socket_connection_setup_timeout = Duration::from_millis(300);
    // The driver gives up an address when the core gives up the connection, or just before.
    let words = refusal(config);
    assert!(
        words.contains("no end of the TLS handshake in time")
            || words.contains("not ready within socket_connection_setup_timeout"),
        "{words}"
    );
    drop(front);
}

#[test]
fn a_handshake_may_come_a_byte_at_a_time() {
    let (authority, files) = (Authority::new("a"), Files::new());
    for version in [&TLS12, &TLS13] {
        let server = authority
            .issue(&["localhost"])
            .server_with(&[version], None);
        let (front, config) = front("localhost", &authority, server, &files);
        front.manner.step.store(1, Ordering::Relaxed);
        expect_delivery(&Producer::new(config).expect("valid"));
        assert_eq!(front.values().concat(), [b"v"]);
    }
}

#[test]
fn a_ready_made_context_is_used_and_the_keys_are_ignored() {
    let (authority, other, files) = (Authority::new("a"), Authority::new("b"), Files::new());
    let server = authority.issue(&["localhost"]).server();
    let (_front, mut config) = front("localhost", &authority, server, &files);
    // Wrong, missing, and at odds with each other.
    config.ssl_cafile = Some(files.write("other.pem", other.pem()));
    config.ssl_certfile = Some(files.folder().join("missing.pem"));
    config.ssl_check_hostname = false;
    let context = Arc::new(context(&authority, &[&TLS12, &TLS13]));
    let producer = Producer::builder(config).ssl_context(context).build();
    expect_delivery(&producer.expect("valid"));
}

#[test]
fn a_ready_made_context_needs_the_protocol() {
    let context = Arc::new(context(&Authority::new("a"), &[&TLS13]));
    let builder = Producer::builder(Config::default()).ssl_context(context);
    let error = builder.build().expect_err("nothing would be encrypted");
    assert!(matches!(&error, BuildError::Config(error) if error.key == "security_protocol"));
    expect_words(&error.to_string(), &["ssl_context", "set SSL"]);
}

#[test]
fn versions_that_do_not_meet_are_told() {
    let (authority, files) = (Authority::new("a"), Files::new());
    for (ours, theirs) in [(&TLS12, &TLS13), (&TLS13, &TLS12)] {
        let server = authority.issue(&["localhost"]).server_with(&[theirs], None);
        let (_front, mut config) = front("localhost", &authority, server, &files);
        config.max_block = Duration::from_millis(50);
        let context = Arc::new(context(&authority, &[ours]));
        let producer = Producer::builder(config).ssl_context(context).build();
        let words = refusal_of(&producer.expect("valid"));
        expect_words(&words, &["TLS: ", "no version of TLS in common"]);
    }
}

#[test]
fn ciphers_that_do_not_meet_are_told() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let server = authority.issue(&["localhost"]).server_with(&[&TLS13], None);
    let (front, mut config) = front("localhost", &authority, server, &files);
    config.max_block = Duration::from_millis(50);
    // The keys of the server are agreed on in ways that this client does not know.
    let mut provider = ring::default_provider();
    provider.kx_groups = vec![ring::kx_group::X25519];
    let client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13])
        .expect("a suite")
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    let mut provider = ring::default_provider();
    provider.kx_groups = vec![ring::kx_group::SECP384R1];
    front.become_server(authority.issue(&["localhost"]).server_of(provider));
    let producer = Producer::builder(config)
        .ssl_context(Arc::new(client))
        .build();
    let words = refusal_of(&producer.expect("valid"));
    expect_words(
        &words,
        &["TLS: ", "no cipher in common", "handshake_failure"],
    );
}

#[test]
fn what_tls_says_later_is_told_with_the_record_that_failed() {
    let (authority, files) = (Authority::new("a"), Files::new());
    for version in [&TLS12, &TLS13] {
        let server = authority.issue(&["localhost"]);
        let server = server.server_with(&[version], None);
        let front = Front::with_brokers(1, "localhost", Some(server));
        let mut config = front.config();
        config.ssl_cafile = Some(files.write("authority.pem", authority.pem()));
        config.retries = 0;
        let producer = Producer::new(config).expect("valid");
        expect_delivery(&producer);
        // The answer to the next record is changed on the way.
        front.manner.is_damaging.store(true, Ordering::Relaxed);
        let sent = producer.send(&Record::to("t").value(b"w").partition(0));
        let result = sent.expect("accepted").wait(PATIENCE).expect("in time");
        let error = result.expect_err("the answer is lost");
        assert!(error.may_be_persisted());
        let expected = "t-0: disconnected: TLS: a record of the broker cannot be decrypted";
        expect_words(&error.to_string(), &[expected]);
        expect_delivery(&producer);
    }
}

#[test]
fn sessions_are_resumed() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let server = authority.issue(&["localhost"]).server();
    let (front, config) = front("localhost", &authority, server, &files);
    let producer = Producer::new(config).expect("valid");
    let began = Instant::now();
    while front.manner.resumed.load(Ordering::Relaxed) == 0 {
        expect_delivery(&producer);
        front.embedded().cut_connections(None);
        assert!(began.elapsed() < PATIENCE);
    }
}

#[test]
fn without_a_file_the_authorities_of_the_system_are_asked() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let server = authority.issue(&["localhost"]).server();
    let (_front, mut config) = front("localhost", &authority, server, &files);
    config.ssl_cafile = None;
    config.max_block = Duration::from_millis(50);
    match Producer::new(config) {
        Ok(producer) => {
            let words = refusal_of(&producer);
            expect_words(
                &words,
                &["TLS: ", "is from no authority in the system's authorities"],
            );
        }
        // A system that has none.
        Err(error) => expect_words(&error.to_string(), &["ssl_cafile", "unset", "name a file"]),
    }
}
