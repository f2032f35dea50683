//! Whole runs drawn from seeds: chaos, healing, probes, close. `cargo sim --seeds 0..10000` runs
//! more of them.

use titorelli_sim::{Profile, Summary, Telling, run_seed};

/// Enough for every kind of fault, and quick enough for every build.
const SEEDS: u64 = 150;

#[test]
fn seeds_keep_every_promise_and_reach_every_ending() {
    let total = (0..SEEDS)
        .map(|seed| run_seed(Profile::Full, seed, Telling::Nothing))
        .fold(Summary::default(), Summary::plus);
    // A run over many seeds that never meets an ending would prove nothing about it.
    assert!(total.acked > 1_000, "acked: {total}");
    assert!(total.not_persisted > 0, "certainly not written: {total}");
    assert!(total.maybe_persisted > 0, "perhaps written: {total}");
    assert!(total.rejected > 0, "not accepted: {total}");
    assert!(total.retries > 0, "sent again: {total}");
    assert!(total.copies > 0, "written twice: {total}");
}

/// The canary of determinism: a change here says that the core behaves otherwise than before, on
/// purpose or not.
#[test]
fn three_seeds_run_as_they_ran_before() {
    let runs = [(Profile::Full, 6), (Profile::Small, 1), (Profile::Wide, 1)];
    let lines = runs.map(|(profile, seed)| {
        let summary = run_seed(profile, seed, Telling::Nothing);
        format!("{profile} {seed}: {summary}")
    });
    crate::snapshots::check("sim__three_seeds", &lines.join("\n"));
}

#[test]
fn a_told_run_is_the_same_run() {
    for seed in 10..15 {
        assert_eq!(
            run_seed(Profile::Full, seed, Telling::Tail),
            run_seed(Profile::Full, seed, Telling::Nothing),
            "seed {seed}"
        );
    }
}
