//! Numbers where brokers are strange: another log, nobody to ask, no time left.

use core::time::Duration;

use titorelli_sim::cluster::BrokerId;
use titorelli_sim::codec::error_code::{COORDINATOR_LOAD_IN_PROGRESS, NOT_ENOUGH_REPLICAS};
use titorelli_sim::{Fault, RecordState, Story, ms};

use super::numbered;

/// One batch is refused by a topic that is being deleted, the one behind it is written to the topic
/// that is created again, and its answer is lost: that the first is absent says nothing of the
/// second, for it is another log. It is not sent anew under another number (I5).
#[test]
fn a_topic_that_is_another_proves_nothing_of_those_behind_a_refusal() {
    for release in [(2, 6, 0), (3, 6, 0), (4, 1, 0)] {
        let mut story = Story::with(numbered, |cluster| cluster.play(release));
        story.cluster("orders/0 -> b1");
        story.ready();
        story.send("orders/0", "w");
        story.run_until_idle();
        story.strike(&Fault::Delete("orders".into()));
        story.send("orders/0", "a");
        story.wait(Duration::from_micros(500));
        story.send("orders/0", "b");
        story.wait(Duration::from_micros(700));
        story.strike(&Fault::Recreate("orders".into(), 1));
        story.control("b1 leads", |cluster| {
            if cluster.leader("orders", 0).0 != Some(BrokerId(1)) {
                cluster.move_leader("orders", 0, BrokerId(1));
            }
        });
        story.lose_next_response("b1");
        story.run_until_idle();
        let log = story.world().cluster().log("orders", 0);
        let values: Vec<_> = log.records().iter().map(|record| &record.value).collect();
        let mut once = values.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), values.len(), "{release:?}: {values:?}");
        titorelli_sim::check::truth(story.world());
    }
}

/// The only connection is idle while a producer id is waited for, and ends: somebody is connected
/// to again, though nothing stands in a ring.
#[test]
fn who_waits_for_an_id_is_connected_for() {
    let mut story = Story::new(|config| {
        numbered(config);
        config.connections_max_idle = ms(50);
    });
    story.cluster("orders/0 -> b1");
    story.strike(&Fault::RefuseId(COORDINATOR_LOAD_IN_PROGRESS));
    let a = story.send("orders/0", "a");
    story.wait(ms(5_000));
    story.expect_delivered([a]);
}

/// A record is past its deadline, in doubt, and then known to be absent: it is not sent again.
#[test]
fn what_is_found_out_late_to_be_absent_ends() {
    let mut story = Story::new(|config| {
        numbered(config);
        config.retry_backoff = ms(20);
        config.request_timeout = ms(900);
        config.delivery_timeout = Some(ms(1_000));
        config.resolve_timeout = Duration::from_secs(10);
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.fails_next("orders/0", NOT_ENOUGH_REPLICAS);
    story.strike(&Fault::Clog(BrokerId(1), 0));
    let a = story.send("orders/0", "a");
    story.wait(ms(880));
    story.strike(&Fault::Cut(BrokerId(1)));
    story.wait(ms(58));
    story.strike(&Fault::Clog(BrokerId(1), 0));
    story.wait(ms(300));
    story.strike(&Fault::Cut(BrokerId(1)));
    story.run_until_idle();
    let state = story.state(a);
    assert!(matches!(state, RecordState::NotPersisted(_)), "{state:?}");
    story.expect_log("orders/0", &[]);
}
