//! What makes a plan plainer, one small change at a time.
//!
//! Every edit leaves a plan that is as fair as before: what it asks of the cluster can be had. And
//! each takes something away that none brings back, so that there is an end.

use core::time::Duration;

use titorelli::config::{KEYS, Key};
use titorelli::{ApiVersion, Purge};

use crate::cluster::BrokerId;
use crate::fault::Fault;
use crate::journal::OwnedRecord;
use crate::network::NetworkConfig;
use crate::plan::{Damage, Plan, Replicas, Stage, Step};
use crate::story::ms;

/// The keys that say how long something is tried.
const PATIENCE: [&str; 3] = ["request_timeout_ms", "delivery_timeout_ms", "max_block_ms"];

/// One change.
#[derive(Clone, Debug)]
pub(super) enum Edit {
    /// One after the other. What one alone breaks, another may mend.
    All(Vec<Edit>),
    /// Every pause lasts until nothing is under way.
    Patience,
    /// Every record goes to the first partition.
    Placed,
    /// Latencies and randomness of seed 0.
    Seed,
    /// These keys have their defaults.
    Core(Vec<&'static Key>),
    /// The network is this one.
    Network(NetworkConfig),
    /// Topics are replicated like this.
    Replicas(Replicas),
    /// Brokers are of these releases, and the producer is told so.
    Releases(Vec<(u16, u16, u16)>, ApiVersion),
    /// Nothing is answered without acks.
    Unanswered,
    /// Producer ids are handed out with epoch 0.
    FirstEpoch,
    /// There are so many brokers, and each of the others is one of them.
    Brokers(u16),
    /// There are so many topics, and each of the others is one of them.
    Topics(usize),
    /// No topic has more than so many partitions, and each of the others is one of them.
    Partitions(i32),
    /// The step at this place is another.
    Step(usize, Step),
    /// The pause at this place and the next are one.
    Merge(usize, Duration),
    /// The records are numbered in turn.
    Renumber,
}

/// Everything that may be tried, the greatest changes first.
pub(super) fn edits(plan: &Plan) -> Vec<Edit> {
    let stage = &plan.stage;
    let mut edits = together(plan);
    edits.extend((1..stage.brokers).map(Edit::Brokers));
    edits.extend((1..stage.topics.len()).map(Edit::Topics));
    let partitions = stage.topics.iter().copied().max().unwrap_or(1);
    edits.extend((1..partitions).map(Edit::Partitions));
    edits.extend(networks(&stage.network).into_iter().map(Edit::Network));
    edits.extend(replicas(&stage.replicas).into_iter().map(Edit::Replicas));
    edits.extend(releases(stage));
    if stage.answers_without_acks {
        edits.push(Edit::Unanswered);
    }
    if stage.first_epoch != 0 {
        edits.push(Edit::FirstEpoch);
    }
    edits.extend(keys(stage));
    if stage.seed != 0 {
        edits.push(Edit::Seed);
    }
    for (index, step) in plan.steps.iter().enumerate() {
        if let (Step::Wait(one), Some(Step::Wait(other))) = (step, plan.steps.get(index + 1)) {
            edits.push(Edit::Merge(index, *one + *other));
        }
        edits.extend(
            plainer(step)
                .into_iter()
                .map(|step| Edit::Step(index, step)),
        );
    }
    edits
}

/// Changes that help only if they are made everywhere, or with others.
fn together(plan: &Plan) -> Vec<Edit> {
    let stage = &plan.stage;
    let alone = [Edit::Brokers(1), Edit::Topics(1), Edit::Partitions(1)];
    let mut edits = Vec::new();
    if stage.brokers > 1 || stage.topics != [1] {
        edits.push(Edit::All(alone.to_vec()));
    }
    let mut everywhere = vec![Edit::Patience, Edit::Placed];
    everywhere.retain(|edit| edit.apply(plan) != *plan);
    if everywhere.len() > 1 {
        edits.push(Edit::All(everywhere.clone()));
    }
    edits.extend(everywhere);
    if !edits.is_empty() {
        edits.insert(0, Edit::All(edits.clone()));
    }
    edits
}

impl Edit {
    /// The plan with this change.
    pub(super) fn apply(&self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        let stage = &mut plan.stage;
        match self {
            Self::All(edits) => {
                for edit in edits {
                    plan = edit.apply(&plan);
                }
            }
            Self::Patience => each_step(&mut plan, |step| {
                if let Step::Wait(_) = step {
                    *step = Step::Settle;
                }
            }),
            Self::Placed => each_step(&mut plan, |step| {
                if let Step::Send(record) | Step::Echo(record) = step {
                    record.partition = Some(0);
                }
            }),
            Self::Seed => stage.seed = 0,
            Self::Core(keys) => {
                for key in keys {
                    let is_set = stage.core.set(key.name, key.default);
                    is_set.expect("the table's own default");
                }
            }
            Self::Network(network) => stage.network = *network,
            Self::Replicas(replicas) => stage.replicas = *replicas,
            Self::Releases(releases, api_version) => {
                stage.releases.clone_from(releases);
                stage.core.api_version = *api_version;
            }
            Self::Unanswered => stage.answers_without_acks = false,
            Self::FirstEpoch => stage.first_epoch = 0,
            Self::Brokers(count) => {
                stage.brokers = *count;
                each_broker(&mut plan, |id| (id - 1) % i32::from(*count) + 1);
            }
            Self::Topics(count) => {
                stage.topics.truncate(*count);
                each_place(&mut plan, |topic, _| {
                    // Topics have a t and a number; others there are none.
                    let number = topic.strip_prefix('t').and_then(|text| text.parse().ok());
                    *topic = format!("t{}", number.unwrap_or(0_usize) % count);
                });
            }
            Self::Partitions(count) => {
                for partitions in &mut stage.topics {
                    *partitions = (*partitions).min(*count);
                }
                each_place(&mut plan, |_, partition| {
                    *partition = partition.map(|partition| partition % count);
                });
            }
            Self::Step(index, step) => plan.steps[*index] = step.clone(),
            Self::Merge(index, pause) => {
                plan.steps.remove(*index);
                plan.steps[*index] = Step::Wait(*pause);
            }
            Self::Renumber => renumber(&mut plan),
        }
        plan
    }
}

// ---- The stage --------------------------------------------------------------------------------

/// The default network, and this one with one thing of it.
fn networks(network: &NetworkConfig) -> Vec<NetworkConfig> {
    let plain = NetworkConfig::default();
    let mut plainer = vec![
        plain,
        NetworkConfig {
            latency: plain.latency,
            ..*network
        },
        NetworkConfig {
            seal: plain.seal,
            ..*network
        },
        NetworkConfig {
            write_bytes_max: None,
            ..*network
        },
        NetworkConfig {
            write_pause: plain.write_pause,
            ..*network
        },
        NetworkConfig {
            chunk_bytes_max: None,
            ..*network
        },
        NetworkConfig {
            slow_links: None,
            ..*network
        },
    ];
    plainer.retain(|plainer| plainer != network);
    plainer
}

/// The default replication, and this one with one thing of it.
fn replicas(replicas: &Replicas) -> Vec<Replicas> {
    let plain = Replicas::default();
    let mut plainer = vec![
        plain,
        Replicas {
            factor: plain.factor,
            ..*replicas
        },
        Replicas {
            min_in_sync: plain.min_in_sync,
            ..*replicas
        },
        Replicas {
            fetch: plain.fetch,
            ..*replicas
        },
        Replicas {
            lag_max: plain.lag_max,
            ..*replicas
        },
    ];
    plainer.retain(|plainer| plainer != replicas);
    plainer
}

/// Fewer releases. What the producer is told goes with them: it must be something that all speak.
fn releases(stage: &Stage) -> Vec<Edit> {
    let Some(oldest) = stage.releases.iter().min().copied() else {
        return Vec::new();
    };
    let told = stage.core.api_version;
    let mut edits = vec![Edit::Releases(Vec::new(), ApiVersion::Auto)];
    if stage.releases.len() > 1 {
        edits.push(Edit::Releases(vec![oldest], told));
    }
    if told != ApiVersion::Auto && (oldest.0, oldest.1) >= (0, 10) {
        edits.push(Edit::Releases(stage.releases.clone(), ApiVersion::Auto));
    }
    edits
}

/// All keys that have another value than their default, then each of them.
fn keys(stage: &Stage) -> Vec<Edit> {
    let changed: Vec<&'static Key> = changed_keys(stage).collect();
    // Without a pause, what is missing is asked for as fast as the network goes: not for longer.
    let is_restless = stage.core.retry_backoff.is_zero() || stage.core.reconnect_backoff.is_zero();
    let is_patience = |key: &&Key| PATIENCE.contains(&key.name);
    let each = changed.iter().copied();
    let each = each.filter(|key| !is_restless || !is_patience(key));
    let mut edits: Vec<Edit> = each.map(|key| Edit::Core(vec![key])).collect();
    if changed.len() > 1 {
        edits.insert(0, Edit::Core(changed));
    }
    edits
}

/// The keys with another value than their default, but what is told of the brokers' release.
fn changed_keys(stage: &Stage) -> impl Iterator<Item = &'static Key> {
    KEYS.iter().filter(|key| {
        let is_default = key.value_in(&stage.core) == key.default;
        !is_default && key.name != "api_version"
    })
}

