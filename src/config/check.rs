//! Whether the values of a configuration fit together.

use super::{
    Acks, ApiVersion, Config, IDEMPOTENT_IN_FLIGHT_MAX, MetadataRecovery, Partitioner,
    SecurityProtocol, servers,
};
use crate::error::ConfigError;
use crate::wire::{Codec, Release, compression};
use core::time::Duration;

/// The protocol's lengths are signed 32-bit numbers.
const WIRE_BYTES_MAX: usize = 0x7fff_ffff;
/// With less, hardly a record would fit.
const RECORD_BYTES_MIN: usize = 256;
/// The first release that takes LZ4; the protocol does not tell.
const LZ4_SINCE: Release = Release::new(0, 8, 2);
/// The first release that takes any sequence number as a producer's first in a partition.
const FIRST_SEQUENCE_SINCE: Release = Release::new(2, 5, 0);
/// The core counts in microseconds.
const SPAN_MIN: Duration = Duration::from_micros(1);
/// Answers about a few brokers and topics must fit.
const RECEIVE_BYTES_MIN: usize = 1_024;

impl Config {
    /// Whether this configuration can work: every combination of values is refused here, or works
    /// (invariant S17). A combination in which a key that was set would have no meaning is refused
    /// too.
    ///
    /// # Errors
    ///
    /// The first key that cannot work, or that contradicts another, by its name in
    /// [`KEYS`](super::KEYS), with the reason.
    pub fn check(&self) -> Result<(), ConfigError> {
        servers::parse(&self.bootstrap_servers)?;
        if self.client_id.len() > usize::from(i16::MAX.unsigned_abs()) {
            return Err(ConfigError::new("client_id", "longer than 32,767 bytes"));
        }
        self.check_sizes()?;
        self.check_times()?;
        self.check_backoffs()?;
        self.check_compression()?;
        self.check_partitioner()?;
        self.check_idempotence()?;
        self.check_recovery()?;
        self.check_release()?;
        self.check_recording()?;
        self.check_security()
    }

