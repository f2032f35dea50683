//! The configuration by text: every key under Kafka's own name and the names other clients use.
//!
//! Owns: the table of keys, and how a value is read. Never: whether values fit together, which is
//! [`Config::check`]'s.

use super::{Acks, Config};
use crate::error::ConfigError;
use core::time::Duration;

/// A key: Kafka's name (Java's producer), other names, and how a value is put in.
struct Key {
    name: &'static str,
    aliases: &'static [&'static str],
    put: fn(&mut Config, &str) -> Result<(), String>,
}

/// Every key. Names are compared without regard to case, and `_` and `-` count as `.`, so that
/// kafka-python's keyword arguments are here too.
const KEYS: &[Key] = &[
    key("bootstrap.servers", &["metadata.broker.list"], |c, v| {
        let servers: Vec<String> = list(v).map(str::to_owned).collect();
        put(
            &mut c.bootstrap_servers,
            some(servers, "expected HOST[:PORT],…"),
        )
    }),
    key("client.id", &[], |c, v| {
        put(&mut c.client_id, Ok(v.to_owned()))
    }),
    key("acks", &["request.required.acks"], |c, v| {
        put(&mut c.acks, acks(v))
    }),
    key("compression.type", &["compression.codec"], |c, v| {
        let codec = v.to_ascii_lowercase().parse();
        put(
            &mut c.compression,
            codec.map_err(|error| format!("{error}")),
        )
    }),
    key("compression.level", &[], |c, v| {
        put(&mut c.compression_level, number(v).map(Some))
    }),
    key("retries", &["message.send.max.retries"], |c, v| {
        put(&mut c.retries, number(v))
    }),
    key("batch.size", &[], |c, v| put(&mut c.batch_size, number(v))),
    key("linger.ms", &["queue.buffering.max.ms"], |c, v| {
        put(&mut c.linger, millis(v))
    }),
    key("buffer.memory", &[], |c, v| {
        put(&mut c.buffer_memory, number(v))
    }),
    // librdkafka's unit is 1,024 bytes.
    key("queue.buffering.max.kbytes", &[], |c, v| {
        put(
            &mut c.buffer_memory,
            number::<usize>(v).map(|kib| kib.saturating_mul(1_024)),
        )
    }),
    key("max.block.ms", &[], |c, v| put(&mut c.max_block, millis(v))),
    key("max.request.size", &["message.max.bytes"], |c, v| {
        put(&mut c.max_request_size, number(v))
    }),
    key(
        "metadata.max.age.ms",
        &["topic.metadata.refresh.interval.ms"],
        |c, v| put(&mut c.metadata_max_age, millis(v)),
    ),
    key("retry.backoff.ms", &[], |c, v| {
        put(&mut c.retry_backoff, millis(v))
    }),
    key("retry.backoff.max.ms", &[], |c, v| {
        put(&mut c.retry_backoff_max, millis(v))
    }),
    key("request.timeout.ms", &["socket.timeout.ms"], |c, v| {
        put(&mut c.request_timeout, millis(v))
    }),
    key("delivery.timeout.ms", &["message.timeout.ms"], |c, v| {
        put(&mut c.delivery_timeout, millis(v))
    }),
    key(
        "max.in.flight.requests.per.connection",
        &["max.in.flight"],
        |c, v| put(&mut c.max_in_flight_requests_per_connection, number(v)),
    ),
    key("reconnect.backoff.ms", &[], |c, v| {
        put(&mut c.reconnect_backoff, millis(v))
    }),
    key("reconnect.backoff.max.ms", &[], |c, v| {
        put(&mut c.reconnect_backoff_max, millis(v))
    }),
    key("socket.connection.setup.timeout.ms", &[], |c, v| {
        put(&mut c.socket_connection_setup_timeout, millis(v))
    }),
    key("receive.message.max.bytes", &[], |c, v| {
        put(&mut c.receive_message_max_bytes, number(v))
    }),
    key("allow.auto.create.topics", &[], |c, v| {
        put(&mut c.allow_auto_create_topics, switch(v))
    }),
    // Asked for in many configurations: what this version does anyway is taken, the rest refused.
    key("enable.idempotence", &[], |_, v| only(v, "false")),
    key("security.protocol", &[], |_, v| only(v, "plaintext")),
];

const fn key(
    name: &'static str,
    aliases: &'static [&'static str],
    put: fn(&mut Config, &str) -> Result<(), String>,
) -> Key {
    Key { name, aliases, put }
}

impl Config {
    /// Sets one key from text: by the Java producer's name (`linger.ms`), kafka-python's
    /// (`linger_ms`) or librdkafka's (`queue.buffering.max.ms`).
    ///
    /// Times are in milliseconds and may have decimals; lists are separated by commas.
    ///
    /// # Errors
    ///
    /// An unknown key, with the nearest known one, or a value that this key cannot have. Whether
    /// the values fit together is told by [`Config::check`].
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), ConfigError> {
        let wanted = plain(key);
        let known = KEYS
            .iter()
            .find(|known| known.names().any(|name| name == wanted));
        let Some(known) = known else {
            let reason = match nearest(&wanted) {
                Some(name) => format!("unknown; did you mean {name}?"),
                None => "unknown, and like no known key".to_owned(),
            };
            return Err(ConfigError::new(key, reason));
        };
        (known.put)(self, value.trim()).map_err(|reason| ConfigError::new(key, reason))
    }
}

