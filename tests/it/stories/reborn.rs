//! Topics that are deleted and created again (L12, S15, KAFKA-13488).

use titorelli_sim::cluster::BrokerId;
use titorelli_sim::{OwnedRecord, Story, ms};

/// The newest, and one without topic ids that has leader epochs, and one that has neither.
const RELEASES: [(u16, u16, u16); 3] = [(3, 7, 0), (2, 4, 0), (2, 0, 0)];

/// Three partitions, known and used; every epoch is above 0.
fn three_partitions(release: (u16, u16, u16)) -> Story {
    let mut story = Story::with(
        |config| config.retries = 100,
        |cluster| {
            cluster.play(release);
        },
    );
    story.cluster("orders/0 -> b2, orders/1 -> b3, orders/2 -> b1");
    story.ready();
    story
}

/// Records with and without keys go to partitions that are there, as soon as somebody noticed.
#[test]
fn with_fewer_partitions_it_has_no_more_than_these() {
    for release in RELEASES {
        let mut story = three_partitions(release);
        story.control("orders is created again with one partition", |cluster| {
            cluster.delete_topic("orders");
            cluster.create_topic("orders", 1);
        });
        for partition in 0..3 {
            story.send(&format!("orders/{partition}"), "notices");
        }
        story.wait(ms(2_000));
        assert_eq!(story.partitions_for("orders"), 1, "{release:?}");
        for number in 0..30 {
            let record = OwnedRecord {
                topic: "orders".to_owned(),
                key: (number % 2 == 0).then(|| vec![number]),
                value: Some(vec![number]),
                ..OwnedRecord::default()
            };
            let id = story.give(record);
            story.wait(ms(200));
            assert!(story.is_acked(id), "{release:?}: {:?}", story.state(id));
        }
        story.run_until_idle();
        assert_eq!(story.world().core().stats().buffered_bytes, 0);
    }
}

/// What waited for a partition that went away goes there when it comes back.
#[test]
fn with_its_partitions_back_it_takes_what_waited_for_them() {
    for release in RELEASES {
        let mut story = three_partitions(release);
        story.control("orders is created again with one partition", |cluster| {
            cluster.delete_topic("orders");
            cluster.create_topic("orders", 1);
        });
        let waits = story.send("orders/2", "waits");
        story.wait(ms(2_000));
        assert!(!story.is_acked(waits));
        story.control("orders has three partitions again", |cluster| {
            cluster.add_partitions("orders", 3);
        });
        story.wait(ms(2_000));
        story.expect_delivered([waits]);
        story.expect_log("orders/2", &["waits"]);
    }
}

/// Its leader epochs begin anew, elsewhere, and where there was one there is a follower now.
#[test]
fn with_lower_epochs_it_is_believed() {
    for release in RELEASES {
        let mut story = three_partitions(release);
        for broker in ["b1", "b2", "b3", "b2"] {
            story.move_leader("orders/0", broker);
        }
        let before = story.send("orders/0", "before");
        story.run_until_idle();
        story.control("orders is created again", |cluster| {
            cluster.delete_topic("orders");
            cluster.create_topic("orders", 3);
        });
        let after = story.send("orders/0", "after");
        story.wait(ms(3_000));
        story.expect_delivered([before, after]);
    }
}

/// Without answers a closed connection is all that the old leader says.
#[test]
fn with_lower_epochs_it_is_believed_although_nobody_answers() {
    for release in RELEASES {
        let mut story = Story::with(
            |config| config.acks = titorelli::Acks::None,
            |cluster| {
                cluster.play(release);
            },
        );
        story.cluster("orders/0 -> b2");
        for broker in ["b3", "b2"] {
            story.move_leader("orders/0", broker);
        }
        story.ready();
        story.control("orders is created again", |cluster| {
            cluster.delete_topic("orders");
            cluster.create_topic("orders", 1);
        });
        for _ in 0..5 {
            story.send("orders/0", "lost, as acks=0 allows");
            story.wait(ms(500));
        }
        story.send("orders/0", "after");
        story.run_until_idle();
        story.expect_log_ends("orders/0", "after");
    }
}

/// Nor does it have to be sent to first: there may be nobody to send to.
#[test]
fn with_lower_epochs_it_is_believed_when_it_had_no_leader() {
    for release in RELEASES {
        let mut story = Story::with(
            |config| config.retries = 100,
            |cluster| {
                cluster.topic.replication_factor = 1;
                cluster.play(release);
            },
        );
        story.cluster("orders/0 -> b1");
        story.take_down("b1");
        story.bring_up("b1");
        story.ready();
        story.take_down("b1");
        let after = story.send("orders/0", "after");
        story.wait(ms(3_000));
        assert!(!story.is_acked(after), "{release:?}");
        story.control("b1 is back, and orders is another", |cluster| {
            cluster.set_up(BrokerId(1));
            cluster.delete_topic("orders");
            cluster.create_topic("orders", 1);
        });
        story.wait(ms(3_000));
        story.expect_delivered([after]);
    }
}

