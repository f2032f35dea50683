//! Where records go, by what the whole core does with them: every partitioner in a world with
//! brokers that are down, slow or new, and calls that wait.

mod by_key;
mod even;
mod kept;
mod turns;
mod uniform;

use core::time::Duration;
use titorelli::{Config, Partitioner};
use titorelli_sim::cluster::{BrokerId, ClusterConfig};
use titorelli_sim::{NetworkConfig, OwnedRecord, RecordId, RecordState, World, WorldConfig, ms};

const TOPIC: &str = "orders";

/// Every partitioner that spreads records which have no key.
const SPREADING: [Partitioner; 8] = [
    Partitioner::Default,
    Partitioner::Sticky,
    Partitioner::UniformSticky,
    Partitioner::RoundRobin,
    Partitioner::Random,
    Partitioner::Murmur2Random,
    Partitioner::ConsistentRandom,
    Partitioner::Fnv1aRandom,
];

/// A producer, and a cluster in which partition p is led by broker p + 1, round and round, and by
/// no other.
struct Stage {
    world: World,
    /// Records sent so far.
    count: u64,
}

impl Stage {
    fn new(partitioner: Partitioner, brokers: u16, change: impl FnOnce(&mut Config)) -> Self {
        Self::seeded(0, partitioner, brokers, change)
    }

    fn seeded(
        seed: u64,
        partitioner: Partitioner,
        brokers: u16,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut core = Config::default();
        core.partitioner = partitioner;
        change(&mut core);
        let mut cluster = ClusterConfig::with_brokers(brokers);
        cluster.topic.replication_factor = 1;
        cluster.auto_create_topics = false;
        let mut world = World::new(WorldConfig {
            seed,
            core,
            cluster,
            network: NetworkConfig::default(),
        });
        world.narrate(false);
        Self { world, count: 0 }
    }

    /// A topic that the producer knows already.
    fn topic(&mut self, name: &str, partitions: i32) {
        self.world
            .control(|cluster| cluster.create_topic(name, partitions));
        self.know(name);
    }

    /// Takes brokers down before the producer has heard of anything.
    fn take_down(&mut self, brokers: impl IntoIterator<Item = i32>) {
        for broker in brokers {
            self.world
                .control(|cluster| cluster.set_down(BrokerId(broker)));
        }
    }

    fn know(&mut self, name: &str) {
        while self.world.partitions_for(name) == 0 {
            self.world.run_for(ms(10));
        }
    }

    /// No two values are equal: batches are told apart by what is in them.
    fn value(&mut self, bytes: usize) -> Vec<u8> {
        let mut value = vec![b'x'; bytes];
        value[..8].copy_from_slice(&self.count.to_be_bytes());
        self.count += 1;
        value
    }

    fn send(&mut self, topic: &str, key: Option<&[u8]>, value_bytes: usize) -> RecordId {
        let value = Some(self.value(value_bytes));
        self.world.send(OwnedRecord {
            topic: topic.to_owned(),
            key: key.map(<[u8]>::to_vec),
            value,
            ..OwnedRecord::default()
        })
    }

    fn place(&mut self, partition: i32, key: Option<&[u8]>) -> RecordId {
        let value = Some(self.value(8));
        self.world.send(OwnedRecord {
            topic: TOPIC.to_owned(),
            partition: Some(partition),
            key: key.map(<[u8]>::to_vec),
            value,
            ..OwnedRecord::default()
        })
    }

    fn run_for(&mut self, span: Duration) {
        self.world.run_for(span);
    }

    /// The partition of a record that has ended, well or not.
    #[track_caller]
    fn partition(&self, id: RecordId) -> usize {
        let partition = match self.world.journal().state(id) {
            RecordState::Acked { partition, .. } => *partition,
            RecordState::NotPersisted(error) | RecordState::MaybePersisted(error) => {
                error.partition
            }
            other @ (RecordState::Waiting(_)
            | RecordState::Cancelled
            | RecordState::Rejected(_)
            | RecordState::Accepted(_)) => panic!("{id:?} has no partition: {other:?}"),
        };
        usize::try_from(partition).expect("not negative")
    }

    /// Lets all records come to their end; their partitions.
    #[track_caller]
    fn partitions(&mut self, records: &[RecordId]) -> Vec<usize> {
        self.world.run_until_quiet();
        records.iter().map(|id| self.partition(*id)).collect()
    }
}

