//! One request to one answer.

use core::time::Duration;
use std::collections::BTreeSet;

use bytes::Bytes;
use titorelli::Instant;

use super::append::{AppendContext, Refusal, append, only_batch};
use super::append_set::append_set;
use super::behaviour::{Behaviour, NullRecords};
use super::config::{Access, BrokerId, OnUnknown, Strictness};
use super::event::BatchOutcome;
use super::peer::PeerId;
use super::topic::Partition;
use super::waiting::{Handled, Pending, Produced};
use super::{Cluster, ClusterOutput};
use crate::codec::{
    ApiKey, ApiRange, ApiVersionsRequest, ApiVersionsResponse, BatchHeader, LeaderHint,
    MetadataBroker, PartitionAnswer, ProducePartition, ProduceRequest, Request, RequestHeader,
    TopicAnswer, TopicName, client_id, decode_request, error_code, request_header,
};

/// The cluster closes the connection for this reason.
pub(super) type CloseReason = &'static str;

/// A scripted code that no broker sends: the answer leaves the partition out.
pub const OMIT_ANSWER: i16 = i16::MIN;

/// A scripted code that no broker sends: the connection closes in place of the answer.
pub const LOSE_ANSWER: i16 = i16::MIN + 1;

/// Why it closes then.
pub(super) const ANSWER_LOST: CloseReason = "the answer is lost";

/// Without an answer, closing is how a broker says that a batch was refused.
pub(super) const ACKS_NONE_REFUSED: CloseReason = "a batch with acks=0 was refused";

/// How brokers before 0.10 answer the question which versions they speak: no fault of who asks.
pub(super) const NO_API_VERSIONS: CloseReason = "the broker has no ApiVersions";

/// The first Produce version with record batches.
const BATCHES_SINCE: i16 = 3;
/// acks=−1: all replicas in sync.
pub(super) const ACKS_ALL: i16 = -1;
/// acks=0: no answer is wanted.
pub(super) const ACKS_NONE: i16 = 0;

