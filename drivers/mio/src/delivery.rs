//! Receipts: what `send` returns, and how a batch completes them.
//!
//! One [`BatchState`] is shared by all records of a batch; a receipt is that and an index. No
//! allocation per record.

use parking_lot::Mutex;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use titorelli::{Delivery, ErrorCode, Outcome};

/// Where a record was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordMetadata {
    /// The partition.
    pub partition: i32,
    /// The offset in the partition; −1 when the broker told none (acks=0).
    pub offset: i64,
    /// The broker's time in milliseconds, where the topic is stamped by the broker; else −1.
    pub log_append_time_ms: i64,
}

/// Why a record failed, and whether it may be written all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryError {
    error: Arc<titorelli::DeliveryError>,
    may_be_persisted: bool,
}

impl DeliveryError {
    /// Whether the record may be in the log: an attempt was made whose fate is unknown. If false,
    /// it is not there and never will be.
    #[must_use]
    pub fn may_be_persisted(&self) -> bool {
        self.may_be_persisted
    }

    /// The broker's code, where a broker's answer ended the record.
    #[must_use]
    pub fn code(&self) -> Option<ErrorCode> {
        self.error.code()
    }

    /// The whole story: topic, partition, cause, attempts, age, broker.
    #[must_use]
    pub fn detail(&self) -> &titorelli::DeliveryError {
        &self.error
    }
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let truth = if self.may_be_persisted {
            "it may have been written: sending it again may duplicate it"
        } else {
            "it was not written: sending it again is safe"
        };
        write!(f, "{}; {truth}", self.error)
    }
}

impl std::error::Error for DeliveryError {}

/// What a callback is called with.
pub(crate) type Callback = Box<dyn FnOnce(Result<RecordMetadata, DeliveryError>) + Send>;

/// The outcome of a range of a batch's records.
#[derive(Debug)]
struct Part {
    first: u32,
    count: u32,
    partition: i32,
    outcome: Result<(i64, i64), DeliveryError>,
}

impl Part {
    fn result(&self, index: u32) -> Option<Result<RecordMetadata, DeliveryError>> {
        let place = index
            .checked_sub(self.first)
            .filter(|place| *place < self.count)?;
        Some(match &self.outcome {
            Ok((base_offset, log_append_time_ms)) => Ok(RecordMetadata {
                partition: self.partition,
                offset: if *base_offset < 0 {
                    -1
                } else {
                    base_offset + i64::from(place)
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
    wakers: Vec<(u32, Waker)>,
    callbacks: Vec<(u32, Callback)>,
}

/// The completion of one batch, shared by its receipts.
#[derive(Default)]
pub(crate) struct BatchState {
    /// The first part to complete; mostly all there is.
    first: OnceLock<Part>,
    rest: Mutex<Rest>,
}

impl BatchState {
    /// The result of a record, if it is completed.
    #[inline]
    fn result(&self, index: u32) -> Option<Result<RecordMetadata, DeliveryError>> {
        let first = self.first.get()?;
        if let Some(result) = first.result(index) {
            return Some(result);
        }
        self.rest
            .lock()
            .parts
            .iter()
            .find_map(|part| part.result(index))
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.first.get().is_some()
    }

    pub(crate) fn on_completion(&self, index: u32, callback: Callback) {
        self.rest.lock().callbacks.push((index, callback));
    }

    /// Completes records: stores their outcome, wakes who waits, and returns the callbacks that
    /// are due with their results.
    pub(crate) fn settle(
        &self,
        delivery: Delivery,
    ) -> Vec<(Callback, Result<RecordMetadata, DeliveryError>)> {
        let outcome = match delivery.outcome {
            Outcome::Acked {
                base_offset,
                log_append_time_ms,
            } => Ok((base_offset, log_append_time_ms)),
            Outcome::NotPersisted(error) => Err(DeliveryError {
                error: Arc::new(error),
                may_be_persisted: false,
            }),
            Outcome::MaybePersisted(error) => Err(DeliveryError {
                error: Arc::new(error),
                may_be_persisted: true,
            }),
        };
        let Delivery {
            first,
            count,
            partition,
            ..
        } = delivery;
        let part = Part {
            first,
            count,
            partition,
            outcome,
        };
        let mut rest = self.rest.lock();
        if let Err(part) = self.first.set(part) {
            rest.parts.push(part);
        }
        let covers = |index: &u32| index.checked_sub(first).is_some_and(|place| place < count);
        for (_, waker) in rest.wakers.extract_if(.., |(index, _)| covers(index)) {
            waker.wake();
        }
        let due: Vec<_> = rest
            .callbacks
            .extract_if(.., |(index, _)| covers(index))
            .collect();
        drop(rest);
        due.into_iter()
            .filter_map(|(index, callback)| Some((callback, self.result(index)?)))
            .collect()
    }

    /// Wakes `waker` when the record is completed, unless it is.
    fn watch(&self, index: u32, waker: &Waker) -> Option<Result<RecordMetadata, DeliveryError>> {
        let mut rest = self.rest.lock();
        // Settling holds the same lock: what is not there now will find the waker.
        let found = self.first.get().and_then(|part| part.result(index));
        let found = found.or_else(|| rest.parts.iter().find_map(|part| part.result(index)));
        if found.is_none() {
            match rest.wakers.iter_mut().find(|(place, _)| *place == index) {
                Some((_, known)) => known.clone_from(waker),
                None => rest.wakers.push((index, waker.clone())),
            }
        }
        found
    }
}

/// The receipt of an accepted record. A `Future` on any runtime; dropping it does not cancel the
/// record.
#[must_use = "a record may fail: look at its delivery, or drop it on purpose"]
pub struct DeliveryFuture {
    pub(crate) batch: Arc<BatchState>,
    pub(crate) index: u32,
}

impl DeliveryFuture {
    /// The result, if there is one yet. Never waits.
    #[inline]
    #[must_use]
    pub fn poll_now(&self) -> Option<Result<RecordMetadata, DeliveryError>> {
        self.batch.result(self.index)
    }

    /// Whether the record is completed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.poll_now().is_some()
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
    use titorelli::BatchId;

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
        let batch = Arc::new(BatchState::default());
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
        let batch = Arc::new(BatchState::default());
        assert_eq!(receipt(&batch, 0).wait(Duration::from_millis(1)), None);
        let waiting = receipt(&batch, 1);
        let thread = thread::spawn(move || waiting.wait(Duration::from_secs(60)));
        while batch
            .rest
            .lock()
            .wakers
            .iter()
            .all(|(index, _)| *index != 1)
        {
            thread::yield_now();
        }
        drop(batch.settle(acked(0, 2, 5)));
        let result = thread
            .join()
            .expect("no panic")
            .expect("woken")
            .expect("acked");
        assert_eq!((result.partition, result.offset), (3, 6));
    }

    #[test]
    fn an_unknown_offset_stays_unknown() {
        let batch = Arc::new(BatchState::default());
        drop(batch.settle(acked(0, 2, -1)));
        let result = receipt(&batch, 1)
            .poll_now()
            .expect("settled")
            .expect("acked");
        assert_eq!(result.offset, -1);
    }

    #[test]
    fn callbacks_get_the_result_of_their_record() {
        let batch = Arc::new(BatchState::default());
        batch.on_completion(
            1,
            Box::new(|result| assert_eq!(result.expect("acked").offset, 8)),
        );
        let due = batch.settle(acked(0, 2, 7));
        assert_eq!(due.len(), 1);
        for (callback, result) in due {
            callback(result);
        }
    }
}
