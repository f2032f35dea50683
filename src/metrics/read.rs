//! From what was measured to the metrics of one moment.

use super::meters::{Gauges, Meters, NodeMeters, View};
use super::snapshot::{Metric, Metrics};
use super::table::{OF_NODE, OF_PRODUCER, OF_TOPIC, Row};
use crate::time::Instant;
use std::sync::Arc;

impl Meters {
    /// The snapshot. `topics` and `nodes` name the slots in order.
    pub(crate) fn snapshot(
        &self,
        now: Instant,
        client_id: &str,
        gauges: Gauges,
        topics: impl Iterator<Item = Arc<str>>,
        nodes: impl Iterator<Item = i32>,
    ) -> Metrics {
        let mut metrics = Vec::new();
        read(
            &mut metrics,
            ("producer-metrics", None),
            OF_PRODUCER,
            &self.view(self, gauges, now),
        );
        for (name, meters) in topics.zip(&self.topics) {
            let place = ("producer-topic-metrics", Some(("topic", name)));
            let view = self.view(meters, gauges, now);
            read(&mut metrics, place, OF_TOPIC, &view);
        }
        let used = |(_, meters): &(i32, &NodeMeters)| meters.request_bytes.count_total > 0;
        for (node, meters) in nodes.zip(&self.nodes).filter(used) {
            let tag = Some(("node-id", format!("node-{node}").into()));
            let view = self.view(meters, gauges, now);
            read(&mut metrics, ("producer-node-metrics", tag), OF_NODE, &view);
        }
        Metrics {
            client_id: client_id.into(),
            metrics,
        }
    }

    fn view<'a, T>(&self, meters: &'a T, gauges: Gauges, now: Instant) -> View<'a, T> {
        View {
            meters,
            gauges,
            reach: self.reach,
            now,
        }
    }
}

/// Reads the rows of one table. `place` is their group and tag.
fn read<T>(
    metrics: &mut Vec<Metric>,
    (group, tag): (&'static str, Option<(&'static str, Arc<str>)>),
    rows: &[Row<T>],
    view: &View<'_, T>,
) {
    metrics.extend(rows.iter().map(|row| Metric {
        group,
        name: row.name,
        meaning: row.meaning,
        kind: row.kind,
        tag: tag.clone(),
        value: (row.read)(view),
    }));
}
