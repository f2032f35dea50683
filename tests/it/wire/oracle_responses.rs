//! Responses of another implementation (the `kafka-protocol` crate), decoded by us at every
//! version and compared with what Kafka's schemas read in the same bytes.

use bytes::BytesMut;
use kafka_protocol::messages::api_versions_response::{ApiVersion, SupportedFeatureKey};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
    TopicProduceResponse,
};
use kafka_protocol::messages::{
    ApiVersionsResponse, BrokerId, InitProducerIdResponse, MetadataResponse, ProduceResponse,
    ProducerId, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Encodable, HeaderVersion, StrBytes};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use titorelli::wire::{
    ApiKey, ErrorCode, Uuid, api_versions, correlation_id, init_producer_id, metadata, produce,
};

use super::json::{assert_covers, of_api_versions, of_init_producer_id, of_metadata, of_produce};
use super::oracle_requests::{text, versions};
use super::schema::Schemas;

pub(super) fn frame<T: Encodable + HeaderVersion>(id: i32, version: i16, response: &T) -> Vec<u8> {
    let mut frame = BytesMut::new();
    let mut header = ResponseHeader::default().with_correlation_id(id);
    if T::header_version(version) >= 1 {
        // What we do not know is skipped.
        header = header.with_unknown_tagged_field(17, "unknown".into());
    }
    header
        .encode(&mut frame, T::header_version(version))
        .unwrap();
    response.encode(&mut frame, version).unwrap();
    frame.to_vec()
}

fn str_bytes() -> impl Strategy<Value = StrBytes> {
    text().prop_map(StrBytes::from_string)
}

fn brokers() -> impl Strategy<Value = Vec<BrokerId>> {
    vec(any::<i32>().prop_map(BrokerId), 0..4)
}

/// Tags that no schema of ours has.
fn unknown_tags(is_flexible: bool) -> impl Strategy<Value = Vec<(i32, Vec<u8>)>> {
    let count = if is_flexible { 0..3 } else { 0..1 };
    btree_map(5..300_i32, vec(any::<u8>(), 0..200), count)
        .prop_map(|tags| tags.into_iter().collect())
}

fn api_versions_response(version: i16) -> impl Strategy<Value = ApiVersionsResponse> {
    let range = (
        any::<i16>(),
        any::<i16>(),
        any::<i16>(),
        unknown_tags(version >= 3),
    );
    let feature = (str_bytes(), any::<i16>());
    let fields = (
        0..35_i16,
        vec(range, 0..5),
        any::<i32>(),
        vec(feature, 0..3),
    );
    fields.prop_map(move |(error, ranges, throttle, features)| {
        let ranges = ranges.into_iter().map(|(key, min, max, tags)| {
            let range = ApiVersion::default().with_api_key(key);
            tags.into_iter().fold(
                range.with_min_version(min).with_max_version(max),
                |range, (tag, bytes)| range.with_unknown_tagged_field(tag, bytes.into()),
            )
        });
        let feature = |(name, max)| {
            SupportedFeatureKey::default()
                .with_name(name)
                .with_max_version(max)
        };
        let response = ApiVersionsResponse::default()
            .with_error_code(error)
            .with_api_keys(ranges.collect())
            .with_throttle_time_ms(throttle);
        if version < 3 {
            return response;
        }
        response
            .with_supported_features(features.into_iter().map(feature).collect())
            .with_finalized_features_epoch(9)
            .with_zk_migration_ready(true)
    })
}

fn metadata_partition(version: i16) -> impl Strategy<Value = MetadataResponsePartition> {
    let ints = (any::<i16>(), any::<i32>(), any::<i32>(), any::<i32>());
    (
        ints,
        brokers(),
        brokers(),
        brokers(),
        unknown_tags(version >= 9),
    )
        .prop_map(
            move |((error, index, leader, epoch), replicas, in_sync, offline, tags)| {
                let partition = MetadataResponsePartition::default()
                    .with_error_code(error)
                    .with_partition_index(index)
                    .with_leader_id(BrokerId(leader))
                    .with_leader_epoch(epoch)
                    .with_replica_nodes(replicas)
                    .with_isr_nodes(in_sync)
                    .with_offline_replicas(offline);
                tags.into_iter().fold(partition, |partition, (tag, bytes)| {
                    partition.with_unknown_tagged_field(tag, bytes.into())
                })
            },
        )
}

