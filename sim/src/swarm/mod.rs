//! One seed, one whole run: topology, configuration, workload and faults are drawn from it.
//!
//! The phases: *chaos*, with faults; *damage*, where everything is well but one broker, which stays
//! away: what is under way must end, and every partition must take a record; *heal*, the same
//! without any fault. Or the producer is closed amid the chaos. Each knob
//! and each kind of fault is off for a good part of the seeds (swarm testing), so that no fault
//! hides another.

mod faults;
mod knobs;

use core::fmt;
use core::time::Duration;

use titorelli::{DeliveryCause, Instant};

use crate::check;
use crate::entropy::Entropy;
use crate::fault::Fault;
use crate::journal::{OwnedRecord, RecordState};
use crate::sight::Sights;
use crate::story::ms;
use crate::timeline::Telling;
use crate::world::World;

use knobs::Knobs;

/// How often a healed cluster may fail to take a record; it has five times the timeouts for that.
const PROBES_MAX: u32 = 20;
/// How long `close` may take in a healed world.
const CLOSE_WITHIN: Duration = Duration::from_secs(300);
/// As many retries as any delivery timeout has room for.
const RETRIES_UNLIMITED: u64 = 1_000_000;
/// How long a healed world may need to send all that has piled up.
const BACKLOG_WITHIN: Duration = Duration::from_secs(30);
/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records that the application sent.
    pub records: u64,
    /// Of these, acked.
    pub acked: u64,
    /// Certainly not written.
    pub not_persisted: u64,
    /// Perhaps written.
    pub maybe_persisted: u64,
    /// Not accepted.
    pub rejected: u64,
    /// Batches sent again.
    pub retries: u64,
    /// Records in the logs beyond the first copy.
    pub copies: u64,
    /// Virtual time, in milliseconds.
    pub virtual_ms: u64,
    /// A checksum over everything that the core wanted sent, and when.
    pub digest: u32,
    /// What it came across.
    pub sights: Sights,
}

impl Summary {
    /// Adds up runs, their digests too; the order does not matter.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            records: self.records + other.records,
            acked: self.acked + other.acked,
            not_persisted: self.not_persisted + other.not_persisted,
            maybe_persisted: self.maybe_persisted + other.maybe_persisted,
            rejected: self.rejected + other.rejected,
            retries: self.retries + other.retries,
            copies: self.copies + other.copies,
            virtual_ms: self.virtual_ms + other.virtual_ms,
            digest: self.digest.wrapping_add(other.digest),
            sights: self.sights.plus(other.sights),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "records={} acked={} not_persisted={} maybe_persisted={} rejected={} retries={} \
             copies={} virtual_ms={} digest={:08x}",
            self.records,
            self.acked,
            self.not_persisted,
            self.maybe_persisted,
            self.rejected,
            self.retries,
            self.copies,
            self.virtual_ms,
            self.digest,
        )
    }
}

/// The knobs that a seed draws, as one line each.
#[must_use]
pub fn banner(seed: u64) -> String {
    Knobs::draw(&mut Entropy::new(seed)).to_string()
}

/// Runs one seed, and tells of it.
///
/// # Panics
/// Something does not hold that must always hold; the message begins with the invariant's name.
#[must_use]
pub fn run_seed(seed: u64, telling: Telling) -> Summary {
    let mut entropy = Entropy::new(seed);
    let knobs = Knobs::draw(&mut entropy);
    let mut world = World::new(knobs.world(seed));
    world.tell(telling);
    for (topic, partitions) in knobs.topics() {
        world.control(|cluster| cluster.create_topic(&topic, partitions));
    }
    let mut run = Run {
        world,
        knobs,
        entropy,
        sent: 0,
    };
    run.chaos();
    if let Some(within) = run.knobs.close_amid {
        run.close_amid(within);
    } else {
        if run.knobs.is_damaged {
            run.damage();
        }
        run.heal();
        run.probe();
        run.close();
    }
    run.summary()
}

