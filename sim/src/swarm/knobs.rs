//! What a seed draws before anything runs.

use core::fmt;
use core::time::Duration;

use titorelli::{Acks, ApiVersion, Codec, Config, MetadataRecovery, Partitioner};

use crate::entropy::Entropy;
use crate::network::{NetworkConfig, SlowLinks, Span};
use crate::plan::{Replicas, Stage};
use crate::run::RETRIES_UNLIMITED;
use crate::story::ms;

use super::faults::{Habit, Kind, Targets};
use super::profile::Profile;

/// Releases that differ in what they are asked, and each of which speaks what older ones spoke.
const RELEASES: [(u16, u16, u16); 9] = [
    (0, 8, 2),
    (0, 9, 0),
    (0, 10, 0),
    (0, 10, 2),
    (0, 11, 0),
    (2, 0, 0),
    (2, 4, 0),
    (2, 8, 0),
    (3, 7, 0),
];

/// The first release that takes batches of the present format; the newest take no others.
const FIRST_OF_TODAY: (u16, u16, u16) = (0, 11, 0);
/// The first release in which a partition takes any first sequence number (KIP-360).
const FIRST_TO_BEGIN_ANYWHERE: (u16, u16, u16) = (2, 5, 0);
/// The first release that tells what it speaks.
const FIRST_TO_TELL: (u16, u16, u16) = (0, 10, 0);

/// As many requests in flight may an idempotent producer have.
const IDEMPOTENT_IN_FLIGHT_MAX: usize = 5;

/// Everything that is drawn from the seed.
#[derive(Clone, Debug)]
pub(super) struct Knobs {
    pub(super) brokers: u16,
    pub(super) topic_count: usize,
    pub(super) partitions: i32,
    pub(super) core: Config,
    /// Of the brokers, in turn; none: all are as new as they can be.
    releases: Vec<(u16, u16, u16)>,
    answers_without_acks: bool,
    pub(super) first_epoch: i16,
    replicas: Replicas,
    pub(super) network: NetworkConfig,
    pub(super) faults: Vec<Habit>,
    pub(super) fault_percent: u64,
    pub(super) flush_percent: u64,
    /// How often a call that waits is given up.
    pub(super) cancel_percent: u64,
    /// How often a record is sent from within a completion.
    pub(super) echo_percent: u64,
    pub(super) placed_percent: u64,
    pub(super) value_bytes_max: usize,
    pub(super) actions: u64,
    /// The chaos ends when so many records were drawn.
    pub(super) records_max: u64,
    pub(super) burst_max: u64,
    pub(super) pause: Span,
    /// One broker stays bad for a while when everything else has healed.
    pub(super) is_damaged: bool,
    /// The producer is closed amid the faults, within so long; none: after everything healed.
    pub(super) close_amid: Option<Duration>,
}

impl Knobs {
    /// What the profile leaves open is drawn.
    pub(super) fn draw(profile: Profile, entropy: &mut Entropy) -> Self {
        let mut knobs = Self::draw_all(profile, entropy);
        profile.shape(&mut knobs, entropy);
        knobs
    }

