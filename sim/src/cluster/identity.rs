//! `InitProducerId`: who a producer is from now on.
//!
//! Owns: nothing; the blocks of ids are the brokers'. Follows Kafka's `TransactionCoordinator` and
//! `RPCProducerIdManager`: any broker answers who has no transactional id, out of a block of ids
//! that is its own.

use core::ops::Range;

use super::handle::{ANSWER_LOST, CloseReason, LOSE_ANSWER};
use super::{BrokerId, Cluster};
use crate::codec::{InitProducerIdRequest, InitProducerIdResponse, error_code};

/// How many ids a broker takes at once: `ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`.
const BLOCK_IDS: i64 = 1_000;
/// In place of an error code: the id that was given last is given again, which no broker may do.
pub const REPEAT_ID: i16 = i16::MIN + 2;
/// What is no error code.
const INSTEAD: [i16; 2] = [LOSE_ANSWER, REPEAT_ID];
/// What says that there never will be one.
pub(crate) const ID_FORBIDDEN: [i16; 2] = [
    error_code::CLUSTER_AUTHORIZATION_FAILED,
    error_code::UNSUPPORTED_VERSION,
];
/// The first id of all.
pub(super) const FIRST_ID: i64 = 1_000;

impl Cluster {
    /// The answer to a request for an identity; or, as was scripted, none: an id is used up, and
    /// nobody hears of it.
    pub(super) fn init_producer_id(
        &mut self,
        broker: BrokerId,
        request: &InitProducerIdRequest,
    ) -> Result<InitProducerIdResponse, CloseReason> {
        let mut answer = InitProducerIdResponse {
            throttle_time_ms: self.throttle_of(broker),
            error_code: error_code::NONE,
            producer_id: -1,
            producer_epoch: -1,
        };
        let scripted = self.refused_ids.pop_front();
        if request.transactional_id.is_some() {
            // There is no transaction coordinator here; this code ends a client's attempts.
            answer.error_code = error_code::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
        } else if (request.producer_id == -1) != (request.producer_epoch == -1) {
            answer.error_code = error_code::INVALID_REQUEST;
        } else if let Some(id) = self.given_id.filter(|_| scripted == Some(REPEAT_ID)) {
            (answer.producer_id, answer.producer_epoch) = (id, self.config.first_epoch);
        } else if let Some(error_code) = scripted.filter(|code| !INSTEAD.contains(code)) {
            answer.error_code = error_code;
            self.has_forbidden_ids |= ID_FORBIDDEN.contains(&error_code);
        } else {
            // Without a transactional id every request gets a new identity, also one that names
            // its present identity to have it bumped.
            answer.producer_id = self.next_id(broker);
            self.given_id = Some(answer.producer_id);
            answer.producer_epoch = self.config.first_epoch;
        }
        if scripted == Some(LOSE_ANSWER) {
            return Err(ANSWER_LOST);
        }
        Ok(answer)
    }

    /// The next id of a broker's block; if that is used up, of the next block.
    fn next_id(&mut self, broker: BrokerId) -> i64 {
        let next_block = self.next_block;
        let state = self.broker_mut(broker);
        if let Some(id) = state.ids.next() {
            return id;
        }
        state.ids = block(next_block);
        let id = state.ids.next().expect("a block has ids");
        self.next_block += BLOCK_IDS;
        id
    }

    /// Whether a request for a producer id was refused for good.
    pub(crate) const fn has_forbidden_ids(&self) -> bool {
        self.has_forbidden_ids
    }

    /// Answers the next request for a producer id with this error code; with
    /// [`LOSE_ANSWER`] the connection closes in place of the answer, with [`REPEAT_ID`] the last id
    /// is given again. Several calls queue up.
    pub fn refuse_next_id(&mut self, error_code: i16) {
        self.refused_ids.push_back(error_code);
    }
}

const fn block(first: i64) -> Range<i64> {
    first..first + BLOCK_IDS
}
