//! From nothing to the first ack, and topics that are not there.

use core::time::Duration;
use titorelli::{ApiVersion, Config, Instant, Output, ProducerCore, Record, SendError};
use titorelli_sim::{RecordState, Story, ms};

/// The whole way: bootstrap, versions, metadata, the leader, the record, the ack.
#[test]
fn the_first_record_connects_learns_and_arrives() {
    let mut story = Story::new(|_| {});
    story.cluster("orders/0 -> b2");
    let first = story.send("orders/0", "first");
    story.run_until_idle();
    story.expect_delivered([first]);
    story.expect_log("orders/0", &["first"]);
    super::check("connect", &story);
}

/// A topic that nobody creates: the call waits, asks again with growing pauses, and is refused at
/// `max_block`; nothing is accepted, so nothing is lost.
#[test]
fn an_unknown_topic_is_refused_after_max_block() {
    let mut story = Story::new(|config| config.max_block = Duration::from_secs(2));
    story.cluster("orders/0 -> b1");
    story.ready();
    let lost = story.send("payments/0", "lost");
    story.run_until_idle();
    let state = story.state(lost);
    assert!(
        matches!(state, RecordState::Rejected(SendError::TopicUnknown { .. })),
        "{state:?}"
    );
    super::check("unknown_topic", &story);
}

/// The same call, and the topic appears meanwhile: the waiter is resumed and its record arrives.
#[test]
fn a_topic_that_appears_in_time_takes_its_waiter() {
    let mut story = Story::new(|_| {});
    story.cluster("orders/0 -> b1");
    story.ready();
    let late = story.send("payments/0", "late");
    story.wait(ms(150));
    story.control("payments is created", |cluster| {
        cluster.create_topic("payments", 1);
    });
    story.run_until_idle();
    story.expect_delivered([late]);
    story.expect_log("payments/0", &["late"]);
    super::check("topic_appears", &story);
}

/// A pinned release: no broker is asked what it speaks, and the versions are those of the release.
#[test]
fn a_pinned_release_fixes_the_versions_and_asks_nobody() {
    let mut story = Story::new(|config| {
        config.api_version = ApiVersion::Release("2.8".parse().expect("a release"));
    });
    story.cluster("orders/0 -> b2");
    let first = story.send("orders/0", "first");
    story.run_until_idle();
    story.expect_delivered([first]);
    super::check("pinned_release", &story);
}

/// Bootstrap servers are tried one after another, from anywhere in the list, until one answers.
#[test]
fn bootstrap_servers_are_tried_until_one_answers() {
    let mut story = Story::new(|config| config.max_block = Duration::from_secs(5));
    story.cluster("orders/0 -> b3, orders/1 -> b3");
    story.take_down("b1");
    story.take_down("b2");
    let record = story.send("orders/0", "found");
    story.run_until_idle();
    story.expect_delivered([record]);
    super::check("bootstrap", &story);
}

/// Producers that start together do not all begin with the same server.
#[test]
fn any_bootstrap_server_may_be_the_first() {
    let mut firsts = [0; 3];
    for seed in 0..60_u8 {
        let mut config = Config::default();
        config.bootstrap_servers = vec!["a:1".to_owned(), "b:2,c:3".to_owned()];
        let mut core = ProducerCore::new(config, [seed; 32], Instant::ZERO).expect("valid");
        core.send(Instant::ZERO, &Record::to("orders").value(b"v"))
            .expect_err("it waits");
        core.handle_timeout(Instant::ZERO);
        while let Some(output) = core.poll_output() {
            if let Output::Connect { port, .. } = output {
                firsts[usize::from(port) - 1] += 1;
            }
        }
    }
    assert_eq!(firsts.iter().sum::<i32>(), 60, "one each: {firsts:?}");
    assert!(firsts.iter().all(|count| *count > 10), "{firsts:?}");
}

/// While nobody has answered, the error says how far each attempt is.
#[test]
fn a_call_that_ends_before_its_connection_says_how_far_that_is() {
    let mut story = Story::new(|config| config.max_block = ms(100));
    story.cluster("orders/0 -> b1");
    for broker in ["b1", "b2", "b3"] {
        story.stall(broker);
    }
    let record = story.send("orders/0", "lost");
    story.run_until_idle();
    let state = story.state(record);
    let RecordState::Rejected(error) = state else {
        panic!("{state:?}");
    };
    assert!(error.to_string().contains("not connected yet"), "{error}");
}
