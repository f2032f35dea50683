//! One session against a real TLS server in memory, over a transport that takes as little at a time
//! as a test wants.

use super::{Broken, Peer, Session, Tls};
use crate::outbox::Outbox;
use crate::stream::Stream;
use bytes::Bytes;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, ServerConnection, SupportedCipherSuite,
    SupportedProtocolVersion, Tls12CipherSuite, Tls13CipherSuite, version,
};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

/// Both directions, and how little of them goes through at a time.
struct Pipe {
    /// Ciphertext that left and has not arrived.
    to_server: Vec<u8>,
    /// Ciphertext for the session.
    to_client: Vec<u8>,
    /// Most bytes of one read or write.
    step: usize,
    /// Bytes that may leave before it blocks.
    budget: usize,
    /// Bytes that left in all.
    left: usize,
    /// Nothing more comes from the server.
    is_ended: bool,
    /// The server has gone.
    is_broken: bool,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_broken {
            return Err(ErrorKind::BrokenPipe.into());
        }
        let taken = bytes.len().min(self.step).min(self.budget);
        if taken == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        self.to_server.extend_from_slice(&bytes[..taken]);
        self.budget -= taken;
        self.left += taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let taken = buffer.len().min(self.step).min(self.to_client.len());
        if taken == 0 && !self.is_ended {
            return Err(ErrorKind::WouldBlock.into());
        }
        buffer[..taken].copy_from_slice(&self.to_client[..taken]);
        self.to_client.drain(..taken);
        Ok(taken)
    }
}

/// A session and its server.
struct Bench {
    session: Session,
    server: ServerConnection,
    pipe: Pipe,
    /// Plaintext that the server could read.
    arrived: Vec<u8>,
    /// Plaintext that was told as sent.
    told: usize,
}

/// What a bench is made of.
#[derive(Clone, Copy)]
struct Kind {
    version: &'static SupportedProtocolVersion,
    /// Records that a key is good for, where it is not the suite's own number.
    records_max: Option<u64>,
    wants_client_certificate: bool,
}

const TLS12: Kind = Kind {
    version: &version::TLS12,
    records_max: None,
    wants_client_certificate: false,
};
const TLS13: Kind = Kind {
    version: &version::TLS13,
    ..TLS12
};

/// The provider's AES-128 suites, perhaps with keys that wear out soon.
fn provider(records_max: Option<u64>) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    let worn = |suite: &SupportedCipherSuite, limit| match suite {
        SupportedCipherSuite::Tls12(suite) => {
            let mut common = copy(&suite.common);
            common.confidentiality_limit = limit;
            SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
                common,
                prf_provider: suite.prf_provider,
                kx: suite.kx,
                sign: suite.sign,
                aead_alg: suite.aead_alg,
            })))
        }
        SupportedCipherSuite::Tls13(suite) => {
            let mut common = copy(&suite.common);
            common.confidentiality_limit = limit;
            SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
                common,
                hkdf_provider: suite.hkdf_provider,
                aead_alg: suite.aead_alg,
                quic: None,
            })))
        }
    };
    let suites = [
        ring::cipher_suite::TLS13_AES_128_GCM_SHA256,
        ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ];
    provider.cipher_suites = match records_max {
        Some(limit) => suites.iter().map(|suite| worn(suite, limit)).collect(),
        None => suites.to_vec(),
    };
    Arc::new(provider)
}

fn copy(common: &rustls::CipherSuiteCommon) -> rustls::CipherSuiteCommon {
    rustls::CipherSuiteCommon {
        suite: common.suite,
        hash_provider: common.hash_provider,
        confidentiality_limit: common.confidentiality_limit,
    }
}

