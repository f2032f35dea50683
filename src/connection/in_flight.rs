//! Requests on their way, strictly first in, first out (invariant S6).

use crate::boundary::BatchId;
use crate::slot::{Asked, PartitionSlot};
use crate::time::Instant;
use crate::wire::Uuid;
use std::collections::VecDeque;

/// A request that was queued for writing. What its answer is to be read with is what was recorded
/// here then, not what holds now (invariant S6).
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) correlation_id: i32,
    pub(crate) sent_at: Instant,
    /// Where it begins and ends in the connection's stream.
    pub(crate) begins_at: u64,
    pub(crate) ends_at: u64,
    pub(crate) version: i16,
    pub(crate) kind: RequestKind,
}

/// What a request asks.
#[derive(Debug)]
pub(crate) enum RequestKind {
    ApiVersions,
    Metadata(Asked),
    InitProducerId,
    Produce(Vec<Carried>),
}

/// A batch carried by a produce request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried {
    pub(crate) batch: BatchId,
    pub(crate) partition: PartitionSlot,
    /// The topic's id when the request was made: answers from v13 on name nothing else.
    pub(crate) topic_id: Uuid,
}

/// A produce request that waits for its batches to be sealed.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Counts the drafts of its connection.
    pub(crate) number: u64,
    /// Of the request.
    pub(crate) version: i16,
    pub(crate) carried: Vec<Carried>,
    /// Batches that are still away.
    pub(crate) unsealed: usize,
}

impl Request {
    /// How many batches it carries.
    pub(crate) fn carried(&self) -> usize {
        match &self.kind {
            RequestKind::Produce(carried) => carried.len(),
            RequestKind::ApiVersions | RequestKind::Metadata(_) | RequestKind::InitProducerId => 0,
        }
    }
}

impl Draft {
    pub(crate) fn carries(&self, batch: BatchId) -> bool {
        self.carried.iter().any(|carried| carried.batch == batch)
    }
}

/// The unanswered requests of one connection.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    requests: VecDeque<Request>,
}

impl InFlight {
    pub(crate) fn len(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn oldest(&self) -> Option<&Request> {
        self.requests.front()
    }

    pub(crate) fn push(&mut self, request: Request) {
        self.requests.push_back(request);
    }

    /// Takes the oldest request if this is its answer's correlation id.
    pub(crate) fn pop_answered(&mut self, correlation_id: i32) -> Option<Request> {
        let oldest = self.requests.front()?;
        if oldest.correlation_id == correlation_id {
            self.requests.pop_front()
        } else {
            None
        }
    }

    pub(crate) fn into_requests(self) -> impl Iterator<Item = Request> {
        self.requests.into_iter()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter()
    }
}
