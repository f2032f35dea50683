//! Calls that did not return, memory that did not come back, connections without end.

use titorelli::{Config, SendError};
use titorelli_sim::cluster::{BrokerId, ClusterConfig};
use titorelli_sim::{
    Fault, NetworkConfig, OwnedRecord, RecordId, RecordState, Story, World, WorldConfig, ms,
};

use super::expect_nothing_left;

const B1: BrokerId = BrokerId(1);

/// KAFKA-6897: a call for an unknown topic blocked although the producer was closed.
#[test]
fn a_closed_producer_keeps_nobody_waiting_for_a_topic() {
    let mut story = Story::new(|_| {});
    story.cluster("orders/0 -> b1");
    let waits = story.send("nowhere", "waits");
    story.close(ms(0));
    let late = story.send("nowhere", "late");
    story.run_until_idle();
    for record in [waits, late] {
        let state = story.state(record);
        assert!(
            matches!(state, RecordState::Rejected(SendError::Closed)),
            "{state:?}"
        );
    }
    assert_eq!(story.world().now().as_micros() / 1_000, 0);
}

/// KAFKA-3655, KAFKA-12870: a flush that ended badly left linger without effect for ever.
#[test]
fn a_batch_lingers_after_a_flush_that_failed() {
    let mut story = Story::new(|config| config.linger = ms(100));
    story.cluster("orders/0 -> b1");
    story.ready();
    story.send("orders/0", "lost");
    story.lose_next_response("b1");
    story.flush();
    story.run_until_idle();
    let begins_ms = story.world().now().as_micros() / 1_000;
    let lingers = story.send("orders/0", "lingers");
    story.wait(ms(99));
    assert!(!story.is_acked(lingers));
    story.run_until_idle();
    assert!(story.is_acked(lingers));
    let took_ms = story.world().now().as_micros() / 1_000 - begins_ms;
    assert!((100..150).contains(&took_ms), "{took_ms}");
}

/// KAFKA-10520: one broker, room for one request, and metadata under way: nobody polled any more.
#[test]
fn a_slow_answer_to_metadata_is_waited_for_in_peace() {
    let mut story = Story::with(
        |config| config.max_in_flight_requests_per_connection = 1,
        |cluster| cluster.brokers.truncate(1),
    );
    story.cluster("orders/0 -> b1, stock/0 -> b1");
    story.send("orders/0", "known");
    story.run_until_idle();
    story.strike(&Fault::Delay(B1, ms(10_000)));
    let known = story.send("orders/0", "waits its turn");
    let new = story.send("stock/0", "waits for metadata");
    let steps = story.world().steps();
    story.wait(ms(9_000));
    let steps = story.world().steps() - steps;
    assert!(steps < 10, "{steps} steps while there was nothing to do");
    story.run_until_idle();
    story.expect_delivered([known, new]);
}

