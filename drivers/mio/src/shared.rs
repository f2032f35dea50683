//! What the application's threads and the I/O thread share: the core behind one lock.

use crate::clock::Clock;
use crate::delivery::{BatchState, DeliveryFuture, Wakers};
use crate::effects::Effects;
use crate::fork::Home;
use crate::park::{Slot, Turn};
use mio::Waker;
use parking_lot::{Condvar, Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, ThreadId};
use std::time::Duration;
use titorelli::handle::{Undelivered, placeless};
use titorelli::recording::RecordedCore;
use titorelli::{
    ConnId, DeliveryCause, FlushId, Instant, Outcome, Output, SendError, Ticket, WaiterId,
};

/// The longest that a sender waits at the gate.
const GATE_PATIENCE: Duration = Duration::from_millis(2);

/// Everything that both sides see.
pub(crate) struct Shared {
    /// The process that built the producer: asked before any lock is taken.
    home: Home,
    pub(crate) clock: Clock,
    state: Mutex<State>,
    waker: Waker,
    /// Where senders wait for a crowd before them to thin out.
    gate: Condvar,
    /// Answers of resolver threads.
    pub(crate) resolved: Mutex<Vec<Resolved>>,
}

/// A host name's addresses, or the resolver's words.
pub(crate) struct Resolved {
    pub(crate) conn: ConnId,
    pub(crate) addresses: Result<Vec<SocketAddr>, String>,
}

/// What the lock guards.
pub(crate) struct State {
    /// For the I/O thread, and for calls that accept nothing; the others go through `core()`.
    pub(crate) core: RecordedCore,
    /// By batch slot; the state of the slot's latest batch.
    batches: Vec<Arc<BatchState>>,
    turns: BTreeMap<WaiterId, Arc<Turn>>,
    flushes: BTreeMap<FlushId, Arc<Slot<()>>>,
    /// The I/O thread sleeps until then unless it is woken; `None` while it is awake.
    pub(crate) sleeps_until: Option<Instant>,
    pub(crate) io_thread: Option<ThreadId>,
    /// Senders at the gate.
    gate_waiters: u32,
    /// The I/O thread has ended: nothing will ever be completed again.
    is_dead: bool,
    /// What a closing thread fetched in place of the I/O thread, which is in a callback.
    held: Option<Box<Effects>>,
    /// That happened: nothing is under way any more, and nobody may wait for the I/O thread.
    pub(crate) has_given_up: bool,
    /// The process of the I/O thread.
    pub(crate) home: Home,
    /// Records that failed since `close` was called.
    pub(crate) undelivered: Option<Vec<Undelivered>>,
}

impl Shared {
    pub(crate) fn new(core: RecordedCore, clock: Clock, waker: Waker) -> Self {
        let home = Home::here();
        let state = State {
            core,
            batches: Vec::new(),
            turns: BTreeMap::new(),
            flushes: BTreeMap::new(),
            sleeps_until: None,
            io_thread: None,
            gate_waiters: 0,
            is_dead: false,
            held: None,
            has_given_up: false,
            home,
            undelivered: None,
        };
        Self {
            home,
            clock,
            state: Mutex::new(state),
            waker,
            gate: Condvar::new(),
            resolved: Mutex::new(Vec::new()),
        }
    }

    pub(crate) fn home(&self) -> Home {
        self.home
    }

    /// Whether this process is a fork of the producer's: nothing may be locked or waited for here.
    #[inline]
    pub(crate) fn is_forked(&self) -> bool {
        self.home.is_left()
    }

