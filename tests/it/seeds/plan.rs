//! What a seed means: the configuration, the workload and the faults of one run.

use super::dice::Dice;
use core::time::Duration;
use titorelli::partitioner::partition_for_key;
use titorelli::{Acks, Codec, Config, Partitioner};

/// How a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The faults stop: everything must work again (L2).
    Heal,
    /// Nothing ever comes in any more: everything must end in time all the same (L1).
    Blackout,
}

/// A kind of fault. Each is off in half of the runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Cut,
    CutRequest,
    CutResponse,
    LoseResponse,
    Silence,
    BrokerDown,
    BrokersDown,
    BrokerUp,
    MoveLeader,
    Refusal,
    RefusalAfterAppend,
    Throttle,
    AddPartitions,
    Recreate,
}

const FAULTS: [Fault; 14] = [
    Fault::Cut,
    Fault::CutRequest,
    Fault::CutResponse,
    Fault::LoseResponse,
    Fault::Silence,
    Fault::BrokerDown,
    Fault::BrokersDown,
    Fault::BrokerUp,
    Fault::MoveLeader,
    Fault::Refusal,
    Fault::RefusalAfterAppend,
    Fault::Throttle,
    Fault::AddPartitions,
    Fault::Recreate,
];

/// How the surroundings behave, in microseconds unless named otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    pub(crate) latency_max: u64,
    /// A seal takes up to so long; seals overtake each other.
    pub(crate) seal_max: u64,
    /// The transport takes at most so many bytes at once.
    pub(crate) write_bytes_max: usize,
    /// Bytes arrive in chunks of at most so many.
    pub(crate) chunk_bytes_max: usize,
    /// `Sent` is reported up to so much later than the transport took the bytes.
    pub(crate) report_max: u64,
    /// `handle_timeout` is called up to so much too late.
    pub(crate) lateness_max: u64,
    /// A waiter whose turn came is resumed up to so much later.
    pub(crate) resume_max: u64,
    /// So many of a hundred waiters are cancelled.
    pub(crate) cancel_percent: u64,
    /// Outputs are not always fetched to the last.
    pub(crate) polls_partly: bool,
}

/// What the application does.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) records: u64,
    pub(crate) topics: u64,
    pub(crate) partitions: i32,
    /// Sizes of values, in bytes.
    pub(crate) value_bytes: [usize; 4],
    pub(crate) flush_percent: u64,
    /// Calls name topics that nobody has.
    pub(crate) has_unknown_topics: bool,
    pub(crate) has_headers: bool,
    /// Closes in the middle of it all.
    pub(crate) closes_early: bool,
    pub(crate) close_within: Duration,
}

/// Everything that a seed decides.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) config: Config,
    pub(crate) brokers: u16,
    pub(crate) habits: Habits,
    pub(crate) workload: Workload,
    pub(crate) faults: Vec<Fault>,
    pub(crate) fault_count: u64,
    pub(crate) chaos: Duration,
    pub(crate) ending: Ending,
}

impl Plan {
    pub(crate) fn draw(seed: u64, dice: &mut Dice) -> Self {
        let is_calm = dice.percent(15);
        let faults = if is_calm {
            Vec::new()
        } else {
            let is_on: Vec<bool> = FAULTS.iter().map(|_| dice.percent(50)).collect();
            let chosen = FAULTS.into_iter().zip(is_on).filter(|(_, is_on)| *is_on);
            chosen.map(|(fault, _)| fault).collect()
        };
        let has_faults = !faults.is_empty();
        Self {
            seed,
            config: config(dice, has_faults),
            brokers: dice.pick(&[1, 2, 3]),
            habits: habits(dice),
            workload: workload(dice, has_faults),
            fault_count: dice.pick(&[1, 3, 10, 30]),
            faults,
            chaos: dice.millis(&[50, 500, 3_000]),
            ending: if has_faults && dice.percent(35) {
                Ending::Blackout
            } else {
                Ending::Heal
            },
        }
    }

    /// Where a record without a partition must go in a topic of `count` partitions; `None`: where
    /// the partitioner likes.
    pub(crate) fn place_of(&self, key: Option<&[u8]>, count: usize) -> Option<usize> {
        let key = key.filter(|_| !self.config.partitioner_ignore_keys);
        partition_for_key(self.config.partitioner, key, count)
    }

    /// Whether the number of a topic's partitions never changes.
    pub(crate) fn has_fixed_partitions(&self) -> bool {
        let changes = |fault: &Fault| matches!(fault, Fault::AddPartitions | Fault::Recreate);
        !self.faults.iter().any(changes)
    }

    /// Whether every record must arrive, once and in order.
    pub(crate) fn is_calm(&self) -> bool {
        self.faults.is_empty()
    }
}

