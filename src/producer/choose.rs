//! Where a record goes: where it says, else where its key says, else where the topic's records are
//! spread to.

use super::ProducerCore;
use super::waiting::Want;
use crate::boundary::Ticket;
use crate::config::Partitioner;
use crate::partitioner;
use crate::partitioner::spread::{self, Fed};
use crate::record::Record;
use crate::sender::Sender;
use crate::slot::{PartitionSlot, TopicSlot};
use crate::wire::record_batch::HEADER_BYTES;

impl ProducerCore {
    /// The record's partition, or what has to be known first.
    #[inline]
    pub(super) fn choose_partition(
        &mut self,
        topic: TopicSlot,
        record: &Record<'_>,
    ) -> Result<PartitionSlot, Want> {
        let Sender {
            metadata,
            accumulator,
            config,
            ..
        } = &self.sender;
        let known = metadata.topic(topic);
        if let Some(partition) = record.partition {
            return match place(&known.partitions, partition) {
                Some(partition) => Ok(partition),
                None if known.is_known() => Err(Want::Partition(topic, partition)),
                None => Err(Want::Topic(topic)),
            };
        }
        let key = record.key.filter(|_| !config.partitioner_ignore_keys);
        // Where a batch fills, the next record joins it (KIP-480). A partitioner that has a place
        // for null keys keeps nothing.
        if key.is_none()
            && let Some(partition) = known.spread.kept()
            && accumulator.has_open(partition)
        {
            return Ok(partition);
        }
        let count = known.partitions.len();
        match partitioner::partition_for_key(config.partitioner, key, count) {
            Some(index) => Ok(known.partitions[index]),
            None => self.spread(topic),
        }
    }

    /// Where its key alone puts a record that names no partition, once the topic is known: a log
    /// without keys tells it in their place.
    pub(crate) fn place_of_key(&mut self, record: &Record<'_>) -> Option<i32> {
        let config = &self.sender.config;
        let key = record.key.filter(|_| !config.partitioner_ignore_keys);
        let partitioner = config.partitioner;
        let topic = self.sender.metadata.find(record.topic)?;
        let count = self.sender.metadata.topic(topic).partitions.len();
        let index = partitioner::partition_for_key(partitioner, key, count)?;
        i32::try_from(index)
            .ok()
            .filter(|_| record.partition.is_none())
    }

    /// The partition for a record that no key places.
    #[inline(never)]
    fn spread(&mut self, slot: TopicSlot) -> Result<PartitionSlot, Want> {
        let Sender {
            metadata,
            config,
            rng,
            ..
        } = &mut self.sender;
        let topic = metadata.topic_mut(slot);
        if !topic.is_known() {
            return Err(Want::Topic(slot));
        }
        let count = topic.partitions.len();
        let index = match config.partitioner {
            Partitioner::RoundRobin => topic.spread.take_turn(&topic.available, count),
            Partitioner::Random => spread::draw(&topic.available, count, rng),
            Partitioner::UniformSticky => return Ok(self.keep_for_bytes(slot)),
            Partitioner::Default
            | Partitioner::Sticky
            | Partitioner::Murmur2
            | Partitioner::Murmur2Random
            | Partitioner::Consistent
            | Partitioner::ConsistentRandom
            | Partitioner::Fnv1a
            | Partitioner::Fnv1aRandom => return Ok(self.keep_for_a_batch(slot)),
        };
        Ok(topic.partitions[index])
    }

    /// A partition that is kept until its batch is full or has left (KIP-480).
    fn keep_for_a_batch(&mut self, slot: TopicSlot) -> PartitionSlot {
        let Sender {
            metadata,
            accumulator,
            config,
            rng,
            ..
        } = &mut self.sender;
        let topic = metadata.topic_mut(slot);
        if let Some(kept) = topic.spread.kept()
            && (accumulator.has_open(kept) || topic.spread.awaits_batch())
        {
            return kept;
        }
        let (available, count) = (&topic.available, topic.partitions.len());
        let index = if config.partitioner == Partitioner::Sticky {
            topic.spread.draw_another(available, count, rng)
        } else {
            spread::draw(available, count, rng)
        };
        let partition = topic.partitions[index];
        let has_open = accumulator.has_open(partition);
        topic.spread.keep(partition, index, has_open);
        partition
    }

