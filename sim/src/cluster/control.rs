//! What a test or an operator does to the cluster.

use std::collections::BTreeMap;

use super::Cluster;
use super::behaviour::Behaviour;
use super::belief::{Belief, Lie};
use super::config::{Access, BrokerId, TopicConfig};
use super::peer::{Peer, PeerId};
use super::replication::Replication;
use super::topic::{self, ScriptedFailure, Topic};

impl Cluster {
    /// Creates a topic with so many partitions and the cluster's defaults.
    ///
    /// # Panics
    /// The name is taken or not legal, or there are no partitions.
    pub fn create_topic(&mut self, name: &str, partitions: i32) {
        self.create_topic_with(
            name,
            TopicConfig {
                partitions,
                ..self.config.topic
            },
        );
    }

    /// Creates a topic whose replicas are assigned: for every partition its brokers, the preferred
    /// leader first.
    ///
    /// # Panics
    /// As [`Self::create_topic`]; or a partition has no replica, or one that does not exist.
    pub fn create_topic_at(
        &mut self,
        name: &str,
        config: TopicConfig,
        assignment: &[Vec<BrokerId>],
    ) {
        let partitions = i32::try_from(assignment.len()).expect("partitions are counted by i32");
        let config = TopicConfig {
            partitions,
            ..config
        };
        self.create_topic_with(name, config);
        for (index, replicas) in (0..).zip(assignment) {
            let exist = replicas.iter().all(|id| self.broker(*id).is_some());
            assert!(exist && !replicas.is_empty(), "replicas exist");
            let partition = self.partition_mut(name, index);
            partition.replicas.clone_from(replicas);
            partition.replication = Replication::of(replicas);
            partition.leader = replicas.first().copied();
        }
        self.elect();
    }

    /// Creates a topic. Partition `p` is led by the `p`-th broker, counted round and round.
    ///
    /// # Panics
    /// As [`Self::create_topic`].
    pub fn create_topic_with(&mut self, name: &str, config: TopicConfig) {
        let length_max = Behaviour::default().topic_name_max;
        let is_legal = topic::is_legal_name(name, length_max);
        assert!(is_legal, "{name:?} is not a topic's name");
        self.add_topic(name, config);
    }

    /// Creates a topic whose name was looked at.
    pub(super) fn add_topic(&mut self, name: &str, config: TopicConfig) {
        assert!(!self.by_name.contains_key(name), "topic {name:?} exists");
        let index = self.topics.len();
        let serial = u64::try_from(index).expect("fits") + 1;
        let mut id = *b"topic-id\0\0\0\0\0\0\0\0";
        id[8..].copy_from_slice(&serial.to_be_bytes());
        let brokers: Vec<BrokerId> = self.brokers.iter().map(|b| b.config.id).collect();
        let retention = self.config.retention;
        self.topics.push(Some(Topic::new(
            name.to_owned(),
            id,
            config,
            retention,
            &brokers,
        )));
        self.by_name.insert(name.to_owned(), index);
        self.by_id.insert(id, index);
        self.elect();
    }

    /// Deletes a topic; its logs are buried ([`Self::buried_logs`]). A new topic of that name gets
    /// another id.
    ///
    /// # Panics
    /// There is no such topic.
    pub fn delete_topic(&mut self, name: &str) {
        let index = self.by_name.remove(name).expect("the topic exists");
        let topic = self.topics[index].take().expect("a named topic is there");
        self.by_id.remove(&topic.id).expect("a topic has an id");
        self.buried.push(topic);
        self.settle_waiting();
    }

    /// Adds partitions until the topic has `count`.
    ///
    /// # Panics
    /// There is no such topic, or it has more.
    pub fn add_partitions(&mut self, name: &str, count: i32) {
        let brokers: Vec<BrokerId> = self.brokers.iter().map(|b| b.config.id).collect();
        let retention = self.config.retention;
        let topic = self.topic_mut(name);
        let count = usize::try_from(count).expect("not negative");
        assert!(
            count >= topic.partitions.len(),
            "partitions cannot be removed"
        );
        topic.grow(count, retention, &brokers);
        self.elect();
    }

    /// Changes what the producer may do with a topic.
    ///
    /// # Panics
    /// There is no such topic.
    pub fn set_access(&mut self, name: &str, access: Access) {
        self.topic_mut(name).access = access;
    }

    /// Takes back every [`Self::set_access`].
    pub fn permit(&mut self) {
        let topics = self.topics.iter_mut().flatten();
        topics.for_each(|topic| topic.access = Access::default());
    }

    /// `max.message.bytes` of a topic changes: larger batches are refused from now on.
    ///
    /// # Panics
    /// There is no such topic.
    pub fn limit_batches(&mut self, name: &str, bytes_max: usize) {
        self.topic_mut(name).config.max_message_bytes = bytes_max;
    }

