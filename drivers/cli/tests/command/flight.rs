//! Runs as files: the flight recorder and the page, on the command line.

use crate::{produce, run, serve, spawn};
use std::fs;
use std::path::PathBuf;
use std::process::Output;

/// A file of this test run.
pub(crate) fn scratch(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[track_caller]
fn replay(file: &str) -> Output {
    run(&["sim", "--replay", file], b"")
}

#[test]
fn a_seed_is_recorded_and_replayed() {
    let path = scratch("seed.rec");
    let file = path.to_str().expect("a path");
    let output = run(&["sim", "--seed", "2", "--record", file], b"");
    assert_eq!(output.status.code(), Some(0));
    let output = replay(file);
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for words in [" steps, ", " outputs and ", " bytes for brokers were equal"] {
        assert!(told.contains(words), "{told}");
    }

    let log = fs::read_to_string(&path).expect("it is there");
    let (number, line) = (1..)
        .zip(log.lines())
        .find(|(_, line)| line.starts_with("> connect"))
        .expect("it connects");
    fs::write(&path, log.replacen(line, "> connect 0 elsewhere 1", 1)).expect("written");
    let output = replay(file);
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    for words in [
        &format!("line {number}, step "),
        "> connect 0 elsewhere 1",
        line,
    ] {
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_seed_is_drawn_as_a_page() {
    let path = scratch("seed.html");
    let file = path.to_str().expect("a path");
    let output = run(&["sim", "--seed", "3", "--timeline", file], b"");
    let plain = run(&["sim", "--seed", "3"], b"");
    assert_eq!(output.status.code(), Some(0));
    let summary = |output: &Output| {
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        told.split_once(" s: ").expect("a summary").1.to_owned()
    };
    assert_eq!(summary(&output), summary(&plain), "the run is the same");
    let page = fs::read_to_string(&path).expect("it is there");
    assert!(page.contains("<title>seed 3</title>") && page.contains("Every promise was kept."));
    let refused = run(&["sim", "--timeline", file], b"");
    assert_eq!(refused.status.code(), Some(2), "a page is of one seed");
}

#[test]
fn what_cannot_be_replayed_is_told() {
    let output = replay("/no/such/file");
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("/no/such/file: "), "{told}");
    let child = spawn(&["sim", "--replay", "x", "--seed", "1"]);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn what_produce_and_perf_did_is_replayed() {
    let embedded = serve(4);
    let bootstrap = embedded.bootstrap();
    let path = scratch("produce.rec");
    let file = path.to_str().expect("a path");
    let lines = "top secret line\n".repeat(2_000);
    let more = ["--durable", "--record", file, "-X", "compression.type=gzip"];
    let (status, report) = produce(&bootstrap, &more, lines.as_bytes());
    assert_eq!((status, &report["acked"]), (Some(0), &2_000.into()));
    let log = fs::read_to_string(&path).expect("it is there");
    assert!(!log.contains("secret") && log.contains(" packed "));
    let output = replay(file);
    assert_eq!(output.status.code(), Some(0), "{output:?}");

    let perf = ["perf", "-b", &bootstrap, "-t", "t", "--records", "1000"];
    let output = run(&[&perf[..], &["--record", file]].concat(), b"");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let log = fs::read_to_string(&path).expect("it is there");
    assert!(log.matches("= ticket").count() >= 1_000);
    assert!(log.contains("\n> closed\n"), "to the end");
    assert_eq!(replay(file).status.code(), Some(0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_the_records_are_produced() {
    let embedded = serve(1);
    let more = ["--durable", "--record", "/dev/full"];
    let arguments = ["produce", "-b", &embedded.bootstrap(), "-t", "t"];
    let output = run(&[&arguments[..], &more].concat(), b"one\ntwo\n");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(
        told.contains("recorded in /dev/full, and no more: No space left"),
        "{told}"
    );
}
