//! Bytes of a hostile or broken peer: an answer or an error, quickly and in little memory.

use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;
use proptest::collection::vec;
use proptest::prelude::*;
use titorelli::wire::{
    ApiKey, Malformed, api_versions, correlation_id, init_producer_id, metadata, produce,
};

use super::corpus::answers;
use super::oracle_requests::versions;
use super::oracle_responses::frame;

/// Decodes as every API; bounds what came out by the bytes that went in.
fn decode_as_anything(version: i16, frame: &[u8]) {
    let _ = correlation_id(frame);
    if ApiKey::ApiVersions.supported().contains(version)
        && let Ok(response) = api_versions::decode_response(version, frame)
    {
        assert!(response.ranges.capacity() <= frame.len() / 6);
    }
    if ApiKey::Metadata.supported().contains(version)
        && let Ok(response) = metadata::decode_response(version, frame)
    {
        assert!(response.brokers.capacity() <= frame.len() / 9);
        let partitions = response
            .topics
            .iter()
            .map(|topic| topic.partitions.capacity());
        assert!(partitions.sum::<usize>() <= frame.len() / 12);
    }
    if ApiKey::InitProducerId.supported().contains(version) {
        let _ = init_producer_id::decode_response(version, frame);
    }
    if ApiKey::Produce.supported().contains(version)
        && let Ok(response) = produce::decode_response(version, frame)
    {
        assert!(response.partitions.len() <= frame.len() / 22);
        let errors = response
            .partitions
            .iter()
            .map(|p| p.record_errors.capacity());
        assert!(errors.sum::<usize>() <= frame.len() / 5);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_an_answer_or_an_error(
        version in 0..=13_i16,
        frame in vec(prop_oneof![Just(0), Just(0xff), 0..4_u8, any::<u8>()], 0..200),
    ) {
        decode_as_anything(version, &frame);
    }

    #[test]
    fn a_huge_count_anywhere_is_an_error_and_not_an_allocation(
        version in versions(ApiKey::Metadata),
        zeros in 0..40_usize,
        count in prop_oneof![Just(i32::MAX), 1 << 20..i32::MAX],
    ) {
        // A compact count and a plain one, behind a plausible beginning.
        let compact = [vec![0; 4 + zeros], vec![0xff, 0xff, 0xff, 0xff, 0x0f], vec![0; 30]];
        let plain = [vec![0; 4 + zeros], count.to_be_bytes().to_vec(), vec![0; 30]];
        decode_as_anything(version, &compact.concat());
        decode_as_anything(version, &plain.concat());
    }
}

#[test]
fn every_count_is_checked_before_anything_is_allocated() {
    // Brokers: the first array of Metadata v0; then a compact one of 2³²-2.
    let error = metadata::decode_response(0, &[0, 0, 0, 1, 0x7f, 0xff, 0xff, 0xff]).unwrap_err();
    assert_eq!((error.what, error.at), ("brokers", 4));
    assert_eq!(
        error.why,
        Malformed::TooManyElements {
            count: 0x7fff_ffff,
            left: 0
        }
    );
    let compact = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    let error = metadata::decode_response(9, &compact).unwrap_err();
    assert_eq!((error.what, error.at), ("brokers", 9));
    assert_eq!(
        error.why,
        Malformed::TooManyElements {
            count: 0xffff_fffe,
            left: 1
        }
    );
    assert_eq!(
        error.to_string(),
        "malformed brokers at byte 9: 4294967294 elements cannot fit into the 1 byte left"
    );
}

#[test]
fn a_name_is_not_multiplied_by_its_partitions() {
    // One topic with a name of 30,000 bytes and 30,000 partitions: 900 MB if each had a copy.
    let name = vec![b'a'; 30_000];
    let partitions = vec![0; 30_000 * 22];
    let frame = [
        &[0, 0, 0, 1, 0, 0, 0, 1][..],
        &30_000_u16.to_be_bytes(),
        &name,
        &30_000_u32.to_be_bytes(),
        &partitions,
        &[0; 4],
    ];
    let error = produce::decode_response(3, &frame.concat()).unwrap_err();
    assert_eq!(
        error.why,
        Malformed::TooLong {
            bytes: 30_000,
            bytes_max: 255
        }
    );
}

#[test]
fn a_topic_without_a_name_is_malformed_before_names_were_nullable() {
    let topic = MetadataResponseTopic::default().with_name(None);
    let response = MetadataResponse::default().with_topics(vec![topic]);
    let nameless = frame(1, 12, &response);
    let decoded = metadata::decode_response(12, &nameless).unwrap();
    assert_eq!(decoded.topics[0].name, None);
    // The bytes of v11 are those of v12, but for what may be null.
    let error = metadata::decode_response(11, &nameless).unwrap_err();
    assert_eq!((error.what, error.why), ("name", Malformed::Null));
}

#[test]
fn a_real_answer_cut_anywhere_is_an_error() {
    for answer in answers().filter(|answer| answer.is_ours() && answer.number % 7 == 0) {
        let frame = &answer.response[4..];
        for cut in 0..frame.len() {
            let decoded = answer.decode_ours(&frame[..cut]);
            assert!(
                decoded.is_err() || answer.is_refused_version(),
                "{answer} cut at {cut}"
            );
        }
        let more = [frame, &[0]].concat();
        assert!(
            answer.decode_ours(&more).is_err() || answer.is_refused_version(),
            "{answer}"
        );
    }
}

#[test]
fn a_real_answer_with_any_byte_changed_does_no_harm() {
    for answer in answers().filter(|answer| answer.is_ours() && answer.number % 23 == 0) {
        let mut frame = answer.response[4..].to_vec();
        for at in 0..frame.len() {
            let whole = frame[at];
            for broken in [0, 0xff, 0x7f, whole ^ 0x80, whole.wrapping_add(1)] {
                frame[at] = broken;
                decode_as_anything(answer.version, &frame);
            }
            frame[at] = whole;
        }
    }
}
