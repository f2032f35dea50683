//! Leaders that move, brokers that die, answers that are scripted.

use titorelli::Instant;
use titorelli_sim::cluster::{BrokerId, ClusterOutput};
use titorelli_sim::codec::error_code::{
    NONE, NOT_ENOUGH_REPLICAS, NOT_LEADER_OR_FOLLOWER, REQUEST_TIMED_OUT,
};

use super::client::{Batch, ask, frame, orders, orders_with, produce, produced};

#[test]
fn only_the_leader_takes_a_batch() {
    let (mut cluster, first) = orders();
    let batch = Batch::default().encode();
    let request = produce(-1, "orders", 0, &batch);
    assert_eq!(produced(&mut cluster, first, &request), (NONE, 0));
    cluster.move_leader("orders", 0, BrokerId(2));
    assert_eq!(
        produced(&mut cluster, first, &request),
        (NOT_LEADER_OR_FOLLOWER, -1)
    );
    let second = cluster.connect(BrokerId(2)).unwrap();
    assert_eq!(produced(&mut cluster, second, &request), (NONE, 1));
    assert_eq!(cluster.leader("orders", 0), (Some(BrokerId(2)), 1));
}

#[test]
fn a_dead_broker_closes_refuses_and_hands_over() {
    let (mut cluster, peer) = orders();
    cluster.set_down(BrokerId(1));
    assert_eq!(cluster.poll_output(), Some(ClusterOutput::Close(peer)));
    assert_eq!(cluster.connect(BrokerId(1)), None);
    assert_eq!(cluster.leader("orders", 0), (Some(BrokerId(2)), 1));
    assert_eq!(cluster.leader("orders", 1), (Some(BrokerId(2)), 0));
    cluster.set_down(BrokerId(2));
    cluster.set_down(BrokerId(3));
    assert_eq!(cluster.leader("orders", 0).0, None);
    cluster.set_up(BrokerId(1));
    assert!(cluster.connect(BrokerId(1)).is_some());
    assert_eq!(
        cluster.leader("orders", 0).0,
        None,
        "the last in sync is missing"
    );
    cluster.set_up(BrokerId(3));
    assert_eq!(cluster.leader("orders", 0).0, Some(BrokerId(3)));
    assert!(
        cluster.connect(BrokerId(9)).is_none(),
        "there is no broker 9"
    );
}

#[test]
fn a_scripted_failure_hits_the_next_batch_only() {
    let (mut cluster, peer) = orders();
    let request = produce(-1, "orders", 0, &Batch::default().encode());
    cluster.fail_next("orders", 0, NOT_ENOUGH_REPLICAS, false);
    cluster.fail_next("orders", 0, REQUEST_TIMED_OUT, true);
    assert_eq!(
        produced(&mut cluster, peer, &request),
        (NOT_ENOUGH_REPLICAS, -1)
    );
    assert_eq!(cluster.log("orders", 0).record_count(), 0);
    assert_eq!(
        produced(&mut cluster, peer, &request),
        (REQUEST_TIMED_OUT, -1)
    );
    assert_eq!(cluster.log("orders", 0).record_count(), 1);
    assert_eq!(produced(&mut cluster, peer, &request), (NONE, 1));
}

#[test]
fn too_few_replicas_refuse_acks_all_only() {
    let (mut cluster, peer) = orders_with(|config| config.topic.min_insync_replicas = 2);
    cluster.set_down(BrokerId(2));
    cluster.set_down(BrokerId(3));
    let batch = Batch::default().encode();
    let all = produced(&mut cluster, peer, &produce(-1, "orders", 0, &batch));
    assert_eq!(all, (NOT_ENOUGH_REPLICAS, -1));
    assert_eq!(
        produced(&mut cluster, peer, &produce(1, "orders", 0, &batch)),
        (NONE, 0)
    );
}

#[test]
fn what_it_does_not_announce_it_does_not_answer() {
    let (mut cluster, _) = orders();
    for (api_key, version) in [(0, 2), (0, 14), (3, 14), (1, 0), (22, 6), (999, 0), (-1, 0)] {
        let peer = cluster.connect(BrokerId(1)).unwrap();
        assert_eq!(ask(&mut cluster, peer, &frame(api_key, version, &[])), None);
        assert_eq!(
            cluster.broker_of(peer),
            None,
            "api {api_key} v{version} closes"
        );
    }
    let peer = cluster.connect(BrokerId(1)).unwrap();
    let answer = ask(&mut cluster, peer, &frame(18, 99, &[])).expect("an answer in layout 0");
    // Length, correlation id, error 35, and one range: ApiVersions 0 to 5.
    assert_eq!(
        answer[..],
        [
            0, 0, 0, 16, 0, 0, 0, 77, 0, 35, 0, 0, 0, 1, 0, 18, 0, 0, 0, 5
        ]
    );
    assert!(cluster.broker_of(peer).is_some(), "the connection stays");
}

#[test]
fn a_connection_that_is_gone_is_never_heard_of_again() {
    let (mut cluster, peer) = orders();
    let request = produce(-1, "orders", 0, &Batch::default().encode());
    cluster.receive(Instant::ZERO, peer, &request[..20]);
    cluster.disconnected(peer);
    cluster.receive(Instant::ZERO, peer, &request[20..]);
    assert_eq!(cluster.poll_output(), None);
    assert_eq!(cluster.log("orders", 0).record_count(), 0);
}
