//! S12, S13 and L1 at the end of a batch: it failed for a reason, not before its time, and not
//! while it might have been sent again.

use titorelli::{Acks, Config, DeliveryCause, DeliveryError, Instant, Outcome};

use crate::codec::error_code;

/// Answers after which the batch is sent again.
const RETRIABLE: [i16; 10] = [
    error_code::UNKNOWN_TOPIC_OR_PARTITION,
    error_code::LEADER_NOT_AVAILABLE,
    error_code::NOT_LEADER_OR_FOLLOWER,
    error_code::REQUEST_TIMED_OUT,
    error_code::NOT_ENOUGH_REPLICAS,
    error_code::NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    error_code::KAFKA_STORAGE_ERROR,
    error_code::FENCED_LEADER_EPOCH,
    error_code::UNKNOWN_LEADER_EPOCH,
    error_code::UNKNOWN_TOPIC_ID,
];

/// Checks the end of a batch whose first record was accepted at `opened_at`.
///
/// # Panics
/// It failed too early, was sent too often, or not often enough.
pub(crate) fn verdict(config: &Config, now: Instant, opened_at: Instant, outcome: &Outcome) {
    let (Outcome::NotPersisted(error) | Outcome::MaybePersisted(error)) = outcome else {
        return;
    };
    let attempts = u64::from(error.attempts - error.splits);
    let attempts_max = u64::from(config.retries) + 1;
    assert!(
        attempts <= attempts_max,
        "S12: {attempts} attempts, {attempts_max} are allowed: {error}"
    );
    let may_go_again = attempts < attempts_max && config.acks != Acks::None;
    assert!(
        !(may_go_again && is_retriable(error)),
        "S13: given up after {attempts} attempts of {attempts_max}: {error}"
    );
    let ends_at = opened_at + config.effective_delivery_timeout();
    assert!(
        error.cause != DeliveryCause::DeliveryTimeout || now >= ends_at,
        "L1: expired at {now}, and had time until {ends_at}: {error}"
    );
}

/// What is withdrawn is certainly not written.
///
/// # Panics
/// Perhaps it was.
pub(crate) fn taken_back(outcome: &Outcome) {
    if let Outcome::MaybePersisted(error) = outcome {
        let is_withdrawn = error.cause == DeliveryCause::Withdrawn;
        assert!(!is_withdrawn, "S2: withdrawn, and perhaps written: {error}");
    }
}

fn is_retriable(error: &DeliveryError) -> bool {
    if let DeliveryCause::Broker(code, _) = &error.cause {
        return RETRIABLE.contains(&code.0);
    }
    matches!(
        error.cause,
        DeliveryCause::RequestTimeout
            | DeliveryCause::SetupTimeout
            | DeliveryCause::NoLeader
            | DeliveryCause::Disconnected(_)
            | DeliveryCause::Protocol(_)
    )
}
