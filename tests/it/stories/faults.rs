//! What each fault does, and that it does no more.

use titorelli_sim::cluster::BrokerId;
use titorelli_sim::{Fault, Story, ms};

const B1: BrokerId = BrokerId(1);

/// The transport takes a request that never arrives: nothing tells of it but the time that passes.
#[test]
fn what_is_swallowed_is_not_appended_and_goes_again_on_another_connection() {
    let mut story = Story::new(|config| {
        config.retries = 5;
        config.request_timeout = ms(1_000);
    });
    story.cluster("orders/0 -> b1");
    story.ready();
    story.strike(&Fault::Swallow(B1));
    let record = story.send("orders/0", "swallowed");
    story.wait(ms(900));
    story.expect_log("orders/0", &[]);
    story.run_until_idle();
    story.expect_delivered([record]);
    story.expect_log("orders/0", &["swallowed"]);
}
