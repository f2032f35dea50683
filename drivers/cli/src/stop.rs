//! When to send no more, and how it ends: what `produce` and `perf` share.

use crate::interrupt;
use crate::output::tell;
use std::thread;
use std::time::Duration;
use titorelli_mio::{Producer, SendError};

/// Whether another record may be accepted where this one was not.
pub(crate) fn is_about_one_record(error: &SendError) -> bool {
    matches!(
        error,
        SendError::TooLarge { .. } | SendError::InvalidRecord(_)
    )
}

/// How long the last close may take: everything is completed by then, or has failed.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Closes a producer of which nothing more is wanted, and tells if its recording broke off.
pub(crate) fn close(producer: &Producer) {
    producer.close(GRACE);
    let recording = producer.recording();
    if let Some(recording) = recording.filter(|recording| recording.broke_off.is_some()) {
        tell(format_args!("titorelli: {recording}"));
    }
}

/// From Ctrl-C on the producer accepts nothing, and a call that waits returns at once. What it has
/// accepted is completed, within `patience`.
pub(crate) fn close_on_ctrl_c(producer: &Producer, patience: Duration) {
    let producer = producer.clone();
    thread::spawn(move || {
        interrupt::wait();
        producer.close(patience);
    });
}