impl Cluster {
    /// Handles one whole frame.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        peer: PeerId,
        broker: BrokerId,
        frame: &Bytes,
    ) -> Result<(), CloseReason> {
        let mut header = request_header(frame).map_err(|_| "no request header")?;
        let known = ApiKey::from_wire(header.api_key);
        let Some((api, range)) = known.and_then(|api| Some((api, self.announced(broker, api)?)))
        else {
            return self.on_unknown(peer, broker, known, frame);
        };
        let behaviour = self.behaviour(broker);
        let Some(version) = self.layout(behaviour, api, range, header.api_version) else {
            return self.on_unsupported(peer, broker, range, &header);
        };
        header.api_version = version;
        let request = match decode_request(frame, api, version) {
            Ok(request) => request,
            Err(reason) => return self.on_unreadable(peer, broker, reason.0),
        };
        if !behaviour.takes_any_client_id && !is_fit_for_jmx(frame) {
            self.mute(peer);
            return Ok(());
        }
        let handled = Handled {
            behaviour,
            now,
            peer,
            broker,
            api,
            header,
        };
        match request {
            Request::Produce(request) => return self.produce(handled, &request),
            Request::Metadata(request) => {
                let answer = self.metadata(broker, version, &request);
                self.transmit(peer, answer.encode(version, handled.header.correlation_id));
            }
            Request::ApiVersions(request) => {
                let answer = self.api_versions(broker, version, &request);
                self.transmit(peer, answer.encode(version, handled.header.correlation_id));
            }
            Request::InitProducerId(request) => {
                let answer = self.init_producer_id(broker, &request)?;
                self.transmit(peer, answer.encode(version, handled.header.correlation_id));
            }
        }
        self.tell(|| handled.event(true, Vec::new()));
        Ok(())
    }

    /// A request of an API that this broker does not have.
    fn on_unknown(
        &mut self,
        peer: PeerId,
        broker: BrokerId,
        known: Option<ApiKey>,
        frame: &[u8],
    ) -> Result<(), CloseReason> {
        let state = self.broker(broker).expect("a connection leads to a broker");
        match state.config.on_unknown {
            OnUnknown::Close if known == Some(ApiKey::ApiVersions) => Err(NO_API_VERSIONS),
            // Before it looks at the API, 0.9 reads the header of one that it does not know.
            OnUnknown::Silence if client_id(frame).is_err() => Err("no request header"),
            OnUnknown::Close => Err("unknown API"),
            OnUnknown::Silence => {
                self.mute(peer);
                Ok(())
            }
        }
    }

    /// A request that this broker cannot read. A strict one says so, and does not fall silent.
    fn on_unreadable(
        &mut self,
        peer: PeerId,
        broker: BrokerId,
        reason: CloseReason,
    ) -> Result<(), CloseReason> {
        let state = self.broker(broker).expect("a connection leads to a broker");
        match state.config.on_unknown {
            OnUnknown::Silence if !self.is_strict() => {
                self.mute(peer);
                Ok(())
            }
            OnUnknown::Close | OnUnknown::Silence => Err(reason),
        }
    }

    /// A frame that is too short for a header.
    pub(super) fn on_short_frame(&mut self, peer: PeerId, broker: BrokerId, length: usize) {
        if length < self.behaviour(broker).silent_frames_below && !self.is_strict() {
            return self.mute(peer);
        }
        if let Err(reason) = self.on_unreadable(peer, broker, "no request header") {
            self.close(peer, reason, false);
        }
    }

    /// A version that this broker does not know.
    fn on_unsupported(
        &mut self,
        peer: PeerId,
        broker: BrokerId,
        range: ApiRange,
        header: &RequestHeader,
    ) -> Result<(), CloseReason> {
        if range.api_key != ApiKey::ApiVersions.to_wire() {
            return self.on_unreadable(peer, broker, "unsupported version");
        }
        // KIP-511: layout 0, and the range of ApiVersions itself to try again with.
        let names_range = self.behaviour(broker).names_own_range;
        let answer = ApiVersionsResponse {
            error_code: error_code::UNSUPPORTED_VERSION,
            api_keys: if names_range { vec![range] } else { Vec::new() },
            throttle_time_ms: 0,
        };
        self.transmit(peer, answer.encode(0, header.correlation_id));
        Ok(())
    }

    /// The version in whose layout a request of this version is read, if it is.
    fn layout(
        &self,
        behaviour: Behaviour,
        api: ApiKey,
        range: ApiRange,
        version: i16,
    ) -> Option<i16> {
        let (mut version_min, version_max) = api.supported();
        if api == ApiKey::Produce && !range.takes_message_sets() {
            version_min = BATCHES_SINCE;
        }
        let (first, last) = (
            version_min.max(range.version_min),
            version_max.min(range.version_max),
        );
        let is_known = (first..=last).contains(&version);
        let is_guessed = behaviour.guesses_versions && !self.is_strict();
        (is_known || is_guessed).then(|| version.min(last).max(first))
    }

    fn is_strict(&self) -> bool {
        self.config.strictness == Strictness::Strict
    }

    /// Nothing more is read from this connection, nor answered.
    fn mute(&mut self, peer: PeerId) {
        self.peers.get_mut(&peer).expect("it sent this").is_mute = true;
    }

    pub(super) fn transmit(&mut self, peer: PeerId, bytes: Bytes) {
        self.outputs
            .push_back(ClusterOutput::Transmit { peer, bytes });
    }

    fn announced(&self, broker: BrokerId, api: ApiKey) -> Option<ApiRange> {
        let broker = self.broker(broker).expect("a connection leads to a broker");
        broker
            .config
            .api_ranges
            .iter()
            .find(|range| range.api_key == api.to_wire())
            .copied()
    }

    pub(super) fn throttle_of(&self, broker: BrokerId) -> i32 {
        self.broker(broker).map_or(0, |broker| broker.throttle_ms)
    }

    fn api_versions(
        &self,
        broker: BrokerId,
        version: i16,
        request: &ApiVersionsRequest,
    ) -> ApiVersionsResponse {
        let mut answer = ApiVersionsResponse::default();
        if version >= 3 && !request.is_software_well_formed() {
            answer.error_code = error_code::INVALID_REQUEST;
            return answer;
        }
        if version >= 5 {
            answer.error_code = self.check_identity(broker, request);
        }
        if answer.error_code == error_code::NONE {
            let state = self.broker(broker).expect("a connection leads to a broker");
            answer.api_keys.clone_from(&state.config.api_ranges);
            answer.throttle_time_ms = state.throttle_ms;
        }
        answer
    }

    /// KIP-1242: whether the client talks to whom it believes. Both parts are given, or none.
    fn check_identity(&self, broker: BrokerId, request: &ApiVersionsRequest) -> i16 {
        match (&request.cluster_id, request.node_id) {
            (None, -1) => error_code::NONE,
            (None, _) | (Some(_), -1) => error_code::INVALID_REQUEST,
            (Some(cluster_id), node_id) => {
                if *cluster_id == self.config.cluster_id && node_id == broker.0 {
                    error_code::NONE
                } else {
                    error_code::REBOOTSTRAP_REQUIRED
                }
            }
        }
    }

    fn produce(&mut self, handled: Handled, request: &ProduceRequest) -> Result<(), CloseReason> {
        let items = || request.topics.iter().flat_map(|topic| &topic.partitions);
        if items().any(|item| item.records.is_none()) {
            match handled.behaviour.null_records {
                NullRecords::Close => return Err("null records"),
                NullRecords::Silence => {
                    self.mute(handled.peer);
                    return Ok(());
                }
                NullRecords::Fail => {}
            }
        }
        if !handled.behaviour.refuses_bad_batches && handled.header.api_version >= BATCHES_SINCE {
            let mut batches = items().filter_map(|item| item.records.as_ref());
            if batches.any(|records| handled.only_batch(records).is_err()) {
                return Err("not one record batch per partition");
            }
        }
        let (mut topics, mut outcomes) = (Vec::new(), Vec::new());
        let (mut pending, mut seen) = (Vec::new(), BTreeSet::new());
        for (place, topic) in request.topics.iter().enumerate() {
            let index = match &topic.topic {
                TopicName::Name(name) => self.by_name.get(name).copied(),
                TopicName::Id(id) => self.by_id.get(id).copied(),
            };
            let mut partitions = Vec::with_capacity(topic.partitions.len());
            for item in &topic.partitions {
                // The same partition twice: one entry in the answer, one batch is dropped.
                if !seen.insert((topic.topic.clone(), item.partition)) {
                    continue;
                }
                let (answer, effect) = self.produce_batch(&handled, request, index, item);
                if is_written(answer.error_code) {
                    let answer = (place, partitions.len());
                    pending.extend(self.pending(index, item.partition, answer, outcomes.len()));
                }
                if self.config.tells_events {
                    outcomes.push(self.outcome(index, &answer, effect));
                }
                if answer.error_code != OMIT_ANSWER {
                    partitions.push(answer);
                }
            }
            topics.push(TopicAnswer {
                topic: topic.topic.clone(),
                partitions,
            });
        }
        let patience = u64::try_from(request.timeout_ms).unwrap_or(0);
        self.conclude(Produced {
            acks: request.acks,
            deadline: handled.now + Duration::from_millis(patience),
            handled,
            topics,
            outcomes,
            pending,
        })
    }

    /// What acks=all waits for: that followers have all that is in the log.
    fn pending(
        &self,
        topic: Option<usize>,
        partition: i32,
        answer: (usize, usize),
        outcome: usize,
    ) -> Option<Pending> {
        let topic = topic?;
        let state = self.topics[topic].as_ref()?.partition(partition)?;
        let end = state.log.next_offset();
        Some(Pending {
            topic,
            partition,
            end,
            answer,
            outcome,
        })
    }

    /// One batch: its answer, and what it did.
    fn produce_batch(
        &mut self,
        handled: &Handled,
        request: &ProduceRequest,
        topic: Option<usize>,
        item: &ProducePartition,
    ) -> (PartitionAnswer, Effect) {
        let index = item.partition;
        let refuse = |error_code| (PartitionAnswer::refused(index, error_code), Effect::None);
        let version = handled.header.api_version;
        let Some(topic) = topic else {
            return refuse(match version {
                ..=12 => error_code::UNKNOWN_TOPIC_OR_PARTITION,
                13.. => error_code::UNKNOWN_TOPIC_ID,
            });
        };
        let (live_count, pace) = (self.live_replicas(topic, index), self.pace());
        let topic = self.topics[topic].as_mut().expect("a named topic is there");
        if topic.access != Access::Write {
            return refuse(error_code::TOPIC_AUTHORIZATION_FAILED);
        }
        let context = AppendContext {
            config: &self.config,
            topic: &topic.config,
            broker: handled.broker,
            behaviour: handled.behaviour,
            now: handled.now,
        };
        let Some(partition) = usize::try_from(index)
            .ok()
            .and_then(|index| topic.partitions.get_mut(index))
        else {
            return refuse(error_code::UNKNOWN_TOPIC_OR_PARTITION);
        };
        let payload = match Payload::read(handled, item.records.as_ref(), context.is_strict()) {
            Ok(payload) => payload,
            Err(refusal) => return (refusal.into_answer(index), Effect::None),
        };
        let are_acks_odd = !(ACKS_ALL..=1).contains(&request.acks);
        if are_acks_odd && (handled.behaviour.refuses_odd_acks || context.is_strict()) {
            return refuse(error_code::INVALID_REQUIRED_ACKS);
        }
        if partition.leader != Some(handled.broker) {
            return (not_leader(index, partition), Effect::None);
        }
        let scripted = partition.scripted.pop_front();
        if let Some(failure) = scripted.filter(|failure| !failure.append) {
            return (
                PartitionAnswer::refused(index, failure.error_code),
                Effect::Scripted,
            );
        }
        partition.advance(handled.now, pace);
        let in_sync = partition.replication.in_sync.len();
        if request.acks == ACKS_ALL && in_sync < topic.config.min_insync_replicas {
            let mut answer = PartitionAnswer::refused(index, error_code::NOT_ENOUGH_REPLICAS);
            answer.log_start_offset = 0;
            return (answer, Effect::None);
        }
        let (mut answer, mut effect) = write(context, partition, index, &payload, version);
        if effect == Effect::Appended {
            partition.on_append(handled.now, pace);
        }
        let wanted = usize::try_from(request.acks).unwrap_or(0);
        if are_acks_odd && wanted > live_count && answer.error_code == error_code::NONE {
            // Kafka 0.8 waits for more replicas than there are.
            answer.error_code = error_code::REQUEST_TIMED_OUT;
        }
        if let Some(failure) = scripted.filter(|_| answer.error_code == error_code::NONE) {
            answer = failure.answer(index, answer);
            effect = Effect::ScriptedAppended;
        }
        (answer, effect)
    }

    fn live_replicas(&self, topic: usize, partition: i32) -> usize {
        let topic = self.topics[topic].as_ref().expect("a named topic is there");
        let replicas = topic.partition(partition).map_or(&[][..], |p| &p.replicas);
        replicas.iter().filter(|id| self.is_up(**id)).count()
    }

    fn outcome(
        &self,
        topic: Option<usize>,
        answer: &PartitionAnswer,
        effect: Effect,
    ) -> BatchOutcome {
        let topic = topic.and_then(|index| self.topics[index].as_ref());
        BatchOutcome {
            topic: topic.map(|topic| topic.name.clone()).unwrap_or_default(),
            partition: answer.partition,
            error_code: answer.error_code,
            base_offset: answer.base_offset,
            is_appended: matches!(effect, Effect::Appended | Effect::ScriptedAppended),
            is_scripted: matches!(effect, Effect::Scripted | Effect::ScriptedAppended),
        }
    }

    /// The addresses of the leaders that the answers of a broker hint at.
    pub(super) fn hinted_endpoints(
        &self,
        broker: BrokerId,
        topics: &[TopicAnswer],
    ) -> Vec<MetadataBroker> {
        let answers = topics.iter().flat_map(|topic| &topic.partitions);
        let ids: BTreeSet<i32> = answers
            .filter_map(|answer| answer.current_leader)
            .map(|hint| hint.leader_id)
            .collect();
        let known = self.belief(broker).map(|belief| belief.brokers.clone());
        let mut known =
            known.unwrap_or_else(|| self.brokers.iter().map(super::Broker::endpoint).collect());
        known.retain(|broker| ids.contains(&broker.node_id));
        known
    }
}

