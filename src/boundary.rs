//! Everything that crosses the boundary of the core, on one screen.
//!
//! In: commands (methods of [`ProducerCore`](crate::ProducerCore)) and facts ([`Input`]).
//! Out: effects ([`Output`]) and the next [`Deadline`]. Nothing else goes in or comes out, so a log
//! of inputs replays into the same outputs (invariant S18).

use crate::error::{DeliveryError, SendError};
use crate::time::Instant;
use crate::trace::TraceEvent;
use bytes::Bytes;
use std::sync::Arc;

pub use crate::seal::{SealJob, SealedJob};

/// One connection, from [`Output::Connect`] to [`Input::Closed`] or [`Output::Disconnect`].
/// Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A blocked [`send`](crate::ProducerCore::send) or
/// [`partitions_for`](crate::ProducerCore::partitions_for). Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaiterId(pub u64);

/// A [`flush`](crate::ProducerCore::flush) under way. Never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlushId(pub u64);

/// A batch. `slot` is dense and reused, so that a driver keeps its own state per batch in a plain
/// array; `generation` tells the users of one slot apart. A slot is used again only after the
/// [`Output::Delivered`] of its batch was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId {
    /// Index into an array: less than the greatest number of batches ever alive at one time.
    pub slot: u32,
    /// Counts the users of the slot, from 0.
    pub generation: u32,
}

/// The receipt of an accepted record: the batch that carries it and its place there, from 0.
/// A later [`Delivery`] of that batch whose range covers `index` completes it, exactly once
/// (invariant S1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket {
    /// The batch that carries the record.
    pub batch: BatchId,
    /// The record's place in that batch; 0 opened it.
    pub index: u32,
}

/// A fact from outside. Facts are noted at once; acting on them is left to
/// [`handle_timeout`](crate::ProducerCore::handle_timeout).
#[derive(Debug)]
pub enum Input<'a> {
    /// The transport is established.
    Connected(ConnId),
    /// Bytes arrived, cut anywhere.
    Received(ConnId, &'a [u8]),
    /// The transport took over this many more bytes of what [`Output::Transmit`] handed out, in
    /// order. What was not reported when [`Input::Closed`] arrives never left.
    Sent(ConnId, usize),
    /// The connection is gone, or was never established.
    Closed(ConnId, CloseCause),
    /// A [`SealJob`] was run.
    Sealed(SealedJob),
}

/// Why a connection ended, as the driver saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseCause {
    /// The host name did not resolve; the resolver's words.
    Unresolved(Arc<str>),
    /// No address accepted the connection; what each of them said.
    Unreachable(Arc<str>),
    /// The broker ended the connection in an orderly way.
    ByPeer,
    /// The transport failed; the operating system's words.
    Transport(Arc<str>),
    /// The TLS handshake failed, or a TLS alert ended the connection; the driver's words.
    Tls(Arc<str>),
}

/// An effect for the driver to carry out.
#[derive(Debug)]
pub enum Output {
    /// Open a connection: resolve `host`, try every address, answer with [`Input::Connected`] or
    /// [`Input::Closed`].
    Connect {
        /// The new connection.
        conn: ConnId,
        /// A host name or an address, as configured or announced.
        host: Arc<str>,
        /// The TCP port.
        port: u16,
    },
    /// Write these bytes after all earlier ones of this connection. They are immutable and stay
    /// alive as long as they are held (invariant S4).
    Transmit {
        /// The connection.
        conn: ConnId,
        /// The next bytes of its stream.
        bytes: Bytes,
    },
    /// Close the connection now, unwritten bytes included. No [`Input`] about it is expected. The
    /// driver may have reported it as closed just before: then there is nothing to do.
    Disconnect(ConnId),
    /// Run [`SealJob::run`], on any thread and outside any lock, and answer with
    /// [`Input::Sealed`].
    Seal(SealJob),
    /// Records are completed.
    Delivered(Delivery),
    /// The waiter's turn: call [`resume`](crate::ProducerCore::resume) with its record; or end the
    /// turn with [`cancel`](crate::ProducerCore::cancel), after
    /// [`partitions_for`](crate::ProducerCore::partitions_for) or because the call gives up.
    /// Memory for the record is held until then.
    Admitted(WaiterId),
    /// The waiter waited in vain; it is forgotten.
    Refused(WaiterId, SendError),
    /// All records that were accepted before this flush are completed.
    Flushed(FlushId),
    /// The producer is closed: nothing comes out any more, but for the [`Output::Flushed`] of a
    /// flush that is begun after.
    Closed,
    /// Something worth telling; only with [`Config::trace`](crate::Config::trace).
    Trace(TraceEvent),
}

