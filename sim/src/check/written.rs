//! acks=0: a record is acked when its request is written to the last byte, not before.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use titorelli::ConnId;

use super::frames::{read_batch, read_request};
use crate::codec::Request;

/// The requests of a connection that are not written.
#[derive(Debug, Default)]
struct Lane {
    handed_bytes: usize,
    written_bytes: usize,
    /// Where each ends in the stream, and how many records it carries.
    requests: VecDeque<(usize, u64)>,
}

/// Counts records.
#[derive(Debug, Default)]
pub(crate) struct Written {
    lanes: BTreeMap<ConnId, Lane>,
    whole_count: u64,
    acked_count: u64,
}

impl Written {
    pub(crate) fn on_request(&mut self, conn: ConnId, frame: &Bytes) {
        let (_, _, request) = read_request(frame);
        let records = match request {
            Request::Produce(request) => {
                let items = request.topics.iter().flat_map(|topic| &topic.partitions);
                let counts = items.map(|item| read_batch(item).record_count);
                counts.sum::<usize>().try_into().expect("few")
            }
            Request::Metadata(_) | Request::ApiVersions(_) | Request::InitProducerId(_) => 0,
        };
        let lane = self.lanes.entry(conn).or_default();
        lane.handed_bytes += 4 + frame.len();
        lane.requests.push_back((lane.handed_bytes, records));
    }

    pub(crate) fn on_sent(&mut self, conn: ConnId, bytes: usize) {
        let Some(lane) = self.lanes.get_mut(&conn) else {
            return;
        };
        lane.written_bytes += bytes;
        while let Some((ends_at, records)) = lane.requests.front()
            && *ends_at <= lane.written_bytes
        {
            self.whole_count += records;
            lane.requests.pop_front();
        }
    }

    /// So many records are acked.
    ///
    /// # Panics
    /// More than were written.
    pub(crate) fn on_acked(&mut self, records: u32) {
        self.acked_count += u64::from(records);
        assert!(
            self.acked_count <= self.whole_count,
            "S2: {} records are acked, and {} were written",
            self.acked_count,
            self.whole_count
        );
    }
}
