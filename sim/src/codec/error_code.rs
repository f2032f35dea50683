//! Kafka's error codes, as far as the cluster answers them or a test scripts them.

macro_rules! codes {
    ($($name:ident = $code:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $name: i16 = $code;)*

        /// Kafka's name of an error code; `"UNLISTED"` for one that is not here.
        #[must_use]
        pub const fn name(code: i16) -> &'static str {
            match code {
                $($code => stringify!($name),)*
                _ => "UNLISTED",
            }
        }
    };
}

codes! {
    UNKNOWN_SERVER_ERROR = -1, "An exception that the broker did not foresee.";
    NONE = 0, "No error.";
    CORRUPT_MESSAGE = 2, "Checksum or length of a batch is wrong.";
    UNKNOWN_TOPIC_OR_PARTITION = 3, "The topic or partition is not known (yet, or any more).";
    LEADER_NOT_AVAILABLE = 5, "The partition has no leader now.";
    NOT_LEADER_OR_FOLLOWER = 6, "Another broker leads the partition.";
    REQUEST_TIMED_OUT = 7, "The replicas did not confirm in time: perhaps written.";
    BROKER_NOT_AVAILABLE = 8, "The broker is not available.";
    REPLICA_NOT_AVAILABLE = 9, "A replica is not available.";
    MESSAGE_TOO_LARGE = 10, "The batch is larger than max.message.bytes.";
    NETWORK_EXCEPTION = 13, "The connection ended before an answer.";
    COORDINATOR_LOAD_IN_PROGRESS = 14, "The coordinator is still loading.";
    COORDINATOR_NOT_AVAILABLE = 15, "There is no coordinator now.";
    NOT_COORDINATOR = 16, "Another broker coordinates.";
    INVALID_TOPIC_EXCEPTION = 17, "The topic's name is not legal.";
    RECORD_LIST_TOO_LARGE = 18, "The batch is larger than a segment.";
    NOT_ENOUGH_REPLICAS = 19, "Fewer replicas in sync than min.insync.replicas: not written.";
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, "The same, found after the leader had written.";
    INVALID_REQUIRED_ACKS = 21, "acks is not −1, 0 or 1.";
    TOPIC_AUTHORIZATION_FAILED = 29, "The client may not write to the topic.";
    CLUSTER_AUTHORIZATION_FAILED = 31, "The client may not do this to the cluster.";
    INVALID_TIMESTAMP = 32, "A timestamp is out of the topic's range.";
    UNSUPPORTED_VERSION = 35, "The API version is not supported.";
    INVALID_REQUEST = 42, "The request contradicts itself.";
    POLICY_VIOLATION = 44, "A policy of the cluster forbids it.";
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45, "A sequence number is not the next one.";
    DUPLICATE_SEQUENCE_NUMBER = 46, "A sequence number was written before.";
    INVALID_PRODUCER_EPOCH = 47, "The producer's epoch is older than the known one.";
    INVALID_TXN_STATE = 48, "The transaction is in another state.";
    INVALID_PRODUCER_ID_MAPPING = 49, "The producer id is not that of the transactional id.";
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53, "The client may not use the transactional id.";
    KAFKA_STORAGE_ERROR = 56, "The leader's disk failed.";
    UNKNOWN_PRODUCER_ID = 59, "The producer id has no state on this partition.";
    FENCED_LEADER_EPOCH = 74, "The leader epoch is older than the known one.";
    UNKNOWN_LEADER_EPOCH = 75, "The leader epoch is newer than the known one.";
    UNSUPPORTED_COMPRESSION_TYPE = 76, "The codec is not allowed at this version.";
    INVALID_RECORD = 87, "A record breaks a rule of the format or of the topic.";
    THROTTLING_QUOTA_EXCEEDED = 89, "A quota is used up.";
    PRODUCER_FENCED = 90, "Another producer took over the transactional id.";
    UNKNOWN_TOPIC_ID = 100, "No topic has this id.";
    TRANSACTION_ABORTABLE = 120, "The transaction must be aborted.";
    REBOOTSTRAP_REQUIRED = 129, "The client talks to another cluster or broker than it believes.";
}
