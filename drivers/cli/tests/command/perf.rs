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
    assert!(told.contains("stopped after 1 records"), "{told}");
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
