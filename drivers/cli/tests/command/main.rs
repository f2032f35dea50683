//! The command as its users run it: a process, its files, its exit status, and what the embedded
//! cluster holds afterwards.

mod ctrl_c;
mod flight;
mod perf;

use serde_json::Value;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use titorelli_serve::{Embedded, EmbeddedConfig};
use titorelli_sim::cluster::{Access, Cluster};

/// A cluster of three brokers with the topic `t` of so many partitions.
fn serve(partitions: i32) -> Embedded {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(3)).expect("loopback sockets");
    embedded.control(move |cluster| cluster.create_topic("t", partitions));
    embedded
}

fn spawn(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_titorelli"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts")
}

/// Runs the command with this standard input.
#[track_caller]
fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = spawn(arguments);
    let mut stdin = child.stdin.take().expect("piped");
    // It may end without reading everything.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().expect("the command ends")
}

/// Runs `produce` to topic `t` and returns its exit status and its report.
#[track_caller]
fn produce(bootstrap: &str, more: &[&str], input: &[u8]) -> (Option<i32>, Value) {
    let arguments = ["produce", "-b", bootstrap, "-t", "t", "--report", "json"];
    let output = run(&[&arguments, more].concat(), input);
    (output.status.code(), json(&output.stdout))
}

#[track_caller]
fn json(stdout: &[u8]) -> Value {
    serde_json::from_slice(stdout).expect("standard output is one line of JSON")
}

fn text(bytes: Option<&[u8]>) -> Option<&str> {
    bytes.map(|bytes| std::str::from_utf8(bytes).expect("the tests send text"))
}

fn keys_and_values(cluster: &Cluster) -> Vec<(Option<&str>, Option<&str>)> {
    let records = cluster.log("t", 0).records().iter();
    records
        .map(|record| (text(record.key.as_deref()), text(record.value.as_deref())))
        .collect()
}

#[test]
fn lines_of_a_pipe_arrive_once_and_in_order() {
    let embedded = serve(1);
    let numbers: Vec<String> = (1..=20_000).map(|number| number.to_string()).collect();
    let settings = [
        "-X",
        "acks=all",
        "-X",
        "compression.type=lz4",
        "-X",
        "linger.ms=5",
    ];
    let (status, report) = produce(
        &embedded.bootstrap(),
        &settings,
        numbers.join("\n").as_bytes(),
    );
    assert_eq!(status, Some(0));
    assert_eq!(
        (&report["records"], &report["acked"]),
        (&20_000.into(), &20_000.into())
    );
    assert_eq!(
        (&report["failed"], &report["maybe_persisted"]),
        (&0.into(), &0.into())
    );
    let place = &report["partitions"]["0"];
    assert_eq!(
        (&place["first_offset"], &place["last_offset"]),
        (&0.into(), &19_999.into())
    );
    let cluster = embedded.into_cluster();
    let found: Vec<_> = keys_and_values(&cluster)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    assert_eq!(
        found,
        numbers
            .iter()
            .map(|number| Some(number.as_str()))
            .collect::<Vec<_>>()
    );
}

