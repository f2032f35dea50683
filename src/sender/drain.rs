//! From lanes to requests: what is ready leaves, in turn, as much as fits.

use super::Sender;
use crate::accumulator::batch::{Content, Place};
use crate::boundary::{ConnId, Output};
use crate::connection::in_flight::{Carried, RequestKind};
use crate::error::DeliveryCause;
use crate::metrics::BatchSent;
use crate::seal::{SealJob, Source};
use crate::slot::{BatchSlot, BrokerSlot, PartitionSlot};
use crate::wire::record_batch::{HEADER_BYTES, Sequence, Stamp};
use crate::wire::{RequestHead, Uuid, produce};
use bytes::Bytes;

/// The most a produce request needs besides names, client id and batches: length, header, acks,
/// timeout, counts and tags, rounded up.
const REQUEST_OVERHEAD_BYTES: usize = 64;
/// The same for a topic with its one partition: lengths, id, counts, index and tags.
const PARTITION_OVERHEAD_BYTES: usize = 40;

impl Sender {
    /// Sends what can be sent, broker by broker.
    pub(super) fn drain(&mut self) {
        for index in 0..self.brokers.len() {
            self.drain_to(BrokerSlot::at(index));
        }
    }

    fn drain_to(&mut self, slot: BrokerSlot) {
        if let Some(conn) = self.brokers[slot.index()].conn {
            // A throttle may have held them up.
            self.emit_drafts(conn);
        }
        if self.brokers[slot.index()].ring.is_empty() {
            return;
        }
        let Some(conn) = self.brokers[slot.index()].conn else {
            self.dismiss_idle(slot);
            let broker = &self.brokers[slot.index()];
            if !broker.ring.is_empty() && broker.retry_at <= self.now {
                self.connect(slot);
            }
            return;
        };
        while self.has_room(conn) {
            // What a draft left behind may be all that a lane waited for, before it goes on.
            self.restart_sequences();
            let Some((version, carried)) = self.pick(slot, conn) else {
                return;
            };
            self.brokers[slot.index()].ready_since = self.now;
            self.draft(conn, version, carried);
        }
    }

    /// Lanes whose batches have ended while they stood in the ring leave it: nobody is connected
    /// to for their sake.
    fn dismiss_idle(&mut self, slot: BrokerSlot) {
        let ring = &mut self.brokers[slot.index()].ring;
        while let Some(partition) = ring.front() {
            let lane = &mut self.lanes[partition.index()];
            if lane.has_work() {
                return;
            }
            lane.ring = None;
            ring.pop_front();
        }
    }

    /// Whether a produce request may go out on this connection now.
    pub(super) fn has_room(&self, conn: ConnId) -> bool {
        let connection = &self.connections[&conn];
        let is_throttled = self.brokers[connection.broker.index()].throttled_until > self.now;
        !is_throttled && connection.room(self.rules.max_in_flight).is_some()
    }

    /// Takes one batch of each lane in the ring, as far as they fit into one request; with the
    /// version of that, which the format of the first one decides.
    fn pick(&mut self, broker: BrokerSlot, conn: ConnId) -> Option<(i16, Vec<Carried>)> {
        let mut picked = Vec::new();
        let mut version = None;
        let mut bytes = REQUEST_OVERHEAD_BYTES + self.config.client_id().len();
        for _ in 0..self.brokers[broker.index()].ring.len() {
            let Some(partition) = self.brokers[broker.index()].ring.pop_front() else {
                break;
            };
            let lane = &mut self.lanes[partition.index()];
            lane.ring = None;
            let Some(body_bytes) = self.next_bytes(partition, conn) else {
                continue;
            };
            let next_version = self.next_version(partition, conn);
            if next_version.is_none() {
                self.refuse_next(partition, conn);
                continue;
            }
            if !self.may_number(partition) {
                continue;
            }
            let topic = self.metadata.topic_of(partition);
            let overhead = HEADER_BYTES + PARTITION_OVERHEAD_BYTES + topic.name.len();
            let is_too_much = bytes + overhead + body_bytes > self.config.max_request_size;
            if !picked.is_empty() && (is_too_much || version != next_version) {
                let lane = &mut self.lanes[partition.index()];
                lane.ring = Some(broker);
                self.brokers[broker.index()].ring.push_front(partition);
                break;
            }
            version = next_version;
            bytes += overhead + body_bytes;
            let topic_id = topic.id;
            let slot = self.take_next(partition, conn);
            let batch = self.accumulator.batch(slot).id;
            picked.push(Carried {
                batch,
                partition,
                topic_id,
            });
            self.mark_ready(partition);
        }
        Some((version?, picked))
    }

