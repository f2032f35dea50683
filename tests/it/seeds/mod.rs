//! Seeds: each one is a configuration, a workload and a schedule of faults, drawn at random and
//! repeatable. The core is driven as badly as its contract allows, and everything it promises is
//! checked, after every step and at the end.
//!
//! `SEEDS=0..100000 cargo test --release --test it seeds` runs these seeds instead of the usual.

mod deeds;
mod dice;
mod model;
mod plan;
mod rig;
mod wires;

use core::ops::Range;
use core::time::Duration;
use model::State;
use plan::{Ending, Fault};
pub(crate) use rig::Rig;
use titorelli::Acks;
use wires::Event;

/// What `cargo test` runs: enough to notice, few enough to wait for.
const USUAL: Range<u64> = 0..200;

#[test]
fn every_promise_holds_for_every_seed() {
    for seed in seeds() {
        run(seed);
        if seed % 10_000 == 9_999 {
            eprintln!("seeds up to {seed}");
        }
    }
}

/// `SEEDS=FROM..TO`
fn seeds() -> Range<u64> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a knob of the test, not of the core"
    )]
    let Ok(text) = std::env::var("SEEDS") else {
        return USUAL;
    };
    let (from, to) = text.split_once("..").expect("SEEDS=FROM..TO");
    from.parse().expect("a number")..to.parse().expect("a number")
}

/// One run, from nothing to the comparison with the logs.
fn run(seed: u64) {
    play(&mut Rig::new(seed));
}

/// Plays a run to its end.
pub(crate) fn play(rig: &mut Rig) {
    let chaos = u64::try_from(rig.plan.chaos.as_micros()).expect("short");
    for _ in 0..rig.plan.workload.records {
        let at = rig.dice.below(chaos);
        rig.wires.plan(at, Event::Send);
    }
    if !rig.plan.is_calm() {
        for _ in 0..rig.plan.fault_count {
            let at = rig.dice.below(chaos);
            rig.wires.plan(at, Event::Fault);
        }
    }
    if rig.plan.workload.closes_early {
        let at = rig.dice.below(chaos);
        rig.wires.plan(at, Event::Close);
    }
    rig.run_until(chaos);
    match rig.plan.ending {
        Ending::Heal => heal(rig),
        Ending::Blackout => rig.wires.is_black = true,
    }
    drain(rig);
    if rig.plan.ending == Ending::Heal && rig.give_up_at.is_none() {
        probe(rig);
    }
    end(rig);
}

/// The faults stop and everybody hurries. What the faults left behind, the core has to find out by
/// itself.
fn heal(rig: &mut Rig) {
    rig.hurry();
    for wire in rig.wires.all.values_mut() {
        (wire.budget_to_broker, wire.budget_to_client) = (None, None);
    }
    for broker in rig.broker_ids() {
        rig.cluster.set_up(broker);
        rig.cluster.throttle(broker, 0);
    }
}

/// Lets everything that was asked for come to its end (L1, L3, L5).
fn drain(rig: &mut Rig) {
    while rig.model.open_count() > 0
        || !rig.model.waiting.is_empty()
        || !rig.model.flushes.is_empty()
    {
        let has_stepped = rig.step(u64::MAX);
        assert!(has_stepped, "L7: unfinished work, and nothing is planned");
    }
    rig.settle_all();
    if rig.plan.is_calm() {
        for entry in &rig.model.entries {
            let is_good = matches!(entry.state, State::Acked(_) | State::Rejected);
            assert!(is_good, "L2: without a fault, {entry:?}");
        }
    }
    let stats = rig.core.stats();
    assert_eq!(stats.buffered_bytes, 0, "S8: all is completed");
}

/// After the faults every place must be served again (L2).
fn probe(rig: &mut Rig) {
    const TRIES: u32 = 40;
    if rig.plan.faults.contains(&Fault::Throttle) {
        let longest = u64::try_from(rig.plan.config.effective_delivery_timeout().as_micros());
        rig.run_until(rig.now + longest.expect("short"));
    }
    for topic in 0..rig.plan.workload.topics {
        let topic = format!("topic-{topic}");
        for partition in 0..rig.cluster.partition_count(&topic) {
            let is_served = (0..TRIES).any(|_| probe_once(rig, &topic, partition));
            assert!(
                is_served,
                "L2: {topic}/{partition} is not served after the faults"
            );
        }
    }
    if rig.plan.config.acks != Acks::None {
        burst(rig);
    }
}

/// What was served once is served at once from now on: no lane, no turn was forgotten.
fn burst(rig: &mut Rig) {
    let first = rig.model.entries.len();
    for round in 0..3 {
        for topic in 0..rig.plan.workload.topics {
            let topic = format!("topic-{topic}");
            for partition in 0..rig.cluster.partition_count(&topic) {
                let number = rig.model.probe(&topic, partition);
                rig.send(number);
            }
        }
        if round == 1 {
            rig.settle_all();
        }
    }
    drain(rig);
    for entry in &rig.model.entries[first..] {
        let is_good = matches!(entry.state, State::Acked(_) | State::Rejected);
        assert!(is_good, "L2: after the faults, {entry:?}");
    }
}

fn probe_once(rig: &mut Rig, topic: &str, partition: i32) -> bool {
    let number = rig.model.probe(topic, partition);
    rig.send(number);
    rig.settle_all();
    drain(rig);
    // Silent connections are found out, backoffs and throttles end.
    let config = &rig.plan.config;
    let pause =
        config.request_timeout + config.effective_reconnect_backoff_max() + Duration::from_secs(1);
    let pause = u64::try_from(pause.as_micros()).expect("short");
    let is_served = matches!(rig.model.entries[number].state, State::Acked(_));
    if !is_served {
        rig.run_until(rig.now + pause);
    }
    is_served
}

/// Closes, lets late bytes arrive, and compares what was told with the logs.
fn end(rig: &mut Rig) {
    if rig.give_up_at.is_none() {
        rig.close(rig.plan.workload.close_within);
    }
    while !rig.is_closed {
        let has_stepped = rig.step(u64::MAX);
        assert!(has_stepped, "L4: closing, and nothing is planned");
    }
    while rig.step(u64::MAX) {}
    rig.settle_all();
    assert_eq!(rig.core.poll_timeout(), None, "L4: closed, and busy");
    let stats = rig.core.stats();
    assert_eq!(
        (stats.buffered_bytes, stats.waiters),
        (0, 0),
        "S8, L5: closed"
    );
    rig.model.check_truth(&rig.plan, &rig.cluster);
}
