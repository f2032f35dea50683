//! When to send no more: what `produce` and `perf` share.

use titorelli_mio::SendError;

/// Whether another record may be accepted where this one was not.
pub(crate) fn is_about_one_record(error: &SendError) -> bool {
    matches!(
        error,
        SendError::TooLarge { .. } | SendError::InvalidRecord(_)
    )
}
