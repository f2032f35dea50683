//! Topics, partitions and who leads them.
//!
//! Owns: what brokers told of the topics the application named. Never: connections, batches.
//! Invariant S15: leader epochs never go back within a topic id, and an erroneous, partial or empty
//! answer deletes nothing.

pub(crate) mod refresh;

use crate::boundary::{PartitionInfo, PartitionLists};
use crate::partitioner::spread::Spread;
use crate::slot::{PartitionSlot, TopicSlot};
use crate::wire::metadata as wire;
use crate::wire::{ErrorCode, Uuid};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A partition's leader that has denied itself so often in a row is one no more, whatever epoch
/// said so.
const DOUBTS_ENOUGH: u8 = 3;

/// No partition has so many elections between two answers about it.
const HINTED_EPOCHS_MAX: i32 = 1_000;

/// A topic the application named.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    /// Its id, or the one that it had before that was doubted.
    last_id: Uuid,
    /// By partition number; empty while unknown.
    pub(crate) partitions: Vec<PartitionSlot>,
    /// What an earlier topic of this name had beyond that, by number: what waits for one of them
    /// goes there if it comes back, and ends in time if not.
    gone: VecDeque<PartitionSlot>,
    /// Numbers of the partitions that have a leader, in order.
    pub(crate) available: Vec<usize>,
    /// Where records go that no key places. Invariant: what it keeps has a leader, unless none had
    /// one when it was drawn.
    pub(crate) spread: Spread,
    /// For who chooses among the partitions; made when somebody asks, until something changes.
    lists: Option<Arc<PartitionLists>>,
    /// The broker's last word about the topic, if it was an error.
    pub(crate) error: Option<ErrorCode>,
}

impl Topic {
    /// Whether its partitions are known.
    pub(crate) fn is_known(&self) -> bool {
        !self.partitions.is_empty()
    }
}

/// A partition of such a topic.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) topic: TopicSlot,
    pub(crate) index: i32,
    /// Node id.
    pub(crate) leader: Option<i32>,
    /// −1 while unknown.
    pub(crate) leader_epoch: i32,
    /// How often the leader has said that it is none, or that there is no such partition, since
    /// an answer named another.
    doubts: u8,
    /// The leader is one that an answer to Produce hinted at: what metadata told of its epoch
    /// before.
    told_before: Option<i32>,
    /// That leader has acknowledged a batch: it leads, whatever its epoch is.
    is_hint_proven: bool,
    replicas: Vec<i32>,
    in_sync_replicas: Vec<i32>,
}

/// The view of the cluster's topics.
#[derive(Debug)]
pub(crate) struct Metadata {
    topics: Vec<Topic>,
    by_name: BTreeMap<Arc<str>, TopicSlot>,
    /// Invariant: the ids of exactly the topics that have one.
    by_id: BTreeMap<Uuid, TopicSlot>,
    /// The topic of the last look-up: the next one is mostly the same.
    last: Option<TopicSlot>,
    partitions: Vec<Partition>,
}

impl Metadata {
    pub(crate) fn new() -> Self {
        Self {
            topics: Vec::new(),
            by_name: BTreeMap::new(),
            by_id: BTreeMap::new(),
            last: None,
            partitions: Vec::new(),
        }
    }

    /// The topic of this name, if the application named it before.
    #[inline]
    pub(crate) fn find(&mut self, name: &str) -> Option<TopicSlot> {
        if let Some(last) = self.last
            && &*self.topics[last.index()].name == name
        {
            return Some(last);
        }
        let found = self.by_name.get(name).copied();
        self.last = found.or(self.last);
        found
    }

    /// The topic of this name, from now on of interest.
    pub(crate) fn intern(&mut self, name: &str) -> TopicSlot {
        if let Some(slot) = self.find(name) {
            return slot;
        }
        let (slot, name) = (TopicSlot::at(self.topics.len()), Arc::<str>::from(name));
        self.topics.push(Topic {
            name: Arc::clone(&name),
            id: Uuid::ZERO,
            last_id: Uuid::ZERO,
            partitions: Vec::new(),
            gone: VecDeque::new(),
            available: Vec::new(),
            spread: Spread::default(),
            lists: None,
            error: None,
        });
        self.by_name.insert(name, slot);
        slot
    }

