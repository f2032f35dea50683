//! The embedded Kafka cluster and the simulated world around the producer.
//!
//! [`cluster`] is a Kafka cluster without sockets and clocks: bytes and time in, bytes out. It is
//! a judge as well as a peer: its [`codec`] is written independently of `titorelli::wire`, it walks
//! every batch to the last byte, and it keeps what it was sent so that a test can compare.
//!
//! Nothing here reads a clock, opens a socket or starts a thread: same inputs, same outputs.

pub mod cluster;
pub mod codec;
