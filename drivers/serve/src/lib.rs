//! The embedded cluster on loopback TCP.
