//! Which fault strikes, whom, and how hard.

use core::time::Duration;

use super::Drawing;
use crate::cluster::{Access, BrokerId, Distortion, LOSE_ANSWER, Lie, OMIT_ANSWER, REPEAT_ID};
use crate::codec::error_code;
use crate::entropy::Entropy;
use crate::fault::{Fault, Garbling};
use crate::network::Span;
use crate::plan::Step;
use crate::story::ms;

/// What a broker answers although the batch is in the log.
const AFTER_APPEND: [i16; 4] = [
    error_code::REQUEST_TIMED_OUT,
    error_code::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    OMIT_ANSWER,
    LOSE_ANSWER,
];
/// The same of a batch with a sequence number.
const AFTER_APPEND_ONCE: [i16; 5] = [
    error_code::REQUEST_TIMED_OUT,
    error_code::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    OMIT_ANSWER,
    LOSE_ANSWER,
    error_code::DUPLICATE_SEQUENCE_NUMBER,
];
/// What a broker answers to a batch with a sequence number that it does not take.
const SEQUENCE_REFUSALS: [i16; 4] = [
    error_code::OUT_OF_ORDER_SEQUENCE_NUMBER,
    error_code::OUT_OF_ORDER_SEQUENCE_NUMBER,
    error_code::UNKNOWN_PRODUCER_ID,
    error_code::INVALID_PRODUCER_EPOCH,
];
/// How many of a hundred refusals of such batches are for the number.
const SEQUENCE_REFUSAL_PERCENT: u64 = 20;
/// What a broker answers when it has not appended.
const REFUSALS: [i16; 9] = [
    OMIT_ANSWER,
    error_code::NOT_LEADER_OR_FOLLOWER,
    error_code::UNKNOWN_TOPIC_OR_PARTITION,
    error_code::LEADER_NOT_AVAILABLE,
    error_code::NOT_ENOUGH_REPLICAS,
    error_code::KAFKA_STORAGE_ERROR,
    error_code::MESSAGE_TOO_LARGE,
    error_code::TOPIC_AUTHORIZATION_FAILED,
    error_code::POLICY_VIOLATION,
];

/// What a request for a producer id is answered; the answer is lost with the last.
const ID_REFUSALS: [i16; 6] = [
    error_code::COORDINATOR_LOAD_IN_PROGRESS,
    error_code::COORDINATOR_NOT_AVAILABLE,
    error_code::NOT_COORDINATOR,
    error_code::REQUEST_TIMED_OUT,
    error_code::UNKNOWN_SERVER_ERROR,
    LOSE_ANSWER,
];

/// How many of a hundred are refused for good: that ends the producer (S14).
const ID_FORBIDDEN_PERCENT: u64 = 3;

/// How many of a hundred refusals bear a code that nobody expects.
const ODD_REFUSAL_PERCENT: u64 = 15;

/// How many of the faults that may end do so with the next action.
const ENDED_PERCENT: u64 = 30;

/// How often a kind strikes, and how long it lasts at least if it lasts at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habit {
    pub(super) kind: Kind,
    /// Compared with those of the other kinds.
    pub(super) rate: u64,
    pub(super) at_least: Duration,
}

impl Habit {
    pub(super) fn draw(kind: Kind, entropy: &mut Entropy) -> Self {
        Self {
            kind,
            rate: entropy.pick(&[1, 1, 2, 5]),
            at_least: ms(entropy.pick(&[0, 0, 20, 500, 5_000])),
        }
    }
}

/// A fault that lasts.
#[derive(Debug)]
pub(super) struct Lasting {
    /// What ends it.
    end: Fault,
    /// When it may end, counted from the begin of the run.
    not_before: Duration,
}

/// How often nobody follows anybody, where replicas fall behind: one broker alone matters little.
const LEADERS_ALONE_PERCENT: u64 = 90;

