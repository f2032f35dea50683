//! Futures in virtual time.

use core::time::Duration;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use titorelli::Instant;

use super::shared::{Plan, Shared};

/// A future that is not done after so much virtual time hangs.
const DONE_WITHIN: Duration = Duration::from_secs(86_400);

/// Whether the future is to be polled.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs a future to its end; time passes whenever it waits.
#[track_caller]
pub(super) fn block_on<F: Future>(shared: &Shared, future: F) -> F::Output {
    assert!(!shared.is_in_callback(), "nothing waits in a callback");
    let mut future = pin!(future);
    let flag = Arc::new(Flag(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&flag));
    let give_up_at = shared.now() + DONE_WITHIN;
    loop {
        while flag.0.swap(false, Ordering::Relaxed) {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
        }
        assert!(
            shared.step(give_up_at),
            "Wakeup: the future waits, and nothing is planned for it"
        );
    }
}

/// A pause in virtual time.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Sleep {
    shared: Rc<Shared>,
    until: Instant,
}

impl Sleep {
    pub(super) fn new(shared: Rc<Shared>, span: Duration) -> Self {
        let until = shared.now() + span;
        Self { shared, until }
    }
}

impl core::fmt::Debug for Sleep {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Sleep(until {})", self.until)
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.shared.now() >= self.until {
            return Poll::Ready(());
        }
        let wake = Plan::Wake(context.waker().clone());
        self.shared.with(|state| state.plan(self.until, wake));
        Poll::Pending
    }
}
