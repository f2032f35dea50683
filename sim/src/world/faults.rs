//! What goes wrong in a world, and how it heals.

use core::time::Duration;

use titorelli::{ConnId, Instant};

use super::{Connection, World};
use crate::cluster::{BrokerId, Cluster};
use crate::fault::Fault;
use crate::marks::Mark;
use crate::network::{Direction, Network};
use crate::sight::Sight;

/// Brokers that move go to ports from here on, where none has ever been.
const PORTS_TO_MOVE_TO: u16 = 20_000;

impl World {
    /// Does something to the cluster, now.
    pub fn control(&mut self, action: impl FnOnce(&mut Cluster)) {
        self.touch_cluster();
        action(&mut self.cluster);
        self.settle();
    }

    /// The open connections to a broker that it has accepted.
    fn connections_to(&self, broker: BrokerId) -> Vec<ConnId> {
        let is_there = |connection: &Connection| {
            connection.is_open && connection.peer.is_some() && connection.broker == Some(broker)
        };
        let connections = self.connections.rows();
        connections
            .filter(|(_, c)| is_there(c))
            .map(|(conn, _)| conn)
            .collect()
    }

    fn on_connections(
        &mut self,
        broker: BrokerId,
        mut strike: impl FnMut(&mut Network, Instant, ConnId),
    ) {
        for conn in self.connections_to(broker) {
            strike(&mut self.network, self.now, conn);
        }
    }

    /// A fault strikes now. What it needs and is not there (a broker, a partition) makes it miss.
    pub fn inflict(&mut self, fault: &Fault) {
        self.note("fault", format_args!("{fault:?}"));
        self.mark_fault(fault);
        self.sights.fault(fault);
        self.touch_cluster();
        self.watch_fault(fault);
        match fault {
            Fault::Cut(broker) => self.on_connections(*broker, Network::cut),
            Fault::CutRequestsAfter(broker, bytes) => {
                let way = Direction::ToBroker;
                self.on_connections(*broker, |net, _, conn| net.cut_after(conn, way, *bytes));
            }
            Fault::CutResponsesAfter(broker, bytes) => {
                let way = Direction::ToClient;
                self.on_connections(*broker, |net, _, conn| net.cut_after(conn, way, *bytes));
            }
            Fault::Silence(broker) => {
                self.on_connections(*broker, |net, _, conn| net.silence(conn));
            }
            Fault::Swallow(broker) => {
                self.on_connections(*broker, |net, _, conn| net.swallow(conn));
            }
            Fault::Clog(broker, bytes) => {
                self.on_connections(*broker, |net, _, conn| net.clog(conn, *bytes));
            }
            Fault::Delay(broker, extra) => {
                self.on_connections(*broker, |net, _, conn| net.delay(conn, *extra));
            }
            Fault::Stall(broker) => drop(self.stalled.insert(*broker)),
            Fault::Admit(broker) => drop(self.stalled.remove(broker)),
            Fault::Garble(broker, garbling) => drop(self.garbled.insert(*broker, *garbling)),
            Fault::Distort(broker, distortion) => self.cluster.distort_next(*broker, *distortion),
            Fault::Starve(span) => self.naps.begin(self.now, self.now + *span),
            Fault::Leap(span) => self.leap(*span),
            Fault::Readdress(broker) => {
                self.moves += 1;
                let port = PORTS_TO_MOVE_TO + self.moves;
                self.cluster.readdress(*broker, port);
            }
            Fault::SwapAddresses(one, other) => self.cluster.swap_addresses(*one, *other),
            Fault::Down(broker) => self.cluster.set_down(*broker),
            Fault::Up(broker) => self.cluster.set_up(*broker),
            Fault::Restart(broker) => self.cluster.close_connections(*broker),
            Fault::Upgrade(broker, release) => self.cluster.upgrade(*broker, *release),
            Fault::RefuseId(error_code) => self.cluster.refuse_next_id(*error_code),
            Fault::Throttle(broker, throttle_ms) => {
                let millis = u64::try_from(*throttle_ms).unwrap_or(0);
                self.throttled.insert(*broker, millis);
                self.cluster.throttle(*broker, *throttle_ms);
            }
            Fault::Lag(broker) => self.cluster.lag(*broker),
            Fault::Blank(broker) => self.cluster.blank(*broker),
            Fault::Mislead(broker, lie) => self.cluster.mislead(*broker, *lie),
            Fault::CatchUp(broker) => self.cluster.catch_up(*broker),
            Fault::HoldReplicas(broker) => self.cluster.hold_replicas(*broker, true),
            Fault::FreeReplicas(broker) => self.cluster.hold_replicas(*broker, false),
            Fault::MoveLeader { topic, .. }
            | Fault::ReplaceLeader { topic, .. }
            | Fault::ElectUnclean { topic, .. }
            | Fault::FailNext { topic, .. }
            | Fault::ForgetProducers(topic, _)
            | Fault::LimitBatches(topic, _)
            | Fault::LiftLimit(topic)
            | Fault::Permit(topic, _)
            | Fault::AddPartition(topic)
            | Fault::Delete(topic)
            | Fault::Recreate(topic, _) => inflict_on_topic(&mut self.cluster, fault, topic),
        }
        self.settle();
    }

