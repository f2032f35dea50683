//! Directed tests, each told by its timeline (`snapshots/story__<name>.snap`).

mod batching;
mod connecting;
mod ending;
mod losing;
mod waiting;

use titorelli_sim::Story;

/// Compares the story's timeline with the one that was reviewed.
#[track_caller]
fn check(name: &str, story: &Story) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(format!("story__{name}"), story.timeline()));
}
