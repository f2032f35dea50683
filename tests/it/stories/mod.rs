//! Directed tests, each told by its timeline (`snapshots/story__<name>.snap`).

mod acks;
mod batching;
mod bystanders;
mod connecting;
mod ending;
mod epochs;
mod faults;
mod hints;
mod identity;
mod isolation;
mod losing;
mod named;
mod old_brokers;
mod pipelining;
mod questions;
mod rebootstrap;
mod reborn;
mod replicas;
mod requests;
mod sending;
mod strange;
mod telling;
mod timing;
mod too_large;
mod waiting;
mod withdrawing;

use titorelli::Config;
use titorelli_sim::{Story, ms};

/// Idempotent, and a batch for every record.
pub(crate) fn numbered(config: &mut Config) {
    *config = Config::durable();
    config.linger = ms(0);
    config.batch_size = 0;
    config.backoff_jitter_percent = 0;
}

/// Compares the story's timeline with the one that was reviewed.
#[track_caller]
fn check(name: &str, story: &Story) {
    crate::snapshots::check(&format!("story__{name}"), &story.timeline());
}

/// The timeline in the README is the one that its program prints.
#[test]
fn the_story_of_the_readme_is_told_there_as_it_goes() {
    let mut story = Story::new(|config| {
        config.retries = 3;
        config.linger = ms(5);
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    let painted = story.send("orders/0", "painted");
    story.move_leader("orders/0", "b2");
    story.lose_next_response("b1");
    story.run_until_idle();
    story.expect_delivered([painted]);
    let timeline = story.timeline();
    let readme = include_str!("../../../README.md");
    assert!(readme.contains(&timeline), "{timeline}");
}
