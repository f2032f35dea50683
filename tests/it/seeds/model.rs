//! What the application sent and what it was told, and whether that is true.

use super::dice::Dice;
use super::plan::Plan;
use std::collections::{BTreeMap, BTreeSet};
use titorelli::{
    Acks, BatchId, Delivery, DeliveryError, FlushId, Header, Outcome, Record, SendError, Ticket,
    WaiterId,
};
use titorelli_sim::cluster::{Cluster, LogRecord};

/// Where a record is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// The call waits; true: for memory.
    Waiting(WaiterId, bool),
    /// Not accepted, or the call was cancelled.
    Rejected,
    Accepted(Ticket),
    Acked(i64),
    NotPersisted,
    MaybePersisted,
}

/// One record. Its value begins with its number, so that a log tells which it is.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) topic: String,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Vec<u8>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
    pub(crate) timestamp_ms: Option<i64>,
    pub(crate) state: State,
    /// Its place in the order of acceptance.
    pub(crate) order: usize,
    pub(crate) accepted_at: u64,
    /// The partition it ended in.
    pub(crate) landed: i32,
}

impl Entry {
    pub(crate) fn lend<R>(&self, with: impl FnOnce(&Record<'_>) -> R) -> R {
        let lend = |(name, value): &(String, Option<Vec<u8>>)| (name.clone(), value.clone());
        let owned: Vec<_> = self.headers.iter().map(lend).collect();
        let borrow = |(name, value)| Header { name, value };
        let pairs = owned
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_deref()));
        let headers: Vec<Header<'_>> = pairs.map(borrow).collect();
        with(&Record {
            topic: &self.topic,
            partition: self.partition,
            key: self.key.as_deref(),
            value: Some(&self.value),
            headers: &headers,
            timestamp_ms: self.timestamp_ms,
        })
    }
}

/// Every record and flush of a run.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) entries: Vec<Entry>,
    by_ticket: BTreeMap<(BatchId, u32), usize>,
    /// Accepted and not completed, by the instant of acceptance.
    open: BTreeSet<(u64, usize)>,
    pub(crate) waiting: BTreeMap<WaiterId, usize>,
    /// How many records were accepted before the flush, and when it was asked for.
    pub(crate) flushes: BTreeMap<FlushId, (usize, u64)>,
    accepted: usize,
    /// Topics whose partitions the core has learned.
    pub(crate) known: BTreeSet<String>,
    /// Topics that lost their logs.
    pub(crate) recreated: BTreeSet<String>,
}

impl Model {
    /// Draws the next record.
    pub(crate) fn draw(&mut self, plan: &Plan, dice: &mut Dice) -> usize {
        let number = self.entries.len();
        let workload = &plan.workload;
        let is_unknown = workload.has_unknown_topics && dice.percent(15);
        let topic = if is_unknown {
            format!("nobody-{}", dice.below(3))
        } else {
            format!("topic-{}", dice.below(workload.topics))
        };
        let (partition, key) = match dice.below(3) {
            0 => (Some(i32::try_from(dice.below(7)).expect("small")), None),
            1 => (None, Some(dice.below(20).to_be_bytes().to_vec())),
            _ => (None, None),
        };
        let mut value = (number as u64).to_be_bytes().to_vec();
        value.resize(dice.pick(&workload.value_bytes).max(8), b'x');
        let headers = match dice.below(4) {
            0 if workload.has_headers => vec![
                ("h".to_owned(), Some(b"v".to_vec())),
                ("h".to_owned(), None),
                (String::new(), Some(Vec::new())),
            ],
            _ => Vec::new(),
        };
        self.entries.push(Entry {
            topic,
            partition: partition.map(|p| {
                if dice.percent(95) {
                    p % workload.partitions
                } else {
                    p
                }
            }),
            key,
            value,
            headers,
            timestamp_ms: dice
                .percent(50)
                .then(|| 1_600_000_000_000 + i64::try_from(number).expect("small")),
            state: State::Rejected,
            order: 0,
            accepted_at: 0,
            landed: -1,
        });
        number
    }

