//! The configuration: every knob with its unit, default and meaning.
//!
//! `keys.rs` is the table of keys, `kinds.rs` how a value reads as text, `text.rs` which names mean
//! which key, `foreign.rs` what is said of other clients' keys, `given.rs` which keys were given by
//! name, `check.rs` what fits together.

mod check;
mod choices;
mod foreign;
mod given;
mod keys;
mod kinds;
mod properties;
pub(crate) mod servers;
mod text;

pub use choices::{Acks, ApiVersion, MetadataRecovery, Partitioner, SecurityProtocol};
pub use keys::{Config, KEYS, Key};

use crate::wire::Codec;
use core::time::Duration;

/// Brokers know an idempotent producer's last five batches of a partition again (KIP-98), and no
/// others.
pub(crate) const IDEMPOTENT_IN_FLIGHT_MAX: usize = 5;

/// The client id of a producer whose driver did not number it.
const CLIENT_ID: &str = "titorelli-producer";

impl Config {
    /// The defaults for records that must arrive: written by every in-sync replica, retried until
    /// the delivery timeout of 120 s, once and in order. Batches are larger and wait 5 ms to fill.
    #[must_use]
    pub fn durable() -> Self {
        Self {
            acks: Acks::All,
            retries: u32::MAX,
            delivery_timeout: Some(Duration::from_secs(120)),
            linger: Duration::from_millis(5),
            batch_size: 131_072,
            enable_idempotence: true,
            max_in_flight_requests_per_connection: IDEMPOTENT_IN_FLIGHT_MAX,
            ..Self::default()
        }
    }

    /// The name that brokers are told.
    pub(crate) fn client_id(&self) -> &str {
        if self.client_id.is_empty() {
            CLIENT_ID
        } else {
            &self.client_id
        }
    }
}
