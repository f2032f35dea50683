//! Conversations with real Kafka brokers of twelve releases, held again with the cluster that plays
//! the release: the same bytes must meet the same fate.

mod corpus;
mod fate;
mod judge;
mod known;
mod stage;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use corpus::{Step, steps};
use known::{DIFFERENCES, is_volatile};
use stage::{Release, Stage};

macro_rules! releases {
    ($($release:literal $numbers:expr;)*) => {
        [$((
            $release,
            $numbers,
            include_bytes!(concat!("../../../../tests/data/corpus/", $release, ".jsonl.gz")),
        )),*]
    };
}

/// Name, numbers, conversations.
const RELEASES: &[(&str, Release, &[u8])] = &releases! {
    "0.8.2.2" (0, 8, 2);
    "0.9.0.1" (0, 9, 0);
    "0.10.0.1" (0, 10, 0);
    "0.10.2.2" (0, 10, 2);
    "0.11.0.3" (0, 11, 0);
    "1.1.1" (1, 1, 1);
    "2.0.1" (2, 0, 1);
    "2.8.2" (2, 8, 2);
    "3.9.2" (3, 9, 2);
    "4.1.0" (4, 1, 0);
    "4.3.1" (4, 3, 1);
    "4.4.0" (4, 4, 0);
};

/// The scripts without transactions.
const SCRIPTS: [&str; 8] = [
    "apiversions",
    "metadata",
    "produce",
    "init-producer-id",
    "idempotence",
    "framing",
    "leadership",
    "leadership-kill",
];

/// One step that came out otherwise.
struct Difference {
    step: Step,
    recorded: String,
    found: String,
}

/// What came of a release's conversations.
struct Replay {
    step_count: usize,
    /// Steps that came out otherwise, as they might have with the release.
    volatile_count: usize,
    differences: Vec<Difference>,
}

/// The steps of the scripts without transactions.
fn scripted(conversations: &[u8]) -> Vec<Step> {
    let mut steps = steps(conversations);
    steps.retain(|step| SCRIPTS.contains(&step.script.as_str()));
    steps
}

/// Replays every script of a release.
fn replay(release: Release, conversations: &[u8]) -> Replay {
    let steps = scripted(conversations);
    let is_identity = |step: &&Step| step.note == "(to learn the cluster id)";
    let identity = steps.iter().find(is_identity);
    let cluster_id = identity.map(|step| stage::metadata(step, step.version).cluster_id);
    let cluster_id = cluster_id.unwrap_or_default();
    let mut stage = Stage::single(release, |config| config.cluster_id = cluster_id);
    let mut held = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let is_first = index == 0 || steps[index - 1].script != step.script;
        if is_first {
            assert_eq!(stage.untaken(), 0, "answers before {}", step.script);
        }
        if step.script == "leadership" && is_first {
            stage = Stage::triple(release, step);
        }
        held.push(stage.hold(step));
    }
    assert_eq!(stage.untaken(), 0, "answers after the last step");
    let (mut differences, mut volatile_count) = (Vec::new(), 0);
    for (index, step) in steps.iter().enumerate() {
        let (recorded, found) = &held[index];
        // How often something was tried is volatile: any try but the first may be the last one.
        let mut tries = (0..steps.len()).filter(|other| steps[*other].is_same_try(step));
        let is_first = tries.next() == Some(index) && !is_volatile(step);
        let last = tries.next_back().unwrap_or(index);
        let said = |fate: &str| fate.split(" #").next().map(str::to_owned);
        let is_like_last = said(&held[last].0) == said(found);
        let is_retry = step.note.contains("until") && !is_first && is_like_last;
        if recorded != found && (is_retry || known::is_race(release, step)) {
            volatile_count += 1;
        } else if recorded != found {
            differences.push(Difference {
                step: step.clone(),
                recorded: recorded.clone(),
                found: found.clone(),
            });
        }
    }
    Replay {
        step_count: steps.len(),
        volatile_count,
        differences,
    }
}

#[test]
fn every_request_meets_the_fate_that_it_had_with_the_release() {
    let mut report = "release    steps  equal  volatile  different\n".to_owned();
    let mut complaints = String::new();
    let mut hits = BTreeSet::new();
    for (name, release, conversations) in RELEASES {
        let Replay {
            step_count: steps,
            volatile_count: volatile,
            differences,
        } = replay(*release, conversations);
        let different = differences.len();
        let equal = steps - volatile - different;
        writeln!(
            report,
            "{name:9} {steps:6} {equal:6} {volatile:9} {different:10}"
        )
        .unwrap();
        for Difference {
            step,
            recorded,
            found,
        } in &differences
        {
            let is_it = |known: &&known::Known| {
                known.0 == *name && known.1 == step.script && known.2 == step.note
            };
            if let Some(known) = DIFFERENCES.iter().find(is_it) {
                hits.insert(known);
                continue;
            }
            let (script, number, note) = (&step.script, &step.number, &step.note);
            let (api, version) = (&step.api, step.version);
            writeln!(
                complaints,
                "{name} {script} {number}: {api} v{version}: {note}\n  {recorded}\n  {found}"
            )
            .unwrap();
        }
    }
    for known in DIFFERENCES.iter().filter(|known| !hits.contains(known)) {
        writeln!(complaints, "no longer different: {known:?}").unwrap();
    }
    println!("{report}");
    assert!(complaints.is_empty(), "{complaints}");
}
