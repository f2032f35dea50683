//! Followers that are behind, and what a leader that goes takes with it.

use titorelli::{Acks, Config};
use titorelli_sim::cluster::BrokerId;
use titorelli_sim::{Fault, RecordState, Story, ms};

/// b1 leads, b2 does not follow, and b3 does.
fn with_one_behind(acks: Acks) -> Story {
    let change = |config: &mut Config| config.acks = acks;
    let mut story = Story::with(change, |cluster| {
        cluster.topic.min_insync_replicas = 2;
        cluster.replica_lag_max = ms(10_000);
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.strike(&Fault::HoldReplicas(BrokerId(2)));
    story
}

/// The leader has the record and waits; the one that comes after it has the record, too. That the
/// old one does not lead any more says nothing about it: only the offset tells that it was written.
#[test]
fn not_leader_after_the_append_proves_nothing() {
    let mut story = with_one_behind(Acks::All);
    let painted = story.send("orders/0", "painted");
    story.wait(ms(10));
    story.move_leader("orders/0", "b3");
    story.run_until_idle();
    let state = story.state(painted);
    assert!(matches!(state, RecordState::MaybePersisted(_)), "{state:?}");
    story.expect_log("orders/0", &["painted"]);
    super::check("moved_after_append", &story);
}

/// acks=1 is written as far as it tells: the leader had it. It goes with the leader, and everybody
/// may know.
#[test]
fn what_only_the_leader_has_is_lost_with_it_though_acked() {
    let mut story = with_one_behind(Acks::Leader);
    story.strike(&Fault::HoldReplicas(BrokerId(3)));
    let painted = story.send("orders/0", "painted");
    story.run_until_idle();
    assert!(story.is_acked(painted));
    story.expect_log("orders/0", &["painted"]);
    story.take_down("b1");
    story.expect_log("orders/0", &[]);
    let lost: Vec<_> = story.world().cluster().lost_records().collect();
    assert!(
        matches!(lost.as_slice(), [(_, 0, lost)] if !lost.is_unclean),
        "{lost:?}"
    );
    // The judge knows it, too.
    titorelli_sim::check::logs(story.world());
}

/// With acks=all nothing is lost: what is not everywhere is not acked.
#[test]
fn what_followers_lack_is_not_acked() {
    let mut story = with_one_behind(Acks::All);
    let painted = story.send("orders/0", "painted");
    story.wait(ms(9_900));
    assert!(!story.is_acked(painted));
    let (in_sync, high_watermark) = story.world().cluster().in_sync("orders", 0);
    assert_eq!((in_sync.len(), high_watermark), (3, 1), "as it was before");
    // b2 is in sync no more, and two are enough.
    story.run_until_idle();
    story.expect_delivered([painted]);
    let (in_sync, high_watermark) = story.world().cluster().in_sync("orders", 0);
    assert_eq!((in_sync.len(), high_watermark), (2, 2));
}

/// An unclean election takes what was acked, and the next record gets the offset again.
#[test]
fn an_unclean_election_takes_what_all_in_sync_had() {
    let mut story = with_one_behind(Acks::All);
    let painted = story.send("orders/0", "painted");
    story.run_until_idle();
    story.expect_delivered([painted]);
    story.strike(&Fault::elect_unclean("orders/0", BrokerId(2)));
    let again = story.send("orders/0", "again");
    story.run_until_idle();
    let not_written = story.state(again);
    assert!(
        matches!(not_written, RecordState::NotPersisted(_)),
        "the leader was another"
    );
    let again = story.send("orders/0", "again");
    story.run_until_idle();
    story.expect_delivered([painted, again]);
    story.expect_log("orders/0", &["again"]);
}