// ---- The steps --------------------------------------------------------------------------------

/// Steps that do less of the same.
fn plainer(step: &Step) -> Vec<Step> {
    match step {
        // How long things take is of no account when they may end.
        Step::Wait(span) => [Step::Settle]
            .into_iter()
            .chain(shorter(*span).into_iter().map(Step::Wait))
            .collect(),
        Step::Send(record) => slimmer(record).into_iter().map(Step::Send).collect(),
        Step::Echo(record) => {
            let echoes = slimmer(record).into_iter().map(Step::Echo);
            [Step::Send(record.clone())]
                .into_iter()
                .chain(echoes)
                .collect()
        }
        Step::Inflict(fault) => milder(fault).into_iter().map(Step::Inflict).collect(),
        Step::Damage(broker, Damage::Swallowed) => {
            vec![Step::Heal, Step::Damage(*broker, Damage::Down)]
        }
        Step::Damage(..) => vec![Step::Heal],
        Step::Withdraw(nth @ 1..) => vec![Step::Withdraw(0), Step::Withdraw(nth / 2)],
        Step::Purge(Purge::All) => vec![Step::Purge(Purge::Queued), Step::Purge(Purge::InFlight)],
        Step::Settle
        | Step::Flush
        | Step::Cancel
        | Step::Withdraw(0)
        | Step::Purge(_)
        | Step::Heal
        | Step::Close(_) => Vec::new(),
    }
}

