//! Calls of an application that waits: what a handle needs beyond the verbs of a story.

use std::collections::{BTreeMap, VecDeque};

use titorelli::recording::RecordedCore;
use titorelli::{
    Delivery, DeliveryCause, FlushId, Instant, Purge, Record, SendError, WaiterId, Withdrawal,
};

use super::World;
use crate::journal::{OwnedRecord, RecordId, RecordState};

/// What came for who waits, until it is taken.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    /// Questions that wait for their turn; with its answer once it has come.
    turns: BTreeMap<WaiterId, Option<Result<(), SendError>>>,
    /// Records that ended, and how; `None`: nobody asks.
    endings: Option<VecDeque<(Vec<RecordId>, Delivery)>>,
}

impl Inbox {
    /// The turn of a waiter that is no record.
    pub(super) fn answer(&mut self, waiter: WaiterId, answer: Result<(), SendError>) {
        if let Some(turn) = self.turns.get_mut(&waiter) {
            *turn = Some(answer);
        }
    }

    pub(super) fn delivered(&mut self, ended: &[RecordId], delivery: Delivery) {
        if let Some(endings) = &mut self.endings {
            endings.push_back((ended.to_vec(), delivery));
        }
    }
}

impl World {
    /// From here on the application is somebody else's: the ends of its records are kept for
    /// [`Self::take_ending`], and it may send equal ones.
    pub(crate) fn serve_strangers(&mut self) {
        self.inbox.endings = Some(VecDeque::new());
        if let Some(flights) = &mut self.flights {
            flights.allow_equals();
        }
    }

    /// The next records that ended together, and how.
    pub(crate) fn take_ending(&mut self) -> Option<(Vec<RecordId>, Delivery)> {
        self.inbox.endings.as_mut()?.pop_front()
    }

    /// The application sends a record, and waits until then at most; not at all, if that is now.
    pub(crate) fn send_until(&mut self, record: OwnedRecord, give_up_at: Instant) -> RecordId {
        self.idle_calls = 0;
        let now = self.now;
        let result = record.lend(|record| self.core.send_until(now, record, give_up_at));
        let is_late = self.naps.is_asleep();
        let id = self.called(record, &result, is_late);
        self.settle();
        id
    }

    /// The application asks the core something. Who has to wait takes its turn, or leaves.
    pub(crate) fn ask<T>(
        &mut self,
        question: impl FnOnce(&mut RecordedCore, Instant) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        self.idle_calls = 0;
        self.watch.on_question();
        let told = question(&mut self.core, self.now);
        if let Err(SendError::WouldBlock(waiter)) = &told {
            self.inbox.turns.insert(*waiter, None);
        }
        self.settle();
        told
    }

    /// The answer to who waits, if it has come; its turn ends with it.
    pub(crate) fn take_turn(&mut self, waiter: WaiterId) -> Option<Result<(), SendError>> {
        let answer = self.inbox.turns.get_mut(&waiter)?.take()?;
        self.leave(waiter);
        Some(answer)
    }

    /// Who waits waits no more.
    pub(crate) fn leave(&mut self, waiter: WaiterId) {
        self.inbox.turns.remove(&waiter);
        self.core.cancel(self.now, waiter);
        self.settle();
    }

    /// Whether everything that a flush waits for has ended.
    pub(crate) fn is_flushed(&self, flush: FlushId) -> bool {
        !self.flushes.contains_key(&flush)
    }
}

// ---- What the application takes back ---------------------------------------------------------

impl World {
    /// Why a record waits, as the core tells it; `None` when it does not.
    #[must_use]
    pub fn explain(&self, id: RecordId) -> Option<String> {
        self.core.explain(self.now, self.journal.ticket(id)?)
    }

    /// The application withdraws a record; what that came to.
    ///
    /// # Panics
    /// It came to something else than what becomes of the record.
    pub fn withdraw(&mut self, id: RecordId) -> Withdrawal {
        let Some(ticket) = self.journal.ticket(id) else {
            return Withdrawal::Unknown;
        };
        let was_under_way = matches!(self.journal.state(id), RecordState::Accepted(_));
        self.idle_calls = 0;
        let is_late = self.naps.is_asleep();
        let withdrawal = self.core.withdraw(self.now, ticket);
        let label = self.journal.record(id).label();
        self.note("app", format_args!("withdraw {label}: {withdrawal:?}"));
        self.watch.on_withdrawn();
        self.settle();
        if !is_late {
            let state = self.journal.state(id);
            let is_withdrawn = matches!(
                state,
                RecordState::NotPersisted(error) if error.cause == DeliveryCause::Withdrawn
            );
            assert!(
                match withdrawal {
                    Withdrawal::Withdrawn => was_under_way && is_withdrawn,
                    Withdrawal::OnItsWay => was_under_way && !is_withdrawn,
                    Withdrawal::Unknown => !was_under_way,
                },
                "S2: {label} is {withdrawal:?}, and its state {state:?}"
            );
        }
        withdrawal
    }

    /// The application withdraws the record that so many were accepted after, of those under way.
    pub fn withdraw_nth(&mut self, nth: usize) {
        if let Some(id) = self.journal.accepted_before(nth) {
            self.withdraw(id);
        }
    }

    /// The application purges.
    ///
    /// # Panics
    /// Something is under way that was purged.
    pub fn purge(&mut self, what: Purge) {
        self.idle_calls = 0;
        let is_late = self.naps.is_asleep();
        let accepted: Vec<RecordId> = self.journal.under_way().collect();
        self.core.purge(self.now, what);
        self.note("app", format_args!("purge {what:?}"));
        self.settle();
        if is_late || what != Purge::All {
            return;
        }
        for id in accepted {
            let state = self.journal.state(id);
            assert!(
                !matches!(state, RecordState::Accepted(_)),
                "S1: all was purged, and a record is under way: {state:?}"
            );
        }
    }
}

impl From<&Record<'_>> for OwnedRecord {
    fn from(record: &Record<'_>) -> Self {
        let headers = record.headers.iter();
        Self {
            topic: record.topic.to_owned(),
            partition: record.partition,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers
                .map(|header| (header.name.to_owned(), header.value.map(<[u8]>::to_vec)))
                .collect(),
            timestamp_ms: record.timestamp_ms,
        }
    }
}
