//! The versions of one connection, chosen from what its broker announced.

use core::fmt;

use super::api_key::{ApiKey, VersionRange};
use super::api_versions::ApiRange;
use super::format::Format;

/// The version of each API on one connection. Brokers differ during an upgrade, so connections do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Versions {
    /// Of Produce.
    pub produce: i16,
    /// Of Metadata.
    pub metadata: i16,
    /// The lowest of Produce that the broker takes, for batches in an older format.
    pub produce_least: i16,
    /// Of `InitProducerId`; `None` before Kafka 0.11.
    pub init_producer_id: Option<i16>,
}

/// A broker which speaks no version of an API that we speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsupported {
    /// The API.
    pub api: ApiKey,
    /// What the broker offers; `None` when it does not list the API.
    pub offered: Option<VersionRange>,
    /// What we could speak with this broker.
    pub needed: VersionRange,
}

/// The first Metadata version that tells topic ids (KIP-516).
const METADATA_WITH_TOPIC_IDS: i16 = 10;
/// The first Produce version with record batches.
const PRODUCE_WITH_BATCHES: i16 = 3;
/// A broker with this Produce version is of 4.0 or newer, and takes record batches only.
const PRODUCE_OF_KAFKA_4: i16 = 12;
/// The last Produce version that names topics; the next one has topic ids instead (KIP-516).
const PRODUCE_BY_NAME_MAX: i16 = 12;

impl Versions {
    /// The highest versions in common with what the broker announced.
    ///
    /// Brokers since 4.0 announce Produce from 0 on (for the sake of librdkafka, KAFKA-18659) and
    /// yet close the connection on 0 to 2. Produce 13 needs topic ids, hence Metadata 10. Produce
    /// 12 equals 11 outside transactions.
    ///
    /// # Errors
    /// [`Unsupported`] for the first API without a version in common.
    pub fn choose(ranges: &[ApiRange]) -> Result<Self, Unsupported> {
        let metadata = choose(ranges, ApiKey::Metadata, ApiKey::Metadata.supported())?;
        let mut needed = ApiKey::Produce.supported();
        if metadata < METADATA_WITH_TOPIC_IDS {
            needed.max = PRODUCE_BY_NAME_MAX;
        }
        let offered = offered(ranges, ApiKey::Produce);
        if offered.is_some_and(|offered| offered.max >= PRODUCE_OF_KAFKA_4) {
            needed.min = PRODUCE_WITH_BATCHES;
        }
        let produce = choose(ranges, ApiKey::Produce, needed)?;
        let offered_min = offered.map_or(needed.min, |offered| offered.min);
        let init_producer_id = ApiKey::InitProducerId;
        let of_identity = choose(ranges, init_producer_id, init_producer_id.supported());
        Ok(Self {
            produce,
            metadata,
            produce_least: offered_min.max(needed.min),
            init_producer_id: of_identity.ok(),
        })
    }

    /// The format that records are best written in for this broker.
    #[must_use]
    pub const fn format(self) -> Format {
        Format::of_produce(self.produce)
    }

    /// The version of Produce for a batch in this format, if the broker takes it. A topic whose
    /// id nobody told goes by its name.
    #[must_use]
    pub fn produce_for(self, format: Format, has_topic_id: bool) -> Option<i16> {
        let newest = match format {
            Format::V0 => self.produce.min(1),
            Format::V1 => self.produce.min(2),
            Format::V2 if has_topic_id => self.produce,
            Format::V2 => self.produce.min(PRODUCE_BY_NAME_MAX),
        };
        let is_right = Format::of_produce(newest) == format && newest >= self.produce_least;
        is_right.then_some(newest)
    }
}

/// What the broker offers of an API.
fn offered(ranges: &[ApiRange], api: ApiKey) -> Option<VersionRange> {
    ranges
        .iter()
        .find(|range| range.api_key == api.code())
        .map(ApiRange::versions)
}