    fn check_sizes(&self) -> Result<(), ConfigError> {
        let receive_buffer_bytes = self.receive_buffer_bytes.map_or(1, |bytes| bytes as usize);
        let send_buffer_bytes = self.send_buffer_bytes.map_or(1, |bytes| bytes as usize);
        for (key, least, value, most) in [
            ("batch_size", 0, self.batch_size, WIRE_BYTES_MAX),
            (
                "max_request_size",
                RECORD_BYTES_MIN,
                self.max_request_size,
                WIRE_BYTES_MAX,
            ),
            (
                "buffer_memory",
                RECORD_BYTES_MIN,
                self.buffer_memory,
                usize::MAX,
            ),
            (
                "receive_message_max_bytes",
                RECEIVE_BYTES_MIN,
                self.receive_message_max_bytes,
                WIRE_BYTES_MAX,
            ),
            (
                "receive_buffer_bytes",
                1,
                receive_buffer_bytes,
                WIRE_BYTES_MAX,
            ),
            ("send_buffer_bytes", 1, send_buffer_bytes, WIRE_BYTES_MAX),
            (
                "max_in_flight_requests_per_connection",
                1,
                self.max_in_flight_requests_per_connection,
                usize::MAX,
            ),
            (
                "metrics_num_samples",
                1,
                self.metrics_num_samples,
                usize::from(u16::MAX),
            ),
            (
                "backoff_jitter_percent",
                0,
                usize::from(self.backoff_jitter_percent),
                100,
            ),
        ] {
            if value < least {
                let reason = format!("{value} is less than {least}, the least that it can be");
                return Err(ConfigError::new(key, reason));
            }
            if value > most {
                let reason = format!("{value} is more than {most}, the most that it can be");
                return Err(ConfigError::new(key, reason));
            }
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), ConfigError> {
        for (key, span) in [
            ("request_timeout_ms", self.request_timeout),
            (
                "socket_connection_setup_timeout_ms",
                self.socket_connection_setup_timeout,
            ),
            ("metrics_sample_window_ms", self.metrics_sample_window),
        ] {
            if span < SPAN_MIN {
                return Err(ConfigError::new(
                    key,
                    "must be more than 0, a microsecond at least",
                ));
            }
        }
        if self.connections_max_idle < SPAN_MIN {
            let reason = "0 would close every connection at once; -1 keeps them open";
            return Err(ConfigError::new("connections_max_idle_ms", reason));
        }
        let least = self.linger.saturating_add(self.request_timeout);
        match self.delivery_timeout {
            Some(timeout) if timeout < least => {
                let reason = format!(
                    "{} ms is less than linger_ms + request_timeout_ms ({} ms): no batch could be \
                     answered in time; inf is for ever",
                    timeout.as_millis(),
                    least.as_millis()
                );
                Err(ConfigError::new("delivery_timeout_ms", reason))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_backoffs(&self) -> Result<(), ConfigError> {
        for (key, least, key_max, most) in [
            (
                "retry_backoff_ms",
                self.retry_backoff,
                "retry_backoff_max_ms",
                self.retry_backoff_max,
            ),
            (
                "reconnect_backoff_ms",
                self.reconnect_backoff,
                "reconnect_backoff_max_ms",
                self.reconnect_backoff_max,
            ),
            (
                "socket_connection_setup_timeout_ms",
                self.socket_connection_setup_timeout,
                "socket_connection_setup_timeout_max_ms",
                self.socket_connection_setup_timeout_max,
            ),
        ] {
            if let Some(most) = most.filter(|most| *most < least) {
                let reason = format!("{most:?} is less than {key} ({least:?})");
                return Err(ConfigError::new(key_max, reason));
            }
        }
        Ok(())
    }

    fn check_compression(&self) -> Result<(), ConfigError> {
        let name = self.compression.name();
        if !self.compression.is_built() {
            let reason = format!("{name} is not in this build: enable the feature {name}");
            return Err(ConfigError::new("compression_type", reason));
        }
        let Some(level) = self.compression_level else {
            return Ok(());
        };
        let Some(levels) = compression::level_range(self.compression) else {
            let reason = format!("{name} has no levels");
            return Err(ConfigError::new("compression_level", reason));
        };
        if levels.contains(&level) {
            return Ok(());
        }
        let (least, most) = (levels.start(), levels.end());
        let reason = format!("{level} is not a level of {name}: {least} to {most}");
        Err(ConfigError::new("compression_level", reason))
    }

    fn check_partitioner(&self) -> Result<(), ConfigError> {
        let name = self.partitioner.name();
        if self.partitioner_ignore_keys && !self.partitioner.can_ignore_keys() {
            let reason = format!("{name} says itself what becomes of keys");
            return Err(ConfigError::new("partitioner_ignore_keys", reason));
        }
        let is_uniform = self.partitioner == Partitioner::UniformSticky;
        if !self.partitioner_adaptive && !is_uniform {
            let reason = format!("{name} never adapts, only uniform_sticky does");
            return Err(ConfigError::new(
                "partitioner_adaptive_partitioning_enable",
                reason,
            ));
        }
        let is_adaptive = is_uniform && self.partitioner_adaptive;
        if !self.partitioner_availability_timeout.is_zero() && !is_adaptive {
            let reason = "only an adaptive uniform_sticky looks at it: set partitioner";
            return Err(ConfigError::new(
                "partitioner_availability_timeout_ms",
                reason,
            ));
        }
        Ok(())
    }

    /// What is written once is told by every replica, and sent again until it is (invariant I9).
    fn check_idempotence(&self) -> Result<(), ConfigError> {
        if self.first_sequence < 0 {
            let reason = format!("{} is less than 0", self.first_sequence);
            return Err(ConfigError::new("first_sequence", reason));
        }
        if !self.enable_idempotence {
            for (key, is_set) in [
                ("resolve_timeout_ms", !self.resolve_timeout.is_zero()),
                ("first_sequence", self.first_sequence > 0),
                ("enable_gapless_guarantee", self.enable_gapless_guarantee),
            ] {
                if is_set {
                    let reason = "batches have sequence numbers only with enable_idempotence=true";
                    return Err(ConfigError::new(key, reason));
                }
            }
            return Ok(());
        }
        let many = self.max_in_flight_requests_per_connection > IDEMPOTENT_IN_FLIGHT_MAX;
        let needed = [
            ("acks", "all", self.acks != Acks::All),
            ("retries", "inf", self.retries == 0),
            ("max_in_flight_requests_per_connection", "5", many),
        ];
        let wrong = || needed.iter().filter(|(_, _, is_wrong)| *is_wrong);
        let Some((first, _, _)) = wrong().next() else {
            return Ok(());
        };
        let told: Vec<String> = wrong().map(|(key, _, _)| self.told(key)).collect();
        let lines: Vec<String> = wrong().map(|(key, to, _)| format!("{key}={to}")).collect();
        let (told, lines) = (told.join(" and "), lines.join(" and "));
        // What was said stays as it is, wherever one begins.
        let is_unsaid = wrong().all(|(key, _, _)| self.is_left_out(key));
        let durable = is_unsaid.then_some(", or begin with Config::durable()");
        let reason = format!(
            "{told} and enable_idempotence=true contradict each other: set {lines}{}",
            durable.unwrap_or_default()
        );
        Err(ConfigError::new(*first, reason))
    }

    /// Java takes both keys together, and looks at one of them only.
    fn check_recovery(&self) -> Result<(), ConfigError> {
        let trigger = self.metadata_recovery_rebootstrap_trigger;
        let is_default = trigger == Self::default().metadata_recovery_rebootstrap_trigger;
        if self.metadata_recovery_strategy == MetadataRecovery::None && !is_default {
            let key = "metadata_recovery_rebootstrap_trigger_ms";
            let reason = "nothing begins again with metadata_recovery_strategy=none: leave it out, \
                          or set rebootstrap";
            return Err(ConfigError::new(key, reason));
        }
        Ok(())
    }

    fn check_release(&self) -> Result<(), ConfigError> {
        let ApiVersion::Release(release) = self.api_version else {
            return Ok(());
        };
        let Some(versions) = release.versions() else {
            let reason = format!(
                "{release} is before {}, the oldest release that this version produces to",
                Release::OLDEST
            );
            return Err(ConfigError::new("api_version", reason));
        };
        if self.compression == Codec::Lz4 && release < LZ4_SINCE {
            let reason = format!("Kafka {release} does not know lz4; {LZ4_SINCE} has it");
            return Err(ConfigError::new("compression_type", reason));
        }
        if self.enable_idempotence && versions.init_producer_id.is_none() {
            let reason = format!(
                "Kafka {release} does not know idempotent producers; {} has them",
                Release::new(0, 11, 0)
            );
            return Err(ConfigError::new("enable_idempotence", reason));
        }
        if self.first_sequence > 0 && release < FIRST_SEQUENCE_SINCE {
            let reason = format!("Kafka {release} takes 0 alone; {FIRST_SEQUENCE_SINCE} any");
            return Err(ConfigError::new("first_sequence", reason));
        }
        if versions.produce < self.compression.produce_version_min() {
            let reason = format!(
                "Kafka {release} does not know {}; {} has it",
                self.compression.name(),
                Release::new(2, 1, 0)
            );
            return Err(ConfigError::new("compression_type", reason));
        }
        Ok(())
    }

    fn check_recording(&self) -> Result<(), ConfigError> {
        if self.trace_payloads && self.trace_path.is_none() {
            let reason = "nothing is recorded without trace_path: set it";
            return Err(ConfigError::new("trace_payloads", reason));
        }
        Ok(())
    }

    fn check_security(&self) -> Result<(), ConfigError> {
        if self.security_protocol == SecurityProtocol::Plaintext {
            for (key, is_set) in [
                ("ssl_cafile", self.ssl_cafile.is_some()),
                ("ssl_certfile", self.ssl_certfile.is_some()),
                ("ssl_keyfile", self.ssl_keyfile.is_some()),
                ("ssl_check_hostname", !self.ssl_check_hostname),
            ] {
                if is_set {
                    let reason = "nothing is encrypted with security_protocol=PLAINTEXT: set SSL";
                    return Err(ConfigError::new(key, reason));
                }
            }
        }
        match (&self.ssl_certfile, &self.ssl_keyfile) {
            (Some(_), None) => {
                let reason = "a certificate is proven with its private key: set ssl_keyfile";
                Err(ConfigError::new("ssl_certfile", reason))
            }
            (None, Some(_)) => {
                let reason = "a private key proves a certificate: set ssl_certfile";
                Err(ConfigError::new("ssl_keyfile", reason))
            }
            (Some(_), Some(_)) | (None, None) => Ok(()),
        }
    }

    /// How long after the opening of its batch a record is completed at the latest: what
    /// [`delivery_timeout`](Self::delivery_timeout) says, or its default.
    #[must_use]
    pub fn effective_delivery_timeout(&self) -> Duration {
        let least = self.linger.saturating_add(self.request_timeout);
        self.delivery_timeout
            .unwrap_or_else(|| Duration::from_secs(120).max(least))
    }

    /// The greatest pause before a failed request is sent again.
    #[must_use]
    pub fn effective_retry_backoff_max(&self) -> Duration {
        or_at_least(self.retry_backoff_max, 1, self.retry_backoff)
    }

    /// The greatest pause before a broker is connected to again.
    #[must_use]
    pub fn effective_reconnect_backoff_max(&self) -> Duration {
        or_at_least(self.reconnect_backoff_max, 1, self.reconnect_backoff)
    }

    /// The most that setting up a connection may take.
    #[must_use]
    pub fn effective_socket_connection_setup_timeout_max(&self) -> Duration {
        or_at_least(
            self.socket_connection_setup_timeout_max,
            30,
            self.socket_connection_setup_timeout,
        )
    }
}

/// A maximum that is not set is this default, or the least value where that is more.
fn or_at_least(maximum: Option<Duration>, default_secs: u64, least: Duration) -> Duration {
    maximum.unwrap_or_else(|| Duration::from_secs(default_secs).max(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key at fault when these are set.
    fn fault(pairs: &[(&str, &str)]) -> Option<String> {
        let config = Config::from_pairs(pairs.iter().copied()).expect("values that are possible");
        config.check().err().map(|error| error.key)
    }

    #[test]
    fn the_defaults_work_and_so_do_the_durable_ones() {
        assert_eq!(Config::default().check(), Ok(()));
        assert_eq!(Config::durable().check(), Ok(()));
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        let refused = |pairs: &[(&str, &str)], key: &str| {
            assert_eq!(fault(pairs).as_deref(), Some(key), "{pairs:?}");
        };
        refused(&[("request_timeout_ms", "0")], "request_timeout_ms");
        refused(
            &[("max_in_flight", "0")],
            "max_in_flight_requests_per_connection",
        );
        refused(&[("max_request_size", "0")], "max_request_size");
        refused(&[("batch_size", "2147483648")], "batch_size");
        refused(
            &[("connections_max_idle_ms", "0")],
            "connections_max_idle_ms",
        );
        refused(&[("delivery_timeout_ms", "29999")], "delivery_timeout_ms");
        refused(&[("retry_backoff_max_ms", "99")], "retry_backoff_max_ms");
        refused(
            &[("reconnect_backoff_max_ms", "49")],
            "reconnect_backoff_max_ms",
        );
        refused(&[("compression_level", "3")], "compression_level");
        refused(
            &[("partitioner_availability_timeout_ms", "1")],
            "partitioner_availability_timeout_ms",
        );
        refused(
            &[("partitioner_adaptive_partitioning_enable", "false")],
            "partitioner_adaptive_partitioning_enable",
        );
        refused(&[("ssl_cafile", "ca.pem")], "ssl_cafile");
        refused(&[("trace_payloads", "true")], "trace_payloads");
        refused(&[("ssl_check_hostname", "false")], "ssl_check_hostname");
        refused(
            &[("security_protocol", "SSL"), ("ssl_certfile", "c")],
            "ssl_certfile",
        );
        refused(
            &[("security_protocol", "SSL"), ("ssl_keyfile", "k")],
            "ssl_keyfile",
        );
        refused(
            &[("api_version", "2.0"), ("compression_type", "zstd")],
            "compression_type",
        );
        refused(
            &[("api_version", "0.8.1"), ("compression_type", "lz4")],
            "compression_type",
        );
        refused(&[("api_version", "0.7")], "api_version");
        refused(&[("resolve_timeout_ms", "1")], "resolve_timeout_ms");
        refused(&[("first_sequence", "1")], "first_sequence");
        refused(
            &[
                ("metadata.recovery.strategy", "none"),
                ("metadata.recovery.rebootstrap.trigger.ms", "5000"),
            ],
            "metadata_recovery_rebootstrap_trigger_ms",
        );
        let keys = [
            ("partitioner", "round_robin"),
            ("partitioner_ignore_keys", "true"),
        ];
        refused(&keys, "partitioner_ignore_keys");
    }

    #[test]
    fn what_contradicts_idempotence_is_refused() {
        let durable = |set: fn(&mut Config)| {
            let mut config = Config::durable();
            set(&mut config);
            config.check().expect_err("contradictory").to_string()
        };
        let told = [
            durable(|config| config.acks = Acks::Leader),
            durable(|config| config.retries = 0),
            durable(|config| config.max_in_flight_requests_per_connection = 6),
            durable(|config| config.first_sequence = -1),
            durable(|config| config.api_version = "0.10.2".parse().expect("a release")),
            durable(|config| {
                config.first_sequence = 7;
                config.api_version = "2.4".parse().expect("a release");
            }),
        ];
        let keys = [
            "acks",
            "retries",
            "max_in_flight_requests_per_connection",
            "first_sequence",
            "enable_idempotence",
            "first_sequence",
        ];
        for (told, key) in told.iter().zip(keys) {
            assert!(told.starts_with(&format!("configuration {key}:")), "{told}");
        }
        assert_eq!(
            fault(&[("enable.idempotence", "true")]).as_deref(),
            Some("acks")
        );
        assert_eq!(
            fault(&[("enable.gapless.guarantee", "true")]).as_deref(),
            Some("enable_gapless_guarantee")
        );
    }

    /// A default that somebody wrote down is no default any more; of a field nobody knows.
    #[test]
    fn who_said_what_contradicts_idempotence_is_told_truly_with_what_to_set() {
        let told = |pairs: &[(&str, &str)], set: fn(&mut Config)| {
            let pairs = pairs.iter().copied();
            let mut config = Config::from_pairs(pairs).expect("values that are possible");
            set(&mut config);
            config.check().expect_err("contradictory").reason
        };
        let rest = " and enable_idempotence=true contradict each other: set";
        assert_eq!(
            told(&[("enable.idempotence", "true")], |_| ()),
            format!(
                "acks=1 (the default) and retries=0 (the default){rest} acks=all and retries=inf, \
                 or begin with Config::durable()"
            )
        );
        let by_name = [("request.required.acks", "1"), ("retries", "3")];
        assert_eq!(
            told(&by_name, |config| config.enable_idempotence = true),
            format!("acks=1 (as given){rest} acks=all")
        );
        let mut properties = Config::durable();
        properties
            .set_properties("acks=1\nretries=0")
            .expect("valid");
        let reason = properties.check().expect_err("contradictory").reason;
        assert!(reason.starts_with("acks=1 (as given) and retries=0 (as given) and"));
        let in_code = told(&[], |config| {
            *config = Config::durable();
            config.acks = Acks::None;
        });
        assert_eq!(in_code, format!("acks=0{rest} acks=all"));
    }

    #[test]
    fn a_time_below_what_is_counted_is_refused() {
        for set in [
            |config: &mut Config, time| config.request_timeout = time,
            |config: &mut Config, time| config.socket_connection_setup_timeout = time,
            |config: &mut Config, time| config.metrics_sample_window = time,
            |config: &mut Config, time| config.connections_max_idle = time,
        ] {
            let mut config = Config::default();
            set(&mut config, Duration::from_nanos(999));
            config.check().expect_err("nothing is that short");
            set(&mut config, Duration::from_micros(1));
            assert_eq!(config.check(), Ok(()));
        }
    }

    #[test]
    fn a_maximum_that_is_not_set_follows_the_first_value() {
        let pairs = [
            ("retry_backoff_ms", "5000"),
            ("reconnect_backoff_ms", "5000"),
            ("request_timeout_ms", "300000"),
            ("linger_ms", "1000"),
            ("socket_connection_setup_timeout_ms", "60000"),
        ];
        let config = Config::from_pairs(pairs).expect("valid");
        assert_eq!(config.check(), Ok(()));
        let seconds = Duration::from_secs;
        assert_eq!(config.effective_retry_backoff_max(), seconds(5));
        assert_eq!(config.effective_reconnect_backoff_max(), seconds(5));
        assert_eq!(config.effective_delivery_timeout(), seconds(301));
        assert_eq!(
            config.effective_socket_connection_setup_timeout_max(),
            seconds(60)
        );
    }
}
