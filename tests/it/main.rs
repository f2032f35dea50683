//! All integration tests of the core, in one binary.

mod determinism;
mod properties;
mod seeds;
mod snapshots;
#[cfg(test)]
mod stories;
mod tidy;
mod wire;
