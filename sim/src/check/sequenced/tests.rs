//! Each promise, kept and broken by hand.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::codec::Codec;
use bytes::Bytes;
use error_code::{
    MESSAGE_TOO_LARGE, NONE, NOT_ENOUGH_REPLICAS, OUT_OF_ORDER_SEQUENCE_NUMBER, REQUEST_TIMED_OUT,
};

const ID: Identity = Identity {
    producer_id: 7,
    epoch: 0,
};
const BUMPED: Identity = Identity {
    producer_id: 7,
    epoch: 1,
};

/// Batches of two records each; `content` tells them apart.
fn batch(identity: Identity, base_sequence: i32, content: u64) -> Stamped {
    Stamped {
        identity,
        base_sequence,
        record_count: 2,
        checksum: u32::try_from(content).expect("small"),
        content,
        // One record without a key, whose value is the content.
        records: Bytes::copy_from_slice(&[
            14,
            0,
            0,
            0,
            1,
            2,
            b'0' + u8::try_from(content).expect("a digit"),
            0,
        ]),
        codec: Codec::None,
    }
}

/// A producer under watch, and its batches under way.
struct Bench {
    now: Instant,
    sequences: Sequences,
    under_way: Vec<Stamped>,
}

fn place() -> Named {
    ("orders".to_owned(), 0)
}

impl Bench {
    fn new() -> Self {
        Self::beginning_at(0)
    }

    fn beginning_at(first_sequence: i32) -> Self {
        let mut config = Config::default();
        config.enable_idempotence = true;
        config.first_sequence = first_sequence;
        let mut sequences = Sequences::new(&config);
        sequences.tell_apart(true);
        Self {
            now: Instant::from_millis(1_000),
            sequences,
            under_way: Vec::new(),
        }
    }

    /// It is handed out, and leaves.
    fn send(&mut self, stamp: &Stamped) {
        let beside: Vec<Key> = self.under_way.iter().map(Stamped::key).collect();
        self.sequences.on_handed(self.now, &place(), stamp, &beside);
        self.sequences.on_left(&place(), stamp);
        self.under_way.push(stamp.clone());
    }

    /// The oldest under way is answered so, or never.
    fn told(&mut self, told: Option<Told>) {
        let stamp = self.under_way.remove(0);
        let key = (stamp.identity, stamp.base_sequence);
        self.sequences.on_answered(&place(), key, told);
    }

    fn acked(&mut self) {
        self.told(Some((NONE, 0)));
    }

    fn refused(&mut self, error_code: i16) {
        self.told(Some((error_code, -1)));
    }

    /// The records whose value is this have failed, and all that was drafted has left.
    fn gives_up(&mut self, value: &[u8]) {
        self.sequences
            .on_given_up(self.now, &place(), Some(value), false);
        self.now = self.now + core::time::Duration::from_millis(100);
    }

    /// It would break this promise.
    #[track_caller]
    fn expect_broken(&mut self, promise: &str, stamp: &Stamped) {
        let sent = catch_unwind(AssertUnwindSafe(|| self.send(stamp)));
        let broken = sent.expect_err("a promise is broken");
        let message = broken.downcast_ref::<String>().expect("a message");
        assert!(message.starts_with(promise), "{promise}: {message}");
    }
}

#[test]
fn numbers_follow_each_other_and_wrap() {
    let mut bench = Bench::beginning_at(i32::MAX - 1);
    bench.send(&batch(ID, i32::MAX - 1, 1));
    bench.acked();
    bench.send(&batch(ID, 0, 2));
    bench.acked();
    assert_eq!(bench.sequences.seen, [Sight::SequenceWrapped]);
    bench.expect_broken("I1", &batch(ID, 3, 3));
}

#[test]
fn a_partition_begins_at_its_first_number() {
    Bench::new().expect_broken("I1", &batch(ID, 2, 1));
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.acked();
    bench.expect_broken("I1", &batch(BUMPED, 2, 2));
}

#[test]
fn a_number_means_one_batch() {
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.told(None);
    bench.send(&batch(ID, 0, 1));
    bench.acked();
    bench.expect_broken("I2", &batch(ID, 0, 2));
}

