//! A leader that leads on in a newer epoch: to what it promised before it is not held (S7e).

use titorelli_sim::cluster::BrokerId;
use titorelli_sim::{Config, Story, ms};

/// Metadata is asked for every 500 ms.
fn often(config: &mut Config) {
    super::numbered(config);
    config.metadata_max_age = ms(500);
}

/// How many batches are in flight to `orders/0`, a moment after three records were sent.
fn in_flight_of_three(story: &mut Story) -> usize {
    let before = story.world().core().stats().batches;
    for nth in 0..3 {
        story.send("orders/0", &format!("{before}, {nth}"));
    }
    story.wait(ms(1));
    usize::try_from(story.world().core().stats().batches - before).expect("few")
}

/// A leader that was elected again may have forgotten what it knew of the producer, as any other
/// that is new: until it acknowledges, it gets one batch.
#[test]
fn a_leader_is_new_in_every_epoch() {
    let mut story = Story::new(often);
    story.cluster("orders/0 -> b1");
    story.ready();
    assert_eq!(in_flight_of_three(&mut story), 3, "it has acknowledged one");
    story.wait(ms(600));
    story.control("b1 is elected again", |cluster| {
        cluster.move_leader("orders", 0, BrokerId(1));
    });
    // Until the producer hears of it.
    story.wait(ms(600));
    assert_eq!(
        in_flight_of_three(&mut story),
        1,
        "in this epoch it has not"
    );
    story.run_until_idle();
    assert_eq!(in_flight_of_three(&mut story), 3, "now it has");
    story.run_until_idle();
}