impl Bench {
    /// Before the handshake.
    fn begin(kind: Kind) -> Self {
        let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("issued");
        let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).expect("PKCS#8");
        let certificate = issued.cert.der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).expect("well-formed");
        let roots = Arc::new(roots);
        let provider = provider(kind.records_max);
        let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[kind.version])
            .expect("a suite of this version")
            .with_root_certificates(Arc::clone(&roots))
            .with_no_client_auth();
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[kind.version])
            .expect("a suite of this version");
        let server = if kind.wants_client_certificate {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            server.with_client_cert_verifier(verifier.build().expect("an authority"))
        } else {
            server.with_no_client_auth()
        };
        let server = server.with_single_cert(vec![certificate], key);
        let tls = Tls::ready_made(Arc::new(client));
        let peer = tls.peer("localhost").expect("a name");
        let session = tls.begin(&peer, Ipv4Addr::LOCALHOST.into());
        Self {
            session: session.expect("a session"),
            server: ServerConnection::new(server.expect("its key").into()).expect("a server"),
            pipe: Pipe {
                to_server: Vec::new(),
                to_client: Vec::new(),
                step: usize::MAX,
                budget: usize::MAX,
                left: 0,
                is_ended: false,
                is_broken: false,
            },
            arrived: Vec::new(),
            told: 0,
        }
    }

    /// After the handshake.
    fn ready(kind: Kind) -> Self {
        let mut bench = Self::begin(kind);
        while !bench.session.shake(&mut bench.pipe).expect("no failure") {
            bench.serve().expect("no failure");
        }
        bench.serve().expect("no failure");
        bench
    }

    /// The server reads what left, and answers. Whether it refuses is for the caller to see.
    fn serve(&mut self) -> Result<(), rustls::Error> {
        let bytes = std::mem::take(&mut self.pipe.to_server);
        let mut rest = &bytes[..];
        let mut result = Ok(());
        while !rest.is_empty() && result.is_ok() {
            self.server.read_tls(&mut rest).expect("room");
            result = self.server.process_new_packets().map(|_| ());
            let mut buffer = [0; 10_000];
            while let Ok(bytes @ 1..) = self.server.reader().read(&mut buffer) {
                self.arrived.extend_from_slice(&buffer[..bytes]);
            }
        }
        while self.server.wants_write() {
            self.server
                .write_tls(&mut self.pipe.to_client)
                .expect("memory");
        }
        result
    }

    /// Writes, and adds up what is told.
    fn write(&mut self, outbox: &mut Outbox) -> Result<bool, Broken> {
        let (bytes, is_blocked) = self.session.write(&mut self.pipe, outbox)?;
        self.told += bytes;
        Ok(is_blocked)
    }

    /// The server says something inside.
    fn say(&mut self, words: &[u8]) {
        self.server.writer().write_all(words).expect("room");
        self.serve().expect("no failure");
    }

    /// Reads until nothing more comes.
    fn read(&mut self, buffer: &mut Vec<u8>) -> Result<Option<usize>, Broken> {
        let mut part = [0; 10];
        loop {
            match self.session.read(&mut self.pipe, &mut part)? {
                Some(bytes @ 1..) => buffer.extend_from_slice(&part[..bytes]),
                other => return Ok(other),
            }
        }
    }
}

/// Chunks of these sizes, of bytes that tell their place.
fn chunks(sizes: &[usize]) -> Vec<Bytes> {
    let mut places = (0..251).cycle();
    let chunk = |size: &usize| places.by_ref().take(*size).collect();
    sizes.iter().map(chunk).collect()
}

fn outbox(chunks: &[Bytes]) -> Outbox {
    let mut outbox = Outbox::default();
    for chunk in chunks {
        outbox.push(chunk.clone());
    }
    outbox
}

#[test]
fn what_is_told_as_sent_is_what_the_broker_can_read_after_every_write() {
    let chunks = chunks(&[40, 300, 2, 1, 20_000, 7]);
    let whole: Vec<u8> = chunks.concat();
    for kind in [TLS12, TLS13] {
        for step in (1..40).chain([1_000, 16_405, 30_000]) {
            let mut bench = Bench::ready(kind);
            let mut outbox = outbox(&chunks);
            bench.pipe.step = step;
            loop {
                bench.pipe.budget = 3 * step;
                let is_blocked = bench.write(&mut outbox).expect("no failure");
                bench.serve().expect("no failure");
                assert_eq!(bench.told, bench.arrived.len(), "{step} bytes at a time");
                if !is_blocked {
                    break;
                }
            }
            assert_eq!(bench.arrived, whole);
            assert!(outbox.is_empty());
            assert_eq!(bench.session.take_last(), 0);
        }
    }
}

