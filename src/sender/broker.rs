//! A broker, or a bootstrap server, as a place to send to.
//!
//! Owns: its address, its one connection's id, when it may be connected to and sent to, and the
//! ring of partitions that have something for it.

use crate::boundary::ConnId;
use crate::error::DeliveryCause;
use crate::slot::PartitionSlot;
use crate::time::Instant;
use crate::wire::Format;
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Arc;

/// Somebody to connect to.
#[derive(Debug)]
pub(crate) struct Broker {
    /// Its id in the cluster; bootstrap servers count down from −1.
    pub(crate) node: i32,
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
    /// Whether the cluster's newest answer names it; always so for a bootstrap server.
    pub(crate) is_current: bool,
    pub(crate) conn: Option<ConnId>,
    /// When the first attempt to connect began since it was last ready.
    pub(crate) trying_since: Option<Instant>,
    /// Connections that failed in a row; negotiated ones reset it, mere TCP does not (L8).
    pub(crate) failures: u32,
    /// Connections in a row that were not set up in time: the next may take longer (KIP-601).
    pub(crate) slow: u32,
    /// When it was asked about the cluster last, on whichever connection.
    pub(crate) asked_at: Instant,
    /// When it was asked for a producer id last.
    pub(crate) asked_id_at: Instant,
    /// How often in a row it was asked about the cluster in vain: it sent the producer away, or
    /// told nothing new when what it told before was of no use.
    pub(crate) in_vain: u32,
    /// Not connected to before.
    pub(crate) retry_at: Instant,
    /// What it told to take best, on its last connection that served.
    pub(crate) format: Option<Format>,
    /// What the last connection ended with, with a word on what it may mean; for errors.
    pub(crate) last_failure: Option<(DeliveryCause, &'static str)>,
    /// No request before (KIP-219).
    pub(crate) throttled_until: Instant,
    /// When the present or last throttle began, and how long those before it were together.
    throttled_since: Instant,
    throttled_before: Duration,
    /// Closed batches that wait in the lanes it leads.
    pub(crate) backlog_batches: usize,
    /// Partitions with something to send, each at most once, served in turn (L10).
    pub(crate) ring: VecDeque<PartitionSlot>,
    /// While the ring is not empty: since when, or when something was taken from it last.
    pub(crate) ready_since: Instant,
}

impl Broker {
    pub(crate) fn new(node: i32, host: Arc<str>, port: u16) -> Self {
        Self {
            node,
            host,
            port,
            is_current: true,
            conn: None,
            trying_since: None,
            failures: 0,
            slow: 0,
            asked_at: Instant::ZERO,
            asked_id_at: Instant::ZERO,
            in_vain: 0,
            retry_at: Instant::ZERO,
            format: None,
            last_failure: None,
            throttled_until: Instant::ZERO,
            throttled_since: Instant::ZERO,
            throttled_before: Duration::ZERO,
            backlog_batches: 0,
            ring: VecDeque::new(),
            ready_since: Instant::ZERO,
        }
    }

    /// It asks for a pause until then.
    pub(crate) fn throttle(&mut self, now: Instant, until: Instant) {
        if self.throttled_until <= now {
            self.throttled_before += self.throttled_until.since(self.throttled_since);
            self.throttled_since = now;
        }
        self.throttled_until = self.throttled_until.max(until);
    }

    /// For how long it has throttled, all in all.
    pub(crate) fn throttled(&self, now: Instant) -> Duration {
        let present = self.throttled_until.min(now).since(self.throttled_since);
        self.throttled_before + present
    }

    /// How often it failed in a row, to be connected to or to be of use.
    pub(crate) fn troubles(&self) -> u32 {
        self.failures.saturating_add(self.in_vain)
    }

    pub(crate) fn is_bootstrap(&self) -> bool {
        self.node < 0
    }

    /// `host:port` for people.
    pub(crate) fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}
