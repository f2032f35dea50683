//! Directed tests, each told by its timeline (`snapshots/story__<name>.snap`).

mod batching;
mod connecting;
mod ending;
mod losing;
mod old_brokers;
mod timing;
mod waiting;

use titorelli_sim::Story;

/// Compares the story's timeline with the one that was reviewed.
#[track_caller]
fn check(name: &str, story: &Story) {
    crate::snapshots::check(&format!("story__{name}"), &story.timeline());
}