    #[inline]
    pub(crate) fn refuse_if_forked(&self) -> Result<(), SendError> {
        if self.is_forked() {
            return Err(SendError::Forked);
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Gives the lock back, and wakes the I/O thread if it sleeps and there is something for it.
    /// The system call is made outside the lock.
    #[inline]
    pub(crate) fn unlock(&self, mut state: MutexGuard<'_, State>) {
        let must_wake = state.must_wake();
        drop(state);
        if must_wake {
            self.wake();
        }
    }

    /// Gives the lock back after a record was accepted. Where too much is queued for its leader,
    /// the caller waits until something was sent, for a moment at most: filling memory faster than
    /// it empties gains nothing, and costs the caches.
    #[inline]
    pub(crate) fn unlock_accepted(&self, mut state: MutexGuard<'_, State>) {
        if state.core.take_crowding() {
            self.wait_at_gate(state);
        } else {
            self.unlock(state);
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_at_gate(&self, mut state: MutexGuard<'_, State>) {
        if state.is_io_thread() {
            return;
        }
        if state.must_wake() {
            MutexGuard::unlocked(&mut state, || self.wake());
        }
        state.gate_waiters += 1;
        self.gate.wait_for(&mut state, GATE_PATIENCE);
        state.gate_waiters -= 1;
    }

    /// It is past the time to close, and the I/O thread does not return from a callback: ends what
    /// is under way in its place. Callbacks and sockets are left to it.
    #[cold]
    pub(crate) fn give_up(&self) {
        let mut effects = Box::new(Effects::default());
        let mut state = self.lock();
        state.core.handle_timeout(self.clock.now());
        state.collect(&mut effects);
        effects.store();
        effects.tell_threads();
        let wakers = effects.take_wakers();
        state.held = Some(effects);
        state.has_given_up = true;
        drop(state);
        self.wake();
        wakers.into_iter().for_each(Wakers::wake);
    }

    /// Something was sent: lets those at the gate go on.
    pub(crate) fn open_gate(&self) {
        self.gate.notify_all();
    }

    /// Wakes the I/O thread.
    #[cold]
    pub(crate) fn wake(&self) {
        // It fails only when the poller is gone, and then nobody sleeps.
        let _ = self.waker.wake();
    }
}

impl State {
    /// Whether the caller is the I/O thread, in a callback: whatever it waited for there, it would
    /// wait for itself.
    pub(crate) fn is_io_thread(&self) -> bool {
        self.io_thread == Some(thread::current().id())
    }

    /// Whether somebody waits at the gate.
    pub(crate) fn has_gate_waiters(&self) -> bool {
        self.gate_waiters > 0
    }

    /// Whether the I/O thread sleeps longer than the core now wants.
    #[inline]
    fn must_wake(&mut self) -> bool {
        let Some(sleeps_until) = self.sleeps_until else {
            return false;
        };
        if !self.core.take_news() {
            return false;
        }
        let is_late = self
            .core
            .poll_timeout()
            .is_some_and(|deadline| deadline.at < sleeps_until);
        if is_late {
            self.sleeps_until = None;
        }
        is_late
    }

    /// The receipt of an accepted record. The batch's first record brings its state.
    #[inline]
    pub(crate) fn receipt(&mut self, ticket: Ticket) -> DeliveryFuture {
        let slot = ticket.batch.slot as usize;
        if ticket.index == 0 {
            let state = Arc::new(BatchState::of(self.home, ticket.batch));
            // The core has batches of its own as well: the parts of one that was divided.
            while self.batches.len() <= slot {
                self.batches.push(Arc::clone(&state));
            }
            self.batches[slot] = state;
        }
        DeliveryFuture {
            batch: Arc::clone(&self.batches[slot]),
            index: ticket.index,
        }
    }

    /// The ticket of a receipt, if it is of this producer and its batch still has its slot.
    pub(crate) fn ticket(&self, receipt: &DeliveryFuture) -> Option<Ticket> {
        let batch = receipt.batch.id?;
        let here = self.batches.get(batch.slot as usize)?;
        let index = receipt.index;
        Arc::ptr_eq(here, &receipt.batch).then_some(Ticket { batch, index })
    }

    /// Whether the I/O thread has ended.
    pub(crate) fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// The core, unless the I/O thread has ended: what it accepted then would never complete.
    #[inline]
    pub(crate) fn core(&mut self) -> Result<&mut RecordedCore, SendError> {
        if self.is_dead {
            Err(SendError::Closed)
        } else {
            Ok(&mut self.core)
        }
    }

    /// A place to wait for this waiter's turn.
    pub(crate) fn park(&mut self, waiter: WaiterId) -> Arc<Turn> {
        let turn = Arc::new(Slot::new());
        if self.is_dead {
            turn.put(Err(SendError::Closed));
        } else {
            self.turns.insert(waiter, Arc::clone(&turn));
        }
        turn
    }

    /// The waiter waits no more; returns the answer if there is one by now.
    pub(crate) fn leave(&mut self, waiter: WaiterId, turn: &Turn) -> Option<Result<(), SendError>> {
        self.turns.remove(&waiter);
        turn.take()
    }

    /// A place to wait for this flush.
    pub(crate) fn await_flush(&mut self, flush: FlushId) -> Arc<Slot<()>> {
        let done = Arc::new(Slot::new());
        if self.is_dead || self.has_given_up {
            done.put(());
        } else {
            self.flushes.insert(flush, Arc::clone(&done));
        }
        done
    }

    /// Fetches the core's outputs. What concerns waiting threads is looked up here, under the
    /// lock; all of it is carried out after.
    pub(crate) fn collect(&mut self, effects: &mut Effects) {
        if let Some(held) = self.held.take() {
            effects.append(*held);
        }
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Delivered(delivery) => {
                    self.note_undelivered(&delivery);
                    let batch = Arc::clone(&self.batches[delivery.batch.slot as usize]);
                    effects.deliveries.push((batch, delivery));
                }
                Output::Admitted(waiter) => {
                    let turn = self.turns.remove(&waiter);
                    effects.turns.extend(turn.map(|turn| (turn, Ok(()))));
                }
                Output::Refused(waiter, error) => {
                    let turn = self.turns.remove(&waiter);
                    effects.turns.extend(turn.map(|turn| (turn, Err(error))));
                }
                Output::Flushed(flush) => effects.flushes.extend(self.flushes.remove(&flush)),
                Output::Closed => effects.is_closed = true,
                Output::Connect { .. }
                | Output::Transmit { .. }
                | Output::Disconnect(_)
                | Output::Seal(_)
                | Output::Trace(_) => effects.transport.push(output),
            }
        }
    }

    fn note_undelivered(&mut self, delivery: &titorelli::Delivery) {
        if let Some(undelivered) = &mut self.undelivered {
            undelivered.extend(Undelivered::of(delivery));
        }
    }

    /// The I/O thread ends. Whoever waits is told; records without an outcome may be written.
    pub(crate) fn die(&mut self, effects: &mut Effects) {
        self.is_dead = true;
        self.sleeps_until = None;
        if let Some(held) = self.held.take() {
            effects.append(*held);
        }
        let turns = std::mem::take(&mut self.turns);
        effects.turns.extend(
            turns
                .into_values()
                .map(|turn| (turn, Err(SendError::Closed))),
        );
        effects
            .flushes
            .extend(std::mem::take(&mut self.flushes).into_values());
        for batch in std::mem::take(&mut self.batches) {
            // Nothing is dropped here, under the lock; outcomes that are known stay as they are.
            let error = placeless("", DeliveryCause::ProducerClosed);
            let delivery = titorelli::Delivery {
                batch: titorelli::BatchId {
                    slot: 0,
                    generation: 0,
                },
                first: 0,
                count: u32::MAX,
                topic: "".into(),
                partition: -1,
                outcome: Outcome::MaybePersisted(error),
            };
            effects.deliveries.push((batch, delivery));
        }
    }
}
