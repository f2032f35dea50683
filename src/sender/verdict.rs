//! What the answer to a batch means: error code → [`Verdict`]. Total over all codes (invariant
//! S13); the table is kept as a snapshot.

use crate::wire::ErrorCode;

/// What to do with a batch after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Written: by this attempt, or by an earlier one of the same sequence numbers.
    Acked,
    /// Send it again, if `retries` and `delivery_timeout` allow; ask for metadata first if so.
    Retry { refresh: Refresh, trace: Trace },
    /// The broker expects another sequence number, or another epoch: only with idempotence. What
    /// becomes of it depends on the batches before it (I8). Nothing was appended.
    OutOfSequence,
    /// The batch is too large: its halves may not be (KIP-126). One record alone fails.
    Split,
    /// The records fail.
    Fail(Trace),
}

/// Whether the code says that our view of the cluster is old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresh {
    Metadata,
    Nothing,
}

/// Whether the answered attempt may have left the records in the log (invariant S2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// The code proves that nothing was appended.
    None,
    /// The code comes after an append, or says nothing about it.
    Possible,
}

/// The table, after Java's `Sender.completeBatch` and librdkafka's persistence flags.
pub(crate) fn verdict(code: ErrorCode, is_idempotent: bool) -> Verdict {
    const MOVED: Verdict = Verdict::Retry {
        refresh: Refresh::Metadata,
        trace: Trace::None,
    };
    const AGAIN: Verdict = Verdict::Retry {
        refresh: Refresh::Nothing,
        trace: Trace::None,
    };
    const UNSURE: Verdict = Verdict::Retry {
        refresh: Refresh::Nothing,
        trace: Trace::Possible,
    };
    const REFUSED: Verdict = Verdict::Fail(Trace::None);
    match code {
        ErrorCode::NONE | ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Verdict::Acked,
        ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER
        | ErrorCode::UNKNOWN_PRODUCER_ID
        | ErrorCode::INVALID_PRODUCER_EPOCH
            if is_idempotent =>
        {
            Verdict::OutOfSequence
        }
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::LEADER_NOT_AVAILABLE
        | ErrorCode::NOT_LEADER_OR_FOLLOWER
        | ErrorCode::REPLICA_NOT_AVAILABLE
        | ErrorCode::KAFKA_STORAGE_ERROR
        | ErrorCode::LISTENER_NOT_FOUND
        | ErrorCode::FENCED_LEADER_EPOCH
        | ErrorCode::UNKNOWN_LEADER_EPOCH
        | ErrorCode::UNKNOWN_TOPIC_ID
        | ErrorCode::INCONSISTENT_TOPIC_ID => MOVED,
        ErrorCode::CORRUPT_MESSAGE
        | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
        | ErrorCode::COORDINATOR_NOT_AVAILABLE
        | ErrorCode::NOT_COORDINATOR
        | ErrorCode::NOT_ENOUGH_REPLICAS
        | ErrorCode::CONCURRENT_TRANSACTIONS
        | ErrorCode::THROTTLING_QUOTA_EXCEEDED => AGAIN,
        // The leader has the records; the followers may not.
        ErrorCode::REQUEST_TIMED_OUT | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND => UNSURE,
        ErrorCode::NETWORK_EXCEPTION => Verdict::Retry {
            refresh: Refresh::Metadata,
            trace: Trace::Possible,
        },
        ErrorCode::MESSAGE_TOO_LARGE | ErrorCode::RECORD_LIST_TOO_LARGE => Verdict::Split,
        ErrorCode::BROKER_NOT_AVAILABLE
        | ErrorCode::INVALID_TOPIC_EXCEPTION
        | ErrorCode::INVALID_REQUIRED_ACKS
        | ErrorCode::TOPIC_AUTHORIZATION_FAILED
        | ErrorCode::CLUSTER_AUTHORIZATION_FAILED
        | ErrorCode::INVALID_TIMESTAMP
        | ErrorCode::UNSUPPORTED_VERSION
        | ErrorCode::INVALID_REQUEST
        | ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT
        | ErrorCode::POLICY_VIOLATION
        | ErrorCode::INVALID_PRODUCER_EPOCH
        | ErrorCode::INVALID_TXN_STATE
        | ErrorCode::INVALID_PRODUCER_ID_MAPPING
        | ErrorCode::TRANSACTION_COORDINATOR_FENCED
        | ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED
        | ErrorCode::UNKNOWN_PRODUCER_ID
        | ErrorCode::UNSUPPORTED_COMPRESSION_TYPE
        | ErrorCode::INVALID_RECORD
        | ErrorCode::PRODUCER_FENCED
        | ErrorCode::TRANSACTION_ABORTABLE => REFUSED,
        // UNKNOWN_SERVER_ERROR, OUT_OF_ORDER_SEQUENCE_NUMBER, codes that have no business in an
        // answer to Produce, and codes yet to be invented: nothing is proven.
        _ => Verdict::Fail(Trace::Possible),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;

    #[test]
    fn the_table_is_as_reviewed() {
        let mut table = String::new();
        let line = |code: ErrorCode, is_idempotent| {
            let (action, refresh, trace) = match verdict(code, is_idempotent) {
                Verdict::Acked => ("acked", "", ""),
                Verdict::Retry { refresh, trace } => ("retry", words(refresh), possible(trace)),
                Verdict::OutOfSequence => ("by its predecessors", "", ""),
                Verdict::Split => ("split", "", "not persisted"),
                Verdict::Fail(trace) => ("fail", "", possible(trace)),
            };
            format!("{action:<6} {trace:<16} {refresh}")
        };
        for code in (-1..=133).map(ErrorCode) {
            let plain = line(code, false);
            writeln!(table, "{:<45} {}", code.to_string(), plain.trim_end()).expect("grows");
            let idempotent = line(code, true);
            if idempotent != plain {
                let note = format!("  with idempotence: {}", idempotent.trim_end());
                writeln!(table, "{note}").expect("a String grows");
            }
        }
        crate::test_support::check_table("verdict_by_error_code", &table);
    }

    fn words(refresh: Refresh) -> &'static str {
        match refresh {
            Refresh::Metadata => "refresh metadata",
            Refresh::Nothing => "",
        }
    }

    fn possible(trace: Trace) -> &'static str {
        match trace {
            Trace::None => "not persisted",
            Trace::Possible => "maybe persisted",
        }
    }

    #[test]
    fn every_code_has_a_verdict_and_unknown_ones_prove_nothing() {
        for code in i16::MIN..=i16::MAX {
            let verdict = verdict(ErrorCode(code), code % 2 == 0);
            if !(-1..=133).contains(&code) {
                assert_eq!(verdict, Verdict::Fail(Trace::Possible), "code {code}");
            }
        }
    }
}
