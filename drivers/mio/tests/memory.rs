//! What the process holds while nothing is taken from it: `buffer_memory`, and little more.

#![cfg(target_os = "linux")]

use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use titorelli_mio::{Config, Producer, Record, SendError};
use titorelli_serve::{Embedded, EmbeddedConfig};

const LIMIT_BYTES: usize = 64 << 20;
const VALUE_BYTES: usize = 1_000;
const THREADS: usize = 4;
/// What else may grow: receipts, sockets, stacks, and what the allocator does not give back.
const SPARE_BYTES: usize = LIMIT_BYTES / 4;

/// The most that was resident so far, in bytes.
fn resident_max() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line
        .and_then(|line| line.split_whitespace().nth(1))
        .expect("a size");
    kib.parse::<usize>().expect("a number") * 1_024
}

/// Stops the cluster until the sender is dropped: bytes arrive in its sockets and are not read.
fn stop<'scope>(
    embedded: &'scope Embedded,
    scope: &'scope thread::Scope<'scope, '_>,
) -> mpsc::Sender<()> {
    let (resume, stopped) = mpsc::channel::<()>();
    let (halted, halt) = mpsc::channel();
    scope.spawn(move || {
        embedded.control(move |_| {
            halted.send(()).expect("somebody waits");
            // It ends when the other end is dropped.
            let _resumed = stopped.recv();
        });
    });
    halt.recv().expect("it is stopped");
    resume
}

/// What one thread could send.
#[derive(Clone, Copy, Default)]
struct Offered {
    accepted: usize,
    refused: usize,
}

/// Offers so many records, and gives up when many were refused.
fn offer(producer: &Producer, records: usize) -> Offered {
    let value = [b'x'; VALUE_BYTES];
    let mut offered = Offered::default();
    for _ in 0..records {
        match producer.send(&Record::to("t").value(&value)) {
            Ok(_receipt) => offered.accepted += 1,
            Err(SendError::BufferFull { used_bytes, .. }) => {
                assert!(used_bytes <= LIMIT_BYTES, "S8");
                offered.refused += 1;
                if offered.refused == 20 {
                    break;
                }
            }
            Err(error) => panic!("{error}"),
        }
    }
    offered
}

/// Four threads offer three times `buffer_memory` to a broker that is stopped: calls wait and are
/// refused, memory stays, and what was taken arrives in the end.
#[test]
fn memory_stays_within_its_bound_at_three_times_the_load_and_a_stopped_broker() {
    let embedded = Embedded::start(EmbeddedConfig::with_brokers(1)).expect("loopback ports");
    embedded.control(|cluster| cluster.create_topic("t", 4));
    let mut config = Config::default();
    config.bootstrap_servers = vec![embedded.bootstrap()];
    config.buffer_memory = LIMIT_BYTES;
    config.max_block = Duration::from_millis(20);
    config.request_timeout = Duration::from_secs(300);
    let producer = Producer::new(config).expect("valid");
    assert_eq!(producer.partitions_for("t").map(|known| known.len()), Ok(4));
    let before = resident_max();
    let share = 3 * LIMIT_BYTES / VALUE_BYTES / THREADS;
    let (total, grown) = thread::scope(|scope| {
        let resume = stop(&embedded, scope);
        let threads = [(); THREADS].map(|()| scope.spawn(|| offer(&producer, share)));
        let mut total = Offered::default();
        for thread in threads {
            let of_thread = thread.join().expect("no panic");
            total.accepted += of_thread.accepted;
            total.refused += of_thread.refused;
        }
        let grown = resident_max() - before;
        drop(resume);
        (total, grown)
    });
    let Offered { accepted, refused } = total;
    println!(
        "{accepted} records of {VALUE_BYTES} bytes accepted and {refused} refused at \
         buffer_memory={LIMIT_BYTES}: the process grew by {grown} bytes"
    );
    assert!(refused > 0, "three times as much was offered as fits");
    assert!(
        accepted * VALUE_BYTES > LIMIT_BYTES * 9 / 10,
        "it is used: {accepted}"
    );
    assert!(grown <= LIMIT_BYTES + SPARE_BYTES, "grown by {grown} bytes");
    assert!(
        producer
            .close(Duration::from_secs(120))
            .undelivered
            .is_empty()
    );
    let cluster = embedded.into_cluster();
    let written: u64 = (0..4).map(|p| cluster.log("t", p).record_count()).sum();
    assert_eq!(written, accepted as u64);
}
