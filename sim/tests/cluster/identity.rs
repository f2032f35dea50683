//! Producer ids: who hands them out, with which epoch, and when not. And what of producers is
//! forgotten.

use bytes::Bytes;
use titorelli_sim::cluster::{BrokerId, Cluster, LOSE_ANSWER, PeerId};
use titorelli_sim::codec::error_code::{
    COORDINATOR_LOAD_IN_PROGRESS, MESSAGE_TOO_LARGE, NONE, OUT_OF_ORDER_SEQUENCE_NUMBER,
};
use titorelli_sim::codec::{Malformed, Reader};

use super::client::{Batch, ask, frame, orders, orders_with, produce, produced};

/// `InitProducerId` v0 without a transactional id: code, id, epoch.
#[track_caller]
fn identity(cluster: &mut Cluster, peer: PeerId) -> (i16, i64, i16) {
    let request = frame(22, 0, &[0xff, 0xff, 0, 0, 0, 1]);
    read(&ask(cluster, peer, &request).expect("an answer")).expect("an identity")
}

fn read(answer: &Bytes) -> Result<(i16, i64, i16), Malformed> {
    let mut reader = Reader::new(answer);
    // Length, correlation id, throttle.
    reader.take(4 + 4 + 4)?;
    let told = (reader.i16()?, reader.i64()?, reader.i16()?);
    assert!(reader.is_empty(), "that is all");
    Ok(told)
}

fn stamped(sequence: i32) -> Vec<u8> {
    let batch = Batch {
        producer: (7, 0, sequence),
        ..Batch::default()
    };
    produce(-1, "orders", 0, &batch.encode())
}

#[test]
fn every_broker_hands_out_ids_of_a_block_of_its_own() {
    let (mut cluster, first) = orders_with(|config| config.first_epoch = 32_766);
    let second = cluster.connect(BrokerId(2)).unwrap();
    assert_eq!(identity(&mut cluster, first), (NONE, 1_000, 32_766));
    assert_eq!(identity(&mut cluster, second), (NONE, 2_000, 32_766));
    assert_eq!(identity(&mut cluster, first), (NONE, 1_001, 32_766));
    assert_eq!(identity(&mut cluster, second), (NONE, 2_001, 32_766));
    for _ in 2..1_000 {
        identity(&mut cluster, first);
    }
    assert_eq!(identity(&mut cluster, first), (NONE, 3_000, 32_766));
}

#[test]
fn a_refusal_hits_the_next_request_and_a_lost_answer_uses_an_id_up() {
    let (mut cluster, peer) = orders();
    cluster.refuse_next_id(COORDINATOR_LOAD_IN_PROGRESS);
    cluster.refuse_next_id(LOSE_ANSWER);
    let refused = (COORDINATOR_LOAD_IN_PROGRESS, -1, -1);
    assert_eq!(identity(&mut cluster, peer), refused);
    let request = frame(22, 0, &[0xff, 0xff, 0, 0, 0, 1]);
    assert_eq!(ask(&mut cluster, peer, &request), None);
    assert_eq!(cluster.broker_of(peer), None, "the connection is closed");
    let again = cluster.connect(BrokerId(1)).unwrap();
    assert_eq!(identity(&mut cluster, again), (NONE, 1_001, 0));
}

#[test]
fn a_partition_that_forgot_a_producer_takes_whatever_comes_first() {
    let (mut cluster, peer) = orders();
    assert_eq!(produced(&mut cluster, peer, &stamped(0)), (NONE, 0));
    assert_eq!(produced(&mut cluster, peer, &stamped(0)), (NONE, 0));
    let gap = (OUT_OF_ORDER_SEQUENCE_NUMBER, -1);
    assert_eq!(produced(&mut cluster, peer, &stamped(9)), gap);
    assert_eq!(cluster.log("orders", 0).forgotten_count(), 0);
    cluster.forget_producers("orders", 0);
    assert_eq!(cluster.log("orders", 0).forgotten_count(), 1);
    assert_eq!(produced(&mut cluster, peer, &stamped(9)), (NONE, 1));
    assert_eq!(produced(&mut cluster, peer, &stamped(0)), gap);
}

#[test]
fn what_is_cut_off_with_a_leader_is_not_known_of_producers_any_more() {
    let (mut cluster, peer) = orders_with(|config| {
        config.replica_fetch = core::time::Duration::from_millis(5);
    });
    assert_eq!(produced_by_one(&mut cluster, peer, 0), (NONE, 0));
    assert_eq!(produced_by_one(&mut cluster, peer, 1), (NONE, 1));
    cluster.move_leader("orders", 0, BrokerId(2));
    let second = cluster.connect(BrokerId(2)).unwrap();
    // Nobody had fetched anything: the new leader begins with what it has, and that is nothing.
    assert_eq!(produced_by_one(&mut cluster, second, 0), (NONE, 0));
    assert_eq!(produced_by_one(&mut cluster, second, 1), (NONE, 1));
    assert_eq!(cluster.log("orders", 0).duplicate_count(), 0);
}

/// acks=1.
fn produced_by_one(cluster: &mut Cluster, peer: PeerId, sequence: i32) -> (i16, i64) {
    let batch = Batch {
        producer: (7, 0, sequence),
        ..Batch::default()
    };
    produced(cluster, peer, &produce(1, "orders", 0, &batch.encode()))
}

#[test]
fn a_topic_takes_no_larger_batches_until_the_limit_is_lifted() {
    let (mut cluster, peer) = orders();
    cluster.limit_batches("orders", 70);
    let batch = Batch::of(&[b"more than nine bytes"]).encode();
    let request = produce(-1, "orders", 0, &batch);
    assert_eq!(
        produced(&mut cluster, peer, &request),
        (MESSAGE_TOO_LARGE, -1)
    );
    cluster.lift_limits();
    assert_eq!(produced(&mut cluster, peer, &request), (NONE, 0));
}
