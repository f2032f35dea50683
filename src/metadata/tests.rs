//! What an answer changes, and what it does not.

use super::*;

fn told(name: &str, id: Uuid) -> wire::Topic {
    wire::Topic {
        error: ErrorCode::NONE,
        name: Some(name.to_owned()),
        id,
        is_internal: false,
        partitions: Vec::new(),
    }
}

fn partition(leader: i32, leader_epoch: i32) -> wire::Partition {
    wire::Partition {
        error: ErrorCode::NONE,
        index: 0,
        leader,
        leader_epoch,
        replicas: Vec::new(),
        in_sync_replicas: Vec::new(),
        offline_replicas: Vec::new(),
    }
}

/// What brokers 1 and 2 tell of the topic with its one partition.
fn one_partition(id: Uuid, leader: i32, leader_epoch: i32) -> wire::Response {
    let broker = |node_id| wire::Broker {
        node_id,
        host: "h".to_owned(),
        port: 9092,
        rack: None,
    };
    let mut orders = told("orders", id);
    orders.partitions = vec![partition(leader, leader_epoch)];
    wire::Response {
        throttle_time_ms: 0,
        brokers: vec![broker(1), broker(2)],
        cluster_id: None,
        controller_id: -1,
        topics: vec![orders],
        error: ErrorCode::NONE,
    }
}

#[test]
fn a_hint_needs_a_newer_epoch_and_another_leader_and_does_not_outlive_its_denial() {
    let mut metadata = Metadata::new();
    let topic = metadata.intern("orders");
    let mut answer = one_partition(Uuid([1; 16]), 1, 5);
    metadata.apply(&answer);
    let slot = metadata.topic(topic).partitions[0];
    for (leader, epoch) in [
        (2, 5),
        (2, 4),
        (2, -1),
        (1, 6),
        (2, i32::MAX),
        (2, i32::MIN),
    ] {
        assert!(!metadata.hint(slot, leader, epoch), "{leader} {epoch}");
    }
    assert!(metadata.hint(slot, 2, 7));
    assert!(!metadata.hint(slot, 1, 8), "nobody is passed on twice");
    // A broker that lags behind does not lead back.
    assert_eq!(metadata.apply(&answer), []);
    metadata.on_acked(slot);
    assert!(metadata.hint(slot, 1, 8), "the hint has proven true");
    // It was a lie, says who was hinted at: then metadata counts as it did before.
    metadata.doubt(slot, 2, false);
    assert_eq!(metadata.apply(&answer), [], "who led before does not count");
    metadata.doubt(slot, 1, false);
    answer.topics[0].partitions = vec![partition(2, 7)];
    assert_eq!(metadata.apply(&answer), [slot]);
    let partition = metadata.partition(slot);
    assert_eq!((partition.leader, partition.leader_epoch), (Some(2), 7));
}

/// A topic was created again, says who leads it; then all is forgotten, and who is asked next
/// does not know ids.
#[test]
fn a_doubted_id_does_not_outlive_that_all_leaders_are_forgotten() {
    let mut metadata = Metadata::new();
    let topic = metadata.intern("orders");
    let mut answer = one_partition(Uuid([1; 16]), 1, 5);
    metadata.apply(&answer);
    let slot = metadata.topic(topic).partitions[0];
    metadata.forget_leaders();
    assert_eq!(metadata.topic(topic).id, Uuid([1; 16]), "nobody doubts it");
    metadata.apply(&answer);
    metadata.doubt(slot, 1, true);
    metadata.forget_leaders();
    answer.topics[0].id = Uuid::ZERO;
    metadata.apply(&answer);
    assert_eq!(metadata.topic(topic).id, Uuid::ZERO);
    answer.topics[0].id = Uuid([2; 16]);
    metadata.apply(&answer);
    assert_eq!(metadata.topic(topic).id, Uuid([2; 16]));
}

/// Answers to Produce name topics by their ids: two of one id could not be told apart (B3).
#[test]
fn an_id_belongs_to_one_topic() {
    let mut metadata = Metadata::new();
    let (orders, stock) = (metadata.intern("orders"), metadata.intern("stock"));
    let (one, other) = (Uuid([1; 16]), Uuid([2; 16]));
    let mut answer = wire::Response {
        throttle_time_ms: 0,
        brokers: Vec::new(),
        cluster_id: None,
        controller_id: -1,
        topics: vec![told("orders", one), told("stock", one)],
        error: ErrorCode::NONE,
    };
    metadata.apply(&answer);
    assert_eq!(metadata.topic(orders).id, one);
    assert_eq!(metadata.topic(stock).id, Uuid::ZERO);
    // Once nobody has it any more, it may be another's.
    answer.topics[0].id = other;
    metadata.apply(&answer);
    assert_eq!(metadata.topic(orders).id, other);
    assert_eq!(metadata.topic(stock).id, one);
}

/// An answer may leave partitions out: in the new topic nobody has acknowledged anything all the
/// same (S7e; `idempotent` seed 192636).
#[test]
fn a_topic_that_is_another_is_another_in_every_partition() {
    let mut metadata = Metadata::new();
    let topic = metadata.intern("orders");
    let mut answer = one_partition(Uuid([1; 16]), 1, 5);
    answer.topics[0].partitions.push(wire::Partition {
        index: 1,
        ..partition(2, 5)
    });
    assert_eq!(metadata.apply(&answer).len(), 2);
    let slots = metadata.topic(topic).partitions.clone();
    metadata.doubt(slots[0], 1, true);
    answer.topics[0].id = Uuid::ZERO;
    metadata.apply(&answer);
    assert_eq!(metadata.apply(&one_partition(Uuid([2; 16]), 1, 5)), slots);
}

/// What is told of a topic after its id was doubted and all leaders were forgotten is the same
/// topic or another one, as if the id had been known all along (S15).
#[test]
fn a_doubted_id_is_remembered_for_what_comes_next() {
    let mut metadata = Metadata::new();
    let topic = metadata.intern("orders");
    let mut answer = one_partition(Uuid([1; 16]), 1, 7);
    answer.topics[0].partitions.push(wire::Partition {
        index: 1,
        ..partition(2, 7)
    });
    metadata.apply(&answer);
    let slots = metadata.topic(topic).partitions.clone();
    let doubt = |metadata: &mut Metadata| {
        metadata.doubt(slots[0], 1, true);
        metadata.forget_leaders();
        assert_eq!(metadata.topic(topic).id, Uuid::ZERO);
    };
    doubt(&mut metadata);
    let older = one_partition(Uuid([1; 16]), 1, 5);
    metadata.apply(&older);
    assert_eq!(metadata.partition(slots[0]).leader, None, "it lags behind");
    metadata.apply(&answer);
    assert_eq!(metadata.partition(slots[0]).leader, Some(1));
    doubt(&mut metadata);
    metadata.apply(&one_partition(Uuid([2; 16]), 1, 0));
    assert_eq!(metadata.topic(topic).partitions, slots[..1]);
}
