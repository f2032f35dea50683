//! Where the sender's doings are measured: a few additions per request and per batch.

use super::window::{Reach, Recent, Window};
use crate::boundary::FlushId;
use crate::slot::{BrokerSlot, TopicSlot};
use crate::time::Instant;
use core::time::Duration;
use std::collections::BTreeMap;

/// One thing measured: lately, and in all.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    window: Window,
    pub(super) count_total: u64,
    pub(super) sum_total: u64,
}

impl Meter {
    fn record(&mut self, reach: Reach, now: Instant, value: u64) {
        self.window.record(reach, now, value);
        self.count_total += 1;
        self.sum_total = self.sum_total.saturating_add(value);
    }
}

/// What is measured of a topic.
#[derive(Debug, Default)]
pub(crate) struct TopicMeters {
    pub(super) records: Meter,
    pub(super) batch_bytes: Meter,
    pub(super) compression_ppm: Meter,
    pub(super) retried_records: Meter,
    pub(super) failed_records: Meter,
}

/// What is measured of a broker.
#[derive(Debug, Default)]
pub(crate) struct NodeMeters {
    pub(super) request_bytes: Meter,
    pub(super) response_bytes: Meter,
    pub(super) responses: Meter,
    pub(super) latency_micros: Meter,
}

/// Everything that is measured.
#[derive(Debug)]
pub(crate) struct Meters {
    pub(super) reach: Reach,
    pub(super) all: TopicMeters,
    pub(super) network: NodeMeters,
    /// The greatest record of each batch.
    pub(super) record_bytes: Meter,
    /// Uncompressed, without the batch's header.
    pub(super) raw_bytes: Meter,
    pub(super) queue_micros: Meter,
    pub(super) records_per_request: Meter,
    pub(super) throttle_ms: Meter,
    pub(super) connections_begun: Meter,
    pub(super) connections_ended: Meter,
    pub(super) exhausted: Meter,
    pub(super) buffer_wait_micros: Meter,
    pub(super) metadata_wait: Duration,
    pub(super) flush_time: Duration,
    flushes: BTreeMap<FlushId, Instant>,
    pub(super) topics: Vec<TopicMeters>,
    pub(super) nodes: Vec<NodeMeters>,
}

/// A batch that goes into a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchSent {
    pub(crate) topic: TopicSlot,
    pub(crate) records: u32,
    pub(crate) raw_bytes: usize,
    /// Its greatest record.
    pub(crate) record_bytes_max: usize,
    /// As sent.
    pub(crate) header_bytes: usize,
    pub(crate) body_bytes: usize,
    /// Since it was opened.
    pub(crate) queued: Duration,
}

/// What others count: the state of this moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    pub(crate) buffer_bytes: usize,
    pub(crate) buffer_bytes_used: usize,
    pub(crate) waiters: usize,
    pub(crate) connections: usize,
    pub(crate) requests_in_flight: usize,
    /// Since the last answer about the cluster, or since the beginning.
    pub(crate) metadata_age: Duration,
}

/// What a row of the table is read from: the meters of the producer, a topic or a broker.
pub(super) struct View<'a, T> {
    pub(super) meters: &'a T,
    pub(super) gauges: Gauges,
    pub(super) reach: Reach,
    pub(super) now: Instant,
}

