//! The embedded Kafka cluster on loopback TCP.
//!
//! [`Embedded`] puts sockets around [`titorelli_sim::cluster::Cluster`]: one thread, one listener
//! per broker on 127.0.0.1. Any Kafka producer can send to it, and what it sent can be read from
//! the logs afterwards.
//!
//! ```
//! use titorelli_serve::{Embedded, EmbeddedConfig};
//!
//! let embedded = Embedded::start(EmbeddedConfig::with_brokers(3)).expect("loopback sockets");
//! embedded.control(|cluster| cluster.create_topic("orders", 6));
//! println!("bootstrap.servers={}", embedded.bootstrap());
//! // ... a producer sends to it ...
//! let cluster = embedded.into_cluster();
//! assert_eq!(cluster.log("orders", 0).record_count(), 0);
//! ```

#![forbid(unsafe_code)]

mod connection;
mod embedded;
mod server;

pub use embedded::{Embedded, EmbeddedConfig};
