//! Which metrics there are: Java's name, what it says, and where it is read.
//!
//! Names and units after `SenderMetricsRegistry`, `KafkaProducerMetrics`, `BufferPool` and
//! `Selector` of the Java client. What a pure core cannot know (the poller's times) is left out.

use super::meters::{Meters, NodeMeters, TopicMeters, View};
use super::snapshot::MetricKind;
use core::time::Duration;

type Read<T> = for<'a> fn(&View<'a, T>) -> f64;

/// A metric, and where it is read.
pub(super) struct Row<T> {
    pub(super) name: &'static str,
    pub(super) kind: MetricKind,
    pub(super) meaning: &'static str,
    pub(super) read: Read<T>,
}

const fn counter<T>(name: &'static str, meaning: &'static str, read: Read<T>) -> Row<T> {
    Row {
        name,
        kind: MetricKind::Counter,
        meaning,
        read,
    }
}

const fn gauge<T>(name: &'static str, meaning: &'static str, read: Read<T>) -> Row<T> {
    Row {
        name,
        kind: MetricKind::Gauge,
        meaning,
        read,
    }
}

/// A count as a metric.
#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are read by people, who need no 53 bits"
)]
fn float(count: u64) -> f64 {
    count as f64
}

fn float_of(count: usize) -> f64 {
    float(count as u64)
}