/// A kind of fault. Broker, partition and size are drawn with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Every connection to a broker is cut.
    Cut,
    /// A request is cut at some byte.
    CutRequest,
    /// An answer is cut at some byte, often the first.
    LoseResponse,
    /// A broker's present connections fall silent.
    Silence,
    /// What is written to a broker vanishes.
    Swallow,
    /// A partition gets another leader.
    MoveLeader,
    /// A partition gets another leader under the same epoch.
    ReplaceLeader,
    /// A replica that may not be in sync leads a partition.
    ElectUnclean,
    /// A broker's replicas fall behind.
    HoldReplicas,
    /// A broker goes down.
    Down,
    /// The next batches of a partition are refused.
    Refuse,
    /// The next batch of a partition is appended and answered with an error.
    FailAfterAppend,
    /// A partition forgets producers.
    ForgetProducers,
    /// Requests for a producer id are refused.
    RefuseId,
    /// A topic takes no large batches.
    LimitBatches,
    /// A broker throttles.
    Throttle,
    /// A topic is forbidden, half or whole.
    Permit,
    /// Attempts to connect to a broker are swallowed.
    Stall,
    /// A topic gets one more partition.
    AddPartitions,
    /// A transport takes no more bytes.
    Clog,
    /// Requests take longer, and are applied late.
    Delay,
    /// An answer is none.
    Garble,
    /// An answer to Produce is not right.
    Distort,
    /// A broker closes its connections.
    Restart,
    /// A broker becomes one of another release.
    Upgrade,
    /// A broker's metadata lags.
    Lag,
    /// A broker knows nothing.
    Blank,
    /// A broker tells what was never so.
    Mislead,
    /// A broker moves to another port.
    Readdress,
    /// Two brokers change places.
    SwapAddresses,
    /// A topic is deleted.
    Delete,
    /// A topic is deleted and created again.
    Recreate,
    /// The core is not called.
    Starve,
    /// The clock jumps.
    Leap,
}

impl Kind {
    pub(crate) const ALL: [Self; 34] = [
        Self::Cut,
        Self::CutRequest,
        Self::LoseResponse,
        Self::Silence,
        Self::Swallow,
        Self::MoveLeader,
        Self::ReplaceLeader,
        Self::ElectUnclean,
        Self::HoldReplicas,
        Self::Down,
        Self::Refuse,
        Self::FailAfterAppend,
        Self::ForgetProducers,
        Self::RefuseId,
        Self::LimitBatches,
        Self::Throttle,
        Self::Permit,
        Self::Stall,
        Self::AddPartitions,
        Self::Clog,
        Self::Delay,
        Self::Garble,
        Self::Distort,
        Self::Restart,
        Self::Upgrade,
        Self::Lag,
        Self::Blank,
        Self::Mislead,
        Self::Readdress,
        Self::SwapAddresses,
        Self::Delete,
        Self::Recreate,
        Self::Starve,
        Self::Leap,
    ];
}

/// Whom faults may strike.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    /// They are numbered from 1.
    pub(crate) brokers: u16,
    /// With the partitions that exist at first; at least one topic.
    pub(crate) topics: Vec<(String, i32)>,
    /// What brokers may become; none: the producer was told what all are.
    pub(crate) upgrades: Vec<(u16, u16, u16)>,
    /// Batches have sequence numbers.
    pub(crate) is_idempotent: bool,
}

impl Drawing {
    pub(super) fn draw_broker(&mut self) -> BrokerId {
        self.targets.draw_broker(&mut self.entropy)
    }

    pub(super) fn draw_faults(&mut self, kind: Kind) {
        let times = if kind == Kind::Refuse {
            self.entropy.within(1, 4)
        } else {
            1
        };
        let fault = self.targets.draw_fault(&mut self.entropy, kind);
        if kind == Kind::HoldReplicas && self.entropy.chance(LEADERS_ALONE_PERCENT) {
            return self.draw_leaders_alone();
        }
        self.note_end(kind, &fault);
        for _ in 0..times {
            self.steps.push(Step::Inflict(fault.clone()));
        }
    }

    /// A fault that lasts ends some time.
    fn note_end(&mut self, kind: Kind, fault: &Fault) {
        if let Some(end) = fault.end() {
            let not_before = self.clock + self.knobs.lasts(kind);
            // One that lasts already lasts longer.
            self.lasting.retain(|lasting| lasting.end != end);
            self.lasting.push(Lasting { end, not_before });
        }
    }

