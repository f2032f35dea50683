//! Standard output, which may be a pipe that nobody reads or a file on a full disk.
//!
//! Owns: that it is an error in words and an exit status, where `println!` panics.

use std::error::Error;
use std::io::{Write, stdout};

/// Writes these lines to standard output.
///
/// # Errors
///
/// It takes no more.
pub(crate) fn print(lines: &str) -> Result<(), Box<dyn Error>> {
    let mut output = stdout().lock();
    let written = output.write_all(lines.as_bytes());
    written
        .and_then(|()| output.flush())
        .map_err(|error| format!("standard output: {error}").into())
}
