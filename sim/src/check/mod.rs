//! The named invariants that need to see both the application and the logs.

mod copies;
mod flights;
mod frames;
mod order;
mod truth;

pub use copies::copies;
pub(crate) use flights::Flights;
pub(crate) use frames::{judgement, read_batch, read_request};
pub use order::order;
pub use truth::truth;
