//! The embedded cluster, from the outside: bytes in, answers out.

#[cfg(test)]
mod client;
mod faults;
mod identity;
mod produce;
mod replay;
mod replicas;
mod robust;
