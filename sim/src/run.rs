//! A plan under way: what each step does to the world, and what must hold after it.

use core::time::Duration;

use titorelli::recording::Recording;
use titorelli::{DeliveryCause, Instant, Purge, SendError};

use crate::check;
use crate::cluster::BrokerId;
use crate::fault::Fault;
use crate::journal::{OwnedRecord, RecordState};
use crate::plan::{Damage, Stage, Step};
use crate::sight::Sight;
use crate::story::ms;
use crate::timeline::Telling;
use crate::world::World;

/// How often a healed cluster may fail to take a record; it has five times the timeouts for that.
const PROBES_MAX: u32 = 20;
/// As many retries as any delivery timeout has room for.
pub(crate) const RETRIES_UNLIMITED: u64 = 1_000_000;
/// How long a healed world may need to send all that has piled up.
const BACKLOG_WITHIN: Duration = Duration::from_secs(30);

/// A run under way. Values of records must be unique.
#[derive(Debug)]
pub struct Run {
    world: World,
    topics: Vec<(String, i32)>,
    /// Records so far, probes too.
    sent: u64,
}

impl Run {
    /// The stage, and nothing has happened.
    ///
    /// # Panics
    /// The producer's configuration is refused.
    #[must_use]
    pub fn new(stage: &Stage) -> Self {
        Self::told(stage, Telling::Tail)
    }

    /// As [`Self::new`], with so much told of it.
    pub(crate) fn told(stage: &Stage, telling: Telling) -> Self {
        Self::on(World::new(stage.world()), stage, telling)
    }

    /// As [`Self::told`], recorded.
    pub(crate) fn recorded(stage: &Stage, telling: Telling, recording: Recording) -> Self {
        let world = World::recorded(stage.world(), Some(recording));
        Self::on(world, stage, telling)
    }

    fn on(mut world: World, stage: &Stage, telling: Telling) -> Self {
        world.tell(telling);
        world.tell_batches_apart();
        let topics = stage.topics();
        for (topic, partitions) in &topics {
            world.control(|cluster| cluster.create_topic(topic, *partitions));
        }
        Self {
            world,
            topics,
            sent: 0,
        }
    }

    /// Takes a step.
    ///
    /// # Panics
    /// Something does not hold that must always hold; the message begins with the invariant's name.
    pub fn take(&mut self, step: Step) {
        match step {
            Step::Wait(span) => self.wait(span),
            Step::Settle => self.settle(),
            Step::Send(record) => self.send(record),
            Step::Echo(record) => self.echo(record),
            Step::Flush => self.flush(),
            Step::Cancel => self.cancel(),
            Step::Withdraw(nth) => self.withdraw(nth),
            Step::Purge(what) => self.purge(what),
            Step::Inflict(fault) => self.inflict(&fault),
            Step::Damage(broker, damage) => self.damage(broker, damage),
            Step::Heal => self.heal(),
            Step::Close(within) => self.close(within),
        }
    }

    /// Lets so much time pass.
    pub fn wait(&mut self, span: Duration) {
        self.world.run_for(span);
    }

    /// Lets time pass until nothing is under way.
    pub fn settle(&mut self) {
        self.world.run_until_quiet();
    }

    /// The application sends a record.
    pub fn send(&mut self, record: OwnedRecord) {
        self.sent += 1;
        self.world.send(record);
    }

    /// The application will send this record from within a completion.
    pub fn echo(&mut self, record: OwnedRecord) {
        self.sent += 1;
        self.world.echo(record);
    }

    /// The application flushes.
    pub fn flush(&mut self) {
        self.world.flush();
    }

    /// The application gives up the call that has waited longest, if one waits.
    pub fn cancel(&mut self) {
        self.world.cancel();
    }

    /// The application withdraws the record that so many were accepted after, if one is under way.
    pub fn withdraw(&mut self, nth: usize) {
        self.world.withdraw_nth(nth);
    }