    /// Takes back every [`Self::limit_batches`].
    pub fn lift_limits(&mut self) {
        let bytes_max = self.config.topic.max_message_bytes;
        for topic in self.topics.iter_mut().flatten() {
            topic.config.max_message_bytes = bytes_max;
        }
    }

    /// Moves a partition's leadership, under a new leader epoch. A broker that is not in sync, or
    /// no replica, catches up before; one in sync may lack what acks=all still waits for, and that
    /// is lost. Nothing happens if the broker is down.
    ///
    /// # Panics
    /// There is no such partition or broker.
    pub fn move_leader(&mut self, topic: &str, partition: i32, broker: BrokerId) {
        self.change_leader(topic, partition, broker, 1);
    }

    /// [`Self::move_leader`] under the epoch that was: two brokers lead in it, one after the other.
    ///
    /// # Panics
    /// As [`Self::move_leader`].
    pub fn replace_leader(&mut self, topic: &str, partition: i32, broker: BrokerId) {
        self.change_leader(topic, partition, broker, 0);
    }

    fn change_leader(&mut self, topic: &str, partition: i32, broker: BrokerId, epochs: i32) {
        assert!(self.broker(broker).is_some(), "{broker} exists");
        if !self.is_up(broker) {
            return;
        }
        let (now, pace) = (self.now, self.pace());
        let state = self.partition_mut(topic, partition);
        state.advance(now, pace);
        if !state.replication.in_sync.contains(&broker) {
            state.assign(broker);
        }
        let epoch = state.leader_epoch + epochs;
        state.lead(Some(broker), false);
        // Before anybody is told.
        state.leader_epoch = epoch;
        self.elect();
    }

    /// An unclean election: a live replica leads from now on, though it may not be in sync. What it
    /// does not have is lost, whatever was acknowledged. Nothing happens if the broker is down, no
    /// replica, or the leader already.
    ///
    /// # Panics
    /// There is no such partition.
    pub fn elect_unclean(&mut self, topic: &str, partition: i32, broker: BrokerId) {
        let is_up = self.is_up(broker);
        let (now, pace) = (self.now, self.pace());
        let state = self.partition_mut(topic, partition);
        if is_up && state.replicas.contains(&broker) && state.leader != Some(broker) {
            state.advance(now, pace);
            state.lead(Some(broker), true);
            self.elect();
        }
    }

    /// A broker fetches nothing from leaders from now on, or does so again. It stays in sync until
    /// it is behind for [`ClusterConfig::replica_lag_max`](super::ClusterConfig::replica_lag_max).
    ///
    /// # Panics
    /// There is no such broker.
    pub fn hold_replicas(&mut self, broker: BrokerId, is_held: bool) {
        self.broker_mut(broker).is_held = is_held;
        self.elect();
    }

    /// Takes back every [`Self::hold_replicas`]; live replicas have everything at once, and are in
    /// sync.
    pub fn sync_replicas(&mut self) {
        for broker in &mut self.brokers {
            broker.is_held = false;
        }
        self.elect();
        let topics = self.topics.iter_mut().flatten();
        let partitions = topics.flat_map(|topic| &mut topic.partitions);
        for partition in partitions.filter(|partition| partition.leader.is_some()) {
            partition.fetch_all();
        }
        self.elect();
    }

    /// Takes a broker down: its connections close, connects are refused, and its partitions get
    /// the next live replica in sync as leader, if there is one.
    ///
    /// # Panics
    /// There is no such broker.
    pub fn set_down(&mut self, broker: BrokerId) {
        self.broker_mut(broker).is_up = false;
        self.close_connections(broker);
        if self.controller_behaviour().shrinking_raises_epoch {
            let topics = self.topics.iter_mut().flatten();
            for partition in topics.flat_map(|topic| &mut topic.partitions) {
                // A partition that moves has its epoch raised by the election.
                if partition.replicas.contains(&broker) && partition.leader != Some(broker) {
                    partition.leader_epoch += 1;
                }
            }
        }
        self.elect();
    }

    /// Brings a broker up again. It leads what had no leader and where it is in sync.
    ///
    /// # Panics
    /// There is no such broker.
    pub fn set_up(&mut self, broker: BrokerId) {
        self.broker_mut(broker).is_up = true;
        self.elect();
    }

    /// Makes a broker one of another release: major, minor and patch number. Its connections close,
    /// as with a restart.
    ///
    /// # Panics
    /// There is no such broker.
    pub fn upgrade(&mut self, broker: BrokerId, release: (u16, u16, u16)) {
        self.close_connections(broker);
        self.broker_mut(broker).config.play(release);
    }

