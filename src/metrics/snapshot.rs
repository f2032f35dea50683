//! The metrics of one moment.

use core::fmt::{self, Write};
use std::sync::Arc;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Java's group: `producer-metrics`, `producer-topic-metrics` or `producer-node-metrics`.
    pub group: &'static str,
    /// Java's name, such as `record-send-total`.
    pub name: &'static str,
    /// What it says, with its unit.
    pub meaning: &'static str,
    /// How it behaves.
    pub kind: MetricKind,
    /// Java's tag besides `client-id`, if any: `topic` or `node-id`, with its value.
    pub tag: Option<(&'static str, Arc<str>)>,
    /// The value; an average or a maximum of nothing is not a number.
    pub value: f64,
}

/// The metrics of one moment: what [`ProducerCore::metrics`](crate::ProducerCore::metrics) gives.
///
/// Names, groups and units are those of the Java producer, so that dashboards made for it fit.
/// Rates, averages and maxima look back `metrics_num_samples` × `metrics_sample_window`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// The producer's name: Java's tag `client-id` of every metric.
    pub client_id: Arc<str>,
    /// All metrics, by group.
    pub metrics: Vec<Metric>,
}

impl Metrics {
    /// The value of a metric of the whole producer: group `producer-metrics`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.find("producer-metrics", name, None)
    }

    /// The value of a metric of a topic: group `producer-topic-metrics`.
    #[must_use]
    pub fn of_topic(&self, topic: &str, name: &str) -> Option<f64> {
        self.find("producer-topic-metrics", name, Some(topic))
    }

    /// The value of a metric of a broker: group `producer-node-metrics`.
    #[must_use]
    pub fn of_node(&self, node: i32, name: &str) -> Option<f64> {
        self.find("producer-node-metrics", name, Some(&format!("node-{node}")))
    }

    fn find(&self, group: &str, name: &str, tagged: Option<&str>) -> Option<f64> {
        let is_it = |metric: &&Metric| {
            let tag = metric.tag.as_ref().map(|(_, value)| &**value);
            metric.group == group && metric.name == name && tag == tagged
        };
        self.metrics.iter().find(is_it).map(|metric| metric.value)
    }

    /// The metrics in Prometheus' text format (version 0.0.4): `record-send-total` of group
    /// `producer-metrics` is `kafka_producer_metrics_record_send_total`, tags are labels.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        let mut page = String::new();
        let mut sorted: Vec<&Metric> = self.metrics.iter().collect();
        // All samples of a name stand together; the sort is stable.
        sorted.sort_by_key(|metric| (metric.group, metric.name));
        let mut told = None;
        for metric in sorted {
            let name = format!("kafka_{}_{}", metric.group, metric.name).replace('-', "_");
            if told != Some((metric.group, metric.name)) {
                told = Some((metric.group, metric.name));
                let kind = match metric.kind {
                    MetricKind::Counter => "counter",
                    MetricKind::Gauge => "gauge",
                };
                let meaning = metric.meaning;
                writeln!(page, "# HELP {name} {meaning}\n# TYPE {name} {kind}")
                    .expect("a String grows");
            }
            let labels = self.labels(metric);
            writeln!(page, "{name}{{{labels}}} {}", metric.value).expect("a String grows");
        }
        page
    }

    fn labels(&self, metric: &Metric) -> String {
        let mut labels = format!("client_id=\"{}\"", escaped(&self.client_id));
        if let Some((tag, value)) = &metric.tag {
            let (tag, value) = (tag.replace('-', "_"), escaped(value));
            write!(labels, ",{tag}=\"{value}\"").expect("a String grows");
        }
        labels
    }
}

impl fmt::Display for Metrics {
    /// A line per metric: `producer-topic-metrics topic=orders record-send-total 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for metric in &self.metrics {
            f.write_str(metric.group)?;
            if let Some((tag, value)) = &metric.tag {
                write!(f, " {tag}={value}")?;
            }
            writeln!(f, " {} {}", metric.name, metric.value)?;
        }
        Ok(())
    }
}

/// A label's value between its quotes.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_gets_each_name_once_and_every_label_escaped() {
        let metric = |tag: Option<&str>, value| Metric {
            group: "producer-topic-metrics",
            name: "byte-total",
            meaning: "Bytes.",
            kind: MetricKind::Counter,
            tag: tag.map(|value| ("topic", value.into())),
            value,
        };
        let other = Metric {
            group: "producer-metrics",
            name: "batch-size-avg",
            meaning: "Size.",
            kind: MetricKind::Gauge,
            ..metric(None, f64::NAN)
        };
        let metrics = Metrics {
            client_id: "a\"b\\\n".into(),
            metrics: vec![metric(Some("t"), 1.0), other, metric(Some("u"), 2.5)],
        };
        assert_eq!(
            metrics.to_prometheus(),
            "# HELP kafka_producer_metrics_batch_size_avg Size.\n\
             # TYPE kafka_producer_metrics_batch_size_avg gauge\n\
             kafka_producer_metrics_batch_size_avg{client_id=\"a\\\"b\\\\\\n\"} NaN\n\
             # HELP kafka_producer_topic_metrics_byte_total Bytes.\n\
             # TYPE kafka_producer_topic_metrics_byte_total counter\n\
             kafka_producer_topic_metrics_byte_total{client_id=\"a\\\"b\\\\\\n\",topic=\"t\"} 1\n\
             kafka_producer_topic_metrics_byte_total{client_id=\"a\\\"b\\\\\\n\",topic=\"u\"} 2.5\n"
        );
        assert_eq!(metrics.of_topic("u", "byte-total"), Some(2.5));
        assert_eq!(metrics.get("byte-total"), None);
    }
}
