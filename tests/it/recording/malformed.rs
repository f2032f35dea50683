//! Logs that nobody wrote: refused, or replayed as far as they make sense; never a panic.

use super::{REDACTED, log_of, replay};
use proptest::prelude::*;
use std::panic::catch_unwind;
use titorelli::recording::{Payloads, RecordedCore, Recording, Replay, ReplayError};
use titorelli::{Config, Instant, Record};

/// Replays, and asks that it ends in one way or the other.
fn survive(log: &[u8]) {
    let ended = catch_unwind(|| Replay::new(log).and_then(Replay::run));
    let ended = ended.expect("no log makes a replay panic");
    if let Err(error) = ended {
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn a_log_that_is_none_is_refused_with_its_line() {
    let head = "titorelli-recording 1 whole\n";
    let begin = format!("begin 0 {}\n", "07".repeat(32));
    for (log, line) in [
        (String::new(), 0),
        ("hello\n".to_owned(), 1),
        ("titorelli-recording 2 whole\n".to_owned(), 1),
        (format!("{head}config no_such_key 1\n{begin}"), 2),
        (format!("{head}config linger_ms soon\n{begin}"), 2),
        (format!("{head}begin 0 07\n"), 2),
        (format!("{head}{begin}5 dance\n"), 3),
        (format!("{head}{begin}5 timeout now\n"), 3),
        (format!("{head}{begin}soon timeout\n"), 3),
        (format!("{head}{begin}5 received 0 0g\n"), 3),
        (format!("{head}{begin}5 sealed 0.0 61 plain #0\n"), 3),
        (format!("{head}{begin}5 send orders - - =a\n"), 3),
        (format!("{head}{begin}5 timeout\nheld 1\n"), 4),
    ] {
        let error = replay(&log).expect_err(&log);
        let ReplayError::Malformed { line: at, .. } = error else {
            panic!("{log:?}: {error}");
        };
        assert_eq!(at, line, "{log:?}: {error}");
    }
}

#[test]
fn a_configuration_that_cannot_work_is_told() {
    let log = format!(
        "titorelli-recording 1 whole\nconfig batch_size 99999999999999\nbegin 0 {}\n",
        "07".repeat(32)
    );
    let error = replay(&log).expect_err("no batch is so large");
    assert!(
        matches!(&error, ReplayError::Config(e) if e.key == "batch_size"),
        "{error}"
    );
}

/// In a redacted log a length is only a number.
#[test]
fn lengths_do_not_make_a_replay_take_more_memory_than_the_run_had() {
    let recording = Recording {
        payloads: REDACTED,
        waiting_bytes_max: usize::MAX,
    };
    let config = Config::default();
    let mut core = RecordedCore::new(config, [7; 32], Instant::ZERO, Some(recording)).unwrap();
    let record = Record::to("orders").value(b"four");
    core.send(Instant::ZERO, &record)
        .expect_err("nobody answered yet");
    let log = core.take_log(String::new());
    let longer = log.replace(" ~4~", " ~18446744073709551615~");
    let error = replay(&longer).expect_err("as many bytes as there are numbers");
    assert!(matches!(error, ReplayError::Malformed { .. }), "{error}");
}

/// No codec makes a body longer, nor is its buffer as large as one likes.
#[test]
fn seals_that_cannot_be_are_refused() {
    let mut logs = (0..50).map(|seed| log_of(seed, REDACTED));
    let log = logs
        .find(|log| log.contains(" packed "))
        .expect("one of them compresses");
    let found = (1..)
        .zip(log.lines())
        .find(|(_, line)| line.contains(" packed "));
    let (number, line) = found.expect("looked for");
    let (seal, _) = line.split_once(" packed ").expect("looked for");
    let (batch, _) = seal.rsplit_once(' ').expect("what goes before the body");
    let most = usize::MAX;
    for seal in [
        format!("{seal} packed {most} {most}"),
        format!("{seal} packed 1 {most}"),
        format!("{seal} packed 2 1"),
        format!("{batch} 62 plain"),
        format!("{batch} {most} plain"),
    ] {
        let log = super::with_line(&log, number, |_| Some(seal.clone()));
        let error = replay(&log).expect_err(&seal);
        assert!(
            matches!(error, ReplayError::Malformed { line, .. } if line == number),
            "{seal}: {error}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        survive(&bytes);
        let mut log = format!("titorelli-recording 1 whole\nbegin 0 {}\n", "07".repeat(32));
        log.push_str(&String::from_utf8_lossy(&bytes));
        survive(log.as_bytes());
    }

    /// Real logs with lines left out, doubled, exchanged and other words in them.
    #[test]
    fn logs_that_were_tampered_with(
        seed in 0_u64..20,
        is_redacted in any::<bool>(),
        edits in proptest::collection::vec((0_u8..5, any::<u32>(), any::<u32>()), 1..8),
    ) {
        let payloads = if is_redacted { REDACTED } else { Payloads::Whole };
        let log = log_of(seed, payloads);
        let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
        for (kind, place, other) in edits {
            let count = lines.len();
            let (place, other) = (place as usize % count, other as usize);
            match kind {
                0 => drop(lines.remove(place)),
                1 => lines.insert(place, lines[other % count].clone()),
                2 => lines.swap(place, other % count),
                // Another word.
                3 => {
                    let mut words: Vec<String> =
                        lines[place].split(' ').map(str::to_owned).collect();
                    let at = other % words.len();
                    words[at] = ["-", "0", "18446744073709551615", "x", "%", "@3", "~9~0"]
                        [other % 7].to_owned();
                    lines[place] = words.join(" ");
                }
                // Another number.
                _ => {
                    let digit = char::from(b'0' + u8::try_from(other % 10).unwrap());
                    let digits = lines[place].char_indices().filter(|(_, c)| c.is_ascii_digit());
                    let digits: Vec<usize> = digits.map(|(at, _)| at).collect();
                    if let Some(at) = digits.get(other % digits.len().max(1)) {
                        lines[place].replace_range(*at..=*at, &digit.to_string());
                    }
                }
            }
        }
        survive((lines.join("\n") + "\n").as_bytes());
    }
}
