//! L14: nothing goes out on a connection whose broker throttles, and a throttle is no silence.

use core::time::Duration;
use std::collections::BTreeMap;

use titorelli::{Config, ConnId, Instant};

use crate::codec::ApiKey;

/// No fault throttles for so long: what says so is something else.
const THROTTLE_MS_MAX: u32 = 60_000;

/// Watches the answers.
#[derive(Debug)]
pub(crate) struct Throttle {
    request_timeout: Duration,
    most: Duration,
    /// Of connections that have ended too: why is told after the end.
    until: BTreeMap<ConnId, Instant>,
}

impl Throttle {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            request_timeout: config.request_timeout,
            most: config.effective_delivery_timeout(),
            until: BTreeMap::new(),
        }
    }

    /// The core hears an answer, from its correlation id on.
    pub(crate) fn on_answer(
        &mut self,
        now: Instant,
        conn: ConnId,
        asked: (ApiKey, i16),
        bytes: &[u8],
    ) {
        let millis = match asked {
            (ApiKey::Metadata, 9..) => bytes.get(5..9),
            (ApiKey::Metadata, 3..) => bytes.get(4..8),
            // Tags come behind it. Endpoints among them are taken for an absurd throttle.
            (ApiKey::Produce, 9..) => bytes
                .len()
                .checked_sub(5)
                .and_then(|at| bytes.get(at..at + 4)),
            (ApiKey::Produce, 1..) => bytes.len().checked_sub(4).and_then(|at| bytes.get(at..)),
            _ => None,
        };
        let millis = millis.and_then(|millis| millis.first_chunk());
        let millis = millis.map_or(0, |millis| u32::from_be_bytes(*millis));
        if (1..=THROTTLE_MS_MAX).contains(&millis) {
            let until = now + Duration::from_millis(u64::from(millis)).min(self.most);
            let longest = self.until.entry(conn).or_insert(until);
            *longest = until.max(*longest);
        }
    }

    /// A request goes out.
    ///
    /// # Panics
    /// Its broker throttles.
    pub(crate) fn on_request(&self, now: Instant, conn: ConnId) {
        let until = self.until.get(&conn).copied().unwrap_or(Instant::ZERO);
        assert!(
            now >= until,
            "L14: a request at {now} on {conn:?}, which throttles until {until}"
        );
    }

    /// A connection is given up for a request that was not answered in time.
    ///
    /// # Panics
    /// It was throttled for a part of that.
    pub(crate) fn on_request_timeout(&self, now: Instant, conn: ConnId) {
        let until = self.until.get(&conn).copied().unwrap_or(Instant::ZERO);
        let earliest = until + self.request_timeout;
        assert!(
            until == Instant::ZERO || now >= earliest,
            "L14: {conn:?} was throttled until {until}, and is given up at {now} for its silence"
        );
    }
}
