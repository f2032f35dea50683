//! What the cluster did, for timelines and assertions.

use super::config::BrokerId;
use super::peer::PeerId;
use crate::codec::ApiKey;

/// One request that a broker handled, or one connection that it closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterEvent {
    /// A request was handled.
    Handled {
        /// On which connection.
        peer: PeerId,
        /// By which broker.
        broker: BrokerId,
        /// The API.
        api: ApiKey,
        /// Its version.
        api_version: i16,
        /// The client's number for it.
        correlation_id: i32,
        /// Whether an answer was sent (not for acks=0).
        is_answered: bool,
        /// For Produce: what became of each batch.
        batches: Vec<BatchOutcome>,
    },
    /// A partition has a new leader, which does not have these records: they are lost.
    Lost {
        /// The topic's name.
        topic: String,
        /// The partition.
        partition: i32,
        /// The offset of the first.
        from_offset: i64,
        /// How many.
        count: usize,
        /// Whether a replica came to lead that was not in sync.
        is_unclean: bool,
    },
    /// The broker closed a connection.
    Closed {
        /// Which one.
        peer: PeerId,
        /// Which broker.
        broker: BrokerId,
        /// Why.
        reason: &'static str,
        /// Whether it is the cluster's doing, and not that of the bytes it received.
        is_fault: bool,
    },
}

/// What became of one batch of a Produce request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchOutcome {
    /// The topic's name; empty when the request named an unknown id.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// 0 or the error.
    pub error_code: i16,
    /// The answered base offset, or −1.
    pub base_offset: i64,
    /// Whether its records are new in the log: false for errors without append and duplicates.
    pub is_appended: bool,
    /// Whether [`Cluster::fail_next`](super::Cluster::fail_next) decided the answer.
    pub is_scripted: bool,
}
