//! One seed, one whole run: topology, configuration, workload and faults are drawn from it.
//!
//! All of it is drawn before anything runs, as a [`Plan`]. The phases: *chaos*, with faults;
//! *damage*, where everything is well but one broker, which stays away, or deaf, or sends everybody
//! away: what is under way must end, and every partition must take a record; *heal*, the same
//! without any fault. Or the producer is closed amid the chaos. Each knob and each kind of fault is
//! off for a good part of the seeds (swarm testing), so that no fault hides another.

mod faults;
mod forbidding;
mod knobs;
mod profile;
mod taking;

use core::fmt::{self, Write};
use core::time::Duration;

use crate::check;
use crate::entropy::Entropy;
use crate::fault::Fault;
use crate::journal::OwnedRecord;
use crate::plan::{Damage, Plan, Step};
use crate::run::Run;
use crate::sight::Sights;
use crate::timeline::Telling;

use faults::Lasting;
pub(crate) use faults::{Kind, Targets};
use forbidding::Forbidding;
use knobs::Knobs;
pub use profile::Profile;
use taking::Taking;

/// A number and a colon.
const NUMBER_BYTES_MAX: usize = 21;
/// Most runs have fewer steps.
const STEPS_EXPECTED: usize = 128;
/// How long `close` may take in a healed world.
const CLOSE_WITHIN: Duration = Duration::from_secs(300);

/// How many of a hundred records go to a topic that there never is.
const STRANGE_TOPIC_PERCENT: u64 = 1;
/// A name that nobody creates, and some that are none.
const STRANGE_TOPICS: [&str; 4] = ["nowhere", "a topic", "..", ""];

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
    /// A checksum over everything that the core wanted sent, what became of it, and when.
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
pub fn banner(profile: Profile, seed: u64) -> String {
    Knobs::draw(profile, &mut Entropy::new(seed)).to_string()
}

/// Runs one seed, and tells of it.
///
/// # Panics
/// Something does not hold that must always hold; the message begins with the invariant's name.
#[must_use]
pub fn run_seed(profile: Profile, seed: u64, telling: Telling) -> Summary {
    let plan = draw(profile, seed);
    let mut run = Run::told(&plan.stage, telling);
    plan.steps.into_iter().for_each(|step| run.take(step));
    summary(&run)
}

/// The run that a seed draws.
#[must_use]
pub fn draw(profile: Profile, seed: u64) -> Plan {
    let mut entropy = Entropy::new(seed);
    let knobs = Knobs::draw(profile, &mut entropy);
    let mut drawing = Drawing {
        targets: knobs.targets(),
        knobs,
        entropy,
        steps: Vec::with_capacity(STEPS_EXPECTED),
        numbered: 0,
        clock: Duration::ZERO,
        lasting: Vec::new(),
    };
    drawing.draw_chaos();
    let mut taking = Taking::draw(seed);
    taking.spread(&mut drawing.steps);
    taking.shape(&mut drawing.knobs.core);
    taking.widen_gaps(&drawing.knobs, &mut drawing.steps);
    let mut forbidding = Forbidding::draw(seed, &drawing.knobs.core);
    forbidding.shape(&mut drawing.knobs);
    forbidding.spread(&drawing.knobs, &mut drawing.steps);
    if let Some(within) = drawing.knobs.close_amid {
        drawing.steps.push(Step::Close(within));
    } else {
        drawing.draw_end();
    }
    Plan {
        stage: drawing.knobs.stage(seed),
        steps: drawing.steps,
    }
}

/// A plan that is being drawn.
struct Drawing {
    knobs: Knobs,
    targets: Targets,
    entropy: Entropy,
    steps: Vec<Step>,
    /// How long the pauses so far take: no more than the run.
    clock: Duration,
    /// Faults that end some time.
    lasting: Vec<Lasting>,
    /// Records so far: each has its number in its value, so that no two are equal.
    numbered: u64,
}

