//! A place to wait for one answer of the I/O thread.

use crate::clock;
use parking_lot::{Condvar, Mutex};
use std::time::Duration;
use titorelli::SendError;

/// A waiting call's turn, or its refusal.
pub(crate) type Turn = Slot<Result<(), SendError>>;

/// Holds one answer; whoever waits for it is woken.
pub(crate) struct Slot<T> {
    answer: Mutex<Option<T>>,
    arrived: Condvar,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Self {
        Self {
            answer: Mutex::new(None),
            arrived: Condvar::new(),
        }
    }

    pub(crate) fn put(&self, answer: T) {
        *self.answer.lock() = Some(answer);
        self.arrived.notify_all();
    }

    /// The answer, if it is there.
    pub(crate) fn take(&self) -> Option<T> {
        self.answer.lock().take()
    }

    /// Waits for the answer, at most this long.
    pub(crate) fn wait_for(&self, timeout: Duration) -> Option<T> {
        let mut answer = self.answer.lock();
        let deadline = clock::deadline(timeout);
        loop {
            if let Some(answer) = answer.take() {
                return Some(answer);
            }
            match deadline {
                None => self.arrived.wait(&mut answer),
                Some(deadline) => {
                    if self.arrived.wait_until(&mut answer, deadline).timed_out() {
                        return answer.take();
                    }
                }
            }
        }
    }
}
