//! When the brokers that the cluster named are of no use any more, it begins again with the
//! bootstrap servers (KIP-899, KIP-1102, L12).

use titorelli::{Config, MetadataRecovery};
use titorelli_sim::cluster::{BrokerId, Lie};
use titorelli_sim::{Fault, Story, ms};

/// b3 alone is where a bootstrap server is: b1 and b2, which lead, are known by other addresses.
fn known_elsewhere(change: impl FnOnce(&mut Config)) -> Story {
    let change = |config: &mut Config| {
        config.retries = 100;
        change(config);
    };
    // One that gives no hints with its answers to Produce.
    let mut story = Story::with(change, |cluster| {
        cluster.play((3, 6, 0));
    });
    story.cluster("orders/0 -> b1");
    for broker in [1, 2] {
        story.strike(&Fault::Readdress(BrokerId(broker)));
    }
    story.ready();
    story
}

/// All addresses that are known are dead: the bootstrap servers know the new ones, and what waits
/// goes there.
#[test]
fn when_every_known_broker_is_gone_the_bootstrap_servers_are_asked() {
    let mut story = known_elsewhere(|_| {});
    story.control("b1 and b2 are back, and b3 is gone", |cluster| {
        cluster.restore_addresses();
        cluster.set_down(BrokerId(3));
    });
    let record = story.send("orders/0", "found");
    story.wait(ms(3_000));
    story.expect_delivered([record]);
    story.expect_log("orders/0", &["found"]);
}

/// With `none` nobody asks them, until the brokers are back where they were known.
#[test]
fn without_recovery_only_known_brokers_are_asked() {
    let mut story =
        known_elsewhere(|config| config.metadata_recovery_strategy = MetadataRecovery::None);
    story.control("b1 and b2 are back, and b3 is gone", |cluster| {
        cluster.restore_addresses();
        cluster.set_down(BrokerId(3));
    });
    let record = story.send("orders/0", "lost");
    story.wait(ms(10_000));
    assert!(!story.is_acked(record));
    story.bring_up("b3");
    story.wait(ms(3_000));
    story.expect_delivered([record]);
}

/// The first servers are asked again and again until one has named the cluster's brokers, whatever
/// the strategy.
#[test]
fn without_recovery_the_first_answer_is_waited_for() {
    let mut story = Story::new(|config| config.metadata_recovery_strategy = MetadataRecovery::None);
    story.cluster("orders/0 -> b1");
    for broker in ["b1", "b2", "b3"] {
        story.take_down(broker);
    }
    let record = story.send("orders/0", "early");
    story.wait(ms(3_000));
    for broker in ["b1", "b2", "b3"] {
        story.bring_up(broker);
    }
    story.wait(ms(3_000));
    story.expect_delivered([record]);
}

/// A broker that says "start over" is left, with all others. What is under way there is answered,
/// what waits stays in its place and goes on, once, when a bootstrap server has told who leads.
#[test]
fn who_is_sent_away_starts_over_and_loses_nothing() {
    for is_idempotent in [false, true] {
        let mut story = Story::new(|config| {
            if is_idempotent {
                *config = Config::durable();
                config.linger = ms(0);
            }
            config.retries = 10;
            config.metadata_max_age = ms(700);
            config.max_in_flight_requests_per_connection = 1;
        });
        story.cluster("orders/0 -> b1");
        story.ready();
        let connects = story.world().core().stats().connects;
        story.control("every broker sends away", |cluster| {
            for broker in 1..=3 {
                cluster.send_away(BrokerId(broker), true);
            }
        });
        story.wait(ms(1_000));
        let waits = story.send("orders/0", "waits");
        let behind = story.send("orders/0", "behind");
        story.wait(ms(1_000));
        assert!(!story.is_acked(waits), "nobody is known to lead");
        story.control("no broker sends away", |cluster| {
            for broker in 1..=3 {
                cluster.send_away(BrokerId(broker), false);
            }
        });
        story.wait(ms(3_000));
        story.expect_delivered([waits, behind]);
        story.expect_log("orders/0", &["waits", "behind"]);
        let stats = story.world().core().stats();
        // About one a backoff: with 100 ms, doubled up to 1,000, no more than these in 2 s.
        let again = stats.connects - connects;
        assert!((2..=12).contains(&again), "{again} connections");
    }
}

