//! Keys that other clients have and this one has not: what is said of them, and why.
//!
//! Names are plain: in lower case, with dots. Whoever brings a configuration along is told of each
//! key what becomes of it here; the nearest known name would often mean something else.

/// Names of other clients for what does not exist here under a key, and why.
pub(super) const FOREIGN: &[(&[&str], &str)] = &[
    // Not there yet.
    (
        &[
            "transactional.id",
            "transaction.timeout.ms",
            "transaction.two.phase.commit.enable",
        ],
        "transactions are not there in this version",
    ),
    (
        &[
            "enable.sasl.oauthbearer.unsecure.jwt",
            "oauthbearer.token.refresh.cb",
        ],
        NO_SASL,
    ),
    (
        &["ssl.crlfile", "ssl.crl.location"],
        "lists of revoked certificates are not looked at in this version",
    ),
    (
        &["ssl.password", "ssl.key.password"],
        "encrypted keys are not there in this version: decrypt the key file",
    ),
    (
        &[
            "interceptor.classes",
            "interceptors",
            "plugin.library.paths",
        ],
        "interceptors are not there in this version: act where records are sent, and in callbacks",
    ),
    (
        &["enable.metrics.push"],
        "brokers are not told of metrics in this version, only false",
    ),
    (
        &["client.rack", "partitioner.rack.aware"],
        "racks are not looked at in this version",
    ),
    (
        &["proxy.url", "socks5.proxy"],
        "proxies are not there in this version",
    ),
    (
        &["config.providers"],
        "values are taken as they stand: look secrets up before they are set",
    ),
    // Given in code.
    (
        &["key.serializer", "value.serializer"],
        "serializers are given in code, to a typed producer",
    ),
    (
        &["partitioner.cb", "msg.order.cmp"],
        "a partitioner of one's own is given in code, to the driver's builder",
    ),
    (
        &[
            "dr.cb",
            "dr.msg.cb",
            "delivery.report.only.error",
            "produce.offset.report",
        ],
        "every record has a receipt, and may have a callback, which is given in code with it",
    ),
    (
        &[
            "ssl.context",
            "ssl.engine.factory.class",
            "ssl.engine.location",
            "ssl.engine.id",
            "ssl.engine.callback.data",
            "ssl.certificate.verify.cb",
            "ssl.provider",
            "ssl.providers",
            "security.providers",
            "ssl.protocol",
            "ssl.enabled.protocols",
            "ssl.ciphers",
            "ssl.cipher.suites",
            "ssl.curves.list",
            "ssl.sigalgs.list",
            "ssl.keymanager.algorithm",
            "ssl.trustmanager.algorithm",
            "ssl.secure.random.implementation",
        ],
        "TLS 1.2 and 1.3 are spoken with safe ciphers; another, ready-made TLS configuration is \
         given in code, to the driver's builder",
    ),
    // There is another key for it.
    (
        &[
            "ssl.truststore.type",
            "ssl.truststore.password",
            "ssl.keystore.type",
            "ssl.keystore.password",
        ],
        "stores with a password are not read: give PEM files as ssl_cafile, ssl_certfile and \
         ssl_keyfile",
    ),
    (
        &[
            "ssl.truststore.certificates",
            "ssl.keystore.certificate.chain",
            "ssl.keystore.key",
            "ssl.key.pem",
            "ssl.key",
            "ssl.certificate.pem",
            "ssl.certificate",
            "ssl.ca.pem",
            "ssl.ca",
            "ssl.ca.certificate.stores",
            "https.ca.location",
            "https.ca.pem",
        ],
        "certificates and keys are given as files: ssl_cafile, ssl_certfile, ssl_keyfile",
    ),
    (
        &["enable.ssl.certificate.verification"],
        "certificates are always verified; give ssl_cafile the authority to trust",
    ),
    (
        &["queue.buffering.max.messages", "batch.num.messages"],
        "records are counted in bytes: buffer_memory, batch_size",
    ),
    (
        &[
            "buffer.memory.allocation.strategy",
            "message.copy.max.bytes",
        ],
        "memory is taken as records need it, up to buffer_memory",
    ),
    (
        &[
            "compression.gzip.level",
            "compression.lz4.level",
            "compression.zstd.level",
        ],
        "there is one level, that of the codec in use: compression_level",
    ),
    (
        &[
            "api.version.auto.timeout.ms",
            "api.version.request.timeout.ms",
        ],
        "asking for versions belongs to setting a connection up: \
         socket_connection_setup_timeout_ms",
    ),
    (
        &[
            "api.version.request",
            "api.version.fallback.ms",
            "broker.version.fallback",
        ],
        "brokers are asked for their versions, unless api_version says which release they are",
    ),
    (
        &[
            "bootstrap.timeout.ms",
            "bootstrap.resolve.timeout.ms",
            "default.api.timeout.ms",
        ],
        "building a producer waits for nothing, and a call waits at most max_block_ms",
    ),
    (
        &["reconnect.backoff.jitter.ms"],
        "all pauses have one jitter: backoff_jitter_percent",
    ),
    (
        &["socket.options"],
        "options have keys of their own: tcp_nodelay, tcp_keepalive, send_buffer_bytes, \
         receive_buffer_bytes",
    ),
    (
        &[
            "topic.metadata.refresh.fast.interval.ms",
            "topic.metadata.refresh.fast.cnt",
            "topic.metadata.propagation.max.ms",
        ],
        "an unknown topic is asked for again after retry_backoff_ms, until max_block_ms",
    ),
    // Without a meaning here.
    (
        &["sticky.partitioning.linger.ms"],
        "a partition is kept until its batch is full or has left",
    ),
    (
        &["queuing.strategy", "queue.buffering.backpressure.threshold"],
        "batches of a partition leave in order, as soon as they are full or linger_ms is over",
    ),
    (
        &[
            "metric.reporters",
            "metrics.enabled",
            "metrics.recording.level",
            "auto.include.jmx.reporter",
            "statistics.interval.ms",
            "stats.cb",
        ],
        "metrics are always measured, and told when they are asked for in code",
    ),
    (
        &[
            "client.dns.lookup",
            "broker.address.ttl",
            "broker.address.family",
            "resolve.cb",
        ],
        "a name is looked up for each connection, and all of its addresses are tried",
    ),
    (
        &["metadata.cluster.check.enable"],
        "brokers are not asked which cluster they belong to in this version",
    ),
    (
        &[
            "metadata.max.idle.ms",
            "topic.metadata.refresh.sparse",
            "topic.blacklist",
        ],
        "only topics that records were sent to are asked for, and they stay known",
    ),
    (
        &[
            "selector",
            "net",
            "kafka.client",
            "socket.cb",
            "connect.cb",
            "closesocket.cb",
            "open.cb",
            "socket.blocking.max.ms",
            "socket.max.fails",
            "internal.termination.signal",
        ],
        "the driver does the I/O in its own way; a driver of one's own is written around the core",
    ),
    (
        &[
            "debug",
            "error.cb",
            "throttle.cb",
            "log.cb",
            "log.level",
            "log.queue",
            "log.thread.name",
            "log.connection.close",
            "background.event.cb",
            "enabled.events",
        ],
        "nothing is logged: errors are in receipts, the rest is told when it is asked for in code",
    ),
    (
        &[
            "opaque",
            "default.topic.conf",
            "enable.random.seed",
            "builtin.features",
        ],
        "it belongs to the interface of another client",
    ),
];

