//! The lines of a log, taken one by one.

use super::ended::ReplayError;
use super::words::Malformed;

/// The lines of a log; one that is cut off at the end is none.
#[derive(Clone, Debug)]
pub(super) struct Lines<'a> {
    pub(super) rest: &'a [u8],
    /// The number of the line that was taken last.
    pub(super) number: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn next(&mut self) -> Result<Option<&'a str>, ReplayError> {
        let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let (line, rest) = self.rest.split_at(end);
        self.rest = &rest[1..];
        self.number += 1;
        let line = str::from_utf8(line).map_err(|_| self.malformed("not a text"))?;
        Ok(Some(line))
    }

    pub(super) fn malformed(&self, reason: Malformed) -> ReplayError {
        ReplayError::Malformed {
            line: self.number,
            reason,
        }
    }

    /// The line after, if it begins like this.
    pub(super) fn next_if(&mut self, start: &str) -> Result<Option<&'a str>, ReplayError> {
        if self.rest.starts_with(start.as_bytes()) {
            self.next()
        } else {
            Ok(None)
        }
    }
}
