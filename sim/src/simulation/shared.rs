//! What a simulation and its handles share, and how time passes for whoever waits.

use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::task::Waker;

use titorelli::handle::{CustomPartitioner, DeliveryError, RecordMetadata, Undelivered};
use titorelli::recording::RecordedCore;
use titorelli::{Delivery, Instant, Outcome, SendError};

use crate::fault::Fault;
use crate::journal::RecordId;
use crate::world::World;

/// What a receipt gives.
pub(super) type Fate = Result<RecordMetadata, DeliveryError>;

/// What is called with it.
pub(super) type Callback = Box<dyn FnOnce(Fate)>;

/// The world and who waits in it. Single-threaded: every borrow ends before the application's own
/// code is called.
pub(super) struct Shared {
    state: RefCell<State>,
    /// Whether a callback of the application is under way, in which nothing waits.
    is_in_callback: Cell<bool>,
}

/// All that changes.
pub(super) struct State {
    pub(super) world: World,
    pub(super) partitioner: Option<Rc<dyn CustomPartitioner>>,
    /// What will happen at an instant, in order.
    plans: BTreeMap<(Instant, u64), Plan>,
    planned: u64,
    /// Faults that strike as soon as something more is in a log.
    ambushes: Vec<Ambush>,
    fates: BTreeMap<RecordId, Fate>,
    callbacks: BTreeMap<RecordId, Vec<Callback>>,
    wakers: BTreeMap<RecordId, Vec<Waker>>,
    /// Of ends that are known, and not told yet.
    due: VecDeque<Due>,
    /// What failed since the producer is being closed.
    undelivered: Option<Vec<Undelivered>>,
}

/// Something that will happen at an instant.
pub(super) enum Plan {
    Fault(Fault),
    Heal,
    Wake(Waker),
}

struct Ambush {
    topic: String,
    partition: i32,
    /// It strikes when the log has more than this.
    next_offset: i64,
    fault: Fault,
}

/// Somebody of the application's who is to be told.
enum Due {
    Call(Callback, Fate),
    Wake(Waker),
}

impl Shared {
    pub(super) fn new(mut world: World, partitioner: Option<Rc<dyn CustomPartitioner>>) -> Self {
        world.serve_strangers();
        let state = State {
            world,
            partitioner,
            plans: BTreeMap::new(),
            planned: 0,
            ambushes: Vec::new(),
            fates: BTreeMap::new(),
            callbacks: BTreeMap::new(),
            wakers: BTreeMap::new(),
            due: VecDeque::new(),
            undelivered: None,
        };
        Self {
            state: RefCell::new(state),
            is_in_callback: Cell::new(false),
        }
    }

    /// Looks at the state.
    pub(super) fn state(&self) -> Ref<'_, State> {
        self.state.borrow()
    }

    /// Does something to the state, and tells whom it concerns.
    pub(super) fn with<T>(&self, action: impl FnOnce(&mut State) -> T) -> T {
        let done = action(&mut self.state.borrow_mut());
        self.tell();
        done
    }

    pub(super) fn now(&self) -> Instant {
        self.state().world.now()
    }

    pub(super) fn is_in_callback(&self) -> bool {
        self.is_in_callback.get()
    }

    /// Takes the next thing that is not after `until`; false: there is none.
    pub(super) fn step(&self, until: Instant) -> bool {
        self.with(|state| state.step(until))
    }

    /// Lets time pass until something is there, or until an instant; `None`: it has not come.
    pub(super) fn wait_for<T>(
        &self,
        until: Instant,
        mut look: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        loop {
            let found = self.with(&mut look);
            if found.is_some() || self.is_in_callback() {
                return found;
            }
            if !self.step(until) {
                assert!(
                    until != Instant::FAR,
                    "Wakeup: a call waits, and nothing is planned"
                );
                self.with(|state| state.world.run_until(until));
                return self.with(look);
            }
        }
    }

    /// Asks the core, and waits for the topic until then. In a callback it is told at once what
    /// stands in the way.
    pub(super) fn ask<T>(
        &self,
        topic: &str,
        give_up_at: Instant,
        question: impl Fn(&mut RecordedCore, Instant) -> Result<T, SendError>,
    ) -> Result<T, SendError> {
        loop {
            let told = self.with(|state| state.world.ask(&question));
            let Err(SendError::WouldBlock(waiter)) = told else {
                return told;
            };
            let turn = |state: &mut State| state.world.take_turn(waiter);
            if let Some(answer) = self.wait_for(give_up_at, turn) {
                answer?;
                continue;
            }
            self.with(|state| {
                state.world.leave(waiter);
                let refused = |core: &mut RecordedCore, now| core.partition_lists(now, topic, now);
                state.world.ask(refused).map(drop)
            })?;
        }
    }

    /// Calls callbacks and wakes tasks. One that is called meanwhile waits for its turn.
    fn tell(&self) {
        if self.is_in_callback() {
            return;
        }
        loop {
            let due = self.state.borrow_mut().next_due();
            match due {
                None => return,
                Some(Due::Wake(waker)) => waker.wake(),
                Some(Due::Call(callback, fate)) => self.call(callback, fate),
            }
        }
    }

    /// Calls a callback: nothing waits in it.
    pub(super) fn call(&self, callback: Callback, fate: Fate) {
        let was_in_callback = self.is_in_callback.replace(true);
        callback(fate);
        self.is_in_callback.set(was_in_callback);
        self.tell();
    }

    /// Gives the result to a callback, now or when it is there.
    pub(super) fn on_delivery(&self, id: RecordId, callback: Callback) {
        let fate = self.state().fate(id);
        match fate {
            Some(fate) => self.call(callback, fate),
            None => self.with(|state| state.callbacks.entry(id).or_default().push(callback)),
        }
    }

    /// Nobody is told any more: what callbacks and tasks hold is let go.
    pub(super) fn forget_listeners(&self) {
        let mut state = self.state.borrow_mut();
        let listeners = (
            std::mem::take(&mut state.callbacks),
            std::mem::take(&mut state.wakers),
            std::mem::take(&mut state.due),
            std::mem::take(&mut state.plans),
        );
        drop(state);
        drop(listeners);
    }
}

