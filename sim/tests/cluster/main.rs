//! The embedded cluster, from the outside: bytes in, answers out.

mod client;
mod faults;
mod produce;
mod robust;
