//! L8 and L9 for connections: after one that failed its broker is left in peace for a while, the
//! longer the more fail in a row.
//!
//! Whom a connection was made for is known when the core tells of its end, so that it is judged
//! then.

use core::time::Duration;
use std::collections::BTreeMap;

use titorelli::{Config, ConnId, Instant};

use super::pause::Pause;

/// What is known of a broker, by its id.
#[derive(Debug)]
struct Failures {
    count: u32,
    lost_at: Instant,
}

/// Watches the connections.
#[derive(Debug)]
pub(crate) struct Reconnects {
    pause: Pause,
    begun: BTreeMap<ConnId, Instant>,
    failed: BTreeMap<i32, Failures>,
    /// Brokers have moved: who is met where is not certain any more.
    is_unsure: bool,
}

impl Reconnects {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            pause: Pause {
                base: config.reconnect_backoff,
                max: config.effective_reconnect_backoff_max(),
                jitter_percent: config.backoff_jitter_percent,
            },
            begun: BTreeMap::new(),
            failed: BTreeMap::new(),
            is_unsure: false,
        }
    }

    /// Brokers are at other addresses, or not known to all: each may be met under another id. Or
    /// the core is not called, and what it says is heard late.
    pub(crate) fn on_moved(&mut self) {
        self.is_unsure = true;
    }

    pub(crate) fn on_connect(&mut self, now: Instant, conn: ConnId) {
        self.begun.insert(conn, now);
    }

    /// A connection serves.
    ///
    /// # Panics
    /// It was begun too early.
    pub(crate) fn on_ready(&mut self, conn: ConnId, node: i32) {
        self.check(conn, node);
        self.begun.remove(&conn);
        self.failed.remove(&node);
    }

    /// A connection failed.
    ///
    /// # Panics
    /// It was begun too early.
    pub(crate) fn on_lost(&mut self, now: Instant, conn: ConnId, node: i32) {
        self.check(conn, node);
        let before = self.failed.get(&node).map_or(0, |failures| failures.count);
        // One that served was no failure to connect.
        let count = if self.begun.remove(&conn).is_some() {
            before + 1
        } else {
            0
        };
        let lost_at = now;
        self.failed.insert(node, Failures { count, lost_at });
    }

    fn check(&self, conn: ConnId, node: i32) {
        let (Some(begun_at), Some(failures)) = (self.begun.get(&conn), self.failed.get(&node))
        else {
            return;
        };
        let least: Duration = self.pause.least(failures.count.max(1));
        let earliest = failures.lost_at + least;
        assert!(
            self.is_unsure || *begun_at >= earliest,
            "L8: after {} failures {conn:?} begins at {begun_at}, before {earliest}",
            failures.count
        );
    }
}
