//! The embedded Kafka cluster and the simulated world around the producer.
