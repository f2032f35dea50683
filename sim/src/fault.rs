//! The alphabet of faults, with everything that one needs to strike.

use core::time::Duration;

use crate::cluster::{Access, BrokerId, Distortion, Lie};
use crate::story::parse_place;

/// One fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Every connection to a broker is cut; what is on the wire arrives.
    Cut(BrokerId),
    /// The connections to a broker are cut after so many more bytes of requests.
    CutRequestsAfter(BrokerId, usize),
    /// The connections to a broker are cut after so many more bytes of answers. 0 loses the next
    /// answer: the broker has done what it was asked, and the producer never hears of it.
    CutResponsesAfter(BrokerId, usize),
    /// The answers of a broker vanish from now on, on its present connections, without an end.
    Silence(BrokerId),
    /// What is written to a broker from now on, on its present connections, never arrives: the
    /// transport has taken it.
    Swallow(BrokerId),
    /// Attempts to connect to a broker are swallowed from now on: nobody answers, for or against.
    Stall(BrokerId),
    /// Attempts to connect to a broker are answered again.
    Admit(BrokerId),
    /// A partition gets another leader, under a new epoch.
    MoveLeader {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The new leader.
        leader: BrokerId,
    },
    /// A partition gets another leader, under the same epoch.
    ReplaceLeader {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The new leader.
        leader: BrokerId,
    },
    /// A live replica comes to lead a partition though it may not be in sync: what it does not have
    /// is lost.
    ElectUnclean {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The new leader.
        leader: BrokerId,
    },
    /// A broker fetches nothing from leaders from now on: its replicas fall behind.
    HoldReplicas(BrokerId),
    /// A broker's replicas catch up.
    FreeReplicas(BrokerId),
    /// A broker goes down.
    Down(BrokerId),
    /// A broker comes up.
    Up(BrokerId),
    /// The next batch of a partition is answered with an error.
    FailNext {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The answer.
        error_code: i16,
        /// Whether it is appended all the same.
        append: bool,
    },
    /// A partition forgets every producer, as after `producer.id.expiration.ms`: it does not know
    /// what it has of them, and takes whatever comes first (F15, F16).
    ForgetProducers(String, i32),
    /// The next request for a producer id is answered with this error, by whichever broker.
    RefuseId(i16),
    /// A topic takes no batch of more bytes from now on.
    LimitBatches(String, usize),
    /// A topic takes batches as large as before.
    LiftLimit(String),
    /// A broker announces this throttle time from now on, in milliseconds.
    Throttle(BrokerId, i32),
    /// What the producer may do with a topic changes.
    Permit(String, Access),
    /// A topic gets one more partition.
    AddPartition(String),
    /// The transports to a broker take so many more bytes, and then no more: a short write, and
    /// nothing after it.
    Clog(BrokerId, usize),
    /// Whatever is written to a broker from now on takes so much longer on its present
    /// connections, even when the producer has given them up: it is applied late.
    Delay(BrokerId, Duration),
    /// The next answer of a broker is none.
    Garble(BrokerId, Garbling),
    /// The next answer of a broker to Produce is one, and is not right.
    Distort(BrokerId, Distortion),
    /// A broker closes its connections, as it does when they are idle or it restarts.
    Restart(BrokerId),
    /// A broker restarts as one of another release: major, minor and patch number.
    Upgrade(BrokerId, (u16, u16, u16)),
    /// A broker tells from now on what is true now, whatever changes.
    Lag(BrokerId),
    /// A broker knows of no topic and of no broker but itself from now on.
    Blank(BrokerId),
    /// A broker tells what was never so from now on, of what is true now.
    Mislead(BrokerId, Lie),
    /// A broker tells the truth again.
    CatchUp(BrokerId),
    /// A broker restarts at another port.
    Readdress(BrokerId),
    /// Two brokers restart, each at the address of the other.
    SwapAddresses(BrokerId, BrokerId),
    /// A topic is deleted.
    Delete(String),
    /// A topic is deleted, if it is there, and created with so many partitions.
    Recreate(String, i32),
    /// The core is not called for so long: what happens meanwhile waits.
    Starve(Duration),
    /// The clock jumps forward.
    Leap(Duration),
}