/// The end of a range of records of one batch.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The batch of the tickets.
    pub batch: BatchId,
    /// The first ticket index that is completed.
    pub first: u32,
    /// How many are completed, from `first` on.
    pub count: u32,
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// What became of them.
    pub outcome: Outcome,
}

/// What became of a record (invariant S2).
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Written, as far as the configured `acks` tell.
    Acked {
        /// Offset of the record at `first`; the others follow. −1 when the broker told none
        /// (acks=0).
        base_offset: i64,
        /// The broker's time in milliseconds, where the topic is stamped by the broker; else −1.
        log_append_time_ms: i64,
    },
    /// Not in the log, now or ever.
    NotPersisted(DeliveryError),
    /// Perhaps in the log: an attempt was made whose fate is unknown.
    MaybePersisted(DeliveryError),
}

/// What [`withdraw`](crate::ProducerCore::withdraw) came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawal {
    /// The record will not be written: it completes as [`Outcome::NotPersisted`].
    Withdrawn,
    /// It left, or is about to, and goes on: it completes like any other.
    OnItsWay,
    /// It is completed, or was never known.
    Unknown,
}

/// What [`purge`](crate::ProducerCore::purge) ends (librdkafka: `RD_KAFKA_PURGE_F_QUEUE`,
/// `RD_KAFKA_PURGE_F_INFLIGHT`, both).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purge {
    /// What waits: in open batches, for a request, or to be sent again.
    Queued,
    /// What is in a request that was handed out and not answered.
    InFlight,
    /// All of it.
    All,
}

/// When to call [`handle_timeout`](crate::ProducerCore::handle_timeout) next, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The instant; it may be past, which means now.
    pub at: Instant,
    /// The cause.
    pub reason: Reason,
}

/// The named cause of a [`Deadline`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Outputs wait, or facts were noted and not yet acted on.
    WorkQueued,
    /// A batch has lingered long enough.
    Linger,
    /// A batch reaches its `delivery_timeout`.
    DeliveryTimeout,
    /// The oldest request of a connection reaches its `request_timeout`; or it has been waited for
    /// so long that somebody else is asked, if anybody can tell.
    RequestTimeout,
    /// A failed batch may be sent again.
    RetryBackoff,
    /// Metadata reaches `metadata_max_age`.
    MetadataAge,
    /// Metadata may be asked for again.
    MetadataBackoff,
    /// No broker has told about the cluster for `metadata_recovery_rebootstrap_trigger`.
    MetadataRecovery,
    /// A producer id may be asked for again.
    ProducerIdBackoff,
    /// A broker may be connected to again.
    ReconnectBackoff,
    /// A connection is not established in time.
    ConnectionSetup,
    /// A connection was idle for `connections_max_idle`.
    ConnectionIdle,
    /// A broker's throttle ends.
    Throttle,
    /// A waiter reaches `max_block`.
    MaxBlock,
    /// The producer gives up closing gracefully.
    Close,
}

/// The numbers of a topic's partitions, for who chooses among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionLists {
    /// Every partition, in order.
    pub all: Vec<i32>,
    /// Those that have a leader, in order.
    pub available: Vec<i32>,
}

/// What is known of one partition of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    /// The partition's number.
    pub partition: i32,
    /// Node id of the leader; `None` while there is none.
    pub leader: Option<i32>,
    /// Node ids of the replicas.
    pub replicas: Vec<i32>,
    /// Node ids of the in-sync replicas.
    pub in_sync_replicas: Vec<i32>,
}
