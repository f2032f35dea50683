//! Ctrl-C: the first one asks for an orderly end, the second one for an end at once, and the third
//! one ends the program.

use crate::INTERRUPTED;
use crate::output::tell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How soon Ctrl-C is noticed by who waits for it.
pub(crate) const GLANCE: Duration = Duration::from_millis(50);

static PRESSED: AtomicUsize = AtomicUsize::new(0);

/// From now on Ctrl-C is noted instead of ending the program; a third one still ends it.
///
/// # Errors
///
/// When the operating system refuses the signal handler.
pub(crate) fn listen() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| match PRESSED.fetch_add(1, Ordering::Relaxed) {
        0 => tell(format_args!(
            "titorelli: ending in good order; once more to end at once"
        )),
        1 => {}
        _ => std::process::exit(INTERRUPTED.into()),
    })
}

/// Whether Ctrl-C was pressed since [`listen`].
pub(crate) fn is_asked() -> bool {
    PRESSED.load(Ordering::Relaxed) > 0
}

/// Whether it was pressed again: nothing more is to be waited for.
pub(crate) fn is_urged() -> bool {
    PRESSED.load(Ordering::Relaxed) > 1
}

/// Returns when Ctrl-C was pressed.
pub(crate) fn wait() {
    while !is_asked() {
        thread::sleep(GLANCE);
    }
}
