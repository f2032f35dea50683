//! S7: how many requests are in flight, where, and beside which others. S9: how large they are.
//!
//! Owns: what the wire shows of the requests that are not answered yet. Never: the core's own
//! counters.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, Bytes, BytesMut};
use titorelli::{Config, ConnId, Instant};

use super::asking::Asking;
use super::attempts::AttemptLog;
use super::frames::{ReadBatch, read_batch, read_request};
use super::hints::Hints;
use super::leaders::Leaders;
use super::questions::Questions;
use super::sequenced::{Identity, Key, Named, Sequences, Stamped};
use super::throttle::Throttle;
use super::watch::are_several;
use crate::cluster::{BrokerConfig, Cluster};
use crate::codec::{
    ApiKey, LeaderHint, MetadataResponse, PartitionAnswer, ProduceRequest, Request, TopicAnswer,
    TopicName, error_code, produce_answers,
};
use crate::sight::Sight;

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
    /// Its partition by name, if its topic ever was.
    named: Option<Named>,
    /// Its partition by name, and in whose name it is sent, if it has a sequence number.
    stamped: Option<(Named, Stamped)>,
}

impl Flight {
    /// Whether the two go to topics of one name and of different ids.
    fn is_of_another_topic(&self, other: &Self) -> bool {
        match (&self.place.0, &other.place.0) {
            (TopicName::Id(own), TopicName::Id(other)) => own != other,
            (TopicName::Name(_) | TopicName::Id(_), _) => false,
        }
    }

    fn key(&self) -> Option<Key> {
        self.stamped.as_ref().map(|(_, stamp)| stamp.key())
    }
}

/// One request that is not answered yet.
#[derive(Debug)]
struct Sent {
    /// Where it begins in the connection's stream.
    begins_at: usize,
    handed_at: Instant,
    has_left: bool,
    correlation_id: i32,
    /// What was asked, in which version.
    asked: (ApiKey, i16),
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
    /// An answer came that none of them waited for.
    is_spoilt: bool,
}

/// Watches the wire. Only for producers that wait for answers (acks other than 0).
#[derive(Debug)]
pub(crate) struct Flights {
    max_in_flight: usize,
    request_bytes_max: usize,
    lanes: BTreeMap<ConnId, Lane>,
    pub(crate) attempts: AttemptLog,
    throttle: Throttle,
    /// When the core was called again, after it had not been: what goes out then may have been
    /// decided before it heard what it has heard.
    woken_at: Option<Instant>,
    questions: Questions,
    pub(crate) leaders: Leaders,
    pub(crate) sequences: Sequences,
    asking: Asking,
    hints: Hints,
}

impl Flights {
    pub(crate) fn new(config: &Config, brokers: &[BrokerConfig]) -> Self {
        Self {
            max_in_flight: config.max_in_flight_requests_per_connection,
            request_bytes_max: config.max_request_size,
            lanes: BTreeMap::new(),
            attempts: AttemptLog::new(config),
            throttle: Throttle::new(config),
            woken_at: None,
            questions: Questions::new(config),
            leaders: Leaders::new(are_several(brokers)),
            sequences: Sequences::new(config),
            asking: Asking::new(config),
            hints: Hints::default(),
        }
    }

    /// Batches may be equal from now on: retries are not told from them.
    pub(crate) fn allow_equals(&mut self) {
        self.attempts.allow_equals();
        self.sequences.tell_apart(false);
    }

    /// No two batches hold the same from now on.
    pub(crate) fn tell_apart(&mut self) {
        self.attempts.tell_apart();
        self.sequences.tell_apart(true);
    }

    /// The producer hands out a request.
    pub(crate) fn on_request(
        &mut self,
        now: Instant,
        conn: ConnId,
        frame: &Bytes,
        cluster: &Cluster,
    ) {
        let (header, api, request) = read_request(frame);
        let flights = match request {
            Request::Produce(request) => self.flights_of(&request, cluster),
            Request::Metadata(_) | Request::ApiVersions(_) => Vec::new(),
            Request::InitProducerId(request) => {
                self.asking.on_question(now, conn, &request);
                self.sequences.on_question();
                Vec::new()
            }
        };
        let bytes = 4 + frame.len();
        assert!(
            flights.len() <= 1 || bytes <= self.request_bytes_max,
            "S9: {} batches in {bytes} bytes, {} are allowed",
            flights.len(),
            self.request_bytes_max
        );
        if self.woken_at != Some(now) {
            self.throttle.on_request(now, conn);
        }
        if api == ApiKey::Metadata {
            let oldest_at = |conn| {
                let lane: &Lane = self.lanes.get(&conn)?;
                lane.requests.front().map(|oldest| oldest.handed_at)
            };
            let is_late = self.woken_at == Some(now);
            self.questions.on_question(now, conn, oldest_at, is_late);
        }
        for flight in &flights {
            self.check(now, conn, flight, cluster);
        }
        let lane = self.lanes.entry(conn).or_default();
        let begins_at = lane.handed_bytes;
        lane.handed_bytes += bytes;
        lane.requests.push_back(Sent {
            begins_at,
            handed_at: now,
            has_left: false,
            correlation_id: header.correlation_id,
            asked: (api, header.api_version),
            flights,
        });
        let count = lane.requests.len();
        assert!(
            count <= self.max_in_flight,
            "S7a: {count} requests in flight on {conn:?}"
        );
    }

