//! All integration tests of the core, in one binary.

mod configurations;
mod determinism;
mod explore;
mod metrics;
mod mirror;
mod museum;
mod page;
mod partitioners;
mod planted;
mod properties;
mod recording;
mod reference;
mod seeds;
mod shrink;
mod snapshots;
mod stories;
mod swarm;
mod tidy;
mod vectors;
mod wire;
