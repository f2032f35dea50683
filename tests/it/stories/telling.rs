//! Errors that tell a record's life.

use core::time::Duration;

use titorelli::Config;
use titorelli_sim::cluster::BrokerId;
use titorelli_sim::codec::error_code::{
    COORDINATOR_LOAD_IN_PROGRESS, MESSAGE_TOO_LARGE, NOT_ENOUGH_REPLICAS,
};
use titorelli_sim::{Fault, RecordState, Story, ms};

/// What a story's record failed with, in full.
fn life(story: &Story, record: titorelli_sim::RecordId) -> titorelli::DeliveryError {
    match story.state(record) {
        RecordState::NotPersisted(error) | RecordState::MaybePersisted(error) => error.clone(),
        other @ (RecordState::Waiting(_)
        | RecordState::Rejected(_)
        | RecordState::Accepted(_)
        | RecordState::Acked { .. }
        | RecordState::Cancelled) => panic!("{other:?}"),
    }
}

fn impatient(config: &mut Config) {
    config.linger = ms(5);
    config.retries = 100;
    config.request_timeout = ms(400);
    config.delivery_timeout = Some(ms(1_000));
    config.backoff_jitter_percent = 0;
}

/// One attempt is refused, one is not answered, and one is under way when the record's time is up.
#[test]
fn a_record_tells_its_attempts_and_where_its_time_went() {
    let mut story = Story::new(impatient);
    story.cluster("orders/0 -> b1");
    story.ready();
    story.fails_next("orders/0", NOT_ENOUGH_REPLICAS);
    let a = story.send("orders/0", "a");
    story.wait(ms(100));
    story.silence("b1");
    story.wait(ms(500));
    story.silence("b1");
    story.run_until_idle();
    let error = life(&story, a);
    let spent = error.biography.spent;
    let spans = [
        spent.lingering,
        spent.without_leader,
        spent.backing_off,
        spent.throttled,
        spent.queued,
        spent.in_flight,
    ];
    assert_eq!(spans.iter().sum::<Duration>(), error.age, "{spent}");
    crate::snapshots::check("told__three_attempts", &format!("{error}\n{error:#}"));
}

/// No leader, then no connection: where its time went is all that there is to tell.
#[test]
fn a_record_that_never_left_tells_what_it_waited_for() {
    let mut story = Story::new(impatient);
    story.cluster("orders/0 -> b1");
    story.ready();
    for broker in ["b1", "b2", "b3"] {
        story.take_down(broker);
    }
    story.wait(ms(300));
    let a = story.send("orders/0", "a");
    story.run_until_idle();
    let error = life(&story, a);
    assert_eq!(error.biography.attempts, []);
    crate::snapshots::check("told__never_left", &format!("{error}\n{error:#}"));
}

/// A leader that does not accept a connection, or accepts it and says nothing, or did so once: what
/// it has not done is named, and for how long.
#[test]
fn a_record_that_waited_for_a_silent_leader_names_what_it_waited_for() {
    let mut told = Vec::new();
    for (is_stalled, setup_timeout) in [(true, 10_000), (false, 10_000), (false, 600)] {
        let mut story = Story::new(|config| {
            impatient(config);
            config.socket_connection_setup_timeout = ms(setup_timeout);
        });
        story.cluster("orders/0 -> b1");
        story.ready();
        story.cluster("bills/0 -> b2");
        let a = story.send("bills/0", "a");
        if is_stalled {
            story.stall("b2");
        }
        // The topic is asked for, then its leader is connected to.
        story.wait(ms(9));
        story.silence("b2");
        story.stall("b2");
        story.run_until_idle();
        told.push(life(&story, a).to_string());
    }
    crate::snapshots::check("told__silent_leader", &told.join("\n"));
}