    /// A partition that is kept for `batch_size` bytes (KIP-794).
    fn keep_for_bytes(&mut self, slot: TopicSlot) -> PartitionSlot {
        let sticky_bytes = self.sticky_bytes();
        let accumulator = &self.sender.accumulator;
        let fed = &mut self.sender.metadata.topic_mut(slot).spread.fed;
        if let Some(fed) = fed
            && !fed.has_enough(sticky_bytes, accumulator.has_open(fed.partition))
        {
            fed.begin(accumulator.open_bytes(fed.partition));
            return fed.partition;
        }
        if self.sender.config.partitioner_adaptive {
            self.look_up_loads(slot);
        }
        let Sender {
            metadata,
            accumulator,
            rng,
            ..
        } = &mut self.sender;
        let topic = metadata.topic_mut(slot);
        let (available, count) = (&topic.available, topic.partitions.len());
        let index = topic.spread.draw_by_load(available, count, rng);
        let partition = topic.partitions[index];
        let fed = topic.spread.fed.insert(Fed::new(partition));
        fed.begin(accumulator.open_bytes(partition));
        partition
    }

    /// Brings the loads of a topic's partitions up to date. Partitions without a leader have none;
    /// what the sender leaves out neither.
    fn look_up_loads(&mut self, slot: TopicSlot) {
        let sender = &mut self.sender;
        let spread = &mut sender.metadata.topic_mut(slot).spread;
        if spread.loads.is_fresh(sender.now) {
            return;
        }
        let mut loads = core::mem::take(&mut spread.loads);
        let topic = sender.metadata.topic(slot);
        let load = |index: &usize| Some((*index, sender.load_of(topic.partitions[*index])?));
        loads.remake(sender.now, topic.available.iter().filter_map(load));
        sender.metadata.topic_mut(slot).spread.loads = loads;
    }

    /// How many bytes a partition is kept for; a `batch_size` of 0 counts as 1, as in Java.
    fn sticky_bytes(&self) -> usize {
        self.sender.config.batch_size.max(1)
    }

    /// A record opened a batch.
    pub(super) fn on_batch_opened(&mut self, partition: PartitionSlot) {
        let metadata = &mut self.sender.metadata;
        let topic = metadata.topic_mut(metadata.partition(partition).topic);
        topic.spread.on_batch_opened(partition);
    }

    /// A record was accepted, with `uniform_sticky`: it counts, if it was spread.
    #[inline(never)]
    pub(super) fn count_produced(&mut self, partition: PartitionSlot, ticket: Ticket) {
        let sticky_bytes = self.sticky_bytes();
        let Sender {
            metadata,
            accumulator,
            ..
        } = &mut self.sender;
        let topic = metadata.partition(partition).topic;
        let spread = &mut metadata.topic_mut(topic).spread;
        let Some(fed) = &mut spread.fed else { return };
        let is_first = ticket.index == 0;
        // A new batch counts with its header, as in Java.
        let header_bytes = if is_first { HEADER_BYTES } else { 0 };
        let after_bytes = header_bytes + accumulator.body_bytes(ticket.batch);
        fed.end(after_bytes, is_first);
        if fed.has_enough(sticky_bytes, accumulator.has_open(fed.partition)) {
            spread.fed = None;
        }
    }

    /// A record for which a partition was chosen was not accepted: it has not had its turn.
    #[cold]
    pub(super) fn on_not_appended(&mut self, partition: PartitionSlot, record: &Record<'_>) {
        let Sender {
            metadata, config, ..
        } = &mut self.sender;
        let topic = metadata.partition(partition).topic;
        let spread = &mut metadata.topic_mut(topic).spread;
        if config.partitioner == Partitioner::RoundRobin && record.partition.is_none() {
            spread.give_back_turn();
        }
        if let Some(fed) = &mut spread.fed {
            fed.cancel();
        }
    }
}

/// The partition of this number.
#[inline]
fn place(partitions: &[PartitionSlot], number: i32) -> Option<PartitionSlot> {
    partitions.get(usize::try_from(number).ok()?).copied()
}
