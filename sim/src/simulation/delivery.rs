//! Receipts of the simulated producer.

use core::fmt;
use core::time::Duration;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use titorelli::handle::{DeliveryError, RecordMetadata};

use super::shared::Shared;
use crate::journal::RecordId;

/// The receipt of an accepted record, with the methods of the mio driver's. To wait for it lets
/// virtual time pass; it is a `Future`, too. Dropping it does not cancel the record.
#[must_use = "a record may fail: look at its delivery, or drop it on purpose"]
pub struct DeliveryFuture {
    shared: Rc<Shared>,
    of: Of,
}

/// Whose receipt it is.
enum Of {
    Record(RecordId),
    /// The application's own code failed, before there was a record.
    Failure(DeliveryError),
}

impl DeliveryFuture {
    pub(super) fn new(shared: Rc<Shared>, id: RecordId) -> Self {
        let of = Of::Record(id);
        Self { shared, of }
    }

    pub(super) fn failed_before(shared: Rc<Shared>, error: DeliveryError) -> Self {
        let of = Of::Failure(error);
        Self { shared, of }
    }

    /// Its record, if it is one of this producer's.
    pub(super) fn record_of(&self, shared: &Rc<Shared>) -> Option<RecordId> {
        match self.of {
            Of::Record(id) if Rc::ptr_eq(shared, &self.shared) => Some(id),
            Of::Record(_) | Of::Failure(_) => None,
        }
    }

    /// The result, if there is one yet. Never waits.
    #[must_use]
    pub fn poll_now(&self) -> Option<Result<RecordMetadata, DeliveryError>> {
        match &self.of {
            Of::Record(id) => self.shared.state().fate(*id),
            Of::Failure(error) => Some(Err(error.clone())),
        }
    }

    /// Whether the record is completed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.poll_now().is_some()
    }

    /// Whether the record is completed, and written as far as `acks` tell.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.poll_now().is_some_and(|result| result.is_ok())
    }

    /// Whether the record is completed, and failed.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.poll_now().is_some_and(|result| result.is_err())
    }

    /// Gives the result to `callback`: when the record is completed, from within the call that lets
    /// time pass, or here and now if it is. In the callback nothing waits. A panic in it fails the
    /// test.
    pub fn on_delivery<F>(&self, callback: F)
    where
        F: FnOnce(Result<RecordMetadata, DeliveryError>) + 'static,
    {
        let callback = Box::new(callback);
        match &self.of {
            Of::Record(id) => self.shared.on_delivery(*id, callback),
            Of::Failure(error) => self.shared.call(callback, Err(error.clone())),
        }
    }

    /// Lets time pass until the result is there, at most this long; `None` when it has not come by
    /// then. The record is still under way then, and the receipt can be waited for again. In a
    /// callback it does not wait.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> Option<Result<RecordMetadata, DeliveryError>> {
        match &self.of {
            Of::Record(id) => {
                let until = self.shared.now() + timeout;
                self.shared.wait_for(until, |state| state.fate(*id))
            }
            Of::Failure(error) => Some(Err(error.clone())),
        }
    }
}

impl Future for DeliveryFuture {
    type Output = Result<RecordMetadata, DeliveryError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let found = match &self.of {
            Of::Record(id) => self.shared.with(|state| state.watch(*id, context.waker())),
            Of::Failure(error) => Some(Err(error.clone())),
        };
        found.map_or(Poll::Pending, Poll::Ready)
    }
}

impl fmt::Debug for DeliveryFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = self.poll_now();
        f.debug_struct("DeliveryFuture")
            .field("result", &result)
            .finish_non_exhaustive()
    }
}
