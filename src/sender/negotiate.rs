//! From a transport to a connection that serves: which versions its broker speaks.
//!
//! A broker is asked (`ApiVersions`, KIP-35), unless `api_version` names a release. Brokers before
//! Kafka 0.10 do not know the question: 0.8 closes the connection, 0.9 stays silent. So does many a
//! newer one that is slow or being killed, and taking that one for an old one would cost headers
//! and timestamps without a word (invariant B9). So nothing is guessed; the error says what to set.

use super::Sender;
use crate::boundary::{CloseCause, ConnId};
use crate::connection::Connection;
use crate::connection::in_flight::RequestKind;
use crate::connection::phase::{self, Phase, PhaseEvent, Step};
use crate::error::DeliveryCause;
use crate::trace::TraceEvent;
use crate::wire::{ApiKey, ErrorCode, Format, RequestHead, Versions, api_versions};

/// The name and version that brokers see (KIP-511).
const SOFTWARE_NAME: &str = "titorelli";
const SOFTWARE_VERSION: &str = env!("CARGO_PKG_VERSION");
impl Sender {
    pub(super) fn on_connected(&mut self, conn: ConnId) {
        if self.step(conn, PhaseEvent::Connected) != Step::AskVersions {
            return;
        }
        let connection = self.connections.get_mut(&conn).expect("it has a step");
        if let Phase::Connecting { give_up_at } = connection.phase {
            connection.phase = Phase::Negotiating { give_up_at };
        }
        match self.pinned {
            Some(versions) => self.on_ready(conn, versions, 0),
            None => self.ask_versions(conn, ApiKey::ApiVersions.supported().max),
        }
    }

    fn ask_versions(&mut self, conn: ConnId, version: i16) {
        let connection = self
            .connections
            .get_mut(&conn)
            .expect("asked for a live connection");
        let correlation_id = connection.take_correlation_id();
        let head = RequestHead {
            correlation_id,
            client_id: Some(self.config.client_id()),
        };
        let frame = api_versions::encode_request(version, &head, SOFTWARE_NAME, SOFTWARE_VERSION);
        self.emit(
            conn,
            correlation_id,
            version,
            RequestKind::ApiVersions,
            vec![frame],
        );
    }

    pub(super) fn on_versions(
        &mut self,
        conn: ConnId,
        asked: i16,
        answer: &api_versions::Response,
    ) {
        let is_refused = answer.error == ErrorCode::UNSUPPORTED_VERSION && asked > 0;
        if is_refused && self.step(conn, PhaseEvent::VersionsRefused) == Step::AskVersionsAgain {
            // The broker may say which versions it knows; else the oldest is understood by all.
            let own = answer
                .ranges
                .iter()
                .find(|range| range.api_key == ApiKey::ApiVersions.code());
            let version = own.map_or(0, |range| range.max.clamp(0, asked - 1));
            return self.ask_versions(conn, version);
        }
        if answer.error != ErrorCode::NONE {
            return self.on_nonsense(conn, &format_args!("ApiVersions refused: {}", answer.error));
        }
        match Versions::choose(&answer.ranges) {
            Ok(versions) => self.on_ready(conn, versions, answer.throttle_time_ms),
            Err(unsupported) => self.on_nonsense(conn, &unsupported),
        }
    }

    fn on_ready(&mut self, conn: ConnId, versions: Versions, throttle_time_ms: i32) {
        let connection = self
            .connections
            .get_mut(&conn)
            .expect("answered on a live connection");
        let step = phase::step(connection.phase.kind(), PhaseEvent::VersionsAgreed);
        if step != Step::Serve {
            return;
        }
        connection.phase = Phase::Ready(versions);
        connection.used_at = self.now;
        let slot = connection.broker;
        let broker = &mut self.brokers[slot.index()];
        (broker.failures, broker.slow, broker.trying_since) = (0, 0, None);
        broker.last_failure = None;
        broker.format = Some(versions.format());
        let node = broker.node;
        self.choose_format(versions.format());
        self.trace(|_| TraceEvent::Ready {
            conn,
            node,
            produce_version: versions.produce,
            metadata_version: versions.metadata,
        });
        self.throttle(slot, throttle_time_ms);
    }

    /// Records are written in the newest format that all leaders take, as far as these have ever
    /// told; else in this one. What is connected does not matter: a record may wait for its leader.
    pub(super) fn choose_format(&mut self, otherwise: Format) {
        let leaders = self.lanes.iter().filter_map(|lane| lane.leader);
        let told = leaders.filter_map(|leader| self.brokers[leader.index()].format);
        let format = if self.config.enable_idempotence {
            // Only these have room for sequence numbers.
            Format::V2
        } else {
            told.min().unwrap_or(otherwise)
        };
        self.accumulator.set_format(format);
        self.queue_closed();
    }

    /// What to say of a connection that ended before it served. A broker that has told its versions
    /// before is no riddle.
    pub(super) fn hint(&self, connection: &Connection, cause: &DeliveryCause) -> &'static str {
        let is_unanswered = matches!(
            cause,
            DeliveryCause::SetupTimeout
                | DeliveryCause::Disconnected(CloseCause::ByPeer | CloseCause::Transport(_))
        );
        let has_told = self.brokers[connection.broker.index()].format.is_some();
        match connection.phase {
            Phase::Negotiating { .. } if is_unanswered && self.pinned.is_none() && !has_told => {
                " (the broker did not tell its versions: does the port speak TLS, or is it older \
                 than Kafka 0.10 and needs api_version?)"
            }
            Phase::Negotiating { .. } | Phase::Connecting { .. } | Phase::Ready(_) => "",
        }
    }
}
