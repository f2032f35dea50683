//! The producer id: refused for a while, and for good (S14).

use titorelli::{Acks, DeliveryCause, ErrorCode, SendError};
use titorelli_sim::cluster::{BrokerId, ClusterConfig, REPEAT_ID};
use titorelli_sim::codec::error_code::{
    CLUSTER_AUTHORIZATION_FAILED, COORDINATOR_LOAD_IN_PROGRESS, OUT_OF_ORDER_SEQUENCE_NUMBER,
    UNSUPPORTED_VERSION,
};
use titorelli_sim::{Fault, RecordId, RecordState, Story, ms};

const FORBIDDEN: DeliveryCause =
    DeliveryCause::NoProducerId(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);

fn idempotent(change_cluster: impl FnOnce(&mut ClusterConfig)) -> Story {
    let change = |config: &mut titorelli::Config| {
        config.enable_idempotence = true;
        config.acks = Acks::All;
        config.retries = 10;
        config.batch_size = 0;
        config.backoff_jitter_percent = 0;
    };
    Story::with(change, change_cluster)
}

#[track_caller]
fn expect_unwritten(story: &Story, record: RecordId) {
    let state = story.state(record);
    assert!(
        matches!(state, RecordState::NotPersisted(error) if error.cause == FORBIDDEN),
        "{state:?}"
    );
}

#[track_caller]
fn expect_refused(story: &Story, record: RecordId) {
    let state = story.state(record);
    assert!(
        matches!(state, RecordState::Rejected(SendError::Fatal(cause)) if *cause == FORBIDDEN),
        "{state:?}"
    );
}

/// A broker that has just taken over is not ready to give ids: it is asked again after a pause, and
/// what came meanwhile is sent.
#[test]
fn a_producer_id_that_is_refused_for_a_while_is_asked_for_again() {
    let mut story = idempotent(|_| {});
    story.cluster("orders/0 -> b1");
    story.strike(&Fault::RefuseId(COORDINATOR_LOAD_IN_PROGRESS));
    story.strike(&Fault::RefuseId(COORDINATOR_LOAD_IN_PROGRESS));
    let records = ["a", "b"].map(|value| story.send("orders/0", value));
    story.run_until_idle();
    story.expect_delivered(records);
    story.expect_log("orders/0", &["a", "b"]);
    super::check("producer_id_refused_for_a_while", &story);
}

/// Who may not write to the cluster never gets an id. The first refusal says so: what is queued was
/// never written, calls that wait and those that come are refused with that cause, nobody asks
/// again, and flush and close have nothing to wait for.
#[test]
fn a_producer_id_that_is_refused_for_good_ends_everything_at_once() {
    let mut story = idempotent(|_| {});
    story.cluster("orders/0 -> b1");
    story.strike(&Fault::RefuseId(COORDINATOR_LOAD_IN_PROGRESS));
    story.strike(&Fault::RefuseId(CLUSTER_AUTHORIZATION_FAILED));
    let queued = ["a", "b"].map(|value| story.send("orders/0", value));
    let waiting = story.send("payments/0", "c");
    story.wait(ms(20));
    story.flush();
    assert!(queued.iter().all(|id| story.explain(*id).is_some()));
    story.run_until_idle();
    for record in queued {
        expect_unwritten(&story, record);
    }
    expect_refused(&story, waiting);
    let late = story.send_after(ms(5_000), "orders/0", "d");
    expect_refused(&story, late);
    story.flush();
    story.close(ms(60_000));
    story.run_until_idle();
    assert!(story.world().is_closed());
    story.expect_log("orders/0", &[]);
    super::check("producer_id_refused_for_good", &story);
}

/// The last epoch is used up, and there is no other id: what is under way elsewhere is still waited
/// for; what has to be sent under another number cannot be, and is known to be absent.
#[test]
fn what_is_under_way_when_an_id_is_refused_for_good_still_has_its_answer() {
    let mut story = idempotent(|cluster| cluster.first_epoch = i16::MAX);
    story.cluster("orders/0 -> b1, orders/1 -> b2");
    story.ready();
    story.strike(&Fault::RefuseId(CLUSTER_AUTHORIZATION_FAILED));
    story.strike(&Fault::Delay(BrokerId(2), ms(300)));
    story.fails_next("orders/0", OUT_OF_ORDER_SEQUENCE_NUMBER);
    let refused = story.send("orders/0", "refused");
    let behind = story.send("orders/0", "behind");
    let under_way = story.send("orders/1", "under way");
    story.wait(ms(250));
    assert!(story.explain(under_way).is_some());
    expect_unwritten(&story, refused);
    expect_unwritten(&story, behind);
    let late = story.send("orders/1", "late");
    expect_refused(&story, late);
    story.close(ms(60_000));
    story.run_until_idle();
    assert!(story.world().is_closed());
    story.expect_delivered([under_way]);
    story.expect_log("orders/0", &[]);
    story.expect_log("orders/1", &["under way"]);
    super::check("producer_id_refused_at_the_last_epoch", &story);
}

