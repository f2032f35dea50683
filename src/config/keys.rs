//! The configuration, key by key: field, type, default, names and meaning in one table.
//!
//! From this table come the fields of [`Config`] and their documentation, [`Config::default`],
//! [`Config::set`] with the names that three clients use, [`KEYS`] for `titorelli config`, and
//! `docs/configuration.md`. Never: whether values fit together, which is [`Config::check`]'s.

use super::given::Given;
use super::kinds::{self, Kind};
use super::{Acks, ApiVersion, Codec, MetadataRecovery, Partitioner, SecurityProtocol};
use core::time::Duration;
use std::path::PathBuf;

/// A key of the configuration, as text.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// What it is about.
    pub group: &'static str,
    /// The field of [`Config`].
    pub field: &'static str,
    /// kafka-python's name, or in its manner where it has no such key.
    pub name: &'static str,
    /// The names that the Java producer and librdkafka have for it.
    pub aliases: &'static [&'static str],
    /// What a value looks like.
    pub kind: &'static str,
    /// The default, as text.
    pub default: &'static str,
    /// What it means.
    pub meaning: &'static str,
    pub(super) write: fn(&Config) -> String,
    pub(crate) read: fn(&mut Config, &str) -> Result<(), String>,
}

macro_rules! config {
    ($($group:literal {$(
        $(#[doc = $doc:literal])+
        $field:ident: $type:ty = $kind:ident($default:literal),
            $name:literal $(| $alias:literal)*;
    )+})+) => {
        /// The configuration of a producer. [`Config::default`] has the documented defaults of
        /// kafka-python's `KafkaProducer`; where it has no such key, those of the Java producer.
        /// So nothing is retried unless [`retries`](Self::retries) says so;
        /// [`Config::durable`] is for records that must arrive. Begin with one of the two and set
        /// fields, or keys by name with [`set`](Self::set).
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Config {$($(
            $(#[doc = $doc])+
            #[doc = ""]
            #[doc = concat!(
                "As text: `", $name, "`", $(", `", $alias, "`",)* "; default: `", $default, "`."
            )]
            pub $field: $type,
        )+)+
            /// Which keys were given by name.
            pub(crate) given: Given,
        }

        impl Default for Config {
            fn default() -> Self {
                Self {$($(
                    $field: kinds::$kind::read($default).expect("the table's own default"),
                )+)+
                    given: Given::default(),
                }
            }
        }

        /// Every key, in the order of its subject.
        pub const KEYS: &[Key] = &[$($(Key {
            group: $group,
            field: stringify!($field),
            name: $name,
            aliases: &[$($alias),*],
            kind: kinds::$kind::NAME,
            default: $default,
            meaning: concat!($($doc),+),
            write: |config| kinds::$kind::write(&config.$field),
            read: |config, text| {
                config.$field = kinds::$kind::read(text)?;
                Ok(())
            },
        },)+)+];
    };
}

