//! Questions about the cluster that a broker does not answer: another one is asked (L10), one at a
//! time (L9).

use titorelli_sim::cluster::{Access, BrokerId, ClusterConfig};
use titorelli_sim::{Config, Fault, RecordState, Story, ms};

/// Two brokers, of which the first is asked first.
fn with_two(change: impl FnOnce(&mut Config)) -> Story {
    let mut story = Story::with(
        |config| {
            super::numbered(config);
            change(config);
        },
        |cluster| cluster.brokers.truncate(2),
    );
    story.cluster("early/0 -> b1, stock/0 -> b2");
    story.ready();
    story
}

/// How many questions went out since the story began.
fn questions(story: &Story) -> usize {
    story.timeline().matches("core   Metadata #").count()
}

/// How often `early/0` got another leader, as the producer has it.
fn leaders(story: &Story) -> usize {
    story.timeline().matches("early/0 is led by").count()
}

#[test]
fn who_accepts_and_says_nothing_is_given_up_after_a_second() {
    let mut story = with_two(|_| {});
    story.silence("b1");
    story.control("payments is created, and led by b2", |cluster| {
        cluster.create_topic("payments", 1);
        cluster.move_leader("payments", 0, BrokerId(2));
    });
    let record = story.send("payments/0", "learned");
    story.wait(ms(990));
    assert_eq!(questions(&story), 1, "b1 has a second");
    story.wait(ms(120));
    story.expect_delivered([record]);
    assert_eq!(questions(&story), 2, "b2 was asked");
}

/// The old leader is gone, so that nobody hints at the new one.
#[test]
fn a_leader_that_moved_is_learned_of_although_a_broker_says_nothing() {
    let mut story = Story::new(super::numbered);
    story.cluster("early/0 -> b1, orders/0 -> b2, stock/0 -> b3");
    story.ready();
    story.silence("b1");
    story.move_leader("orders/0", "b3");
    story.take_down("b2");
    let record = story.send("orders/0", "learned");
    story.wait(ms(990));
    assert!(!story.is_acked(record), "b1 has a second");
    story.wait(ms(260));
    story.expect_delivered([record]);
}

#[test]
fn the_only_broker_is_asked_once_however_long_it_takes() {
    let mut story = Story::with(super::numbered, |cluster| cluster.brokers.truncate(1));
    story.cluster("orders/0 -> b1");
    story.ready();
    story.silence("b1");
    let record = story.send("payments/0", "nobody knows");
    story.wait(ms(29_000));
    assert_eq!(questions(&story), 1, "{}", story.timeline());
    assert!(!story.is_acked(record));
}

/// The late answer is as old as its question: the topic that it tells of has gone since, as the
/// answer to a later one told.
#[test]
fn an_answer_that_comes_too_late_takes_nothing_back() {
    let mut story = with_two(|config| config.metadata_max_age = ms(4_000));
    story.control("b1 hears no more", |cluster| cluster.lag(BrokerId(1)));
    story.strike(&Fault::Delay(BrokerId(1), ms(1_500)));
    story.strike(&Fault::Recreate("early".to_owned(), 1));
    story.wait(ms(4_500));
    let (asked, led) = (questions(&story), leaders(&story));
    assert_eq!((asked, led), (2, 1), "b2 was asked, and early is another");
    // The answer of b1 comes.
    story.wait(ms(1_000));
    let timeline = story.timeline();
    assert!(timeline.contains("b1     Metadata"), "{timeline}");
    let later = (questions(&story), leaders(&story));
    assert_eq!(later, (asked, led), "it changes nothing\n{timeline}");
}

/// Brokers that are all slow are asked again no more often than need be: the first answer counts,
/// also one that comes late.
#[test]
fn slow_brokers_are_not_asked_in_a_circle() {
    let mut story = with_two(|_| {});
    for broker in [BrokerId(1), BrokerId(2)] {
        story.strike(&Fault::Delay(broker, ms(1_500)));
    }
    story.control("payments is created", |cluster| {
        cluster.create_topic("payments", 1);
    });
    let record = story.send("payments/0", "learned");
    story.wait(ms(20_000));
    story.expect_delivered([record]);
    assert_eq!(questions(&story), 2, "{}", story.timeline());
}

/// A question for a partition that is not there was given up, and before anybody else could be
/// asked its answer came: it is still wanted, and asked for anew after a pause, not twice (L9;
/// `idempotent` seed 315362).
#[test]
fn what_a_late_answer_does_not_know_is_still_asked_for() {
    let mut story = with_two(|config| config.retry_backoff = ms(1_000));
    story.take_down("b2");
    story.wait(ms(2_000));
    story.strike(&Fault::Delay(BrokerId(1), ms(1_500)));
    let record = story.send("early/1", "once it is there");
    story.wait(ms(1_600));
    story.strike(&Fault::Delay(BrokerId(1), ms(0)));
    story.control("early/1 is there", |cluster| {
        cluster.add_partitions("early", 2);
        cluster.move_leader("early", 1, BrokerId(1));
    });
    story.wait(ms(1_500));
    story.expect_delivered([record]);
    assert_eq!(questions(&story), 3, "{}", story.timeline());
}

