//! A broker that leads no more says who does, in its answer to Produce (KIP-951).

use titorelli_sim::cluster::{BrokerId, ClusterConfig, Distortion};
use titorelli_sim::{Config, Fault, Story, ms};

/// The batch goes to the new leader as soon as it can be connected to: no answer about metadata and
/// no backoff comes in between.
#[test]
fn a_batch_follows_the_hint_without_a_pause() {
    let mut story = Story::new(|config| {
        config.retries = 3;
        config.retry_backoff = ms(900);
    });
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    story.ready();
    story.move_leader("orders/0", "b2");
    let first = story.send("orders/0", "first");
    let second = story.send("orders/0", "second");
    story.run_until_idle();
    story.expect_delivered([first, second]);
    story.expect_log_ends("orders/0", "second");
    super::check("hint", &story);
}

/// A broker that nobody named yet is met by the hint.
#[test]
fn who_is_hinted_at_need_not_be_known() {
    let mut story = Story::new(|config| {
        config.retries = 3;
        config.retry_backoff = ms(900);
    });
    story.cluster("orders/0 -> b1");
    story.control("b3 is down", |cluster| cluster.set_down(BrokerId(3)));
    story.ready();
    story.control("b3 is back, and leads", |cluster| {
        cluster.set_up(BrokerId(3));
        cluster.move_leader("orders", 0, BrokerId(3));
    });
    let record = story.send("orders/0", "there");
    story.run_until_idle();
    story.expect_delivered([record]);
    super::check("hint_at_a_stranger", &story);
}

/// Two brokers that lag behind, each by its own time, hint at each other. Each is followed once,
/// and then only after a pause, until one of them has heard who leads (B5). The third, which leads,
/// has not heard of it either.
#[test]
fn hints_that_are_out_of_date_lead_nobody_in_a_circle() {
    let mut story = Story::new(|config| {
        config.retries = 100;
        config.retry_backoff = ms(100);
    });
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    story.ready();
    story.move_leader("orders/0", "b2");
    story.control("b1 hears no more", |cluster| cluster.lag(BrokerId(1)));
    story.move_leader("orders/0", "b1");
    story.control("b2 and b3 hear no more", |cluster| {
        cluster.lag(BrokerId(2));
        cluster.lag(BrokerId(3));
    });
    story.move_leader("orders/0", "b3");
    let requests = story.world().core().stats().requests;
    let record = story.send("orders/0", "at last");
    story.wait(ms(10));
    // To b1, at once to b2, to b1 again for its newer epoch, and a question about the cluster.
    let at_first = story.world().core().stats().requests - requests;
    assert_eq!(at_first, 4, "requests in 10 ms");
    story.wait(ms(3_000));
    let later = story.world().core().stats().requests - requests;
    assert!((5..=30).contains(&later), "{later} requests in 3 s");
    assert!(!story.is_acked(record));
    story.control("b1 has heard", |cluster| cluster.catch_up(BrokerId(1)));
    story.control("b2 has heard", |cluster| cluster.catch_up(BrokerId(2)));
    story.wait(ms(3_000));
    story.expect_delivered([record]);
    story.expect_log("orders/0", &["at last"]);
}

/// Metadata that is out of date leaves a broker out that is connected to where it listened before:
/// there somebody else listens by now. A hint that says where it listens leads there, and not to
/// whom is connected (L12; `idempotent` seed 651640).
#[test]
fn a_hint_at_a_broker_that_moved_leads_to_where_it_listens_now() {
    let four = |cluster: &mut ClusterConfig| {
        cluster.brokers = ClusterConfig::with_brokers(4).brokers;
    };
    let patient = |config: &mut Config| {
        config.retries = 20;
        config.retry_backoff = ms(100);
    };
    let mut story = Story::with(patient, four);
    story.cluster("aside/0 -> b1, orders/0 -> b3, stock/0 -> b2");
    story.ready();
    story.control("b1 and b4 hear that b2 is down, and no more", |cluster| {
        cluster.set_down(BrokerId(2));
        cluster.lag(BrokerId(1));
        cluster.lag(BrokerId(4));
        cluster.set_up(BrokerId(2));
        cluster.move_leader("stock", 0, BrokerId(2));
        cluster.close_connections(BrokerId(1));
    });
    story.wait(ms(500));
    let aside = story.send("aside/0", "so that b1 is connected to");
    story.wait(ms(500));
    story.control("b2 and b4 change places; b1 and b4 are asked", |cluster| {
        cluster.swap_addresses(BrokerId(2), BrokerId(4));
        cluster.close_connections(BrokerId(3));
    });
    let second = story.send("stock/0", "to where b2 was");
    story.wait(ms(200));
    story.control("b1 and b4 have heard", |cluster| {
        cluster.catch_up(BrokerId(1));
        cluster.catch_up(BrokerId(4));
    });
    story.move_leader("orders/0", "b2");
    let third = story.send("orders/0", "to where b2 is");
    story.run_until_idle();
    story.expect_delivered([aside, second, third]);
    super::check("hint_at_a_broker_that_moved", &story);
}