impl Drawing {
    fn draw_chaos(&mut self) {
        for _ in 0..self.knobs.actions {
            if self.numbered >= self.knobs.records_max {
                return;
            }
            if self.entropy.chance(self.knobs.fault_percent) {
                if let Some(kind) = self.knobs.draw_kind(&mut self.entropy) {
                    self.draw_faults(kind);
                }
            } else {
                let burst = self.entropy.within(1, self.knobs.burst_max);
                let burst = burst.min(self.knobs.records_max - self.numbered);
                for _ in 0..burst {
                    let record = self.draw_record();
                    let is_echo = self.entropy.chance(self.knobs.echo_percent);
                    let send = if is_echo { Step::Echo } else { Step::Send };
                    self.steps.push(send(record));
                }
            }
            if self.entropy.chance(self.knobs.flush_percent) {
                self.steps.push(Step::Flush);
            }
            if self.entropy.chance(self.knobs.cancel_percent) {
                self.steps.push(Step::Cancel);
            }
            let pause = self.entropy.span(self.knobs.pause);
            self.steps.push(Step::Wait(pause));
            self.clock += pause;
            self.draw_ends();
        }
    }

    /// Perhaps damage, then a healed world, in which the producer is closed.
    fn draw_end(&mut self) {
        if self.knobs.is_damaged {
            let broker = self.draw_broker();
            let damage = self.draw_damage();
            self.steps.push(Step::Damage(broker, damage));
        }
        self.steps.push(Step::Heal);
        // Something is under way, half of the time.
        if self.entropy.chance(50) {
            let record = self.draw_record();
            self.steps.push(Step::Send(record));
        }
        self.steps.push(Step::Close(CLOSE_WITHIN));
    }

    fn draw_damage(&mut self) -> Damage {
        let drawn = self.entropy.pick(&[
            Damage::Down,
            Damage::Swallowed,
            Damage::Deaf,
            Damage::SendsAway,
        ]);
        match drawn {
            // Older releases have no word for it.
            Damage::SendsAway if !self.knobs.are_newest() => Damage::Down,
            // Without epochs nobody can tell what is old from what is new: what is sent again only
            // a few times may meet no other.
            Damage::Deaf if !self.knobs.are_newest() && !self.knobs.tries_on() => Damage::Down,
            Damage::SendsAway => {
                if self.entropy.chance(30) && !self.steps.iter().any(may_lead_astray) {
                    self.knobs.never_start_over();
                }
                drawn
            }
            Damage::Down | Damage::Swallowed | Damage::Deaf => drawn,
        }
    }

    pub(super) fn draw_record(&mut self) -> OwnedRecord {
        let (mut topic, partitions) = self.knobs.draw_topic(&mut self.entropy);
        if self.entropy.chance(STRANGE_TOPIC_PERCENT) {
            topic = String::from(self.entropy.pick(&STRANGE_TOPICS));
        }
        let number = self.numbered;
        self.numbered += 1;
        let size = self.entropy.index(self.knobs.value_bytes_max + 1);
        let mut value = String::with_capacity(size.max(NUMBER_BYTES_MAX));
        write!(value, "{number}:").expect("a string takes all");
        let mut value = value.into_bytes();
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
}

pub(crate) fn summary(run: &Run) -> Summary {
    let world = run.world();
    let stats = world.core().stats();
    Summary {
        records: run.sent(),
        acked: stats.records_acked,
        not_persisted: stats.records_not_persisted,
        maybe_persisted: stats.records_maybe_persisted,
        rejected: check::rejected(world),
        retries: stats.retries,
        copies: check::copies(world, u64::from(world.core().config().retries)),
        virtual_ms: world.now().as_micros() / 1_000,
        digest: world.digest(),
        sights: *world.sights(),
    }
}

/// Whether it may leave the producer with no broker but one, or with places where none listens any
/// more: then it has to start over, and must not be forbidden to.
const fn may_lead_astray(step: &Step) -> bool {
    matches!(
        step,
        Step::Inflict(
            Fault::Down(_)
                | Fault::Blank(_)
                | Fault::Mislead(..)
                | Fault::Readdress(_)
                | Fault::SwapAddresses(..)
        )
    )
}
