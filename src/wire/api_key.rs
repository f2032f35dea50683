//! Which APIs a producer speaks, and at which versions.

use core::fmt;

/// An API of the Kafka protocol, by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiKey {
    /// Appends record batches to partitions.
    Produce = 0,
    /// Tells brokers, topics, partitions and their leaders.
    Metadata = 3,
    /// Tells which APIs a broker speaks, at which versions (KIP-35).
    ApiVersions = 18,
    /// Gives a producer id, under which batches are written once (KIP-98).
    InitProducerId = 22,
}

/// An inclusive range of versions of one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VersionRange {
    /// The lowest version.
    pub min: i16,
    /// The highest version.
    pub max: i16,
}

impl ApiKey {
    /// Every API that this crate speaks, by rising key.
    pub const ALL: [Self; 4] = [
        Self::Produce,
        Self::Metadata,
        Self::ApiVersions,
        Self::InitProducerId,
    ];

    /// The key as the wire has it.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Produce => 0,
            Self::Metadata => 3,
            Self::ApiVersions => 18,
            Self::InitProducerId => 22,
        }
    }

    /// Kafka's name of the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Produce => "Produce",
            Self::Metadata => "Metadata",
            Self::ApiVersions => "ApiVersions",
            Self::InitProducerId => "InitProducerId",
        }
    }

    /// The versions that this crate encodes and decodes.
    ///
    /// Produce 0 to 2 carry message sets, from 3 on record batches (Kafka 0.11).
    #[must_use]
    pub const fn supported(self) -> VersionRange {
        match self {
            Self::Produce | Self::Metadata => VersionRange { min: 0, max: 13 },
            Self::ApiVersions => VersionRange { min: 0, max: 4 },
            Self::InitProducerId => VersionRange { min: 0, max: 5 },
        }
    }

    /// The first flexible version: compact lengths and tagged fields (KIP-482).
    #[must_use]
    pub const fn flexible_since(self) -> i16 {
        match self {
            Self::Produce | Self::Metadata => 9,
            Self::ApiVersions => 3,
            Self::InitProducerId => 2,
        }
    }

    /// Whether this version is flexible.
    pub(super) const fn is_flexible(self, version: i16) -> bool {
        version >= self.flexible_since()
    }

    /// Panics unless the version is one that this crate speaks: the caller chose it.
    #[track_caller]
    pub(super) fn assert_supported(self, version: i16) {
        assert!(
            self.supported().contains(version),
            "{self} v{version} is not spoken here"
        );
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl VersionRange {
    /// Whether the version lies in the range.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }

    /// The highest version that lies in both ranges, or `None`.
    #[must_use]
    pub const fn highest_common(self, other: Self) -> Option<i16> {
        let max = if self.max < other.max {
            self.max
        } else {
            other.max
        };
        if self.contains(max) && other.contains(max) {
            Some(max)
        } else {
            None
        }
    }
}

impl fmt::Display for VersionRange {
    /// `3-13`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.min, self.max)
    }
}