#[test]
fn a_batch_that_was_too_large_is_sent_in_parts() {
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.acked();
    let whole = Stamped {
        record_count: 5,
        ..batch(ID, 2, 2)
    };
    bench.send(&whole);
    bench.refused(MESSAGE_TOO_LARGE);
    let part = |number, record_count, content| Stamped {
        record_count,
        ..batch(ID, number, content)
    };
    bench.send(&part(2, 3, 3));
    bench.acked();
    bench.send(&part(5, 1, 4));
    bench.acked();
    bench.send(&part(6, 1, 5));
    bench.acked();
    bench.send(&batch(ID, 7, 6));
    assert_eq!(bench.sequences.seen, [Sight::Split]);
}

#[test]
fn nothing_new_follows_what_is_unresolved() {
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.told(None);
    bench.expect_broken("I3", &batch(ID, 2, 2));
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.acked();
    bench.send(&batch(ID, 2, 2));
    bench.gives_up(b"2");
    bench.expect_broken("I3", &batch(ID, 4, 3));
}

#[test]
fn a_later_acknowledgement_resolves() {
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.acked();
    bench.send(&batch(ID, 2, 2));
    bench.send(&batch(ID, 4, 3));
    bench.told(Some((REQUEST_TIMED_OUT, -1)));
    bench.gives_up(b"2");
    bench.acked();
    assert_eq!(bench.sequences.seen, [Sight::ResolvedByLaterAck]);
    bench.send(&batch(ID, 6, 4));
}

#[test]
fn a_late_answer_resolves() {
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.gives_up(b"1");
    bench.acked();
    assert_eq!(bench.sequences.seen, [Sight::LateSuccess]);
    bench.send(&batch(ID, 2, 2));
}

#[test]
fn an_epoch_ends_before_the_next_begins() {
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.acked();
    bench.send(&batch(ID, 2, 2));
    bench.expect_broken("I4", &batch(BUMPED, 0, 3));
    let mut bench = Bench::new();
    bench.send(&batch(BUMPED, 0, 1));
    bench.acked();
    bench.expect_broken("I4", &batch(ID, 0, 2));
}

#[test]
fn what_may_be_written_is_not_sent_in_another_name() {
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.told(None);
    bench.expect_broken("I5", &batch(BUMPED, 0, 1));
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.refused(OUT_OF_ORDER_SEQUENCE_NUMBER);
    bench.send(&batch(BUMPED, 0, 1));
    let seen = [Sight::OutOfOrderAtHead, Sight::EpochBumped];
    assert_eq!(bench.sequences.seen, seen);
}

#[test]
fn the_oldest_goes_first() {
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.acked();
    bench.send(&batch(ID, 2, 2));
    bench.send(&batch(ID, 4, 3));
    bench.refused(NOT_ENOUGH_REPLICAS);
    bench.refused(OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_eq!(bench.sequences.seen, [Sight::OutOfOrderBehind]);
    bench.expect_broken("I7", &batch(ID, 4, 3));
    bench.send(&batch(ID, 2, 2));
    bench.acked();
    bench.send(&batch(ID, 4, 3));
}

#[test]
fn what_is_refused_at_the_head_is_not_sent_again() {
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.refused(OUT_OF_ORDER_SEQUENCE_NUMBER);
    bench.expect_broken("I8", &batch(ID, 0, 1));
}

#[test]
fn five_at_most_and_one_until_the_first_acknowledgement() {
    let mut bench = Bench::new();
    bench.send(&batch(ID, 0, 1));
    bench.expect_broken("S7e", &batch(ID, 2, 2));
    bench.acked();
    for nth in 1..6 {
        bench.send(&batch(ID, nth * 2, u64::try_from(nth).expect("positive")));
    }
    bench.expect_broken("S7c", &batch(ID, 12, 9));
}

#[test]
fn requests_are_of_an_idempotent_producer_to_the_last_field() {
    let bench = Bench::new();
    let stamp = batch(ID, 0, 1);
    bench.sequences.check_request(-1, Some(&stamp));
    for (acks, stamp) in [(1, Some(&stamp)), (-1, None)] {
        let check = || bench.sequences.check_request(acks, stamp);
        assert!(
            catch_unwind(AssertUnwindSafe(check)).is_err(),
            "acks={acks}"
        );
    }
}