impl Fault {
    /// The leader of a place, such as `"t0/0"`, is another from now on.
    ///
    /// # Panics
    /// The place is not of this form.
    #[must_use]
    pub fn move_leader(place: &str, leader: BrokerId) -> Self {
        let (topic, partition) = parse_place(place);
        Self::MoveLeader {
            topic,
            partition,
            leader,
        }
    }

    /// The leader of a place, such as `"t0/0"`, is another from now on, under the same epoch.
    ///
    /// # Panics
    /// The place is not of this form.
    #[must_use]
    pub fn replace_leader(place: &str, leader: BrokerId) -> Self {
        let (topic, partition) = parse_place(place);
        Self::ReplaceLeader {
            topic,
            partition,
            leader,
        }
    }

    /// This live replica leads a place, such as `"t0/0"`, from now on, whatever it lacks.
    ///
    /// # Panics
    /// The place is not of this form.
    #[must_use]
    pub fn elect_unclean(place: &str, leader: BrokerId) -> Self {
        let (topic, partition) = parse_place(place);
        Self::ElectUnclean {
            topic,
            partition,
            leader,
        }
    }

    /// The next batch for a place, such as `"t0/0"`, is answered with this code, and not appended.
    ///
    /// # Panics
    /// The place is not of this form.
    #[must_use]
    pub fn fail_next(place: &str, error_code: i16) -> Self {
        let (topic, partition) = parse_place(place);
        Self::FailNext {
            topic,
            partition,
            error_code,
            append: false,
        }
    }

    /// The next batch for a place, such as `"t0/0"`, is answered with this code, although it is
    /// appended.
    ///
    /// # Panics
    /// The place is not of this form.
    #[must_use]
    pub fn fail_after_append(place: &str, error_code: i16) -> Self {
        let (topic, partition) = parse_place(place);
        Self::FailNext {
            topic,
            partition,
            error_code,
            append: true,
        }
    }

    /// What ends it, if it lasts until something does.
    #[must_use]
    pub fn end(&self) -> Option<Self> {
        Some(match self {
            Self::Stall(broker) => Self::Admit(*broker),
            Self::HoldReplicas(broker) => Self::FreeReplicas(*broker),
            Self::Down(broker) => Self::Up(*broker),
            Self::Throttle(broker, 1..) => Self::Throttle(*broker, 0),
            Self::Permit(topic, Access::Describe | Access::None) => {
                Self::Permit(topic.clone(), Access::Write)
            }
            Self::LimitBatches(topic, _) => Self::LiftLimit(topic.clone()),
            Self::Delay(broker, _) => Self::Delay(*broker, Duration::ZERO),
            Self::Lag(broker) | Self::Blank(broker) | Self::Mislead(broker, _) => {
                Self::CatchUp(*broker)
            }
            Self::Cut(_)
            | Self::CutRequestsAfter(..)
            | Self::CutResponsesAfter(..)
            | Self::Silence(_)
            | Self::Swallow(_)
            | Self::Admit(_)
            | Self::MoveLeader { .. }
            | Self::ReplaceLeader { .. }
            | Self::ElectUnclean { .. }
            | Self::FreeReplicas(_)
            | Self::Up(_)
            | Self::FailNext { .. }
            | Self::ForgetProducers(..)
            | Self::RefuseId(_)
            | Self::LiftLimit(_)
            | Self::Throttle(..)
            | Self::Permit(..)
            | Self::AddPartition(_)
            | Self::Clog(..)
            | Self::Garble(..)
            | Self::Distort(..)
            | Self::Restart(_)
            | Self::Upgrade(..)
            | Self::CatchUp(_)
            | Self::Readdress(_)
            | Self::SwapAddresses(..)
            | Self::Delete(_)
            | Self::Recreate(..)
            | Self::Starve(_)
            | Self::Leap(_) => return None,
        })
    }

