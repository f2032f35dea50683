//! Logs with everything in them.

use super::{log_of, replay, with_line};
use titorelli::recording::{Payloads, RecordedCore, Recording, Replay, ReplayError};
use titorelli::{Config, Instant, Record};
use titorelli_sim::{Profile, Telling, draw, run_seed, witness};

/// Seeds with every kind of trouble: full memory and bytes that are held too long among it.
const SEEDS: u64 = 60;

#[test]
fn seeds_replay_with_the_same_outputs() {
    let (mut lines, mut held, mut packed) = (0, 0, 0);
    for seed in 0..SEEDS {
        let log = log_of(seed, Payloads::Whole);
        let replayed = replay(&log).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let count = |start: &str| log.lines().filter(|line| line.starts_with(start)).count();
        let answers = count("= ") + count("> ") + count("until ");
        assert_eq!(replayed.outputs, answers as u64, "seed {seed}");
        lines += log.lines().count();
        held += count("held ");
        packed += log.lines().filter(|line| line.contains(" packed ")).count();
    }
    assert!(lines > 300_000, "the runs are runs: {lines} lines");
    assert!(packed > 500, "batches are compressed: {packed}");
    assert!(held > 100, "bytes are held when their batches end: {held}");
}

/// A part of a batch is cut out of another's bytes, which a redacted log does not have.
#[test]
fn parts_of_batches_replay_with_their_bytes_and_without() {
    // From here on it is not far to one that has some.
    let mut seeds = 86..400;
    let has_parts = |seed: &u64| log_of(*seed, Payloads::Whole).contains(" part ");
    let seed = seeds.find(has_parts).expect("a batch that is divided");
    for payloads in [Payloads::Whole, super::REDACTED] {
        let replayed = replay(&log_of(seed, payloads));
        assert!(replayed.is_ok(), "seed {seed}: {replayed:?}");
    }
}

/// A buffer that the transport still held at its batch's end is not used again, and the next one
/// may have less room: where memory is short, the log must tell.
#[test]
fn what_the_driver_still_holds_is_an_input() {
    let differs = |seed: &u64| {
        let log = log_of(*seed, Payloads::Whole);
        let mut without = log.clone();
        while let Some(begin) = without.find("\nheld ") {
            let length = without[begin + 1..].find('\n').expect("a line ends") + 1;
            without.drain(begin..begin + length);
        }
        replay(&without).is_err()
    };
    let differing: Vec<u64> = (0..SEEDS).filter(differs).collect();
    assert!(!differing.is_empty(), "the lines are of no use");
}

#[test]
fn a_recorded_run_is_the_same_run() {
    for seed in [1, 2, 3] {
        let witnessed = witness(
            &draw(Profile::Full, seed),
            Telling::Nothing,
            Payloads::Whole,
        );
        let ended = witnessed.ended.expect("the seed keeps every promise");
        assert_eq!(
            ended,
            run_seed(Profile::Full, seed, Telling::Nothing),
            "seed {seed}"
        );
    }
}

/// Whatever came back, another word in it is found where it stands.
#[test]
fn one_changed_output_is_refused_at_its_line() {
    let log = log_of(2, Payloads::Whole);
    let is_answer = |line: &str| {
        ["= ", "> ", "until "]
            .iter()
            .any(|mark| line.starts_with(mark))
    };
    let lines: Vec<(u64, &str)> = (1..)
        .zip(log.lines())
        .filter(|(_, l)| is_answer(l))
        .collect();
    assert!(lines.len() > 100, "{}", lines.len());
    for (number, line) in lines.iter().step_by(lines.len() / 50) {
        let mutated = with_line(&log, *number, |line| Some(format!("{line}0")));
        let Err(ReplayError::Difference {
            line: at,
            step,
            recorded,
            came,
        }) = replay(&mutated)
        else {
            panic!("line {number} is {line}0, and nobody minds");
        };
        let calls = log
            .lines()
            .take(usize::try_from(*number).unwrap())
            .filter(|line| line.contains(' ') && line.as_bytes()[0].is_ascii_digit());
        assert_eq!((at, step), (*number, calls.count() as u64));
        assert_eq!((recorded, came), (format!("{line}0"), (*line).to_owned()));
    }
}

