//! All integration tests of the core, in one binary.

mod seeds;
mod snapshots;
#[cfg(test)]
mod stories;
mod wire;
