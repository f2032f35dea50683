//! When to send no more: what `produce` and `perf` share.

use crate::interrupt;
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

/// From Ctrl-C on the producer accepts nothing, and a call that waits returns at once. What it has
/// accepted is completed, within `patience`.
pub(crate) fn close_on_ctrl_c(producer: &Producer, patience: Duration) {
    let producer = producer.clone();
    thread::spawn(move || {
        interrupt::wait();
        producer.close(patience);
    });
}
