//! A process that is forked: its child has no I/O thread, is told so, and does no harm.

#![cfg(unix)]

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use titorelli_mio::{
    Config, DeliveryCause, DeliveryFuture, FlushError, Producer, Record, SendError,
};
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
    let told_of = |receipt: &DeliveryFuture| {
        let (sender, told) = mpsc::channel();
        // If nobody listens any more, the check has failed.
        receipt.on_delivery(move |result| drop(sender.send(result)));
        told.recv_timeout(PATIENCE / 4).ok()
    };
    let is_told = [
        told_of(done).is_some_and(|result| result.is_ok()),
        told_of(open).is_some_and(|result| {
            result.is_err_and(|error| error.detail().cause == DeliveryCause::Forked)
        }),
    ];
    drop((producer, clone));
    let is_quick = began.elapsed() < PATIENCE / 2;
    let checks = checks.iter().chain(&is_told).chain([&is_quick]);
    let failed = checks.copied().position(|check| !check);
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

/// A child that a callback forks has the I/O thread's place in the code, and the parent's sockets.
#[test]
fn the_child_that_a_callback_forks_leaves_the_io_to_the_parent() {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(1)).expect("loopback ports");
    embedded.control(|cluster| cluster.create_topic("t", 1));
    let mut config = Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    config.linger = Duration::from_millis(300);
    let producer = Producer::new(config).expect("valid");
    producer.partitions_for("t").expect("known");
    let parent = std::process::id();
    let (sender, forked) = mpsc::channel::<Pid>();
    let record = Record::to("t").value(b"v");
    let forks = move |_| {
        #[expect(unsafe_code, reason = "there is no fork that is safe by its type")]
        // SAFETY: the child goes on in the driver, which is what is tested.
        if let ForkResult::Parent { child } = unsafe { fork() }.expect("a process") {
            sender.send(child).expect("heard");
        }
    };
    producer.send_with(&record, forks).expect("accepted");
    // Of the same batch: it is the parent's.
    let calls = move |_| {
        if std::process::id() != parent {
            std::process::exit(1);
        }
    };
    producer.send_with(&record, calls).expect("accepted");
    let child = forked.recv_timeout(PATIENCE).expect("forked");
    let began = Instant::now();
    let look = || waitpid(child, Some(WaitPidFlag::WNOHANG)).expect("it was forked");
    let mut status = look();
    while status == WaitStatus::StillAlive && began.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(10));
        status = look();
    }
    if status == WaitStatus::StillAlive {
        let _ = std::process::Command::new("kill")
            .args(["-9", &child.to_string()])
            .status();
    }
    assert_eq!(status, WaitStatus::Exited(child, 0), "its thread ended");
    for _ in 0..10 {
        let receipt = producer.send(&record).expect("accepted");
        producer.flush(PATIENCE).expect("flushed");
        assert!(receipt.succeeded());
    }
    assert_eq!(producer.stats().connects, 2, "one to ask, one to send");
    drop(producer);
    assert_eq!(embedded.into_cluster().log("t", 0).record_count(), 12);
}