/// Who cannot be connected to is not tried again before its backoff is over because a hint names it
/// (L8; `idempotent` seed 910417).
#[test]
fn a_hint_at_a_broker_that_failed_waits_for_its_backoff() {
    let mut story = Story::new(|config| {
        config.retries = 20;
        config.retry_backoff = ms(10);
        config.reconnect_backoff = ms(2_000);
        config.reconnect_backoff_max = Some(ms(2_000));
    });
    story.cluster("orders/0 -> b2, stock/0 -> b1");
    story.ready();
    story.take_down("b2");
    story.wait(ms(100));
    story.bring_up("b2");
    story.move_leader("stock/0", "b2");
    let record = story.send("stock/0", "after the backoff");
    story.wait(ms(1_000));
    assert!(!story.is_acked(record));
    story.run_until_idle();
    story.expect_delivered([record]);
}

/// A leader that is hinted at with an epoch far ahead acknowledges, and so proves nothing of its
/// epoch: when it leads no more, metadata counts as it did before the hint, or nobody would ever be
/// believed again (S15).
#[test]
fn an_epoch_far_ahead_is_taken_back_although_its_leader_has_acknowledged() {
    let mut story = Story::new(|config| {
        config.retries = 100;
        config.retry_backoff = ms(100);
        config.backoff_jitter_percent = 0;
    });
    story.cluster("orders/0 -> b1, stock/0 -> b2, bonds/0 -> b3");
    story.ready();
    story.move_leader("orders/0", "b2");
    story.strike(&Fault::Distort(BrokerId(1), Distortion::EpochsAhead));
    let first = story.send("orders/0", "first");
    story.wait(ms(50));
    story.expect_delivered([first]);
    story.move_leader("orders/0", "b3");
    let second = story.send("orders/0", "second");
    story.wait(ms(500));
    story.expect_delivered([second]);
    super::check("hint_of_an_epoch_far_ahead", &story);
}

/// Nobody gets through so many elections: the hint is not followed, and metadata is waited for.
#[test]
fn the_last_epoch_of_all_is_not_believed() {
    let mut story = Story::new(|config| {
        config.retries = 100;
        config.retry_backoff = ms(100);
        config.backoff_jitter_percent = 0;
    });
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    story.ready();
    story.move_leader("orders/0", "b2");
    story.strike(&Fault::Distort(BrokerId(1), Distortion::LastEpochs));
    let record = story.send("orders/0", "there");
    story.run_until_idle();
    story.expect_delivered([record]);
    super::check("hint_of_the_last_epoch", &story);
}

/// Two batches are under way to a leader that leads no more. The first answer says who leads, and
/// the second denies the old leader once more: that is no word against the new one, and who lags
/// behind is not believed for it (S15).
#[test]
fn a_denial_of_the_old_leader_does_not_count_against_the_new_one() {
    let mut story = Story::new(super::numbered);
    story.cluster("early/0 -> b1, orders/0 -> b3, stock/0 -> b2");
    story.ready();
    story.control("b1 hears no more", |cluster| cluster.lag(BrokerId(1)));
    story.move_leader("orders/0", "b2");
    let first = story.send("orders/0", "first");
    let second = story.send("orders/0", "second");
    story.run_until_idle();
    story.expect_delivered([first, second]);
    let timeline = story.timeline();
    assert!(timeline.contains("b1     Metadata"), "{timeline}");
    assert_eq!(
        timeline.matches("orders/0 is led by").count(),
        1,
        "by b2, from then on\n{timeline}"
    );
}

/// All that was under way to the old leader goes to the new one without a pause, also what is
/// denied after the first answer has told of it (L8).
#[test]
fn what_an_old_leader_denies_later_follows_the_hint_as_well() {
    let mut story = Story::new(|config| {
        super::numbered(config);
        config.retry_backoff = ms(900);
    });
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    story.ready();
    story.move_leader("orders/0", "b2");
    let records = ["0", "1", "2", "3", "4"].map(|value| story.send("orders/0", value));
    story.wait(ms(20));
    story.expect_delivered(records);
}
