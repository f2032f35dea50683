//! What the core wants done, and what it tells.

use std::sync::Arc;

use bytes::BytesMut;
use titorelli::{ConnId, Delivery, Outcome, Output, SendError, TraceEvent, WaiterId};

use super::{Connection, World};
use crate::marks::Mark;

impl World {
    pub(super) fn on_output(&mut self, output: Output) {
        let now = self.now;
        self.watch_output(&output);
        match output {
            Output::Connect { conn, host, port } => self.on_connect(conn, host, port),
            Output::Transmit { conn, bytes } => {
                self.digest = crc32c::crc32c_append(self.digest, &now.as_micros().to_be_bytes());
                self.digest = crc32c::crc32c_append(self.digest, &bytes);
                self.narrate_requests(conn, &bytes);
                self.network.transmit(now, conn, bytes);
            }
            Output::Disconnect(conn) => {
                self.note("core", format_args!("disconnect -> {}", self.name_of(conn)));
                self.mark(|| Mark::Ends(conn, false));
                self.end(conn, true);
                self.network.disconnect(now, conn);
            }
            Output::Seal(job) => self.network.seal(now, job),
            Output::Delivered(delivery) => self.on_delivered(delivery),
            Output::Admitted(waiter) => {
                let Some(id) = self.journal.take_waiter(waiter) else {
                    return self.inbox.answer(waiter, Ok(()));
                };
                let record = self.journal.record(id);
                let result = record.lend(|record| self.core.resume(now, waiter, record));
                self.sights.resumed(&result);
                self.narrate_resume(id, &result);
                self.mark(|| Mark::Records(vec![id]));
                self.journal.answered(now, id, result.clone());
                self.watch.on_answer(now, id, &result, true, &self.journal);
            }
            Output::Refused(waiter, error) => self.on_refused(waiter, error),
            Output::Flushed(id) => {
                let since = self.flushes.remove(&id).expect("a flush ends once");
                let config = self.core.config();
                let limit = config.effective_delivery_timeout() + config.resolve_timeout;
                assert!(
                    now <= self.naps.latest(since + limit),
                    "L3: a flush outlasts delivery_timeout"
                );
                self.note("app", format_args!("flushed {}", id.0));
            }
            Output::Closed => {
                let give_up_at = self.give_up_at.expect("closed only when asked");
                assert!(!self.is_closed, "closed once");
                let ends_at = self.naps.latest(give_up_at);
                assert!(now <= ends_at, "L4: close outlasts its limit");
                self.is_closed = true;
                self.note("app", "closed");
            }
            Output::Trace(event) => {
                self.sights.trace(&event);
                if let TraceEvent::Retry { batch, .. } = event {
                    self.journal.retried(batch);
                }
                self.narrate_trace(&event);
            }
        }
    }

    fn on_connect(&mut self, conn: ConnId, host: Arc<str>, port: u16) {
        let broker = self.cluster.broker_at(&host, port);
        let connection = Connection {
            host,
            port,
            broker,
            peer: None,
            is_open: true,
            requests: BytesMut::new(),
        };
        self.connections.push(conn, connection);
        self.note("core", format_args!("connect -> {}", self.name_of(conn)));
        self.mark(|| Mark::Opens(conn, broker));
        self.network.connect(self.now, conn);
    }

    fn on_delivered(&mut self, delivery: Delivery) {
        self.digest_outcome(&delivery);
        self.sights.delivery(&delivery);
        let ended = self.journal.delivered(&delivery);
        self.check_ages(&ended);
        self.narrate_delivery(&delivery, &ended);
        self.inbox.delivered(&ended, delivery);
        if let Some(record) = self.echoes.pop_front() {
            self.offer(record, true);
        }
    }

    fn digest_outcome(&mut self, delivery: &Delivery) {
        let outcome = match &delivery.outcome {
            Outcome::Acked { base_offset, .. } => *base_offset,
            Outcome::NotPersisted(_) => i64::MIN,
            Outcome::MaybePersisted(_) => i64::MAX,
        };
        self.digest = crc32c::crc32c_append(self.digest, &self.now.as_micros().to_be_bytes());
        self.digest = crc32c::crc32c_append(self.digest, &delivery.count.to_be_bytes());
        self.digest = crc32c::crc32c_append(self.digest, &outcome.to_be_bytes());
    }

    fn on_refused(&mut self, waiter: WaiterId, error: SendError) {
        let Some(id) = self.journal.take_waiter(waiter) else {
            return self.inbox.answer(waiter, Err(error));
        };
        let limit = self.core.config().max_block;
        let ends_at = self.naps.latest(self.journal.called_at(id) + limit);
        assert!(
            self.now <= ends_at,
            "L4: {id:?} waited until {}, beyond max_block at {ends_at}",
            self.now
        );
        self.sights.refusal(&error);
        if self.timeline.is_on() {
            let label = self.journal.record(id).label();
            self.note("app", format_args!("refused {label}: {error}"));
        }
        self.journal.answered(self.now, id, Err(error));
    }
}
