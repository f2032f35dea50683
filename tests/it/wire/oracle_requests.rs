//! Our requests, decoded by another implementation (the `kafka-protocol` crate), at every version.

use std::fmt::Debug;

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiVersionsRequest, InitProducerIdRequest, MetadataRequest, ProduceRequest, RequestHeader,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use titorelli::wire::{
    ApiKey, RequestHead, Uuid, api_versions, init_producer_id, metadata, produce,
};

use super::produce_frame;

/// Every version of an API that we speak.
pub(super) fn versions(api: ApiKey) -> impl Strategy<Value = i16> {
    // The oracle has no message sets: Produce from its first version with record batches on.
    let least = if api == ApiKey::Produce { 3 } else { 0 };
    least..=api.supported().max
}

/// Strings of lengths about which the notations differ.
pub(super) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9._-]{0,12}",
        "\\PC{0,6}",
        (125_usize..132).prop_map(|n| "x".repeat(n))
    ]
}

/// Takes a frame apart with the other implementation, to its last byte.
fn decode<T: Decodable + HeaderVersion + Debug>(frame: &[u8], api: ApiKey) -> (RequestHeader, T) {
    let (length, rest) = frame.split_first_chunk().unwrap();
    assert_eq!(
        u32::from_be_bytes(*length) as usize,
        rest.len(),
        "the length prefix"
    );
    let version = i16::from_be_bytes([rest[2], rest[3]]);
    let mut rest = Bytes::copy_from_slice(rest);
    let header = RequestHeader::decode(&mut rest, T::header_version(version)).unwrap();
    assert_eq!(header.request_api_key, api.code());
    assert_eq!(header.request_api_version, version);
    assert!(header.unknown_tagged_fields.is_empty());
    let request = T::decode(&mut rest, version).unwrap();
    assert!(rest.is_empty(), "{rest:?} is left of {request:?}");
    (header, request)
}

#[track_caller]
fn assert_head(header: &RequestHeader, correlation_id: i32, client_id: Option<&str>) {
    assert_eq!(header.correlation_id, correlation_id);
    assert_eq!(header.client_id.as_deref(), client_id);
}

/// A topic and its partitions: index and body.
type OwnedTopic = (String, [u8; 16], Vec<(i32, Vec<u8>)>);

