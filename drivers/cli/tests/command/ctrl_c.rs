//! Ctrl-C: once for an orderly end, again for one at once; what became of the records is told.

use super::{json, run, serve, spawn};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Child;
use std::time::{Duration, Instant};
use titorelli_serve::Embedded;
use titorelli_sim::cluster::BrokerId;

/// Far more than anything here takes, and less than any time that is not cut short.
const SOON: Duration = Duration::from_secs(30);

fn press(child: &Child) {
    signal(child, Signal::SIGINT);
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, signal).expect("it runs");
}

/// Exit status and report.
fn end(child: Child) -> (Option<i32>, Value) {
    let output = child.wait_with_output().expect("it ends");
    (output.status.code(), json(&output.stdout))
}

#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn records(embedded: &Embedded) -> u64 {
    embedded.control(|cluster| cluster.log("t", 0).record_count())
}

#[test]
fn what_was_read_is_sent_and_reported() {
    let embedded = serve(1);
    let bootstrap = embedded.bootstrap();
    let mut child = spawn(&["produce", "-b", &bootstrap, "-t", "t", "--report", "json"]);
    let mut stdin = child.stdin.take().expect("piped");
    let lines = b"one\ntwo\nunfinished";
    stdin.write_all(lines).expect("the command reads");
    until("lines are sent while a pipe stays open", || {
        records(&embedded) == 2
    });
    press(&child);
    let (status, report) = end(child);
    assert_eq!(status, Some(130));
    assert_eq!(
        (&report["records"], &report["acked"]),
        (&2.into(), &2.into())
    );
    drop(stdin);
}

#[test]
fn a_call_that_waits_for_a_broker_ends_at_once() {
    let begin = ["produce", "-b", "127.0.0.1:9", "-t", "t"];
    let mut child = spawn(&[&begin[..], &["--report", "json"]].concat());
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"a\n").expect("it reads");
    std::thread::sleep(Duration::from_millis(300));
    let pressed = Instant::now();
    press(&child);
    let (status, report) = end(child);
    assert!(pressed.elapsed() < SOON, "max_block_ms is 60 s");
    assert_eq!((status, &report["records"]), (Some(130), &0.into()));
    drop(stdin);
}

#[test]
fn what_was_accepted_is_waited_for_until_it_is_pressed_again() {
    let embedded = serve(1);
    let bootstrap = embedded.bootstrap();
    let begin = ["produce", "-b", &bootstrap, "-t", "t", "--durable"];
    let mut child = spawn(&[&begin[..], &["--report", "json"]].concat());
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"one\n").expect("it reads");
    until("it is written", || records(&embedded) == 1);
    embedded.control(|cluster| (1..=3).for_each(|id| cluster.set_down(BrokerId(id))));
    stdin.write_all(b"two\n").expect("it reads");
    std::thread::sleep(Duration::from_millis(300));
    press(&child);
    let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
    let mut told = String::new();
    stderr.read_line(&mut told).expect("it says something");
    assert_eq!(
        told,
        "titorelli: ending in good order; once more to end at once\n"
    );
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(
        child.try_wait().expect("a child").map(drop),
        None,
        "it waits"
    );
    let pressed = Instant::now();
    press(&child);
    let (status, report) = end(child);
    assert!(pressed.elapsed() < SOON, "delivery_timeout_ms is 120 s");
    assert_eq!((status, &report["acked"]), (Some(130), &1.into()));
    let lost = report["failed"]
        .as_u64()
        .zip(report["maybe_persisted"].as_u64());
    assert_eq!(lost.map(|(failed, maybe)| failed + maybe), Some(1));
    stderr.read_to_string(&mut told).expect("text");
    drop(stdin);
}

/// At SIGQUIT, which ends nothing, and every second with `--explain`.
#[test]
fn why_records_wait_is_told() {
    for more in [&[][..], &["--explain"]] {
        let embedded = serve(1);
        let bootstrap = embedded.bootstrap();
        let begin = ["produce", "-b", &bootstrap, "-t", "t", "--durable"];
        let mut child = spawn(&[&begin[..], more].concat());
        let mut stdin = child.stdin.take().expect("piped");
        stdin.write_all(b"one\n").expect("it reads");
        until("it is written", || records(&embedded) == 1);
        embedded.control(|cluster| (1..=3).for_each(|id| cluster.set_down(BrokerId(id))));
        stdin.write_all(b"two\n").expect("it reads");
        std::thread::sleep(Duration::from_millis(500));
        if more.is_empty() {
            signal(&child, Signal::SIGQUIT);
        }
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let mut told = String::new();
        while !told.contains("t-0: ") {
            let read = stderr.read_line(&mut told).expect("it says something");
            assert_ne!(read, 0, "{told}");
        }
        assert!(told.contains("bytes of buffer_memory in use"), "{told}");
        assert!(told.contains("not connected, again in"), "{told}");
        embedded.control(|cluster| (1..=3).for_each(|id| cluster.set_up(BrokerId(id))));
        drop(stdin);
        stderr.read_to_string(&mut told).expect("text");
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(0), "{told}");
    }
}

#[test]
fn the_load_generator_prints_what_it_measured() {
    let embedded = serve(1);
    let bootstrap = embedded.bootstrap();
    let child = spawn(&["perf", "-b", &bootstrap, "--rate", "100"]);
    until("it sends", || records(&embedded) > 10);
    press(&child);
    let (status, line) = end(child);
    assert_eq!((status, &line["errors"]), (Some(130), &0.into()));
    assert_eq!(line["records"].as_u64(), Some(records(&embedded)));
    let fresh = run(&["perf", "-b", &bootstrap, "--records", "2"], b"");
    assert_eq!(fresh.status.code(), Some(0));
}