    /// The brokers that it strikes.
    pub(crate) fn brokers_mut(&mut self) -> Vec<&mut BrokerId> {
        match self {
            Self::Cut(broker)
            | Self::CutRequestsAfter(broker, _)
            | Self::CutResponsesAfter(broker, _)
            | Self::Silence(broker)
            | Self::Swallow(broker)
            | Self::Stall(broker)
            | Self::Admit(broker)
            | Self::MoveLeader { leader: broker, .. }
            | Self::ReplaceLeader { leader: broker, .. }
            | Self::ElectUnclean { leader: broker, .. }
            | Self::HoldReplicas(broker)
            | Self::FreeReplicas(broker)
            | Self::Down(broker)
            | Self::Up(broker)
            | Self::Throttle(broker, _)
            | Self::Clog(broker, _)
            | Self::Delay(broker, _)
            | Self::Garble(broker, _)
            | Self::Distort(broker, _)
            | Self::Restart(broker)
            | Self::Upgrade(broker, _)
            | Self::Lag(broker)
            | Self::Blank(broker)
            | Self::Mislead(broker, _)
            | Self::CatchUp(broker)
            | Self::Readdress(broker) => vec![broker],
            Self::SwapAddresses(one, other) => vec![one, other],
            Self::FailNext { .. }
            | Self::ForgetProducers(..)
            | Self::RefuseId(_)
            | Self::LimitBatches(..)
            | Self::LiftLimit(_)
            | Self::Permit(..)
            | Self::AddPartition(_)
            | Self::Delete(_)
            | Self::Recreate(..)
            | Self::Starve(_)
            | Self::Leap(_) => Vec::new(),
        }
    }

    /// The topic that it strikes, and the partition if it strikes only one.
    pub(crate) fn place_mut(&mut self) -> Option<(&mut String, Option<&mut i32>)> {
        match self {
            Self::MoveLeader {
                topic, partition, ..
            }
            | Self::ReplaceLeader {
                topic, partition, ..
            }
            | Self::ElectUnclean {
                topic, partition, ..
            }
            | Self::FailNext {
                topic, partition, ..
            }
            | Self::ForgetProducers(topic, partition) => Some((topic, Some(partition))),
            Self::Permit(topic, _)
            | Self::LimitBatches(topic, _)
            | Self::LiftLimit(topic)
            | Self::AddPartition(topic)
            | Self::Delete(topic)
            | Self::Recreate(topic, _) => Some((topic, None)),
            Self::Cut(_)
            | Self::CutRequestsAfter(..)
            | Self::CutResponsesAfter(..)
            | Self::Silence(_)
            | Self::Swallow(_)
            | Self::Stall(_)
            | Self::Admit(_)
            | Self::HoldReplicas(_)
            | Self::FreeReplicas(_)
            | Self::Down(_)
            | Self::Up(_)
            | Self::Throttle(..)
            | Self::Clog(..)
            | Self::Delay(..)
            | Self::Garble(..)
            | Self::Distort(..)
            | Self::Restart(_)
            | Self::Upgrade(..)
            | Self::Lag(_)
            | Self::Blank(_)
            | Self::Mislead(..)
            | Self::CatchUp(_)
            | Self::Readdress(_)
            | Self::SwapAddresses(..)
            | Self::RefuseId(_)
            | Self::Starve(_)
            | Self::Leap(_) => None,
        }
    }
}

/// How an answer is spoilt. None of these can be taken for another answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Garbling {
    /// Its correlation id is that of no request.
    OtherCorrelation,
    /// Its length is negative.
    NegativeLength,
    /// Its length is greater than any.
    HugeLength,
    /// Its second half is missing, and its length says so.
    Half,
    /// It comes twice.
    Twice,
    /// It is what a web server says to what it does not understand.
    Http,
    /// It is what a TLS server says to what is not TLS.
    TlsAlert,
}

impl Garbling {
    /// Every one.
    pub const ALL: [Self; 7] = [
        Self::OtherCorrelation,
        Self::NegativeLength,
        Self::HugeLength,
        Self::Half,
        Self::Twice,
        Self::Http,
        Self::TlsAlert,
    ];

    /// The answer, spoilt: `answer` is a whole frame.
    pub(crate) fn spoil(self, answer: &[u8]) -> Vec<u8> {
        let mut bytes = answer.to_vec();
        match self {
            Self::OtherCorrelation => bytes[4] ^= 0x40,
            Self::NegativeLength => bytes[0] = 0xff,
            Self::HugeLength => bytes[0] = 0x7f,
            Self::Half => {
                bytes.truncate(bytes.len() / 2);
                let length = u32::try_from(bytes.len().saturating_sub(4)).expect("a frame");
                bytes[..4].copy_from_slice(&length.to_be_bytes());
            }
            Self::Twice => bytes.extend_from_slice(answer),
            Self::Http => bytes = b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
            Self::TlsAlert => bytes = vec![0x15, 3, 3, 0, 2, 2, 70],
        }
        bytes
    }
}
