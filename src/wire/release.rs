//! A release of Apache Kafka, and what its brokers speak.

use core::fmt;
use core::str::FromStr;

use super::versions::Versions;

/// A release by its number: `2.8.2`, `0.11.0`, `4.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Release {
    /// The first number.
    pub major: u16,
    /// The second.
    pub minor: u16,
    /// The third; 0 where none is written.
    pub patch: u16,
}

impl Release {
    /// The release of this number.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }
}

/// The first release that speaks a version of Produce, Metadata or `InitProducerId`: release, the
/// three versions. From the message schemas of each release.
const SPOKEN: &[(Release, i16, i16, Option<i16>)] = &[
    (Release::new(0, 8, 0), 0, 0, None),
    (Release::new(0, 9, 0), 1, 0, None),
    (Release::new(0, 10, 0), 2, 1, None),
    (Release::new(0, 10, 1), 2, 2, None),
    (Release::new(0, 11, 0), 3, 4, Some(0)),
    (Release::new(1, 0, 0), 5, 5, Some(0)),
    (Release::new(2, 0, 0), 6, 6, Some(1)),
    (Release::new(2, 1, 0), 7, 7, Some(1)),
    (Release::new(2, 3, 0), 7, 8, Some(1)),
    (Release::new(2, 4, 0), 8, 9, Some(2)),
    (Release::new(2, 5, 0), 8, 9, Some(3)),
    (Release::new(2, 7, 0), 8, 9, Some(4)),
    (Release::new(2, 8, 0), 9, 11, Some(4)),
    (Release::new(3, 1, 0), 9, 12, Some(4)),
    (Release::new(3, 7, 0), 10, 12, Some(4)),
    (Release::new(3, 8, 0), 11, 12, Some(5)),
    (Release::new(4, 0, 0), 12, 13, Some(5)),
    (Release::new(4, 1, 0), 13, 13, Some(5)),
];

/// The first release that takes nothing but record batches (KIP-896).
const BATCHES_ONLY: Release = Release::new(4, 0, 0);

impl Release {
    /// The first release that we can produce to.
    pub const OLDEST: Self = SPOKEN[0].0;

    /// What its brokers speak at best, of what we speak; `None` before [`OLDEST`](Self::OLDEST).
    #[must_use]
    pub fn versions(self) -> Option<Versions> {
        let known = SPOKEN.iter().rev().find(|(since, ..)| *since <= self);
        known.map(|&(_, produce, metadata, init_producer_id)| Versions {
            produce,
            metadata,
            init_producer_id,
            produce_least: if self < BATCHES_ONLY { 0 } else { 3 },
        })
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        if self.major == 0 || self.patch > 0 {
            write!(f, ".{}", self.patch)?;
        }
        Ok(())
    }
}

impl FromStr for Release {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither auto nor a release such as 2.8 or 0.11.0");
        let mut numbers = [0; 3];
        let parts: Vec<&str> = text.split('.').collect();
        // kafka-python's "0.9" and Kafka's own "0.11.0.3" are releases too.
        if !(2..=4).contains(&parts.len()) {
            return Err(wrong());
        }
        for (number, part) in numbers.iter_mut().zip(&parts) {
            *number = part.parse().map_err(|_| wrong())?;
        }
        let [major, minor, patch] = numbers;
        Ok(Self::new(major, minor, patch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(i16, i16)>) {
        let release: Release = text.parse().expect("a release");
        let versions = release.versions().map(|v| (v.produce, v.metadata));
        assert_eq!(versions, expected, "{text}");
    }

    #[test]
    fn a_release_speaks_what_its_schemas_say() {
        check("0.7.2", None);
        check("0.8.2", Some((0, 0)));
        check("0.9", Some((1, 0)));
        check("0.10.0.1", Some((2, 1)));
        check("0.10.2", Some((2, 2)));
        check("0.11.0.3", Some((3, 4)));
        check("1.1.1", Some((5, 5)));
        check("2.3", Some((7, 8)));
        check("2.8.2", Some((9, 11)));
        check("3.9.2", Some((11, 12)));
        check("4.0", Some((12, 13)));
        check("4.4.0", Some((13, 13)));
        check("9.9", Some((13, 13)));
    }

    #[test]
    fn releases_are_written_as_they_are_read() {
        for text in ["0.11.0", "0.8.2", "2.8", "2.8.2", "4.1"] {
            assert_eq!(text.parse::<Release>().expect("valid").to_string(), text);
        }
        for text in ["", "4", "a.b", "1.2.3.4.5", "1.-2", "1..2"] {
            assert!(text.parse::<Release>().is_err(), "{text}");
        }
    }
}