/// One broker hears of nothing any more, and none hints at who leads (before 3.7): the others are
/// asked in their turn, whichever it is (L12).
#[test]
fn a_broker_that_never_hears_of_a_new_leader_is_not_the_only_one_that_is_asked() {
    for (deaf, place, leader) in [
        (1, "early/0", "b3"),
        (2, "orders/0", "b3"),
        (3, "orders/0", "b2"),
    ] {
        let mut story = Story::with(super::numbered, |cluster| cluster.play((3, 6, 0)));
        story.cluster("orders/0 -> b1, early/0 -> b2, stock/0 -> b3");
        story.ready();
        story.strike(&Fault::Lag(BrokerId(deaf)));
        story.move_leader(place, leader);
        let record = story.send(place, "to who leads now");
        story.wait(ms(1_000));
        story.expect_delivered([record]);
    }
}

/// The deaf one is idle, for it leads nothing any more, and the others always owe an answer: who
/// was asked in vain comes after who is busy (L12).
#[test]
fn a_deaf_broker_is_not_asked_for_ever_because_it_is_idle() {
    let mut story = Story::with(super::numbered, |cluster| cluster.play((3, 6, 0)));
    story.cluster("orders/0 -> b1, early/0 -> b2, stock/0 -> b3");
    story.ready();
    story.strike(&Fault::Lag(BrokerId(1)));
    story.move_leader("orders/0", "b3");
    for broker in [2, 3] {
        story.strike(&Fault::Delay(BrokerId(broker), ms(100)));
    }
    let record = story.send("orders/0", "to who leads now");
    for nth in 0..100 {
        for place in ["early/0", "stock/0"] {
            let _ = story.send(place, &format!("{place} {nth}"));
        }
        story.wait(ms(20));
    }
    story.expect_delivered([record]);
    story.run_until_idle();
}

/// What a topic was refused with is of then: an answer that is not about it refuses nobody who
/// began to wait since.
#[test]
fn a_refusal_of_before_is_none_of_now() {
    let mut story = with_two(|_| {});
    story.control("secret is, and nobody may know", |cluster| {
        cluster.create_topic("secret", 1);
        cluster.create_topic("payments", 1);
        cluster.set_access("secret", Access::None);
    });
    let refused = story.send("secret/0", "too soon");
    story.wait(ms(200));
    assert!(!story.is_acked(refused));
    story.control("secret is open", |cluster| {
        cluster.set_access("secret", Access::Write);
    });
    let other = story.send("payments/0", "asks first");
    story.wait(ms(1));
    let record = story.send("secret/0", "in time");
    story.wait(ms(1_000));
    story.expect_delivered([other, record]);
}

/// The only broker that is connected to hears of nothing any more, and leads nothing: somebody else
/// is connected to and asked, although its own answers go on to name it (L12).
#[test]
fn a_broker_that_does_not_hear_that_it_leads_no_more_is_not_the_only_one_that_is_asked() {
    for (deaf, other) in [(1, "b2"), (2, "b1")] {
        let mut story = Story::with(super::numbered, |cluster| cluster.play((3, 6, 0)));
        story.cluster(&format!("orders/0 -> b{deaf}"));
        story.ready();
        story.control("one hears no more", |cluster| cluster.lag(BrokerId(deaf)));
        story.move_leader("orders/0", other);
        let record = story.send("orders/0", "to who leads now");
        story.wait(ms(5_000));
        story.expect_delivered([record]);
    }
}

/// A partition has no leader for long, and three brokers say so: not all others of a large cluster
/// are connected to only to hear the same.
#[test]
fn what_several_brokers_tell_is_believed() {
    let mut story = Story::with(super::numbered, |cluster| {
        cluster.brokers = ClusterConfig::with_brokers(9).brokers;
        cluster.topic.replication_factor = 1;
    });
    story.control("b2 is down, and orders/1 has no other", |cluster| {
        cluster.set_down(BrokerId(2));
        cluster.create_topic("orders", 2);
    });
    let record = story.send("orders/1", "patient");
    story.wait(ms(60_000));
    assert!(matches!(story.state(record), RecordState::Accepted(_)));
    let connects = story.world().core().stats().connects;
    assert!((3..=5).contains(&connects), "{connects}");
    story.bring_up("b2");
    story.wait(ms(3_000));
    story.expect_delivered([record]);
}
