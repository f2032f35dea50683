//! The configuration by text: every key under the names that three clients use.
//!
//! Owns: which key a name means, and what is said of a name that nobody knows. How a value is read
//! is its kind's.

use super::properties::{self, Property};
use super::{Config, KEYS, Key, foreign};
use crate::error::ConfigError;
use strsim::levenshtein;

/// A name whose values mean something else than the key's: what they are in its terms.
struct Converted {
    name: &'static str,
    key: &'static str,
    convert: fn(&str) -> Result<String, String>,
}

const CONVERTED: &[Converted] = &[
    // librdkafka's unit is 1,024 bytes.
    converted("queue.buffering.max.kbytes", "buffer.memory", |text| {
        let kib: usize = text
            .parse()
            .map_err(|_| format!("{text:?} is not a number that this key can have"))?;
        Ok(kib.saturating_mul(1_024).to_string())
    }),
    converted(
        "ssl.endpoint.identification.algorithm",
        "ssl.check.hostname",
        |text| match text.to_ascii_lowercase().as_str() {
            "https" => Ok("true".to_owned()),
            "" | "none" => Ok("false".to_owned()),
            _ => Err(format!("{text:?} is neither https nor empty")),
        },
    ),
];

const fn converted(
    name: &'static str,
    key: &'static str,
    convert: fn(&str) -> Result<String, String>,
) -> Converted {
    Converted { name, key, convert }
}

impl Config {
    /// Sets one key from text: by kafka-python's name (`linger_ms`), the Java producer's
    /// (`linger.ms`) or librdkafka's (`queue.buffering.max.ms`). All are in
    /// [`KEYS`].
    ///
    /// Times are in milliseconds and may have decimals, `inf` is for ever; lists are separated by
    /// commas. Of several values of a key the last counts, whatever names they were set by.
    ///
    /// # Errors
    ///
    /// An unknown key, with the nearest known one, or a value that this key cannot have. Whether
    /// the values fit together is told by [`Config::check`].
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        let (wanted, value) = (plain(key), value.trim());
        let error = |reason| ConfigError::new(key, reason);
        if let Some(known) = find(&wanted) {
            return self.give(known, value).map_err(error);
        }
        if let Some(converted) = CONVERTED.iter().find(|known| known.name == wanted) {
            let known = find(converted.key).expect("it is converted to a key");
            let value = (converted.convert)(value).map_err(error)?;
            return self.give(known, &value).map_err(error);
        }
        if foreign::is_harmless(&wanted, value) {
            return Ok(());
        }
        Err(error(refusal(key)))
    }

    fn give(&mut self, key: &Key, value: &str) -> Result<(), String> {
        (key.read)(self, value)?;
        self.given.add(key);
        Ok(())
    }

    /// The defaults with these keys set, in order.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set), for the first pair at fault.
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        for (key, value) in pairs {
            config.set(key, value)?;
        }
        Ok(config)
    }

    /// Sets the keys of a text in the format of Java's properties files: `key=value` lines, with
    /// comments, continued lines and escapes. Of several lines for a key the last counts.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set), with the number of the line at fault.
    pub fn set_properties(&mut self, text: &str) -> Result<(), ConfigError> {
        for property in properties::parse(text) {
            let (line, property) = property.map_err(|line| {
                ConfigError::new(
                    format!("line {line}"),
                    "an escape \\u needs four hexadecimal digits",
                )
            })?;
            let Property { key, value } = property;
            self.set(&key, &value).map_err(|error| {
                let hint = "; a comment has a line of its own";
                let hint = if value.contains(" #") { hint } else { "" };
                let reason = format!("{}{hint} (line {line})", error.reason);
                ConfigError { reason, ..error }
            })?;
        }
        Ok(())
    }
}

impl Key {
    /// The present value, as text; [`Config::set`] reads it as the same.
    #[must_use]
    pub fn value_in(&self, config: &Config) -> String {
        (self.write)(config)
    }

    /// Every name, kafka-python's first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        core::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// Why there is no such key.
fn refusal(key: &str) -> String {
    if let Some(reason) = foreign::reason(&plain(key)) {
        return reason.to_owned();
    }
    match nearest(key) {
        Some(name) => format!("unknown; did you mean {name}?"),
        None => "unknown, and like no known key".to_owned(),
    }
}

/// The key of this plain name.
fn find(wanted: &str) -> Option<&'static Key> {
    KEYS.iter()
        .find(|known| known.names().any(|name| plain(name) == wanted))
}

/// A name as names are compared: without regard to case, and `_` and `-` count as `.`.
fn plain(key: &str) -> String {
    key.trim().to_ascii_lowercase().replace(['_', '-'], ".")
}

