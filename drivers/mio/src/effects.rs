//! What the core wants done, between the lock and the doing.

use crate::delivery::{BatchState, Due, Wakers};
use crate::fork::Home;
use crate::park::{Slot, Turn};
use std::sync::Arc;
use titorelli::{Delivery, Output, SendError};

/// Effects fetched in one lock round; reused, so that a round allocates nothing.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) deliveries: Vec<(Arc<BatchState>, Delivery)>,
    /// Who is to be told of deliveries that were stored.
    due: Vec<Due>,
    pub(crate) turns: Vec<(Arc<Turn>, Result<(), SendError>)>,
    pub(crate) flushes: Vec<Arc<Slot<()>>>,
    /// For the sockets, in order.
    pub(crate) transport: Vec<Output>,
    pub(crate) is_closed: bool,
}

impl Effects {
    pub(crate) fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
            && self.due.is_empty()
            && self.turns.is_empty()
            && self.flushes.is_empty()
            && self.transport.is_empty()
            && !self.is_closed
    }

    /// Adds what another thread fetched before.
    pub(crate) fn append(&mut self, mut other: Self) {
        self.deliveries.append(&mut other.deliveries);
        self.due.append(&mut other.due);
        self.turns.append(&mut other.turns);
        self.flushes.append(&mut other.flushes);
        self.transport.append(&mut other.transport);
        self.is_closed |= other.is_closed;
    }

    /// Tells the application's threads, outside the lock. Its own code runs when every outcome is
    /// stored: however long that takes, nobody else who asks or waits has to wait for it. Where
    /// that forks, nothing more is done in the child: locks may be held by threads of its parent.
    pub(crate) fn tell(&mut self, home: Home) {
        self.store();
        for (turn, answer) in self.turns.drain(..) {
            turn.put(answer);
        }
        for due in self.due.drain(..) {
            due.tell(home);
            if home.is_left() {
                return;
            }
        }
        // After the callbacks: a flush that returns has seen them.
        self.tell_threads();
    }

    /// Stores every outcome: receipts have it from now on.
    pub(crate) fn store(&mut self) {
        for (batch, delivery) in self.deliveries.drain(..) {
            let due = batch.settle(delivery);
            if !due.is_empty() {
                self.due.push(due);
            }
        }
    }

    /// Lets the threads go on that wait for a turn or a flush.
    pub(crate) fn tell_threads(&mut self) {
        for (turn, answer) in self.turns.drain(..) {
            turn.put(answer);
        }
        for flush in self.flushes.drain(..) {
            flush.put(());
        }
    }

    /// The tasks that are to be told, for whoever may wake them.
    pub(crate) fn take_wakers(&mut self) -> Vec<Wakers> {
        self.due.iter_mut().map(Due::take_wakers).collect()
    }
}
