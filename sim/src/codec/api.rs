//! Which APIs exist, at which versions, and in which layout.

/// The APIs that a producer without transactions uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApiKey {
    /// Produce, key 0.
    Produce,
    /// Metadata, key 3.
    Metadata,
    /// `ApiVersions`, key 18 (KIP-35, KIP-511).
    ApiVersions,
    /// `InitProducerId`, key 22 (KIP-98, KIP-360).
    InitProducerId,
}

impl ApiKey {
    /// Every API, in the order of the keys.
    pub const ALL: [Self; 4] = [
        Self::Produce,
        Self::Metadata,
        Self::ApiVersions,
        Self::InitProducerId,
    ];

    /// The API with this number on the wire, if the cluster knows it.
    #[must_use]
    pub fn from_wire(key: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.to_wire() == key)
    }

    /// The number on the wire.
    #[must_use]
    pub const fn to_wire(self) -> i16 {
        match self {
            Self::Produce => 0,
            Self::Metadata => 3,
            Self::ApiVersions => 18,
            Self::InitProducerId => 22,
        }
    }

    /// Kafka's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Produce => "Produce",
            Self::Metadata => "Metadata",
            Self::ApiVersions => "ApiVersions",
            Self::InitProducerId => "InitProducerId",
        }
    }

    /// The versions that this codec reads and writes.
    #[must_use]
    pub const fn supported(self) -> (i16, i16) {
        match self {
            Self::Produce => (3, 13),
            Self::Metadata => (0, 13),
            Self::ApiVersions | Self::InitProducerId => (0, 5),
        }
    }

    /// The first version in the flexible layout (KIP-482).
    #[must_use]
    pub const fn first_flexible(self) -> i16 {
        match self {
            Self::Produce | Self::Metadata => 9,
            Self::ApiVersions => 3,
            Self::InitProducerId => 2,
        }
    }

    /// Whether this version is in the flexible layout.
    #[must_use]
    pub const fn is_flexible(self, version: i16) -> bool {
        version >= self.first_flexible()
    }
}

/// A range of versions that a broker announces for one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiRange {
    /// The API.
    pub api: ApiKey,
    /// The first announced version.
    pub version_min: i16,
    /// The last announced version; answered if the codec supports it.
    pub version_max: i16,
}

impl ApiRange {
    /// What Kafka 4.4 announces for the APIs that are here. Produce says 0 although versions 0 to 2
    /// are answered by closing the connection: librdkafka before 2.9 derives "this broker knows
    /// compression" from a minimum of 0 (KAFKA-18659).
    #[must_use]
    pub fn kafka_4() -> Vec<Self> {
        let range = |api: ApiKey| {
            let (version_min, version_max) = api.supported();
            let version_min = if api == ApiKey::Produce {
                0
            } else {
                version_min
            };
            Self {
                api,
                version_min,
                version_max,
            }
        };
        ApiKey::ALL.into_iter().map(range).collect()
    }
}
