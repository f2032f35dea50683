//! What the application takes back, and what goes on without it: never a gap in the numbers.

use titorelli::{Acks, DeliveryCause, ErrorCode, Purge, Withdrawal};
use titorelli_sim::cluster::{BrokerId, ClusterConfig};
use titorelli_sim::{Config, Fault, OwnedRecord, RecordId, RecordState, Story, ms};

fn durable(config: &mut Config) {
    config.enable_idempotence = true;
    config.acks = Acks::All;
    config.retries = 1_000_000;
    config.linger = ms(5);
}

/// A stage with one partition whose leader is known and has acknowledged.
fn stage(change: impl FnOnce(&mut Config)) -> Story {
    let mut story = Story::with(
        |config| {
            durable(config);
            change(config);
        },
        |_: &mut ClusterConfig| {},
    );
    story.cluster("orders/0 -> b1");
    story.ready();
    story
}

fn send_all(story: &mut Story, values: &[&str]) -> Vec<RecordId> {
    let values = values.iter();
    values.map(|value| story.send("orders/0", value)).collect()
}

/// Sends records that fill a batch each, and lets them leave.
fn send_full(story: &mut Story, names: &[&str]) -> Vec<RecordId> {
    let big = |name: &&str| format!("{name:.<600}");
    let values = names.iter().map(big);
    let ids = values.map(|value| story.give(OwnedRecord::to("orders/0", value)));
    ids.collect()
}

/// The certain end of a record.
fn cause_of(story: &Story, id: RecordId) -> DeliveryCause {
    let RecordState::NotPersisted(error) = story.state(id) else {
        panic!("it is certainly not written: {:?}", story.state(id));
    };
    error.cause.clone()
}

/// From the middle of an open batch, its end, and the middle of what is left.
#[test]
fn records_are_withdrawn_from_a_batch_and_the_others_go_on() {
    let mut story = stage(|_| {});
    let ids = send_all(&mut story, &["0", "1", "2", "3", "4", "5"]);
    for nth in [2, 5, 3] {
        assert_eq!(story.withdraw(ids[nth]), Withdrawal::Withdrawn);
        assert_eq!(cause_of(&story, ids[nth]), DeliveryCause::Withdrawn);
    }
    assert_eq!(story.withdraw(ids[2]), Withdrawal::Unknown);
    send_all(&mut story, &["6"]);
    story.run_until_idle();
    story.expect_log("orders/0", &["0", "1", "4", "6"]);
    assert_eq!(story.withdraw(ids[0]), Withdrawal::Unknown, "it is written");
}

#[test]
fn the_only_record_of_a_batch_is_withdrawn_and_nothing_leaves() {
    let mut story = stage(|_| {});
    let ids = send_all(&mut story, &["only"]);
    assert_eq!(story.withdraw(ids[0]), Withdrawal::Withdrawn);
    story.run_until_idle();
    story.expect_log("orders/0", &[]);
    send_all(&mut story, &["next"]);
    story.run_until_idle();
    story.expect_log("orders/0", &["next"]);
}

#[test]
fn a_record_on_its_way_goes_on() {
    let mut story = stage(|_| {});
    let ids = send_all(&mut story, &["0", "1"]);
    story.wait(ms(5));
    assert_eq!(story.withdraw(ids[1]), Withdrawal::OnItsWay);
    story.run_until_idle();
    story.expect_delivered([ids[0], ids[1]]);
    story.expect_log("orders/0", &["0", "1"]);
}

/// A record that left, and of whose attempt nothing is known, has a number: nobody else gets it.
#[test]
fn a_record_whose_answer_was_lost_is_not_withdrawn() {
    let mut story = stage(|_| {});
    story.lose_next_response("b1");
    let ids = send_all(&mut story, &["0", "1"]);
    story.wait(ms(7));
    assert_eq!(story.withdraw(ids[0]), Withdrawal::OnItsWay);
    story.run_until_idle();
    story.expect_delivered([ids[0], ids[1]]);
}

