//! The values of keys that choose among a few.

use crate::wire::Release;
use core::fmt;
use core::str::FromStr;

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

/// What is spoken with brokers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityProtocol {
    /// Kafka's protocol as it is.
    Plaintext,
    /// Inside TLS. The driver does it; the core sees the bytes inside.
    Ssl,
}

impl SecurityProtocol {
    /// Kafka's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
        }
    }
}

impl FromStr for SecurityProtocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => Ok(Self::Plaintext),
            "SSL" => Ok(Self::Ssl),
            "SASL_PLAINTEXT" | "SASL_SSL" => Err("SASL is not there in this version".to_owned()),
            _ => Err(format!("{text:?} is neither PLAINTEXT nor SSL")),
        }
    }
}

/// What is done when no broker that the cluster named answers (KIP-899).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataRecovery {
    /// Those are asked again, and no others.
    None,
    /// The bootstrap servers are asked again, too.
    Rebootstrap,
}

impl MetadataRecovery {
    /// Kafka's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Rebootstrap => "rebootstrap",
        }
    }
}

impl FromStr for MetadataRecovery {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "none" => Ok(Self::None),
            "rebootstrap" => Ok(Self::Rebootstrap),
            _ => Err(format!("{text:?} is neither rebootstrap nor none")),
        }
    }
}

/// Which versions of the protocol are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiVersion {
    /// Every broker is asked what it speaks (KIP-35).
    Auto,
    /// No broker is asked: the highest versions of this release are spoken.
    Release(Release),
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Release(release) => write!(f, "{release}"),
        }
    }
}

impl FromStr for ApiVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // kafka-python's word for it is None by now.
        if ["auto", "none", ""].contains(&text.to_ascii_lowercase().as_str()) {
            return Ok(Self::Auto);
        }
        text.parse().map(Self::Release)
    }
}

/// Where a record goes that names no partition.
///
/// *Hash* is the same as the named client's, so that records with equal keys meet in the same
/// partition whichever client sent them;
/// [`partition_for_key`](crate::partitioner::partition_for_key) computes where. Only records
/// without a key may be kept from partitions that have no leader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Partitioner {
    /// With a key: murmur2 over all partitions, as kafka-python, Java and franz-go. Without: a
    /// random partition that has a leader, kept until its batch is full or has left.
    Default,
    /// As the default, but never the same partition twice in a row (KIP-480).
    Sticky,
    /// As the default, but without a key a partition is kept for `batch_size` bytes; partitions
    /// whose batches pile up get less (KIP-794, Java's built-in).
    UniformSticky,
    /// Every record to the next partition that has a leader, whatever its key (KIP-369).
    RoundRobin,
    /// Every record to a random partition that has a leader, whatever its key (librdkafka's
    /// `random`).
    Random,
    /// murmur2; a null key counts as an empty one (librdkafka's `murmur2`).
    Murmur2,
    /// murmur2; null keys go as without a key by default (librdkafka's `murmur2_random`).
    Murmur2Random,
    /// CRC-32; a null key counts as an empty one (librdkafka's `consistent`).
    Consistent,
    /// CRC-32; null and empty keys go as without a key by default (librdkafka's
    /// `consistent_random`, its default).
    ConsistentRandom,
    /// FNV-1a; a null key counts as an empty one (librdkafka's `fnv1a`, as Sarama's default).
    Fnv1a,
    /// FNV-1a; null keys go as without a key by default (librdkafka's `fnv1a_random`).
    Fnv1aRandom,
}

impl Partitioner {
    /// Every partitioner.
    pub const ALL: [Self; 11] = [
        Self::Default,
        Self::Sticky,
        Self::UniformSticky,
        Self::RoundRobin,
        Self::Random,
        Self::Murmur2,
        Self::Murmur2Random,
        Self::Consistent,
        Self::ConsistentRandom,
        Self::Fnv1a,
        Self::Fnv1aRandom,
    ];

    /// Its name as a value of the key.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Sticky => "sticky",
            Self::UniformSticky => "uniform_sticky",
            Self::RoundRobin => "round_robin",
            Self::Random => "random",
            Self::Murmur2 => "murmur2",
            Self::Murmur2Random => "murmur2_random",
            Self::Consistent => "consistent",
            Self::ConsistentRandom => "consistent_random",
            Self::Fnv1a => "fnv1a",
            Self::Fnv1aRandom => "fnv1a_random",
        }
    }

    /// Whether `partitioner_ignore_keys` means something: without keys it still has a way.
    pub(crate) const fn can_ignore_keys(self) -> bool {
        matches!(self, Self::Default | Self::Sticky | Self::UniformSticky)
    }
}

impl FromStr for Partitioner {
    type Err = String;

    /// Reads its name, or that of Java's class.
    fn from_str(text: &str) -> Result<Self, String> {
        let class = text.rsplit('.').next().unwrap_or_default();
        let wanted = match class.to_ascii_lowercase().as_str() {
            "defaultpartitioner" | "none" | "null" | "" => "default".to_owned(),
            "roundrobinpartitioner" => "round_robin".to_owned(),
            "uniformstickypartitioner" => "uniform_sticky".to_owned(),
            other => other.replace('-', "_"),
        };
        let known = Self::ALL.into_iter().find(|known| known.name() == wanted);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{text:?} is none of {names}; one of your own is given in code")
        })
    }
}
