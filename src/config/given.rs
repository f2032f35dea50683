//! Which keys were given by name: an error about values that contradict each other says of each
//! whether somebody wrote it, or it is a default.

use super::{Config, KEYS, Key};
use core::fmt;

/// The keys given by name, a bit for each in the order of [`KEYS`]. Which they are makes no
/// configuration unlike another: only values count.
#[derive(Clone, Copy, Default)]
pub(crate) struct Given(u128);

const _: () = assert!(KEYS.len() <= 128, "a bit for each key");

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = KEYS.iter().filter(|key| self.0 & bit(key) != 0);
        f.debug_list().entries(given.map(|key| key.name)).finish()
    }
}

impl PartialEq for Given {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Given {}

impl Given {
    pub(super) fn add(&mut self, key: &Key) {
        self.0 |= bit(key);
    }
}

impl Config {
    /// Whether a key, by its first name, was given by name: by [`set`](Self::set),
    /// [`from_pairs`](Self::from_pairs) or [`set_properties`](Self::set_properties), by whatever
    /// name. Of a field that was assigned nothing is known.
    #[must_use]
    pub fn is_given(&self, key: &str) -> bool {
        let key = KEYS.iter().find(|known| known.name == key);
        key.is_some_and(|key| self.given.0 & bit(key) != 0)
    }

    /// Whether a key, by its first name, has its default, and nobody is known to have said so.
    pub(super) fn is_left_out(&self, key: &str) -> bool {
        let known = in_table(key);
        !self.is_given(key) && known.value_in(self) == known.default
    }

    /// `acks=1 (the default)`: a key, by its first name, with its value, and who said so as far as
    /// it is known.
    pub(super) fn told(&self, key: &str) -> String {
        let value = in_table(key).value_in(self);
        let origin = if self.is_given(key) {
            " (as given)"
        } else if self.is_left_out(key) {
            " (the default)"
        } else {
            // A field that was assigned, here or in `Config::durable`.
            ""
        };
        format!("{key}={value}{origin}")
    }
}

fn in_table(key: &str) -> &'static Key {
    let known = KEYS.iter().find(|known| known.name == key);
    known.expect("a key of the table")
}

fn bit(key: &Key) -> u128 {
    let place = KEYS.iter().position(|known| known.name == key.name);
    1 << place.expect("a key of the table")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_given_by_any_of_its_names_and_a_configuration_is_its_values() {
        let pairs = [("linger.ms", "0"), ("queue.buffering.max.kbytes", "64")];
        let config = Config::from_pairs(pairs).expect("valid");
        assert_eq!(
            format!("{:?}", config.given),
            "[\"linger_ms\", \"buffer_memory\"]"
        );
        assert!(config.is_given("linger_ms") && !config.is_given("acks"));
        let assigned = Config {
            buffer_memory: 65_536,
            ..Config::default()
        };
        assert_eq!(config, assigned);
        let mut failed = Config::default();
        failed.set("acks", "none at all").expect_err("not a value");
        assert!(!failed.is_given("acks"), "what was refused is not given");
    }
}
