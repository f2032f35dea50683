//! Host names become addresses, off the I/O thread.

use crate::shared::{Resolved, Shared};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Weak};
use std::thread;
use titorelli::ConnId;

/// Resolves a host for a connection: at once if it is an address, else on a thread of its own, so
/// that one slow name delays no other. The answer goes to [`Shared::resolved`].
pub(crate) fn resolve(shared: &Arc<Shared>, conn: ConnId, host: &Arc<str>, port: u16) {
    if let Ok(address) = host.parse::<IpAddr>() {
        let addresses = Ok(vec![SocketAddr::new(address, port)]);
        shared.resolved.lock().push(Resolved { conn, addresses });
        return;
    }
    let (weak, name) = (Arc::downgrade(shared), Arc::clone(host));
    let spawned = thread::Builder::new()
        .name("titorelli-resolve".to_owned())
        .spawn(move || answer(&weak, conn, look_up(&name, port)));
    if let Err(error) = spawned {
        answer(
            &Arc::downgrade(shared),
            conn,
            Err(format!("no thread to resolve on: {error}")),
        );
    }
}

fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|error| format!("{host}: {error}"))?
        .collect();
    if addresses.is_empty() {
        return Err(format!("{host}: no addresses"));
    }
    Ok(addresses)
}

fn answer(shared: &Weak<Shared>, conn: ConnId, addresses: Result<Vec<SocketAddr>, String>) {
    if let Some(shared) = shared.upgrade() {
        shared.resolved.lock().push(Resolved { conn, addresses });
        shared.wake();
    }
}