/// A millisecond; half of it, or whole milliseconds.
fn shorter(span: Duration) -> Vec<Duration> {
    let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let candidates = [ms(1), ms(millis / 2), ms(millis - millis / 8), ms(millis)];
    let mut shorter: Vec<Duration> = candidates
        .into_iter()
        .filter(|candidate| !candidate.is_zero() && *candidate < span)
        .collect();
    shorter.dedup();
    shorter
}

/// Records to the first partition, without one of their parts, or with less of a value.
fn slimmer(record: &OwnedRecord) -> Vec<OwnedRecord> {
    let mut slimmer = Vec::new();
    if record.partition != Some(0) {
        // Where the partitioner would send it may be chance.
        slimmer.push(OwnedRecord {
            partition: Some(0),
            ..record.clone()
        });
    }
    let value = record.value.as_deref().unwrap_or_default();
    let least = number_of(value).len();
    let halved = least + (value.len() - least) / 2;
    for length in [least, halved] {
        if length < value.len() {
            slimmer.push(OwnedRecord {
                value: Some(value[..length].to_vec()),
                ..record.clone()
            });
        }
    }
    slimmer.dedup();
    if record.key.is_some() {
        slimmer.push(OwnedRecord {
            key: None,
            ..record.clone()
        });
    }
    if !record.headers.is_empty() {
        slimmer.push(OwnedRecord {
            headers: Vec::new(),
            ..record.clone()
        });
    }
    if record.timestamp_ms.is_some() {
        slimmer.push(OwnedRecord {
            timestamp_ms: None,
            ..record.clone()
        });
    }
    slimmer
}

/// What makes a record's value unlike all others: its number and a colon.
fn number_of(value: &[u8]) -> &[u8] {
    let colon = value.iter().position(|byte| *byte == b':');
    colon.map_or(value, |colon| &value[..=colon])
}