/// The known name with the fewest edits from what was asked for, in the manner of that.
fn nearest(key: &str) -> Option<&'static str> {
    let wanted = plain(key);
    let names = KEYS.iter().flat_map(Key::names);
    let nearest =
        names.min_by_key(|name| (levenshtein(&wanted, &plain(name)), levenshtein(key, name)))?;
    // Half of it made up is no misspelling.
    (levenshtein(&wanted, &plain(nearest)) <= wanted.len() / 2).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::foreign::{FOREIGN, HARMLESS};
    use crate::config::{ApiVersion, Partitioner, SecurityProtocol};
    use crate::wire::Codec;
    use core::time::Duration;
    use std::path::PathBuf;

    fn set(pairs: &[(&str, &str)]) -> Config {
        Config::from_pairs(pairs.iter().copied()).expect("valid")
    }

    fn reason(key: &str, value: &str) -> String {
        Config::default().set(key, value).unwrap_err().reason
    }

    #[test]
    fn java_kafka_python_and_librdkafka_names_mean_the_same() {
        let java = set(&[
            ("linger.ms", "7"),
            ("acks", "-1"),
            ("buffer.memory", "1048576"),
            ("delivery.timeout.ms", "60000"),
            ("ssl.truststore.location", "/ca.pem"),
            ("ssl.endpoint.identification.algorithm", ""),
        ]);
        let python = set(&[
            ("linger_ms", "7"),
            ("acks", "all"),
            ("buffer_memory", "1_048_576"),
            ("delivery_timeout_ms", "60000"),
            ("ssl_cafile", "/ca.pem"),
            ("ssl_check_hostname", "False"),
        ]);
        let librdkafka = set(&[
            ("queue.buffering.max.ms", "7"),
            ("request.required.acks", "all"),
            ("queue.buffering.max.kbytes", "1024"),
            ("message.timeout.ms", "60000"),
            ("ssl.ca.location", "/ca.pem"),
            ("ssl.endpoint.identification.algorithm", "none"),
        ]);
        assert_eq!(java, python);
        assert_eq!(java, librdkafka);
        assert_eq!(java.linger, Duration::from_millis(7));
    }

    #[test]
    fn every_name_means_one_thing() {
        let mut names: Vec<String> = KEYS.iter().flat_map(Key::names).map(plain).collect();
        names.extend(CONVERTED.iter().map(|known| known.name.to_owned()));
        let theirs = FOREIGN.iter().flat_map(|(names, _)| *names);
        names.extend(theirs.map(|name| (*name).to_owned()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        // The Java name of many a key is kafka-python's with dots.
        let doubled = KEYS.iter().filter(|key| {
            key.aliases
                .iter()
                .any(|alias| plain(alias) == plain(key.name))
        });
        assert_eq!(names.len() + doubled.count(), count);
    }

    #[test]
    fn the_default_of_every_key_is_what_default_has_and_survives_its_text() {
        for key in KEYS {
            let text = key.value_in(&Config::default());
            assert_eq!(text, key.default, "{}", key.name);
            for name in key.names() {
                let mut config = Config::default();
                config.set(name, &text).expect(name);
                assert_eq!(config, Config::default(), "{name}");
            }
        }
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_known_one() {
        assert_eq!(reason("linger", "5"), "unknown; did you mean linger_ms?");
        assert_eq!(reason("foo.bar", "5"), "unknown, and like no known key");
        assert_eq!(
            reason("batchsize", "5"),
            "unknown; did you mean batch_size?"
        );
        assert_eq!(
            reason("compresion.type", "lz4"),
            "unknown; did you mean compression.type?"
        );
        assert_eq!(reason("", ""), "unknown, and like no known key");
    }

    #[test]
    fn what_other_clients_have_and_this_one_has_not_is_refused_with_the_reason() {
        assert!(reason("key.serializer", "StringSerializer").contains("in code"));
        assert!(reason("transactional_id", "t").contains("transactions"));
        assert!(reason("enable.ssl.certificate.verification", "false").contains("ssl_cafile"));
        assert!(reason("ssl_crlfile", "a.pem").contains("revoked"));
        assert!(reason("ssl.truststore.type", "JKS").contains("ssl_cafile"));
        assert!(reason("sasl_plain_username", "me").contains("SASL"));
        assert!(reason("sasl.nobody.knows", "me").contains("SASL"));
        assert!(reason("api_version_auto_timeout_ms", "1").contains("setup_timeout_ms"));
        assert!(reason("statistics.interval.ms", "1").contains("metrics"));
        assert!(reason("log_level", "7").contains("nothing is logged"));
        for (key, value) in HARMLESS {
            assert_eq!(set(&[(key, value)]), Config::default(), "{key}");
        }
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_in_words() {
        assert_eq!(reason("acks", "2"), "\"2\" is none of 0, 1, all");
        assert_eq!(
            reason("retries", "-1"),
            "\"-1\" is not a number from 0 to 4294967295, or inf"
        );
        assert_eq!(
            reason("max_block_ms", "-1"),
            "\"-1\" is not a time in milliseconds, from 0 on or inf"
        );
        for time in ["-1", "x", "", "-inf", "nan", "1e"] {
            let reason = reason("linger.ms", time);
            assert!(reason.contains("is not a time in milliseconds"), "{time}");
        }
        assert!(reason("compression.type", "brotli").contains("gzip"));
        assert_eq!(reason("bootstrap.servers", " , "), "expected HOST[:PORT],…");
        assert!(reason("partitioner", "best").contains("round_robin"));
        assert!(reason("security.protocol", "SASL_SSL").contains("SASL"));
        assert!(reason("api_version", "banana").contains("auto"));
        assert_eq!(
            reason("backoff_jitter_percent", "101"),
            "\"101\" is not a number from 0 to 100"
        );
    }

    #[test]
    fn values_are_read_in_their_units() {
        let config = set(&[
            ("bootstrap.servers", "a:1, [::1]:2,,c"),
            ("compression.type", "ZSTD"),
            ("compression.level", "-3"),
            ("linger.ms", "0.5"),
            ("allow.auto.create.topics", "False"),
            ("security.protocol", "ssl"),
            ("retries", "inf"),
            ("receive.buffer.bytes", "-1"),
            ("send_buffer_bytes", "131072"),
            ("connections.max.idle.ms", "-1"),
            ("ssl_certfile", "None"),
            ("ssl_keyfile", "k.pem"),
            ("api_version", "0.11.0"),
            (
                "partitioner.class",
                "org.apache.kafka.clients.producer.RoundRobinPartitioner",
            ),
        ]);
        assert_eq!(config.bootstrap_servers, ["a:1", "[::1]:2", "c"]);
        assert_eq!(
            (config.compression, config.compression_level),
            (Codec::Zstd, Some(-3))
        );
        assert_eq!(config.linger, Duration::from_micros(500));
        assert!(!config.allow_auto_create_topics);
        assert_eq!(config.security_protocol, SecurityProtocol::Ssl);
        assert_eq!(config.retries, u32::MAX);
        assert_eq!(
            (config.receive_buffer_bytes, config.send_buffer_bytes),
            (None, Some(131_072))
        );
        assert_eq!(config.connections_max_idle, Duration::MAX);
        assert_eq!(
            (config.ssl_certfile, config.ssl_keyfile),
            (None, Some(PathBuf::from("k.pem")))
        );
        assert_eq!(config.partitioner, Partitioner::RoundRobin);
        assert_ne!(config.api_version, ApiVersion::Auto);
    }

    #[test]
    fn of_several_values_the_last_counts_by_whatever_name() {
        let pairs = [
            ("linger.ms", "1"),
            ("linger_ms", "2"),
            ("queue.buffering.max.ms", "3"),
        ];
        assert_eq!(set(&pairs).linger, Duration::from_millis(3));
        let mut config = Config::default();
        config
            .set_properties("retries=1\nmessage.send.max.retries=2")
            .expect("valid");
        assert_eq!(config.retries, 2);
    }

    #[test]
    fn times_are_whole_microseconds_and_end_where_those_end() {
        let linger = |text| set(&[("linger_ms", text)]).linger;
        assert_eq!(linger("0.0001"), Duration::from_micros(1));
        assert_eq!(linger("1.5001"), Duration::from_micros(1_501));
        assert_eq!(linger("0"), Duration::ZERO);
        let longest = Duration::from_millis(u64::MAX / 1_000);
        for text in ["1e17", "1e22", "1e300", "inf", "18446744073709551615"] {
            assert_eq!(linger(text), longest, "{text}");
            let config = set(&[("linger_ms", text), ("request_timeout_ms", text)]);
            assert_eq!(config.check(), Ok(()), "{text}");
        }
        let text = find("linger.ms")
            .expect("a key")
            .value_in(&set(&[("linger_ms", "1e22")]));
        assert_eq!(linger(&text), longest, "{text}");
    }

    #[test]
    fn a_properties_file_is_read_and_its_faults_are_told_with_their_line() {
        let mut config = Config::default();
        let text = "# mine\nacks = all\nbootstrap.servers: a:1,\\\n   b:2\n\n! more\nlinger.ms 5\n";
        config.set_properties(text).expect("valid");
        assert_eq!(config.bootstrap_servers, ["a:1", "b:2"]);
        assert_eq!(config.linger, Duration::from_millis(5));
        let error = config.set_properties("acks=1\n\nlingerms=5").unwrap_err();
        assert_eq!(error.reason, "unknown; did you mean linger_ms? (line 3)");
        let error = config.set_properties("retries=3 # or more").unwrap_err();
        let words = "; a comment has a line of its own (line 1)";
        assert!(error.reason.ends_with(words), "{error}");
    }
}
