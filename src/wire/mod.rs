//! Bytes and nouns: the Kafka protocol as a producer speaks it. No state, no policy.