    fn draw_all(profile: Profile, entropy: &mut Entropy) -> Self {
        let retries = entropy.pick(&[0, 1, 5, 1_000_000]);
        let core = draw_config(entropy, retries);
        let mut network = draw_network(entropy);
        if core.request_timeout <= ms(1_000) && network.write_bytes_max.is_some() {
            // A request must fit through the transport within its timeout, or nothing ever does.
            network.write_bytes_max = network.write_bytes_max.max(Some(50));
        }
        let is_restless = core.retry_backoff.is_zero() || core.reconnect_backoff.is_zero();
        if core.metadata_max_age <= ms(1) || is_restless {
            // Answers without end, and each in a hundred pieces, would be all that a run is about.
            network.chunk_bytes_max = network.chunk_bytes_max.map(|bytes| bytes.max(500));
        }
        let faults = Kind::ALL
            .into_iter()
            .filter_map(|kind| {
                let is_on = entropy.chance(50);
                is_on.then(|| Habit::draw(kind, entropy))
            })
            .collect();
        let mut knobs = Self {
            brokers: entropy.pick(&[1, 2, 3, 5]),
            topic_count: entropy.pick(&[1, 1, 2, 3]),
            partitions: entropy.pick(&[1, 2, 6]),
            core,
            releases: draw_releases(entropy),
            answers_without_acks: entropy.chance(25),
            first_epoch: 0,
            replicas: draw_replicas(entropy),
            network,
            faults,
            fault_percent: entropy.pick(&[0, 10, 30, 60]),
            flush_percent: entropy.pick(&[0, 0, 5, 30]),
            cancel_percent: entropy.pick(&[0, 0, 20]),
            echo_percent: entropy.pick(&[0, 0, 20]),
            placed_percent: entropy.pick(&[0, 50, 100]),
            value_bytes_max: entropy.pick(&[0, 40, 500, 3_000]),
            actions: entropy.pick(&[10, 30, 80]),
            records_max: u64::MAX,
            burst_max: entropy.pick(&[1, 4, 20]),
            pause: draw_span(entropy, &[0, 1, 20, 200]),
            close_amid: draw_close_amid(entropy),
            is_damaged: entropy.chance(30),
        };
        knobs.is_damaged &= knobs.brokers > 1;
        if knobs.is_damaged {
            // Somebody else has to lead what the missing broker led.
            knobs.replicas.factor = knobs.replicas.factor.max(2);
        }
        draw_partitioner(entropy, &mut knobs.core);
        if entropy.chance(profile.idempotent_percent()) {
            knobs.draw_idempotence(entropy);
        }
        knobs.core.api_version = draw_api_version(entropy, &knobs.releases);
        knobs
    }

    /// Every record is to be written once: what that needs, and where numbers and epochs begin.
    fn draw_idempotence(&mut self, entropy: &mut Entropy) {
        let core = &mut self.core;
        core.enable_idempotence = true;
        core.acks = Acks::All;
        core.retries = core.retries.max(entropy.pick(&[1, 5, 1_000_000]));
        let in_flight = &mut core.max_in_flight_requests_per_connection;
        *in_flight = (*in_flight).min(IDEMPOTENT_IN_FLIGHT_MAX);
        core.resolve_timeout = ms(entropy.pick(&[0, 0, 500, 10_000]));
        let mut oldest = FIRST_OF_TODAY;
        if entropy.chance(20) {
            core.first_sequence = i32::MAX - entropy.pick(&[0, 1, 5, 20]);
            oldest = FIRST_TO_BEGIN_ANYWHERE;
        }
        if entropy.chance(20) {
            self.first_epoch = i16::MAX - entropy.pick(&[0, 0, 1, 2]);
        }
        self.releases.retain(|release| *release >= oldest);
    }

    /// Whether all brokers are as new as they can be, at first.
    pub(super) const fn are_newest(&self) -> bool {
        self.releases.is_empty()
    }

    /// Whether batches are sent again until their time is over.
    pub(super) fn tries_on(&self) -> bool {
        u64::from(self.core.retries) >= RETRIES_UNLIMITED
    }

    /// Brokers that the cluster named are never given up for the bootstrap servers.
    pub(super) fn never_start_over(&mut self) {
        self.core.metadata_recovery_strategy = MetadataRecovery::None;
        // It counts for nothing now, and is refused.
        self.core.metadata_recovery_rebootstrap_trigger =
            Config::default().metadata_recovery_rebootstrap_trigger;
    }

    /// Where the run begins.
    pub(super) fn stage(&self, seed: u64) -> Stage {
        Stage {
            seed,
            core: self.core.clone(),
            brokers: self.brokers,
            releases: self.releases.clone(),
            answers_without_acks: self.answers_without_acks,
            first_epoch: self.first_epoch,
            replicas: self.replicas,
            network: self.network,
            topics: vec![self.partitions; self.topic_count],
        }
    }

    /// Whom its faults may strike.
    pub(super) fn targets(&self) -> Targets {
        let named = |index| (format!("t{index}"), self.partitions);
        Targets {
            brokers: self.brokers,
            topics: (0..self.topic_count).map(named).collect(),
            upgrades: self.upgrades(),
            is_idempotent: self.core.enable_idempotence,
        }
    }

    pub(super) fn draw_topic(&self, entropy: &mut Entropy) -> (String, i32) {
        (
            format!("t{}", entropy.index(self.topic_count)),
            self.partitions,
        )
    }

    /// A partition that exists at first.
    pub(super) fn draw_place(&self, entropy: &mut Entropy) -> (String, i32) {
        let (topic, partitions) = self.draw_topic(entropy);
        let partition = entropy.below(u64::try_from(partitions).expect("positive"));
        (topic, i32::try_from(partition).expect("below an i32"))
    }

