//! Why records wait: told on standard error at SIGQUIT (Ctrl-\ in a terminal), and every second
//! with `--explain` while something waits.

use crate::interrupt::GLANCE;
use crate::output::tell;
use signal_hook::consts::SIGQUIT;
use signal_hook::flag;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use titorelli_mio::Producer;

/// How often it is told with `--explain`.
const EVERY: Duration = Duration::from_secs(1);

/// From now on it is told, as long as the program runs.
///
/// # Errors
///
/// When the operating system refuses the signal handler.
pub(crate) fn listen(producer: &Producer, always: bool) -> io::Result<()> {
    let is_asked = Arc::new(AtomicBool::new(false));
    flag::register(SIGQUIT, Arc::clone(&is_asked))?;
    let producer = producer.clone();
    thread::spawn(move || {
        let mut told_at = Instant::now();
        loop {
            thread::sleep(GLANCE);
            let is_time = always && told_at.elapsed() >= EVERY;
            let is_waiting = || producer.stats().buffered_bytes > 0;
            if is_asked.swap(false, Ordering::Relaxed) || (is_time && is_waiting()) {
                told_at = Instant::now();
                tell(format_args!("{}", producer.report().trim_end()));
            }
        }
    });
    Ok(())
}