/// How often each of `count` partitions occurs.
fn histogram(partitions: &[usize], count: usize) -> Vec<usize> {
    let mut counts = vec![0; count];
    for partition in partitions {
        counts[*partition] += 1;
    }
    counts
}

#[test]
fn nothing_is_spread_to_a_partition_without_a_leader_while_another_has_one() {
    for partitioner in SPREADING {
        let mut stage = Stage::new(partitioner, 4, |config| config.batch_size = 200);
        stage.take_down([2]);
        stage.topic(TOPIC, 8);
        let mut records = Vec::new();
        for number in 0..400 {
            records.push(stage.send(TOPIC, None, 40));
            if number % 3 == 0 {
                stage.run_for(ms(1));
            }
            if number == 200 {
                // Another one goes, and the producer finds out by what it has on its way there.
                stage.world.control(|cluster| cluster.set_down(BrokerId(3)));
                stage.run_for(ms(500));
            }
        }
        let partitions = stage.partitions(&records);
        let counts = histogram(&partitions, 8);
        assert_eq!((counts[1], counts[5]), (0, 0), "{partitioner:?} {counts:?}");
        let late = histogram(&partitions[201..], 8);
        assert_eq!((late[2], late[6]), (0, 0), "{partitioner:?} {late:?}");
        for led in [0, 3, 4, 7] {
            assert!(counts[led] > 10, "{partitioner:?} {counts:?}");
        }
    }
}

#[test]
fn records_go_to_some_partition_when_none_has_a_leader() {
    for partitioner in SPREADING {
        let mut stage = Stage::new(partitioner, 2, |config| {
            config.batch_size = 0;
            config.delivery_timeout = Some(config.request_timeout);
        });
        // Nobody leads them while only broker 1 is there to ask.
        let replicas = [vec![BrokerId(2)], vec![BrokerId(2)]];
        stage.world.control(|cluster| {
            cluster.create_topic_at(TOPIC, cluster.config().topic, &replicas);
        });
        stage.take_down([2]);
        stage.know(TOPIC);
        let records: Vec<_> = (0..100).map(|_| stage.send(TOPIC, None, 10)).collect();
        let counts = histogram(&stage.partitions(&records), 2);
        assert!(
            counts[0] > 20 && counts[1] > 20,
            "{partitioner:?} {counts:?}"
        );
    }
}

#[test]
fn a_partition_that_is_added_is_used() {
    for partitioner in SPREADING {
        let mut stage = Stage::new(partitioner, 3, |config| {
            config.batch_size = 100;
            config.metadata_max_age = ms(100);
        });
        stage.topic(TOPIC, 2);
        let before: Vec<_> = (0..50).map(|_| stage.send(TOPIC, None, 40)).collect();
        stage
            .world
            .control(|cluster| cluster.add_partitions(TOPIC, 3));
        stage.run_for(ms(200));
        let after: Vec<_> = (0..150).map(|_| stage.send(TOPIC, None, 40)).collect();
        assert_eq!(histogram(&stage.partitions(&before), 3)[2], 0);
        let counts = histogram(&stage.partitions(&after), 3);
        assert!(counts.iter().all(|n| *n > 25), "{partitioner:?} {counts:?}");
    }
}

/// What one seed does with a partitioner: the partition of every record, and a checksum of every
/// byte that was sent, and when.
fn run(seed: u64, partitioner: Partitioner) -> (Vec<usize>, u32) {
    let mut stage = Stage::seeded(seed, partitioner, 3, |config| config.batch_size = 300);
    stage.topic(TOPIC, 12);
    let mut records = Vec::new();
    for number in 0..200_u32 {
        let key = number.to_be_bytes();
        records.push(stage.send(TOPIC, (number % 3 == 0).then_some(&key[..]), 50));
        if number % 7 == 0 {
            stage.run_for(ms(1));
        }
    }
    (stage.partitions(&records), stage.world.digest())
}

#[test]
fn the_same_seed_makes_the_same_choices() {
    for partitioner in Partitioner::ALL {
        let first = run(1, partitioner);
        assert_eq!(first, run(1, partitioner), "{partitioner:?}");
        let draws = SPREADING.contains(&partitioner) && partitioner != Partitioner::RoundRobin;
        let is_other = first.0 != run(2, partitioner).0;
        assert_eq!(is_other, draws, "{partitioner:?} draws by its seed");
    }
}
