//! No bytes make the cluster panic, hang, or allocate without bound.

use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use titorelli::Instant;
use titorelli_sim::codec::{BATCH_HEADER_BYTES, first_batch, walk_records};

use super::client::{Batch, frame, orders, produce};

proptest! {
    #[test]
    fn arbitrary_streams_never_panic(bytes in vec(any::<u8>(), 0..200)) {
        let (mut cluster, peer) = orders();
        cluster.receive(Instant::ZERO, peer, &bytes);
    }

    #[test]
    fn arbitrary_bodies_never_panic(
        api_key in 0_i16..25,
        version in 0_i16..14,
        body in vec(any::<u8>(), 0..200),
    ) {
        let (mut cluster, peer) = orders();
        cluster.receive(Instant::ZERO, peer, &frame(api_key, version, &body));
    }

    #[test]
    fn a_damaged_request_never_panics(
        position in 4_usize..150,
        byte in any::<u8>(),
        codec in 0_i16..8,
    ) {
        let (mut cluster, peer) = orders();
        let batch = Batch { codec, values: vec![b"abc"; 5], ..Batch::default() };
        let mut request = produce(-1, "orders", 0, &batch.encode());
        let position = position.min(request.len() - 1);
        request[position] = byte;
        cluster.receive(Instant::ZERO, peer, &request);
    }

    #[test]
    fn arbitrary_records_with_a_right_checksum_never_panic(
        codec in 0_i16..8,
        count in -2_i32..10,
        records in vec(any::<u8>(), 0..100),
    ) {
        let (mut cluster, peer) = orders();
        let batch = Batch {
            codec,
            count: Some(count),
            last_offset_delta: Some(count - 1),
            ..Batch::default()
        };
        let request = produce(-1, "orders", 0, &batch.encode_with(&records));
        cluster.receive(Instant::ZERO, peer, &request);
    }

    #[test]
    fn any_chunking_gives_the_same_answers(cuts in vec(1_usize..40, 0..60)) {
        let stream = [
            frame(18, 0, &[]),
            produce(-1, "orders", 0, &Batch::of(&[b"a", b"b"]).encode()),
            produce(-1, "orders", 1, &Batch::default().encode()),
            frame(3, 1, &[0xff; 4]),
        ]
        .concat();
        let (mut whole, whole_peer) = orders();
        whole.receive(Instant::ZERO, whole_peer, &stream);
        let (mut chunked, peer) = orders();
        let mut rest = &stream[..];
        for cut in cuts {
            let (chunk, after) = rest.split_at(cut.min(rest.len()));
            chunked.receive(Instant::ZERO, peer, chunk);
            rest = after;
        }
        chunked.receive(Instant::ZERO, peer, rest);
        while let Some(output) = whole.poll_output() {
            assert_eq!(chunked.poll_output(), Some(output));
        }
        assert_eq!(chunked.poll_output(), None);
    }

    #[test]
    fn the_walk_ends_on_arbitrary_records(plain in vec(any::<u8>(), 0..200), count in 0..9) {
        let mut seen = 0;
        let _ = walk_records(&plain, count, |record| seen += 1 + record.headers().count());
        assert!(seen <= plain.len());
    }
}

#[test]
fn a_batch_of_every_length_up_to_its_header_is_no_batch_or_broken() {
    let batch = bytes::Bytes::from(Batch::default().encode());
    for length in 0..batch.len() {
        assert_eq!(
            first_batch(&batch.slice(..length)),
            Ok(None),
            "length {length}"
        );
    }
    assert!(batch.len() > BATCH_HEADER_BYTES);
}