#[test]
fn keys_nulls_and_headers_arrive_as_the_options_say() {
    let embedded = serve(1);
    let options = [
        "-K",
        ":",
        "-Z",
        "-p",
        "0",
        "-H",
        "source=test",
        "-H",
        "empty",
    ];
    let (status, report) = produce(&embedded.bootstrap(), &options, b"a:1\nb:\nnone\n:x\r\n\n");
    assert_eq!((status, &report["bytes"]), (Some(0), &9.into()));
    let cluster = embedded.into_cluster();
    assert_eq!(
        keys_and_values(&cluster),
        [
            (Some("a"), Some("1")),
            (Some("b"), None),
            (None, Some("none")),
            (Some(""), Some("x\r")),
            (None, Some("")),
        ]
    );
    for record in cluster.log("t", 0).records() {
        let headers = record
            .headers
            .iter()
            .map(|h| (text(Some(&h.name)), text(h.value.as_deref())));
        let expected = [(Some("source"), Some("test")), (Some("empty"), None)];
        assert_eq!(headers.collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_record_that_is_too_large_fails_alone() {
    let embedded = serve(1);
    let long = "x".repeat(4_000);
    let input = format!("before\n{long}\nafter\n");
    let settings = ["-X", "max.request.size=2000"];
    let (status, report) = produce(&embedded.bootstrap(), &settings, input.as_bytes());
    assert_eq!(status, Some(1));
    assert_eq!(
        (&report["records"], &report["acked"], &report["failed"]),
        (&3.into(), &2.into(), &1.into())
    );
    let cluster = embedded.into_cluster();
    assert_eq!(
        keys_and_values(&cluster),
        [(None, Some("before")), (None, Some("after"))]
    );
}

#[test]
fn a_cluster_that_is_not_there_is_told_and_is_exit_status_1() {
    // Port 9 (discard) on loopback: nothing listens.
    let (status, report) = produce("127.0.0.1:9", &["-X", "max.block.ms=200"], b"a\nb\n");
    assert_eq!(status, Some(1));
    assert_eq!(
        (&report["acked"], &report["failed"]),
        (&0.into(), &1.into())
    );
}

#[test]
fn times_that_are_never_over_are_times_too() {
    for key in ["delivery_timeout_ms", "request_timeout_ms", "linger_ms"] {
        let embedded = serve(1);
        let setting = format!("{key}=1e22");
        let (status, report) = produce(&embedded.bootstrap(), &["-X", &setting], b"a\nb\n");
        assert_eq!((status, &report["acked"]), (Some(0), &2.into()), "{key}");
    }
}

#[test]
fn where_reading_stopped_is_told() {
    let begin = ["produce", "-b", "127.0.0.1:9", "-t", "t"];
    let output = run(
        &[&begin[..], &["-X", "max_block_ms=200"]].concat(),
        b"a\nb\n",
    );
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("stopped at line 1: "), "{told}");
}

#[test]
fn what_many_records_failed_with_is_told_once() {
    let embedded = serve(1);
    embedded.control(|cluster| cluster.set_access("t", Access::Describe));
    let bootstrap = embedded.bootstrap();
    let settings = ["-X", "linger_ms=60000"];
    let begin = ["produce", "-b", &bootstrap, "-t", "t"];
    let output = run(&[&begin[..], &settings].concat(), &b"a\n".repeat(1_000));
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert_eq!(told.lines().count(), 3, "{told}");
    assert!(told.contains("so did 999 more"), "{told}");
}

#[test]
fn a_release_that_was_pinned_is_named_when_nothing_was_acknowledged() {
    let embedded = serve(1);
    let bootstrap = embedded.bootstrap();
    let begin = [
        "produce",
        "-b",
        &bootstrap,
        "-t",
        "t",
        "-X",
        "max_block_ms=500",
    ];
    let old = run(
        &[&begin[..], &["-X", "api_version=0.8.0"]].concat(),
        b"a\nb\n",
    );
    let told = String::from_utf8_lossy(&old.stderr);
    assert_eq!(old.status.code(), Some(1), "{told}");
    assert!(told.contains("api_version=0.8.0 is set"), "{told}");
    let more = ["-X", "api_version=0.10", "-H", "a=b"];
    let old = run(&[&begin[..], &more].concat(), b"a\n");
    let told = String::from_utf8_lossy(&old.stderr);
    assert!(told.contains("or api_version, are older"), "{told}");
}

#[test]
fn ports_that_run_out_are_told() {
    let output = run(&["serve", "--port", "65534", "--brokers", "3"], b"");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("65535 is the last"), "{told}");
}

#[test]
fn no_lines_are_no_failure() {
    let embedded = serve(1);
    let (status, report) = produce(&embedded.bootstrap(), &[], b"");
    assert_eq!((status, &report["records"]), (Some(0), &0.into()));
}

#[test]
fn wrong_arguments_are_exit_status_2_before_anything_is_sent() {
    for (arguments, words) in [
        (&["-X", "lingr.ms=5"][..], "did you mean linger.ms?"),
        (&["-X", "acks=2"], "none of 0, 1, all"),
        (&["/nonexistent/file"], "/nonexistent/file: "),
        (&["/"], "/: is a directory"),
        (&["-p", "-1"], "-1 is not in 0.."),
        (&["-b", ""], "a value is required for '--bootstrap"),
    ] {
        let begin = ["produce", "-b", "127.0.0.1:9", "-t", "t"];
        let output = run(&[&begin, arguments].concat(), b"a\n");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn without_a_broker_named_nothing_is_sent_anywhere() {
    let file = std::env::temp_dir().join(format!("titorelli-{}.properties", std::process::id()));
    std::fs::write(&file, "acks=all\n").expect("a file");
    let path = file.to_str().expect("a path of text");
    for arguments in [&[][..], &["-X", "acks=all"], &["-F", path], &["--durable"]] {
        let output = run(&[&["produce", "-t", "t"], arguments].concat(), b"a\n");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("give -b HOST:PORT"), "{told}");
    }
    let embedded = serve(1);
    std::fs::write(&file, format!("bootstrap.servers={}", embedded.bootstrap())).expect("a file");
    let output = run(&["produce", "-t", "t", "-F", path], b"a\n");
    std::fs::remove_file(&file).expect("it is there");
    assert_eq!(output.status.code(), Some(0), "a file may name them");
}

#[test]
fn values_that_do_not_fit_together_are_told_with_where_they_are_from() {
    let file = std::env::temp_dir().join(format!("titorelli-{}-idle", std::process::id()));
    std::fs::write(&file, "connections.max.idle.ms=0\n").expect("a file");
    let path = file.to_str().expect("a path of text");
    let from_file = format!("(connections_max_idle_ms=0 is from {path})");
    for (arguments, words) in [
        (
            &["--durable", "-X", "request.timeout.ms=130000"][..],
            "(delivery_timeout_ms=120000 is from --durable)",
        ),
        (&["-F", path], &from_file),
        (
            &["-F", path, "-X", "connections.max.idle.ms=0.0"],
            "(connections_max_idle_ms=0 is from -X)",
        ),
        // Whoever writes a default has written it.
        (
            &["-X", "acks=1", "-X", "enable_idempotence=true"],
            "acks=1 (as given) and retries=0 (the default) and enable_idempotence=true contradict \
             each other: set acks=all and retries=inf (acks=1 is from -X)\n",
        ),
        // Beginning with --durable would not help, and does not.
        (
            &["--durable", "-X", "acks=1"],
            "configuration acks: acks=1 (as given) and enable_idempotence=true contradict each \
             other: set acks=all (acks=1 is from -X)\n",
        ),
        (
            &["-X", "enable.idempotence=true"],
            "configuration acks: acks=1 (the default) and retries=0 (the default) and \
             enable_idempotence=true contradict each other: set acks=all and retries=inf, or begin \
             with --durable\n",
        ),
        (&["-X", "retry.backoff.max.ms=1"], "=1 is from -X)"),
        (
            &["-X", "retry.backoff.ms=1e5", "-X", "retry.backoff.max.ms=9"],
            "configuration retry_backoff_max_ms: 9ms is less than retry_backoff_ms",
        ),
    ] {
        let begin = ["produce", "-b", "127.0.0.1:9", "-t", "t"];
        let output = run(&[&begin, arguments].concat(), b"a\n");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(words), "{told}");
    }
    std::fs::remove_file(&file).expect("it is there");
}

#[test]
fn the_help_tells_the_exit_statuses_and_the_version_has_the_commands_name() {
    for (arguments, words) in [
        (&["--help"][..], "A Kafka producer whose whole behaviour"),
        (&["--version"], "titorelli 0."),
        (&["produce", "--help"], "Exit status: 0 when every record"),
        (&["serve", "--help"], "Ctrl-C ends it"),
        (&["perf", "--help"], "--setting <KEY=VALUE>"),
    ] {
        let output = run(arguments, b"");
        let told = String::from_utf8_lossy(&output.stdout);
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(0));
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_standard_output_that_nobody_reads_is_told_and_is_exit_status_2() {
    let embedded = serve(1);
    let bootstrap = embedded.bootstrap();
    let mut child = spawn(&["produce", "-b", &bootstrap, "-t", "t", "--report", "json"]);
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(b"a\nb\n").expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("2 records, 2 acknowledged"), "{told}");
    assert!(told.contains("standard output: Broken pipe"), "{told}");
}

#[test]
fn a_standard_error_that_nobody_reads_ends_no_work() {
    let embedded = serve(1);
    let bootstrap = embedded.bootstrap();
    let limit = "max.request.size=2000";
    let begin = ["produce", "-b", &bootstrap, "-t", "t", "-X", limit];
    let mut child = spawn(&[&begin[..], &["--report", "json"]].concat());
    drop(child.stderr.take());
    let mut stdin = child.stdin.take().expect("piped");
    let input = format!("before\n{}\nafter\n", "x".repeat(4_000));
    stdin.write_all(input.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("the command ends");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&output.stdout)["acked"], 2);
}