    pub(crate) fn topic(&self, slot: TopicSlot) -> &Topic {
        &self.topics[slot.index()]
    }

    pub(crate) fn topic_mut(&mut self, slot: TopicSlot) -> &mut Topic {
        &mut self.topics[slot.index()]
    }

    pub(crate) fn topics(&self) -> impl Iterator<Item = (TopicSlot, &Topic)> {
        self.topics
            .iter()
            .enumerate()
            .map(|(index, topic)| (TopicSlot::at(index), topic))
    }

    pub(crate) fn partition(&self, slot: PartitionSlot) -> &Partition {
        &self.partitions[slot.index()]
    }

    pub(crate) fn partition_count(&self) -> usize {
        self.partitions.len()
    }

    /// The name of a partition's topic.
    pub(crate) fn topic_of(&self, slot: PartitionSlot) -> &Topic {
        self.topic(self.partition(slot).topic)
    }

    /// The numbers of a topic's partitions, shared until they change.
    pub(crate) fn lists(&mut self, topic: TopicSlot) -> Arc<PartitionLists> {
        let topic = &mut self.topics[topic.index()];
        let number = |index: &usize| {
            let slot = topic.partitions[*index];
            self.partitions[slot.index()].index
        };
        let lists = topic.lists.get_or_insert_with(|| {
            Arc::new(PartitionLists {
                all: (0..topic.partitions.len())
                    .map(|index| number(&index))
                    .collect(),
                available: topic.available.iter().map(number).collect(),
            })
        });
        Arc::clone(lists)
    }

    /// What is known of a topic's partitions, for the application.
    pub(crate) fn infos(&self, topic: TopicSlot) -> Vec<PartitionInfo> {
        let slots = &self.topic(topic).partitions;
        slots
            .iter()
            .map(|slot| {
                let partition = self.partition(*slot);
                PartitionInfo {
                    partition: partition.index,
                    leader: partition.leader,
                    replicas: partition.replicas.clone(),
                    in_sync_replicas: partition.in_sync_replicas.clone(),
                }
            })
            .collect()
    }

    /// Checks what must always hold; O(partitions).
    pub(crate) fn check_invariants(&self) {
        let is_led = |slot: PartitionSlot| self.partition(slot).leader.is_some();
        for topic in &self.topics {
            let led = (0..topic.partitions.len()).filter(|index| is_led(topic.partitions[*index]));
            assert!(
                led.eq(topic.available.iter().copied()),
                "available is what has a leader"
            );
            let keeps_led = topic.spread.keeps_only(is_led);
            assert!(
                keeps_led || topic.available.is_empty(),
                "records are spread to where a leader is"
            );
        }
    }