/// What a partition of a request carries.
enum Payload<'a> {
    /// From v3 on.
    Batch(Box<BatchHeader>),
    /// Before, not looked at yet.
    Set(&'a Bytes),
}

impl<'a> Payload<'a> {
    /// Looks at it as far as the request layer does.
    fn read(
        handled: &Handled,
        records: Option<&'a Bytes>,
        is_strict: bool,
    ) -> Result<Self, Refusal> {
        let records = records.ok_or(Refusal::by_log(error_code::UNKNOWN_SERVER_ERROR))?;
        if handled.header.api_version < BATCHES_SINCE {
            return Ok(Self::Set(records));
        }
        let batch = handled.only_batch(records)?;
        let is_looked_at = handled.behaviour.authorizes_transactions || is_strict;
        if batch.is_transactional() && is_looked_at {
            let code = error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
            return Err(Refusal::early(code));
        }
        Ok(Self::Batch(Box::new(batch)))
    }
}

/// Writes to the log: the answer, and whether there is more in the log now.
fn write(
    context: AppendContext<'_>,
    partition: &mut Partition,
    index: i32,
    payload: &Payload<'_>,
    version: i16,
) -> (PartitionAnswer, Effect) {
    let offset_before = partition.log.next_offset();
    let answer = match payload {
        Payload::Batch(batch) => append(context, partition, index, batch),
        Payload::Set(set) => append_set(context, partition, index, set, version),
    }
    .unwrap_or_else(|refusal| refusal.into_answer(index));
    let effect = if partition.log.next_offset() > offset_before {
        Effect::Appended
    } else {
        Effect::None
    };
    (answer, effect)
}

