//! What is left out of the comparison, and what differs still.

use super::corpus::Step;
use super::stage::Release;

/// Release, script, step, and why the cluster differs there.
pub(super) type Known = (&'static str, &'static str, &'static str, &'static str);

/// Steps whose first try is volatile too: a coordinator that loads, a controller that is busy.
const VOLATILE: [&str; 2] = [
    "first of the cluster, until it works",
    "every 500 ms until a new leader and ISR",
];

/// Null records make 2.8 answer once, or twice, or close, as its threads happen to run.
const RACES: [&str; 2] = [
    "null record bytes",
    "(a second answer to the previous request)",
];

/// Whether even the first try may come out as the last one.
pub(super) fn is_volatile(step: &Step) -> bool {
    VOLATILE.contains(&step.note.as_str())
}

/// Whether the outcome is chance.
pub(super) fn is_race(release: Release, step: &Step) -> bool {
    release == (2, 8, 2) && RACES.contains(&step.note.as_str())
}

/// Every difference that stands.
pub(super) const DIFFERENCES: &[Known] = &[(
    "0.10.0.1",
    "framing",
    "api key 1 (Fetch) v0, empty body",
    "0.10.0 reads Fetch by its oldest decoder and fails unanswered; the cluster has no Fetch",
)];