fn nanos(span: Duration) -> f64 {
    float(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
}

/// Micro- to milliseconds.
fn millis(micros: f64) -> f64 {
    micros / 1e3
}

/// Parts per million to a ratio.
fn ratio(ppm: f64) -> f64 {
    ppm / 1e6
}

/// Group `producer-metrics`.
pub(super) const OF_PRODUCER: &[Row<Meters>] = &[
    gauge(
        "record-send-rate",
        "Records sent per second, each time they are.",
        |v| v.recent(&v.meters.all.records).rate(),
    ),
    counter(
        "record-send-total",
        "Records sent, each time they are.",
        |v| float(v.meters.all.records.sum_total),
    ),
    gauge(
        "byte-rate",
        "Bytes of batches sent per second, compressed.",
        |v| v.recent(&v.meters.all.batch_bytes).rate(),
    ),
    counter("byte-total", "Bytes of batches sent, compressed.", |v| {
        float(v.meters.all.batch_bytes.sum_total)
    }),
    gauge(
        "batch-size-avg",
        "Mean bytes of a batch, compressed.",
        |v| v.recent(&v.meters.all.batch_bytes).average(),
    ),
    gauge(
        "batch-size-max",
        "Greatest bytes of a batch, compressed.",
        |v| v.recent(&v.meters.all.batch_bytes).maximum(),
    ),
    gauge(
        "compression-rate-avg",
        "Mean of compressed by uncompressed size.",
        |v| ratio(v.recent(&v.meters.all.compression_ppm).average()),
    ),
    gauge(
        "record-size-avg",
        "Mean bytes of a record, uncompressed.",
        |v| v.recent(&v.meters.raw_bytes).rate() / v.recent(&v.meters.all.records).rate(),
    ),
    gauge(
        "record-size-max",
        "Greatest bytes of a record, uncompressed.",
        |v| v.recent(&v.meters.record_bytes).maximum(),
    ),
    gauge(
        "records-per-request-avg",
        "Mean records of a produce request.",
        |v| v.recent(&v.meters.records_per_request).average(),
    ),
    gauge(
        "record-queue-time-avg",
        "Mean ms from a batch's opening to its request.",
        |v| millis(v.recent(&v.meters.queue_micros).average()),
    ),
    gauge(
        "record-queue-time-max",
        "Greatest ms from a batch's opening to its request.",
        |v| millis(v.recent(&v.meters.queue_micros).maximum()),
    ),
    gauge(
        "request-latency-avg",
        "Mean ms from a produce request to its answer.",
        |v| millis(v.recent(&v.meters.network.latency_micros).average()),
    ),
    gauge(
        "request-latency-max",
        "Greatest ms from a produce request to its answer.",
        |v| millis(v.recent(&v.meters.network.latency_micros).maximum()),
    ),
    gauge(
        "record-retry-rate",
        "Records to be sent again, per second.",
        |v| v.recent(&v.meters.all.retried_records).rate(),
    ),
    counter("record-retry-total", "Records to be sent again.", |v| {
        float(v.meters.all.retried_records.sum_total)
    }),
    gauge("record-error-rate", "Records failed per second.", |v| {
        v.recent(&v.meters.all.failed_records).rate()
    }),
    counter("record-error-total", "Records failed.", |v| {
        float(v.meters.all.failed_records.sum_total)
    }),
    gauge(
        "produce-throttle-time-avg",
        "Mean ms that a broker asked to pause.",
        |v| v.recent(&v.meters.throttle_ms).average(),
    ),
    gauge(
        "produce-throttle-time-max",
        "Greatest ms that a broker asked to pause.",
        |v| v.recent(&v.meters.throttle_ms).maximum(),
    ),
    gauge(
        "requests-in-flight",
        "Requests that wait for their answer.",
        |v| float_of(v.gauges.requests_in_flight),
    ),
    gauge(
        "metadata-age",
        "Seconds since the last answer about the cluster.",
        |v| v.gauges.metadata_age.as_secs_f64(),
    ),
    counter(
        "metadata-wait-time-ns-total",
        "Time that calls waited for metadata, in ns.",
        |v| nanos(v.meters.metadata_wait),
    ),
    gauge("buffer-total-bytes", "The buffer_memory.", |v| {
        float_of(v.gauges.buffer_bytes)
    }),
    gauge("buffer-available-bytes", "What of it is free.", |v| {
        float_of(v.gauges.buffer_bytes - v.gauges.buffer_bytes_used)
    }),
    gauge(
        "waiting-threads",
        "Calls that wait for memory or metadata.",
        |v| float_of(v.gauges.waiters),
    ),
    counter(
        "bufferpool-wait-time-ns-total",
        "Time that calls waited for memory, in ns.",
        |v| float(v.meters.buffer_wait_micros.sum_total) * 1e3,
    ),
    gauge(
        "bufferpool-wait-ratio",
        "Calls that waited for memory, at one time on average.",
        |v| v.recent(&v.meters.buffer_wait_micros).rate() / 1e6,
    ),
    gauge(
        "buffer-exhausted-rate",
        "Records refused for want of memory, per second.",
        |v| v.recent(&v.meters.exhausted).rate(),
    ),
    counter(
        "buffer-exhausted-total",
        "Records refused for want of memory.",
        |v| float(v.meters.exhausted.sum_total),
    ),
    counter(
        "flush-time-ns-total",
        "Time from flushes to their end, in ns.",
        |v| nanos(v.meters.flush_time),
    ),
    gauge(
        "connection-count",
        "Connections that are open or being set up.",
        |v| float_of(v.gauges.connections),
    ),
    gauge(
        "connection-creation-rate",
        "Connections begun per second.",
        |v| v.recent(&v.meters.connections_begun).rate(),
    ),
    counter("connection-creation-total", "Connections begun.", |v| {
        float(v.meters.connections_begun.sum_total)
    }),
    gauge(
        "connection-close-rate",
        "Connections ended per second.",
        |v| v.recent(&v.meters.connections_ended).rate(),
    ),
    counter("connection-close-total", "Connections ended.", |v| {
        float(v.meters.connections_ended.sum_total)
    }),
    gauge("request-rate", "Requests sent per second.", |v| {
        v.recent(&v.meters.network.request_bytes).count_rate()
    }),
    counter("request-total", "Requests sent.", |v| {
        float(v.meters.network.request_bytes.count_total)
    }),
    gauge("request-size-avg", "Mean bytes of a request.", |v| {
        v.recent(&v.meters.network.request_bytes).average()
    }),
    gauge("request-size-max", "Greatest bytes of a request.", |v| {
        v.recent(&v.meters.network.request_bytes).maximum()
    }),
    gauge("outgoing-byte-rate", "Bytes of requests per second.", |v| {
        v.recent(&v.meters.network.request_bytes).rate()
    }),
    counter("outgoing-byte-total", "Bytes of requests.", |v| {
        float(v.meters.network.request_bytes.sum_total)
    }),
    gauge("response-rate", "Answers per second.", |v| {
        v.recent(&v.meters.network.responses).rate()
    }),
    counter("response-total", "Answers.", |v| {
        float(v.meters.network.responses.sum_total)
    }),
    gauge("incoming-byte-rate", "Bytes of answers per second.", |v| {
        v.recent(&v.meters.network.response_bytes).rate()
    }),
    counter("incoming-byte-total", "Bytes of answers.", |v| {
        float(v.meters.network.response_bytes.sum_total)
    }),
];

/// Group `producer-topic-metrics`, tag `topic`.
pub(super) const OF_TOPIC: &[Row<TopicMeters>] = &[
    gauge(
        "record-send-rate",
        "Records sent per second, each time they are.",
        |v| v.recent(&v.meters.records).rate(),
    ),
    counter(
        "record-send-total",
        "Records sent, each time they are.",
        |v| float(v.meters.records.sum_total),
    ),
    gauge(
        "byte-rate",
        "Bytes of batches sent per second, compressed.",
        |v| v.recent(&v.meters.batch_bytes).rate(),
    ),
    counter("byte-total", "Bytes of batches sent, compressed.", |v| {
        float(v.meters.batch_bytes.sum_total)
    }),
    gauge(
        "compression-rate",
        "Mean of compressed by uncompressed size.",
        |v| ratio(v.recent(&v.meters.compression_ppm).average()),
    ),
    gauge(
        "record-retry-rate",
        "Records to be sent again, per second.",
        |v| v.recent(&v.meters.retried_records).rate(),
    ),
    counter("record-retry-total", "Records to be sent again.", |v| {
        float(v.meters.retried_records.sum_total)
    }),
    gauge("record-error-rate", "Records failed per second.", |v| {
        v.recent(&v.meters.failed_records).rate()
    }),
    counter("record-error-total", "Records failed.", |v| {
        float(v.meters.failed_records.sum_total)
    }),
];

/// Group `producer-node-metrics`, tag `node-id`.
pub(super) const OF_NODE: &[Row<NodeMeters>] = &[
    gauge("request-rate", "Requests sent per second.", |v| {
        v.recent(&v.meters.request_bytes).count_rate()
    }),
    counter("request-total", "Requests sent.", |v| {
        float(v.meters.request_bytes.count_total)
    }),
    gauge("request-size-avg", "Mean bytes of a request.", |v| {
        v.recent(&v.meters.request_bytes).average()
    }),
    gauge("request-size-max", "Greatest bytes of a request.", |v| {
        v.recent(&v.meters.request_bytes).maximum()
    }),
    gauge("outgoing-byte-rate", "Bytes of requests per second.", |v| {
        v.recent(&v.meters.request_bytes).rate()
    }),
    counter("outgoing-byte-total", "Bytes of requests.", |v| {
        float(v.meters.request_bytes.sum_total)
    }),
    gauge("response-rate", "Answers per second.", |v| {
        v.recent(&v.meters.responses).rate()
    }),
    counter("response-total", "Answers.", |v| {
        float(v.meters.responses.sum_total)
    }),
    gauge("incoming-byte-rate", "Bytes of answers per second.", |v| {
        v.recent(&v.meters.response_bytes).rate()
    }),
    counter("incoming-byte-total", "Bytes of answers.", |v| {
        float(v.meters.response_bytes.sum_total)
    }),
    gauge(
        "request-latency-avg",
        "Mean ms from a produce request to its answer.",
        |v| millis(v.recent(&v.meters.latency_micros).average()),
    ),
    gauge(
        "request-latency-max",
        "Greatest ms from a produce request to its answer.",
        |v| millis(v.recent(&v.meters.latency_micros).maximum()),
    ),
];
