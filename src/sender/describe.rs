//! The sender's part of a report.

use super::Sender;
use crate::connection::Connection;
use crate::connection::phase::Phase;
use crate::metrics::{Gauges, Metrics};
use crate::report::Report;
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

    /// A line per connection, and per partition that has something under way.
    pub(crate) fn report(&self) -> Report {
        let memory = self.accumulator.memory();
        let mut lines = vec![format!(
            "now {}: {} of {} bytes of buffer_memory in use",
            self.now,
            memory.used_bytes(),
            memory.limit_bytes()
        )];
        for broker in &self.brokers {
            let state = match broker.conn.map(|conn| &self.connections[&conn]) {
                None => format!("not connected, again from {}", broker.retry_at),
                Some(connection) => {
                    let phase = match connection.phase {
                        Phase::Connecting { .. } => "connecting",
                        Phase::Negotiating { .. } => "negotiating",
                        Phase::Ready(_) => "ready",
                    };
                    let unanswered = connection.in_flight.len() + connection.unanswered.len();
                    format!("{phase}, {unanswered} requests unanswered")
                }
            };
            lines.push(format!(
                "broker {} at {}: {state}",
                broker.node,
                broker.address()
            ));
        }
        for (index, lane) in self.lanes.iter().enumerate() {
            if lane.queue.is_empty() && lane.in_flight() == 0 {
                continue;
            }
            let partition = self
                .metadata
                .partition(crate::slot::PartitionSlot::at(index));
            let doubt = lane.sequences.oldest_doubt();
            let doubt = doubt.map_or(String::new(), |base| {
                format!(", nothing new before sequence {base} is settled")
            });
            lines.push(format!(
                "{}-{}: {} batches wait, {} under way, leader {:?}{doubt}",
                self.metadata.topic(partition.topic).name,
                partition.index,
                lane.queue.len(),
                lane.in_flight(),
                partition.leader
            ));
        }
        Report { lines }
    }
}
