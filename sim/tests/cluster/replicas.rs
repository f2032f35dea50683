//! Followers: what waits for them, who is in sync, and what a leader that goes takes with it.

use core::time::Duration;

use titorelli::Instant;
use titorelli_sim::cluster::{BrokerId, Cluster, ClusterOutput, PeerId, record_digest};
use titorelli_sim::codec::error_code::{
    NONE, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND, NOT_LEADER_OR_FOLLOWER,
    REQUEST_TIMED_OUT,
};

use super::client::{Batch, orders, orders_with, produce, produced, read_produced};

const ALL: i16 = -1;

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// A batch of one record for partition 0, which broker 1 leads.
fn request(acks: i16, value: &'static [u8]) -> Vec<u8> {
    produce(acks, "orders", 0, &Batch::of(&[value]).encode())
}

/// Every answer so far.
fn answers(cluster: &mut Cluster) -> Vec<(i16, i64)> {
    let mut answers = Vec::new();
    while let Some(ClusterOutput::Transmit { bytes, .. }) = cluster.poll_output() {
        answers.push(read_produced(&bytes));
    }
    answers
}

fn hold_followers(cluster: &mut Cluster) {
    cluster.hold_replicas(BrokerId(2), true);
    cluster.hold_replicas(BrokerId(3), true);
}

/// Followers that need five milliseconds.
fn slow() -> (Cluster, PeerId) {
    orders_with(|config| config.replica_fetch = Duration::from_millis(5))
}

#[test]
fn acks_all_waits_for_followers_and_acks_one_does_not() {
    let (mut cluster, peer) = slow();
    assert_eq!(produced(&mut cluster, peer, &request(1, b"a")), (NONE, 0));
    assert_eq!(cluster.poll_timeout(), None);
    cluster.receive(at(3), peer, &request(ALL, b"b"));
    assert_eq!(answers(&mut cluster), []);
    assert_eq!(cluster.in_sync("orders", 0).1, 0);
    // First the followers have "a", which nobody waits for.
    assert_eq!(cluster.poll_timeout(), Some(at(5)));
    cluster.handle_timeout(at(5));
    assert_eq!(answers(&mut cluster), []);
    assert_eq!(cluster.in_sync("orders", 0).1, 1);
    assert_eq!(cluster.poll_timeout(), Some(at(8)));
    cluster.handle_timeout(at(8));
    assert_eq!(answers(&mut cluster), [(NONE, 1)]);
    assert_eq!(
        (cluster.poll_timeout(), cluster.in_sync("orders", 0).1),
        (None, 2)
    );
}

#[test]
fn a_broker_takes_one_request_of_a_connection_at_a_time() {
    let (mut cluster, peer) = slow();
    let requests = [request(ALL, b"a"), request(1, b"b"), request(ALL, b"c")].concat();
    cluster.receive(at(0), peer, &requests);
    assert_eq!(cluster.log("orders", 0).record_count(), 1);
    cluster.handle_timeout(at(5));
    assert_eq!(answers(&mut cluster), [(NONE, 0), (NONE, 1)]);
    assert_eq!(cluster.log("orders", 0).record_count(), 3);
    // Others are not held up.
    let other = cluster.connect(BrokerId(1)).unwrap();
    assert_eq!(produced(&mut cluster, other, &request(1, b"d")), (NONE, 3));
    // Who goes is not answered, and what is behind is not read.
    cluster.receive(at(6), peer, &request(1, b"e"));
    cluster.disconnected(peer);
    cluster.handle_timeout(at(20));
    assert_eq!(
        (answers(&mut cluster), cluster.poll_timeout()),
        (vec![], None)
    );
    assert_eq!(cluster.log("orders", 0).record_count(), 4);
}

#[test]
fn who_is_behind_for_too_long_is_not_in_sync() {
    let lag_max = Duration::from_millis(500);
    let (mut cluster, peer) = orders_with(|config| {
        config.replica_lag_max = lag_max;
        config.topic.min_insync_replicas = 2;
    });
    hold_followers(&mut cluster);
    cluster.receive(at(0), peer, &request(ALL, b"a"));
    assert_eq!(cluster.poll_timeout(), Some(at(500)));
    cluster.handle_timeout(at(500));
    let after_append = (NOT_ENOUGH_REPLICAS_AFTER_APPEND, 0);
    assert_eq!(
        answers(&mut cluster),
        [after_append],
        "the offset says that it is there"
    );
    assert_eq!(cluster.in_sync("orders", 0), (&[BrokerId(1)][..], 1));
    cluster.receive(at(501), peer, &request(ALL, b"b"));
    assert_eq!(answers(&mut cluster), [(NOT_ENOUGH_REPLICAS, -1)]);
    cluster.receive(at(502), peer, &request(1, b"c"));
    assert_eq!(answers(&mut cluster), [(NONE, 1)]);
    // Who catches up is in sync again, in the order of the replicas.
    cluster.hold_replicas(BrokerId(3), false);
    assert_eq!(
        cluster.in_sync("orders", 0),
        (&[BrokerId(1), BrokerId(3)][..], 2)
    );
    cluster.receive(at(503), peer, &request(ALL, b"d"));
    assert_eq!(answers(&mut cluster), [(NONE, 2)]);
}

#[test]
fn a_request_waits_no_longer_than_it_says() {
    let (mut cluster, peer) = orders();
    hold_followers(&mut cluster);
    cluster.receive(at(0), peer, &request(ALL, b"a"));
    assert_eq!(cluster.poll_timeout(), Some(at(1_000)));
    cluster.handle_timeout(at(1_000));
    assert_eq!(answers(&mut cluster), [(REQUEST_TIMED_OUT, 0)]);
    assert_eq!(cluster.log("orders", 0).record_count(), 1);
}

