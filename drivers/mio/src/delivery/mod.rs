//! Receipts: what `send` returns, and how a batch completes them.
//!
//! One [`BatchState`] is shared by all records of a batch; a receipt is that and an index. No
//! allocation per record.

mod state;

pub(crate) use state::{BatchState, Due, Wakers, call};

use crate::clock;
use crate::fork::Home;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use titorelli::handle::{DeliveryError, RecordMetadata};

/// The receipt of an accepted record. A `Future` on any runtime, which up to 32 tasks may share;
/// dropping it does not cancel the record.
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
    /// nothing else. In a fork of the process it is called here and now, with what is known.
    pub fn on_delivery<F>(&self, callback: F)
    where
        F: FnOnce(Result<RecordMetadata, DeliveryError>) + Send + 'static,
    {
        self.batch.on_completion(self.index, Box::new(callback));
    }

    /// Waits for the result, at most this long; `None` when it has not come by then. The record
    /// is still under way then, and the receipt can be waited for again. Any number of threads may
    /// wait for one receipt.
    #[must_use]
    pub fn wait(&self, timeout: Duration) -> Option<Result<RecordMetadata, DeliveryError>> {
        if let Some(result) = self.poll_now() {
            return Some(result);
        }
        self.batch.wait(self.index, clock::deadline(timeout))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::task::{Wake, Waker};
    use std::thread;
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
    fn waiting_threads_are_woken_and_an_impatient_one_is_not_kept() {
        let batch = Arc::new(BatchState::new(Home::here()));
        assert_eq!(receipt(&batch, 0).wait(Duration::from_millis(1)), None);
        let threads = [(); 3].map(|()| {
            let waiting = receipt(&batch, 1);
            thread::spawn(move || waiting.wait(Duration::from_secs(60)))
        });
        // Most likely they wait by then.
        thread::sleep(Duration::from_millis(50));
        batch.settle(acked(0, 2, 5)).tell(Home::here());
        for thread in threads {
            let result = thread.join().expect("no panic").expect("woken");
            let result = result.expect("acked");
            assert_eq!((result.partition, result.offset), (3, 6));
        }
    }

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn tasks_that_share_a_receipt_are_all_woken_and_only_those_of_its_record() {
        let batch = Arc::new(BatchState::new(Home::here()));
        let tasks = [(); 3].map(|()| Arc::new(Counter::default()));
        let poll = |index: u32, task: &Arc<Counter>| {
            let waker = Waker::from(Arc::clone(task));
            Pin::new(&mut receipt(&batch, index)).poll(&mut Context::from_waker(&waker))
        };
        for (index, task) in [(1, 0), (1, 1), (1, 0), (2, 2)] {
            assert_eq!(poll(index, &tasks[task]), Poll::Pending);
        }
        let woken = || tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed));
        batch.settle(acked(0, 2, 5)).tell(Home::here());
        assert_eq!(woken(), [1, 1, 0]);
        batch.settle(acked(2, 1, 7)).tell(Home::here());
        assert_eq!(woken(), [1, 1, 1]);
        assert!(tasks.iter().all(|task| Arc::strong_count(task) == 1));
    }

    #[test]
    fn a_fresh_waker_at_every_poll_does_not_fill_memory() {
        let batch = Arc::new(BatchState::new(Home::here()));
        let tasks: Vec<_> = (0..100).map(|_| Arc::new(Counter::default())).collect();
        for task in &tasks {
            let waker = Waker::from(Arc::clone(task));
            let mut receipt = receipt(&batch, 7);
            let polled = Pin::new(&mut receipt).poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
        }
        let kept = tasks.iter().filter(|task| Arc::strong_count(task) == 2);
        assert_eq!(kept.count(), 32);
        batch.settle(acked(0, 8, 5)).tell(Home::here());
        assert_eq!(tasks[99].0.load(Ordering::Relaxed), 1, "the last is woken");
    }

    #[test]
    fn records_without_an_outcome_get_one_and_the_others_keep_theirs() {
        let batch = Arc::new(BatchState::new(Home::here()));
        batch.settle(acked(2, 2, 70)).tell(Home::here());
        batch.settle(acked(0, u32::MAX, 0)).tell(Home::here());
        let offsets = [0, 1, 2, 3].map(|index| {
            let result = receipt(&batch, index).poll_now().expect("completed");
            result.expect("acked").offset
        });
        assert_eq!(offsets, [0, 1, 70, 71]);
    }

    #[test]
    fn an_unknown_offset_stays_unknown() {
        let batch = Arc::new(BatchState::new(Home::here()));
        batch.settle(acked(0, 2, -1)).tell(Home::here());
        let result = receipt(&batch, 1)
            .poll_now()
            .expect("settled")
            .expect("acked");
        assert_eq!(result.offset, -1);
    }

    #[test]
    fn an_offset_that_cannot_be_is_unknown() {
        let batch = Arc::new(BatchState::new(Home::here()));
        batch.settle(acked(0, 3, i64::MAX - 1)).tell(Home::here());
        let offsets = [0, 1, 2].map(|index| {
            let result = receipt(&batch, index).poll_now().expect("settled");
            result.expect("acked").offset
        });
        assert_eq!(offsets, [i64::MAX - 1, i64::MAX, -1]);
    }

    #[test]
    fn callbacks_get_the_result_of_their_record() {
        let batch = Arc::new(BatchState::new(Home::here()));
        let (sender, told) = mpsc::channel();
        let tell = move |result: Result<RecordMetadata, _>| {
            sender.send(result.expect("acked").offset).expect("heard");
        };
        batch.on_completion(1, Box::new(tell));
        batch.settle(acked(0, 2, 7)).tell(Home::here());
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
        batch.settle(acked(0, 1, 7)).tell(Home::here());
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
        batch.settle(acked(0, 1, 5)).tell(Home::here());
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