fn config(dice: &mut Dice, has_faults: bool) -> Config {
    let mut config = Config::default();
    config.acks = dice.pick(&[Acks::None, Acks::Leader, Acks::All]);
    config.retries = dice.pick(&[0, 1, 3, u32::MAX]);
    config.batch_size = dice.pick(&[0, 1, 100, 400, 16_384, 16_384]);
    config.linger = dice.millis(&[0, 0, 1, 5, 100, 20_000]);
    config.buffer_memory = dice.pick(&[256, 1_000, 4_000, 64_000, 32 << 20]);
    config.max_block = dice.millis(&[0, 1, 50, 1_000, 5_000]);
    config.max_request_size = dice.pick(&[500, 4_000, 1 << 20]);
    config.max_in_flight_requests_per_connection = dice.pick(&[1, 1, 2, 5, 100]);
    config.reconnect_backoff = dice.millis(&[1, 50]);
    config.reconnect_backoff_max = Some(config.reconnect_backoff * dice.pick(&[1, 20]));
    config.metadata_max_age = dice.millis(&[100, 1_000, 300_000]);
    config.request_timeout = dice.millis(&[30, 300, 5_000]);
    config.socket_connection_setup_timeout = dice.millis(&[30, 300, 5_000]);
    let slack = dice.millis(&[0, 20, 500, 10_000, 120_000]);
    config.delivery_timeout = Some(config.linger + config.request_timeout + slack);
    // Short pauses over a long time are many steps and little news.
    let is_short = config.effective_delivery_timeout() < Duration::from_secs(1)
        && config.max_block < Duration::from_secs(1);
    config.retry_backoff = dice.millis(if is_short { &[1, 10] } else { &[10, 100] });
    config.retry_backoff_max = Some(config.retry_backoff * dice.pick(&[1, 10]));
    config.compression = dice.pick(&[
        Codec::None,
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
        Codec::Zstd,
    ]);
    partitioning(dice, &mut config);
    config.connections_max_idle = dice.millis(&[20, 1_000, 540_000, 540_000]);
    config.backoff_jitter_percent = dice.pick(&[0, 20, 100]);
    config.trace = true;
    if !has_faults {
        config.request_timeout = Duration::from_secs(30);
        config.socket_connection_setup_timeout = Duration::from_secs(30);
        config.delivery_timeout = Some(Duration::from_secs(600));
    }
    config
}

fn partitioning(dice: &mut Dice, config: &mut Config) {
    if dice.percent(25) {
        return;
    }
    config.partitioner = dice.pick(&Partitioner::ALL);
    let is_uniform = config.partitioner == Partitioner::UniformSticky;
    if is_uniform
        || matches!(
            config.partitioner,
            Partitioner::Default | Partitioner::Sticky
        )
    {
        config.partitioner_ignore_keys = dice.percent(20);
    }
    config.partitioner_adaptive = !is_uniform || dice.percent(80);
    if is_uniform && config.partitioner_adaptive {
        config.partitioner_availability_timeout = dice.millis(&[0, 1, 20, 500]);
    }
}

fn habits(dice: &mut Dice) -> Habits {
    Habits {
        latency_max: dice.pick(&[10, 1_000, 20_000]),
        seal_max: dice.pick(&[0, 0, 5_000, 100_000, 1_000_000]),
        write_bytes_max: dice.pick(&[30, 100, 1_000, usize::MAX, usize::MAX]),
        chunk_bytes_max: dice.pick(&[20, 50, 1_000, usize::MAX, usize::MAX]),
        report_max: dice.pick(&[0, 0, 1_000, 50_000]),
        lateness_max: dice.pick(&[0, 0, 0, 3_000, 200_000]),
        resume_max: dice.pick(&[0, 0, 5_000, 300_000]),
        cancel_percent: dice.pick(&[0, 0, 10, 60]),
        polls_partly: dice.percent(20),
    }
}

fn workload(dice: &mut Dice, has_faults: bool) -> Workload {
    Workload {
        records: dice.pick(&[1, 10, 40, 100]),
        topics: dice.pick(&[1, 1, 2, 4]),
        partitions: dice.pick(&[1, 2, 6]),
        value_bytes: [
            8,
            dice.pick(&[8, 30]),
            dice.pick(&[30, 200]),
            dice.pick(&[100, 900, 5_000, 20_000]),
        ],
        flush_percent: dice.pick(&[0, 2, 20]),
        has_unknown_topics: dice.percent(20),
        has_headers: dice.percent(50),
        closes_early: dice.percent(if has_faults { 20 } else { 0 }),
        close_within: dice.millis(&[0, 1, 100, 5_000, 100_000]),
    }
}
