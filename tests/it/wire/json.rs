//! What our decoders answer, as JSON by the names of Kafka's schemas.

use serde_json::{Value, json};
use titorelli::wire::{api_versions, init_producer_id, metadata, produce};

use super::schema::hex;

/// Of transactions and administration: skipped by our decoders.
pub(super) const SKIPPED: [&str; 6] = [
    "SupportedFeatures",
    "FinalizedFeaturesEpoch",
    "FinalizedFeatures",
    "ZkMigrationReady",
    "TopicAuthorizedOperations",
    "ClusterAuthorizedOperations",
];

/// Asserts that each field which the schemas read has the same value in ours.
#[track_caller]
pub(super) fn assert_covers(ours: &Value, theirs: &Value, context: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (name, value) in theirs
                .iter()
                .filter(|(name, _)| !SKIPPED.contains(&name.as_str()))
            {
                let ours = ours
                    .get(name)
                    .unwrap_or_else(|| panic!("{name} is lost: {context}"));
                assert_covers(ours, value, context);
            }
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.len(), theirs.len(), "{context}");
            ours.iter()
                .zip(theirs)
                .for_each(|(ours, theirs)| assert_covers(ours, theirs, context));
        }
        _ => assert_eq!(ours, theirs, "{context}"),
    }
}

pub(super) fn of_api_versions(response: &api_versions::Response) -> Value {
    let range = |range: &api_versions::ApiRange| {
        json!({
            "ApiKey": range.api_key,
            "MinVersion": range.min,
            "MaxVersion": range.max,
        })
    };
    json!({
        "ErrorCode": response.error.0,
        "ApiKeys": response.ranges.iter().map(range).collect::<Vec<Value>>(),
        "ThrottleTimeMs": response.throttle_time_ms,
    })
}

pub(super) fn of_metadata(response: &metadata::Response) -> Value {
    let broker = |broker: &metadata::Broker| {
        json!({
            "NodeId": broker.node_id,
            "Host": broker.host,
            "Port": broker.port,
            "Rack": broker.rack,
        })
    };
    let partition = |partition: &metadata::Partition| {
        json!({
            "ErrorCode": partition.error.0,
            "PartitionIndex": partition.index,
            "LeaderId": partition.leader,
            "LeaderEpoch": partition.leader_epoch,
            "ReplicaNodes": partition.replicas,
            "IsrNodes": partition.in_sync_replicas,
            "OfflineReplicas": partition.offline_replicas,
        })
    };
    let topic = |topic: &metadata::Topic| {
        json!({
            "ErrorCode": topic.error.0,
            "Name": topic.name,
            "TopicId": hex(&topic.id.0),
            "IsInternal": topic.is_internal,
            "Partitions": topic.partitions.iter().map(partition).collect::<Vec<Value>>(),
        })
    };
    json!({
        "ThrottleTimeMs": response.throttle_time_ms,
        "Brokers": response.brokers.iter().map(broker).collect::<Vec<Value>>(),
        "ClusterId": response.cluster_id,
        "ControllerId": response.controller_id,
        "Topics": response.topics.iter().map(topic).collect::<Vec<Value>>(),
        "ErrorCode": response.error.0,
    })
}

pub(super) fn of_init_producer_id(response: &init_producer_id::Response) -> Value {
    json!({
        "ThrottleTimeMs": response.throttle_time_ms,
        "ErrorCode": response.error.0,
        "ProducerId": response.producer_id,
        "ProducerEpoch": response.producer_epoch,
    })
}

/// Topics are flat in ours: neighbours of one topic come together again, empty topics are lost.
pub(super) fn of_produce(response: &produce::Response) -> Value {
    let topic = |partitions: &[produce::PartitionResult]| {
        let (name, id) = match &partitions[0].topic {
            produce::TopicRef::Name(name) => (json!(name), Value::Null),
            produce::TopicRef::Id(id) => (Value::Null, json!(hex(&id.0))),
        };
        let partitions: Vec<Value> = partitions.iter().map(of_partition).collect();
        json!({"Name": name, "TopicId": id, "PartitionResponses": partitions})
    };
    let endpoint = |endpoint: &produce::NodeEndpoint| {
        json!({
            "NodeId": endpoint.node_id,
            "Host": endpoint.host,
            "Port": endpoint.port,
            "Rack": endpoint.rack,
        })
    };
    let topics = response
        .partitions
        .chunk_by(|one, next| one.topic == next.topic);
    json!({
        "Responses": topics.map(topic).collect::<Vec<Value>>(),
        "ThrottleTimeMs": response.throttle_time_ms,
        "NodeEndpoints": response.node_endpoints.iter().map(endpoint).collect::<Vec<Value>>(),
    })
}

fn of_partition(partition: &produce::PartitionResult) -> Value {
    let record_error = |(index, text): &(i32, Option<String>)| {
        json!({
            "BatchIndex": index,
            "BatchIndexErrorMessage": text,
        })
    };
    let leader = partition.current_leader.map(|(node, epoch)| {
        json!({
            "LeaderId": node,
            "LeaderEpoch": epoch,
        })
    });
    json!({
        "Index": partition.index,
        "ErrorCode": partition.error.0,
        "BaseOffset": partition.base_offset,
        "LogAppendTimeMs": partition.log_append_time_ms,
        "LogStartOffset": partition.log_start_offset,
        "RecordErrors": partition.record_errors.iter().map(record_error).collect::<Vec<Value>>(),
        "ErrorMessage": partition.error_message,
        "CurrentLeader": leader,
    })
}
