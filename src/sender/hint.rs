//! A broker that leads a partition no more says who does (KIP-951): the batch goes there at once,
//! and metadata is asked for beside it.

use super::Sender;
use crate::slot::PartitionSlot;
use crate::wire::ErrorCode;
use crate::wire::metadata::Broker;
use crate::wire::produce::{NodeEndpoint, PartitionResult};

/// Who leads a partition, as the answer of another broker has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hint {
    partition: PartitionSlot,
    leader: i32,
    epoch: i32,
}

impl Hint {
    /// The hint in this answer about a partition, if it may give one.
    pub(super) fn of(result: &PartitionResult, partition: PartitionSlot) -> Option<Self> {
        let (leader, epoch) = result.current_leader?;
        let is_denial = matches!(
            result.error,
            ErrorCode::NOT_LEADER_OR_FOLLOWER | ErrorCode::FENCED_LEADER_EPOCH
        );
        (is_denial && leader >= 0).then_some(Self {
            partition,
            leader,
            epoch,
        })
    }
}

impl Sender {
    /// Believes the hints in an answer of `node`, as far as they are likely, once their batches are
    /// back in their lanes: a leader of a newer epoch is worth an attempt at once (L8). One that
    /// hints at itself, or at somebody without an address, says nothing (B5).
    pub(super) fn follow(&mut self, hints: &[Hint], node: i32, endpoints: &[NodeEndpoint]) {
        for hint in hints {
            let is_reachable = hint.leader != node && self.is_reachable(hint.leader, endpoints);
            let Hint {
                partition,
                leader,
                epoch,
            } = *hint;
            if is_reachable && self.metadata.hint(partition, leader, epoch) {
                self.meet(leader, endpoints);
                self.on_new_leader(partition);
            }
        }
    }

    /// Whether it is known where this broker listens.
    fn is_reachable(&self, node: i32, endpoints: &[NodeEndpoint]) -> bool {
        let known = self.by_node.get(&node);
        known.is_some_and(|slot| self.brokers[slot.index()].is_current)
            || endpoint(node, endpoints).is_some()
    }

    /// Takes in a broker that metadata did not name. Where one listens that it did, metadata knows.
    fn meet(&mut self, node: i32, endpoints: &[NodeEndpoint]) {
        let Some((told, port)) = endpoint(node, endpoints) else {
            return;
        };
        let Some(slot) = self.by_node.get(&node) else {
            let broker = Broker {
                node_id: node,
                host: told.host.clone(),
                port: told.port,
                rack: None,
            };
            return self.welcome(&[(&broker, port)]);
        };
        let slot = *slot;
        let broker = &mut self.brokers[slot.index()];
        if !broker.is_current {
            broker.is_current = true;
            self.readdress(slot, &told.host, port);
        }
    }
}

/// Where a broker listens, and its port, if that can be one.
fn endpoint(node: i32, endpoints: &[NodeEndpoint]) -> Option<(&NodeEndpoint, u16)> {
    let told = endpoints.iter().find(|told| told.node_id == node)?;
    let port = u16::try_from(told.port).ok().filter(|port| *port > 0)?;
    (!told.host.is_empty()).then_some((told, port))
}
