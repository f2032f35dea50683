//! Receipts: what `send` returns, and how a batch completes them.
//!
//! One [`BatchState`] is shared by all records of a batch; a receipt is that and an index. No
//! allocation per record.

mod error;
mod state;

pub use error::DeliveryError;
pub(crate) use error::placeless;
pub(crate) use state::{BatchState, Due, call};

use crate::fork::Home;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Where a record was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset in the partition; −1 when the broker told none (acks=0).
    pub offset: i64,
    /// The broker's time in milliseconds, where the topic is stamped by the broker; else −1.
    pub log_append_time_ms: i64,
}

/// The receipt of an accepted record. A `Future` on any runtime; dropping it does not cancel the
/// record.
#[must_use = "a record may fail: look at its delivery, or drop it on purpose"]
pub struct DeliveryFuture {
    pub(crate) batch: Arc<BatchState>,
    pub(crate) index: u32,
}

impl DeliveryFuture {
    /// The receipt of a record that failed before it came into a batch.
    pub(crate) fn failed_before(home: Home, error: DeliveryError) -> Self {
        Self {
            batch: Arc::new(BatchState::failed(home, error)),
            index: 0,
        }
    }

    /// The result, if there is one yet. Never waits.
    #[inline]
    #[must_use]
    pub fn poll_now(&self) -> Option<Result<RecordMetadata, DeliveryError>> {
        self.batch.result(self.index)
    }

    /// Whether the record is completed.
    #[inline]
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.batch.is_written(self.index).is_some()
    }

    /// Whether the record is completed, and written as far as `acks` tell.
    #[inline]
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.batch.is_written(self.index) == Some(true)
    }

    /// Whether the record is completed, and failed.
    #[inline]
    #[must_use]
    pub fn failed(&self) -> bool {
        self.batch.is_written(self.index) == Some(false)
    }

    /// Gives the result to `callback`: on the I/O thread when the record is completed, or here and
    /// now if it is. Any number of callbacks may be added, and none is lost; a panic in one harms
    /// nothing else.
    pub fn on_delivery<F>(&self, callback: F)
    where
        F: FnOnce(Result<RecordMetadata, DeliveryError>) + Send + 'static,
    {
        self.batch.on_completion(self.index, Box::new(callback));
    }

    /// Waits for the result, at most this long; `None` when it has not come by then. The record
    /// is still under way then, and the receipt can be waited for again.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> Option<Result<RecordMetadata, DeliveryError>> {
        if let Some(result) = self.poll_now() {
            return Some(result);
        }
        let deadline = Instant::now().checked_add(timeout);
        let waker = Waker::from(Arc::new(ThreadWaker(thread::current())));
        loop {
            if let Some(result) = self.batch.watch(self.index, &waker) {
                return Some(result);
            }
            match deadline {
                None => thread::park(),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    thread::park_timeout(left);
                }
            }
        }
    }
}

impl Future for DeliveryFuture {
    type Output = Result<RecordMetadata, DeliveryError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let found = self
            .poll_now()
            .or_else(|| self.batch.watch(self.index, context.waker()));
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

/// Wakes a parked thread.
struct ThreadWaker(Thread);

impl Wake for ThreadWaker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use titorelli::{BatchId, Delivery, DeliveryCause, Outcome};

    fn acked(first: u32, count: u32, base_offset: i64) -> Delivery {
        Delivery {
            batch: BatchId {
                slot: 0,
                generation: 0,
            },
            first,
            count,
            topic: "t".into(),
            partition: 3,
            outcome: Outcome::Acked {
                base_offset,
                log_append_time_ms: -1,
            },
        }
    }

    fn receipt(batch: &Arc<BatchState>, index: u32) -> DeliveryFuture {
        DeliveryFuture {
            batch: Arc::clone(batch),
            index,
        }
    }

