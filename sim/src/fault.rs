//! The alphabet of faults, with everything that one needs to strike.

use crate::cluster::{Access, BrokerId};

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
    /// Attempts to connect to a broker are swallowed from now on: nobody answers, for or against.
    Stall(BrokerId),
    /// A partition gets another leader, under a new epoch.
    MoveLeader {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
        /// The new leader.
        leader: BrokerId,
    },
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
    /// A broker announces this throttle time from now on, in milliseconds.
    Throttle(BrokerId, i32),
    /// What the producer may do with a topic changes.
    Permit(String, Access),
    /// A topic gets one more partition.
    AddPartition(String),
}
