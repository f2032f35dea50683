//! TLS, through rustls. The core sees only the bytes inside.
//!
//! Owns: the configuration that all connections share, and with it the sessions that they resume.
//! `files.rs` reads PEM, `config.rs` makes the configuration of it, `verifier.rs` overlooks names,
//! `session.rs` is one connection, `ledger.rs` its account of what left, `framing.rs` its place in
//! the incoming stream, `trust.rs` the words for what goes wrong.

mod config;
mod files;
mod framing;
mod ledger;
mod session;
#[cfg(test)]
mod tests;
mod trust;
mod verifier;

pub(crate) use session::{Broken, Session};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use titorelli::{Config, ConfigError, SecurityProtocol};
use trust::Trust;

/// How TLS is spoken with every broker.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    /// Whether a certificate must name the host.
    checks_names: bool,
    trust: Arc<Trust>,
}

/// Whom a certificate must name.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    Named(ServerName<'static>),
    /// The host has no form that a certificate could name, and none is looked for.
    AnyName,
}

impl Tls {
    /// What the configuration says; `None` where it says plaintext. Files are read now.
    pub(crate) fn of(config: &Config) -> Result<Option<Self>, ConfigError> {
        match config.security_protocol {
            SecurityProtocol::Plaintext => Ok(None),
            SecurityProtocol::Ssl => {
                let (client, trust) = config::build(config)?;
                Ok(Some(Self {
                    config: Arc::new(client),
                    checks_names: config.ssl_check_hostname,
                    trust: Arc::new(trust),
                }))
            }
        }
    }

    /// What a ready-made configuration says. Whether it looks at names is its own affair.
    pub(crate) fn ready_made(config: Arc<ClientConfig>) -> Self {
        let has_certificate = config.client_auth_cert_resolver.has_certs();
        let certificate = has_certificate.then(|| "ssl_context".to_owned());
        Self {
            config,
            checks_names: true,
            trust: Arc::new(Trust::new("ssl_context".to_owned(), certificate)),
        }
    }

    /// Whom the certificate of a host must name: the host as it was configured or announced, never
    /// what it resolves to.
    pub(crate) fn peer(&self, host: &str) -> Result<Peer, String> {
        // The zone of an IPv6 address means something on this machine only.
        let zoned = host.split_once('%').map(|(address, _)| address);
        let zoned = zoned.filter(|address| address.parse::<Ipv6Addr>().is_ok());
        match ServerName::try_from(zoned.unwrap_or(host).to_owned()) {
            Ok(name) => Ok(Peer::Named(name)),
            Err(_) if !self.checks_names => Ok(Peer::AnyName),
            Err(_) => Err(format!(
                "{host} is neither a DNS name nor an address, so no certificate can name it"
            )),
        }
    }

    /// Begins a session with a host that was connected to at `address`.
    pub(crate) fn begin(&self, peer: &Peer, address: IpAddr) -> Result<Session, Broken> {
        let name = match peer {
            Peer::Named(name) => name.clone(),
            Peer::AnyName => ServerName::IpAddress(address.into()),
        };
        let client = ClientConnection::new(Arc::clone(&self.config), name);
        let client = client.map_err(|error| Broken::Tls(self.trust.words(&error, true)))?;
        Ok(Session::new(client, Arc::clone(&self.trust)))
    }
}
