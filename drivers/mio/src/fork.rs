//! Whether this process is a fork of the one that built a producer: its I/O thread did not come
//! along, and a lock that another thread held stays locked for ever.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many forks lie between this process and the first that watched.
static FORKS: AtomicU32 = AtomicU32::new(0);
static WATCH: Once = Once::new();

/// The process that something was made in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home {
    forks: u32,
}

impl Home {
    /// This process.
    pub(crate) fn here() -> Self {
        WATCH.call_once(watch);
        Self { forks: forks() }
    }

    /// Whether this process is a fork of that one. It costs a load, and is asked before any lock
    /// is taken.
    #[inline]
    pub(crate) fn is_left(self) -> bool {
        self.forks != forks()
    }
}

#[inline]
fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Counts forks from now on, in the child.
#[cfg(unix)]
fn watch() {
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    #[expect(
        unsafe_code,
        reason = "nothing safe tells of a fork at the price of a load; the handler only adds to an \
                  atomic number, which is allowed in a forked child"
    )]
    // SAFETY: `in_child` is a function of the right type that lives as long as the process.
    let _refused = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

/// There are no forks.
#[cfg(not(unix))]
fn watch() {}