/// Five are in flight and one waits. Those in flight are in doubt, and are written; the one that
/// waits never is. The next has no number of theirs, and comes after them.
#[test]
fn a_purge_leaves_no_gap_and_no_copy() {
    for what in [Purge::All, Purge::InFlight, Purge::Queued] {
        let mut story = stage(|config| config.batch_size = 500);
        let ids = send_full(&mut story, &["0", "1", "2", "3", "4", "5"]);
        story.wait(ms(0));
        story.purge(what);
        let later = send_full(&mut story, &["6"]);
        for (nth, id) in ids.iter().enumerate() {
            let is_purged = match story.state(*id) {
                RecordState::MaybePersisted(error) if nth < 5 => {
                    assert_eq!(error.cause, DeliveryCause::Purged);
                    what != Purge::Queued
                }
                RecordState::NotPersisted(error) if nth == 5 => {
                    assert_eq!(error.cause, DeliveryCause::Purged);
                    what != Purge::InFlight
                }
                RecordState::Accepted(_) if nth < 5 => what == Purge::Queued,
                RecordState::Accepted(_) => what == Purge::InFlight,
                RecordState::Waiting(_)
                | RecordState::Rejected(_)
                | RecordState::Cancelled
                | RecordState::Acked { .. }
                | RecordState::NotPersisted(_)
                | RecordState::MaybePersisted(_) => false,
            };
            assert!(is_purged, "{what:?} {nth}: {:?}", story.state(*id));
        }
        story.run_until_idle();
        assert!(story.is_acked(later[0]), "{what:?}");
        let expected = if what == Purge::InFlight { 7 } else { 6 };
        let log = story.world().cluster().log("orders", 0).records();
        assert_eq!(log.len(), 1 + expected, "{what:?}");
        story.close(ms(1_000));
        story.run_until_idle();
    }
}

/// What the first of three batches fails with takes the two behind it along; what is accepted after
/// that goes on. Without the guarantee the two go on.
#[test]
fn a_record_that_fails_takes_those_behind_it_along_if_that_is_wanted() {
    for is_gapless in [true, false] {
        let mut story = stage(|config| {
            config.batch_size = 500;
            config.enable_gapless_guarantee = is_gapless;
        });
        story.fails_next("orders/0", ErrorCode::INVALID_RECORD.0);
        let ids = send_full(&mut story, &["0", "1", "2", "3", "4", "5", "6"]);
        story.wait(ms(2));
        let cause = cause_of(&story, ids[0]);
        assert!(
            matches!(cause, DeliveryCause::Broker(ErrorCode::INVALID_RECORD, _)),
            "{cause:?}"
        );
        let later = send_full(&mut story, &["7"]);
        story.run_until_idle();
        for id in &ids[1..] {
            if is_gapless {
                assert_eq!(cause_of(&story, *id), DeliveryCause::Gap);
            } else {
                assert!(story.is_acked(*id));
            }
        }
        assert!(story.is_acked(later[0]));
    }
}

/// One that was in flight behind the gap fails when it comes back; what was accepted until then is
/// behind it, too, although it came after the first had failed.
#[test]
fn a_record_that_fails_along_takes_what_was_accepted_meanwhile() {
    let mut story = stage(|config| {
        config.enable_gapless_guarantee = true;
        (config.linger, config.batch_size) = (ms(0), 0);
    });
    story.fails_next("orders/0", ErrorCode::INVALID_RECORD.0);
    let first = story.send("orders/0", "first");
    story.wait(ms(1));
    story.strike(&Fault::Delay(BrokerId(1), ms(50)));
    let in_flight = story.send("orders/0", "in flight");
    story.wait(ms(10));
    assert_ne!(cause_of(&story, first), DeliveryCause::Gap);
    let meanwhile = story.send("orders/0", "meanwhile");
    story.wait(ms(100));
    assert_eq!(cause_of(&story, in_flight), DeliveryCause::Gap);
    assert_eq!(cause_of(&story, meanwhile), DeliveryCause::Gap);
    let later = story.send("orders/0", "later");
    story.run_until_idle();
    story.expect_delivered([later]);
    story.expect_log("orders/0", &["later"]);
}

/// Who asks for a gap gets it, and no other record pays for it.
#[test]
fn a_withdrawn_record_takes_nothing_along() {
    let mut story = stage(|config| config.enable_gapless_guarantee = true);
    let ids = send_all(&mut story, &["0", "1", "2"]);
    assert_eq!(story.withdraw(ids[0]), Withdrawal::Withdrawn);
    story.run_until_idle();
    story.expect_delivered([ids[1], ids[2]]);
}