    #[test]
    fn parts_of_a_batch_complete_their_own_records_only() {
        let batch = Arc::new(BatchState::new(Home::here()));
        let offset = |index| {
            receipt(&batch, index)
                .poll_now()
                .map(|r| r.map(|m| m.offset))
        };
        assert!(batch.settle(acked(2, 2, 70)).is_empty());
        assert_eq!(
            (offset(1), offset(2), offset(3)),
            (None, Some(Ok(70)), Some(Ok(71)))
        );
        assert!(batch.settle(acked(0, 2, 90)).is_empty());
        assert_eq!(
            (offset(0), offset(1), offset(4)),
            (Some(Ok(90)), Some(Ok(91)), None)
        );
    }

    #[test]
    fn a_waiting_thread_is_woken_and_an_impatient_one_is_not_kept() {
        let batch = Arc::new(BatchState::new(Home::here()));
        assert_eq!(receipt(&batch, 0).wait(Duration::from_millis(1)), None);
        let waiting = receipt(&batch, 1);
        let thread = thread::spawn(move || waiting.wait(Duration::from_secs(60)));
        while !batch.is_watched(1) {
            thread::yield_now();
        }
        batch.settle(acked(0, 2, 5)).tell();
        let result = thread
            .join()
            .expect("no panic")
            .expect("woken")
            .expect("acked");
        assert_eq!((result.partition, result.offset), (3, 6));
    }

    #[test]
    fn an_unknown_offset_stays_unknown() {
        let batch = Arc::new(BatchState::new(Home::here()));
        batch.settle(acked(0, 2, -1)).tell();
        let result = receipt(&batch, 1)
            .poll_now()
            .expect("settled")
            .expect("acked");
        assert_eq!(result.offset, -1);
    }

    #[test]
    fn callbacks_get_the_result_of_their_record() {
        let batch = Arc::new(BatchState::new(Home::here()));
        let (sender, told) = mpsc::channel();
        let tell = move |result: Result<RecordMetadata, _>| {
            sender.send(result.expect("acked").offset).expect("heard");
        };
        batch.on_completion(1, Box::new(tell));
        batch.settle(acked(0, 2, 7)).tell();
        assert_eq!(told.recv(), Ok(8));
    }

    #[test]
    fn a_callback_is_called_whenever_it_is_added() {
        let batch = Arc::new(BatchState::new(Home::here()));
        let (sender, told) = mpsc::channel();
        let add = |name: &'static str| {
            let sender = sender.clone();
            receipt(&batch, 0).on_delivery(move |result| {
                sender
                    .send((name, result.expect("acked").offset))
                    .expect("heard");
            });
        };
        add("early");
        receipt(&batch, 0).on_delivery(|_| panic!("harms nobody else"));
        batch.settle(acked(0, 1, 7)).tell();
        receipt(&batch, 0).on_delivery(|_| panic!("nor here"));
        add("late");
        let told: Vec<_> = told.try_iter().collect();
        assert_eq!(told, [("early", 7), ("late", 7)]);
    }

    #[test]
    fn a_receipt_tells_success_and_failure_without_the_details() {
        let batch = Arc::new(BatchState::new(Home::here()));
        let receipt_of = |index| receipt(&batch, index);
        let flags =
            |receipt: &DeliveryFuture| (receipt.is_done(), receipt.succeeded(), receipt.failed());
        assert_eq!(flags(&receipt_of(0)), (false, false, false));
        batch.settle(acked(0, 1, 5)).tell();
        assert_eq!(flags(&receipt_of(0)), (true, true, false));
        assert_eq!(flags(&receipt_of(1)), (false, false, false));
        let cause = DeliveryCause::DeliveryTimeout;
        let error = DeliveryError::of_application("t", cause, None);
        let failed = DeliveryFuture::failed_before(Home::here(), error);
        assert_eq!(flags(&failed), (true, false, true));
        let error = failed.poll_now().expect("done").expect_err("failed");
        assert!(!error.may_be_persisted());
    }
}