impl Key {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        core::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// A key as the table has it.
fn plain(key: &str) -> String {
    key.trim().to_ascii_lowercase().replace(['_', '-'], ".")
}

fn put<T>(place: &mut T, value: Result<T, String>) -> Result<(), String> {
    *place = value?;
    Ok(())
}

fn number<T: core::str::FromStr>(text: &str) -> Result<T, String> {
    let digits = text.replace('_', "");
    digits
        .parse()
        .map_err(|_| format!("{text:?} is not a number that this key can have"))
}

fn millis(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is not a time in milliseconds");
    let millis: f64 = text.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(millis / 1e3).map_err(|_| wrong())
}

fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

fn acks(text: &str) -> Result<Acks, String> {
    match text.to_ascii_lowercase().as_str() {
        "0" => Ok(Acks::None),
        "1" => Ok(Acks::Leader),
        "all" | "-1" => Ok(Acks::All),
        _ => Err(format!("{text:?} is none of 0, 1, all")),
    }
}

/// The parts of a comma-separated list that are not empty.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

fn some<T>(values: Vec<T>, expected: &str) -> Result<Vec<T>, String> {
    if values.is_empty() {
        Err(expected.to_owned())
    } else {
        Ok(values)
    }
}

fn only(text: &str, possible: &str) -> Result<(), String> {
    if text.eq_ignore_ascii_case(possible) {
        return Ok(());
    }
    Err(format!(
        "{text} is not possible in this version, only {possible}"
    ))
}

/// The known name with the fewest edits from what was asked for.
fn nearest(wanted: &str) -> Option<&'static str> {
    let names = KEYS.iter().flat_map(Key::names);
    let nearest = names.min_by_key(|name| edits(wanted, name))?;
    // Half of it made up is no misspelling.
    (edits(wanted, nearest) <= wanted.len() / 2).then_some(nearest)
}

/// Levenshtein's distance in bytes: insertions, deletions and replacements.
fn edits(source: &str, target: &str) -> usize {
    // Invariant: `row[n]` is the distance from the part of `source` seen so far to `target[..n]`.
    let mut row: Vec<usize> = (0..=target.len()).collect();
    for (at, from) in source.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (n, to) in target.bytes().enumerate() {
            let replaced = diagonal + usize::from(from != to);
            diagonal = row[n + 1];
            row[n + 1] = replaced.min(diagonal + 1).min(row[n] + 1);
        }
    }
    row[target.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::compression::Codec;

    fn set(pairs: &[(&str, &str)]) -> Config {
        let mut config = Config::default();
        for (key, value) in pairs {
            config.set(key, value).expect(key);
        }
        config
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
        ]);
        let python = set(&[
            ("linger_ms", "7"),
            ("acks", "all"),
            ("buffer_memory", "1_048_576"),
            ("delivery_timeout_ms", "60000"),
        ]);
        let librdkafka = set(&[
            ("queue.buffering.max.ms", "7"),
            ("request.required.acks", "all"),
            ("queue.buffering.max.kbytes", "1024"),
            ("message.timeout.ms", "60000"),
        ]);
        assert_eq!(java, python);
        assert_eq!(java, librdkafka);
        assert_eq!(java.linger, Duration::from_millis(7));
    }

    #[test]
    fn every_name_occurs_once_and_as_it_is_looked_up() {
        let mut names: Vec<&str> = KEYS.iter().flat_map(Key::names).collect();
        assert!(names.iter().all(|name| plain(name) == *name));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest_known_one() {
        assert_eq!(reason("linger", "5"), "unknown; did you mean linger.ms?");
        assert_eq!(reason("foo.bar", "5"), "unknown, and like no known key");
        assert_eq!(
            reason("batchsize", "5"),
            "unknown; did you mean batch.size?"
        );
        assert_eq!(
            reason("COMPRESION_TYPE", "lz4"),
            "unknown; did you mean compression.type?"
        );
        assert_eq!(reason("", ""), "unknown, and like no known key");
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_in_words() {
        assert_eq!(reason("acks", "2"), "\"2\" is none of 0, 1, all");
        assert_eq!(
            reason("retries", "-1"),
            "\"-1\" is not a number that this key can have"
        );
        for time in ["-1", "x", "", "inf", "nan", "1e300"] {
            assert!(
                reason("linger.ms", time).ends_with("is not a time in milliseconds"),
                "{time}"
            );
        }
        assert!(reason("compression.type", "brotli").contains("gzip"));
        assert_eq!(reason("bootstrap.servers", " , "), "expected HOST[:PORT],…");
        assert!(reason("enable.idempotence", "true").contains("not possible in this version"));
    }

    #[test]
    fn values_are_read_in_their_units() {
        let config = set(&[
            ("bootstrap.servers", "a:1, [::1]:2,,c"),
            ("compression.type", "ZSTD"),
            ("compression.level", "-3"),
            ("linger.ms", "0.5"),
            ("allow.auto.create.topics", "False"),
            ("security.protocol", "PLAINTEXT"),
        ]);
        assert_eq!(config.bootstrap_servers, ["a:1", "[::1]:2", "c"]);
        assert_eq!(
            (config.compression, config.compression_level),
            (Codec::Zstd, Some(-3))
        );
        assert_eq!(config.linger, Duration::from_micros(500));
        assert!(!config.allow_auto_create_topics);
    }

    #[test]
    fn edits_are_counted_both_ways() {
        for (source, target, count) in [
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("same", "same", 0),
        ] {
            assert_eq!(edits(source, target), count);
            assert_eq!(edits(target, source), count);
        }
    }
}