proptest! {
    #[test]
    fn api_versions_requests_are_understood(
        version in versions(ApiKey::ApiVersions),
        correlation_id: i32,
        client_id in option::of(text()),
        (name, software_version) in (text(), text()),
    ) {
        let head = RequestHead { correlation_id, client_id: client_id.as_deref() };
        let frame = api_versions::encode_request(version, &head, &name, &software_version);
        let (header, request) = decode::<ApiVersionsRequest>(&frame, ApiKey::ApiVersions);
        assert_head(&header, correlation_id, client_id.as_deref());
        if version >= 3 {
            prop_assert_eq!(&*request.client_software_name, &*name);
            prop_assert_eq!(&*request.client_software_version, &*software_version);
        }
        prop_assert!(request.unknown_tagged_fields.is_empty());
    }

    #[test]
    fn metadata_requests_are_understood(
        version in versions(ApiKey::Metadata),
        correlation_id: i32,
        client_id in option::of(text()),
        topics in option::of(vec(text(), 0..4)),
        allow_auto_create: bool,
    ) {
        let head = RequestHead { correlation_id, client_id: client_id.as_deref() };
        let names: Option<Vec<&str>> =
            topics.as_ref().map(|topics| topics.iter().map(String::as_str).collect());
        let frame =
            metadata::encode_request(version, &head, names.as_deref(), allow_auto_create);
        let (header, request) = decode::<MetadataRequest>(&frame, ApiKey::Metadata);
        assert_head(&header, correlation_id, client_id.as_deref());
        let theirs: Option<Vec<String>> = request.topics.map(|topics| {
            topics.iter().map(|topic| topic.name.as_ref().unwrap().to_string()).collect()
        });
        // At v0 nothing but an empty array says "all".
        let ours = if version == 0 { Some(topics.unwrap_or_default()) } else { topics };
        prop_assert_eq!(theirs, ours);
        prop_assert_eq!(request.allow_auto_topic_creation, allow_auto_create || version < 4);
        prop_assert!(!request.include_cluster_authorized_operations);
        prop_assert!(!request.include_topic_authorized_operations);
    }

    #[test]
    fn init_producer_id_requests_are_understood(
        version in versions(ApiKey::InitProducerId),
        correlation_id: i32,
        (client_id, transactional_id) in (option::of(text()), option::of(text())),
        transaction_timeout_ms: i32,
        (producer_id, producer_epoch) in any::<(i64, i16)>(),
    ) {
        let head = RequestHead { correlation_id, client_id: client_id.as_deref() };
        let request = init_producer_id::Request {
            transactional_id: transactional_id.as_deref(),
            transaction_timeout_ms,
            producer_id,
            producer_epoch,
        };
        let frame = init_producer_id::encode_request(version, &head, &request);
        let (header, theirs) = decode::<InitProducerIdRequest>(&frame, ApiKey::InitProducerId);
        assert_head(&header, correlation_id, client_id.as_deref());
        prop_assert_eq!(
            theirs.transactional_id.as_ref().map(|id| id.as_str()),
            transactional_id.as_deref()
        );
        prop_assert_eq!(theirs.transaction_timeout_ms, transaction_timeout_ms);
        let told = if version >= 3 { (producer_id, producer_epoch) } else { (-1, -1) };
        prop_assert_eq!((theirs.producer_id.0, theirs.producer_epoch), told);
        prop_assert!(theirs.unknown_tagged_fields.is_empty());
    }

    #[test]
    fn produce_requests_are_understood(
        version in versions(ApiKey::Produce),
        (correlation_id, client_id) in (any::<i32>(), option::of(text())),
        transactional_id in option::of(text()),
        acks in -1_i16..=1,
        timeout_ms: i32,
        topics in vec(
            (text(), any::<[u8; 16]>(), vec((any::<i32>(), vec(any::<u8>(), 0..200)), 0..4)),
            0..4,
        ),
    ) {
        let topics: Vec<OwnedTopic> = topics;
        let partitions: Vec<Vec<produce::Partition>> = topics.iter().map(|topic| {
            topic.2.iter().map(|(index, body)| produce::Partition {
                index: *index,
                front: [0xa5; 61].into(),
                body: Bytes::copy_from_slice(body),
            }).collect()
        }).collect();
        let borrowed: Vec<produce::Topic<'_>> = topics.iter().zip(&partitions)
            .map(|((name, id, _), partitions)| produce::Topic { name, id: Uuid(*id), partitions })
            .collect();
        let request = produce::Request {
            transactional_id: transactional_id.as_deref(),
            acks,
            timeout_ms,
            topics: &borrowed,
        };
        let head = RequestHead { correlation_id, client_id: client_id.as_deref() };
        let frame = produce_frame(version, &head, &request);
        let (header, theirs) = decode::<ProduceRequest>(&frame, ApiKey::Produce);
        assert_head(&header, correlation_id, client_id.as_deref());
        let their_id = theirs.transactional_id.as_ref().map(|id| id.to_string());
        prop_assert_eq!(their_id, transactional_id);
        prop_assert_eq!((theirs.acks, theirs.timeout_ms), (acks, timeout_ms));
        let their_topics: Vec<OwnedTopic> = theirs.topic_data.iter().map(|topic| {
            let partitions = topic.partition_data.iter().map(|partition| {
                let records = partition.records.as_ref().unwrap();
                assert_eq!(records[..61], [0xa5; 61]);
                (partition.index, records[61..].to_vec())
            });
            (topic.name.to_string(), *topic.topic_id.as_bytes(), partitions.collect())
        }).collect();
        let by_id = version >= 13;
        let ours: Vec<OwnedTopic> = topics.into_iter().map(|(name, id, partitions)| {
            if by_id { (String::new(), id, partitions) } else { (name, [0; 16], partitions) }
        }).collect();
        prop_assert_eq!(their_topics, ours);
    }
}

#[test]
fn bodies_leave_without_being_copied() {
    let bodies = [
        Bytes::from(vec![1; 100]),
        Bytes::from(vec![2; 200]),
        Bytes::new(),
    ];
    let partitions: Vec<produce::Partition> = (0..)
        .zip(&bodies)
        .map(|(index, body)| produce::Partition {
            index,
            front: [0; 61].into(),
            body: body.clone(),
        })
        .collect();
    let topics = [produce::Topic {
        name: "orders",
        id: Uuid::ZERO,
        partitions: &partitions,
    }];
    let request = produce::Request {
        transactional_id: None,
        acks: -1,
        timeout_ms: 30_000,
        topics: &topics,
    };
    let head = RequestHead {
        correlation_id: 1,
        client_id: None,
    };
    for version in 3..=13 {
        let mut chunks = vec![Bytes::from_static(b"before")];
        produce::encode_request(version, &head, &request, &mut chunks);
        assert_eq!(chunks[2].as_ptr(), bodies[0].as_ptr());
        assert_eq!(chunks[4].as_ptr(), bodies[1].as_ptr());
        // One buffer: each piece begins where the one before it ended.
        assert_eq!(chunks[1].as_ptr_range().end, chunks[3].as_ptr());
        assert_eq!(chunks[3].as_ptr_range().end, chunks[5].as_ptr());
        // The empty body is no chunk. Behind it come the tags of flexible versions, else nothing.
        assert_eq!(chunks.len(), if version >= 9 { 7 } else { 6 });
        assert_eq!(chunks[0], "before");
    }
}