/// Faults that last shorter, or cut off earlier.
fn milder(fault: &Fault) -> Vec<Fault> {
    let sizes = |bytes: usize| {
        let sizes = [0, bytes / 2];
        sizes.into_iter().filter(move |size| *size < bytes)
    };
    match fault {
        Fault::CutRequestsAfter(broker, bytes) => {
            let milder = sizes(*bytes).map(|bytes| Fault::CutRequestsAfter(*broker, bytes));
            // Often all that counts is that a request is not answered.
            milder
                .chain([Fault::CutResponsesAfter(*broker, 0)])
                .collect()
        }
        Fault::CutResponsesAfter(broker, bytes) => sizes(*bytes)
            .map(|bytes| Fault::CutResponsesAfter(*broker, bytes))
            .collect(),
        Fault::Clog(broker, bytes) => sizes(*bytes)
            .map(|bytes| Fault::Clog(*broker, bytes))
            .collect(),
        Fault::Delay(broker, extra) => shorter(*extra)
            .into_iter()
            .map(|extra| Fault::Delay(*broker, extra))
            .collect(),
        Fault::Starve(span) => shorter(*span).into_iter().map(Fault::Starve).collect(),
        Fault::Leap(span) => shorter(*span).into_iter().map(Fault::Leap).collect(),
        Fault::ElectUnclean {
            topic,
            partition,
            leader,
        }
        | Fault::ReplaceLeader {
            topic,
            partition,
            leader,
        } => vec![Fault::MoveLeader {
            topic: topic.clone(),
            partition: *partition,
            leader: *leader,
        }],
        Fault::LimitBatches(topic, ..1_000) => vec![Fault::LimitBatches(topic.clone(), 1_000)],
        Fault::Recreate(topic, 2..) => vec![Fault::Recreate(topic.clone(), 1)],
        Fault::Cut(_)
        | Fault::Silence(_)
        | Fault::Swallow(_)
        | Fault::Stall(_)
        | Fault::Admit(_)
        | Fault::MoveLeader { .. }
        | Fault::HoldReplicas(_)
        | Fault::FreeReplicas(_)
        | Fault::Down(_)
        | Fault::Up(_)
        | Fault::FailNext { .. }
        | Fault::ForgetProducers(..)
        | Fault::RefuseId(_)
        | Fault::LimitBatches(..)
        | Fault::LiftLimit(_)
        | Fault::Throttle(..)
        | Fault::Permit(..)
        | Fault::AddPartition(_)
        | Fault::Garble(..)
        | Fault::Distort(..)
        | Fault::Restart(_)
        | Fault::Upgrade(..)
        | Fault::Lag(_)
        | Fault::Blank(_)
        | Fault::Mislead(..)
        | Fault::CatchUp(_)
        | Fault::Readdress(_)
        | Fault::SwapAddresses(..)
        | Fault::Delete(_)
        | Fault::Recreate(..) => Vec::new(),
    }
}

fn each_step(plan: &mut Plan, change: impl Fn(&mut Step)) {
    plan.steps.iter_mut().for_each(change);
}

/// Gives every broker in the steps another id.
fn each_broker(plan: &mut Plan, other: impl Fn(i32) -> i32) {
    let other = |id: &mut BrokerId| *id = BrokerId(other(id.0));
    for step in &mut plan.steps {
        match step {
            Step::Damage(broker, _) => other(broker),
            Step::Inflict(fault) => fault.brokers_mut().into_iter().for_each(other),
            Step::Wait(_)
            | Step::Settle
            | Step::Send(_)
            | Step::Echo(_)
            | Step::Flush
            | Step::Cancel
            | Step::Withdraw(_)
            | Step::Purge(_)
            | Step::Heal
            | Step::Close(_) => {}
        }
    }
}

/// Changes every topic, and every partition of one, in the steps.
fn each_place(plan: &mut Plan, change: impl Fn(&mut String, &mut Option<i32>)) {
    for step in &mut plan.steps {
        match step {
            Step::Send(record) | Step::Echo(record) => {
                change(&mut record.topic, &mut record.partition);
            }
            Step::Inflict(fault) => {
                let Some((topic, partition)) = fault.place_mut() else {
                    continue;
                };
                let mut number = partition.as_deref().copied();
                change(topic, &mut number);
                if let (Some(partition), Some(number)) = (partition, number) {
                    *partition = number;
                }
            }
            Step::Wait(_)
            | Step::Settle
            | Step::Flush
            | Step::Cancel
            | Step::Withdraw(_)
            | Step::Purge(_)
            | Step::Damage(..)
            | Step::Heal
            | Step::Close(_) => {}
        }
    }
}

/// Numbers the records from 0, in the order of the steps.
fn renumber(plan: &mut Plan) {
    let mut next = 0_u64;
    for step in &mut plan.steps {
        if let Step::Send(record) | Step::Echo(record) = step
            && let Some(value) = &mut record.value
        {
            let number = format!("{next}:").into_bytes();
            let least = number_of(value).len();
            value.splice(..least, number);
            next += 1;
        }
    }
}
