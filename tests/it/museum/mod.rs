//! Bugs of other producers, re-enacted: each test is named after what went wrong there, with the
//! place where it was told. What concerns transactions comes with these.

mod hangs;
mod loss;
mod once;
mod time;
mod topology;

use titorelli_sim::Story;

/// Nothing is under way, and nothing is held (S8); every record has one end (S1).
#[track_caller]
fn expect_nothing_left(story: &Story) {
    let stats = story.world().core().stats();
    assert_eq!((stats.buffered_bytes, stats.waiters), (0, 0));
    let ended = stats.records_acked + stats.records_not_persisted + stats.records_maybe_persisted;
    assert_eq!(stats.records_accepted, ended);
    titorelli_sim::check::truth(story.world());
}
