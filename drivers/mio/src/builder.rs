//! How a producer is made: from a configuration, and from what a configuration cannot say as text.

use crate::producer::Producer;
use crate::tls::Tls;
use rustls::ClientConfig;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use titorelli::handle::CustomPartitioner;
use titorelli::handle::driver::refuse_second_partitioner;
use titorelli::{Config, ConfigError, SecurityProtocol};

/// How many producers of this process were named so far.
static NAMED: AtomicU64 = AtomicU64::new(0);

/// A producer could not be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The configuration cannot work, or a file that it names.
    Config(ConfigError),
    /// The operating system refused the poller or the thread.
    System(std::io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::System(error) => write!(f, "cannot start the I/O thread: {error}"),
        }
    }
}

impl std::error::Error for BuildError {}

impl From<ConfigError> for BuildError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<std::io::Error> for BuildError {
    fn from(error: std::io::Error) -> Self {
        Self::System(error)
    }
}

/// A producer to be built, by [`Producer::builder`].
#[derive(Clone)]
#[must_use = "a producer is built by `build`"]
pub struct ProducerBuilder {
    config: Config,
    ssl_context: Option<Arc<ClientConfig>>,
    partitioner: Option<Arc<dyn CustomPartitioner>>,
}

impl fmt::Debug for ProducerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl ProducerBuilder {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            ssl_context: None,
            partitioner: None,
        }
    }

    /// Speaks TLS as this ready-made configuration says, and not as the keys `ssl_*` do, which are
    /// ignored: kafka-python's `ssl_context`. `security_protocol` must be SSL. The same
    /// configuration may serve any number of producers; they share its sessions then.
    pub fn ssl_context(mut self, context: Arc<ClientConfig>) -> Self {
        self.ssl_context = Some(context);
        self
    }

    /// Chooses partitions by this, for records that name none: kafka-python's `partitioner`. The
    /// key `partitioner` keeps its default then.
    pub fn partitioner(mut self, partitioner: impl CustomPartitioner + 'static) -> Self {
        self.partitioner = Some(Arc::new(partitioner));
        self
    }

    /// Starts the producer, as [`Producer::new`].
    ///
    /// # Errors
    ///
    /// The configuration cannot work, a file that it names is missing or not what it should be, or
    /// the system refuses a thread or a poller.
    pub fn build(self) -> Result<Producer, BuildError> {
        let Self {
            mut config,
            ssl_context,
            partitioner,
        } = self;
        if ssl_context.is_some() {
            ignore_ssl_keys(&mut config)?;
        }
        if partitioner.is_some() {
            refuse_second_partitioner(&config)?;
        }
        config.check()?;
        let tls = match ssl_context {
            Some(context) => Some(Tls::ready_made(context)),
            None => Tls::of(&config)?,
        };
        if config.client_id.is_empty() {
            config.client_id = next_name(&NAMED);
        }
        Producer::start(config, tls, partitioner)
    }
}

/// With a ready-made configuration the keys mean nothing, not even that they contradict each other.
fn ignore_ssl_keys(config: &mut Config) -> Result<(), ConfigError> {
    if config.security_protocol != SecurityProtocol::Ssl {
        return Err(ConfigError {
            key: "security_protocol".to_owned(),
            reason: "an ssl_context was given, and nothing is encrypted with PLAINTEXT: set SSL"
                .to_owned(),
        });
    }
    let default = Config::default();
    config.ssl_cafile = default.ssl_cafile;
    config.ssl_certfile = default.ssl_certfile;
    config.ssl_keyfile = default.ssl_keyfile;
    config.ssl_check_hostname = default.ssl_check_hostname;
    Ok(())
}

/// The client id of a producer that was given none: numbered from 1, never twice the same.
fn next_name(named: &AtomicU64) -> String {
    let number = named.fetch_add(1, Ordering::Relaxed) + 1;
    format!("titorelli-producer-{number}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn producers_are_numbered_from_one_and_never_twice_the_same() {
        let counter = AtomicU64::new(0);
        let names: Vec<String> = (0..3).map(|_| next_name(&counter)).collect();
        assert_eq!(
            names,
            [
                "titorelli-producer-1",
                "titorelli-producer-2",
                "titorelli-producer-3"
            ]
        );
    }
}
