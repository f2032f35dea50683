//! Answers to Produce that are well-formed, and not right: what no client may believe (B3, B8).

use super::{BrokerId, Cluster};
use crate::codec::{LeaderHint, PartitionAnswer, ProduceResponse, error_code};

/// The number that an entry nobody asked for bears, and the offset in it.
const STRANGE_PARTITION: i32 = 4_711;
const STRANGE_OFFSET: i64 = 7;
/// So many elections ahead is a hint that may be believed.
const ELECTIONS_AHEAD: i32 = 500;

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distortion {
    /// Every partition is there twice, the second time refused.
    EntriesTwice,
    /// There is a partition that nobody asked for, written.
    StrangeEntry,
    /// The throttle time is negative.
    NegativeThrottle,
    /// What was written is at a negative offset.
    NegativeOffsets,
    /// A leader that is hinted at has an epoch that is far ahead of its true one.
    EpochsAhead,
    /// A leader that is hinted at has the last of all epochs.
    LastEpochs,
}

impl Distortion {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::EntriesTwice,
        Self::StrangeEntry,
        Self::NegativeThrottle,
        Self::NegativeOffsets,
        Self::EpochsAhead,
        Self::LastEpochs,
    ];

    pub(super) fn distort(self, answer: &mut ProduceResponse) {
        match self {
            Self::EntriesTwice => answer.topics.iter_mut().for_each(|topic| {
                let code = error_code::NOT_LEADER_OR_FOLLOWER;
                let refused =
                    |entry: &PartitionAnswer| PartitionAnswer::refused(entry.partition, code);
                let again: Vec<PartitionAnswer> = topic.partitions.iter().map(refused).collect();
                topic.partitions.extend(again);
            }),
            Self::StrangeEntry => answer.topics.iter_mut().for_each(|topic| {
                let mut entry = PartitionAnswer::refused(STRANGE_PARTITION, error_code::NONE);
                entry.base_offset = STRANGE_OFFSET;
                topic.partitions.insert(0, entry);
            }),
            Self::NegativeThrottle => answer.throttle_time_ms = i32::MIN,
            Self::NegativeOffsets => {
                let entries = answer.topics.iter_mut().flat_map(|t| &mut t.partitions);
                let written = entries.filter(|entry| entry.error_code == error_code::NONE);
                written.for_each(|entry| entry.base_offset = i64::MIN);
            }
            Self::EpochsAhead => {
                hints(answer).for_each(|hint| {
                    hint.leader_epoch = hint.leader_epoch.saturating_add(ELECTIONS_AHEAD);
                });
            }
            Self::LastEpochs => hints(answer).for_each(|hint| hint.leader_epoch = i32::MAX),
        }
    }
}

/// The leaders that an answer hints at.
fn hints(answer: &mut ProduceResponse) -> impl Iterator<Item = &mut LeaderHint> {
    let entries = answer.topics.iter_mut().flat_map(|t| &mut t.partitions);
    entries.filter_map(|entry| entry.current_leader.as_mut())
}

impl Cluster {
    /// The next answer of a broker to Produce is not right.
    ///
    /// # Panics
    /// There is no such broker.
    pub fn distort_next(&mut self, broker: BrokerId, distortion: Distortion) {
        self.broker_mut(broker).distortion = Some(distortion);
    }
}