/// A lagging broker that leaves out partitions takes nothing away.
#[test]
fn a_partial_answer_deletes_nothing() {
    for release in RELEASES {
        let mut story = Story::with(
            |config| config.metadata_max_age = ms(300),
            |cluster| {
                cluster.brokers.truncate(2);
                cluster.play(release);
            },
        );
        story.cluster("orders/0 -> b1");
        story.control("b2 lags from now on", |c| c.lag(BrokerId(2)));
        story.take_down("b2");
        story.control("orders grows", |c| c.add_partitions("orders", 3));
        story.send("orders/2", "grown");
        story.run_until_idle();
        assert_eq!(story.partitions_for("orders"), 3);
        story.bring_up("b2");
        story.take_down("b1");
        let asked = story.world().core().stats().metadata_requests;
        story.wait(ms(5_000));
        assert!(story.world().core().stats().metadata_requests > asked + 5);
        assert_eq!(story.partitions_for("orders"), 3, "{release:?}");
    }
}

/// A broker that tells no topic ids to one that wants them, and the other way round.
#[test]
fn without_an_id_it_goes_by_its_name() {
    let mut story = Story::with(
        |config| config.retries = 5,
        |cluster| {
            cluster.brokers.truncate(2);
            cluster.brokers[0].play((2, 7, 0));
        },
    );
    story.cluster("orders/0 -> b2, stock/0 -> b2, aux/0 -> b1");
    story.send("aux/0", "first");
    story.run_until_idle();
    let orders = story.send("orders/0", "a");
    let stock = story.send("stock/0", "b");
    story.run_until_idle();
    story.expect_delivered([orders, stock]);
}

/// With batches under way and waiting: none that the old topic has not taken is lost. The new log
/// knows no producer and takes any number as its first (I2), one batch until it acknowledges (S7e).
#[test]
fn what_is_under_way_and_waits_goes_on_to_the_new_topic() {
    // The last one names topics by their ids in Produce, too.
    for release in RELEASES.into_iter().chain([(4, 1, 0)]) {
        for is_idempotent in [false, true] {
            let mut story = Story::with(
                |config| {
                    if is_idempotent {
                        *config = titorelli::Config::durable();
                    }
                    config.retries = 100;
                    config.linger = ms(0);
                    config.batch_size = 1;
                    config.max_in_flight_requests_per_connection = 5;
                },
                |cluster| {
                    cluster.play(release);
                },
            );
            story.cluster("orders/0 -> b1");
            story.ready();
            let values: Vec<String> = (0..12).map(|number| format!("r{number}")).collect();
            let records: Vec<_> = values
                .iter()
                .map(|value| story.send("orders/0", value))
                .collect();
            // Five have left, and none has come.
            story.control("orders is created again", |cluster| {
                cluster.delete_topic("orders");
                cluster.create_topic("orders", 1);
                cluster.move_leader("orders", 0, BrokerId(2));
            });
            story.wait(ms(5_000));
            for record in &records {
                story.expect_delivered([*record]);
            }
            let log: Vec<&str> = values.iter().map(|value| &**value).collect();
            if is_idempotent {
                story.expect_log("orders/0", &log);
            }
            if is_idempotent && release >= (4, 1, 0) {
                super::check("created_again_under_way", &story);
            }
        }
    }
}

/// A broker that knows the topic by another id says so in two ways: either is a reason to ask, and
/// none to fail.
#[test]
fn an_id_that_a_broker_does_not_know_is_asked_about() {
    // UNKNOWN_TOPIC_ID, INCONSISTENT_TOPIC_ID.
    for code in [100, 103] {
        for is_idempotent in [false, true] {
            let mut story = Story::new(|config| {
                if is_idempotent {
                    *config = titorelli::Config::durable();
                    config.linger = ms(0);
                }
                config.retries = 5;
            });
            story.cluster("orders/0 -> b1");
            story.ready();
            let asked = story.world().core().stats().metadata_requests;
            story.fails_next("orders/0", code);
            let first = story.send("orders/0", "first");
            let second = story.send("orders/0", "second");
            story.wait(ms(500));
            story.expect_delivered([first, second]);
            story.expect_log("orders/0", &["first", "second"]);
            let stats = story.world().core().stats();
            assert!(stats.metadata_requests > asked, "{code}");
        }
    }
}