/// Whether a code says that a batch is in the log, for which acks=all waits.
const fn is_written(error_code: i16) -> bool {
    matches!(
        error_code,
        error_code::NONE | error_code::DUPLICATE_SEQUENCE_NUMBER
    )
}

/// What a batch did to the log, and on whose word it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Nothing: refused, or a duplicate.
    None,
    /// It was appended.
    Appended,
    /// Nothing, as a test had scripted.
    Scripted,
    /// It was appended, but the answer is a scripted error.
    ScriptedAppended,
}

/// Whether a client id can be part of the name of a JMX bean.
fn is_fit_for_jmx(frame: &[u8]) -> bool {
    let id = client_id(frame).ok().flatten().unwrap_or_default();
    id.is_ascii() && !id.contains([',', '=', ':', '"', '*', '?', '\n'])
}

/// Somebody else leads; who, if anybody.
fn not_leader(index: i32, partition: &Partition) -> PartitionAnswer {
    PartitionAnswer {
        current_leader: leader_hint(partition),
        ..PartitionAnswer::refused(index, error_code::NOT_LEADER_OR_FOLLOWER)
    }
}

/// Who leads a partition, for who asked the wrong one (KIP-951).
pub(super) fn leader_hint(partition: &Partition) -> Option<LeaderHint> {
    partition.leader.map(|leader| LeaderHint {
        leader_id: leader.0,
        leader_epoch: partition.leader_epoch,
    })
}

impl Handled {
    fn only_batch(&self, records: &Bytes) -> Result<BatchHeader, Refusal> {
        only_batch(self.behaviour, records, self.header.api_version)
    }
}