impl State {
    fn step(&mut self, until: Instant) -> bool {
        let planned = self.plans.keys().next().copied();
        let planned = planned.filter(|(at, _)| *at <= until);
        if self.world.step(planned.map_or(until, |(at, _)| at)) {
            self.spring();
            return true;
        }
        let Some(key) = planned else {
            return false;
        };
        self.world.run_until(key.0);
        match self.plans.remove(&key).expect("looked at") {
            Plan::Fault(fault) => self.world.inflict(&fault),
            Plan::Heal => self.world.heal(),
            Plan::Wake(waker) => self.due.push_back(Due::Wake(waker)),
        }
        true
    }

    pub(super) fn plan(&mut self, at: Instant, plan: Plan) {
        self.plans.insert((at, self.planned), plan);
        self.planned += 1;
    }

    /// The fault strikes as soon as something more is in the log of a place.
    pub(super) fn ambush(&mut self, topic: &str, partition: i32, fault: Fault) {
        self.ambushes.push(Ambush {
            next_offset: self.end_of(topic, partition),
            topic: topic.to_owned(),
            partition,
            fault,
        });
    }

    fn end_of(&self, topic: &str, partition: i32) -> i64 {
        let cluster = self.world.cluster();
        if partition < cluster.partition_count(topic) {
            cluster.log(topic, partition).next_offset()
        } else {
            0
        }
    }

    /// Inflicts the faults whose log has grown.
    fn spring(&mut self) {
        let has_grown =
            |state: &Self, at: &Ambush| state.end_of(&at.topic, at.partition) > at.next_offset;
        while let Some(index) = self.ambushes.iter().position(|at| has_grown(self, at)) {
            let ambush = self.ambushes.remove(index);
            self.world.inflict(&ambush.fault);
        }
    }

    /// Nothing that was planned happens any more.
    pub(super) fn call_off(&mut self) {
        self.plans.clear();
        self.ambushes.clear();
    }

    pub(super) fn fate(&self, id: RecordId) -> Option<Fate> {
        self.fates.get(&id).cloned()
    }

    /// Wakes this task when the record has ended, unless it has.
    pub(super) fn watch(&mut self, id: RecordId, waker: &Waker) -> Option<Fate> {
        let fate = self.fate(id);
        if fate.is_none() {
            let known = self.wakers.entry(id).or_default();
            if !known.iter().any(|other| other.will_wake(waker)) {
                known.push(waker.clone());
            }
        }
        fate
    }

    /// From now on what fails is undelivered.
    pub(super) fn begin_closing(&mut self) {
        self.undelivered.get_or_insert_default();
    }

    pub(super) fn undelivered(&self) -> Vec<Undelivered> {
        self.undelivered.clone().unwrap_or_default()
    }

    /// The next of the application's to be told: every outcome is stored before.
    fn next_due(&mut self) -> Option<Due> {
        while let Some((ended, delivery)) = self.world.take_ending() {
            if let Some(undelivered) = &mut self.undelivered {
                undelivered.extend(Undelivered::of(&delivery));
            }
            for (place, id) in (0..).zip(ended) {
                let fate = fate_of(&delivery, place);
                let tasks = self.wakers.remove(&id).unwrap_or_default();
                self.due.extend(tasks.into_iter().map(Due::Wake));
                let callbacks = self.callbacks.remove(&id).unwrap_or_default().into_iter();
                let calls = callbacks.map(|callback| Due::Call(callback, fate.clone()));
                self.due.extend(calls);
                self.fates.insert(id, fate);
            }
        }
        self.due.pop_front()
    }
}

/// What became of the record at this place of a delivery.
fn fate_of(delivery: &Delivery, place: i64) -> Fate {
    match &delivery.outcome {
        Outcome::Acked {
            base_offset,
            log_append_time_ms,
        } => Ok(RecordMetadata {
            topic: delivery.topic.clone(),
            partition: delivery.partition,
            // −1: the broker told none.
            offset: if *base_offset < 0 {
                -1
            } else {
                base_offset.saturating_add(place)
            },
            log_append_time_ms: *log_append_time_ms,
        }),
        Outcome::NotPersisted(error) => Err(DeliveryError::new(error.clone(), false)),
        Outcome::MaybePersisted(error) => Err(DeliveryError::new(error.clone(), true)),
    }
}
