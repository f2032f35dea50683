//! What the application takes back: one record, or all that is under way.
//!
//! Whatever has a sequence number that may have left keeps it (I2): a record in such a batch goes
//! on, and what is purged all the same leaves a doubt or a hole, with which the lane begins again
//! (I3). So nothing that is taken back makes a gap in the numbers.

use super::Sender;
use super::divide::{gaps, one};
use crate::accumulator::batch::{Batch, Content, Place};
use crate::boundary::{BatchId, Purge, Ticket, Withdrawal};
use crate::error::DeliveryCause;

impl Sender {
    /// Takes a record out of its batch, and the others go on without it; an open batch closes.
    pub(crate) fn withdraw(&mut self, ticket: Ticket) -> Withdrawal {
        let Some(slot) = self.accumulator.find_ticket(ticket) else {
            return Withdrawal::Unknown;
        };
        let batch = self.accumulator.batch(slot);
        if !may_be_taken_apart(batch) {
            return Withdrawal::OnItsWay;
        }
        let (partition, place) = (batch.partition, batch.place);
        if self.accumulator.records_in(slot) == 1 {
            self.fail(slot, DeliveryCause::Withdrawn);
        } else {
            if place == Place::Open {
                self.lanes[partition.index()].is_open_due = false;
                self.accumulator.close(partition);
            } else {
                self.dequeue(partition, slot);
            }
            let batch = self.accumulator.batch(slot);
            let at = batch.place_of(ticket.index).expect("it has the ticket");
            self.stats.splits += 1;
            let others = gaps([at].into_iter(), batch.record_count);
            let parts = self.accumulator.divide(slot, vec![one(at), others]);
            for part in &parts {
                self.enqueue(partition, *part);
            }
            self.fail(parts[0], DeliveryCause::Withdrawn);
        }
        self.has_facts = true;
        Withdrawal::Withdrawn
    }

    /// Ends what is under way, as far as `what` says.
    pub(crate) fn purge(&mut self, what: Purge) {
        let under_way: Vec<BatchId> = self
            .accumulator
            .live()
            .map(|slot| self.accumulator.batch(slot))
            .filter(|batch| what.takes(batch.place))
            .map(|batch| batch.id)
            .collect();
        for id in under_way {
            if let Some(slot) = self.accumulator.find(id) {
                self.fail(slot, DeliveryCause::Purged);
                self.has_facts = true;
            }
        }
    }
}

/// Whether records may be taken out of a batch: none of it can be in a log, no number of it, now
/// or before, may have left, and its bytes are here. One that is drafted is as good as sent.
fn may_be_taken_apart(batch: &Batch) -> bool {
    let is_here = match batch.content {
        Content::Open | Content::Raw(_) | Content::Part(_) | Content::Sealed { .. } => true,
        Content::Away => false,
    };
    let is_waiting = matches!(batch.place, Place::Open | Place::Queued);
    let is_absent = batch.sequence.is_none() && !batch.history.is_unresolved;
    let is_unseen = batch.stamped.is_none() || batch.history.attempts == 0;
    is_here && is_waiting && is_absent && is_unseen && !batch.is_overdue
}

impl Purge {
    fn takes(self, place: Place) -> bool {
        match place {
            Place::Open | Place::Queued | Place::Drained { .. } => {
                matches!(self, Self::Queued | Self::All)
            }
            Place::InFlight(_) => matches!(self, Self::InFlight | Self::All),
        }
    }
}
