//! The configuration: every knob with its unit, default and meaning.

mod keys;
pub(crate) mod servers;

use crate::error::ConfigError;
use crate::wire::compression::{self, Codec};
use core::time::Duration;

/// The configuration of a producer. [`Config::default`] has the defaults of kafka-python's
/// `KafkaProducer`; where it has no such key, those of the Java producer. So nothing is retried
/// unless [`retries`](Self::retries) says so. Begin with the defaults and set fields, or keys by
/// name with [`set`](Self::set).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// `host[:port]` of brokers to ask for the cluster first; port 9092 when none is given, IPv6
    /// addresses in brackets when a port follows. Default: `localhost:9092`.
    pub bootstrap_servers: Vec<String>,
    /// A name for this client in every request. Default: `titorelli-producer`.
    pub client_id: String,
    /// When a record counts as written. Default: [`Acks::Leader`].
    pub acks: Acks,
    /// How batches are compressed. Default: not at all.
    pub compression: Codec,
    /// The codec's level; `None` is the codec's default.
    pub compression_level: Option<i32>,
    /// How often a failed batch is sent again. Default: 0.
    pub retries: u32,
    /// The size of a batch in bytes, uncompressed; 0 disables batching. Default: 16,384.
    pub batch_size: usize,
    /// How long an open batch waits for more records. Default: 0.
    pub linger: Duration,
    /// Bytes that records may hold until they are completed. Default: 33,554,432.
    pub buffer_memory: usize,
    /// How long a call may wait for metadata and memory, together. Default: 60 s.
    pub max_block: Duration,
    /// The greatest size of a request in bytes, and so of a record. Default: 1,048,576.
    pub max_request_size: usize,
    /// Metadata older than this is asked for again. Default: 300 s.
    pub metadata_max_age: Duration,
    /// The first pause before a failed thing is tried again. Default: 100 ms.
    pub retry_backoff: Duration,
    /// The greatest such pause (KIP-580). Default: 1 s.
    pub retry_backoff_max: Duration,
    /// How long to wait for the answer to a request. Default: 30 s.
    pub request_timeout: Duration,
    /// How long after the opening of its batch a record is completed at the latest (KIP-91).
    /// Default: 120 s.
    pub delivery_timeout: Duration,
    /// Requests that may be unanswered on one connection. 1 keeps the order of records within a
    /// partition even when they are retried. Default: 5.
    pub max_in_flight_requests_per_connection: usize,
    /// The first pause before a broker is connected to again. Default: 50 ms.
    pub reconnect_backoff: Duration,
    /// The greatest such pause. Default: 1 s.
    pub reconnect_backoff_max: Duration,
    /// How long a connection may take to be established and negotiated (KIP-601). Default: 10 s.
    pub socket_connection_setup_timeout: Duration,
    /// The greatest answer accepted from a broker, in bytes. Default: 100,000,000.
    pub receive_message_max_bytes: usize,
    /// Whether asking for an unknown topic may create it, where the broker allows it. Default: yes.
    pub allow_auto_create_topics: bool,
    /// Whether [`Output::Trace`](crate::Output::Trace) is given. Default: no.
    pub trace: bool,
}

/// When a record counts as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// 0: when its bytes were handed to the transport. Offsets are −1; nothing is retried after.
    None,
    /// 1: when the leader wrote it.
    Leader,
    /// all (−1): when every in-sync replica wrote it.
    All,
}

impl Acks {
    /// The value on the wire.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            bootstrap_servers: vec!["localhost:9092".to_owned()],
            client_id: "titorelli-producer".to_owned(),
            acks: Acks::Leader,
            compression: Codec::None,
            compression_level: None,
            retries: 0,
            batch_size: 16_384,
            linger: Duration::ZERO,
            buffer_memory: 33_554_432,
            max_block: Duration::from_secs(60),
            max_request_size: 1_048_576,
            metadata_max_age: Duration::from_secs(300),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(1),
            request_timeout: Duration::from_secs(30),
            delivery_timeout: Duration::from_secs(120),
            max_in_flight_requests_per_connection: 5,
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            socket_connection_setup_timeout: Duration::from_secs(10),
            receive_message_max_bytes: 100_000_000,
            allow_auto_create_topics: true,
            trace: false,
        }
    }
}

impl Config {
    /// Whether this configuration can work (invariant S17).
    ///
    /// # Errors
    ///
    /// The first key that cannot work, or that contradicts another, with the reason.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_sizes()?;
        self.check_times()?;
        if self.max_in_flight_requests_per_connection == 0 {
            return Err(ConfigError::new(
                "max_in_flight_requests_per_connection",
                "must be ≥ 1",
            ));
        }
        if self.client_id.len() > usize::from(i16::MAX.unsigned_abs()) {
            return Err(ConfigError::new("client_id", "longer than 32,767 bytes"));
        }
        let Some(level) = self.compression_level else {
            return Ok(());
        };
        let Some(levels) = compression::level_range(self.compression) else {
            let reason = format!("{} has no levels", self.compression.name());
            return Err(ConfigError::new("compression_level", reason));
        };
        if levels.contains(&level) {
            return Ok(());
        }
        let (codec, least, most) = (self.compression.name(), levels.start(), levels.end());
        let reason = format!("{level} is not a level of {codec}: {least} to {most}");
        Err(ConfigError::new("compression_level", reason))
    }

    fn check_sizes(&self) -> Result<(), ConfigError> {
        // The protocol's lengths are signed 32-bit numbers.
        const WIRE_BYTES_MAX: usize = 0x7fff_ffff;
        for (key, bytes) in [
            ("batch_size", self.batch_size),
            ("max_request_size", self.max_request_size),
            ("receive_message_max_bytes", self.receive_message_max_bytes),
        ] {
            if bytes > WIRE_BYTES_MAX {
                return Err(ConfigError::new(
                    key,
                    format!("{bytes} exceeds {WIRE_BYTES_MAX}"),
                ));
            }
        }
        if self.max_request_size == 0 {
            return Err(ConfigError::new("max_request_size", "must be ≥ 1"));
        }
        if self.receive_message_max_bytes < 1_024 {
            return Err(ConfigError::new(
                "receive_message_max_bytes",
                "must be ≥ 1,024",
            ));
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), ConfigError> {
        if self.request_timeout.is_zero() {
            return Err(ConfigError::new("request_timeout", "must be > 0"));
        }
        if self.socket_connection_setup_timeout.is_zero() {
            return Err(ConfigError::new(
                "socket_connection_setup_timeout",
                "must be > 0",
            ));
        }
        let least = self.linger.saturating_add(self.request_timeout);
        if self.delivery_timeout < least {
            let reason = format!(
                "{:?} is less than linger + request_timeout ({least:?}): no batch could be \
                 answered in time",
                self.delivery_timeout
            );
            return Err(ConfigError::new("delivery_timeout", reason));
        }
        for (key, least, key_max, most) in [
            (
                "retry_backoff",
                self.retry_backoff,
                "retry_backoff_max",
                self.retry_backoff_max,
            ),
            (
                "reconnect_backoff",
                self.reconnect_backoff,
                "reconnect_backoff_max",
                self.reconnect_backoff_max,
            ),
        ] {
            if least > most {
                let reason = format!("{most:?} is less than {key} ({least:?})");
                return Err(ConfigError::new(key_max, reason));
            }
        }
        Ok(())
    }
}
