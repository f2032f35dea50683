//! The named invariants that need to see both the application and the logs.

mod copies;
mod order;
mod truth;

pub use copies::copies;
pub use order::order;
pub use truth::truth;
