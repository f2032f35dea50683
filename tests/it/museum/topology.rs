//! What a producer believes of the cluster.

use titorelli_sim::cluster::BrokerId;
use titorelli_sim::{Fault, RecordState, Story, ms};

use super::expect_nothing_left;

/// KAFKA-16012: the leader hint of one partition took the place of all that was known.
#[test]
fn one_moved_leader_leaves_the_other_topics_known() {
    let mut story = Story::new(|config| config.retries = 5);
    story.cluster("orders/0 -> b1, stock/0 -> b1, bills/0 -> b2");
    story.ready();
    story.move_leader("orders/0", "b3");
    let moved = story.send("orders/0", "moved");
    story.wait(ms(3));
    for topic in ["stock", "bills"] {
        assert_eq!(story.partitions_for(topic), 1);
    }
    story.run_until_idle();
    story.expect_delivered([moved]);
}

/// franz-go f8842170, librdkafka 2.10: one broker that lagged behind made buffered records fail at
/// once.
#[test]
fn a_broker_that_knows_nothing_fails_nothing() {
    let mut story = Story::new(|config| {
        config.retries = 5;
        config.metadata_max_age = ms(300);
        config.linger = ms(2_000);
    });
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    story.ready();
    let records = ["orders/0", "stock/0"].map(|place| story.send(place, "lingers"));
    story.control("every broker forgets", |cluster| {
        for broker in [1, 2, 3].map(BrokerId) {
            cluster.blank(broker);
        }
    });
    story.wait(ms(1_500));
    story.run_until_idle();
    story.expect_delivered(records);
}

/// KAFKA-4254, KAFKA-3562: a topic that went while records waited for it.
#[test]
fn a_deleted_topic_ends_its_records_in_time_and_in_words() {
    let mut story = Story::new(|config| {
        config.retries = 1_000;
        config.request_timeout = ms(500);
        config.delivery_timeout = Some(ms(3_000));
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.strike(&Fault::Delete("orders".to_owned()));
    let record = story.send("orders/0", "too late");
    story.run_until_idle();
    let RecordState::NotPersisted(error) = story.state(record) else {
        panic!("{:?}", story.state(record));
    };
    let words = error.to_string();
    assert!(words.contains("UNKNOWN_TOPIC"), "{words}");
    expect_nothing_left(&story);
}

/// KAFKA-15817: a broker that moved was looked for where it had been.
#[test]
fn a_broker_is_found_where_it_moved() {
    for is_swapped in [false, true] {
        let mut story = Story::new(|config| {
            config.retries = 50;
            config.request_timeout = ms(1_000);
        });
        story.cluster("orders/0 -> b1, stock/0 -> b2");
        story.ready();
        let fault = if is_swapped {
            Fault::SwapAddresses(BrokerId(1), BrokerId(2))
        } else {
            Fault::Readdress(BrokerId(1))
        };
        story.strike(&fault);
        story.wait(ms(10));
        let records = ["orders/0", "stock/0"].map(|place| story.send(place, "finds it"));
        story.run_until_idle();
        story.expect_delivered(records);
    }
}

/// librdkafka 6e2bd72d1: a partition that went and came back with the same leader was not led there
/// any more.
#[test]
fn a_leader_that_comes_back_is_sent_to() {
    let mut story = Story::with(
        |config| config.retries = 1_000,
        |cluster| cluster.topic.replication_factor = 1,
    );
    story.cluster("orders/0 -> b1, stock/0 -> b1");
    story.ready();
    story.take_down("b1");
    let records = ["orders/0", "stock/0"].map(|place| story.send(place, "waits"));
    story.wait(ms(3_000));
    story.bring_up("b1");
    story.wait(ms(3_000));
    story.expect_delivered(records);
}

/// Bytes of something else that listens at the port, or of a broken broker: the connection ends,
/// and what it owed goes elsewhere.
#[test]
fn an_answer_that_is_none_ends_its_connection_and_nothing_else() {
    for garbling in titorelli_sim::Garbling::ALL {
        let mut story = Story::new(|config| config.retries = 5);
        story.cluster("orders/0 -> b1");
        story.ready();
        story.strike(&Fault::Garble(BrokerId(1), garbling));
        let record = story.send("orders/0", "survives");
        story.run_until_idle();
        assert!(story.is_acked(record), "{garbling:?}");
        expect_nothing_left(&story);
    }
}

/// franz-go #1312: a broker took requests that name topics by their ids, and told no ids: topics
/// were named by zeros.
#[test]
fn a_broker_that_tells_no_ids_is_sent_names() {
    let mut story = Story::with(
        |_| {},
        |cluster| {
            for broker in &mut cluster.brokers {
                let metadata = broker
                    .api_ranges
                    .iter_mut()
                    .find(|range| range.api_key == 3);
                metadata.expect("it answers Metadata").version_max = 9;
            }
        },
    );
    story.cluster("orders/0 -> b1");
    let record = story.send("orders/0", "by name");
    story.run_until_idle();
    story.expect_delivered([record]);
    let timeline = story.timeline();
    assert!(timeline.contains("Produce v12, Metadata v9"), "{timeline}");
}
