//! The broker's side of the Kafka protocol: requests decoded, responses encoded.
//!
//! Owns: every byte that the cluster reads or writes. Never: a decision about what to answer.
//! Invariants: independent of `titorelli::wire`, so that a mistake there is not repeated here;
//! every count is checked against the bytes that remain before anything is allocated.

mod api;
mod api_versions;
mod compression;
pub mod error_code;
mod init_producer_id;
mod message_set;
mod metadata;
mod metadata_answer;
mod produce;
mod produce_answer;
mod reader;
mod record_batch;
mod request;
mod writer;

pub use api::{ApiKey, ApiRange};
pub use api_versions::{ApiVersionsRequest, ApiVersionsResponse};
pub use compression::{Codec, inflate};
pub use init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
pub use message_set::{Message, messages, whole_messages};
pub use metadata::{
    MetadataBroker, MetadataPartition, MetadataRequest, MetadataResponse, MetadataTopic,
    TopicSelector,
};
pub use produce::{
    LeaderHint, PartitionAnswer, ProducePartition, ProduceRequest, ProduceResponse, ProduceTopic,
    RecordError, TopicAnswer, TopicName,
};
pub use produce_answer::produce_answers;
pub use reader::{Malformed, Reader};
pub use record_batch::{BATCH_HEADER_BYTES, BatchHeader, RecordView, first_batch, walk_records};
pub use request::{Request, RequestHeader, client_id, decode_request, request_header};
pub use writer::Writer;