    /// The version of Produce for what the lane would send next, if the broker takes its format
    /// and the codec.
    fn next_version(&self, partition: PartitionSlot, conn: ConnId) -> Option<i16> {
        let next = self.lanes[partition.index()].queue.front();
        let format = match next {
            Some(slot) => self.accumulator.batch(*slot).format,
            None => self.accumulator.format(),
        };
        let has_id = self.metadata.topic_of(partition).id != Uuid::ZERO;
        let versions = self.connections[&conn].versions()?;
        if self.config.enable_idempotence && versions.init_producer_id.is_none() {
            return None;
        }
        let version = versions.produce_for(format, has_id);
        version.filter(|version| *version >= self.config.compression.produce_version_min())
    }

    /// The lane's next batch is in a format, or compressed in a way, that its leader does not take.
    fn refuse_next(&mut self, partition: PartitionSlot, conn: ConnId) {
        let queued = self.lanes[partition.index()].queue.front().copied();
        let slot = queued.or_else(|| self.accumulator.open_slot(partition));
        let slot = slot.expect("the lane has something to send");
        let format = self.accumulator.batch(slot).format;
        let versions = self.connections[&conn].versions();
        let takes_format = versions.is_some_and(|v| v.produce_for(format, false).is_some());
        let is_idempotent = self.config.enable_idempotence;
        let words = if is_idempotent && versions.is_some_and(|v| v.init_producer_id.is_none()) {
            "batches with sequence numbers (enable_idempotence), which came with Kafka 0.11".into()
        } else if takes_format {
            format!("{}, which came with Kafka 2.1", self.config.compression)
        } else {
            format!("records of format {format}, as another broker of the cluster wants")
        };
        self.fail(slot, DeliveryCause::Unsupported(words.into()));
        self.mark_ready(partition);
    }

    /// The size of the body that the lane would send next, if it may send.
    fn next_bytes(&self, partition: PartitionSlot, conn: ConnId) -> Option<usize> {
        let lane = &self.lanes[partition.index()];
        let Some(slot) = lane.queue.front() else {
            let may_send = lane.is_open_due && lane.may_send(conn, false, self.rules);
            return may_send.then(|| self.accumulator.open_bytes(partition));
        };
        let batch = self.accumulator.batch(*slot);
        let body_bytes = match &batch.content {
            Content::Raw(body) => body.len(),
            Content::Sealed { body, .. } => body.len(),
            // The most it can be.
            Content::Part(part) => part.raw_bytes,
            // It comes back to the ring when it comes back sealed.
            Content::Away => return None,
            Content::Open => unreachable!("what is queued is closed"),
        };
        let is_retry = batch.history.attempts > 0;
        let may_send =
            batch.history.not_before <= self.now && lane.may_send(conn, is_retry, self.rules);
        may_send.then_some(body_bytes)
    }

