//! The embedded Kafka cluster on loopback TCP.
//!
//! [`Embedded`] puts sockets around [`titorelli_sim::cluster::Cluster`]: one thread, one listener
//! per broker on 127.0.0.1. Any Kafka producer can send to it, and what it sent can be read from
//! the logs afterwards.
//!
//! ```
//! use titorelli_serve::{BrokerId, Embedded, EmbeddedConfig};
//!
//! let embedded = Embedded::start(EmbeddedConfig::with_brokers(3)).expect("loopback sockets");
//! embedded.control(|cluster| cluster.create_topic("orders", 6));
//! println!("bootstrap.servers={}", embedded.bootstrap());
//! // ... a producer sends to it ...
//! embedded.control(|cluster| cluster.move_leader("orders", 0, BrokerId(2)));
//! embedded.cut_connections(Some(BrokerId(2)));
//! let cluster = embedded.into_cluster();
//! assert_eq!(cluster.log("orders", 0).record_count(), 0);
//! ```

#![forbid(unsafe_code)]

mod connection;
mod embedded;
mod server;

pub use embedded::{Embedded, EmbeddedConfig};
/// What the names of this crate are made of: the cluster itself, and what it is built from.
pub use titorelli_sim::cluster::{BrokerId, Cluster, ClusterConfig};