fn metadata_response(version: i16) -> impl Strategy<Value = MetadataResponse> {
    let topic = (
        any::<i16>(),
        option::of(str_bytes()),
        any::<[u8; 16]>(),
        any::<bool>(),
        vec(metadata_partition(version), 0..4),
    );
    let broker = (
        any::<i32>(),
        str_bytes(),
        any::<i32>(),
        option::of(str_bytes()),
    );
    let rest = (
        any::<i32>(),
        option::of(str_bytes()),
        any::<i32>(),
        any::<i16>(),
    );
    (vec(broker, 0..4), vec(topic, 0..4), rest).prop_map(
        move |(brokers, topics, (throttle, cluster_id, controller, error))| {
            let broker = |(id, host, port, rack)| {
                MetadataResponseBroker::default()
                    .with_node_id(BrokerId(id))
                    .with_host(host)
                    .with_port(port)
                    .with_rack(rack)
            };
            let topic = |(error, name, id, is_internal, partitions)| {
                let name: Option<StrBytes> = name;
                let name = if version >= 12 {
                    name
                } else {
                    Some(name.unwrap_or_default())
                };
                let topic = MetadataResponseTopic::default()
                    .with_error_code(error)
                    .with_name(name.map(TopicName))
                    .with_is_internal(is_internal)
                    .with_partitions(partitions);
                if version < 10 {
                    return topic;
                }
                let id: [u8; 16] = id;
                topic.with_topic_id(super::schema::hex(&id).parse().unwrap())
            };
            MetadataResponse::default()
                .with_brokers(brokers.into_iter().map(broker).collect())
                .with_topics(topics.into_iter().map(topic).collect())
                .with_throttle_time_ms(throttle)
                .with_cluster_id(cluster_id)
                .with_controller_id(BrokerId(controller))
                .with_error_code(error)
        },
    )
}

fn produce_partition(version: i16) -> impl Strategy<Value = PartitionProduceResponse> {
    let record_error = (any::<i32>(), option::of(str_bytes()));
    let offsets = (any::<i64>(), any::<i64>(), any::<i64>());
    let errors = (vec(record_error, 0..3), option::of(str_bytes()));
    let leader = option::of((any::<i32>(), any::<i32>()));
    (
        any::<i32>(),
        any::<i16>(),
        offsets,
        errors,
        leader,
        unknown_tags(version >= 9),
    )
        .prop_map(
            move |(index, error, offsets, (record_errors, message), leader, tags)| {
                let record_error = |(index, text)| {
                    BatchIndexAndErrorMessage::default()
                        .with_batch_index(index)
                        .with_batch_index_error_message(text)
                };
                let mut partition = PartitionProduceResponse::default()
                    .with_index(index)
                    .with_error_code(error)
                    .with_base_offset(offsets.0)
                    .with_log_append_time_ms(offsets.1)
                    .with_log_start_offset(offsets.2)
                    .with_record_errors(record_errors.into_iter().map(record_error).collect())
                    .with_error_message(message);
                if let Some((node, epoch)) = leader.filter(|_| version >= 10) {
                    let leader = LeaderIdAndEpoch::default().with_leader_id(BrokerId(node));
                    partition = partition.with_current_leader(leader.with_leader_epoch(epoch));
                }
                tags.into_iter().fold(partition, |partition, (tag, bytes)| {
                    partition.with_unknown_tagged_field(tag, bytes.into())
                })
            },
        )
}

fn produce_response(version: i16) -> impl Strategy<Value = ProduceResponse> {
    // Neighbouring topics differ and none is empty: ours has a flat list of partitions.
    let topics = btree_map("[a-z]{0,200}", vec(produce_partition(version), 1..4), 0..4);
    let endpoint = (
        any::<i32>(),
        str_bytes(),
        any::<i32>(),
        option::of(str_bytes()),
    );
    (topics, any::<i32>(), vec(endpoint, 0..3)).prop_map(move |(topics, throttle, endpoints)| {
        let topic = |(id, (name, partitions)): (u128, (String, _))| {
            let topic = TopicProduceResponse::default().with_partition_responses(partitions);
            if version >= 13 {
                topic.with_topic_id(super::schema::hex(&id.to_be_bytes()).parse().unwrap())
            } else {
                topic.with_name(TopicName(StrBytes::from_string(name)))
            }
        };
        let endpoint = |(id, host, port, rack)| {
            NodeEndpoint::default()
                .with_node_id(BrokerId(id))
                .with_host(host)
                .with_port(port)
                .with_rack(rack)
        };
        let response = ProduceResponse::default()
            .with_responses((1 << 127..).zip(topics).map(topic).collect())
            .with_throttle_time_ms(throttle);
        if version < 10 {
            return response;
        }
        response.with_node_endpoints(endpoints.into_iter().map(endpoint).collect())
    })
}

