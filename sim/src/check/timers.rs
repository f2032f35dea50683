//! L7: no timer is lost. A core that says that nothing is due has nothing to do.

use titorelli::Instant;
use titorelli::recording::RecordedCore;

/// Calls the core a moment before `until`, when it says that nothing is due: whatever it does then
/// should have been announced. Being called early changes nothing.
///
/// # Panics
/// It acts, or has an earlier deadline after it.
pub(crate) fn nothing_is_due(core: &mut RecordedCore, until: Instant) {
    let Some(just_before) = until.as_micros().checked_sub(1) else {
        return;
    };
    let announced = core.poll_timeout();
    core.handle_timeout(Instant::from_micros(just_before));
    if let Some(output) = core.poll_output() {
        panic!("L7: nothing was due before {until}, and it would have been {output:?}");
    }
    let deadline = core.poll_timeout();
    assert!(
        deadline.is_none_or(|deadline| deadline.at >= until),
        "L7: {announced:?} was announced, and it should have been {deadline:?}"
    );
}
