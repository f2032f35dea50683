//! The world's facts as marks for a page; nothing of it costs anything while there will be none.

use bytes::Bytes;
use titorelli::{ConnId, Delivery, Outcome, TraceEvent};

use super::World;
use crate::check::read_request;
use crate::cluster::ClusterEvent;
use crate::fault::Fault;
use crate::journal::RecordId;
use crate::marks::{Fate, Handled, Mark, Placed};

impl World {
    /// From now on, what a page draws is kept.
    pub fn draw(&mut self) {
        self.narrate(true);
        self.marks = Some(Box::default());
    }

    /// Keeps a fact of the line before.
    pub(super) fn mark(&mut self, mark: impl FnOnce() -> Mark) {
        self.place(mark, false);
    }

    /// Keeps a fact that has no line.
    pub(super) fn mark_apart(&mut self, mark: impl FnOnce() -> Mark) {
        self.place(mark, true);
    }

    /// Keeps a fault, also where somebody else has told of it.
    pub(super) fn mark_fault(&mut self, fault: &Fault) {
        let is_on = self.timeline.is_on();
        self.timeline.switch(true);
        self.mark(|| Mark::Strikes(fault.clone()));
        self.timeline.switch(is_on);
    }

    fn place(&mut self, mark: impl FnOnce() -> Mark, is_apart: bool) {
        if let Some(marks) = self.marks.as_mut().filter(|_| self.timeline.is_on()) {
            marks.placed.push(Placed {
                at: self.now,
                after_lines: self.timeline.lines().len(),
                is_apart,
                mark: mark(),
            });
        }
    }

    pub(super) fn mark_answers(&mut self, conn: ConnId, bytes: &Bytes) {
        if let Some(marks) = &mut self.marks
            && self.connections[conn].is_open
        {
            for id in marks.take_answers(conn, bytes) {
                self.mark_apart(|| Mark::Answer(conn, id));
            }
        }
    }

    pub(super) fn mark_request(&mut self, conn: ConnId, frame: &Bytes) {
        if self.marks.is_none() {
            return;
        }
        let broker = self.connections[conn].broker;
        self.mark(|| {
            let (header, api, _) = read_request(frame);
            Mark::Request(conn, broker, header.correlation_id, api)
        });
    }

    pub(super) fn mark_handled(&mut self, event: &ClusterEvent) {
        let ClusterEvent::Handled {
            peer,
            broker,
            correlation_id,
            is_answered,
            batches,
            ..
        } = event
        else {
            return;
        };
        if self.marks.is_none() {
            return;
        }
        let conn = self.peers.get(peer).copied();
        self.mark(|| {
            Mark::Handled(Handled {
                conn,
                id: *correlation_id,
                broker: *broker,
                is_answered: *is_answered,
                batches: batches.clone(),
            })
        });
    }

    pub(super) fn mark_delivery(&mut self, delivery: &Delivery, ended: &[RecordId]) {
        let fate = match &delivery.outcome {
            Outcome::Acked { .. } => Fate::Acked,
            Outcome::NotPersisted(_) => Fate::NotPersisted,
            Outcome::MaybePersisted(_) => Fate::MaybePersisted,
        };
        self.mark(|| Mark::Delivered(delivery.topic.to_string(), delivery.partition, fate));
        self.mark(|| Mark::Records(ended.to_vec()));
    }

    pub(super) fn mark_trace(&mut self, event: &TraceEvent) {
        if let TraceEvent::Retry {
            topic, partition, ..
        } = event
        {
            self.mark(|| Mark::Retry(topic.to_string(), *partition));
        } else if let TraceEvent::LeaderChanged {
            topic,
            partition,
            leader,
            ..
        } = event
        {
            self.mark(|| Mark::Leads(topic.to_string(), *partition, *leader));
        }
    }

    /// The facts, if they are kept.
    pub(crate) fn marks(&self) -> &[Placed] {
        self.marks.as_ref().map_or(&[], |marks| &marks.placed)
    }
}
