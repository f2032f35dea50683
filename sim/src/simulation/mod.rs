//! A test of somebody else's code: a world from a seed, a producer to hand out, and whatever may
//! go wrong.

mod accident;
mod builder;
mod chaos;
mod delivery;
mod executor;
mod producer;
mod shared;
mod typed;

use core::fmt;
use core::time::Duration;
use std::cell::Ref;
use std::collections::BTreeSet;
use std::future::Future;
use std::rc::Rc;

pub use builder::SimulationBuilder;
pub use delivery::DeliveryFuture;
pub use executor::Sleep;
pub use producer::Producer;
pub use typed::TypedProducer;

use crate::check;
use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::journal::{OwnedRecord, RecordState};
use crate::story::{ms, parse_place};
use crate::swarm::Targets;
use crate::world::World;
use accident::Scene;
use shared::{Plan, Shared, State};

/// How long the end waits for what is still under way, as the last handle of a real producer does.
const CLOSE_WITHIN: Duration = ms(10_000);

/// A world in virtual time around the real producer, in which an application is tested.
///
/// The application gets a [`Producer`], whose methods, arguments and errors are those of the mio
/// driver's: code that is written for the one runs on the other. It runs on the test's own thread.
/// A call that waits lets virtual time pass, so that an hour takes no time, and everything that
/// happens is drawn from the seed: the same again each time.
///
/// ```
/// use titorelli::Record;
/// use titorelli_sim::{Simulation, ms};
///
/// let sim = Simulation::builder()
///     .seed(7)
///     .topic("orders", 1)
///     .set("acks", "all")
///     .set("retries", "10")
///     .start();
/// let producer = sim.producer();
/// sim.befall("orders/0", "the leader moves while the answer is lost");
///
/// let receipt = producer.send(&Record::to("orders").value(b"one"))?;
/// let written = receipt.wait(ms(30_000)).expect("in time").expect("acked");
///
/// // The new leader had it already: this producer is not idempotent.
/// sim.expect_log("orders/0", &["one", "one"]);
/// assert_eq!(written.offset, 1);
/// sim.finish();
/// # Ok::<(), titorelli::SendError>(())
/// ```
///
/// At its end, by [`finish`](Self::finish) or when it is dropped, the producer is closed, all that
/// is broken heals, what was delayed arrives, and the logs are compared with what the application
/// was told.
/// A test that panics shows the last lines of the [`trace`](Self::trace), what the producer was
/// doing, and the seed.
pub struct Simulation {
    shared: Rc<Shared>,
    ending: Ending,
}

/// What is left to do when the simulation is over, however it came to that.
struct Ending {
    seed: u64,
    shared: Rc<Shared>,
}

impl Simulation {
    fn of(seed: u64, shared: Shared) -> Self {
        let shared = Rc::new(shared);
        let ending = Ending {
            seed,
            shared: Rc::clone(&shared),
        };
        Self { shared, ending }
    }

