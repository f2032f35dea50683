//! A process that is forked: its child has no I/O thread, is told so, and does no harm.

#![cfg(unix)]

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::time::{Duration, Instant};
use titorelli_mio::{Config, DeliveryFuture, FlushError, Producer, Record, SendError};
use titorelli_serve::{Embedded, EmbeddedConfig};

/// Long enough for anything that is not broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the child finds, as an exit status: 0 when everything is as it should be, else the number
/// of the line that is not.
fn look(producer: Producer, clone: Producer, open: &DeliveryFuture, done: &DeliveryFuture) -> i32 {
    let began = Instant::now();
    let is_refused = |sent: Result<DeliveryFuture, SendError>| {
        sent.is_err_and(|error| error == SendError::Forked && error.to_string().contains("fork"))
    };
    let record = Record::to("t").value(b"from the child");
    let checks = [
        is_refused(producer.send(&record)),
        is_refused(producer.try_send(&record)),
        producer.send_with(&record, |_| {}) == Err(SendError::Forked),
        producer.partitions_for("t") == Err(SendError::Forked),
        producer.flush(PATIENCE) == Err(FlushError::Forked),
        producer.close(PATIENCE).undelivered.is_empty(),
        producer.stats().records_accepted == 0,
        producer.metrics().metrics.is_empty(),
        producer.report().contains("fork"),
        // What was completed before is known here too; of the rest only the parent knows.
        done.succeeded(),
        open.wait(PATIENCE)
            .is_some_and(|outcome| outcome.is_err_and(|error| error.may_be_persisted())),
    ];
    drop((producer, clone));
    let is_quick = began.elapsed() < PATIENCE / 2;
    let failed = checks.iter().chain([&is_quick]).position(|check| !check);
    failed.map_or(0, |line| i32::try_from(line + 1).expect("a few checks"))
}

#[test]
fn the_child_of_a_fork_is_told_and_the_parent_goes_on() {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(1)).expect("loopback ports");
    embedded.control(|cluster| cluster.create_topic("t", 1));
    let mut config = Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    config.linger = Duration::from_secs(20);
    let producer = Producer::new(config).expect("valid");
    let done = producer
        .send(&Record::to("t").value(b"1"))
        .expect("accepted");
    producer.flush(PATIENCE).expect("flushed");
    let open = producer
        .send(&Record::to("t").value(b"2"))
        .expect("accepted");
    let clone = producer.clone();
    #[expect(unsafe_code, reason = "there is no fork that is safe by its type")]
    // SAFETY: the child calls what must work in a forked child, which is what is tested, and exits.
    let forked = unsafe { fork() }.expect("a process");
    match forked {
        ForkResult::Child => {
            let status = look(producer, clone, &open, &done);
            std::process::exit(status);
        }
        ForkResult::Parent { child } => {
            let status = waitpid(child, None).expect("it was forked");
            assert_eq!(
                status,
                WaitStatus::Exited(child, 0),
                "the check of that number"
            );
        }
    }
    // Nothing of it touched the parent: its records arrive, one connection serves all of them.
    let third = producer
        .send(&Record::to("t").value(b"3"))
        .expect("accepted");
    producer.flush(PATIENCE).expect("flushed");
    assert!(open.succeeded() && third.succeeded());
    assert_eq!(producer.stats().connects, 2, "one to ask, one to send");
    drop((producer, clone));
    let cluster = embedded.into_cluster();
    assert_eq!(cluster.log("t", 0).record_count(), 3);
}