    /// Takes the lane's next batch; an open one closes now, so that it could grow until now.
    fn take_next(&mut self, partition: PartitionSlot, conn: ConnId) -> BatchSlot {
        if !self.lanes[partition.index()].queue.is_empty() {
            self.count_backlog(partition, false);
        }
        let lane = &mut self.lanes[partition.index()];
        let slot = lane.queue.pop_front().unwrap_or_else(|| {
            lane.is_open_due = false;
            self.accumulator
                .close(partition)
                .expect("a due lane has an open batch")
        });
        if !self.lanes[partition.index()].sequences.is_shifted() {
            self.number(slot);
        }
        self.put_down_drained(slot);
        let draft = self.connections[&conn].next_draft();
        let batch = self.accumulator.batch_mut(slot);
        batch.place = Place::Drained { conn, draft };
        let is_retry = batch.history.attempts > 0;
        self.lanes[partition.index()].on_drained(conn, is_retry);
        slot
    }

    /// Begins a request: asks for the seals it lacks, and sends it when there are none.
    fn draft(&mut self, conn: ConnId, version: i16, mut carried: Vec<Carried>) {
        carried.sort_by_key(|carried| {
            let partition = self.metadata.partition(carried.partition);
            (partition.topic, partition.index)
        });
        let mut unsealed = 0;
        for carried in &carried {
            let slot = self
                .accumulator
                .find(carried.batch)
                .expect("picked just now");
            let batch = self.accumulator.batch_mut(slot);
            let source = match core::mem::replace(&mut batch.content, Content::Away) {
                Content::Raw(raw) => Source::Raw(raw),
                Content::Part(part) => Source::Part(part),
                other @ (Content::Open | Content::Away | Content::Sealed { .. }) => {
                    batch.content = other;
                    continue;
                }
            };
            unsealed += 1;
            batch.stamped = batch.sequence;
            let stamp = Stamp {
                codec: self.config.compression,
                record_count: batch.record_count,
                base_timestamp: batch.base_timestamp_ms,
                max_timestamp: batch.max_timestamp_ms,
                sequence: batch.sequence.unwrap_or(Sequence::NONE),
                is_transactional: false,
            };
            let level = self.config.compression_level;
            let job = SealJob {
                batch: carried.batch,
                source,
                level,
                format: batch.format,
                stamp,
            };
            self.outputs.push_back(Output::Seal(job));
        }
        let connection = self
            .connections
            .get_mut(&conn)
            .expect("drained to a live connection");
        connection.push_draft(version, carried, unsealed);
        self.emit_drafts(conn);
    }

    /// Sends the drafts that lack no seal, in order: the first that does holds up the rest, or
    /// batches of a partition would overtake each other. None goes to a broker that has begun to
    /// throttle meanwhile (L14).
    pub(super) fn emit_drafts(&mut self, conn: ConnId) {
        while let Some(connection) = self.connections.get_mut(&conn) {
            let throttled_until = self.brokers[connection.broker.index()].throttled_until;
            if !connection.has_sealed_draft() || throttled_until > self.now {
                return;
            }
            let draft = connection.drafts.pop_front().expect("looked at");
            self.send_produce_request(conn, draft.version, draft.carried);
        }
    }

    fn send_produce_request(&mut self, conn: ConnId, version: i16, carried: Vec<Carried>) {
        let carried = self.leave_behind(carried);
        if carried.is_empty() {
            return;
        }
        let connection = self
            .connections
            .get_mut(&conn)
            .expect("drafted on a live connection");
        let correlation_id = connection.take_correlation_id();
        let chunks = self.encode_produce_request(version, correlation_id, &carried);
        for carried in &carried {
            let slot = self.accumulator.find(carried.batch).expect("retained");
            let batch = self.accumulator.batch_mut(slot);
            batch.place = Place::InFlight(conn);
            self.stats.batches += 1;
            self.stats.batch_records += u64::from(batch.record_count);
        }
        self.stats.produce_requests += 1;
        self.measure(&carried);
        self.emit(
            conn,
            correlation_id,
            version,
            RequestKind::Produce(carried),
            chunks,
        );
    }