    /// One of the kinds that are on, by their rates.
    pub(super) fn draw_kind(&self, entropy: &mut Entropy) -> Option<Kind> {
        let total: u64 = self.faults.iter().map(|habit| habit.rate).sum();
        let mut rest = if total == 0 { 0 } else { entropy.below(total) };
        let drawn = self.faults.iter().find(|habit| {
            let is_it = rest < habit.rate;
            rest = rest.saturating_sub(habit.rate);
            is_it
        });
        drawn.map(|habit| habit.kind)
    }

    /// How long a kind of fault lasts at least.
    pub(super) fn lasts(&self, kind: Kind) -> Duration {
        let habit = self.faults.iter().find(|habit| habit.kind == kind);
        habit.map_or(Duration::ZERO, |habit| habit.at_least)
    }

    /// Releases that can live beside the brokers' own, and that the producer can talk to; none:
    /// the producer was told what all speak.
    fn upgrades(&self) -> Vec<(u16, u16, u16)> {
        if self.core.api_version != ApiVersion::Auto {
            return Vec::new();
        }
        let are_newest = self.are_newest();
        let first = if self.core.first_sequence > 0 {
            FIRST_TO_BEGIN_ANYWHERE
        } else if are_newest || self.core.enable_idempotence {
            FIRST_OF_TODAY
        } else {
            FIRST_TO_TELL
        };
        let able = RELEASES.into_iter().filter(|release| *release >= first);
        able.collect()
    }
}

fn draw_span(entropy: &mut Entropy, millis: &[u64]) -> Span {
    let (one, other) = (entropy.pick(millis), entropy.pick(millis));
    Span::between(ms(one.min(other)), ms(one.max(other)))
}

fn draw_config(entropy: &mut Entropy, retries: u32) -> Config {
    let mut config = Config::default();
    config.acks = entropy.pick(&[Acks::None, Acks::Leader, Acks::All, Acks::All]);
    config.retries = retries;
    config.compression = entropy.pick(&[
        Codec::None,
        Codec::None,
        Codec::Gzip,
        Codec::Snappy,
        Codec::Lz4,
    ]);
    config.batch_size = entropy.pick(&[0, 1, 200, 1_000, 16_384, 1_000_000]);
    config.linger = ms(entropy.pick(&[0, 0, 5, 100]));
    config.buffer_memory = entropy.pick(&[256, 4_000, 20_000, 33_554_432]);
    config.max_block = ms(entropy.pick(&[0, 100, 2_000, 60_000]));
    config.max_request_size = entropy.pick(&[256, 4_000, 20_000, 1_048_576]);
    config.metadata_max_age = ms(entropy.pick(&[1, 300, 5_000, 300_000]));
    // Not drawn, so that seeds go on to mean what they did.
    config.metadata_recovery_rebootstrap_trigger = config.metadata_max_age * 2;
    config.retry_backoff = ms(entropy.pick(&[0, 1, 5, 20, 100]));
    config.retry_backoff_max = Some(ms(entropy.pick(&[100, 1_000])));
    config.backoff_jitter_percent = entropy.pick(&[0, 20, 100]);
    config.reconnect_backoff = ms(entropy.pick(&[0, 1, 5, 50]));
    config.reconnect_backoff_max = Some(ms(entropy.pick(&[50, 1_000])));
    config.request_timeout = ms(entropy.pick(&[400, 1_000, 30_000]));
    config.socket_connection_setup_timeout = ms(entropy.pick(&[200, 10_000]));
    config.socket_connection_setup_timeout_max = Some(config.socket_connection_setup_timeout * 2);
    let mut slack = ms(entropy.pick(&[0, 300, 5_000, 120_000]));
    if config.retry_backoff.is_zero() || config.reconnect_backoff.is_zero() {
        // Without a pause, what is missing is asked for as fast as the network goes: not for long.
        config.max_block = config.max_block.min(ms(100));
        config.request_timeout = ms(400);
        slack = slack.min(ms(300));
    }
    config.delivery_timeout = Some(config.linger + config.request_timeout + slack);
    config.max_in_flight_requests_per_connection = entropy.pick(&[1, 1, 2, 5, 1_000]);
    config.connections_max_idle = ms(entropy.pick(&[1, 60, 2_000, 540_000, 540_000]));
    if config.metadata_max_age <= ms(1) {
        // Connecting anew for each answer, something is on the wire at any time: it is never quiet.
        config.connections_max_idle = config.connections_max_idle.max(ms(60));
    }
    config
}