    /// Takes over an answer; returns the partitions whose leader is another one, leads in another
    /// epoch, or is none now.
    /// Topics that nobody named are left out (invariant B7).
    pub(crate) fn apply(&mut self, response: &wire::Response) -> Vec<PartitionSlot> {
        let mut changed = Vec::new();
        let nodes: Vec<i32> = response
            .brokers
            .iter()
            .map(|broker| broker.node_id)
            .collect();
        for told in &response.topics {
            let Some(name) = told.name.as_deref() else {
                continue;
            };
            let Some(slot) = self.by_name.get(name).copied() else {
                continue;
            };
            let topic = &mut self.topics[slot.index()];
            topic.error = (told.error != ErrorCode::NONE).then_some(told.error);
            if topic.error.is_some() {
                continue;
            }
            let before = topic.last_id;
            let is_recreated = self.identify(slot, told.id);
            if is_recreated {
                // The new topic counts from its beginning, and nobody has acknowledged anything
                // there: that holds for partitions that the answer leaves out as well (S7e).
                for known in &self.topics[slot.index()].partitions {
                    self.partitions[known.index()].leader_epoch = -1;
                    self.partitions[known.index()].told_before = None;
                    changed.push(*known);
                }
            }
            let count = self.grow(slot, told);
            self.shrink(
                slot,
                count,
                is_recreated && before != Uuid::ZERO,
                &mut changed,
            );
            self.apply_partitions(slot, told, is_recreated, &nodes, &mut changed);
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// The topic's id is this one; whether it was another before. Zero says nothing, and an id
    /// that another topic has is not believed.
    fn identify(&mut self, slot: TopicSlot, id: Uuid) -> bool {
        if id == Uuid::ZERO {
            self.forget_doubted_id(slot);
        }
        let topic = &mut self.topics[slot.index()];
        if id == Uuid::ZERO || id == topic.id || self.by_id.contains_key(&id) {
            return false;
        }
        self.by_id.remove(&topic.id);
        self.by_id.insert(id, slot);
        topic.id = id;
        core::mem::replace(&mut topic.last_id, id) != id
    }

    /// The topic may be another by now, and who is asked may not know ids.
    fn forget_doubted_id(&mut self, slot: TopicSlot) {
        let topic = &mut self.topics[slot.index()];
        let is_doubted = |slot: &PartitionSlot| self.partitions[slot.index()].is_doubted();
        if topic.partitions.iter().any(is_doubted) {
            self.by_id.remove(&topic.id);
            topic.id = Uuid::ZERO;
        }
    }

    /// A leader that denies itself hints at another one (KIP-951). Whether it is believed: it needs
    /// a newer epoch, and one that elections may have come to since metadata was told; and nobody
    /// is passed on twice before a hint has proven true, or metadata told more (B5).
    pub(crate) fn hint(&mut self, slot: PartitionSlot, leader: i32, epoch: i32) -> bool {
        let partition = &mut self.partitions[slot.index()];
        let known = partition.leader_epoch;
        let is_likely =
            known >= 0 && (1..=HINTED_EPOCHS_MAX).contains(&epoch.saturating_sub(known));
        let is_another = partition.leader.is_some_and(|node| node != leader);
        let is_unproven = partition.told_before.is_some() && !partition.is_hint_proven;
        if !is_likely || !is_another || is_unproven {
            return false;
        }
        partition.told_before.get_or_insert(known);
        partition.is_hint_proven = false;
        (partition.leader, partition.leader_epoch) = (Some(leader), epoch);
        partition.doubts = 0;
        true
    }

    /// Nobody is known to lead any more. Returns the partitions that had a leader. Epochs stay, so
    /// that who lags behind is not believed (S15).
    pub(crate) fn forget_leaders(&mut self) -> Vec<PartitionSlot> {
        let mut changed = Vec::new();
        for index in 0..self.topics.len() {
            self.forget_doubted_id(TopicSlot::at(index));
        }
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            if let Some(before) = partition.told_before.take() {
                partition.leader_epoch = before;
            }
            partition.doubts = 0;
            if partition.leader.take().is_some() {
                changed.push(PartitionSlot::at(index));
            }
        }
        for topic in &mut self.topics {
            topic.available.clear();
            topic.lists = None;
        }
        changed
    }

    /// The leader of a partition has acknowledged a batch: it is one.
    pub(crate) fn on_acked(&mut self, slot: PartitionSlot) {
        self.partitions[slot.index()].is_hint_proven = true;
    }

    /// A broker says that it does not lead a partition; `is_missing`: that it knows no such
    /// partition. That bears on nobody but itself: an earlier leader does not speak for the present
    /// one. Whether it is that.
    pub(crate) fn doubt(&mut self, slot: PartitionSlot, node: i32, is_missing: bool) -> bool {
        let partition = &mut self.partitions[slot.index()];
        if partition.leader != Some(node) {
            return false;
        }
        let doubts = partition.doubts.saturating_add(1);
        partition.doubts = if is_missing {
            doubts.max(DOUBTS_ENOUGH)
        } else {
            doubts
        };
        true
    }

    /// Makes room for the partitions that an answer tells of. Returns how many these are.
    fn grow(&mut self, slot: TopicSlot, told: &wire::Topic) -> usize {
        let topic = &mut self.topics[slot.index()];
        // Numbers beyond both counts are absurd, and would make the table as large as they say.
        let count_max = told.partitions.len().max(topic.partitions.len());
        let greatest = told
            .partitions
            .iter()
            .filter_map(|p| usize::try_from(p.index).ok());
        let count = greatest
            .filter(|index| *index < count_max)
            .max()
            .map_or(0, |most| most + 1);
        while topic.partitions.len() < count {
            if let Some(back) = topic.gone.pop_front() {
                topic.partitions.push(back);
                continue;
            }
            let index = i32::try_from(topic.partitions.len()).expect("count came from i32 numbers");
            topic
                .partitions
                .push(PartitionSlot::at(self.partitions.len()));
            self.partitions.push(Partition {
                topic: slot,
                index,
                leader: None,
                leader_epoch: -1,
                doubts: 0,
                told_before: None,
                is_hint_proven: false,
                replicas: Vec::new(),
                in_sync_replicas: Vec::new(),
            });
        }
        count
    }

    /// Takes away what an answer with so many partitions leaves out: all of it when the topic is
    /// another one, else only what its leader denies too. A partial answer deletes nothing (S15).
    fn shrink(
        &mut self,
        slot: TopicSlot,
        count: usize,
        is_another: bool,
        changed: &mut Vec<PartitionSlot>,
    ) {
        let topic = &mut self.topics[slot.index()];
        while count > 0 && topic.partitions.len() > count {
            let last = *topic.partitions.last().expect("more than one");
            let partition = &mut self.partitions[last.index()];
            if !is_another && !partition.is_doubted() {
                return;
            }
            (partition.leader_epoch, partition.doubts) = (-1, 0);
            partition.told_before = None;
            if partition.leader.take().is_some() {
                changed.push(last);
            }
            topic.partitions.pop();
            topic.gone.push_front(last);
        }
    }

    fn apply_partitions(
        &mut self,
        slot: TopicSlot,
        told: &wire::Topic,
        is_recreated: bool,
        nodes: &[i32],
        changed: &mut Vec<PartitionSlot>,
    ) {
        let topic = &mut self.topics[slot.index()];
        for partition in &told.partitions {
            let index = usize::try_from(partition.index).unwrap_or(usize::MAX);
            let Some(known) = topic.partitions.get(index).copied() else {
                continue;
            };
            let identity = (told.id != Uuid::ZERO, is_recreated);
            if self.partitions[known.index()].apply(partition, identity, nodes) {
                changed.push(known);
            }
        }
        let is_led = |known: PartitionSlot| self.partitions[known.index()].leader.is_some();
        let led = |index: &usize| is_led(topic.partitions[*index]);
        topic.available = (0..topic.partitions.len()).filter(led).collect();
        topic.lists = None;
        topic.spread.on_new_leaders(is_led);
    }
}

impl Partition {
    /// Whether its leader is none any more, by its own words.
    fn is_doubted(&self) -> bool {
        self.doubts >= DOUBTS_ENOUGH
    }

