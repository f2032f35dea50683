//! The primitive types of the protocol: a reader and a writer, each aware of flexible versions.
//!
//! Owns: integers, strings, arrays and tagged fields, in both notations (KIP-482): non-flexible
//! lengths are signed 16 or 32 bits with -1 as null; flexible ones an unsigned varint of the
//! length plus one, with 0 as null.
//! Invariants: the reader never goes past its end; a count is checked against the bytes that are
//! left before anything is allocated for it.

mod reader;
mod writer;

pub(super) use reader::Reader;
pub use reader::{DecodeError, Malformed};
pub(super) use writer::Writer;