#[test]
fn a_leader_that_waits_and_leads_no_more_says_so() {
    let (mut cluster, peer) = orders();
    cluster.hold_replicas(BrokerId(2), true);
    cluster.receive(at(0), peer, &request(ALL, b"a"));
    cluster.move_leader("orders", 0, BrokerId(3));
    assert_eq!(answers(&mut cluster), [(NOT_LEADER_OR_FOLLOWER, 0)]);
    assert_eq!(cluster.log("orders", 0).record_count(), 1, "b3 has it");
    let peer = cluster.connect(BrokerId(3)).unwrap();
    cluster.receive(at(1), peer, &request(ALL, b"b"));
    cluster.delete_topic("orders");
    assert_eq!(answers(&mut cluster), [(NOT_LEADER_OR_FOLLOWER, 1)]);
}

#[test]
fn what_only_the_leader_had_goes_with_it() {
    let (mut cluster, peer) = orders();
    let of = |sequence, value| Batch {
        producer: (7, 0, sequence),
        ..Batch::of(&[value])
    };
    let request =
        |sequence, value: &'static [u8]| produce(1, "orders", 0, &of(sequence, value).encode());
    assert_eq!(produced(&mut cluster, peer, &request(0, b"a")), (NONE, 0));
    hold_followers(&mut cluster);
    assert_eq!(produced(&mut cluster, peer, &request(1, b"b")), (NONE, 1));
    assert_eq!(cluster.in_sync("orders", 0).1, 1);
    cluster.set_down(BrokerId(1));
    assert_eq!(cluster.leader("orders", 0), (Some(BrokerId(2)), 1));
    let log = cluster.log("orders", 0);
    let digest = record_digest(0, None, Some(b"a"));
    assert_eq!(
        (log.record_count(), log.batch_count(), log.digest()),
        (1, 1, digest)
    );
    let lost: Vec<_> = cluster.lost_records().collect();
    let [("orders", 0, lost)] = lost.as_slice() else {
        panic!("one is lost: {lost:?}");
    };
    assert_eq!(
        (lost.record.value.as_deref(), lost.is_unclean),
        (Some(&b"b"[..]), false)
    );
    // It is no duplicate where it is not.
    while cluster.poll_output().is_some() {}
    let peer = cluster.connect(BrokerId(2)).unwrap();
    assert_eq!(produced(&mut cluster, peer, &request(1, b"b")), (NONE, 1));
    // The old leader follows when it is back, and has nothing of its own.
    cluster.set_up(BrokerId(1));
    cluster.hold_replicas(BrokerId(3), false);
    let all = [1, 2, 3].map(BrokerId);
    assert_eq!(cluster.in_sync("orders", 0), (&all[..], 2));
}

#[test]
fn only_an_unclean_election_takes_what_all_in_sync_had() {
    let (mut cluster, peer) = orders();
    cluster.hold_replicas(BrokerId(3), true);
    cluster.receive(at(0), peer, &request(ALL, b"a"));
    cluster.handle_timeout(at(1_000));
    cluster.handle_timeout(at(30_000));
    cluster.receive(at(30_000), peer, &request(ALL, b"b"));
    assert_eq!(answers(&mut cluster), [(REQUEST_TIMED_OUT, 0), (NONE, 1)]);
    // Nobody who is not in sync leads by itself.
    cluster.set_down(BrokerId(2));
    cluster.set_down(BrokerId(1));
    assert_eq!(cluster.leader("orders", 0), (None, 1));
    assert_eq!(cluster.in_sync("orders", 0), (&[BrokerId(1)][..], 2));
    cluster.elect_unclean("orders", 0, BrokerId(3));
    assert_eq!(cluster.leader("orders", 0), (Some(BrokerId(3)), 2));
    assert_eq!(cluster.in_sync("orders", 0), (&[BrokerId(3)][..], 0));
    assert!(cluster.lost_records().all(|(_, _, lost)| lost.is_unclean));
    assert_eq!(cluster.lost_records().count(), 2);
    while cluster.poll_output().is_some() {}
    let peer = cluster.connect(BrokerId(3)).unwrap();
    cluster.receive(at(30_001), peer, &request(ALL, b"c"));
    assert_eq!(answers(&mut cluster), [(NONE, 0)]);
    cluster.set_up(BrokerId(1));
    assert_eq!(cluster.in_sync("orders", 0), (&[1, 3].map(BrokerId)[..], 1));
}

#[test]
fn a_replica_that_is_not_in_sync_catches_up_before_it_is_made_the_leader() {
    let (mut cluster, peer) = orders_with(|config| {
        config.topic.replication_factor = 2;
        config.replica_lag_max = Duration::ZERO;
    });
    cluster.hold_replicas(BrokerId(2), true);
    assert_eq!(produced(&mut cluster, peer, &request(1, b"a")), (NONE, 0));
    assert_eq!(cluster.in_sync("orders", 0).0, [BrokerId(1)]);
    // One that was no replica, and one that fell behind.
    cluster.move_leader("orders", 0, BrokerId(3));
    assert_eq!(cluster.in_sync("orders", 0).0, [3, 1].map(BrokerId));
    cluster.move_leader("orders", 0, BrokerId(2));
    assert_eq!(cluster.leader("orders", 0), (Some(BrokerId(2)), 2));
    assert_eq!(cluster.lost_records().count(), 0);
    // One that is down does not become the leader.
    cluster.set_down(BrokerId(1));
    cluster.move_leader("orders", 0, BrokerId(1));
    assert_eq!(cluster.leader("orders", 0).0, Some(BrokerId(2)));
}