    /// The clock jumps; nothing happens in between.
    fn leap(&mut self, span: Duration) {
        let from = self.now;
        self.now = from + span;
        self.idle_calls = 0;
        self.naps.skip(from, self.now);
    }

    /// The run came across this.
    pub(crate) fn see(&mut self, sight: Sight) {
        self.sights.see(sight);
    }

    /// A fault will strike when so many steps have been taken.
    pub fn ambush(&mut self, at_step: u64, fault: Fault) {
        self.ambushes.push((at_step, fault));
    }

    /// Ends every fault: brokers are up where they were, know everything, nothing is scripted,
    /// forbidden, throttled, slow or about to be cut, and the core is called. Topics that are
    /// deleted stay so.
    pub fn heal(&mut self) {
        self.mark(|| Mark::Heals);
        self.touch_cluster();
        self.network.heal();
        self.stalled.clear();
        self.garbled.clear();
        self.throttled.clear();
        let brokers: Vec<BrokerId> = self.cluster.config().brokers.iter().map(|b| b.id).collect();
        for broker in brokers {
            self.cluster.set_up(broker);
            self.cluster.throttle(broker, 0);
            self.cluster.catch_up(broker);
            self.cluster.send_away(broker, false);
        }
        self.cluster.sync_replicas();
        self.cluster.restore_addresses();
        self.cluster.forgive();
        self.cluster.permit();
        self.cluster.lift_limits();
        self.wake();
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

/// A fault of a topic, which may not be there, nor the partition.
fn inflict_on_topic(cluster: &mut Cluster, fault: &Fault, topic: &str) {
    let count = cluster.partition_count(topic);
    if let Fault::Recreate(_, partitions) = fault {
        if count > 0 {
            cluster.delete_topic(topic);
        }
        return cluster.create_topic(topic, *partitions);
    }
    if count == 0 {
        return;
    }
    if let Fault::Permit(_, access) = fault {
        cluster.set_access(topic, *access);
    } else if let Fault::ForgetProducers(_, partition) = fault {
        if *partition < count {
            cluster.forget_producers(topic, *partition);
        }
    } else if let Fault::LimitBatches(_, bytes_max) = fault {
        cluster.limit_batches(topic, *bytes_max);
    } else if let Fault::LiftLimit(_) = fault {
        let bytes_max = cluster.config().topic.max_message_bytes;
        cluster.limit_batches(topic, bytes_max);
    } else if let Fault::AddPartition(_) = fault {
        cluster.add_partitions(topic, count + 1);
    } else if let Fault::Delete(_) = fault {
        cluster.delete_topic(topic);
    } else if let Fault::MoveLeader {
        partition, leader, ..
    } = fault
        && *partition < count
    {
        cluster.move_leader(topic, *partition, *leader);
    } else if let Fault::ReplaceLeader {
        partition, leader, ..
    } = fault
        && *partition < count
    {
        cluster.replace_leader(topic, *partition, *leader);
    } else if let Fault::ElectUnclean {
        partition, leader, ..
    } = fault
        && *partition < count
    {
        cluster.elect_unclean(topic, *partition, *leader);
    } else if let Fault::FailNext {
        partition,
        error_code,
        append,
        ..
    } = fault
        && *partition < count
    {
        cluster.fail_next(topic, *partition, *error_code, *append);
    }
}