/// Writes until `budget` bytes of ciphertext left, and ends the connection; returns what counts as
/// sent, and what the server could read of it.
fn cut(kind: Kind, chunks: &[Bytes], budget: usize) -> (usize, usize) {
    let mut bench = Bench::ready(kind);
    let mut outbox = outbox(chunks);
    bench.pipe.budget = budget;
    bench.write(&mut outbox).expect("no failure");
    bench.pipe.is_broken = true;
    bench.write(&mut outbox).expect_err("it is broken");
    bench.serve().expect("no failure");
    let told = bench.told + bench.session.take_last();
    assert_eq!(bench.session.take_last(), 0, "it is told once");
    (told, bench.arrived.len())
}

#[test]
fn at_the_end_every_byte_counts_whose_ciphertext_may_have_left() {
    const FULL: usize = 16 * 1_024;
    let chunks = chunks(&[100, FULL + 50]);
    // Bytes before and after what a record carries: TLS 1.2 has a nonce in front, TLS 1.3 tells
    // the type behind.
    for (kind, front, back) in [(TLS12, 5 + 8, 16), (TLS13, 5, 17)] {
        let first = front + FULL + back;
        let whole = first + front + 150 + back;
        let edges = [0..40, first - 60..first + 60, whole - 60..whole];
        for budget in edges.into_iter().flatten() {
            let (told, arrived) = cut(kind, &chunks, budget);
            let may_have_left = if budget < first {
                budget.saturating_sub(front).min(FULL)
            } else {
                FULL + (budget - first).saturating_sub(front).min(150)
            };
            assert!(told >= may_have_left, "{budget}: {told} < {may_have_left}");
            // The nonce is taken for bytes that it comes before.
            let spare = front - 5;
            assert!(told <= may_have_left + spare, "{budget}: {told}");
            let readable = if budget < first { 0 } else { FULL };
            assert_eq!(arrived, readable, "{budget}");
        }
    }
}

/// The same over a real socket that nobody reads from, until the connection has ended.
#[test]
fn a_socket_that_takes_no_more_leaves_exactly_what_is_told() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let tcp = std::net::TcpStream::connect(address).expect("connected");
    tcp.set_nonblocking(true).expect("a socket");
    let (mut peer, _) = listener.accept().expect("accepted");
    let tcp = mio::net::TcpStream::from_std(tcp);
    let session = Box::new(Bench::ready(TLS13).session);
    let mut stream = Stream::Tls(tcp, session);
    let mut outbox = outbox(&chunks(&[64 << 20]));
    let written = stream.write(&mut outbox).expect("no failure");
    assert!(written.is_blocked);
    let last = stream.close();
    drop(stream);
    let mut left = Vec::new();
    peer.read_to_end(&mut left).expect("an orderly end");
    let (mut rest, mut whole) = (&left[..], 0);
    while let Some((header, after)) = rest.split_first_chunk::<5>() {
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let Some(after) = after.get(length..) else {
            break;
        };
        // The type and the tag are no plaintext.
        whole += length - 17;
        rest = after;
    }
    assert_eq!(written.bytes, whole);
    assert_eq!(last, rest.len().saturating_sub(5).min(16 * 1_024));
}

#[test]
fn little_is_encrypted_before_the_transport_takes_it() {
    const BYTES: usize = 4 << 20;
    let mut bench = Bench::ready(TLS13);
    let mut outbox = outbox(&chunks(&[BYTES]));
    let waiting = |outbox: &Outbox| {
        let mut slices = [IoSlice::new(&[])];
        outbox.lend(&mut slices, usize::MAX);
        slices[0].len()
    };
    for left in [0, 1, 100_000] {
        bench.pipe.budget = left;
        assert!(
            bench.write(&mut outbox).expect("no failure"),
            "it is blocked"
        );
        let taken = BYTES - waiting(&outbox) - bench.told;
        assert!(taken <= 5 * 16 * 1_024, "{taken} bytes inside");
    }
}

