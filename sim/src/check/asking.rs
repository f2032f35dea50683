//! L8 for producer ids: who was refused one does not ask again without a pause. And no connection
//! owes two.

use std::collections::BTreeSet;

use titorelli::{Config, ConnId, Instant};

use super::pause::Pause;
use crate::codec::{InitProducerIdRequest, error_code};

/// The requests for a producer id.
#[derive(Debug)]
pub(crate) struct Asking {
    pause: Pause,
    is_idempotent: bool,
    /// Who owes an answer.
    asked: BTreeSet<ConnId>,
    /// Nobody is asked before: the last answer was a refusal.
    not_before: Instant,
}

impl Asking {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            pause: Pause::of_retries(config),
            is_idempotent: config.enable_idempotence,
            asked: BTreeSet::new(),
            not_before: Instant::ZERO,
        }
    }

    /// A broker is asked for a producer id.
    ///
    /// # Panics
    /// It owes one already, or there was no pause; or it is not what an idempotent producer asks.
    pub(crate) fn on_question(
        &mut self,
        now: Instant,
        conn: ConnId,
        request: &InitProducerIdRequest,
    ) {
        let is_plain = request.transactional_id.is_none() && request.producer_id == -1;
        assert!(self.is_idempotent && is_plain, "I9: {request:?}");
        assert!(self.asked.insert(conn), "L9: {conn:?} is asked twice");
        assert!(
            now >= self.not_before,
            "L8: a producer id is asked for at {now}, before {}",
            self.not_before
        );
    }

    /// The answer, from its error code on.
    pub(crate) fn on_answer(&mut self, now: Instant, conn: ConnId, version: i16, answer: &[u8]) {
        self.asked.remove(&conn);
        let code = match version {
            2.. => answer.get(9..11),
            _ => answer.get(8..10),
        };
        let code = code.and_then(|code| code.first_chunk());
        let code = code.map_or(error_code::NONE, |code| i16::from_be_bytes(*code));
        if code != error_code::NONE {
            self.not_before = now + self.pause.least(1);
        }
    }

    /// A connection is gone.
    pub(crate) fn on_end(&mut self, conn: ConnId) {
        self.asked.remove(&conn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::InitProducerIdResponse;

    fn refusal(version: i16) -> bytes::Bytes {
        let answer = InitProducerIdResponse {
            throttle_time_ms: 0,
            error_code: error_code::COORDINATOR_LOAD_IN_PROGRESS,
            producer_id: -1,
            producer_epoch: -1,
        };
        answer.encode(version, 7).slice(4..)
    }

    #[test]
    fn after_a_refusal_there_is_a_pause_at_every_version() {
        let mut config = Config::default();
        config.enable_idempotence = true;
        for version in 0..=5 {
            let mut asking = Asking::new(&config);
            let now = Instant::from_millis(100);
            asking.on_answer(now, ConnId(1), version, &refusal(version));
            assert_eq!(asking.not_before, Instant::from_millis(180), "v{version}");
        }
    }
}
