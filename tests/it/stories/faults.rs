//! What each fault does, and that it does no more.

use titorelli::ErrorCode;
use titorelli_sim::cluster::{BrokerId, Distortion, Lie};
use titorelli_sim::{Fault, RecordState, Story, ms};

const B1: BrokerId = BrokerId(1);

/// The transport takes a request that never arrives: nothing tells of it but the time that passes.
#[test]
fn what_is_swallowed_is_not_appended_and_goes_again_on_another_connection() {
    let mut story = Story::new(|config| {
        config.retries = 5;
        config.request_timeout = ms(1_000);
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.strike(&Fault::Swallow(B1));
    let record = story.send("orders/0", "swallowed");
    story.wait(ms(900));
    story.expect_log("orders/0", &[]);
    story.run_until_idle();
    story.expect_delivered([record]);
    story.expect_log("orders/0", &["swallowed"]);
}

/// A code without a name ends its batch, and proves nothing about it.
#[test]
fn a_refusal_that_nobody_knows_is_passed_on_with_its_number() {
    let mut story = Story::new(|config| config.retries = 5);
    story.cluster("orders/0 -> b1");
    story.ready();
    story.strike(&Fault::fail_next("orders/0", 12_345));
    let record = story.send("orders/0", "refused");
    story.run_until_idle();
    story.expect_log("orders/0", &[]);
    let RecordState::MaybePersisted(error) = story.state(record) else {
        panic!("{:?}", story.state(record));
    };
    assert_eq!(error.code(), Some(ErrorCode(12_345)));
}

/// Of an answer only what was asked for counts, and of that what comes first.
#[test]
fn an_answer_that_is_not_right_is_believed_no_more_than_it_must_be() {
    for distortion in Distortion::ALL {
        let mut story = Story::new(|config| config.retries = 5);
        story.cluster("orders/0 -> b1, orders/1 -> b1");
        story.ready();
        story.strike(&Fault::Distort(B1, distortion));
        let records = [
            story.send("orders/0", "zero"),
            story.send("orders/1", "one"),
        ];
        story.run_until_idle();
        for record in records {
            let RecordState::Acked { offset, .. } = *story.state(record) else {
                panic!("{distortion:?}: {:?}", story.state(record));
            };
            let is_untold = distortion == Distortion::NegativeOffsets;
            assert_eq!(offset == -1, is_untold, "{distortion:?}: at {offset}");
        }
        story.expect_log("orders/0", &["zero"]);
        story.expect_log("orders/1", &["one"]);
    }
}

/// Whatever a broker tells that was never so, records wait for the truth, and are written once.
#[test]
fn a_broker_that_misleads_is_outlived() {
    for lie in Lie::ALL {
        let mut story = Story::new(|config| config.max_block = ms(60_000));
        story.cluster("orders/0 -> b1, orders/1 -> b2");
        for broker in [1, 2, 3] {
            story.strike(&Fault::Mislead(BrokerId(broker), lie));
        }
        let record = story.send("orders/1", "waits");
        story.wait(ms(1_000));
        let is_harmless = lie == Lie::NoEpochs;
        assert_eq!(story.is_acked(record), is_harmless, "{lie:?}");
        for broker in [1, 2, 3] {
            story.strike(&Fault::CatchUp(BrokerId(broker)));
        }
        story.run_until_idle();
        story.expect_delivered([record]);
        story.expect_log("orders/1", &["waits"]);
    }
}

/// Another leader under the epoch that is known already is as good as under a newer one.
#[test]
fn a_leader_that_is_replaced_under_its_epoch_is_followed() {
    let mut story = Story::new(|config| config.retries = 5);
    story.cluster("orders/0 -> b1");
    story.ready();
    let before = story.world().cluster().leader("orders", 0);
    story.strike(&Fault::replace_leader("orders/0", BrokerId(2)));
    let after = story.world().cluster().leader("orders", 0);
    assert_eq!((before.0, after), (Some(B1), (Some(BrokerId(2)), before.1)));
    let record = story.send("orders/0", "follows");
    story.run_until_idle();
    story.expect_delivered([record]);
    story.expect_log("orders/0", &["follows"]);
}
