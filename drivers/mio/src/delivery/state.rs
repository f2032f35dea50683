//! What all receipts of a batch share: who waits, and what became of its records.

use crate::fork::Home;
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::Instant;
use titorelli::handle::driver::shielded;
use titorelli::handle::{DeliveryError, RecordMetadata};
use titorelli::{BatchId, Delivery, Outcome};

/// So many tasks may wait for one record. Beyond that the first is forgotten, as a `Future` may: it
/// has to know the last waker only, and some executors bring a fresh one at every poll.
const TASKS_MAX: usize = 32;

/// What a callback is called with.
pub(crate) type Callback = Box<dyn FnOnce(Result<RecordMetadata, DeliveryError>) + Send>;

/// The outcome of a range of a batch's records.
#[derive(Debug)]
struct Part {
    first: u32,
    count: u32,
    topic: Arc<str>,
    partition: i32,
    outcome: Result<(i64, i64), DeliveryError>,
}

impl Part {
    fn covers(&self, index: u32) -> Option<u32> {
        index
            .checked_sub(self.first)
            .filter(|place| *place < self.count)
    }

    fn result(&self, index: u32) -> Option<Result<RecordMetadata, DeliveryError>> {
        let place = self.covers(index)?;
        Some(match &self.outcome {
            Ok((base_offset, log_append_time_ms)) => Ok(RecordMetadata {
                topic: Arc::clone(&self.topic),
                partition: self.partition,
                offset: match base_offset.checked_add(place.into()) {
                    Some(offset) if *base_offset >= 0 => offset,
                    // The broker told none, or one that no log can have.
                    Some(_) | None => -1,
                },
                log_append_time_ms: *log_append_time_ms,
            }),
            Err(error) => Err(error.clone()),
        })
    }
}

/// Who waits for records of a batch, and the parts after the first.
#[derive(Default)]
struct Rest {
    parts: Vec<Part>,
    /// Tasks, by record and in the order they came.
    wakers: WakerMap,
    /// How many came.
    wakers_seen: u64,
    callbacks: Vec<(u32, Callback)>,
}

impl Rest {
    /// Keeps a waker of this record; returns the one that is needed no more.
    fn watch(&mut self, index: u32, waker: Waker) -> Option<Waker> {
        let mut known = self.wakers.range((index, 0)..=(index, u64::MAX));
        if known.any(|(_, known)| known.will_wake(&waker)) {
            return Some(waker);
        }
        let mut keys = self.wakers.range((index, 0)..=(index, u64::MAX));
        let first = keys.next().map(|(key, _)| *key);
        let is_full = first.is_some() && keys.count() + 1 >= TASKS_MAX;
        self.wakers.insert((index, self.wakers_seen), waker);
        self.wakers_seen += 1;
        first
            .filter(|_| is_full)
            .and_then(|first| self.wakers.remove(&first))
    }

    /// Takes the wakers of so many records.
    fn take_wakers(&mut self, first: u32, count: u32) -> WakerMap {
        let mut taken = self.wakers.split_off(&(first, 0));
        if let Some(end) = first.checked_add(count) {
            let mut others = taken.split_off(&(end, 0));
            self.wakers.append(&mut others);
        }
        taken
    }
}

type WakerMap = BTreeMap<(u32, u64), Waker>;

/// Tasks to be woken, outside every lock.
#[derive(Default)]
pub(crate) struct Wakers(WakerMap);

impl Wakers {
    /// A task may well run here and now, if its executor likes it so.
    pub(crate) fn wake(self) {
        for waker in self.0.into_values() {
            shielded(|| waker.wake());
        }
    }
}

/// What is to be done for records that were completed, outside every lock: it is the application's
/// code. None of it can harm the others.
#[derive(Default)]
pub(crate) struct Due {
    wakers: Wakers,
    callbacks: Vec<(Callback, Result<RecordMetadata, DeliveryError>)>,
}

impl Due {
    pub(crate) fn is_empty(&self) -> bool {
        self.wakers.0.is_empty() && self.callbacks.is_empty()
    }

    /// The tasks alone.
    pub(crate) fn take_wakers(&mut self) -> Wakers {
        std::mem::take(&mut self.wakers)
    }

    /// Wakes the tasks and calls the callbacks. If one of them forks, the child leaves the others
    /// to its parent.
    pub(crate) fn tell(self, home: Home) {
        self.wakers.wake();
        for (callback, result) in self.callbacks {
            if home.is_left() {
                return;
            }
            call(callback, result);
        }
    }
}

/// The completion of one batch, shared by its receipts.
pub(crate) struct BatchState {
    home: Home,
    /// Whose it is, unless the record came into no batch.
    pub(crate) id: Option<BatchId>,
    /// The first part to complete; mostly all there is.
    first: OnceLock<Part>,
    rest: Mutex<Rest>,
    /// Where threads wait for any of its records.
    completed: Condvar,
}

impl BatchState {
    /// Of a batch that is under way.
    pub(crate) fn new(home: Home) -> Self {
        Self {
            home,
            id: None,
            first: OnceLock::new(),
            rest: Mutex::default(),
            completed: Condvar::new(),
        }
    }

    /// Of this batch, which is under way.
    pub(crate) fn of(home: Home, id: BatchId) -> Self {
        Self {
            id: Some(id),
            ..Self::new(home)
        }
    }

