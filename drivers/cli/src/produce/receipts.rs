//! The receipts of accepted records, checked in the order of their sends.
//!
//! Owns: one receipt per record that is not yet completed; `buffer_memory` bounds how many.

use super::tally::Tally;
use std::collections::VecDeque;
use std::time::Duration;
use titorelli_mio::DeliveryFuture;

/// Receipts that are still open, oldest first.
#[derive(Default)]
pub(crate) struct Receipts {
    open: VecDeque<DeliveryFuture>,
}

impl Receipts {
    /// Keeps the receipt of the record just sent.
    pub(crate) fn push(&mut self, receipt: DeliveryFuture) {
        self.open.push_back(receipt);
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Counts every completed record up to the first that is not; does not wait.
    pub(crate) fn settle(&mut self, tally: &mut Tally) {
        while let Some(oldest) = self.open.front_mut() {
            let Some(outcome) = oldest.poll_now() else {
                return;
            };
            tally.completed(&outcome);
            self.open.pop_front();
        }
    }

    /// Waits for the oldest record, at most `patience`, and then counts as [`Self::settle`].
    pub(crate) fn settle_within(&mut self, patience: Duration, tally: &mut Tally) {
        let Some(oldest) = self.open.front_mut() else {
            return;
        };
        if let Some(outcome) = oldest.wait(patience) {
            tally.completed(&outcome);
            self.open.pop_front();
            self.settle(tally);
        }
    }
}
