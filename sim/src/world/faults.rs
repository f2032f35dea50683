//! What goes wrong in a world, and how it heals.

use titorelli::ConnId;

use super::{Connection, World};
use crate::cluster::{BrokerId, Cluster};
use crate::fault::Fault;
use crate::network::Direction;

impl World {
    /// Does something to the cluster, now.
    pub fn control(&mut self, action: impl FnOnce(&mut Cluster)) {
        action(&mut self.cluster);
        self.settle();
    }

    /// The open connections to a broker that it has accepted.
    fn connections_to(&self, broker: BrokerId) -> Vec<ConnId> {
        let is_there = |connection: &Connection| {
            connection.is_open && connection.peer.is_some() && connection.broker == Some(broker)
        };
        let connections = self.connections.iter();
        connections
            .filter(|(_, c)| is_there(c))
            .map(|(conn, _)| *conn)
            .collect()
    }

    /// A fault strikes now. What it needs and is not there (a broker, a partition) makes it miss.
    pub fn inflict(&mut self, fault: &Fault) {
        self.note("fault", format_args!("{fault:?}"));
        self.sights.fault(fault);
        match fault {
            Fault::Cut(broker) => {
                for conn in self.connections_to(*broker) {
                    self.network.cut(self.now, conn);
                }
            }
            Fault::CutRequestsAfter(broker, bytes) => {
                for conn in self.connections_to(*broker) {
                    self.network.cut_after(conn, Direction::ToBroker, *bytes);
                }
            }
            Fault::CutResponsesAfter(broker, bytes) => {
                for conn in self.connections_to(*broker) {
                    self.network.cut_after(conn, Direction::ToClient, *bytes);
                }
            }
            Fault::Silence(broker) => {
                for conn in self.connections_to(*broker) {
                    self.network.silence(conn);
                }
            }
            Fault::Stall(broker) => drop(self.stalled.insert(*broker)),
            Fault::Down(broker) => self.cluster.set_down(*broker),
            Fault::Up(broker) => self.cluster.set_up(*broker),
            Fault::Throttle(broker, throttle_ms) => self.cluster.throttle(*broker, *throttle_ms),
            Fault::MoveLeader {
                topic,
                partition,
                leader,
            } => {
                if *partition < self.cluster.partition_count(topic) {
                    self.cluster.move_leader(topic, *partition, *leader);
                }
            }
            Fault::FailNext {
                topic,
                partition,
                error_code,
                append,
            } => {
                if *partition < self.cluster.partition_count(topic) {
                    self.cluster
                        .fail_next(topic, *partition, *error_code, *append);
                }
            }
            Fault::Permit(topic, access) => {
                if self.cluster.has_topic(topic) {
                    self.cluster.set_access(topic, *access);
                }
            }
            Fault::AddPartition(topic) => {
                let count = self.cluster.partition_count(topic);
                if count > 0 {
                    self.cluster.add_partitions(topic, count + 1);
                }
            }
        }
        self.settle();
    }

    /// A fault will strike when so many steps have been taken.
    pub fn ambush(&mut self, at_step: u64, fault: Fault) {
        self.ambushes.push((at_step, fault));
    }

    /// Ends every fault: brokers are up, nothing is scripted, forbidden, throttled, slow or about
    /// to be cut.
    pub fn heal(&mut self) {
        self.network.heal();
        self.stalled.clear();
        let brokers: Vec<BrokerId> = self.cluster.config().brokers.iter().map(|b| b.id).collect();
        for broker in brokers {
            self.cluster.set_up(broker);
            self.cluster.throttle(broker, 0);
        }
        self.cluster.forgive();
        self.cluster.permit();
        self.settle();
    }

    /// Inflicts the faults whose step has come.
    pub(super) fn strike(&mut self) {
        while let Some(index) = self.ambushes.iter().position(|(at, _)| *at <= self.steps) {
            let (_, fault) = self.ambushes.remove(index);
            self.inflict(&fault);
        }
    }
}
