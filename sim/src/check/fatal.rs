//! S14: a producer that cannot go on says why at every call, and says the same.

use titorelli::{DeliveryCause, SendError};

/// What the producer said that ended it.
#[derive(Debug, Default)]
pub(crate) struct Fatal {
    cause: Option<DeliveryCause>,
}

impl Fatal {
    /// A call is answered, or has waited in vain.
    ///
    /// # Panics
    /// The producer had ended, and takes it up again or gives another cause.
    pub(crate) fn on_answer(&mut self, refusal: Option<&SendError>) {
        match (refusal, &self.cause) {
            (Some(SendError::Fatal(cause)), None) => self.cause = Some(cause.clone()),
            (Some(SendError::Fatal(cause)), Some(first)) => {
                assert_eq!(cause, first, "S14: the first cause is told");
            }
            (Some(SendError::WouldBlock(_)) | None, Some(first)) => {
                panic!("S14: it takes a record, and could not go on: {first}")
            }
            (_, Some(_) | None) => {}
        }
    }
}
