//! A run of which everything is kept, however it ends.

use std::panic::{AssertUnwindSafe, catch_unwind};

use titorelli::recording::{Payloads, Recording};

use crate::plan::Plan;
use crate::run::Run;
use crate::shrink::words_of;
use crate::swarm::{Summary, summary};
use crate::timeline::Telling;

/// What is left of a run.
#[derive(Debug)]
pub struct Witnessed {
    /// What it came to, or which promise it broke, in the words of the panic.
    pub ended: Result<Summary, String>,
    /// Every call of the core, to be [replayed](titorelli::recording::Replay).
    pub log: String,
    run: Run,
}

/// Carries out a plan, and keeps everything. A run that fails panics on the way, and is caught.
#[must_use]
pub fn witness(plan: &Plan, telling: Telling, payloads: Payloads) -> Witnessed {
    let recording = Recording {
        payloads,
        waiting_bytes_max: usize::MAX,
    };
    let mut run = Run::recorded(&plan.stage, telling, recording);
    run.world_mut().draw();
    let carry_out = || plan.steps.iter().for_each(|step| run.take(step.clone()));
    let ended = catch_unwind(AssertUnwindSafe(carry_out)).map_err(|panic| words_of(&*panic));
    let ended = ended.map(|()| summary(&run));
    if ended.is_err() {
        run.world().show_failure();
    }
    Witnessed {
        ended,
        log: run.world_mut().take_log(),
        run,
    }
}

impl Witnessed {
    /// The run as a page of HTML. `about` is what it began with.
    #[must_use]
    pub fn page(&self, title: &str, about: &str) -> String {
        let failure = self.ended.as_ref().err();
        self.run
            .world()
            .page(title, about, failure.map(String::as_str))
    }
}