impl<T> View<'_, T> {
    pub(super) fn recent(&self, meter: &Meter) -> Recent {
        meter.window.recent(self.reach, self.now)
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

impl Meters {
    pub(crate) fn new(sample: Duration, samples: usize) -> Self {
        Self {
            reach: Reach { sample, samples },
            all: TopicMeters::default(),
            network: NodeMeters::default(),
            record_bytes: Meter::default(),
            raw_bytes: Meter::default(),
            queue_micros: Meter::default(),
            records_per_request: Meter::default(),
            throttle_ms: Meter::default(),
            connections_begun: Meter::default(),
            connections_ended: Meter::default(),
            exhausted: Meter::default(),
            buffer_wait_micros: Meter::default(),
            metadata_wait: Duration::ZERO,
            flush_time: Duration::ZERO,
            flushes: BTreeMap::new(),
            topics: Vec::new(),
            nodes: Vec::new(),
        }
    }

    fn topic(&mut self, topic: TopicSlot) -> &mut TopicMeters {
        if self.topics.len() <= topic.index() {
            self.topics
                .resize_with(topic.index() + 1, TopicMeters::default);
        }
        &mut self.topics[topic.index()]
    }

    fn node(&mut self, broker: BrokerSlot) -> &mut NodeMeters {
        if self.nodes.len() <= broker.index() {
            self.nodes
                .resize_with(broker.index() + 1, NodeMeters::default);
        }
        &mut self.nodes[broker.index()]
    }

    /// Another broker takes the place of this one.
    pub(crate) fn forget_node(&mut self, broker: BrokerSlot) {
        if let Some(node) = self.nodes.get_mut(broker.index()) {
            *node = NodeMeters::default();
        }
    }

    // ---- What happens -------------------------------------------------------------------------

    /// A batch goes into a request.
    pub(crate) fn on_batch(&mut self, now: Instant, batch: &BatchSent) {
        let reach = self.reach;
        note_batch(&mut self.all, reach, now, batch);
        note_batch(self.topic(batch.topic), reach, now, batch);
        self.raw_bytes.record(reach, now, batch.raw_bytes as u64);
        self.record_bytes
            .record(reach, now, batch.record_bytes_max as u64);
        self.queue_micros.record(reach, now, micros(batch.queued));
    }

    /// A produce request with so many records goes out.
    pub(crate) fn on_produce(&mut self, now: Instant, records: u64) {
        self.records_per_request.record(self.reach, now, records);
    }

    /// A request of any kind goes out.
    pub(crate) fn on_request(&mut self, now: Instant, broker: BrokerSlot, bytes: u64) {
        let reach = self.reach;
        self.network.request_bytes.record(reach, now, bytes);
        self.node(broker).request_bytes.record(reach, now, bytes);
    }

    /// Bytes of answers arrive.
    pub(crate) fn on_received(&mut self, now: Instant, broker: BrokerSlot, bytes: usize) {
        let reach = self.reach;
        self.network.response_bytes.record(reach, now, bytes as u64);
        self.node(broker)
            .response_bytes
            .record(reach, now, bytes as u64);
    }

    /// An answer is complete. `latency` is told for produce requests, whose latency is what the
    /// metrics of that name mean.
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        broker: BrokerSlot,
        latency: Option<Duration>,
    ) {
        let reach = self.reach;
        self.network.responses.record(reach, now, 1);
        self.node(broker).responses.record(reach, now, 1);
        if let Some(latency) = latency.map(micros) {
            self.network.latency_micros.record(reach, now, latency);
            self.node(broker).latency_micros.record(reach, now, latency);
        }
    }

    /// Records are to be sent again.
    pub(crate) fn on_retry(&mut self, now: Instant, topic: TopicSlot, records: u32) {
        let (reach, records) = (self.reach, u64::from(records));
        self.all.retried_records.record(reach, now, records);
        self.topic(topic)
            .retried_records
            .record(reach, now, records);
    }

    /// Records failed.
    pub(crate) fn on_failure(&mut self, now: Instant, topic: TopicSlot, records: u32) {
        let (reach, records) = (self.reach, u64::from(records));
        self.all.failed_records.record(reach, now, records);
        self.topic(topic).failed_records.record(reach, now, records);
    }

    pub(crate) fn on_throttle(&mut self, now: Instant, throttle_ms: u64) {
        self.throttle_ms.record(self.reach, now, throttle_ms);
    }

    pub(crate) fn on_connect(&mut self, now: Instant) {
        self.connections_begun.record(self.reach, now, 1);
    }

    pub(crate) fn on_disconnect(&mut self, now: Instant) {
        self.connections_ended.record(self.reach, now, 1);
    }

    /// A record was refused for want of memory.
    pub(crate) fn on_exhausted(&mut self, now: Instant) {
        self.exhausted.record(self.reach, now, 1);
    }

    /// A call waited so long for memory.
    pub(crate) fn on_buffer_wait(&mut self, now: Instant, waited: Duration) {
        self.buffer_wait_micros
            .record(self.reach, now, micros(waited));
    }

    /// A call waited so long for metadata.
    pub(crate) fn on_metadata_wait(&mut self, waited: Duration) {
        self.metadata_wait = self.metadata_wait.saturating_add(waited);
    }

    pub(crate) fn on_flush(&mut self, now: Instant, flush: FlushId) {
        self.flushes.insert(flush, now);
    }

    pub(crate) fn on_flushed(&mut self, now: Instant, flush: FlushId) {
        if let Some(since) = self.flushes.remove(&flush) {
            self.flush_time = self.flush_time.saturating_add(now.since(since));
        }
    }
}

fn note_batch(meters: &mut TopicMeters, reach: Reach, now: Instant, batch: &BatchSent) {
    meters.records.record(reach, now, u64::from(batch.records));
    let batch_bytes = (batch.header_bytes + batch.body_bytes) as u64;
    meters.batch_bytes.record(reach, now, batch_bytes);
    let ratio_ppm = batch.body_bytes as u64 * 1_000_000 / (batch.raw_bytes as u64).max(1);
    meters.compression_ppm.record(reach, now, ratio_ppm);
}
