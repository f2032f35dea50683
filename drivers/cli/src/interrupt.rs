//! Ctrl-C: the first one asks for an orderly end, the second one ends the program.

use crate::INTERRUPTED;
use crate::output::tell;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C is noted instead of ending the program; a second one still ends it.
///
/// # Errors
///
/// When the operating system refuses the signal handler.
pub(crate) fn listen() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
        tell(format_args!(
            "titorelli: ending in good order; once more to end at once"
        ));
    })
}

/// Whether Ctrl-C was pressed since [`listen`].
pub(crate) fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}