    /// Ends some of the faults that have lasted as long as they must.
    pub(super) fn draw_ends(&mut self) {
        let mut index = 0;
        while let Some(lasting) = self.lasting.get(index) {
            if lasting.not_before <= self.clock && self.entropy.chance(ENDED_PERCENT) {
                let lasting = self.lasting.remove(index);
                self.steps.push(Step::Inflict(lasting.end));
            } else {
                index += 1;
            }
        }
    }

    /// Nobody follows anybody, and perhaps a leader is gone before the others have caught up.
    fn draw_leaders_alone(&mut self) {
        for broker in (1..=i32::from(self.targets.brokers)).map(BrokerId) {
            let fault = Fault::HoldReplicas(broker);
            self.note_end(Kind::HoldReplicas, &fault);
            self.steps.push(Step::Inflict(fault));
        }
        let place = self.targets.draw_place(&mut self.entropy);
        let burst = self.entropy.within(1, self.knobs.burst_max);
        for _ in 0..burst.min(self.knobs.records_max - self.numbered) {
            let mut record = self.draw_record();
            (record.topic, record.partition) = (place.0.clone(), Some(place.1));
            self.steps.push(Step::Send(record));
        }
        let pause = ms(self.entropy.pick(&[50, 500, 1_500, 1_500]));
        self.steps.push(Step::Wait(pause));
        self.clock += pause;
        if self.entropy.chance(60) {
            let leader = self.draw_broker();
            let is_unclean = self.entropy.chance(30);
            // One of the two is another than it was.
            for leader in [
                leader,
                BrokerId(leader.0 % i32::from(self.targets.brokers) + 1),
            ] {
                let (topic, partition) = place.clone();
                self.steps.push(Step::Inflict(if is_unclean {
                    Fault::ElectUnclean {
                        topic,
                        partition,
                        leader,
                    }
                } else {
                    Fault::MoveLeader {
                        topic,
                        partition,
                        leader,
                    }
                }));
            }
        }
    }
}

impl Targets {
    fn draw_broker(&self, entropy: &mut Entropy) -> BrokerId {
        let count = u64::from(self.brokers);
        BrokerId(i32::try_from(entropy.within(1, count)).expect("few"))
    }

    /// A partition that exists at first.
    fn draw_place(&self, entropy: &mut Entropy) -> (String, i32) {
        let (topic, partitions) = self.topics[entropy.index(self.topics.len())].clone();
        let partition = entropy.below(u64::try_from(partitions).expect("positive"));
        (topic, i32::try_from(partition).expect("below an i32"))
    }

    fn draw_refusal(&self, entropy: &mut Entropy) -> i16 {
        if self.is_idempotent && entropy.chance(SEQUENCE_REFUSAL_PERCENT) {
            return entropy.pick(&SEQUENCE_REFUSALS);
        }
        draw_refusal(entropy)
    }

    fn draw_late_refusal(&self, entropy: &mut Entropy) -> i16 {
        if self.is_idempotent {
            return entropy.pick(&AFTER_APPEND_ONCE);
        }
        entropy.pick(&AFTER_APPEND)
    }

    fn count_of(&self, topic: &str) -> i32 {
        let found = self.topics.iter().find(|(name, _)| name == topic);
        found.expect("it was drawn from them").1
    }

