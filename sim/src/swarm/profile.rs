//! How large a world is, and what about it is drawn.

use core::fmt;
use core::str::FromStr;

use titorelli::Codec;

use super::faults::{Habit, Kind};
use super::knobs::Knobs;
use crate::entropy::Entropy;
use crate::story::ms;

/// What kind of run a seed draws.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Everything is drawn, and each fault is off for half of the seeds.
    #[default]
    Full,
    /// Three brokers, a topic of three partitions, 24 records, and all kinds of faults: most runs
    /// in the least time.
    Small,
    /// Ten topics of twenty partitions and 1,000 records: most records in the least time.
    Wide,
    /// As small, and every producer is idempotent: elsewhere half of them are.
    Idempotent,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Full, Self::Small, Self::Wide, Self::Idempotent];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Small => "small",
            Self::Wide => "wide",
            Self::Idempotent => "idempotent",
        }
    }

    /// How many of a hundred producers write every record once and in order.
    pub(super) const fn idempotent_percent(self) -> u64 {
        match self {
            Self::Full | Self::Small | Self::Wide => 50,
            Self::Idempotent => 100,
        }
    }

    /// Sets what the profile does not leave to the seed.
    pub(super) fn shape(self, knobs: &mut Knobs, entropy: &mut Entropy) {
        match self {
            Self::Full => {}
            Self::Small | Self::Idempotent => {
                knobs.brokers = 3;
                knobs.topic_count = 1;
                knobs.partitions = 3;
                knobs.records_max = 24;
                knobs.burst_max = entropy.pick(&[1, 4, 12]);
                knobs.take_until_the_last_record(entropy);
            }
            Self::Wide => {
                knobs.brokers = entropy.pick(&[3, 5]);
                knobs.topic_count = 10;
                knobs.partitions = 20;
                knobs.records_max = 1_000;
                knobs.burst_max = entropy.pick(&[20, 100, 400]);
                knobs.take_until_the_last_record(entropy);
                // Room for more than a record at a time.
                let core = &mut knobs.core;
                core.batch_size = core.batch_size.max(1_000);
                core.buffer_memory = core.buffer_memory.max(20_000);
                core.max_request_size = core.max_request_size.max(4_000);
            }
        }
    }
}

impl Knobs {
    /// The number of records says how long the chaos lasts, and every fault may strike.
    fn take_until_the_last_record(&mut self, entropy: &mut Entropy) {
        self.actions = u64::MAX;
        let habits = Kind::ALL.map(|kind| Habit::draw(kind, entropy));
        self.faults = habits.to_vec();
        self.fault_percent = entropy.pick(&[10, 30, 60]);
        self.shed_repetition();
        // The tables of codecs, of one more than of others, take as long to clear as all else that
        // a small world does.
        let plain_percent = if self.core.compression == Codec::Gzip {
            95
        } else {
            60
        };
        if entropy.chance(plain_percent) {
            self.core.compression = Codec::None;
        }
    }

    /// A cluster that is asked again each millisecond, or for minutes, or in pieces of three bytes,
    /// costs a hundred times as much and shows little more. The full profile has that.
    fn shed_repetition(&mut self) {
        let core = &mut self.core;
        core.metadata_max_age = core.metadata_max_age.max(ms(5_000));
        core.retry_backoff = core.retry_backoff.max(ms(20));
        core.retry_backoff_max = core.retry_backoff_max.max(Some(ms(1_000)));
        core.request_timeout = core.request_timeout.min(ms(5_000));
        let longest = core.linger + core.request_timeout + ms(5_000);
        core.delivery_timeout = core.delivery_timeout.min(Some(longest));
        core.reconnect_backoff = core.reconnect_backoff.max(ms(20));
        core.connections_max_idle = core.connections_max_idle.max(ms(2_000));
        let network = &mut self.network;
        let at_least = |bytes: Option<usize>, least: usize| bytes.map(|bytes| bytes.max(least));
        network.chunk_bytes_max = at_least(network.chunk_bytes_max, 400);
        network.write_bytes_max = at_least(network.write_bytes_max, 400);
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|known| known.name() == text);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("no profile is named {text:?}; there are {names}")
        })
    }
}
