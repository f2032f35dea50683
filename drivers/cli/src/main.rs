//! The command-line tool `titorelli`.

fn main() {}
