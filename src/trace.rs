//! What the core tells of its inner decisions, as values. A driver may log them; a story prints
//! them.

use crate::boundary::{BatchId, ConnId};
use crate::error::DeliveryCause;
use crate::time::Instant;
use core::fmt;
use std::sync::Arc;

/// One decision or discovery of the core.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceEvent {
    /// A connection is negotiated and usable.
    Ready {
        /// The connection.
        conn: ConnId,
        /// Node id; negative for a bootstrap server.
        node: i32,
        /// Produce version chosen.
        produce_version: i16,
        /// Metadata version chosen.
        metadata_version: i16,
    },
    /// A connection ended.
    ConnectionLost {
        /// The connection.
        conn: ConnId,
        /// Node id; negative for a bootstrap server.
        node: i32,
        /// Why.
        cause: DeliveryCause,
        /// Not connected to again before this.
        retry_at: Instant,
    },
    /// A batch will be sent again.
    Retry {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// The batch of its tickets.
        batch: BatchId,
        /// What the last attempt met.
        cause: DeliveryCause,
        /// Not sent again before this.
        not_before: Instant,
    },
    /// A partition has another leader than before, or the same in another epoch.
    LeaderChanged {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// Node id of the new leader, if there is one.
        leader: Option<i32>,
        /// Its epoch; −1 when the broker tells none.
        epoch: i32,
    },
    /// A broker gave a producer id (KIP-98).
    ProducerId {
        /// The id.
        producer_id: i64,
        /// Its first epoch.
        epoch: i16,
    },
    /// A partition begins its sequence numbers again, at 0 (KIP-360).
    SequencesRestarted {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: i32,
        /// Under this epoch; `None` while another producer id is waited for.
        epoch: Option<i16>,
    },
    /// A broker asks for a pause (KIP-219).
    Throttled {
        /// Node id.
        node: i32,
        /// No request to it before this.
        until: Instant,
    },
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready {
                node,
                produce_version,
                metadata_version,
                ..
            } => write!(
                f,
                "ready: broker {node} speaks Produce v{produce_version}, \
                 Metadata v{metadata_version}"
            ),
            Self::ConnectionLost {
                node,
                cause,
                retry_at,
                ..
            } => {
                write!(f, "lost broker {node}: {cause}; again at {retry_at}")
            }
            Self::Retry {
                topic,
                partition,
                cause,
                not_before,
                ..
            } => {
                write!(f, "retry {topic}/{partition} at {not_before}: {cause}")
            }
            Self::LeaderChanged {
                topic,
                partition,
                leader: Some(node),
                epoch,
            } => {
                write!(f, "leader of {topic}/{partition} is {node} (epoch {epoch})")
            }
            Self::LeaderChanged {
                topic,
                partition,
                leader: None,
                ..
            } => {
                write!(f, "{topic}/{partition} has no leader")
            }
            Self::ProducerId { producer_id, epoch } => {
                write!(f, "producer id {producer_id} (epoch {epoch})")
            }
            Self::SequencesRestarted {
                topic,
                partition,
                epoch: Some(epoch),
            } => write!(
                f,
                "{topic}/{partition} begins its sequence at 0 again (epoch {epoch})"
            ),
            Self::SequencesRestarted {
                topic, partition, ..
            } => write!(f, "{topic}/{partition} waits for another producer id"),
            Self::Throttled { node, until } => write!(f, "broker {node} throttles until {until}"),
        }
    }
}
