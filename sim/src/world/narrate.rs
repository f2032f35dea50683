//! The world's facts as lines of the timeline.

use core::fmt;

use bytes::{Buf, Bytes};
use titorelli::{ConnId, Delivery, Outcome, SendError, Ticket, TraceEvent};

use super::World;
use crate::check::{read_batch, read_request};
use crate::cluster::{BatchOutcome, BrokerId, ClusterEvent, LOSE_ANSWER, OMIT_ANSWER};
use crate::codec::{ProduceRequest, Request, TopicName, error_code};
use crate::journal::{OwnedRecord, RecordId};

impl World {
    /// Notes a fact at the present instant.
    pub(crate) fn note(&mut self, actor: impl fmt::Display, text: impl fmt::Display) {
        self.timeline.note(self.now, actor, text);
    }

    /// `b1`, or the word for an address that nobody has.
    pub(super) fn name_of(&self, conn: ConnId) -> impl fmt::Display + use<> {
        let connection = self.connections.get(conn);
        Name(connection.and_then(|connection| connection.broker))
    }

    pub(super) fn narrate_send(
        &mut self,
        record: &OwnedRecord,
        result: &Result<Ticket, SendError>,
    ) {
        if !self.timeline.is_on() {
            return;
        }
        self.note(
            "app",
            format_args!("send {:<26} {}", record.label(), Answer(result)),
        );
    }

    pub(super) fn narrate_resume(&mut self, id: RecordId, result: &Result<Ticket, SendError>) {
        if self.timeline.is_on() {
            let label = self.journal.record(id).label();
            self.note("app", format_args!("resume {label:<24} {}", Answer(result)));
        }
    }

    pub(super) fn narrate_delivery(&mut self, delivery: &Delivery, ended: &[RecordId]) {
        if !self.timeline.is_on() {
            return;
        }
        let label = |id: &RecordId| self.journal.record(*id).value_label();
        let values = ended.iter().map(label).collect::<Vec<String>>();
        let values = match values.as_slice() {
            [first, .., last] if values.len() > 4 => format!("{first} .. {last}"),
            _ => values.join(" "),
        };
        let (topic, partition) = (&delivery.topic, delivery.partition);
        let outcome = match &delivery.outcome {
            Outcome::Acked { base_offset, .. } => format!("acked at offset {base_offset}"),
            Outcome::NotPersisted(error) => format!("not persisted: {}", error.cause),
            Outcome::MaybePersisted(error) => format!("maybe persisted: {}", error.cause),
        };
        let place = format!("{topic}/{partition} {values}");
        self.note("app", format_args!("{place:<31} {outcome}"));
        self.mark_delivery(delivery, ended);
    }

    pub(super) fn narrate_trace(&mut self, event: &TraceEvent) {
        if !self.timeline.is_on() {
            return;
        }
        let text = match event {
            TraceEvent::Ready {
                conn,
                produce_version,
                metadata_version,
                ..
            } => {
                let broker = self.name_of(*conn);
                format!(
                    "ready with {broker}: Produce v{produce_version}, Metadata v{metadata_version}"
                )
            }
            TraceEvent::ConnectionLost {
                conn,
                cause,
                retry_at,
                ..
            } => {
                let broker = self.name_of(*conn);
                format!("lost {broker} until {retry_at}: {cause}")
            }
            TraceEvent::Retry {
                topic,
                partition,
                cause,
                not_before,
                ..
            } => {
                format!("retry {topic}/{partition} at {not_before}: {cause}")
            }
            TraceEvent::LeaderChanged {
                topic,
                partition,
                leader,
                epoch,
            } => match leader {
                Some(broker) => format!("{topic}/{partition} is led by b{broker} (epoch {epoch})"),
                None => format!("{topic}/{partition} has no leader"),
            },
            TraceEvent::Throttled { node, until } => format!("b{node} throttles until {until}"),
            other @ (TraceEvent::ProducerId { .. } | TraceEvent::SequencesRestarted { .. } | _) => {
                other.to_string()
            }
        };
        self.note("core", text);
        self.mark_trace(event);
    }

    /// Reads the requests in what the core hands out, with the cluster's own decoder.
    pub(super) fn narrate_requests(&mut self, conn: ConnId, bytes: &[u8]) {
        let connection = &mut self.connections[conn];
        connection.requests.extend_from_slice(bytes);
        let mut frames = Vec::new();
        while let Some(length) = connection.requests.first_chunk::<4>() {
            let length = i32::from_be_bytes(*length);
            let length = usize::try_from(length).expect("S5: a frame has a length");
            if connection.requests.len() < 4 + length {
                break;
            }
            connection.requests.advance(4);
            frames.push(connection.requests.split_to(length).freeze());
        }
        let (now, cluster) = (self.now, &self.cluster);
        for frame in &frames {
            self.watch.on_request(now, conn, frame);
            if let Some(flights) = &mut self.flights {
                flights.on_request(now, conn, frame, cluster);
            }
        }
        if self.timeline.is_on() {
            for frame in frames {
                let text = self.describe_request(conn, &frame);
                self.note("core", text);
                self.mark_request(conn, &frame);
            }
        }
    }

