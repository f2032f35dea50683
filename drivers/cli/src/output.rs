//! Standard output and standard error, which may be pipes that nobody reads, or on a full disk.
//!
//! Owns: what happens then, where `println!` and `eprintln!` panic.

use std::error::Error;
use std::fmt::Arguments;
use std::io::{Write, stderr, stdout};

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

/// Writes a line to standard error. When that takes no more there is nobody left to tell, which is
/// no reason to end the work.
pub(crate) fn tell(words: Arguments<'_>) {
    let _nobody_listens = writeln!(stderr(), "{words}");
}