/// The same, and then the answer is that it has to be sent under another number, which nobody will
/// ever give: both are known to be absent, and end at once, not after `delivery_timeout` (S14).
#[test]
fn what_needs_another_number_when_there_is_no_id_any_more_ends_at_once() {
    let mut story = idempotent(|cluster| cluster.first_epoch = i16::MAX);
    story.cluster("orders/0 -> b1, orders/1 -> b2");
    story.ready();
    story.strike(&Fault::RefuseId(CLUSTER_AUTHORIZATION_FAILED));
    story.strike(&Fault::Delay(BrokerId(2), ms(300)));
    for place in ["orders/0", "orders/1"] {
        story.fails_next(place, OUT_OF_ORDER_SEQUENCE_NUMBER);
    }
    let refused = story.send("orders/0", "refused");
    let later = ["refused later", "behind"].map(|value| story.send("orders/1", value));
    story.wait(ms(250));
    expect_unwritten(&story, refused);
    assert!(later.iter().all(|id| story.explain(*id).is_some()));
    story.wait(ms(100));
    for record in later {
        expect_unwritten(&story, record);
    }
    story.expect_log("orders/1", &[]);
    super::check("a_number_is_needed_and_there_is_no_id", &story);
}

/// The last epoch is used up, and a broker gives the same id again: its numbers would come again,
/// and what they stand for would be taken for what was written under them before (I2). It is asked
/// for another after a pause.
#[test]
fn a_producer_id_that_is_used_up_is_not_believed_when_it_is_given_again() {
    let mut story = idempotent(|cluster| cluster.first_epoch = i16::MAX);
    story.cluster("orders/0 -> b1");
    story.ready();
    story.strike(&Fault::RefuseId(REPEAT_ID));
    story.fails_next("orders/0", OUT_OF_ORDER_SEQUENCE_NUMBER);
    let records = ["a", "b"].map(|value| story.send("orders/0", value));
    story.run_until_idle();
    story.expect_delivered(records);
    story.expect_log("orders/0", &["a", "b"]);
    super::check("producer_id_given_again", &story);
}

/// Two brokers are asked, for the first is slow, and both refuse for good: the cause is what was
/// answered first, also after the other has said another (S14).
#[test]
fn the_first_of_two_refusals_is_the_cause() {
    let mut story = idempotent(|cluster| cluster.first_epoch = i16::MAX);
    story.cluster("orders/0 -> b1, orders/1 -> b2");
    story.ready();
    story.strike(&Fault::RefuseId(CLUSTER_AUTHORIZATION_FAILED));
    story.strike(&Fault::RefuseId(UNSUPPORTED_VERSION));
    for broker in [1, 2] {
        story.strike(&Fault::Delay(BrokerId(broker), ms(1_500)));
    }
    story.fails_next("orders/0", OUT_OF_ORDER_SEQUENCE_NUMBER);
    let refused = story.send("orders/0", "refused");
    story.wait(ms(3_500));
    expect_unwritten(&story, refused);
    let late = story.send_after(ms(5_000), "orders/0", "late");
    expect_refused(&story, late);
    super::check("two_refuse_an_id", &story);
}

/// A producer id that was asked for in one cluster is nobody's in another, where somebody else may
/// have it.
#[test]
fn a_producer_id_of_another_cluster_is_not_taken() {
    let mut story = idempotent(|cluster| cluster.brokers.truncate(2));
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    story.strike(&Fault::RefuseId(COORDINATOR_LOAD_IN_PROGRESS));
    let first = story.send("orders/0", "first");
    let second = story.send("stock/0", "second");
    story.wait(ms(60));
    story.strike(&Fault::Delay(BrokerId(1), ms(300)));
    story.wait(ms(50));
    story.control("the name leads to another cluster", |cluster| {
        cluster.rename("another");
        cluster.create_topic("bonds", 1);
    });
    let third = story.send("bonds/0", "third");
    story.wait(ms(10));
    story.expect_delivered([second]);
    story.run_until_idle();
    story.expect_delivered([first, third]);
    super::check("producer_id_of_another_cluster", &story);
}

/// Who refuses to give ids may do so for ever: another is asked next (L12).
#[test]
fn brokers_are_asked_for_a_producer_id_in_their_turn() {
    let mut story = idempotent(|cluster| cluster.brokers.truncate(2));
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    for _ in 0..3 {
        story.strike(&Fault::RefuseId(COORDINATOR_LOAD_IN_PROGRESS));
    }
    let records = ["orders/0", "stock/0"].map(|place| story.send(place, "waits"));
    story.run_until_idle();
    story.expect_delivered(records);
    let timeline = story.timeline();
    let asked = timeline
        .lines()
        .filter(|line| line.contains("core   InitProducerId"));
    let asked: Vec<&str> = asked.filter_map(|line| line.split("-> ").nth(1)).collect();
    assert_eq!(asked, ["b1", "b1", "b2", "b1"], "{timeline}");
}
