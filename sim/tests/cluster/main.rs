//! The embedded cluster, from the outside: bytes in, answers out.

#[cfg(test)]
mod client;
mod corpus;
mod faults;
mod produce;
mod robust;
