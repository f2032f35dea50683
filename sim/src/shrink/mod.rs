//! A run that fails, cut down to the least that still fails in the same way.
//!
//! First steps go, in ever smaller chunks (delta debugging); then what is left is made plainer, one
//! [`Edit`] at a time; then steps go in pairs; and all again until nothing helps. *In the same way*
//! is the name that the message of a panic begins with.

mod edit;
mod source;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::plan::Plan;
use crate::run::Run;
use crate::swarm::{Profile, draw};
use crate::timeline::Telling;
use crate::world::World;

use edit::Edit;

/// So many steps are few enough to try every pair of them.
const STEPS_IN_PAIRS_MAX: usize = 30;
/// So many runs are worth waiting for.
const RUNS_MAX: u32 = 5_000;
/// Words of a message that stand for the name that it has not.
const WORDS_OF_A_NAME: usize = 4;

/// A plan that fails, and does not when anything is taken away that was tried.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What is left.
    pub plan: Plan,
    /// How it fails, in the words of the panic.
    pub message: String,
    /// How many runs it took.
    pub runs: u32,
    /// How many steps there were at first.
    pub steps_before: usize,
}

/// Cuts down the run of a seed; `None`: it keeps every promise.
///
/// Runs that fail panic on the way, and are caught: whoever calls decides whether the panic hook
/// tells of them.
#[must_use]
pub fn shrink(profile: Profile, seed: u64) -> Option<Shrunk> {
    shrink_plan(draw(profile, seed), &|_| {})
}

/// Cuts down any plan. `judge` looks at the world when the steps are done, and panics at what must
/// not be; it may be asked of a run that stops anywhere.
#[must_use]
pub fn shrink_plan(plan: Plan, judge: &dyn Fn(&World)) -> Option<Shrunk> {
    let message = failure(&plan, judge)?;
    let steps_before = plan.steps.len();
    let mut search = Search {
        name: name_of(&message),
        judge,
        best: plan,
        message,
        runs: 1,
    };
    loop {
        let before = search.best.clone();
        search.drop_chunks();
        search.make_plainer();
        search.drop_pairs();
        if search.best == before {
            break;
        }
    }
    Some(Shrunk {
        plan: search.best,
        message: search.message,
        runs: search.runs,
        steps_before,
    })
}

/// How a plan fails, if it does.
fn failure(plan: &Plan, judge: &dyn Fn(&World)) -> Option<String> {
    let carry_out = || {
        let mut run = Run::told(&plan.stage, Telling::Silence);
        plan.steps.iter().for_each(|step| run.take(step.clone()));
        judge(run.world());
    };
    catch_unwind(AssertUnwindSafe(carry_out))
        .err()
        .map(|panic| words_of(&*panic))
}

/// What a panic said, without what `assert_eq!` says before it.
pub(crate) fn words_of(panic: &dyn Any) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref().copied());
    let text = text.unwrap_or_default();
    let own = text.strip_prefix("assertion `").unwrap_or(text);
    let own = own.split_once("` failed: ").map_or(text, |(_, own)| own);
    own.lines().next().unwrap_or_default().to_owned()
}

/// The invariant's name, or the first words.
fn name_of(message: &str) -> String {
    match message.split_once(": ") {
        Some((name, _)) if !name.contains(' ') => name.to_owned(),
        _ => {
            let words: Vec<&str> = message.split(' ').take(WORDS_OF_A_NAME).collect();
            words.join(" ")
        }
    }
}

/// A search under way.
struct Search<'a> {
    name: String,
    judge: &'a dyn Fn(&World),
    /// The least so far that fails.
    best: Plan,
    message: String,
    runs: u32,
}

impl Search<'_> {
    /// Whether the candidate fails in the same way: then it is the best.
    fn is_better(&mut self, candidate: Plan) -> bool {
        if self.runs >= RUNS_MAX || candidate == self.best {
            return false;
        }
        self.runs += 1;
        let message = failure(&candidate, self.judge);
        let Some(message) = message.filter(|message| name_of(message) == self.name) else {
            return false;
        };
        (self.best, self.message) = (candidate, message);
        true
    }

    /// Takes steps away: halves, quarters, at last single ones. From the end, for what comes after
    /// the failure goes first.
    fn drop_chunks(&mut self) {
        let mut size = self.best.steps.len().div_ceil(2).max(1);
        loop {
            let mut until = self.best.steps.len();
            while until > 0 {
                let from = until.saturating_sub(size);
                let mut candidate = self.best.clone();
                candidate.steps.drain(from..until);
                self.is_better(candidate);
                until = from;
            }
            if size == 1 {
                return;
            }
            size = size.div_ceil(2);
        }
    }

    /// Takes two steps away, wherever they are: often one is there to make up for the other.
    fn drop_pairs(&mut self) {
        if self.best.steps.len() > STEPS_IN_PAIRS_MAX {
            return;
        }
        let mut first = 0;
        while first < self.best.steps.len() {
            let mut second = first + 1;
            while second < self.best.steps.len() {
                let mut candidate = self.best.clone();
                candidate.steps.remove(second);
                candidate.steps.remove(first);
                second += usize::from(!self.is_better(candidate));
            }
            first += 1;
        }
    }

    /// Makes what is left plainer, for as long as an edit helps.
    fn make_plainer(&mut self) {
        let mut tried = 0;
        while let Some(edit) = edit::edits(&self.best).into_iter().nth(tried) {
            let is_better = self.is_better(edit.apply(&self.best));
            // An edit that helped is gone from the list, and the next has its place.
            tried += usize::from(!is_better);
        }
        let _ = self.is_better(Edit::Renumber.apply(&self.best));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_named_by_its_invariant_or_its_first_words() {
        let named = |message: &str| {
            let panic: Box<dyn Any> = Box::new(message.to_owned());
            name_of(&words_of(&*panic))
        };
        assert_eq!(named("L2: a healed cluster takes nothing"), "L2");
        let compared = "assertion `left == right` failed: S8: memory is held\n  left: 1\n right: 0";
        assert_eq!(named(compared), "S8");
        assert_eq!(
            named("3000000 steps, and not quiet"),
            "3000000 steps, and not"
        );
        assert_eq!(named("assertion failed: a == b"), "assertion failed: a ==");
    }

    #[test]
    fn a_seed_that_keeps_every_promise_is_not_shrunk() {
        assert!(shrink(Profile::Full, 1).is_none());
    }
}