    /// The application purges.
    pub fn purge(&mut self, what: Purge) {
        self.world.purge(what);
    }

    /// A fault strikes.
    pub fn inflict(&mut self, fault: &Fault) {
        self.world.inflict(fault);
    }

    /// One broker is bad for good, and everything else is well: its partitions have other leaders,
    /// so nothing has to wait for it. The only broker stays well.
    ///
    /// # Panics
    /// Something does not hold.
    pub fn damage(&mut self, broker: BrokerId, damage: Damage) {
        self.world.note("fault", "everything heals but one broker");
        self.world.heal();
        if self.world.cluster().config().brokers.len() > 1 {
            self.do_damage(broker, damage);
        }
        self.settle_down();
        self.probe();
    }

    fn do_damage(&mut self, broker: BrokerId, damage: Damage) {
        let sight = match damage {
            Damage::Down => {
                self.world.inflict(&Fault::Down(broker));
                Sight::DamageDown
            }
            Damage::Swallowed => {
                self.world.inflict(&Fault::Down(broker));
                self.world.inflict(&Fault::Stall(broker));
                Sight::DamageSwallowed
            }
            Damage::Deaf => {
                // It may know every topic, and nobody who leads one.
                self.bring_topics_back();
                self.world.inflict(&Fault::Lag(broker));
                self.lead_without(broker, true);
                Sight::DamageDeaf
            }
            Damage::SendsAway => {
                self.bring_topics_back();
                self.world
                    .note("fault", format_args!("{broker} sends away"));
                self.world
                    .control(|cluster| cluster.send_away(broker, true));
                self.lead_without(broker, false);
                Sight::DamageSendsAway
            }
        };
        self.world.see(sight);
    }

    /// What this broker leads is led by others, in turn; so is (`is_all`) what others lead, as far
    /// as there are any.
    fn lead_without(&mut self, broker: BrokerId, is_all: bool) {
        let brokers = self.world.cluster().config().brokers.iter();
        let others: Vec<BrokerId> = brokers.map(|b| b.id).filter(|id| *id != broker).collect();
        for (nth, (topic, partition)) in self.places().into_iter().enumerate() {
            let (leader, _) = self.world.cluster().leader(&topic, partition);
            let is_led_by_it = leader == Some(broker);
            let mut next = others[nth % others.len()];
            if leader == Some(next) {
                next = others[(nth + 1) % others.len()];
            }
            if is_led_by_it || is_all && leader != Some(next) {
                self.world.inflict(&Fault::MoveLeader {
                    topic,
                    partition,
                    leader: next,
                });
            }
        }
    }

    /// No more faults: what is under way ends, and every partition takes a record.
    ///
    /// # Panics
    /// Something does not hold.
    pub fn heal(&mut self) {
        self.world.note("fault", "everything heals");
        self.world.heal();
        self.settle_down();
        self.probe();
    }

    /// The application closes the producer. Perhaps nothing has healed when it does, and what it
    /// leaves behind may still arrive.
    ///
    /// # Panics
    /// Something does not hold.
    pub fn close(&mut self, within: Duration) {
        self.world.close(within);
        self.world.run_until_quiet();
        assert!(self.world.is_closed(), "L4: close ends");
        self.world.heal();
        self.world.run_until_quiet();
        check::logs(&self.world);
        check::conservation(&self.world);
    }

    /// The world, to look at.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    pub(crate) const fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    /// How many records were sent, or wait to be sent from within a completion.
    pub(crate) const fn sent(&self) -> u64 {
        self.sent
    }

    // ---- What must hold -----------------------------------------------------------------------

    /// Topics are there again, with as many partitions as at first.
    fn bring_topics_back(&mut self) {
        for (topic, partitions) in &self.topics {
            self.world.control(|cluster| {
                if !cluster.has_topic(topic) {
                    cluster.create_topic(topic, *partitions);
                } else if cluster.partition_count(topic) < *partitions {
                    cluster.add_partitions(topic, *partitions);
                }
            });
        }
    }

