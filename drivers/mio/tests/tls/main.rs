//! TLS over real sockets: the embedded cluster behind a TLS front on loopback.

mod authority;
mod files;
mod flow;
mod front;
mod handshakes;
mod names;
mod truth;

use authority::{Authority, Files};
use front::Front;
use std::time::{Duration, Instant};
use titorelli::UnknownCause;
use titorelli_mio::rustls::ServerConfig;
use titorelli_mio::{Config, Producer, SendError};

/// Long enough for anything that is not broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// A front whose brokers are called `host`, and a configuration that trusts `authority`.
fn front(
    host: &str,
    authority: &Authority,
    server: ServerConfig,
    files: &Files,
) -> (Front, Config) {
    let front = Front::start(host, Some(server));
    let mut config = front.config();
    config.ssl_cafile = Some(files.write("authority.pem", authority.pem()));
    (front, config)
}

/// Why no broker can be used.
#[track_caller]
fn refusal(mut config: Config) -> String {
    config.max_block = Duration::from_millis(50);
    refusal_of(&Producer::new(config).expect("valid"))
}

/// Why no broker can be used by a producer that waits little.
#[track_caller]
fn refusal_of(producer: &Producer) -> String {
    let began = Instant::now();
    loop {
        let error = producer.partitions_for("t").expect_err("no broker");
        if let SendError::TopicUnknown {
            cause: UnknownCause::NoBroker(words),
            ..
        } = &error
            // An attempt under way is told as that.
            && !words.contains("not connected yet")
            && !words.contains("not told yet")
        {
            return words.to_string();
        }
        assert!(began.elapsed() < PATIENCE, "{error}");
    }
}
