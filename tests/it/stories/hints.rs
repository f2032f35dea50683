//! A broker that leads no more says who does, in its answer to Produce (KIP-951).

use titorelli_sim::cluster::BrokerId;
use titorelli_sim::{Story, ms};

/// The batch goes to the new leader as soon as it can be connected to: no answer about metadata and
/// no backoff comes in between.
#[test]
fn a_batch_follows_the_hint_without_a_pause() {
    let mut story = Story::new(|config| {
        config.retries = 3;
        config.retry_backoff = ms(900);
    });
    story.cluster("orders/0 -> b1, stock/0 -> b2");
    story.ready();
    story.move_leader("orders/0", "b2");
    let first = story.send("orders/0", "first");
    let second = story.send("orders/0", "second");
    story.run_until_idle();
    story.expect_delivered([first, second]);
    story.expect_log_ends("orders/0", "second");
    super::check("hint", &story);
}

/// A broker that nobody named yet is met by the hint.
#[test]
fn who_is_hinted_at_need_not_be_known() {
    let mut story = Story::new(|config| {
        config.retries = 3;
        config.retry_backoff = ms(900);
    });
    story.cluster("orders/0 -> b1");
    story.control("b3 is down", |cluster| cluster.set_down(BrokerId(3)));
    story.ready();
    story.control("b3 is back, and leads", |cluster| {
        cluster.set_up(BrokerId(3));
        cluster.move_leader("orders", 0, BrokerId(3));
    });
    let record = story.send("orders/0", "there");
    story.run_until_idle();
    story.expect_delivered([record]);
    super::check("hint_at_a_stranger", &story);
}