/// pykafka #495: a failed batch had to find a place in the queue that was full, by the only thread
/// that emptied it.
#[test]
fn a_retry_needs_no_new_memory() {
    let mut story = Story::new(|config| {
        config.retries = 5;
        config.buffer_memory = 600;
        config.batch_size = 0;
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    let records = ["a", "b", "c", "d", "e", "f"].map(|value| {
        let value = value.repeat(100);
        story.send("orders/0", &value)
    });
    let stats = story.world().core().stats();
    assert!(stats.waiters > 0, "memory is short: {stats:?}");
    story.strike(&Fault::Cut(B1));
    story.run_until_idle();
    story.expect_delivered(records);
    expect_nothing_left(&story);
}

/// franz-go #1194, sarama #1358: sends that failed fast filled memory through a side queue.
#[test]
fn sends_that_fail_at_once_leave_nothing_behind() {
    let mut story = Story::new(|config| config.max_block = ms(0));
    story.cluster("orders/0 -> b1");
    let records: Vec<_> = (0..10_000)
        .map(|_| story.send("nowhere", "refused"))
        .collect();
    story.run_until_idle();
    let is_refused = |record| matches!(story.state(record), RecordState::Rejected(_));
    assert!(records.into_iter().all(is_refused));
    expect_nothing_left(&story);
    let stats = story.world().core().stats();
    assert!(stats.metadata_requests < 10, "{stats:?}");
}

/// librdkafka 66921a34b: what waited for an unknown topic did not move when the topic was there,
/// nor did it time out.
#[test]
fn a_topic_that_is_denied_for_a_while_takes_what_waited() {
    for comes_back in [true, false] {
        let mut story = Story::new(|config| {
            config.retries = 1_000;
            config.request_timeout = ms(300);
            config.delivery_timeout = Some(ms(5_000));
        });
        story.cluster("orders/0 -> b1");
        story.ready();
        story.control("every broker forgets, b1 first", |cluster| {
            for broker in [1, 2, 3].map(BrokerId) {
                cluster.blank(broker);
            }
            cluster.close_connections(B1);
        });
        story.wait(ms(100));
        story.control("and orders goes", |cluster| cluster.delete_topic("orders"));
        let records = [1, 2, 3].map(|number| story.send("orders/0", &number.to_string()));
        story.wait(ms(1_000));
        story.control("they know again", |cluster| {
            for broker in [1, 2, 3].map(BrokerId) {
                cluster.catch_up(broker);
            }
            if comes_back {
                cluster.create_topic("orders", 1);
            }
        });
        story.run_until_idle();
        let acked = records.map(|record| story.is_acked(record));
        assert_eq!(acked, [comes_back; 3]);
        expect_nothing_left(&story);
    }
}

/// KAFKA-14303: with a batch size of nothing a record without a key was never placed.
#[test]
fn a_batch_size_of_nothing_takes_records_without_a_key() {
    for partitioner in titorelli::Partitioner::ALL {
        let mut story = Story::new(|config| {
            config.batch_size = 0;
            config.partitioner = partitioner;
        });
        story.cluster("orders/0 -> b1, orders/1 -> b2, orders/2 -> b3");
        story.ready();
        let records = ["1", "2", "3"].map(|value| story.send("orders", value));
        story.run_until_idle();
        assert!(
            records.iter().all(|record| story.is_acked(*record)),
            "{partitioner:?}"
        );
        expect_nothing_left(&story);
    }
}

/// KAFKA-7709, KAFKA-10243: records of several partitions expired at one instant, and what was sent
/// from within their completions changed the table that was being gone through.
#[test]
fn many_end_at_once_and_each_end_sends() {
    let mut config = Config::default();
    config.request_timeout = ms(500);
    config.delivery_timeout = Some(ms(1_000));
    let mut world = World::new(WorldConfig {
        seed: 1,
        core: config,
        cluster: ClusterConfig::with_brokers(1),
        network: NetworkConfig::default(),
    });
    world.control(|cluster| cluster.create_topic("orders", 6));
    let to = |partition: usize, value: String| {
        OwnedRecord::to(&format!("orders/{}", partition % 6), value)
    };
    world.send(to(0, "known".to_owned()));
    world.run_until_quiet();
    world.inflict(&Fault::Down(B1));
    world.run_for(ms(10));
    let firsts: Vec<RecordId> = (0..6)
        .map(|partition| world.send(to(partition, format!("first {partition}"))))
        .collect();
    (0..12).for_each(|nth| world.echo(to(nth, format!("echo {nth}"))));
    world.run_for(ms(1_500));
    for id in firsts {
        let RecordState::NotPersisted(error) = world.journal().state(id) else {
            panic!("{:?}", world.journal().state(id));
        };
        assert_eq!(error.age, ms(1_000), "all at one instant");
    }
    world.heal();
    world.run_until_quiet();
    assert_eq!(
        world.journal().records().count(),
        1 + 6 + 12,
        "each end has sent"
    );
    titorelli_sim::check::logs(&world);
}
