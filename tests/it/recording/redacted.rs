//! Logs that are safe to hand on.

use super::{REDACTED, log_of, replay, with_line};
use titorelli::recording::{Payloads, RecordedCore, Recording, ReplayError};
use titorelli::{Config, Header, Instant, Record, SecurityProtocol};

#[test]
fn redacted_logs_replay() {
    let (mut placed, mut outputs) = (0, 0);
    for seed in 0..60 {
        let log = log_of(seed, REDACTED);
        let replayed = replay(&log).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        outputs += replayed.outputs;
        placed += log.matches(" @").count();
    }
    assert!(placed > 100, "keys decide: {placed}");
    assert!(outputs > 50_000, "{outputs}");
}

/// The lengths that compression came to are inputs: what follows from them is compared.
#[test]
fn a_changed_length_is_refused() {
    let log = log_of(2, REDACTED);
    let (number, line) = (1..)
        .zip(log.lines())
        .find(|(_, line)| line.starts_with("> transmit"))
        .expect("something is sent");
    let mutated = with_line(&log, number, |line| Some(format!("{line}0")));
    let error = replay(&mutated).expect_err(line);
    assert!(
        matches!(error, ReplayError::Difference { line, .. } if line == number),
        "{error}"
    );
}

/// A recording of one record with a key, a value and a header, under a configuration with secrets.
fn log_with_secrets(salt: u8) -> String {
    let mut config = Config::default();
    config.security_protocol = SecurityProtocol::Ssl;
    config.ssl_cafile = Some("/secret/ca.pem".into());
    config.ssl_certfile = Some("/secret/me.pem".into());
    config.ssl_keyfile = Some("/secret/me.key".into());
    let recording = Recording {
        payloads: Payloads::Redacted { salt: [salt; 32] },
        waiting_bytes_max: usize::MAX,
    };
    let core = RecordedCore::new(config, [7; 32], Instant::ZERO, Some(recording));
    let mut core = core.expect("it works");
    let headers = [Header {
        name: "trace",
        value: Some(b"hush"),
    }];
    let record = Record::to("orders")
        .key(b"alice")
        .value(b"4711")
        .headers(&headers);
    for _ in 0..2 {
        core.send(Instant::ZERO, &record)
            .expect_err("nobody answered yet");
    }
    core.take_log(String::new())
}

#[test]
fn nothing_secret_is_in_a_redacted_log() {
    let log = log_with_secrets(1);
    for secret in [
        "alice",
        "4711",
        "hush",
        "secret",
        "ssl",
        "SSL",
        "616c696365",
        "34373131",
    ] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
    for kept in ["orders", "trace", " ~5~", " ~4~"] {
        assert!(log.contains(kept), "{kept} is not in\n{log}");
    }
    let sends: Vec<&str> = log.lines().filter(|line| line.contains("send")).collect();
    assert!(
        sends.len() == 2 && sends[0] == sends[1],
        "equal values have equal hashes\n{log}"
    );
    assert_ne!(log, log_with_secrets(2), "and others under another salt");
    replay(&log).expect("the part about security is the driver's");
}

#[test]
fn neither_does_a_whole_log_tell_secrets_of_the_configuration() {
    let mut config = Config::default();
    config.security_protocol = SecurityProtocol::Ssl;
    config.ssl_cafile = Some("/secret/ca.pem".into());
    let recording = Recording {
        payloads: Payloads::Whole,
        waiting_bytes_max: usize::MAX,
    };
    let core = RecordedCore::new(config, [7; 32], Instant::ZERO, Some(recording));
    let mut core = core.expect("it works");
    let log = core.take_log(String::new());
    assert!(!log.contains("secret") && !log.contains("SSL"), "{log}");
}

/// A short value could be tried out with the salt.
#[test]
fn the_salt_is_not_told() {
    let told = format!("{:?}", Payloads::Redacted { salt: [42; 32] });
    assert_eq!(told, "Redacted");
}
