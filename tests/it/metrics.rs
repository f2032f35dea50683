//! The metrics of a run in virtual time, where every value is known.

use titorelli_sim::{RecordState, Story, ms};

/// Two topics, a retry, a failure, a wait for memory and one for metadata.
fn eventful() -> Story {
    let mut story = Story::new(|config| {
        "painter".clone_into(&mut config.client_id);
        config.retries = 1;
        config.backoff_jitter_percent = 0;
        config.batch_size = 0;
        config.buffer_memory = 400;
    });
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    story.ready();
    story.fails_next("orders/0", 19); // NOT_ENOUGH_REPLICAS: sent again after 100 ms
    let retried = story.send("orders/0", &"x".repeat(250));
    // No memory before the first is acked.
    let waits = story.send("stock/0", &"y".repeat(250));
    story.run_until_idle();
    story.expect_delivered([retried, waits]);
    story.fails_next("stock/0", 10); // MESSAGE_TOO_LARGE
    let failed = story.send("stock/0", "z");
    story.run_until_idle();
    assert!(matches!(story.state(failed), RecordState::NotPersisted(_)));
    let _ = story.send("late/0", "w");
    story.wait(ms(150));
    story.control("late is created", |cluster| cluster.create_topic("late", 1));
    story.run_until_idle();
    story.flush();
    story
}

#[test]
fn the_metrics_tell_what_happened() {
    let story = eventful();
    let metrics = story.world().core().metrics();
    let is = |name: &str, expected: f64| {
        let value = metrics.get(name).expect("it is there");
        assert!((value - expected).abs() < 1e-9, "{name} is {value}");
    };
    // Two records made everything ready.
    is("record-send-total", 2.0 + 2.0 + 1.0 + 1.0 + 1.0);
    is("record-retry-total", 1.0);
    is("record-error-total", 1.0);
    is("buffer-total-bytes", 400.0);
    is("buffer-available-bytes", 400.0);
    is("waiting-threads", 0.0);
    is("requests-in-flight", 0.0);
    // The first record is refused after 2 ms, sent after 100 more, acked after 2 more.
    is("bufferpool-wait-time-ns-total", 104e6);
    is("request-latency-max", 2.0);
    is("record-queue-time-max", 102.0);
    is("records-per-request-avg", 1.0);
    let of_topic = |topic, name| metrics.of_topic(topic, name);
    assert_eq!(of_topic("orders", "record-retry-total"), Some(1.0));
    assert_eq!(of_topic("stock", "record-error-total"), Some(1.0));
    assert_eq!(of_topic("late", "record-send-total"), Some(1.0));
    assert_eq!(of_topic("nowhere", "record-send-total"), None);
    assert_eq!(metrics.of_node(2, "response-total"), Some(5.0));
    assert_eq!(&*metrics.client_id, "painter");
}

#[test]
fn every_metric_is_as_reviewed() {
    let metrics = eventful().world().core().metrics();
    crate::snapshots::check("report__metrics", &metrics.to_string());
    let page = metrics.to_prometheus();
    crate::snapshots::check("report__metrics_prometheus", &page);
}
