//! The load generator: what it prints, and when it ends.

use super::{json, run, serve};
use std::time::{Duration, Instant};
use titorelli_sim::cluster::Access;

#[test]
fn perf_prints_one_line_with_what_it_cost() {
    let embedded = serve(12);
    let bootstrap = embedded.bootstrap();
    let arguments = [
        "perf",
        "--bootstrap",
        &bootstrap,
        "--topic",
        "t",
        "--records",
        "20000",
    ];
    let more = [
        "--size",
        "100",
        "--key",
        "int",
        "--acks",
        "all",
        "--idempotence",
        "off",
    ];
    let output = run(&[&arguments[..], &more].concat(), b"");
    assert_eq!(output.status.code(), Some(0));
    let line = json(&output.stdout);
    assert_eq!(
        (&line["records"], &line["errors"]),
        (&20_000.into(), &0.into())
    );
    assert_eq!(
        (&line["lat_n"], &line["pool_crc32"]),
        (&200.into(), &"fe835c7e".into())
    );
    let cluster = embedded.into_cluster();
    let counts = (0..12).map(|partition| cluster.log("t", partition).record_count());
    assert_eq!(counts.sum::<u64>(), 20_000);
}

#[test]
fn perf_ends_at_the_first_record_that_is_not_accepted() {
    let arguments = ["perf", "-b", "127.0.0.1:9", "-X", "max.block.ms=300"];
    let began = Instant::now();
    let output = run(&[&arguments[..], &["--records", "1000"]].concat(), b"");
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "one wait, not 1,000"
    );
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("stopped after 1 record:"), "{told}");
    let line = json(&output.stdout);
    assert_eq!((&line["records"], &line["errors"]), (&1.into(), &1.into()));
    assert_eq!(line["records_per_s"], 0.0);
}

#[test]
fn perf_counts_what_was_acknowledged_and_nothing_else() {
    let embedded = serve(1);
    embedded.control(|cluster| cluster.set_access("t", Access::Describe));
    let bootstrap = embedded.bootstrap();
    let output = run(&["perf", "-b", &bootstrap, "--records", "2000"], b"");
    assert_eq!(output.status.code(), Some(1));
    let line = json(&output.stdout);
    assert_eq!(
        (&line["records"], &line["errors"]),
        (&2_000.into(), &2_000.into())
    );
    assert_eq!(
        (&line["mb_per_s"], &line["lat_n"]),
        (&0.0.into(), &0.into())
    );
}

#[test]
fn what_can_never_be_sent_is_refused_before_anything_is_done_for_it() {
    let most = u64::MAX.to_string();
    for (arguments, words) in [
        (
            &["--size", "1048577"][..],
            "max_request_size allows 1048576",
        ),
        (&["--size", &most], "max_request_size allows 1048576"),
        (
            &["--size", "900000", "-X", "buffer_memory=800000"],
            "buffer_memory allows 800000",
        ),
        (&["--rate=-1"], "not a number from 0 on"),
        (&["--rate", "nan"], "not a number from 0 on"),
    ] {
        let output = run(&[&["perf", "-b", "127.0.0.1:9"], arguments].concat(), b"");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_value_that_leaves_no_room_for_the_rest_of_its_record_is_refused_too() {
    let embedded = serve(1);
    let bootstrap = embedded.bootstrap();
    let arguments = ["perf", "-b", &bootstrap, "--records", "10"];
    let largest = run(&[&arguments[..], &["--size", "1048576"]].concat(), b"");
    let told = String::from_utf8_lossy(&largest.stderr);
    assert_eq!(largest.status.code(), Some(2), "{told}");
    assert!(told.contains("max_request_size allows"), "{told}");
    let large = run(&[&arguments[..], &["--size", "1000000"]].concat(), b"");
    assert_eq!(large.status.code(), Some(0));
    assert_eq!(json(&large.stdout)["errors"], 0);
}
