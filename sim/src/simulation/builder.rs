//! What a simulation is made from.

use core::time::Duration;
use std::fmt;
use std::rc::Rc;

use titorelli::Config;
use titorelli::handle::CustomPartitioner;
use titorelli::handle::driver::refuse_second_partitioner;

use super::Simulation;
use super::shared::Shared;
use crate::cluster::{ClusterConfig, Strictness, TopicConfig};
use crate::network::{NetworkConfig, Span};
use crate::story::ms;
use crate::world::{World, WorldConfig};

/// A simulation to be built, by [`Simulation::builder`].
#[derive(Clone)]
#[must_use = "a simulation is built by `start`, or for many seeds by `each`"]
pub struct SimulationBuilder {
    seed: u64,
    core: Config,
    cluster: ClusterConfig,
    network: NetworkConfig,
    topics: Vec<(String, TopicConfig)>,
    partitioner: Option<Rc<dyn CustomPartitioner>>,
}

impl SimulationBuilder {
    pub(super) fn new() -> Self {
        Self {
            seed: 0,
            core: Config::default(),
            cluster: ClusterConfig {
                strictness: Strictness::Strict,
                ..ClusterConfig::with_brokers(3)
            },
            network: NetworkConfig {
                latency: Span::between(Duration::from_micros(200), ms(5)),
                ..NetworkConfig::default()
            },
            topics: Vec::new(),
            partitioner: None,
        }
    }

    /// What latencies and chaos are drawn from; 0 unless it is set.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// So many brokers; three unless it is set.
    pub fn brokers(mut self, count: u16) -> Self {
        self.cluster.brokers = ClusterConfig::with_brokers(count).brokers;
        self
    }

    /// A topic that is there from the beginning. Others are created when they are first asked for.
    pub fn topic(self, name: &str, partitions: i32) -> Self {
        let config = TopicConfig {
            partitions,
            ..self.cluster.topic
        };
        self.topic_with(name, config)
    }

    /// A topic with everything that can be said of one.
    pub fn topic_with(mut self, name: &str, config: TopicConfig) -> Self {
        self.topics.push((name.to_owned(), config));
        self
    }

    /// The producer's configuration; its bootstrap servers are replaced by the cluster's.
    pub fn config(mut self, config: Config) -> Self {
        self.core = config;
        self
    }

    /// One key of the producer's configuration, by any client's name for it.
    ///
    /// # Panics
    /// There is no such key, or the value is none for it.
    #[track_caller]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        if let Err(error) = self.core.set(key, value) {
            panic!("{error}");
        }
        self
    }

    /// Every chunk takes between these from one end to the other.
    pub fn latency(mut self, least: Duration, most: Duration) -> Self {
        self.network.latency = Span::between(least, most);
        self
    }

    /// All that lies between the producer and the cluster.
    pub fn network(mut self, network: NetworkConfig) -> Self {
        self.network = network;
        self
    }

    /// Changes anything else of the cluster: releases, limits, whether topics are created.
    pub fn cluster(mut self, change: impl FnOnce(&mut ClusterConfig)) -> Self {
        change(&mut self.cluster);
        self
    }

    /// Chooses partitions by this, for records that name none.
    pub fn partitioner(mut self, partitioner: impl CustomPartitioner + 'static) -> Self {
        self.partitioner = Some(Rc::new(partitioner));
        self
    }

    /// The simulation, in which nothing has happened.
    ///
    /// # Panics
    /// The producer's configuration cannot work.
    #[must_use]
    #[track_caller]
    pub fn start(self) -> Simulation {
        let checked = match &self.partitioner {
            Some(_) => refuse_second_partitioner(&self.core),
            None => Ok(()),
        };
        if let Err(error) = checked.and_then(|()| self.core.check()) {
            panic!("{error}");
        }
        let mut world = World::new(WorldConfig {
            seed: self.seed,
            core: self.core,
            cluster: self.cluster,
            network: self.network,
        });
        for (name, config) in &self.topics {
            world.control(|cluster| cluster.create_topic_with(name, *config));
        }
        Simulation::of(self.seed, Shared::new(world, self.partitioner))
    }

    /// Runs a test for many seeds, each in a simulation of its own that is brought to its end. The
    /// first that fails is named.
    pub fn each(self, seeds: impl IntoIterator<Item = u64>, mut test: impl FnMut(&Simulation)) {
        for seed in seeds {
            let simulation = self.clone().seed(seed).start();
            test(&simulation);
            simulation.finish();
        }
    }
}

impl fmt::Debug for SimulationBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimulationBuilder")
            .field("seed", &self.seed)
            .field("core", &self.core)
            .finish_non_exhaustive()
    }
}