    /// Takes over what an answer says; whether the leader is another one now, or its epoch or the
    /// topic is: to a new one it has not acknowledged anything (S7e).
    fn apply(
        &mut self,
        told: &wire::Partition,
        (has_id, is_recreated): (bool, bool),
        nodes: &[i32],
    ) -> bool {
        let before = (self.leader, self.leader_epoch);
        let is_there = self.leader.is_some_and(|node| nodes.contains(&node));
        // A leader that was hinted at, and denies it or is not there, was none.
        if let Some(before) = self.told_before
            && (self.doubts > 0 || !is_there)
        {
            self.leader_epoch = before;
        }
        let is_older = told.leader_epoch >= 0 && told.leader_epoch < self.leader_epoch;
        // Without an id nothing else tells that the topic was deleted and created again.
        let has_leader = is_there && !self.is_doubted();
        let is_reborn = is_older && !has_id && !has_leader;
        if is_older && !is_reborn {
            return false;
        }
        // A leader that is not among the brokers is no leader (KAFKA-9261).
        let leader = Some(told.leader).filter(|node| *node >= 0 && nodes.contains(node));
        // "No leader" without a newer epoch is a broker that does not know better.
        let is_uninformed = leader.is_none()
            && told.error != ErrorCode::NONE
            && !is_recreated
            && told.leader_epoch <= self.leader_epoch;
        if is_uninformed {
            return false;
        }
        if is_reborn || told.leader_epoch > self.leader_epoch || leader != self.leader {
            self.doubts = 0;
        }
        self.leader_epoch = if is_reborn {
            told.leader_epoch
        } else {
            self.leader_epoch.max(told.leader_epoch)
        };
        self.told_before = None;
        self.replicas.clone_from(&told.replicas);
        self.in_sync_replicas.clone_from(&told.in_sync_replicas);
        self.leader = leader;
        let is_another = (leader, self.leader_epoch) != before;
        is_recreated || before.0 != leader || (leader.is_some() && is_another)
    }
}

#[cfg(test)]
mod tests;