/// A run under way.
struct Run {
    world: World,
    knobs: Knobs,
    entropy: Entropy,
    /// Records sent so far: each has its number in its value, so that no two are equal.
    sent: u64,
}

impl Run {
    fn chaos(&mut self) {
        for _ in 0..self.knobs.actions {
            if self.entropy.chance(self.knobs.fault_percent) {
                if let Some(kind) = self.knobs.draw_kind(&mut self.entropy) {
                    self.inflict(kind);
                }
            } else {
                let burst = self.entropy.within(1, self.knobs.burst_max);
                for _ in 0..burst {
                    let record = self.draw_record();
                    if self.entropy.chance(self.knobs.echo_percent) {
                        self.world.echo(record);
                    } else {
                        self.world.send(record);
                    }
                }
            }
            if self.entropy.chance(self.knobs.flush_percent) {
                self.world.flush();
            }
            let pause = self.entropy.span(self.knobs.pause);
            self.world.run_for(pause);
        }
    }

    fn draw_record(&mut self) -> OwnedRecord {
        let (topic, partitions) = self.knobs.draw_topic(&mut self.entropy);
        let number = self.sent;
        self.sent += 1;
        let size = self.entropy.index(self.knobs.value_bytes_max + 1);
        let mut value = format!("{number}:").into_bytes();
        value.resize(value.len().max(size), b'.');
        let is_placed = self.entropy.chance(self.knobs.placed_percent);
        let partition = is_placed.then(|| {
            // One beyond, now and then: it may come to be.
            let count = u64::try_from(partitions).expect("positive");
            let partition = if self.entropy.chance(2) {
                count
            } else {
                self.entropy.below(count)
            };
            i32::try_from(partition).expect("below an i32")
        });
        let key = self
            .entropy
            .chance(30)
            .then(|| format!("key {}", number % 7).into_bytes());
        let headers = if self.entropy.chance(20) {
            vec![("a".to_owned(), None), ("a".to_owned(), Some(vec![7]))]
        } else {
            Vec::new()
        };
        let timestamp_ms = self.entropy.chance(20).then(|| {
            let offset_ms = i64::try_from(self.entropy.below(100_000)).expect("small");
            1_699_999_950_000 + offset_ms
        });
        OwnedRecord {
            topic,
            partition,
            key,
            value: Some(value),
            headers,
            timestamp_ms,
        }
    }

    /// One broker is down for good, and everything else is well: its partitions have other leaders,
    /// so nothing has to wait for it.
    fn damage(&mut self) {
        self.world.note("fault", "everything heals but one broker");
        let broker = self.draw_broker();
        let is_swallowed = self.entropy.chance(50);
        self.world.heal();
        self.world.inflict(&Fault::Down(broker));
        if is_swallowed {
            self.world.inflict(&Fault::Stall(broker));
        }
        self.settle_down();
        self.probe();
    }

    /// No more faults.
    fn heal(&mut self) {
        self.world.note("fault", "everything heals");
        self.world.heal();
        self.settle_down();
    }

    /// Everything that is under way ends, and all memory is free again.
    fn settle_down(&mut self) {
        self.bring_topics_back();
        let healed_at = self.world.now();
        self.world.run_until_quiet();
        self.check_progress(healed_at);
        let stats = self.world.core().stats();
        assert_eq!(
            stats.buffered_bytes, 0,
            "S8: nothing is under way, and memory is held"
        );
        assert_eq!(
            stats.waiters, 0,
            "L5: nothing is under way, and a call waits"
        );
        self.check_logs();
    }