    /// A record to a place, for the end of a run.
    pub(crate) fn probe(&mut self, topic: &str, partition: i32) -> usize {
        let number = self.entries.len();
        self.entries.push(Entry {
            topic: topic.to_owned(),
            partition: Some(partition),
            key: None,
            value: (number as u64).to_be_bytes().to_vec(),
            headers: Vec::new(),
            timestamp_ms: None,
            state: State::Rejected,
            order: 0,
            accepted_at: 0,
            landed: -1,
        });
        number
    }

    /// Notes the core's answer to a call.
    pub(crate) fn answered(
        &mut self,
        now: u64,
        number: usize,
        result: &Result<Ticket, SendError>,
        is_for_memory: bool,
    ) {
        self.entries[number].state = match result {
            Ok(ticket) => {
                let earlier = self.by_ticket.insert((ticket.batch, ticket.index), number);
                assert!(earlier.is_none(), "S1: {ticket:?} was given twice");
                self.entries[number].order = self.accepted;
                self.entries[number].accepted_at = now;
                self.accepted += 1;
                self.known.insert(self.entries[number].topic.clone());
                self.open.insert((now, number));
                State::Accepted(*ticket)
            }
            Err(SendError::WouldBlock(waiter)) => {
                let earlier = self.waiting.insert(*waiter, number);
                assert!(earlier.is_none(), "{waiter:?} waits twice");
                State::Waiting(*waiter, is_for_memory)
            }
            Err(_) => State::Rejected,
        };
    }

    /// Notes the end of a range of records.
    pub(crate) fn delivered(&mut self, plan: &Plan, delivery: &Delivery) {
        assert!(delivery.count > 0, "S1: a delivery of nothing");
        for index in delivery.first..delivery.first + delivery.count {
            let number = self.by_ticket.remove(&(delivery.batch, index));
            let number = number.unwrap_or_else(|| panic!("S1: {delivery:?} ended twice"));
            let entry = &mut self.entries[number];
            self.open.remove(&(entry.accepted_at, number));
            assert_eq!(*entry.topic, *delivery.topic, "S3: the topic");
            if let Some(partition) = entry.partition {
                assert_eq!(partition, delivery.partition, "S3: the partition");
            } else if plan.has_fixed_partitions() {
                let count = usize::try_from(plan.workload.partitions).expect("not negative");
                let place = plan.place_of(entry.key.as_deref(), count);
                let place = place.map(|index| i32::try_from(index).expect("few"));
                let is_there = place.is_none_or(|place| place == delivery.partition);
                assert!(is_there, "S3: {place:?} by its key, {delivery:?}");
            }
            entry.landed = delivery.partition;
            let nth = i64::from(index - delivery.first);
            entry.state = match &delivery.outcome {
                Outcome::Acked {
                    base_offset: -1, ..
                } => State::Acked(-1),
                Outcome::Acked { base_offset, .. } => State::Acked(base_offset + nth),
                Outcome::NotPersisted(error) => {
                    check_error(plan, error);
                    State::NotPersisted
                }
                Outcome::MaybePersisted(error) => {
                    check_error(plan, error);
                    assert!(error.attempts > 0, "S12: no attempt, yet {error:?}");
                    State::MaybePersisted
                }
            };
        }
    }

    /// The instant at which the oldest open record was accepted.
    pub(crate) fn oldest_open(&self) -> Option<u64> {
        self.open.first().map(|(at, _)| *at)
    }