    /// Three brokers that create topics when they are asked for, a producer with its defaults, and
    /// latencies from a fifth of a millisecond to five.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::builder().seed(seed).start()
    }

    /// A simulation to be built: brokers, topics, configuration, network.
    pub fn builder() -> SimulationBuilder {
        SimulationBuilder::new()
    }

    /// Runs a test for many seeds: [`SimulationBuilder::each`].
    ///
    /// ```
    /// use titorelli::Record;
    /// use titorelli_sim::{Simulation, ms};
    ///
    /// Simulation::each(0..20, |sim| {
    ///     let receipt = sim.producer().send(&Record::to("orders").value(b"one"));
    ///     let result = receipt.expect("accepted").wait(ms(120_000)).expect("in time");
    ///     assert_eq!(result.expect("acked").offset, 0);
    /// });
    /// ```
    pub fn each(seeds: impl IntoIterator<Item = u64>, test: impl FnMut(&Self)) {
        Self::builder().each(seeds, test);
    }

    /// The seed.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.ending.seed
    }

    /// The producer. There is one, and every handle is a clone.
    #[must_use]
    pub fn producer(&self) -> Producer {
        Producer::new(Rc::clone(&self.shared))
    }

    // ---- What goes wrong ----------------------------------------------------------------------

    /// A fault strikes now. Those of connections strike the ones that there are.
    pub fn inflict(&self, fault: &Fault) {
        self.shared.with(|state| state.world.inflict(fault));
    }

    /// A fault strikes after so long.
    pub fn after(&self, span: Duration, fault: Fault) {
        let at = self.shared.now() + span;
        self.shared.with(|state| state.plan(at, Plan::Fault(fault)));
    }

    /// A fault strikes as soon as something more is in the log of a place, such as `"orders/0"`.
    ///
    /// # Panics
    /// The place is not of this form.
    #[track_caller]
    pub fn once_appended(&self, place: &str, fault: Fault) {
        let (topic, partition) = parse_place(place);
        self.shared
            .with(|state| state.ambush(&topic, partition, fault));
    }

    /// An accident befalls a place, such as `"orders/0"`: one of [`Self::accidents`] by its name.
    /// What is said there of an answer, a request or a batch is true of the next one.
    ///
    /// # Panics
    /// There is no accident of this name, or no such place.
    #[track_caller]
    pub fn befall(&self, place: &str, accident: &str) {
        let (topic, partition) = parse_place(place);
        let accident = accident::find(accident);
        let scene = Scene::of(self.shared.state().world.cluster(), &topic, partition);
        let happening = accident(&scene);
        self.shared.with(|state| {
            for fault in happening.once_appended {
                state.ambush(&topic, partition, fault);
            }
            happening
                .now
                .iter()
                .for_each(|fault| state.world.inflict(fault));
        });
    }

    /// The names of all accidents.
    ///
    /// ```
    /// use titorelli_sim::Simulation;
    ///
    /// for name in Simulation::accidents() {
    ///     let sim = Simulation::builder().topic("orders", 2).start();
    ///     sim.befall("orders/1", name);
    /// }
    /// ```
    pub fn accidents() -> impl Iterator<Item = &'static str> {
        accident::names()
    }

    /// For so long, faults strike that the seed draws, of every kind that a producer can survive;
    /// then everything heals. The topics to be struck are those that are there.
    ///
    /// # Panics
    /// There is no topic.
    #[track_caller]
    pub fn chaos(&self, span: Duration) {
        let targets = self.targets();
        assert!(!targets.topics.is_empty(), "chaos needs a topic to strike");
        let began = self.shared.now();
        self.shared.with(|state| {
            for (after, fault) in chaos::draw(self.seed(), span, &targets) {
                state.plan(began + after, Plan::Fault(fault));
            }
            state.plan(began + span, Plan::Heal);
        });
    }

    fn targets(&self) -> Targets {
        let state = self.shared.state();
        let cluster = state.world.cluster();
        let names: BTreeSet<&str> = cluster.logs().map(|(topic, ..)| topic).collect();
        let counted = |name: &str| (name.to_owned(), cluster.partition_count(name));
        Targets {
            brokers: u16::try_from(cluster.config().brokers.len()).expect("few"),
            topics: names.into_iter().map(counted).collect(),
            upgrades: Vec::new(),
            is_idempotent: state.world.core().config().enable_idempotence,
        }
    }

    /// Ends every fault.
    pub fn heal(&self) {
        self.shared.with(|state| state.world.heal());
    }

    /// Does something else to the cluster.
    pub fn control(&self, action: impl FnOnce(&mut Cluster)) {
        self.shared.with(|state| state.world.control(action));
    }

    // ---- Time ---------------------------------------------------------------------------------

    /// How much virtual time has passed.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.shared.now().since(titorelli::Instant::ZERO)
    }

    /// Lets so much time pass.
    pub fn run_for(&self, span: Duration) {
        let until = self.shared.now() + span;
        let _: Option<()> = self.shared.wait_for(until, |_| None);
    }

    /// Lets time pass until no record is under way.
    ///
    /// # Panics
    /// One is, and nothing is planned that could end it.
    pub fn settle(&self) {
        let is_done = |state: &mut State| (state.world.journal().open_count() == 0).then_some(());
        let _ = self.shared.wait_for(titorelli::Instant::FAR, is_done);
    }

    /// Runs a future to its end; whenever it waits, time passes.
    ///
    /// ```
    /// use titorelli::Record;
    /// use titorelli_sim::{Simulation, ms};
    ///
    /// let sim = Simulation::new(3);
    /// let producer = sim.producer();
    /// let offset = sim.block_on(async {
    ///     sim.sleep(ms(1_000)).await;
    ///     let sent = producer.send(&Record::to("orders").value(b"one")).expect("accepted");
    ///     sent.await.expect("acked").offset
    /// });
    /// assert_eq!(offset, 0);
    /// assert!(sim.now() >= ms(1_000));
    /// ```
    ///
    /// # Panics
    /// It is not done after a day of virtual time.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        executor::block_on(&self.shared, future)
    }

    /// A pause, for a future under [`Self::block_on`].
    pub fn sleep(&self, span: Duration) -> Sleep {
        Sleep::new(Rc::clone(&self.shared), span)
    }

    // ---- What came of it ----------------------------------------------------------------------

    /// The values in a log, as text. A partition that is not there has none.
    #[must_use]
    pub fn log(&self, topic: &str, partition: i32) -> Vec<String> {
        let state = self.shared.state();
        let cluster = state.world.cluster();
        if partition >= cluster.partition_count(topic) {
            return Vec::new();
        }
        let text = |value: &bytes::Bytes| String::from_utf8_lossy(value).into_owned();
        let records = cluster.log(topic, partition).records().iter();
        records
            .map(|record| record.value.as_ref().map(text).unwrap_or_default())
            .collect()
    }

    /// The values in all logs of a topic, one partition after the other.
    #[must_use]
    pub fn values(&self, topic: &str) -> Vec<String> {
        let count = self.shared.state().world.cluster().partition_count(topic);
        (0..count)
            .flat_map(|partition| self.log(topic, partition))
            .collect()
    }

    /// The values in the log of a place, such as `"orders/0"`, are these.
    ///
    /// # Panics
    /// They are others.
    #[track_caller]
    pub fn expect_log(&self, place: &str, values: &[&str]) {
        let (topic, partition) = parse_place(place);
        assert_eq!(self.log(&topic, partition), values, "the log of {place}");
    }

    /// Every record that was sent and what became of it, in the order of the calls.
    #[must_use]
    pub fn outcomes(&self) -> Vec<(OwnedRecord, RecordState)> {
        let state = self.shared.state();
        let records = state.world.journal().records();
        records
            .map(|(_, record, state)| (record.clone(), state.clone()))
            .collect()
    }

    /// What happened so far, a line per fact.
    #[must_use]
    pub fn trace(&self) -> String {
        self.shared.state().world.timeline().to_string()
    }

    /// The world, for everything else.
    #[must_use]
    pub fn world(&self) -> Ref<'_, World> {
        Ref::map(self.shared.state(), |state| &state.world)
    }

    // ---- The end ------------------------------------------------------------------------------

    /// Ends the simulation, as dropping it does.
    ///
    /// # Panics
    /// The producer has broken a promise; the message begins with the invariant's name.
    pub fn finish(self) {
        drop(self);
    }

    /// Closes the producer, lets everything arrive that is under way, and compares.
    fn end(&self) {
        self.shared.with(State::call_off);
        self.producer().close(CLOSE_WITHIN);
        self.shared.with(|state| {
            state.world.heal();
            state.world.run_until_quiet();
            check_end(&state.world);
        });
    }
}

/// What must be true of every run, whatever the application did.
fn check_end(world: &World) {
    check::conservation(world);
    let values = world
        .journal()
        .records()
        .map(|(_, record, _)| record.value.as_deref());
    let mut seen = BTreeSet::new();
    let are_unique = values.flatten().all(|value| seen.insert(value));
    if are_unique {
        check::logs(world);
    } else {
        // Copies cannot be told from equals.
        check::contents(world);
    }
}

impl Drop for Simulation {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.seed;
            eprintln!("seed {seed} failed; alone it runs again with `.each([{seed}], ..)`");
        }
        // They may hold handles, and these the world.
        self.shared.forget_listeners();
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation")
            .field("seed", &self.seed())
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}