    fn describe_request(&self, conn: ConnId, frame: &Bytes) -> String {
        let (header, api, request) = read_request(frame);
        let details = match request {
            Request::Produce(request) => self.describe_produce(&request),
            Request::Metadata(request) => request.topics.map_or_else(
                || "all topics".to_owned(),
                |topics| {
                    let names: Vec<String> = topics.into_iter().filter_map(|t| t.name).collect();
                    names.join(" ")
                },
            ),
            Request::ApiVersions(_) | Request::InitProducerId(_) => String::new(),
        };
        let broker = self.name_of(conn);
        let request = format!("{} #{} -> {broker}", api.name(), header.correlation_id);
        format!("{request:<31} {details}").trim_end().to_owned()
    }

    /// `orders/0 n 2, orders/1 n 1`, with the sequence number of an idempotent batch.
    fn describe_produce(&self, request: &ProduceRequest) -> String {
        let mut parts = Vec::new();
        for topic in &request.topics {
            let name = match &topic.topic {
                TopicName::Name(name) => name.as_str(),
                TopicName::Id(id) => self.cluster.topic_name(id).unwrap_or("(unknown id)"),
            };
            for item in &topic.partitions {
                let batch = read_batch(item);
                let sequence = match batch.base_sequence {
                    None => String::new(),
                    Some(sequence) => format!(" seq {sequence}"),
                };
                let count = batch.record_count;
                parts.push(format!("{name}/{}{sequence} n {count}", item.partition));
            }
        }
        parts.join(", ")
    }

    pub(super) fn narrate_cluster(&mut self, event: &ClusterEvent) {
        if !self.timeline.is_on() {
            return;
        }
        match event {
            ClusterEvent::Handled {
                broker,
                api,
                correlation_id,
                is_answered,
                batches,
                ..
            } => {
                let silent = if *is_answered { "" } else { " (no answer)" };
                let details = batches.iter().map(describe_batch).collect::<Vec<String>>();
                let request = format!("{} #{correlation_id}", api.name());
                let text = format!("{request:<31} {}{silent}", details.join(", "));
                self.note(broker, text.trim_end());
                self.mark_handled(event);
            }
            ClusterEvent::Lost {
                topic,
                partition,
                from_offset,
                count,
                is_unclean,
            } => {
                let how = if *is_unclean { ", though acked" } else { "" };
                let place = format!("{topic}/{partition}");
                let text = format!("{place} lost {count} from offset {from_offset} on{how}");
                self.note("fault", text);
            }
            ClusterEvent::Closed { broker, reason, .. } => {
                self.note(broker, format_args!("closes the connection: {reason}"));
            }
        }
    }
}

/// A broker, or whoever has an address that is no broker's.
struct Name(Option<BrokerId>);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(broker) => broker.fmt(f),
            None => f.pad("nobody"),
        }
    }
}

/// `orders/0 offset 3`, or the error.
fn describe_batch(batch: &BatchOutcome) -> String {
    let (topic, partition) = (&batch.topic, batch.partition);
    let what = match (batch.error_code, batch.is_appended) {
        (error_code::NONE, true) => format!("appended at offset {}", batch.base_offset),
        (error_code::NONE, false) => format!("duplicate of offset {}", batch.base_offset),
        (code, true) => format!("{}, but appended", name_of_code(code)),
        (code, false) => name_of_code(code).to_owned(),
    };
    format!("{topic}/{partition} {what}")
}

/// Kafka's name, or what the script wanted where no broker has a code for it.
const fn name_of_code(code: i16) -> &'static str {
    match code {
        LOSE_ANSWER => "lost",
        OMIT_ANSWER => "left out",
        code => error_code::name(code),
    }
}

/// What a call to send was answered.
struct Answer<'a>(&'a Result<Ticket, SendError>);

impl fmt::Display for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(Ticket { batch, index }) => {
                write!(f, "ticket {}.{}.{index}", batch.slot, batch.generation)
            }
            Err(SendError::WouldBlock(waiter)) => write!(f, "waits ({})", waiter.0),
            Err(error) => write!(f, "error: {error}"),
        }
    }
}