    /// Everything that is under way ends, and all memory is free again.
    fn settle_down(&mut self) {
        self.bring_topics_back();
        let healed_at = self.world.now();
        self.world.run_until_quiet();
        self.check_progress(healed_at);
        let stats = self.world.core().stats();
        assert_eq!(
            stats.buffered_bytes, 0,
            "S8: nothing is under way, and memory is held"
        );
        assert_eq!(
            stats.waiters, 0,
            "L5: nothing is under way, and a call waits"
        );
    }

    /// L2: what had enough time left when everything healed, and might be sent again, is written.
    fn check_progress(&self, healed_at: Instant) {
        let config = self.world.core().config();
        if u64::from(config.retries) < RETRIES_UNLIMITED {
            return;
        }
        let patience =
            (config.request_timeout + config.effective_socket_connection_setup_timeout_max()) * 4;
        let enough = healed_at + patience + BACKLOG_WITHIN;
        for (id, _, state) in self.world.journal().records() {
            if let RecordState::NotPersisted(error) | RecordState::MaybePersisted(error) = state {
                let ends_at =
                    self.world.journal().accepted_at(id) + config.effective_delivery_timeout();
                let is_late = error.cause == DeliveryCause::DeliveryTimeout;
                let count = self.world.cluster().partition_count(&error.topic);
                let is_gone = error.partition >= count;
                assert!(
                    !is_late || is_gone || ends_at <= enough,
                    "L2: {id:?} had time until {ends_at}"
                );
            }
        }
    }

    /// The healed cluster takes a record for every partition, if need be at a later try: without
    /// retries the first may meet a leader that has moved, and little memory takes few at a time.
    fn probe(&mut self) {
        let mut places = self.places();
        let mut fruitless = 0;
        while !places.is_empty() {
            let count = places.len();
            places = self.probe_each(places);
            fruitless = if places.len() < count {
                0
            } else {
                fruitless + 1
            };
            assert!(
                fruitless < PROBES_MAX,
                "L2: a healed cluster takes nothing for {places:?}"
            );
            if !places.is_empty() {
                // A connection that fell silent is given up in one of these times.
                let config = self.world.core().config();
                let patience = config
                    .request_timeout
                    .max(config.effective_socket_connection_setup_timeout_max());
                let pause = patience / 4;
                self.world.run_for(pause.max(ms(500)));
            }
        }
        check::logs(&self.world);
    }

    fn places(&self) -> Vec<(String, i32)> {
        let places = |(topic, count): &(String, i32)| {
            let topic = topic.clone();
            (0..*count).map(move |partition| (topic.clone(), partition))
        };
        self.topics.iter().flat_map(places).collect()
    }

    /// Sends a record to each; those that did not take it. A producer that cannot go on takes none,
    /// and that is right if a broker said so (S14).
    fn probe_each(&mut self, places: Vec<(String, i32)>) -> Vec<(String, i32)> {
        let mut probes = Vec::new();
        for (topic, partition) in places {
            let value = format!("{}:probe", self.sent).into_bytes();
            self.sent += 1;
            let id = self.world.send(OwnedRecord {
                topic: topic.clone(),
                partition: Some(partition),
                value: Some(value),
                ..OwnedRecord::default()
            });
            probes.push((id, (topic, partition)));
        }
        self.world.run_until_quiet();
        let journal = self.world.journal();
        let is_forbidden = self.world.cluster().has_forbidden_ids();
        let is_taken = |id| {
            let state = journal.state(id);
            matches!(state, RecordState::Acked { .. })
                || is_forbidden && matches!(state, RecordState::Rejected(SendError::Fatal(_)))
        };
        let missing = probes.into_iter().filter(|(id, _)| !is_taken(*id));
        missing.map(|(_, place)| place).collect()
    }
}
