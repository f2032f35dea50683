//! All integration tests of the core, in one binary.

mod seeds;
mod snapshots;
mod wire;