    /// L2: what had enough time left when everything healed, and might be sent again, is written.
    fn check_progress(&self, healed_at: Instant) {
        let config = self.world.core().config();
        if u64::from(config.retries) < RETRIES_UNLIMITED {
            return;
        }
        let patience =
            (config.request_timeout + config.effective_socket_connection_setup_timeout_max()) * 4;
        let enough = healed_at + patience + BACKLOG_WITHIN;
        for (id, _, state) in self.world.journal().records() {
            if let RecordState::NotPersisted(error) | RecordState::MaybePersisted(error) = state {
                let ends_at =
                    self.world.journal().accepted_at(id) + config.effective_delivery_timeout();
                let is_late = error.cause == DeliveryCause::DeliveryTimeout;
                let count = self.world.cluster().partition_count(&error.topic);
                let is_gone = error.partition >= count;
                assert!(
                    !is_late || is_gone || ends_at <= enough,
                    "L2: {id:?} had time until {ends_at}"
                );
            }
        }
    }

    /// The healed cluster takes a record for every partition, if need be at a later try: without
    /// retries the first may meet a leader that has moved.
    fn probe(&mut self) {
        for (topic, partitions) in self.knobs.topics() {
            for partition in 0..partitions {
                self.probe_one(&topic, partition);
            }
        }
        self.check_logs();
    }

    fn probe_one(&mut self, topic: &str, partition: i32) {
        for _ in 0..PROBES_MAX {
            let value = format!("{}:probe", self.sent).into_bytes();
            self.sent += 1;
            let id = self.world.send(OwnedRecord {
                topic: topic.to_owned(),
                partition: Some(partition),
                value: Some(value),
                ..OwnedRecord::default()
            });
            self.world.run_until_quiet();
            if matches!(self.world.journal().state(id), RecordState::Acked { .. }) {
                return;
            }
            // A connection that fell silent is given up in one of these times.
            let config = self.world.core().config();
            let patience = config
                .request_timeout
                .max(config.effective_socket_connection_setup_timeout_max());
            let pause = patience / 4;
            self.world.run_for(pause.max(ms(500)));
        }
        panic!("L2: a healed cluster takes nothing for {topic}/{partition}");
    }

    fn close(&mut self) {
        // Something is under way, half of the time.
        if self.entropy.chance(50) {
            let record = self.draw_record();
            self.world.send(record);
        }
        self.world.close(CLOSE_WITHIN);
        self.world.run_until_quiet();
        assert!(self.world.is_closed(), "L4: close ends");
        self.check_logs();
    }

    /// Nothing has healed when the producer is closed; what it leaves behind may still arrive.
    fn close_amid(&mut self, within: Duration) {
        self.world.close(within);
        self.world.run_until_quiet();
        assert!(self.world.is_closed(), "L4: close ends");
        self.world.heal();
        self.world.run_until_quiet();
        self.check_logs();
    }

    fn check_logs(&self) {
        check::truth(&self.world);
        if self.knobs.keeps_order() {
            check::order(&self.world);
        }
        let _ = check::copies(&self.world, u64::from(self.knobs.retries));
    }

    fn summary(&self) -> Summary {
        let stats = self.world.core().stats();
        let fates = self.world.journal().records().map(|(_, _, state)| state);
        let rejected = fates
            .filter(|state| matches!(state, RecordState::Rejected(_)))
            .count();
        let summary = Summary {
            records: self.sent,
            acked: stats.records_acked,
            not_persisted: stats.records_not_persisted,
            maybe_persisted: stats.records_maybe_persisted,
            rejected: u64::try_from(rejected).expect("fits"),
            retries: stats.retries,
            copies: check::copies(&self.world, u64::from(self.knobs.retries)),
            virtual_ms: self.world.now().as_micros() / 1_000,
            digest: self.world.digest(),
            sights: *self.world.sights(),
        };
        let ended = summary.acked + summary.not_persisted + summary.maybe_persisted;
        assert_eq!(
            stats.records_accepted, ended,
            "Conservation: accepted = delivered + failed"
        );
        let sent = self.world.journal().records().count();
        let sent = u64::try_from(sent).expect("fits");
        assert_eq!(
            ended + summary.rejected,
            sent,
            "Conservation: every call has its end"
        );
        summary
    }
}
