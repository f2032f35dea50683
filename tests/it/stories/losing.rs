//! Leaders move, connections break, answers get lost.

use titorelli::DeliveryCause;
use titorelli_sim::codec::error_code::NOT_ENOUGH_REPLICAS;
use titorelli_sim::{RecordState, Story, ms};

/// The leader moves while a batch is on its way: the old one refuses, its answer names the new one,
/// and the batch arrives there once.
#[test]
fn a_batch_follows_its_leader() {
    let mut story = Story::new(|config| config.retries = 3);
    story.cluster("orders/0 -> b1");
    story.ready();
    let a = story.send("orders/0", "a");
    story.move_leader("orders/0", "b2");
    story.run_until_idle();
    story.expect_delivered([a]);
    story.expect_log("orders/0", &["a"]);
    super::check("leader_moves", &story);
}

/// The connection breaks in the middle of a frame: the broker never saw the request whole, the
/// producer cannot know that, so it sends the batch again over a new connection.
#[test]
fn a_frame_cut_in_the_middle_is_sent_again_whole() {
    let mut story = Story::new(|config| config.retries = 3);
    story.cluster("orders/0 -> b1");
    story.ready();
    story.cut_requests_after("b1", 40);
    let a = story.send("orders/0", "a");
    story.run_until_idle();
    story.expect_delivered([a]);
    story.expect_log("orders/0", &["a"]);
    super::check("cut_in_a_frame", &story);
}

/// The broker appends, and its answer is lost: without idempotence the retry makes a duplicate, and
/// the ack is that of the second.
#[test]
fn a_lost_answer_is_retried_into_a_duplicate() {
    let mut story = Story::new(|config| config.retries = 3);
    story.cluster("orders/0 -> b1");
    story.ready();
    story.lose_next_response("b1");
    let a = story.send("orders/0", "a");
    story.run_until_idle();
    story.expect_delivered([a]);
    story.expect_log("orders/0", &["a", "a"]);
    super::check("answer_lost", &story);
}

/// The same loss without retries: the producer says that the record may be written. It is.
#[test]
fn a_lost_answer_without_retries_is_told_as_it_is() {
    let mut story = Story::new(|config| config.retries = 0);
    story.cluster("orders/0 -> b1");
    story.ready();
    story.lose_next_response("b1");
    let a = story.send("orders/0", "a");
    story.run_until_idle();
    let state = story.state(a);
    assert!(
        matches!(state, RecordState::MaybePersisted(error)
            if matches!(error.cause, DeliveryCause::Disconnected(_))),
        "{state:?}"
    );
    story.expect_log("orders/0", &["a"]);
    super::check("answer_lost_no_retries", &story);
}

/// With one request in flight a batch that has to be retried is not overtaken by the next.
#[test]
fn a_retried_batch_is_not_overtaken() {
    let mut story = Story::new(|config| {
        config.retries = 3;
        config.max_in_flight_requests_per_connection = 1;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.fails_next("orders/0", NOT_ENOUGH_REPLICAS);
    let a = story.send("orders/0", "a");
    let b = story.send_after(ms(1), "orders/0", "b");
    story.run_until_idle();
    story.expect_delivered([a, b]);
    story.expect_log("orders/0", &["a", "b"]);
    super::check("retry_not_overtaken", &story);
}

/// A broker takes the request and never answers: after `request_timeout` the connection is given
/// up, and the batch is sent again.
#[test]
fn a_silent_broker_is_given_up() {
    let mut story = Story::new(|config| {
        config.retries = 3;
        config.request_timeout = ms(500);
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.silence("b1");
    let a = story.send("orders/0", "a");
    story.run_until_idle();
    story.expect_delivered([a]);
    story.expect_log("orders/0", &["a", "a"]);
    super::check("silent_broker", &story);
}
