//! One socket, seen from inside.
//!
//! Owns: its phase, its stream in both directions, its unanswered requests.
//! Never: batches (it knows them by name only), metadata. Invariants: S5 (whole frames, in order),
//! S6 (answers in the order of the requests), S7a (at most `max_in_flight` unanswered requests).

pub(crate) mod in_flight;
pub(crate) mod phase;
pub(crate) mod rx;
pub(crate) mod tx;

use crate::boundary::{BatchId, ConnId};
use crate::slot::{Asked, BrokerSlot};
use crate::time::Instant;
use crate::wire::Versions;
use core::time::Duration;
use in_flight::{Carried, Draft, InFlight, Request, RequestKind};
use phase::Phase;
use rx::Frames;
use std::collections::VecDeque;
use tx::Progress;

/// How long a connection may be set up, or owe an answer, before it counts as slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// A connection to a broker.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) id: ConnId,
    pub(crate) broker: BrokerSlot,
    /// Since when it has been tried, at this connection and before it.
    tried_since: Instant,
    pub(crate) phase: Phase,
    pub(crate) frames: Frames,
    pub(crate) progress: Progress,
    /// Requests that an answer is owed to.
    pub(crate) in_flight: InFlight,
    /// Requests that no answer is owed to (acks=0), until they are written.
    pub(crate) unanswered: VecDeque<Request>,
    /// Produce requests whose batches are being sealed, in the order they will leave.
    pub(crate) drafts: VecDeque<Draft>,
    /// No new requests: it closes when it is idle.
    pub(crate) is_retiring: bool,
    /// Its last request was for metadata.
    pub(crate) was_asked_last: bool,
    /// When it became ready, or a request or an answer was last seen.
    pub(crate) used_at: Instant,
    next_correlation_id: i32,
    next_draft: u64,
}

impl Connection {
    pub(crate) fn new(
        id: ConnId,
        broker: BrokerSlot,
        tried_since: Instant,
        give_up_at: Instant,
        frame_bytes_max: usize,
    ) -> Self {
        Self {
            id,
            broker,
            tried_since,
            phase: Phase::Connecting { give_up_at },
            frames: Frames::new(frame_bytes_max),
            progress: Progress::default(),
            in_flight: InFlight::default(),
            unanswered: VecDeque::new(),
            drafts: VecDeque::new(),
            is_retiring: false,
            was_asked_last: false,
            used_at: tried_since,
            next_correlation_id: 0,
            next_draft: 0,
        }
    }

    /// Until when whoever needs any broker counts on this connection: a moment while it is set up,
    /// or while it owes an answer. Then another is tried beside it (museum M83).
    pub(crate) fn patience_ends_at(&self) -> Instant {
        let since = match self.phase {
            Phase::Ready(_) => self.oldest_sent_at(),
            Phase::Connecting { .. } | Phase::Negotiating { .. } => Some(self.tried_since),
        };
        since.map_or(Instant::FAR, |since| since + PATIENCE)
    }

    /// Since when it waits for its present phase to end: for the oldest answer, or the transport.
    pub(crate) fn begun_at(&self) -> Instant {
        self.oldest_sent_at().unwrap_or(self.tried_since)
    }

    /// What it owes an answer about, if it was asked for metadata; at most one such request is
    /// under way on a connection (L9).
    pub(crate) fn owes_metadata(&self) -> Option<&Asked> {
        self.in_flight
            .iter()
            .find_map(|request| match &request.kind {
                RequestKind::Metadata(asked) => Some(asked),
                RequestKind::ApiVersions
                | RequestKind::InitProducerId
                | RequestKind::Produce(_) => None,
            })
    }

    /// When the oldest of the requests left that are not done with.
    fn oldest_sent_at(&self) -> Option<Instant> {
        let answered = self.in_flight.oldest().map(|request| request.sent_at);
        let unanswered = self.unanswered.front().map(|request| request.sent_at);
        answered.into_iter().chain(unanswered).min()
    }

    /// The versions agreed on, once it is ready.
    pub(crate) fn versions(&self) -> Option<Versions> {
        match self.phase {
            Phase::Ready(versions) => Some(versions),
            Phase::Connecting { .. } | Phase::Negotiating { .. } => None,
        }
    }

    /// The versions to use, if another request may go out now.
    pub(crate) fn room(&self, max_in_flight: usize) -> Option<Versions> {
        self.versions()
            .filter(|_| !self.is_retiring && self.requests() < max_in_flight)
    }

    /// Requests under way: unanswered, not yet written, or being sealed.
    pub(crate) fn requests(&self) -> usize {
        self.in_flight.len() + self.unanswered.len() + self.drafts.len()
    }

    pub(crate) fn take_correlation_id(&mut self) -> i32 {
        let id = self.next_correlation_id;
        self.next_correlation_id = id.wrapping_add(1).max(0);
        id
    }

    /// Whether this id was given to a request of this connection.
    pub(crate) fn has_given(&self, correlation_id: i32) -> bool {
        (0..self.next_correlation_id).contains(&correlation_id)
    }

    /// When the oldest unanswered request is given up. Time during which the broker throttles us
    /// does not count (invariant L14).
    pub(crate) fn request_deadline(
        &self,
        request_timeout: Duration,
        throttled_until: Instant,
    ) -> Option<Instant> {
        let oldest = self.oldest_sent_at()?;
        Some(oldest.max(throttled_until) + request_timeout)
    }

    /// The number of the draft that comes next.
    pub(crate) fn next_draft(&self) -> u64 {
        self.next_draft
    }

    /// Adds a draft with the next number.
    pub(crate) fn push_draft(&mut self, version: i16, carried: Vec<Carried>, unsealed: usize) {
        self.drafts.push_back(Draft {
            number: self.next_draft,
            version,
            carried,
            unsealed,
        });
        self.next_draft += 1;
    }

    /// Whether the draft that leaves next lacks no seal.
    pub(crate) fn has_sealed_draft(&self) -> bool {
        self.drafts.front().is_some_and(|draft| draft.unsealed == 0)
    }

    /// The number of the draft that carries a batch.
    pub(crate) fn draft_of(&self, batch: BatchId) -> Option<u64> {
        self.drafts
            .iter()
            .find(|draft| draft.carries(batch))
            .map(|draft| draft.number)
    }

    /// One batch of this draft is sealed.
    pub(crate) fn on_sealed(&mut self, number: u64) {
        let Some(front) = self.drafts.front().map(|draft| draft.number) else {
            return;
        };
        let place = number
            .checked_sub(front)
            .and_then(|place| usize::try_from(place).ok());
        if let Some(draft) = place.and_then(|place| self.drafts.get_mut(place)) {
            draft.unsealed = draft.unsealed.saturating_sub(1);
        }
    }

    /// Every batch that is under way here.
    pub(crate) fn into_carried(self) -> Vec<Carried> {
        let requests = self.in_flight.into_requests().chain(self.unanswered);
        let sent = requests.flat_map(|request| match request.kind {
            RequestKind::Produce(carried) => carried,
            RequestKind::ApiVersions | RequestKind::Metadata(_) | RequestKind::InitProducerId => {
                Vec::new()
            }
        });
        let drafted = self.drafts.into_iter().flat_map(|draft| draft.carried);
        sent.chain(drafted).collect()
    }

    /// How many batches are under way here.
    pub(crate) fn carried(&self) -> usize {
        let requests = self.in_flight.iter().chain(&self.unanswered);
        let sent: usize = requests.map(Request::carried).sum();
        sent + self
            .drafts
            .iter()
            .map(|draft| draft.carried.len())
            .sum::<usize>()
    }
}