config! {
"The cluster" {
    /// Brokers to ask for the cluster first; port 9092 when none is given, IPv6 addresses in
    /// brackets when a port follows. Whoever answers first names the others.
    bootstrap_servers: Vec<String> = Servers("localhost:9092"),
        "bootstrap_servers" | "bootstrap.servers" | "metadata.broker.list";
    /// A name for this producer in every request and on its threads. Empty: the driver numbers its
    /// producers, `titorelli-producer-1` being the first of the process.
    client_id: String = Text(""),
        "client_id" | "client.id";
    /// `auto` asks every broker which versions of the protocol it speaks. A release, such as `2.8`,
    /// fixes the versions used instead, and what that release cannot do is refused. One that is
    /// newer than all that are known counts as the newest of those.
    api_version: ApiVersion = Version("auto"),
        "api_version";
    /// Metadata older than this is asked for again, so that new brokers and partitions are found.
    metadata_max_age: Duration = Millis("300000"),
        "metadata_max_age_ms" | "metadata.max.age.ms" | "topic.metadata.refresh.interval.ms";
    /// Whether the bootstrap servers are asked again when no broker that the cluster named answers,
    /// or a broker says so (KIP-899): `rebootstrap`; or not as long as such brokers are known:
    /// `none`.
    metadata_recovery_strategy: MetadataRecovery = Recovery("rebootstrap"),
        "metadata_recovery_strategy" | "metadata.recovery.strategy";
    /// When brokers have not told about the cluster for so long although they were asked, or could
    /// not be, all of them are forgotten, and the bootstrap servers are where it begins again
    /// (KIP-1102); after 1,000 at the earliest. Has no meaning, and is refused, where
    /// `metadata_recovery_strategy` is `none`.
    metadata_recovery_rebootstrap_trigger: Duration = Millis("300000"),
        "metadata_recovery_rebootstrap_trigger_ms" | "metadata.recovery.rebootstrap.trigger.ms";
    /// Whether asking for an unknown topic may create it, where the brokers allow it.
    allow_auto_create_topics: bool = Switch("true"),
        "allow_auto_create_topics" | "allow.auto.create.topics";
}
"Delivery" {
    /// When a record counts as written: `0`, when its bytes were handed to the transport; `1`, when
    /// the leader wrote it; `all`, when every in-sync replica did.
    acks: Acks = Acknowledgements("1"),
        "acks" | "request.required.acks";
    /// Whether every record is written once and in order, whatever is sent again (KIP-98): brokers
    /// know each batch by a producer id and a sequence number. Needs `acks=all`, retries (best
    /// `inf`), and at most 5 requests in flight per connection; it changes none of these keys.
    enable_idempotence: bool = Switch("false"),
        "enable_idempotence" | "enable.idempotence";
    /// How often a failed batch is sent again.
    retries: u32 = Retries("0"),
        "retries" | "message.send.max.retries";
    /// The first pause before a failed request is sent again; it doubles with each failure. The
    /// second and those after it are 1 at least.
    retry_backoff: Duration = Millis("100"),
        "retry_backoff_ms" | "retry.backoff.ms";
    /// The greatest such pause (KIP-580). Unset: 1,000, or `retry_backoff_ms` where that is more.
    retry_backoff_max: Option<Duration> = MillisOrUnset("unset"),
        "retry_backoff_max_ms" | "retry.backoff.max.ms";
    /// By how much a pause is drawn shorter or longer, so that producers do not act in step. 0
    /// makes every pause exact.
    backoff_jitter_percent: u8 = Percent("20"),
        "backoff_jitter_percent" | "backoff.jitter.percent";
    /// How long to wait for the answer to a request; then its connection is given up. Brokers are
    /// told to wait no longer for their replicas.
    request_timeout: Duration = Millis("30000"),
        "request_timeout_ms" | "request.timeout.ms" | "socket.timeout.ms";
    /// How long after the opening of its batch a record is completed at the latest (KIP-91). Unset:
    /// 120,000, or linger and request timeout together where that is more.
    delivery_timeout: Option<Duration> = MillisOrUnset("unset"),
        "delivery_timeout_ms" | "delivery.timeout.ms" | "message.timeout.ms";
    /// How long after that a record is still tried of which it is not known whether it was written:
    /// sent again under its own sequence number, it is found out. Until then it is not completed.
    /// Only with `enable_idempotence`.
    resolve_timeout: Duration = Millis("0"),
        "resolve_timeout_ms" | "resolve.timeout.ms";
    /// Whether a record that fails, for whatever reason, takes those after it along that are of its
    /// partition and were accepted before it failed, so that what is written has no gap in between:
    /// what was not sent fails at once, what is in flight if brokers refuse it. What is accepted
    /// after that goes on, and what the application withdraws or purges takes nothing along. Else,
    /// as is the default, the records after one that failed go on, in their order. Only with
    /// `enable_idempotence`.
    enable_gapless_guarantee: bool = Switch("false"),
        "enable_gapless_guarantee" | "enable.gapless.guarantee";
    /// The sequence number that the first record of every partition has under the first producer
    /// id, for tests of what happens when the numbers wrap at 2,147,483,647. Brokers before Kafka
    /// 2.5 take nothing but 0.
    first_sequence: i32 = Sequence("0"),
        "first_sequence" | "first.sequence";
    /// Requests that may be unanswered on one connection. 1 keeps the order of records within a
    /// partition even when they are retried; with `enable_idempotence` up to 5 do.
    max_in_flight_requests_per_connection: usize = Count("5"),
        "max_in_flight_requests_per_connection" | "max.in.flight.requests.per.connection"
        | "max.in.flight";
}
"Batching" {
    /// The size of a batch in bytes, uncompressed; 0 disables batching.
    batch_size: usize = Count("16384"),
        "batch_size" | "batch.size";
    /// How long an open batch waits for more records.
    linger: Duration = Millis("0"),
        "linger_ms" | "linger.ms" | "queue.buffering.max.ms";
    /// The greatest size of a request in bytes, and so of a record.
    max_request_size: usize = Count("1048576"),
        "max_request_size" | "max.request.size" | "message.max.bytes";
    /// How batches are compressed: `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    compression: Codec = Compression("none"),
        "compression_type" | "compression.type" | "compression.codec";
    /// The codec's level. Unset: the codec's own default.
    compression_level: Option<i32> = Level("unset"),
        "compression_level" | "compression.level";
}
"Partitioning" {
    /// Where a record goes that names no partition: `default`, `sticky`, `uniform_sticky`,
    /// `round_robin`, `random`, or by the hash of another client: `murmur2`, `murmur2_random`,
    /// `consistent`, `consistent_random`, `fnv1a`, `fnv1a_random`.
    partitioner: Partitioner = Partitioning("default"),
        "partitioner" | "partitioner.class";
    /// Whether records with a key are spread like those without.
    partitioner_ignore_keys: bool = Switch("false"),
        "partitioner_ignore_keys" | "partitioner.ignore.keys";
    /// Whether `uniform_sticky` gives less to partitions whose batches pile up (KIP-794).
    partitioner_adaptive: bool = Switch("true"),
        "partitioner_adaptive_partitioning_enable" | "partitioner.adaptive.partitioning.enable";
    /// A broker that could take nothing for so long gets no more from `uniform_sticky`; 0: never
    /// so.
    partitioner_availability_timeout: Duration = Millis("0"),
        "partitioner_availability_timeout_ms" | "partitioner.availability.timeout.ms";
}
"Memory and waiting" {
    /// Bytes that records may hold until they are completed.
    buffer_memory: usize = Count("33554432"),
        "buffer_memory" | "buffer.memory";
    /// How long a call may wait for metadata and memory, together.
    max_block: Duration = Millis("60000"),
        "max_block_ms" | "max.block.ms";
}
"Connections" {
    /// The first pause before a broker is connected to again; it doubles with each failure. The
    /// second and those after it are 1 at least.
    reconnect_backoff: Duration = Millis("50"),
        "reconnect_backoff_ms" | "reconnect.backoff.ms";
    /// The greatest such pause. Unset: 1,000, or `reconnect_backoff_ms` where that is more.
    reconnect_backoff_max: Option<Duration> = MillisOrUnset("unset"),
        "reconnect_backoff_max_ms" | "reconnect.backoff.max.ms";
    /// How long a connection may take at first to be established and negotiated (KIP-601); it
    /// doubles with each that took too long.
    socket_connection_setup_timeout: Duration = Millis("10000"),
        "socket_connection_setup_timeout_ms" | "socket.connection.setup.timeout.ms";
    /// The most that it may take. Unset: 30,000, or the first value where that is more.
    socket_connection_setup_timeout_max: Option<Duration> = MillisOrUnset("unset"),
        "socket_connection_setup_timeout_max_ms" | "socket.connection.setup.timeout.max.ms";
    /// A connection without requests for so long is closed; -1: never.
    connections_max_idle: Duration = MillisOrNever("540000"),
        "connections_max_idle_ms" | "connections.max.idle.ms";
    /// The size of the socket's receive buffer (`SO_RCVBUF`). Unset: the system's.
    receive_buffer_bytes: Option<u32> = SocketBuffer("unset"),
        "receive_buffer_bytes" | "receive.buffer.bytes" | "socket.receive.buffer.bytes";
    /// The size of the socket's send buffer (`SO_SNDBUF`). Unset: the system's.
    send_buffer_bytes: Option<u32> = SocketBuffer("unset"),
        "send_buffer_bytes" | "send.buffer.bytes" | "socket.send.buffer.bytes";
    /// Whether small requests leave at once (`TCP_NODELAY`).
    tcp_nodelay: bool = Switch("true"),
        "tcp_nodelay" | "socket.nagle.disable";
    /// Whether the system probes silent connections (`SO_KEEPALIVE`).
    tcp_keepalive: bool = Switch("true"),
        "tcp_keepalive" | "socket.keepalive.enable";
    /// The greatest answer accepted from a broker, in bytes.
    receive_message_max_bytes: usize = Count("100000000"),
        "receive_message_max_bytes" | "receive.message.max.bytes";
}
"Security" {
    /// What is spoken with brokers: `PLAINTEXT`, or `SSL` for TLS.
    security_protocol: SecurityProtocol = Protocol("PLAINTEXT"),
        "security_protocol" | "security.protocol";
    /// The certificates of the authorities that brokers' certificates are checked with, in PEM.
    /// Unset: those that the system trusts.
    ssl_cafile: Option<PathBuf> = File("unset"),
        "ssl_cafile" | "ssl.truststore.location" | "ssl.ca.location";
    /// The producer's own certificate with those that vouch for it, in PEM. Needs `ssl_keyfile`.
    ssl_certfile: Option<PathBuf> = File("unset"),
        "ssl_certfile" | "ssl.keystore.location" | "ssl.certificate.location";
    /// The private key of that certificate, in PEM, not encrypted.
    ssl_keyfile: Option<PathBuf> = File("unset"),
        "ssl_keyfile" | "ssl.key.location";
    /// Whether a broker's certificate must name the host that was configured or announced.
    ssl_check_hostname: bool = Switch("true"),
        "ssl_check_hostname";
}
"Observing" {
    /// The span of one sample of the metrics that are rates, averages and maxima.
    metrics_sample_window: Duration = Millis("30000"),
        "metrics_sample_window_ms" | "metrics.sample.window.ms";
    /// How many samples such a metric looks back.
    metrics_num_samples: usize = Count("2"),
        "metrics_num_samples" | "metrics.num.samples";
    /// Whether the core tells its decisions, as `Output::Trace`.
    trace: bool = Switch("false"),
        "trace";
    /// A file into which the driver records every call of the core, so that `titorelli sim
    /// --replay` can make them again. What was in it before is lost. Keys, values and header values
    /// are there with their lengths only. Every producer needs a file of its own. Unset: nothing is
    /// recorded.
    trace_path: Option<PathBuf> = File("unset"),
        "trace_path";
    /// Whether that file has keys, values and header values as they are.
    trace_payloads: bool = Switch("false"),
        "trace_payloads";
}
}
