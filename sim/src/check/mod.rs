//! The named invariants that need to see both the application and the logs.

mod truth;

pub use truth::truth;