#[test]
fn a_handshake_completes_a_byte_at_a_time() {
    for kind in [TLS12, TLS13] {
        let mut bench = Bench::begin(kind);
        bench.pipe.step = 1;
        let mut pauses = 0;
        loop {
            // Half of the time the transport takes nothing at all.
            bench.pipe.budget = pauses % 2;
            if bench.session.shake(&mut bench.pipe).expect("no failure") {
                break;
            }
            pauses += 1;
            bench.serve().expect("no failure");
        }
        assert!(pauses > 200, "{pauses}");
        bench.pipe.budget = usize::MAX;
        let mut outbox = outbox(&chunks(&[10]));
        assert!(!bench.write(&mut outbox).expect("no failure"));
        bench.serve().expect("no failure");
        assert_eq!((bench.told, bench.arrived.len()), (10, 10));
    }
}

#[test]
fn keys_are_renewed_without_a_byte_miscounted() {
    let kind = Kind {
        records_max: Some(5),
        ..TLS13
    };
    let mut bench = Bench::ready(kind);
    let whole = chunks(&[10; 100]);
    for chunk in &whole {
        let mut outbox = outbox(std::slice::from_ref(chunk));
        bench.write(&mut outbox).expect("no failure");
        bench.serve().expect("no failure");
        assert_eq!(bench.told, bench.arrived.len());
    }
    assert_eq!(bench.arrived, whole.concat());
}

#[test]
fn a_worn_out_key_of_tls_1_2_ends_the_connection_and_nothing_is_told_that_did_not_leave() {
    const RECORDS_MAX: usize = 1_100;
    let kind = Kind {
        records_max: Some(RECORDS_MAX as u64),
        ..TLS12
    };
    let mut bench = Bench::ready(kind);
    let mut failure = None;
    for chunk in &chunks(&[10; RECORDS_MAX]) {
        let mut outbox = outbox(std::slice::from_ref(chunk));
        if let Err(broken) = bench.write(&mut outbox) {
            failure = Some((broken, outbox.is_empty()));
            break;
        }
        bench.serve().expect("no failure");
        assert_eq!(bench.told, bench.arrived.len());
    }
    let (broken, is_taken) = failure.expect("the key wears out");
    assert!(matches!(&broken, Broken::Tls(words) if words.contains("used up")));
    assert!(!is_taken, "what was not encrypted is still there");
    assert_eq!(bench.session.take_last(), 0);
    assert!(bench.told >= 700, "{}", bench.told);
}

#[test]
fn what_the_broker_says_arrives_in_any_chunking() {
    for step in [1, 2, 3, 50, 5_000] {
        let mut bench = Bench::ready(TLS13);
        let words: Vec<u8> = chunks(&[40_000]).concat();
        bench.say(&words[..30_000]);
        bench.say(&words[30_000..]);
        bench.pipe.step = step;
        let mut found = Vec::new();
        assert!(matches!(bench.read(&mut found), Ok(None)));
        assert_eq!(found, words, "{step} bytes at a time");
    }
}

#[test]
fn an_end_between_records_is_orderly_with_or_without_a_goodbye() {
    for says_goodbye in [true, false] {
        let mut bench = Bench::ready(TLS13);
        bench.say(b"answer");
        if says_goodbye {
            bench.server.send_close_notify();
            bench.serve().expect("no failure");
        }
        bench.pipe.is_ended = !says_goodbye;
        let mut found = Vec::new();
        assert!(matches!(bench.read(&mut found), Ok(Some(0))));
        assert_eq!(found, b"answer");
    }
}

#[test]
fn an_end_inside_a_record_is_told_after_what_came_before() {
    let mut bench = Bench::ready(TLS13);
    bench.say(b"answer");
    let whole = bench.pipe.to_client.len();
    bench.say(b"and half of another");
    bench.pipe.to_client.truncate(whole + 7);
    bench.pipe.is_ended = true;
    let mut found = Vec::new();
    let broken = bench.read(&mut found).expect_err("it is cut");
    assert_eq!(found, b"answer");
    assert!(matches!(broken, Broken::Transport(words) if words.contains("middle of a TLS record")));
}

