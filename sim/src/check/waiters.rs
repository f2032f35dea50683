//! L5: who waits for memory has its turn first in, first out, and nobody passes.
//!
//! What a call waits for is not told. It is memory when a record for the same place was accepted
//! before, as long as no topic has gone or was hidden meanwhile.

use std::collections::BTreeSet;

use titorelli::{SendError, Ticket};

use crate::journal::{OwnedRecord, RecordId};

/// Watches the calls that wait.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    /// Topics, and partitions of theirs, that took a record.
    known: BTreeSet<(String, Option<i32>)>,
    for_memory: BTreeSet<RecordId>,
    /// A topic has gone or is hidden, or what was set aside may not suffice: nothing is certain any
    /// more.
    is_unsure: bool,
}

impl Waiters {
    /// `has_formats`: a record may need more than was set aside for it, as the format of records
    /// is another by then. It waits anew, behind turns that were given meanwhile.
    pub(crate) fn new(has_formats: bool) -> Self {
        Self {
            is_unsure: has_formats,
            ..Self::default()
        }
    }

    /// A topic is deleted, made anew, hidden or denied, or a broker becomes one of another release.
    pub(crate) fn on_unsure(&mut self) {
        self.is_unsure = true;
        self.for_memory.clear();
    }

    /// The answer to a call. `is_late`: turns may have been given that nobody has heard of yet.
    ///
    /// # Panics
    /// It took memory that others wait for.
    pub(crate) fn on_answer(
        &mut self,
        id: RecordId,
        record: &OwnedRecord,
        answer: &Result<Ticket, SendError>,
        is_late: bool,
    ) {
        if self.is_unsure {
            return;
        }
        match answer {
            Ok(ticket) => {
                let passed = self.for_memory.first().filter(|first| **first < id);
                assert!(
                    is_late || ticket.index > 0 || passed.is_none(),
                    "L5: {id:?} takes the memory that {passed:?} waits for"
                );
                let key = (record.topic.clone(), record.partition);
                if self.known.insert(key) {
                    self.known.insert((record.topic.clone(), None));
                }
            }
            Err(SendError::WouldBlock(_)) => {
                let key = (record.topic.clone(), record.partition);
                if self.known.contains(&key) {
                    self.for_memory.insert(id);
                }
            }
            Err(_) => {}
        }
    }

    /// It is this record's turn.
    ///
    /// # Panics
    /// Somebody waits for memory who came before.
    pub(crate) fn on_admitted(&mut self, id: RecordId) {
        if self.for_memory.remove(&id) {
            let first = self.for_memory.first().filter(|first| **first < id);
            assert!(first.is_none(), "L5: {id:?} has its turn before {first:?}");
        }
    }

    /// It waited in vain.
    pub(crate) fn on_refused(&mut self, id: RecordId) {
        self.for_memory.remove(&id);
    }
}