/// What is said of a record at every stage of its way.
#[test]
fn why_a_record_waits_is_said_in_a_sentence() {
    let mut story = Story::new(|config| {
        impatient(config);
        config.delivery_timeout = Some(ms(60_000));
        config.max_in_flight_requests_per_connection = 1;
    });
    story.cluster("orders/0 -> b1, orders/1 -> b2");
    story.ready();
    let mut told = Vec::new();
    let mut say = |story: &Story, record| told.push(story.explain(record).expect("it waits"));

    let a = story.send("orders/0", "a");
    story.wait(ms(3));
    say(&story, a);
    story.silence("b1");
    story.wait(ms(20));
    say(&story, a);
    let b = story.send("orders/0", "b");
    story.wait(ms(20));
    say(&story, b);
    story.wait(ms(400));
    say(&story, a);
    say(&story, b);
    story.run_until_idle();
    assert_eq!(story.explain(a), None);

    for broker in ["b1", "b2", "b3"] {
        story.take_down(broker);
    }
    let c = story.send("orders/1", "c");
    story.wait(ms(200));
    say(&story, c);
    crate::snapshots::check("told__why_it_waits", &told.join("\n"));
}

/// A record is under way a second time when its time is up, and nobody answers: nothing new goes
/// before that is settled. Then the numbers begin again, and the next record is written.
#[test]
fn a_doubt_at_the_head_of_the_line_is_named_with_its_number() {
    let mut story = Story::new(|config| {
        *config = Config::durable();
        config.request_timeout = ms(1_000);
        config.delivery_timeout = Some(ms(1_005));
        config.retry_backoff = ms(500);
        config.backoff_jitter_percent = 0;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.fails_next("orders/0", NOT_ENOUGH_REPLICAS);
    let a = story.send("orders/0", "a");
    story.wait(ms(100));
    story.silence("b1");
    story.wait(ms(1_000));
    assert!(matches!(story.state(a), RecordState::MaybePersisted(_)));
    let b = story.send("orders/0", "b");
    story.wait(ms(20));
    let told = story.explain(b).expect("it waits");
    assert_eq!(
        told,
        "orders-0: head of line: sequence 1 unresolved at broker 1"
    );
    story.run_until_idle();
    story.expect_delivered([b]);
    super::check("doubt_at_the_head", &story);
}

/// A batch is refused for good while another is under way behind its number. It is known to be
/// absent, so nothing is in doubt: what comes later waits for the other one.
#[test]
fn a_number_that_is_known_to_be_missing_is_not_called_unresolved() {
    let mut story = Story::new(|config| {
        *config = Config::durable();
        config.linger = ms(0);
        config.backoff_jitter_percent = 0;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.strike(&Fault::Delay(BrokerId(1), ms(100)));
    story.fails_next("orders/0", MESSAGE_TOO_LARGE);
    let refused = story.send("orders/0", "refused");
    story.wait(ms(50));
    let behind = story.send("orders/0", "behind");
    story.wait(ms(60));
    assert!(matches!(story.state(refused), RecordState::NotPersisted(_)));
    let late = story.send("orders/0", "late");
    story.wait(ms(1));
    assert_eq!(
        story.explain(late).expect("it waits"),
        "orders-0: 1 batch of its partition, under way to broker 1, goes first"
    );
    story.run_until_idle();
    story.expect_delivered([behind, late]);
}

/// Who waits for a producer id is told when it is asked for, and that it is.
#[test]
fn whether_a_producer_id_is_asked_for_is_told() {
    let mut story = Story::new(|config| {
        *config = Config::durable();
        config.backoff_jitter_percent = 0;
    });
    story.cluster("orders/0 -> b1");
    story.strike(&Fault::RefuseId(COORDINATOR_LOAD_IN_PROGRESS));
    let a = story.send("orders/0", "a");
    let mut told = Vec::new();
    for pause in [20, 87] {
        story.wait(ms(pause));
        told.push(story.explain(a).expect("it waits"));
    }
    let refused = "(no producer id: the broker answered COORDINATOR_LOAD_IN_PROGRESS (14))";
    let waits = "orders-0: no producer id yet, asked for";
    assert_eq!(
        told,
        [
            format!("{waits} again in 86 ms {refused}"),
            format!("{waits} {refused}")
        ]
    );
    story.run_until_idle();
    story.expect_delivered([a]);
}
