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
            Self::Produce | Self::Metadata => (0, 13),
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

/// Fetch, which the cluster announces and does not answer.
const FETCH: i16 = 1;
/// `FindCoordinator`, likewise.
const FIND_COORDINATOR: i16 = 10;

/// A range of versions that a broker announces for one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiRange {
    /// The API's number; it need not be one that the cluster answers.
    pub api_key: i16,
    /// The first announced version.
    pub version_min: i16,
    /// The last announced version; answered if the codec supports it.
    pub version_max: i16,
}

impl ApiRange {
    /// What Kafka 4.4 announces, as far as producers look at it.
    ///
    /// librdkafka derives a broker's features from ranges that a producer never uses: record
    /// batches and zstd from Fetch, LZ4 from `FindCoordinator`, compression from a Produce that
    /// begins at 0 (KAFKA-18659). Hence Fetch and `FindCoordinator` are announced, and Produce from
    /// 0 on; requests for them and for Produce 0 to 2 close the connection (the latter also in
    /// Kafka 4).
    #[must_use]
    pub fn kafka_4() -> Vec<Self> {
        let answered = |api: ApiKey| {
            let (version_min, version_max) = api.supported();
            Self {
                api_key: api.to_wire(),
                version_min,
                version_max,
            }
        };
        let mut ranges: Vec<Self> = ApiKey::ALL.into_iter().map(answered).collect();
        ranges.push(Self {
            api_key: FETCH,
            version_min: 4,
            version_max: 18,
        });
        ranges.push(Self {
            api_key: FIND_COORDINATOR,
            version_min: 0,
            version_max: 6,
        });
        ranges.sort_by_key(|range| range.api_key);
        ranges
    }

    /// What a release announces of the APIs that the cluster answers: major, minor and patch
    /// number. Before 0.10 there is no `ApiVersions`, before 0.11 no `InitProducerId`.
    #[must_use]
    pub fn of_release(release: (u16, u16, u16)) -> Vec<Self> {
        let since = |table: &[((u16, u16, u16), i16)]| {
            let known = table.iter().rev().find(|(first, _)| *first <= release);
            known.map(|(_, version)| *version)
        };
        let newest = [
            (ApiKey::Produce, since(PRODUCE)),
            (ApiKey::Metadata, since(METADATA)),
            (ApiKey::ApiVersions, since(API_VERSIONS)),
            (ApiKey::InitProducerId, since(INIT_PRODUCER_ID)),
        ];
        let range = |(api, version_max): (ApiKey, Option<i16>)| {
            Some(Self {
                api_key: api.to_wire(),
                version_min: 0,
                version_max: version_max?,
            })
        };
        newest.into_iter().filter_map(range).collect()
    }

    /// Whether a broker that announces this for Produce still takes message sets: before 4.0.
    #[must_use]
    pub const fn takes_message_sets(self) -> bool {
        self.version_max < 12
    }
}

/// The releases with a new highest version, and that version.
type Newest = &'static [((u16, u16, u16), i16)];

const PRODUCE: Newest = &[
    ((0, 8, 0), 0),
    ((0, 9, 0), 1),
    ((0, 10, 0), 2),
    ((0, 11, 0), 3),
    ((1, 0, 0), 5),
    ((2, 0, 0), 6),
    ((2, 1, 0), 7),
    ((2, 4, 0), 8),
    ((2, 8, 0), 9),
    ((3, 7, 0), 10),
    ((3, 8, 0), 11),
    ((4, 0, 0), 12),
    ((4, 1, 0), 13),
];
const METADATA: Newest = &[
    ((0, 8, 0), 0),
    ((0, 10, 0), 1),
    ((0, 10, 1), 2),
    ((0, 11, 0), 4),
    ((1, 0, 0), 5),
    ((2, 0, 0), 6),
    ((2, 1, 0), 7),
    ((2, 3, 0), 8),
    ((2, 4, 0), 9),
    ((2, 8, 0), 11),
    ((3, 1, 0), 12),
    ((4, 0, 0), 13),
];
const API_VERSIONS: Newest = &[
    ((0, 10, 0), 0),
    ((0, 11, 0), 1),
    ((2, 0, 0), 2),
    ((2, 4, 0), 3),
    ((3, 9, 0), 4),
    ((4, 4, 0), 5),
];
const INIT_PRODUCER_ID: Newest = &[
    ((0, 11, 0), 0),
    ((2, 0, 0), 1),
    ((2, 4, 0), 2),
    ((2, 5, 0), 3),
    ((2, 7, 0), 4),
    ((3, 8, 0), 5),
];