proptest! {
    #[test]
    fn api_versions_responses_are_understood(
        (version, response) in versions(ApiKey::ApiVersions)
            .prop_flat_map(|version| (Just(version), api_versions_response(version))),
        id: i32,
    ) {
        let frame = frame(id, version, &response);
        let theirs = Schemas::of_kafka().response("ApiVersions", version, &frame).unwrap();
        prop_assert_eq!(correlation_id(&frame), Ok(id));
        let ours = api_versions::decode_response(version, &frame).unwrap();
        assert_covers(&of_api_versions(&ours), &theirs, "ApiVersions");
    }

    #[test]
    fn metadata_responses_are_understood(
        (version, response) in versions(ApiKey::Metadata)
            .prop_flat_map(|version| (Just(version), metadata_response(version))),
        id: i32,
    ) {
        let frame = frame(id, version, &response);
        let theirs = Schemas::of_kafka().response("Metadata", version, &frame).unwrap();
        prop_assert_eq!(correlation_id(&frame), Ok(id));
        let ours = metadata::decode_response(version, &frame).unwrap();
        assert_covers(&of_metadata(&ours), &theirs, "Metadata");
        prop_assert_eq!(ours.brokers.len(), response.brokers.len());
    }

    #[test]
    fn init_producer_id_responses_are_understood(
        (version, tags) in versions(ApiKey::InitProducerId)
            .prop_flat_map(|version| (Just(version), unknown_tags(version >= 2))),
        (throttle_time_ms, error) in any::<(i32, i16)>(),
        (producer_id, producer_epoch) in any::<(i64, i16)>(),
        id: i32,
    ) {
        let full = InitProducerIdResponse::default()
            .with_throttle_time_ms(throttle_time_ms)
            .with_error_code(error)
            .with_producer_id(ProducerId(producer_id))
            .with_producer_epoch(producer_epoch);
        let full = tags.into_iter().fold(full, |full, (tag, bytes)| {
            full.with_unknown_tagged_field(tag, bytes.into())
        });
        let frame = frame(id, version, &full);
        let theirs = Schemas::of_kafka().response("InitProducerId", version, &frame).unwrap();
        prop_assert_eq!(correlation_id(&frame), Ok(id));
        let ours = init_producer_id::decode_response(version, &frame).unwrap();
        assert_covers(&of_init_producer_id(&ours), &theirs, "InitProducerId");
    }

    #[test]
    fn produce_responses_are_understood(
        (version, response) in versions(ApiKey::Produce)
            .prop_flat_map(|version| (Just(version), produce_response(version))),
        id: i32,
    ) {
        let frame = frame(id, version, &response);
        let theirs = Schemas::of_kafka().response("Produce", version, &frame).unwrap();
        prop_assert_eq!(correlation_id(&frame), Ok(id));
        let ours = produce::decode_response(version, &frame).unwrap();
        assert_covers(&of_produce(&ours), &theirs, "Produce");
        let leaders = |response: &ProduceResponse| -> usize {
            let partitions = response.responses.iter().flat_map(|t| &t.partition_responses);
            partitions.filter(|p| p.current_leader != LeaderIdAndEpoch::default()).count()
        };
        let ours_leaders = ours.partitions.iter().filter(|p| p.current_leader.is_some()).count();
        prop_assert_eq!(ours_leaders, leaders(&response));
    }
}

#[test]
fn fields_that_a_version_lacks_have_their_defaults() {
    let partition = MetadataResponsePartition::default().with_leader_epoch(7);
    let topic = MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_static_str("t"))))
        .with_partitions(vec![partition]);
    let oldest = MetadataResponse::default().with_topics(vec![topic]);
    let ours = metadata::decode_response(0, &frame(1, 0, &oldest)).unwrap();
    assert_eq!(
        (ours.throttle_time_ms, ours.controller_id, ours.cluster_id),
        (0, -1, None)
    );
    assert_eq!(
        (ours.error, ours.topics[0].id),
        (ErrorCode::NONE, Uuid::ZERO)
    );
    assert_eq!(ours.topics[0].partitions[0].leader_epoch, -1);
    assert!(ours.topics[0].partitions[0].offline_replicas.is_empty());

    let partition = PartitionProduceResponse::default().with_log_start_offset(7);
    let topic = TopicProduceResponse::default().with_partition_responses(vec![partition]);
    let oldest = ProduceResponse::default().with_responses(vec![topic]);
    let ours = produce::decode_response(3, &frame(1, 3, &oldest)).unwrap();
    let partition = &ours.partitions[0];
    assert_eq!(
        (partition.log_start_offset, partition.current_leader),
        (-1, None)
    );
    assert_eq!(
        (
            partition.record_errors.len(),
            partition.error_message.as_ref()
        ),
        (0, None)
    );
}
