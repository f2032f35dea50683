//! What differs between releases, beyond the versions that they announce.
//!
//! Owns: the table of the differences. Never: a decision on a request; that is made where the
//! request is handled, by a field of [`Behaviour`]. Invariant: what the rows say was recorded from
//! real brokers (`tests/data/corpus`). A difference between two recorded releases begins where its
//! KIP puts it; without one, in a row that lies between the two.

use super::config::BrokerId;
use super::{Broker, Cluster};
use crate::codec::error_code;

/// How a broker of one release behaves where releases differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a row of a table; its columns are independent"
)]
pub struct Behaviour {
    /// A version that is not known is read, and answered, as the nearest known one.
    pub(super) guesses_versions: bool,
    /// KIP-511: the refusal of an `ApiVersions` version names the range to try again with.
    pub(super) names_own_range: bool,
    /// A frame shorter than this fails where nothing catches it: neither answered nor closed.
    pub(super) silent_frames_below: usize,
    /// If not, a client id that cannot name a JMX bean is never answered.
    pub(super) takes_any_client_id: bool,
    /// `Topic.maxNameLength`.
    pub(super) topic_name_max: usize,
    /// What becomes of a Metadata request with an illegal name.
    pub(super) illegal_name: IllegalName,
    /// The answer about a topic that the request has just created.
    pub(super) just_created: i16,
    /// acks other than −1, 0 and 1 are refused before anything is written.
    pub(super) refuses_odd_acks: bool,
    /// What becomes of null where records belong.
    pub(super) null_records: NullRecords,
    /// `ProduceRequest.validateRecords` fails the batch, and not the whole connection.
    pub(super) refuses_bad_batches: bool,
    /// What `InvalidRecordException` is on the wire.
    pub(super) invalid_record: i16,
    /// KIP-467: records are blamed one by one, by the log.
    pub(super) blames_records: bool,
    /// `LogValidator` compares the number of records with the last offset delta.
    pub(super) checks_last_offset: bool,
    /// KIP-110.
    pub(super) knows_zstd: bool,
    /// A transactional batch needs a transactional id in its request.
    pub(super) authorizes_transactions: bool,
    /// A batch whose attributes say `LogAppendTime` is refused.
    pub(super) refuses_stamped: bool,
    /// A compacted topic takes no record without a key.
    pub(super) refuses_keyless: bool,
    /// How many batches are remembered per producer.
    pub(super) window_batches: usize,
    /// The refusal of a producer that begins at another sequence number than 0, if any.
    pub(super) first_not_zero: Option<i16>,
    /// A broker that goes down raises the leader epoch of every partition it had a replica of.
    pub(super) shrinking_raises_epoch: bool,
    /// How message sets are looked at.
    pub(super) sets: Sets,
}

/// What becomes of a Metadata request with an illegal topic name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IllegalName {
    /// Every topic of it is refused.
    FailsAll,
    /// The name is refused.
    Refused,
    /// The name is refused if it were to be created; else it is merely unknown.
    RefusedToCreate,
}

/// What becomes of null where records belong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NullRecords {
    /// The connection is closed.
    Close,
    /// The request handler fails, and nothing on this connection is answered any more.
    Silence,
    /// The partition fails.
    Fail,
}

/// How message sets are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sets {
    /// Magic 0 alone is known, and looked at in wrappers only.
    Magic0,
    /// All messages are of one magic, 0 or 1; a wrapper that cannot be read is corrupt.
    OneMagic,
    /// The magic is not looked at.
    AnyMagic,
    /// Magics 0 and 1, mixed; or a record batch.
    Mixed,
    /// Magic 0 or 1, one wrapper and nothing else; or a record batch.
    Single,
}

/// The first release of a row, and the row.
type Row = ((u16, u16, u16), Behaviour);

