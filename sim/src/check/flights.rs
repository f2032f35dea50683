//! S7: how many requests are in flight, where, and beside which others.
//!
//! Owns: what the wire shows of the requests that are not answered yet. Never: the core's own
//! counters.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Buf, Bytes, BytesMut};
use titorelli::ConnId;

use super::frames::{read_batch, read_request};
use crate::codec::{ProduceRequest, Request, TopicName};

/// A partition as a request names it.
type Place = (TopicName, i32);

/// One batch under way.
#[derive(Debug)]
struct Flight {
    place: Place,
    /// Which records.
    checksum: u64,
    /// A byte of it left before, on its way in another request (S12).
    is_retry: bool,
}

/// One request that is not answered yet.
#[derive(Debug)]
struct Sent {
    /// Where it begins in the connection's stream.
    begins_at: usize,
    flights: Vec<Flight>,
}

/// The requests of one connection that are not answered yet.
#[derive(Debug, Default)]
struct Lane {
    /// In the order of sending; only Produce carries batches.
    requests: VecDeque<Sent>,
    /// Bytes of all requests handed out, and how many of them left.
    handed_bytes: usize,
    left_bytes: usize,
    /// Bytes of answers that are not whole yet.
    answers: BytesMut,
}

/// Watches the wire. Only for producers that wait for answers (acks other than 0).
#[derive(Debug)]
pub(crate) struct Flights {
    max_in_flight: usize,
    lanes: BTreeMap<ConnId, Lane>,
    /// The checksum of the records of every batch of which a byte left; `None`: the application may
    /// send equals, and a batch that left before is not known by its content.
    left: Option<BTreeSet<u64>>,
}

impl Flights {
    pub(crate) fn new(max_in_flight: usize) -> Self {
        Self {
            max_in_flight,
            lanes: BTreeMap::new(),
            left: Some(BTreeSet::new()),
        }
    }

    /// Batches may be equal from now on: retries are not told from them.
    pub(crate) fn allow_equals(&mut self) {
        self.left = None;
    }

    /// The producer hands out a request.
    pub(crate) fn on_request(&mut self, conn: ConnId, frame: &Bytes) {
        let (_, _, request) = read_request(frame);
        let flights = match request {
            Request::Produce(request) => self.flights_of(&request),
            Request::Metadata(_) | Request::ApiVersions(_) | Request::InitProducerId(_) => {
                Vec::new()
            }
        };
        for flight in &flights {
            self.check(conn, flight);
        }
        let lane = self.lanes.entry(conn).or_default();
        let begins_at = lane.handed_bytes;
        lane.handed_bytes += 4 + frame.len();
        lane.requests.push_back(Sent { begins_at, flights });
        let count = lane.requests.len();
        assert!(
            count <= self.max_in_flight,
            "S7a: {count} requests in flight on {conn:?}"
        );
    }

    /// The producer hears the broker's bytes.
    pub(crate) fn on_answer(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(lane) = self.lanes.get_mut(&conn) else {
            return;
        };
        lane.answers.extend_from_slice(bytes);
        while let Some(length) = lane.answers.first_chunk::<4>() {
            let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
                return;
            };
            if lane.answers.len() < 4 + length {
                return;
            }
            lane.answers.advance(4 + length);
            // Nobody asked for a spoilt answer.
            let _ = lane.requests.pop_front();
        }
    }

    /// The transport took so many more bytes.
    pub(crate) fn on_sent(&mut self, conn: ConnId, bytes: usize) {
        let Some(lane) = self.lanes.get_mut(&conn) else {
            return;
        };
        lane.left_bytes += bytes;
        let Some(left) = &mut self.left else {
            return;
        };
        let left_bytes = lane.left_bytes;
        let has_left = |request: &&Sent| request.begins_at < left_bytes;
        let requests = lane.requests.iter().take_while(has_left);
        left.extend(
            requests
                .flat_map(|request| &request.flights)
                .map(|f| f.checksum),
        );
    }

    /// The producer knows that the connection is gone.
    pub(crate) fn on_end(&mut self, conn: ConnId) {
        self.lanes.remove(&conn);
    }

    fn flights_of(&self, request: &ProduceRequest) -> Vec<Flight> {
        let mut flights = Vec::new();
        for topic in &request.topics {
            for item in &topic.partitions {
                let batch = read_batch(item);
                let size = u64::try_from(batch.records.len()).expect("a batch fits a frame");
                let checksum = size << 32 | u64::from(crc32c::crc32c(&batch.records));
                let place = (topic.topic.clone(), item.partition);
                let has_left = |left: &BTreeSet<u64>| left.contains(&checksum);
                let is_retry = self.left.as_ref().is_some_and(has_left);
                flights.push(Flight {
                    place,
                    checksum,
                    is_retry,
                });
            }
        }
        flights
    }

    fn check(&self, conn: ConnId, next: &Flight) {
        for (other_conn, lane) in &self.lanes {
            let others = lane.requests.iter().flat_map(|request| &request.flights);
            for other in others.filter(|other| other.place == next.place) {
                let place = &next.place;
                assert_eq!(*other_conn, conn, "S7b: {place:?} is in flight elsewhere");
                let is_alone = !next.is_retry && !other.is_retry;
                assert!(
                    is_alone,
                    "S7d: {next:?} travels beside {other:?}, one of them again"
                );
            }
        }
    }
}