    /// Of a record that never came into a batch.
    pub(crate) fn failed(home: Home, error: DeliveryError) -> Self {
        let state = Self::new(home);
        let part = Part {
            first: 0,
            count: 1,
            topic: Arc::clone(&error.detail().topic),
            partition: -1,
            outcome: Err(error),
        };
        state.first.set(part).expect("it was new");
        state
    }

    /// Whether a record is completed, and written.
    #[inline]
    pub(super) fn is_written(&self, index: u32) -> Option<bool> {
        match self.first.get() {
            Some(part) if part.covers(index).is_some() => Some(part.outcome.is_ok()),
            Some(_) | None => self.result(index).map(|result| result.is_ok()),
        }
    }

    /// The result of a record, if it is completed.
    #[inline]
    pub(super) fn result(&self, index: u32) -> Option<Result<RecordMetadata, DeliveryError>> {
        let Some(first) = self.first.get() else {
            return self.home.is_left().then(|| Err(forked()));
        };
        if let Some(result) = first.result(index) {
            return Some(result);
        }
        self.result_of_rest(index)
    }

    #[cold]
    fn result_of_rest(&self, index: u32) -> Option<Result<RecordMetadata, DeliveryError>> {
        if self.home.is_left() {
            return Some(Err(forked()));
        }
        let rest = self.rest.lock();
        rest.parts.iter().find_map(|part| part.result(index))
    }

    /// Calls `callback` when the record is completed: from who completes it, or now if it is.
    pub(crate) fn on_completion(&self, index: u32, callback: Callback) {
        if self.home.is_left() {
            // The lock may be held by a thread that is not in this process.
            let result = self.result(index).unwrap_or_else(|| Err(forked()));
            return call(callback, result);
        }
        let mut rest = self.rest.lock();
        // Settling holds the same lock: what is not there now will find the callback.
        match self.found(&rest, index) {
            None => rest.callbacks.push((index, callback)),
            Some(result) => {
                drop(rest);
                call(callback, result);
            }
        }
    }

    /// Completes records: stores their outcome, and returns who is to be told.
    pub(crate) fn settle(&self, delivery: Delivery) -> Due {
        let outcome = match delivery.outcome {
            Outcome::Acked {
                base_offset,
                log_append_time_ms,
            } => Ok((base_offset, log_append_time_ms)),
            Outcome::NotPersisted(error) => Err(DeliveryError::new(error, false)),
            Outcome::MaybePersisted(error) => Err(DeliveryError::new(error, true)),
        };
        let Delivery {
            first,
            count,
            topic,
            partition,
            ..
        } = delivery;
        let part = Part {
            first,
            count,
            topic,
            partition,
            outcome,
        };
        let mut rest = self.rest.lock();
        if let Err(part) = self.first.set(part) {
            rest.parts.push(part);
        }
        let covers = |index: &u32| index.checked_sub(first).is_some_and(|place| place < count);
        let wakers = Wakers(rest.take_wakers(first, count));
        let callbacks: Vec<_> = rest
            .callbacks
            .extract_if(.., |(index, _)| covers(index))
            .collect();
        drop(rest);
        self.completed.notify_all();
        let callbacks = callbacks.into_iter();
        Due {
            wakers,
            callbacks: callbacks
                .filter_map(|(index, callback)| Some((callback, self.result(index)?)))
                .collect(),
        }
    }

    /// The result of a record, now that nobody can complete it.
    fn found(&self, rest: &Rest, index: u32) -> Option<Result<RecordMetadata, DeliveryError>> {
        let found = self.first.get().and_then(|part| part.result(index));
        found.or_else(|| rest.parts.iter().find_map(|part| part.result(index)))
    }

    /// Waits for the result of a record, until then; for ever without a deadline.
    pub(super) fn wait(
        &self,
        index: u32,
        deadline: Option<Instant>,
    ) -> Option<Result<RecordMetadata, DeliveryError>> {
        if self.home.is_left() {
            return self.result(index);
        }
        let mut rest = self.rest.lock();
        let mut is_late = false;
        loop {
            let found = self.found(&rest, index);
            if found.is_some() || is_late {
                return found;
            }
            match deadline {
                None => self.completed.wait(&mut rest),
                Some(deadline) => {
                    is_late = self.completed.wait_until(&mut rest, deadline).timed_out();
                }
            }
        }
    }

    /// Wakes `waker` when the record is completed, unless it is.
    pub(super) fn watch(
        &self,
        index: u32,
        waker: &Waker,
    ) -> Option<Result<RecordMetadata, DeliveryError>> {
        if self.home.is_left() {
            return self.result(index);
        }
        // It is the application's: it is cloned, and what it replaces dropped, outside the lock.
        let waker = waker.clone();
        let mut rest = self.rest.lock();
        // Settling holds the same lock: what is not there now will find the waker.
        let found = self.found(&rest, index);
        let needless = if found.is_some() {
            Some(waker)
        } else {
            rest.watch(index, waker)
        };
        drop(rest);
        drop(needless);
        found
    }
}

/// Calls a callback; a panic there harms only its record.
pub(crate) fn call(callback: Callback, result: Result<RecordMetadata, DeliveryError>) {
    shielded(|| callback(result));
}

/// What the child of a fork is told of records that were under way.
#[cold]
fn forked() -> DeliveryError {
    DeliveryError::of_fork()
}
