//! Metrics under the names of the Java producer.
//!
//! [`Metrics`] is a snapshot for people and for Prometheus. `meters.rs` measures, per request and
//! per batch and never per record; `window.rs` holds what was measured lately.

mod meters;
mod read;
mod snapshot;
mod table;
mod window;

pub(crate) use meters::{BatchSent, Gauges, Meters};
pub use snapshot::{Metric, MetricKind, Metrics};