const KAFKA_0_8: Behaviour = Behaviour {
    guesses_versions: true,
    names_own_range: false,
    silent_frames_below: 0,
    takes_any_client_id: true,
    topic_name_max: 255,
    illegal_name: IllegalName::FailsAll,
    just_created: error_code::LEADER_NOT_AVAILABLE,
    refuses_odd_acks: false,
    null_records: NullRecords::Close,
    refuses_bad_batches: false,
    invalid_record: error_code::CORRUPT_MESSAGE,
    blames_records: false,
    checks_last_offset: false,
    knows_zstd: false,
    authorizes_transactions: false,
    refuses_stamped: true,
    refuses_keyless: false,
    window_batches: 1,
    first_not_zero: Some(error_code::OUT_OF_ORDER_SEQUENCE_NUMBER),
    shrinking_raises_epoch: true,
    sets: Sets::Magic0,
};
const KAFKA_0_9: Behaviour = Behaviour {
    silent_frames_below: 2,
    illegal_name: IllegalName::Refused,
    refuses_odd_acks: true,
    null_records: NullRecords::Silence,
    refuses_keyless: true,
    ..KAFKA_0_8
};
const KAFKA_0_10: Behaviour = Behaviour {
    guesses_versions: false,
    topic_name_max: 249,
    null_records: NullRecords::Close,
    sets: Sets::OneMagic,
    ..KAFKA_0_9
};
const KAFKA_0_10_1: Behaviour = Behaviour {
    sets: Sets::AnyMagic,
    ..KAFKA_0_10
};
const KAFKA_0_11: Behaviour = Behaviour {
    takes_any_client_id: false,
    illegal_name: IllegalName::RefusedToCreate,
    sets: Sets::Mixed,
    ..KAFKA_0_10_1
};
const KAFKA_1_0: Behaviour = Behaviour {
    silent_frames_below: 0,
    takes_any_client_id: true,
    checks_last_offset: true,
    window_batches: 5,
    first_not_zero: Some(error_code::UNKNOWN_PRODUCER_ID),
    ..KAFKA_0_11
};
const KAFKA_2_1: Behaviour = Behaviour {
    knows_zstd: true,
    ..KAFKA_1_0
};
const KAFKA_2_4: Behaviour = Behaviour {
    names_own_range: true,
    illegal_name: IllegalName::Refused,
    null_records: NullRecords::Fail,
    refuses_bad_batches: true,
    invalid_record: error_code::INVALID_RECORD,
    blames_records: true,
    authorizes_transactions: true,
    sets: Sets::Single,
    ..KAFKA_2_1
};
/// KIP-360.
const KAFKA_2_5: Behaviour = Behaviour {
    first_not_zero: None,
    ..KAFKA_2_4
};
const KAFKA_3_0: Behaviour = Behaviour {
    null_records: NullRecords::Silence,
    refuses_stamped: false,
    ..KAFKA_2_5
};
/// `KRaft` (KIP-833).
const KAFKA_3_3: Behaviour = Behaviour {
    just_created: error_code::UNKNOWN_TOPIC_OR_PARTITION,
    shrinking_raises_epoch: false,
    ..KAFKA_3_0
};

/// Every row, by release.
const ROWS: [Row; 11] = [
    ((0, 8, 0), KAFKA_0_8),
    ((0, 9, 0), KAFKA_0_9),
    ((0, 10, 0), KAFKA_0_10),
    ((0, 10, 1), KAFKA_0_10_1),
    ((0, 11, 0), KAFKA_0_11),
    ((1, 0, 0), KAFKA_1_0),
    ((2, 1, 0), KAFKA_2_1),
    ((2, 4, 0), KAFKA_2_4),
    ((2, 5, 0), KAFKA_2_5),
    ((3, 0, 0), KAFKA_3_0),
    ((3, 3, 0), KAFKA_3_3),
];

impl Behaviour {
    /// That of a release: major, minor and patch number.
    #[must_use]
    pub fn of_release(release: (u16, u16, u16)) -> Self {
        let row = ROWS.iter().rev().find(|(first, _)| *first <= release);
        row.map_or(KAFKA_0_8, |(_, behaviour)| *behaviour)
    }
}

impl Default for Behaviour {
    /// That of the newest release.
    fn default() -> Self {
        KAFKA_3_3
    }
}

impl Cluster {
    /// How this broker behaves.
    pub(super) fn behaviour(&self, broker: BrokerId) -> Behaviour {
        let state = self.broker(broker).expect("a connection leads to a broker");
        state.config.behaviour
    }

    /// How the controller behaves: the first broker that is up.
    pub(super) fn controller_behaviour(&self) -> Behaviour {
        let is_up = |broker: &&Broker| broker.is_up;
        let controller = self.brokers.iter().find(is_up);
        controller.map_or_else(Behaviour::default, |broker| broker.config.behaviour)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_ascend_and_the_last_is_the_default() {
        assert!(ROWS.is_sorted_by(|(one, _), (next, _)| one < next));
        assert_eq!(ROWS[ROWS.len() - 1].1, Behaviour::default());
        assert_eq!(Behaviour::of_release((4, 4, 0)), Behaviour::default());
        assert_eq!(Behaviour::of_release((2, 4, 9)), KAFKA_2_4);
    }
}
