//! All integration tests of the core, in one binary.

mod configurations;
mod determinism;
mod explore;
mod metrics;
mod properties;
mod seeds;
mod snapshots;
mod stories;
mod swarm;
mod tidy;
mod wire;
