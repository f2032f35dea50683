//! Titorelli: a Kafka producer whose whole behaviour is one pure state machine.

mod record;
mod time;
pub mod wire;

pub use record::{Header, Record};
pub use time::Instant;