/// What came back and is not in the log is missed, too.
#[test]
fn an_output_that_is_left_out_is_missed() {
    for start in ["> transmit", "= ticket", "= flush"] {
        let logs = (0..SEEDS).map(|seed| log_of(seed, Payloads::Whole));
        let mut found = logs.filter_map(|log| {
            let number = log.lines().position(|line| line.starts_with(start))? as u64 + 1;
            Some((log, number))
        });
        let (log, number) = found.next().expect(start);
        let error = replay(&with_line(&log, number, |_| None)).expect_err(start);
        assert!(
            matches!(error, ReplayError::Difference { line, .. } if line == number),
            "{start}: {error}"
        );
    }
}

/// When the clock is read is the core's affair: as often as it was, and at those instants.
#[test]
fn a_clock_is_read_as_it_was() {
    let recording = Recording {
        payloads: Payloads::Whole,
        waiting_bytes_max: usize::MAX,
    };
    let core = RecordedCore::new(Config::default(), [7; 32], Instant::ZERO, Some(recording));
    let mut core = core.expect("it works");
    let record = Record::to("orders").value(b"v");
    let clock = || Instant::from_millis(5);
    core.send_with_clock(clock, 1_000, &record)
        .expect_err("nobody answered yet");
    let _ = core.poll_timeout();
    let log = core.take_log(String::new());
    assert!(replay(&log).is_ok(), "{log}");
    let reading = "read 5000\n";
    assert_eq!(log.matches(reading).count(), 1, "{log}");
    let twice = format!("{reading}{reading}");
    for (readings, words) in [("", "1 time, and not 0"), (&twice, "1 time, and not 2")] {
        let error = replay(&log.replace(reading, readings)).expect_err(words);
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// A log that ends in the middle, as that of a process that was killed, replays as far as it goes;
/// and the core can be looked at there.
#[test]
fn a_log_may_end_anywhere() {
    let log = log_of(3, Payloads::Whole);
    let whole = replay(&log).expect("it replays");
    let head = log.find("begin").unwrap() + 100;
    for cut in (head..log.len()).step_by(log.len() / 100) {
        let mut replay = Replay::new(&log.as_bytes()[..cut]).expect("the head is there");
        while replay
            .step()
            .unwrap_or_else(|error| panic!("cut at {cut}: {error}"))
        {}
        replay.core().check_invariants();
        assert!(replay.done().steps <= whole.steps);
    }
}

/// Another seed, another value: other bytes for brokers, or at another time. In a run that draws
/// nothing, or in which nothing is sent after it, it makes no difference.
#[test]
fn other_inputs_give_other_outputs() {
    let mut differ = [0; 2];
    for seed in 0..10 {
        let log = log_of(seed, Payloads::Whole);
        let lines: Vec<&str> = log.lines().collect();
        let accepted = lines
            .windows(2)
            .position(|pair| pair[0].contains(" send ") && pair[1].starts_with("= ticket"));
        let begin = lines.iter().position(|line| line.starts_with("begin"));
        let changes = [(begin, " 0 0", " 0 f"), (accepted, " =", " =x")];
        for ((place, from, to), differ) in changes.into_iter().zip(&mut differ) {
            let Some(place) = place else { continue };
            let number = place as u64 + 1;
            let mutated = with_line(&log, number, |line| Some(line.replacen(from, to, 1)));
            if let Err(error) = replay(&mutated) {
                assert!(
                    matches!(error, ReplayError::Difference { line, .. } if line > number),
                    "{error}"
                );
                *differ += 1;
            }
        }
    }
    assert!(differ.iter().all(|count| *count > 3), "{differ:?}");
}

/// Nobody waits for whoever takes the log: the recording ends, the run goes on.
#[test]
fn a_log_that_is_not_taken_ends() {
    let recording = Recording {
        payloads: Payloads::Whole,
        waiting_bytes_max: 2_000,
    };
    let core = RecordedCore::new(Config::default(), [7; 32], Instant::ZERO, Some(recording));
    let mut core = core.expect("it works");
    let record = Record::to("orders").value(&[b'v'; 100]);
    let mut recorded = 0;
    for micros in 0..100 {
        recorded += u64::from(core.is_recording());
        let now = Instant::from_micros(micros);
        core.send(now, &record).expect_err("nobody answered yet");
    }
    assert_eq!(core.stats().waiters, 100);
    let log = core.take_log(String::new());
    let last = log.lines().last();
    assert_eq!(last, Some("end the log was not taken in time"));
    assert!(log.len() < 2_300, "{}", log.len());
    assert!((10..20).contains(&recorded), "{recorded}");
    assert_eq!(replay(&log).expect("it replays").outputs, recorded);
    assert_eq!(core.take_log(String::new()), "");
}