    /// Those of a draft that leave, with their numbers in their headers. A batch that expired
    /// meanwhile stays behind: it was never sent. So does one that an older batch of its partition,
    /// which came back meanwhile, has to go before (S7d), that would be the second at a leader or
    /// epoch that is new since the draft was made (S7e), or whose number would come behind a doubt
    /// that arose meanwhile (I3).
    fn leave_behind(&mut self, drafted: Vec<Carried>) -> Vec<Carried> {
        let mut leaving = Vec::with_capacity(drafted.len());
        for carried in drafted {
            let Some(slot) = self.accumulator.find(carried.batch) else {
                self.lanes[carried.partition.index()].on_returned();
                self.mark_ready(carried.partition);
                continue;
            };
            let batch = self.accumulator.batch(slot);
            let lane = &self.lanes[carried.partition.index()];
            let older = lane.queue.front();
            let is_passing =
                older.is_some_and(|older| self.accumulator.batch(*older).ordinal < batch.ordinal);
            let is_first = batch.history.attempts == 0;
            let may_leave = lane.may_leave(self.rules) && !lane.sequences.must_restart();
            if is_first && (is_passing || !may_leave) {
                let lane = &mut self.lanes[carried.partition.index()];
                lane.on_returned();
                lane.on_left_behind();
                self.take_back_numbers(slot);
                self.requeue(slot);
                continue;
            }
            self.number(slot);
            self.accumulator.restamp(slot);
            let lane = &mut self.lanes[carried.partition.index()];
            lane.on_left();
            self.accumulator.batch_mut(slot).history.reign = lane.reign();
            leaving.push(carried);
        }
        leaving
    }

    fn measure(&mut self, carried: &[Carried]) {
        let mut records = 0;
        for carried in carried {
            let slot = self.accumulator.find(carried.batch).expect("retained");
            let batch = self.accumulator.batch(slot);
            let Content::Sealed { front, body } = &batch.content else {
                unreachable!("what is sent is sealed");
            };
            let sent = BatchSent {
                topic: self.metadata.partition(carried.partition).topic,
                records: batch.record_count,
                raw_bytes: batch.raw_bytes,
                record_bytes_max: batch.record_bytes_max,
                header_bytes: front.len(),
                body_bytes: body.len(),
                queued: self.now.since(batch.created),
            };
            records += u64::from(batch.record_count);
            self.meters.on_batch(self.now, &sent);
        }
        self.meters.on_produce(self.now, records);
    }

    fn encode_produce_request(
        &self,
        version: i16,
        correlation_id: i32,
        carried: &[Carried],
    ) -> Vec<Bytes> {
        let mut partitions = Vec::with_capacity(carried.len());
        for carried in carried {
            let slot = self.accumulator.find(carried.batch).expect("retained");
            let Content::Sealed { front, body } = &self.accumulator.batch(slot).content else {
                unreachable!("a draft without unsealed batches has sealed ones only");
            };
            let index = self.metadata.partition(carried.partition).index;
            partitions.push(produce::Partition {
                index,
                front: *front,
                body: body.clone(),
            });
        }
        let same_topic = |a: &Carried, b: &Carried| {
            self.metadata.partition(a.partition).topic == self.metadata.partition(b.partition).topic
        };
        let mut rest = partitions.as_slice();
        let mut topics = Vec::new();
        for group in carried.chunk_by(same_topic) {
            let (these, others) = rest.split_at(group.len());
            rest = others;
            let name = &*self.metadata.topic_of(group[0].partition).name;
            topics.push(produce::Topic {
                name,
                id: group[0].topic_id,
                partitions: these,
            });
        }
        let timeout_ms = self.config.request_timeout.as_millis();
        let request = produce::Request {
            transactional_id: None,
            acks: self.config.acks.code(),
            timeout_ms: i32::try_from(timeout_ms).unwrap_or(i32::MAX),
            topics: &topics,
        };
        let head = RequestHead {
            correlation_id,
            client_id: Some(self.config.client_id()),
        };
        let mut chunks = Vec::with_capacity(2 * carried.len() + 1);
        produce::encode_request(version, &head, &request, &mut chunks);
        chunks
    }
}