    /// The producer hears the broker's bytes.
    pub(crate) fn on_answer(&mut self, now: Instant, conn: ConnId, bytes: &[u8]) {
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
            lane.answers.advance(4);
            let answer = lane.answers.split_to(length);
            let answered = answer.first_chunk().map(|id| i32::from_be_bytes(*id));
            let asked = lane.requests.front().map(|request| request.correlation_id);
            // Nobody asked for a spoilt answer, and who waits for one waits on.
            lane.is_spoilt |= asked != answered;
            if lane.is_spoilt {
                return;
            }
            let request = lane.requests.pop_front().expect("it is answered");
            self.throttle.on_answer(now, conn, request.asked, &answer);
            self.questions.on_any_answer(now, conn, request.handed_at);
            match request.asked {
                (ApiKey::Metadata, version) => {
                    self.questions.on_answer(conn);
                    self.hints.on_metadata();
                    if let Ok(told) = MetadataResponse::decode(&answer, version) {
                        self.leaders.on_told(now, request.handed_at, &told);
                    }
                }
                (ApiKey::InitProducerId, version) => {
                    self.asking.on_answer(now, conn, version, &answer);
                }
                (ApiKey::Produce, version) => {
                    let told = produce_answers(&answer, version).unwrap_or_default();
                    for flight in &request.flights {
                        if let (Some(place), true) = (&flight.named, is_acked(flight, &told)) {
                            self.leaders.on_acked(place, request.handed_at);
                        }
                        let hint = answer_flight(&mut self.sequences, flight, &told);
                        if let (Some(hint), Some((place, _))) = (hint, &flight.stamped) {
                            self.hints.on_hint(place.clone(), hint);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The transport took so many more bytes.
    pub(crate) fn on_sent(&mut self, conn: ConnId, bytes: usize) {
        let Some(lane) = self.lanes.get_mut(&conn) else {
            return;
        };
        lane.left_bytes += bytes;
        let left_bytes = lane.left_bytes;
        let leaves = |request: &&mut Sent| request.begins_at < left_bytes;
        for request in lane.requests.iter_mut().take_while(leaves) {
            if core::mem::replace(&mut request.has_left, true) {
                continue;
            }
            for flight in &request.flights {
                self.attempts.on_left(flight.checksum, request.handed_at);
                if let Some((place, stamp)) = &flight.stamped {
                    self.sequences.on_left(place, stamp);
                }
            }
        }
    }

    /// The core is called again.
    pub(crate) fn on_woken(&mut self, now: Instant) {
        self.woken_at = Some(now);
    }

    /// The producer gives a connection up, for it did not answer in time.
    pub(crate) fn on_request_timeout(&self, now: Instant, conn: ConnId) {
        self.throttle.on_request_timeout(now, conn);
    }

    /// The producer has heard the broker's bytes.
    ///
    /// # Panics
    /// It goes on with a connection that makes no sense.
    pub(crate) fn check_answers(&self, conn: ConnId) {
        let is_spoilt = self.lanes.get(&conn).is_some_and(|lane| lane.is_spoilt);
        assert!(
            !is_spoilt,
            "S6: {conn:?} goes on after an answer that was not the next"
        );
    }

    /// The producer knows that the connection is gone. If it ended it itself, whatever it handed
    /// out may have left.
    pub(crate) fn on_end(&mut self, conn: ConnId, is_own_doing: bool) {
        let lane = self.lanes.remove(&conn).unwrap_or_default();
        for request in lane.requests {
            for flight in &request.flights {
                if let (Some((place, stamp)), false) = (&flight.stamped, request.has_left)
                    && is_own_doing
                {
                    self.sequences.on_left(place, stamp);
                }
                if request.has_left || is_own_doing {
                    answer_flight(&mut self.sequences, flight, &[]);
                }
            }
        }
        self.questions.on_end(conn);
        self.asking.on_end(conn);
    }

    /// The application is told that a batch failed whose first record has this value.
    pub(crate) fn on_given_up(&mut self, now: Instant, place: &Named, value: Option<&[u8]>) {
        let requests = self.lanes.values().flat_map(|lane| &lane.requests);
        let mut waiting = requests.filter(|request| !request.has_left);
        let is_it = |flight: &Flight| flight.stamped.as_ref().is_some_and(|(at, _)| at == place);
        let may_leave = waiting.any(|request| request.flights.iter().any(is_it));
        self.sequences.on_given_up(now, place, value, may_leave);
    }

    /// The core believes in a leader.
    pub(crate) fn on_believed(&mut self, place: (&str, i32), leader: (i32, i32)) {
        let place = (place.0.to_owned(), place.1);
        if self.hints.on_believed(&place, leader) {
            self.sequences.seen.push(Sight::LeaderHintUsed);
        }
    }

    /// What was come across on the wire since it was last asked.
    pub(crate) fn take_seen(&mut self) -> Vec<Sight> {
        core::mem::take(&mut self.sequences.seen)
    }

    fn flights_of(&self, request: &ProduceRequest, cluster: &Cluster) -> Vec<Flight> {
        let mut flights = Vec::new();
        for topic in &request.topics {
            for item in &topic.partitions {
                let batch = read_batch(item);
                let size = u64::try_from(batch.records.len()).expect("a batch fits a frame");
                let checksum = size << 32 | u64::from(crc32c::crc32c(&batch.records));
                let place = (topic.topic.clone(), item.partition);
                let is_retry = self.attempts.has_left(checksum);
                let stamp = stamp_of(batch, checksum);
                self.sequences.check_request(request.acks, stamp.as_ref());
                let named = named(&place, cluster);
                let stamped = stamp.map(|stamp| {
                    let named = named.clone().expect("S3: it was a topic's id once");
                    (named, stamp)
                });
                flights.push(Flight {
                    place,
                    checksum,
                    is_retry,
                    named,
                    stamped,
                });
            }
        }
        flights
    }

    fn check(&self, now: Instant, conn: ConnId, next: &Flight, cluster: &Cluster) {
        // A topic that has gone has no name any more.
        let named = || {
            let name = match &next.place.0 {
                TopicName::Name(name) => Some(name.as_str()),
                TopicName::Id(id) => cluster.topic_name(id),
            };
            name.map(|name| (name.to_owned(), next.place.1))
        };
        if next.is_retry
            && let Some(place) = named()
        {
            let moved_at = self.leaders.moved_at(&place);
            self.attempts.on_handed(now, next.checksum, moved_at);
        }
        if let Some((place, stamp)) = &next.stamped {
            let requests = self.lanes.values().flat_map(|lane| &lane.requests);
            let others = requests.flat_map(|request| &request.flights);
            let is_beside = |other: &&Flight| {
                let other = other.stamped.as_ref();
                other.is_some_and(|(other, _)| other == place)
            };
            let others: Vec<&Flight> = others.filter(is_beside).collect();
            assert!(
                others.iter().all(|other| !next.is_of_another_topic(other)),
                "S7e: {next:?} goes to a topic that has acknowledged nothing yet"
            );
            let beside: Vec<Key> = others.into_iter().filter_map(Flight::key).collect();
            if self.woken_at != Some(now) {
                self.sequences.on_handed(now, place, stamp, &beside);
            }
        }
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
                let may_go = named().is_none_or(|place| self.leaders.may_take_more(now, &place));
                assert!(
                    may_go,
                    "S7e: {next:?} goes to a leader that has acknowledged nothing yet"
                );
            }
        }
    }
}

fn stamp_of(batch: ReadBatch, content: u64) -> Option<Stamped> {
    let ((producer_id, epoch), base_sequence) = (batch.producer?, batch.base_sequence?);
    Some(Stamped {
        identity: Identity { producer_id, epoch },
        base_sequence,
        record_count: i32::try_from(batch.record_count).expect("it came as one"),
        checksum: batch.checksum,
        content,
        records: batch.records,
        codec: batch.codec,
    })
}

/// The partition by its topic's name, also of a topic that has gone.
fn named((topic, partition): &Place, cluster: &Cluster) -> Option<Named> {
    let name = match topic {
        TopicName::Name(name) => Some(name.as_str()),
        TopicName::Id(id) => cluster.topic_name_ever(id),
    };
    name.map(|name| (name.to_owned(), *partition))
}

/// What an answer says of a batch: the first entry that is about it.
fn told_of<'a>(flight: &Flight, told: &'a [TopicAnswer]) -> Option<&'a PartitionAnswer> {
    let (topic, partition) = &flight.place;
    let mut answers = told
        .iter()
        .filter(|answer| answer.topic == *topic)
        .flat_map(|answer| &answer.partitions);
    answers.find(|answer| answer.partition == *partition)
}

/// Whether an answer says that a batch is written.
fn is_acked(flight: &Flight, told: &[TopicAnswer]) -> bool {
    let code = told_of(flight, told).map(|answer| answer.error_code);
    matches!(
        code,
        Some(error_code::NONE | error_code::DUPLICATE_SEQUENCE_NUMBER)
    )
}

/// A batch is answered. Whom that hints at.
fn answer_flight(
    sequences: &mut Sequences,
    flight: &Flight,
    told: &[TopicAnswer],
) -> Option<LeaderHint> {
    let (place, stamp) = flight.stamped.as_ref()?;
    let answer = told_of(flight, told);
    let told = answer.map(|answer| (answer.error_code, answer.base_offset));
    sequences.on_answered(place, stamp.key(), told);
    answer.and_then(|answer| answer.current_leader)
}