/// Brokers of one release, or of two while they are upgraded, or (none) all of the newest.
fn draw_releases(entropy: &mut Entropy) -> Vec<(u16, u16, u16)> {
    if entropy.chance(60) {
        return Vec::new();
    }
    let (one, other) = (entropy.pick(&RELEASES), entropy.pick(&RELEASES));
    if entropy.chance(50) {
        return vec![one];
    }
    vec![one, other]
}

/// Told where the brokers cannot tell, and now and then where they can: of the oldest of them.
fn draw_api_version(entropy: &mut Entropy, releases: &[(u16, u16, u16)]) -> ApiVersion {
    let Some((major, minor, patch)) = releases.iter().min().copied() else {
        return ApiVersion::Auto;
    };
    if (major, minor) >= (0, 10) && entropy.chance(60) {
        return ApiVersion::Auto;
    }
    let release = format!("{major}.{minor}.{patch}").parse();
    ApiVersion::Release(release.expect("a release"))
}

fn draw_close_amid(entropy: &mut Entropy) -> Option<Duration> {
    let within = ms(entropy.pick(&[0, 1, 50, 1_000, 300_000]));
    entropy.chance(20).then_some(within)
}

fn draw_partitioner(entropy: &mut Entropy, config: &mut Config) {
    if entropy.chance(30) {
        return;
    }
    config.partitioner = entropy.pick(&Partitioner::ALL);
    let is_uniform = config.partitioner == Partitioner::UniformSticky;
    if is_uniform
        || matches!(
            config.partitioner,
            Partitioner::Default | Partitioner::Sticky
        )
    {
        config.partitioner_ignore_keys = entropy.chance(30);
    }
    config.partitioner_adaptive = !is_uniform || entropy.chance(75);
    if is_uniform && config.partitioner_adaptive {
        config.partitioner_availability_timeout = ms(entropy.pick(&[0, 1, 100, 2_000]));
    }
}

/// Followers that are slow hold every request with acks=all up: a backlog must go through in time.
fn draw_replicas(entropy: &mut Entropy) -> Replicas {
    Replicas {
        factor: entropy.pick(&[1, 2, 3, 3, 3]),
        min_in_sync: entropy.pick(&[1, 2]),
        fetch: ms(entropy.pick(&[0, 0, 5])),
        lag_max: ms(entropy.pick(&[200, 2_000, 2_000, 30_000])),
    }
}

fn draw_network(entropy: &mut Entropy) -> NetworkConfig {
    // Never zero: a core that is told not to pause would then go round in no time at all.
    let latencies = [50, 100, 1_000, 20_000];
    let (one, other) = (entropy.pick(&latencies), entropy.pick(&latencies));
    let micros = Duration::from_micros;
    let is_slow = entropy.chance(30);
    NetworkConfig {
        latency: Span::between(micros(one.min(other)), micros(one.max(other))),
        seal: draw_span(entropy, &[0, 0, 1, 5]),
        write_bytes_max: entropy.pick(&[None, None, Some(7), Some(50), Some(2_000)]),
        write_pause: Span::between(Duration::ZERO, micros(200)),
        chunk_bytes_max: entropy.pick(&[None, None, Some(3), Some(20), Some(500)]),
        slow_links: is_slow.then(|| SlowLinks {
            percent: 40,
            extra: Span::between(ms(50), ms(3_000)),
        }),
    }
}

impl fmt::Display for Knobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "brokers {} topics {} of {} partitions, actions {} burst {} pause {:?}",
            self.brokers,
            self.topic_count,
            self.partitions,
            self.actions,
            self.burst_max,
            self.pause,
        )?;
        writeln!(f, "faults {}% of {:?}", self.fault_percent, self.faults)?;
        writeln!(
            f,
            "releases {:?}, answers without acks: {}, first epoch: {}, closed amid faults: {:?}, \
             damaged: {}",
            self.releases,
            self.answers_without_acks,
            self.first_epoch,
            self.close_amid,
            self.is_damaged
        )?;
        writeln!(f, "{:?}", self.replicas)?;
        writeln!(f, "{:?}", self.network)?;
        write!(f, "{:?}", self.core)
    }
}