/// Who does not start over asks the same brokers again, and those that nothing was sent to, and
/// goes on sending.
#[test]
fn without_recovery_nobody_is_left_for_being_sent_away() {
    let mut story = Story::new(|config| {
        config.metadata_recovery_strategy = MetadataRecovery::None;
        config.metadata_max_age = ms(700);
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.control("b1 sends away", |c| c.send_away(BrokerId(1), true));
    story.wait(ms(2_000));
    let record = story.send("orders/0", "here");
    story.wait(ms(100));
    story.expect_delivered([record]);
    let timeline = story.timeline();
    assert!(!timeline.contains("disconnect -> b1"), "{timeline}");
    assert!(!timeline.contains("has no leader"), "{timeline}");
}

/// Brokers that answer, and name no broker at all: they are given up when the time is up, and not
/// before.
#[test]
fn brokers_that_tell_nothing_are_given_up_in_time() {
    for strategy in [MetadataRecovery::Rebootstrap, MetadataRecovery::None] {
        let mut story = known_elsewhere(|config| {
            config.metadata_recovery_strategy = strategy;
            if strategy == MetadataRecovery::Rebootstrap {
                config.metadata_recovery_rebootstrap_trigger = ms(5_000);
            }
        });
        story.control("b1 and b2 name nobody", |cluster| {
            cluster.mislead(BrokerId(1), Lie::NoBrokers);
            cluster.mislead(BrokerId(2), Lie::NoBrokers);
        });
        story.move_leader("orders/0", "b3");
        let record = story.send("orders/0", "told by b3");
        // Refused after 2 ms; from then on it is wanted to know who leads.
        story.wait(ms(5_001));
        assert!(!story.is_acked(record));
        // The pause since the last question is at most a second.
        story.wait(ms(1_050));
        let is_found = strategy == MetadataRecovery::Rebootstrap;
        assert_eq!(story.is_acked(record), is_found, "{strategy:?}");
    }
}

/// A server that does nothing but send away is one of several: the others are asked, too (L12),
/// whatever happened to them before.
#[test]
fn who_always_sends_away_keeps_nobody_from_asking_others() {
    for (away, other) in [(1, "b2"), (2, "b1")] {
        let mut story = Story::with(super::numbered, |cluster| cluster.brokers.truncate(2));
        story.cluster("orders/0 -> b1, stock/0 -> b2");
        story.ready();
        story.control("one sends away for good", |cluster| {
            cluster.send_away(BrokerId(away), true);
        });
        story.take_down(other);
        story.control("payments is created", |cluster| {
            cluster.create_topic("payments", 1);
        });
        let record = story.send("payments/0", "learned");
        story.wait(ms(5_000));
        assert!(!story.is_acked(record), "nobody tells");
        story.bring_up(other);
        story.wait(ms(10_000));
        story.expect_delivered([record]);
    }
}

/// Where nothing begins again, whoever sends away at first leaves the others to be asked (L12).
#[test]
fn who_sends_away_at_first_keeps_nobody_from_asking_others_without_recovery() {
    for away in [1, 2] {
        let change = |config: &mut Config| {
            super::numbered(config);
            config.metadata_recovery_strategy = MetadataRecovery::None;
        };
        let mut story = Story::with(change, |cluster| cluster.brokers.truncate(2));
        story.control("one sends away for good", |cluster| {
            cluster.create_topic("orders", 1);
            cluster.send_away(BrokerId(away), true);
        });
        let record = story.send("orders/0", "learned from the other");
        story.wait(ms(5_000));
        story.expect_delivered([record]);
    }
}

/// What a broker says late is out of date when another has answered a later question: nobody starts
/// over for it.
#[test]
fn who_sends_away_too_late_changes_nothing() {
    let change = |config: &mut Config| {
        super::numbered(config);
        config.metadata_max_age = ms(4_000);
    };
    let mut story = Story::with(change, |cluster| cluster.brokers.truncate(2));
    story.cluster("early/0 -> b1, stock/0 -> b2");
    story.ready();
    let connects = story.world().core().stats().connects;
    story.control("b1 sends away", |c| c.send_away(BrokerId(1), true));
    story.strike(&Fault::Delay(BrokerId(1), ms(1_500)));
    // The question of 3.0 s goes to b1, and a second later to b2, which answers before b1.
    story.wait(ms(5_500));
    let timeline = story.timeline();
    assert!(timeline.contains("b1     Metadata"), "{timeline}");
    assert!(!timeline.contains("has no leader"), "{timeline}");
    assert_eq!(story.world().core().stats().connects, connects);
}