    pub(crate) fn open_count(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn flush(&mut self, id: FlushId, now: u64) {
        self.flushes.insert(id, (self.accepted, now));
    }

    /// Whether a record that was accepted before the flush is still open.
    pub(crate) fn holds_up(&self, accepted_before: usize) -> bool {
        let orders = self
            .open
            .iter()
            .map(|(_, number)| self.entries[*number].order);
        orders.min().is_some_and(|order| order < accepted_before)
    }

    // ---- The truth ----------------------------------------------------------------------------

    /// Compares everything that was told with the logs. Nothing may be on its way any more.
    pub(crate) fn check_truth(&self, plan: &Plan, cluster: &Cluster) {
        assert!(
            self.by_ticket.is_empty(),
            "S1: records never ended: {:?}",
            self.by_ticket
        );
        let mut copies = vec![0_usize; self.entries.len()];
        for (topic, partition, log) in cluster.logs() {
            let mut last = None;
            for found in log.records() {
                let number = self.check_content(topic, partition, found);
                copies[number] += 1;
                let order = self.entries[number].order;
                if plan.is_calm() {
                    assert!(
                        last < Some(order),
                        "Order: {topic}/{partition} {last:?} {order}"
                    );
                }
                last = Some(order);
            }
        }
        let config = &plan.config;
        let is_sent_once = config.acks == Acks::None || config.retries == 0 || plan.is_calm();
        for (number, copies) in copies.into_iter().enumerate() {
            let entry = &self.entries[number];
            if is_sent_once {
                assert!(
                    copies <= 1,
                    "I6: sent once, there {copies} times: {entry:?}"
                );
            }
            match entry.state {
                State::Acked(_) if self.recreated.contains(&entry.topic) => {}
                State::Rejected | State::NotPersisted => {
                    assert_eq!(copies, 0, "S2: in the log: {entry:?}");
                }
                State::Acked(offset) if config.acks == Acks::None => {
                    assert_eq!(offset, -1, "acks=0 has no offsets");
                    assert!(copies == 1 || !plan.is_calm(), "S2: not there: {entry:?}");
                }
                State::Acked(offset) => {
                    let log = cluster.log(&entry.topic, entry.landed);
                    let index = usize::try_from(offset).expect("S11: the offset is told");
                    let found = log.records().get(index).expect("S2: there");
                    assert_eq!(found.value.as_deref(), Some(&*entry.value), "S2: {entry:?}");
                }
                State::MaybePersisted => {}
                State::Accepted(_) | State::Waiting(..) => panic!("not ended: {entry:?}"),
            }
        }
        self.check_order(plan);
    }

    fn check_content(&self, topic: &str, partition: i32, found: &LogRecord) -> usize {
        let value = found.value.as_deref().expect("S3: no value is null");
        let number = u64::from_be_bytes(*value.first_chunk().expect("S3: eight bytes"));
        let number = usize::try_from(number).expect("S3: a number");
        let entry = &self.entries[number];
        assert_eq!(entry.topic, topic, "S3: the topic");
        if entry.landed >= 0 {
            assert_eq!(entry.landed, partition, "S3: the partition of {entry:?}");
        }
        assert_eq!(*entry.value, *value, "S3: the value");
        assert_eq!(entry.key.as_deref(), found.key.as_deref(), "S3: the key");
        if let Some(timestamp_ms) = entry.timestamp_ms {
            assert_eq!(timestamp_ms, found.timestamp_ms, "S3: the timestamp");
        }
        assert_eq!(entry.headers.len(), found.headers.len(), "S3: headers");
        for ((name, value), found) in entry.headers.iter().zip(&found.headers) {
            assert_eq!(name.as_bytes(), &*found.name, "S3: a header's name");
            assert_eq!(
                value.as_deref(),
                found.value.as_deref(),
                "S3: a header's value"
            );
        }
        number
    }

    /// Offsets of acked records grow in the order of acceptance where order is promised.
    fn check_order(&self, plan: &Plan) {
        let config = &plan.config;
        let is_promised = config.max_in_flight_requests_per_connection == 1 || config.retries == 0;
        if !is_promised || config.acks == Acks::None {
            return;
        }
        let mut acked: Vec<(&str, i32, usize, i64)> = Vec::new();
        for entry in &self.entries {
            if let State::Acked(offset) = entry.state
                && !self.recreated.contains(&entry.topic)
            {
                acked.push((&entry.topic, entry.landed, entry.order, offset));
            }
        }
        acked.sort_unstable();
        for pair in acked.windows(2) {
            if (pair[0].0, pair[0].1) == (pair[1].0, pair[1].1) {
                assert!(
                    pair[0].3 < pair[1].3,
                    "Order (S11): {:?} {:?}",
                    pair[0],
                    pair[1]
                );
            }
        }
    }
}

fn check_error(plan: &Plan, error: &DeliveryError) {
    let most = plan.config.retries.saturating_add(1);
    assert!(error.attempts <= most, "S12: {error:?}");
    assert_eq!(error.broker.is_some(), error.attempts > 0, "S12: {error:?}");
}