    /// A fault of this kind.
    pub(crate) fn draw_fault(&self, entropy: &mut Entropy, kind: Kind) -> Fault {
        let broker = self.draw_broker(entropy);
        let (topic, partition) = self.draw_place(entropy);
        match kind {
            Kind::Cut => Fault::Cut(broker),
            Kind::CutRequest => Fault::CutRequestsAfter(broker, entropy.index(400)),
            Kind::LoseResponse => {
                Fault::CutResponsesAfter(broker, entropy.pick(&[0, 0, 1, 4, 9, 30]))
            }
            Kind::Silence => Fault::Silence(broker),
            Kind::Swallow => Fault::Swallow(broker),
            Kind::MoveLeader => Fault::MoveLeader {
                topic,
                partition,
                leader: broker,
            },
            Kind::ReplaceLeader => Fault::ReplaceLeader {
                topic,
                partition,
                leader: broker,
            },
            Kind::ElectUnclean => Fault::ElectUnclean {
                topic,
                partition,
                leader: broker,
            },
            Kind::HoldReplicas => Fault::HoldReplicas(broker),
            Kind::Down => Fault::Down(broker),
            Kind::Refuse => fail((topic, partition), self.draw_refusal(entropy), false),
            Kind::FailAfterAppend => {
                fail((topic, partition), self.draw_late_refusal(entropy), true)
            }
            Kind::ForgetProducers => Fault::ForgetProducers(topic, partition),
            Kind::RefuseId => Fault::RefuseId(draw_id_refusal(entropy)),
            Kind::LimitBatches => Fault::LimitBatches(topic, entropy.pick(&[80, 200, 1_000])),
            Kind::Throttle => Fault::Throttle(broker, entropy.pick(&[50, 1_000])),
            Kind::Permit => {
                let access = [Access::Describe, Access::None];
                Fault::Permit(topic, entropy.pick(&access))
            }
            Kind::Stall => Fault::Stall(broker),
            Kind::AddPartitions => Fault::AddPartition(topic),
            Kind::Clog => Fault::Clog(broker, entropy.index(400)),
            Kind::Delay => {
                let extra = Span::between(ms(1), ms(entropy.pick(&[100, 5_000, 120_000])));
                Fault::Delay(broker, entropy.span(extra))
            }
            Kind::Garble => Fault::Garble(broker, entropy.pick(&Garbling::ALL)),
            Kind::Distort => Fault::Distort(broker, entropy.pick(&Distortion::ALL)),
            Kind::Restart => Fault::Restart(broker),
            Kind::Upgrade if self.upgrades.is_empty() => Fault::Restart(broker),
            Kind::Upgrade => Fault::Upgrade(broker, entropy.pick(&self.upgrades)),
            Kind::Lag => Fault::Lag(broker),
            Kind::Blank => Fault::Blank(broker),
            Kind::Mislead => Fault::Mislead(broker, entropy.pick(&Lie::ALL)),
            Kind::Readdress => Fault::Readdress(broker),
            Kind::SwapAddresses => Fault::SwapAddresses(broker, self.draw_broker(entropy)),
            Kind::Delete => Fault::Delete(topic),
            Kind::Recreate => {
                let count = self.count_of(&topic);
                Fault::Recreate(topic, entropy.pick(&[1, count, count, count + 1]))
            }
            Kind::Starve => {
                let span = Span::between(ms(1), ms(entropy.pick(&[20, 1_000, 60_000])));
                Fault::Starve(entropy.span(span))
            }
            Kind::Leap => Fault::Leap(ms(entropy.pick(&[1, 700, 20_000, 200_000]))),
        }
    }
}

/// What is answered in place of a producer id.
fn draw_id_refusal(entropy: &mut Entropy) -> i16 {
    if entropy.chance(ID_FORBIDDEN_PERCENT) {
        return error_code::CLUSTER_AUTHORIZATION_FAILED;
    }
    entropy.pick(&ID_REFUSALS)
}

/// What brokers answer, or any number: some have names, others none.
fn draw_refusal(entropy: &mut Entropy) -> i16 {
    if !entropy.chance(ODD_REFUSAL_PERCENT) {
        return entropy.pick(&REFUSALS);
    }
    let named = (-1, 140);
    let all = (i32::from(REPEAT_ID) + 1, (1 << 16) - 3);
    let (lowest, count) = entropy.pick(&[named, all]);
    let code = lowest + i32::try_from(entropy.below(count)).expect("few");
    match i16::try_from(code).expect("a code") {
        // All is well, and was so before.
        error_code::NONE | error_code::DUPLICATE_SEQUENCE_NUMBER => {
            error_code::UNKNOWN_SERVER_ERROR
        }
        code => code,
    }
}

fn fail((topic, partition): (String, i32), error_code: i16, append: bool) -> Fault {
    Fault::FailNext {
        topic,
        partition,
        error_code,
        append,
    }
}