fn choose(ranges: &[ApiRange], api: ApiKey, needed: VersionRange) -> Result<i16, Unsupported> {
    let offered = offered(ranges, api);
    offered
        .and_then(|offered| offered.highest_common(needed))
        .ok_or(Unsupported {
            api,
            offered,
            needed,
        })
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            api,
            offered,
            needed,
        } = self;
        match offered {
            Some(offered) => write!(f, "the broker speaks {api} {offered}, needed is {needed}"),
            None => write!(f, "the broker does not speak {api}, needed is {needed}"),
        }
    }
}

impl core::error::Error for Unsupported {}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(produce: (i16, i16), metadata: (i16, i16)) -> Vec<ApiRange> {
        vec![
            ApiRange {
                api_key: 0,
                min: produce.0,
                max: produce.1,
            },
            ApiRange {
                api_key: 1,
                min: 0,
                max: 99,
            },
            ApiRange {
                api_key: 3,
                min: metadata.0,
                max: metadata.1,
            },
        ]
    }

    #[track_caller]
    fn check(produce: (i16, i16), metadata: (i16, i16), expected: (i16, i16)) {
        let chosen = Versions::choose(&broker(produce, metadata)).unwrap();
        assert_eq!((chosen.produce, chosen.metadata), expected);
    }

    #[test]
    fn the_highest_common_versions_are_chosen() {
        check((0, 2), (0, 1), (2, 1)); // 0.10
        check((0, 3), (0, 4), (3, 4)); // 0.11
        check((0, 7), (0, 8), (7, 8)); // 2.3
        check((0, 11), (0, 12), (11, 12)); // 3.9
        check((0, 13), (0, 13), (13, 13)); // 4.1, which announces 0 and refuses 0 to 2
        check((3, 99), (1, 99), (13, 13)); // the future
    }

    #[test]
    fn topic_ids_in_produce_need_topic_ids_in_metadata() {
        check((0, 13), (0, 9), (12, 9));
        check((0, 13), (0, 10), (13, 10));
        let refused = Versions::choose(&broker((13, 13), (0, 9))).unwrap_err();
        assert_eq!(refused.needed, VersionRange { min: 3, max: 12 });
    }

    #[test]
    fn a_broker_without_a_common_version_is_named_with_what_it_offers() {
        let odd = Versions::choose(&broker((14, 15), (0, 9))).unwrap_err();
        assert_eq!(
            odd.to_string(),
            "the broker speaks Produce 14-15, needed is 3-12"
        );
        let new = Versions::choose(&broker((0, 13), (14, 15))).unwrap_err();
        assert_eq!(
            new.to_string(),
            "the broker speaks Metadata 14-15, needed is 0-13"
        );
        let none = Versions::choose(&[]).unwrap_err();
        assert_eq!(
            none.to_string(),
            "the broker does not speak Metadata, needed is 0-13"
        );
    }

    #[test]
    fn an_older_format_is_sent_with_an_older_version_where_the_broker_takes_it() {
        let versions = |produce| Versions::choose(&broker(produce, (0, 13))).unwrap();
        let all = |produce| {
            [Format::V0, Format::V1, Format::V2]
                .map(|format| versions(produce).produce_for(format, true))
        };
        assert_eq!(all((0, 0)), [Some(0), None, None]); // 0.8
        assert_eq!(all((0, 1)), [Some(1), None, None]); // 0.9
        assert_eq!(all((0, 2)), [Some(1), Some(2), None]); // 0.10
        assert_eq!(all((0, 11)), [Some(1), Some(2), Some(11)]); // 3.9
        assert_eq!(all((0, 13)), [None, None, Some(13)]); // 4.1
        assert_eq!(versions((0, 2)).format(), Format::V1);
        assert_eq!(versions((0, 13)).produce_for(Format::V2, false), Some(12));
    }

    #[test]
    fn a_backwards_range_is_no_offer() {
        assert!(Versions::choose(&broker((13, 3), (0, 13))).is_err());
        assert!(Versions::choose(&broker((i16::MIN, -1), (0, 13))).is_err());
    }
}
