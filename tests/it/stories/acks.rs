//! What counts as written: acks 0, 1 and all.

use titorelli::Acks;
use titorelli_sim::codec::error_code::NOT_ENOUGH_REPLICAS;
use titorelli_sim::{RecordState, Story, ms};

/// acks=0: a record is complete as soon as its bytes left, at offset −1, and no window of requests
/// holds the next one back.
#[test]
fn without_acks_a_record_is_complete_when_written_and_takes_no_room_in_flight() {
    let mut story = Story::new(|config| {
        config.acks = Acks::None;
        config.batch_size = 0;
        config.max_in_flight_requests_per_connection = 1;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    let records = ["a", "b", "c"].map(|value| story.send("orders/0", value));
    story.run_until_idle();
    story.expect_delivered(records);
    story.expect_log("orders/0", &["a", "b", "c"]);
    for record in records {
        let state = story.state(record);
        assert!(
            matches!(state, RecordState::Acked { offset: -1, .. }),
            "{state:?}"
        );
    }
    // Nothing has come back by then: it would take two milliseconds.
    assert_eq!(story.micros_of("acked at offset -1"), [0; 3]);
    super::check("acks_none", &story);
}

/// Somebody who is not Kafka answers acks=0 all the same: it is read, and changes nothing.
#[test]
fn answers_that_come_without_being_asked_for_are_read_and_ignored() {
    let change = |config: &mut titorelli::Config| config.acks = Acks::None;
    let mut story = Story::with(change, |cluster| cluster.answers_without_acks = true);
    story.cluster("orders/0 -> b1");
    story.ready();
    let a = story.send("orders/0", "a");
    let b = story.send_after(ms(10), "orders/0", "b");
    // A question that has an answer, between answers that nobody asked for.
    let c = story.send("payments/0", "c");
    story.control("payments is created", |cluster| {
        cluster.create_topic("payments", 1);
    });
    let d = story.send("orders/0", "d");
    story.run_until_idle();
    story.expect_delivered([a, b, c, d]);
    story.expect_log("orders/0", &["a", "b", "d"]);
    super::check("acks_none_answered", &story);
}

/// acks=0 with retries: what fails on its way is not sent again, as nobody could know what arrived.
#[test]
fn without_acks_nothing_is_sent_twice() {
    let mut story = Story::new(|config| {
        config.acks = Acks::None;
        config.retries = 10;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.cut_requests_after("b1", 40);
    let half = story.send("orders/0", "half");
    story.run_until_idle();
    let state = story.state(half);
    assert!(
        matches!(
            state,
            RecordState::Acked { .. } | RecordState::MaybePersisted(_)
        ),
        "{state:?}"
    );
    story.expect_log("orders/0", &[]);
    let later = story.send("orders/0", "later");
    story.run_until_idle();
    story.expect_delivered([later]);
    story.expect_log("orders/0", &["later"]);
}

/// acks=1 asks the leader alone; acks=all asks for every replica in sync, and where there are too
/// few the record fails, provably unwritten.
#[test]
fn the_leader_alone_is_not_all() {
    for (acks, is_enough) in [(Acks::Leader, true), (Acks::All, false)] {
        let change = |config: &mut titorelli::Config| config.acks = acks;
        let mut story = Story::with(change, |cluster| cluster.topic.min_insync_replicas = 3);
        story.cluster("orders/0 -> b1");
        story.ready();
        story.take_down("b3");
        let record = story.send("orders/0", "written by one");
        story.run_until_idle();
        let state = story.state(record);
        if is_enough {
            story.expect_delivered([record]);
        } else if let RecordState::NotPersisted(error) = state {
            let code = error.code().expect("the broker said no").0;
            assert_eq!(code, NOT_ENOUGH_REPLICAS, "{error}");
        } else {
            panic!("{acks:?}: {state:?}");
        }
        let log: &[&str] = if is_enough { &["written by one"] } else { &[] };
        story.expect_log("orders/0", log);
    }
}