#[test]
fn damage_is_told_after_what_came_before() {
    let mut bench = Bench::ready(TLS13);
    bench.say(b"answer");
    let whole = bench.pipe.to_client.len();
    bench.say(b"another");
    bench.pipe.to_client[whole + 7] ^= 1;
    let mut found = Vec::new();
    let broken = bench.read(&mut found).expect_err("it is damaged");
    assert_eq!(found, b"answer");
    assert!(matches!(broken, Broken::Tls(words) if words.contains("cannot be decrypted")));
}

#[test]
fn a_goodbye_is_said_unless_a_record_is_half_said() {
    let mut bench = Bench::ready(TLS13);
    bench.session.close(&mut bench.pipe);
    bench.serve().expect("no failure");
    let state = bench.server.process_new_packets().expect("no failure");
    assert!(state.peer_has_closed());

    let mut bench = Bench::ready(TLS13);
    bench.pipe.budget = 10;
    bench
        .write(&mut outbox(&chunks(&[100])))
        .expect("no failure");
    bench.pipe.budget = usize::MAX;
    let left = bench.pipe.left;
    bench.session.close(&mut bench.pipe);
    assert_eq!(bench.pipe.left, left, "nothing follows half a record");
    assert_eq!(bench.session.take_last(), 5);
}

/// TLS 1.3: the handshake is complete for us before the server looks at our certificate.
#[test]
fn a_refusal_after_the_handshake_is_heard_even_when_writing_fails_first() {
    let kind = Kind {
        wants_client_certificate: true,
        ..TLS13
    };
    let mut bench = Bench::begin(kind);
    while !bench.session.shake(&mut bench.pipe).expect("no failure") {
        bench.serve().expect("nothing to refuse yet");
    }
    bench.serve().expect_err("no certificate came");
    bench.pipe.is_broken = true;
    let broken = bench
        .write(&mut outbox(&chunks(&[100])))
        .expect_err("the server has gone");
    assert!(
        matches!(&broken, Broken::Tls(words) if words.contains("set ssl_certfile")),
        "{broken:?}"
    );
    assert_eq!(bench.session.take_last(), 0);
}

#[test]
fn a_broker_that_goes_without_a_word_is_suspected_of_wanting_a_certificate() {
    let mut bench = Bench::ready(TLS13);
    bench.pipe.is_broken = true;
    let broken = bench.write(&mut outbox(&chunks(&[100]))).expect_err("gone");
    assert!(
        matches!(&broken, Broken::Transport(words) if words.contains("ssl_certfile is unset")),
        "{broken:?}"
    );
    // Not when it has answered before.
    let mut bench = Bench::ready(TLS13);
    bench.say(b"answer");
    bench.read(&mut Vec::new()).expect("no failure");
    bench.pipe.is_broken = true;
    let broken = bench.write(&mut outbox(&chunks(&[100]))).expect_err("gone");
    assert!(
        matches!(&broken, Broken::Transport(words) if words == "broken pipe"),
        "{broken:?}"
    );
}

#[test]
fn a_host_is_named_as_configured_and_never_as_resolved() {
    let roots = Arc::new(RootCertStore::empty());
    let client = ClientConfig::builder_with_provider(provider(None))
        .with_safe_default_protocol_versions()
        .expect("suites of both versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tls = Tls::ready_made(Arc::new(client));
    let named = |tls: &Tls, host| match tls.peer(host) {
        Ok(Peer::Named(name)) => Ok(Some(name.to_str().into_owned())),
        Ok(Peer::AnyName) => Ok(None),
        Err(words) => Err(words),
    };
    for (host, expected) in [
        ("kafka-1.example", "kafka-1.example"),
        ("kafka_1", "kafka_1"),
        ("10.0.0.1", "10.0.0.1"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
    ] {
        assert_eq!(named(&tls, host), Ok(Some(expected.to_owned())));
    }
    let words = named(&tls, "b\u{fc}ro").expect_err("no name of a certificate");
    assert!(words.starts_with("b\u{fc}ro is neither"), "{words}");
    tls.checks_names = false;
    assert_eq!(named(&tls, "b\u{fc}ro"), Ok(None));
}
