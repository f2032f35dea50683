//! The sender's part of a report.

use super::Sender;
use crate::biography::Span;
use crate::connection::Connection;
use crate::connection::phase::Phase;
use crate::counted::counted;
use crate::metrics::{Gauges, Metrics};
use crate::report::Report;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Sender {
    /// The metrics of this moment; `waiters` calls wait.
    pub(crate) fn metrics(&self, waiters: usize) -> Metrics {
        let memory = self.accumulator.memory();
        let in_flight = |connection: &Connection| connection.in_flight.len();
        let gauges = Gauges {
            buffer_bytes: memory.limit_bytes(),
            buffer_bytes_used: memory.used_bytes(),
            waiters,
            connections: self.connections.len(),
            requests_in_flight: self.connections.values().map(in_flight).sum(),
            metadata_age: self.now.since(self.informed_at),
        };
        let topics = self.metadata.topics();
        self.meters.snapshot(
            self.now,
            self.config.client_id(),
            gauges,
            topics.map(|(_, topic)| Arc::clone(&topic.name)),
            self.brokers.iter().map(|broker| broker.node),
        )
    }

    /// A line per broker, and per partition with something to send: why its oldest record waits.
    pub(crate) fn report(&self, now: Instant) -> Report {
        let now = now.max(self.now);
        let memory = self.accumulator.memory();
        let mut lines = vec![format!(
            "now {now} ms: {} of {} bytes of buffer_memory in use",
            memory.used_bytes(),
            memory.limit_bytes()
        )];
        for broker in &self.brokers {
            let state = match broker.conn.map(|conn| &self.connections[&conn]) {
                None if broker.retry_at > now => {
                    let span = Span(broker.retry_at.since(now));
                    format!("not connected, again in {span} at the earliest")
                }
                None => "not connected".to_owned(),
                Some(connection) => {
                    let phase = match connection.phase {
                        Phase::Connecting { .. } => "connecting",
                        Phase::Negotiating { .. } => "negotiating",
                        Phase::Ready(_) => "ready",
                    };
                    let unanswered = connection.in_flight.len() + connection.unanswered.len();
                    format!("{phase}, {} unanswered", counted(unanswered, "request"))
                }
            };
            let address = broker.address();
            // The servers to begin with have no number among the brokers.
            lines.push(match broker.node {
                ..0 => format!("bootstrap server {address}: {state}"),
                node => format!("broker {node} at {address}: {state}"),
            });
        }
        let mut oldest = BTreeMap::new();
        for slot in self.accumulator.live() {
            let partition = self.accumulator.batch(slot).partition;
            oldest.entry(partition).or_insert(slot);
        }
        for (partition, slot) in oldest {
            let lane = &self.lanes[partition.index()];
            let open = usize::from(self.accumulator.has_open(partition));
            lines.push(format!(
                "{} ({} waiting, {} under way)",
                self.at(now).explain_batch(slot),
                counted(lane.queue.len() + open, "batch"),
                lane.in_flight(),
            ));
        }
        Report { lines }
    }
}