/// Foreign keys with the one value that is what happens anyway.
pub(super) const HARMLESS: &[(&str, &str)] = &[
    ("enable.metrics.push", "false"),
    ("enable.ssl.certificate.verification", "true"),
    ("ssl.truststore.type", "pem"),
    ("ssl.keystore.type", "pem"),
    ("api.version.request", "true"),
    ("client.dns.lookup", "use_all_dns_ips"),
    ("partitioner.rack.aware", "false"),
    ("interceptor.classes", ""),
];

/// How the names of all keys about SASL begin.
const SASL: &str = "sasl.";
const NO_SASL: &str = "SASL is not there in this version";

/// Why a key of another client does not exist here.
pub(super) fn reason(plain_name: &str) -> Option<&'static str> {
    if plain_name.starts_with(SASL) {
        return Some(NO_SASL);
    }
    let is_it = |(names, _): &&(&[&str], &'static str)| names.contains(&plain_name);
    FOREIGN.iter().find(is_it).map(|(_, reason)| *reason)
}

/// Whether a foreign key asks for nothing but what happens anyway.
pub(super) fn is_harmless(plain_name: &str, value: &str) -> bool {
    let is_it =
        |(name, only): &(&str, &str)| *name == plain_name && only.eq_ignore_ascii_case(value);
    HARMLESS.iter().any(is_it)
}

#[cfg(test)]
mod tests {
    use crate::config::{KEYS, Key};

    #[test]
    fn no_key_of_ours_is_refused_as_theirs() {
        for name in KEYS.iter().flat_map(Key::names) {
            assert_eq!(super::reason(&name.replace('_', ".")), None, "{name}");
        }
    }
}