    /// Closes every connection to a broker, as a restart or an idle limit does.
    pub fn close_connections(&mut self, broker: BrokerId) {
        let of_broker = |(peer, state): (&PeerId, &Peer)| (state.broker == broker).then_some(*peer);
        let peers: Vec<PeerId> = self.peers.iter().filter_map(of_broker).collect();
        for peer in peers {
            self.close(peer, "the broker goes down", true);
        }
    }

    /// Answers the next batch for a partition with this error code; `append`: the batch is written
    /// all the same, as with `REQUEST_TIMED_OUT`. Several calls queue up. With
    /// [`OMIT_ANSWER`](super::OMIT_ANSWER) the answer leaves the partition out; with
    /// [`LOSE_ANSWER`](super::LOSE_ANSWER) the connection closes in place of the answer.
    ///
    /// # Panics
    /// There is no such partition.
    pub fn fail_next(&mut self, topic: &str, partition: i32, error_code: i16, append: bool) {
        let failure = ScriptedFailure { error_code, append };
        self.partition_mut(topic, partition)
            .scripted
            .push_back(failure);
    }

    /// Takes back every [`Self::fail_next`], [`Self::refuse_next_id`] and [`Self::distort_next`]
    /// that has not hit yet.
    pub fn forgive(&mut self) {
        let partitions = self
            .topics
            .iter_mut()
            .flatten()
            .flat_map(|t| &mut t.partitions);
        partitions.for_each(|partition| partition.scripted.clear());
        self.refused_ids.clear();
        self.brokers.iter_mut().for_each(|b| b.distortion = None);
    }

    /// Forgets what a partition knows of producers, as after `producer.id.expiration.ms`.
    ///
    /// # Panics
    /// There is no such partition.
    pub fn forget_producers(&mut self, topic: &str, partition: i32) {
        let state = self.partition_mut(topic, partition);
        if state.producers.forget(state.log.next_offset()) {
            state.log.note_forgotten();
        }
    }

    /// Announces this throttle time in every answer of a broker, in milliseconds.
    ///
    /// # Panics
    /// There is no such broker.
    pub fn throttle(&mut self, broker: BrokerId, throttle_ms: i32) {
        self.broker_mut(broker).throttle_ms = throttle_ms;
    }

    /// A broker tells from now on what is true now, whatever changes: its metadata lags.
    ///
    /// # Panics
    /// There is no such broker.
    pub fn lag(&mut self, broker: BrokerId) {
        let belief = self.observe();
        self.broker_mut(broker).belief = Some(belief);
    }

    /// A broker tells from now on what one tells that has just started: it knows itself, and no
    /// topic.
    ///
    /// # Panics
    /// There is no such broker.
    pub fn blank(&mut self, broker: BrokerId) {
        let state = self.broker_mut(broker);
        state.belief = Some(Belief {
            brokers: vec![state.endpoint()],
            topics: BTreeMap::new(),
        });
    }

    /// A broker tells from now on what is true now but for this.
    ///
    /// # Panics
    /// There is no such broker.
    pub fn mislead(&mut self, broker: BrokerId, lie: Lie) {
        let mut belief = self.observe();
        belief.falsify(lie);
        self.broker_mut(broker).belief = Some(belief);
    }

    /// From now on a broker sends whoever asks for metadata back to the bootstrap servers, or does
    /// so no more (KIP-1102). Only clients that speak Metadata v13 hear of it.
    ///
    /// # Panics
    /// There is no such broker.
    pub fn send_away(&mut self, broker: BrokerId, does: bool) {
        self.broker_mut(broker).sends_away = does;
    }

    /// From now on brokers say that they are this cluster.
    pub fn rename(&mut self, cluster_id: &str) {
        cluster_id.clone_into(&mut self.config.cluster_id);
    }

    /// A broker has heard of everything, and tells the truth again.
    ///
    /// # Panics
    /// There is no such broker.
    pub fn catch_up(&mut self, broker: BrokerId) {
        self.broker_mut(broker).belief = None;
    }

    /// A broker restarts at another port of its host. Nobody listens at the old one.
    ///
    /// # Panics
    /// There is no such broker.
    pub fn readdress(&mut self, broker: BrokerId, port: u16) {
        self.close_connections(broker);
        self.broker_mut(broker).config.port = port;
    }

    /// Two brokers restart, each at the address of the other.
    ///
    /// # Panics
    /// One of them does not exist.
    pub fn swap_addresses(&mut self, one: BrokerId, other: BrokerId) {
        let port = self.broker_mut(one).config.port;
        let other_port = self.broker_mut(other).config.port;
        self.readdress(one, other_port);
        self.readdress(other, port);
    }

    /// Every broker is back at the address that it had at first.
    pub fn restore_addresses(&mut self) {
        let first: Vec<(BrokerId, u16)> =
            self.config.brokers.iter().map(|b| (b.id, b.port)).collect();
        for (broker, port) in first {
            if self.broker_mut(broker).config.port != port {
                self.readdress(broker, port);
            }
        }
    }
}