#[test]
fn sim_runs_as_many_seeds_as_it_says() {
    let last = u64::MAX.to_string();
    for (arguments, status, words) in [
        (&["sim", "--seeds", "7..9"][..], 0, "ok: 2 seeds from 7 "),
        (&["sim", "--seed", &last, "--check"], 0, "ok: seed 1844"),
        (&["sim", "--seed", "7", "--shrink"], 0, "ok: seed 7 keeps"),
        (&["sim", "--shrink"], 2, "--seed <S>"),
        (
            &["sim", "--profile", "small", "--seeds", "0..9"],
            0,
            "small profile: ",
        ),
        (&["sim", "--profile", "tiny"], 2, "full, small, wide"),
        (
            &["sim", "--explore", "nothing"],
            2,
            "from the first connection",
        ),
        (
            &["sim", "--seeds", "0..2", "--trace"],
            2,
            "cannot be used with",
        ),
        (&["sim", "--seeds", "9..9"], 2, "no seed from 9 to before 9"),
        (&["sim", "--seeds", "9"], 2, "not of the form A..B"),
        (&["sim", "--seeds", "0..x"], 2, "\"x\": invalid digit"),
        (
            &["sim", "--seed", "1", "--seeds", "0..2"],
            2,
            "cannot be used with",
        ),
    ] {
        let output = run(arguments, b"");
        let told = [output.stdout, output.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        assert_eq!(output.status.code(), Some(status), "{told}");
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn the_demo_proves_that_nothing_is_lost() {
    let output = run(&["demo", "--records", "20000"], b"");
    let table = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{table}");
    let count = |name: &str| {
        let line = table
            .lines()
            .find(|line| line.trim_start().starts_with(name));
        let words = line
            .expect(name)
            .trim_start()
            .strip_prefix(name)
            .expect(name);
        words.split_whitespace().next().expect("a count").to_owned()
    };
    assert_eq!(
        ["accepted", "found", "lost", "duplicated", "out of order"].map(count),
        ["20000", "20000", "0", "0", "0"]
    );
}
