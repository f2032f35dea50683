//! The embedded Kafka cluster and the simulated world around the producer.
//!
//! [`cluster`] is a Kafka cluster without sockets and clocks: bytes and time in, bytes out. It is
//! a judge as well as a peer: its [`codec`] is written independently of `titorelli::wire`, it walks
//! every batch to the last byte, and it keeps what it was sent so that a test can compare.
//!
//! [`World`] steps the real [`ProducerCore`](titorelli::ProducerCore), a [`Network`] and a cluster
//! together in virtual time; [`Story`] is a directed test in a few verbs on it.
//!
//! [`Simulation`] tests somebody else's code: it hands out a [`Producer`] with the methods of the
//! mio driver's, whose calls let virtual time pass.
//!
//! [`run_seed`] draws a whole run from one number: topology, configuration, workload and faults. It
//! is a [`Plan`] before it is a [`Run`].
//! [`Exploration`] repeats a small run with a fault at every single step.
//!
//! Nothing here reads a clock, opens a socket or starts a thread: same inputs, same outputs.

#![forbid(unsafe_code)]

mod by_conn;
pub mod check;
pub mod cluster;
pub mod codec;
mod entropy;
mod explore;
mod fault;
mod journal;
mod marks;
mod network;
mod page;
mod plan;
mod run;
mod shrink;
mod sight;
mod simulation;
mod story;
mod swarm;
mod timeline;
mod witness;
mod world;

pub use explore::{Exploration, Strike};
pub use fault::{Fault, Garbling};
pub use journal::{Journal, OwnedRecord, RecordId, RecordState};
pub use network::{Network, NetworkConfig, SlowLinks, Span};
pub use plan::{Damage, Plan, Replicas, Stage, Step};
pub use run::Run;
pub use shrink::{Shrunk, shrink, shrink_plan};
pub use sight::{Sight, Sights};
pub use simulation::{
    DeliveryFuture, Producer, Simulation, SimulationBuilder, Sleep, TypedProducer,
};
pub use story::{Story, ms};
pub use swarm::{Profile, Summary, banner, draw, run_seed};
pub use timeline::{Telling, Timeline};
pub use witness::{Witnessed, witness};
pub use world::{World, WorldConfig};

/// What the handles of all drivers have in common, here as in the mio driver.
pub use titorelli::handle::{
    BoxError, Choice, CloseReport, CustomPartitioner, DeliveryError, FlushError, RecordMetadata,
    Serializer, TypedRecord, Undelivered, serializer,
};
/// And what they have in common with the core.
pub use titorelli::{
    Acks, Config, DeliveryCause, ErrorCode, Header, Metrics, PartitionInfo, Purge, Record,
    SendError, Stats, Withdrawal,
};
