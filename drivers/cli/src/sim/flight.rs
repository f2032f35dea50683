//! `titorelli sim --record`, `--replay` and `--timeline`: runs as files.

use crate::output::{print, tell};
use crate::{Ended, UNACKNOWLEDGED};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use titorelli::recording::{Payloads, Replay};
use titorelli_sim::{Profile, Summary, Telling, banner, draw, witness};

/// Runs a seed, and writes its log and its page, however it ends; none: it broke a promise, which
/// has been told.
pub(super) fn witness_seed(
    profile: Profile,
    seed: u64,
    telling: Telling,
    record: Option<&Path>,
    timeline: Option<&Path>,
) -> Result<Option<Summary>, Box<dyn Error>> {
    let witnessed = witness(&draw(profile, seed), telling, Payloads::Whole);
    if let Some(file) = record {
        fs::write(file, &witnessed.log).map_err(|error| named(file, &error))?;
    }
    if let Some(file) = timeline {
        let page = witnessed.page(&format!("seed {seed}"), &banner(profile, seed));
        fs::write(file, page).map_err(|error| named(file, &error))?;
    }
    Ok(witnessed.ended.ok())
}

/// Makes the calls of a log again, and tells what was equal or the first difference.
pub(super) fn replay(file: &Path) -> Ended {
    let log = fs::read(file).map_err(|error| named(file, &error))?;
    match Replay::new(&log).and_then(Replay::run) {
        Ok(replayed) => {
            print(&format!(
                "ok: {} replays: {replayed} were equal\n",
                file.display()
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            tell(format_args!("{}: {error}", file.display()));
            Ok(ExitCode::from(UNACKNOWLEDGED))
        }
    }
}

fn named(file: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", file.display())
}
