//! Authorities and certificates, made when a test needs them.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use titorelli_mio::rustls::crypto::{CryptoProvider, ring};
use titorelli_mio::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use titorelli_mio::rustls::server::WebPkiClientVerifier;
use titorelli_mio::rustls::{self, RootCertStore, ServerConfig, SupportedProtocolVersion};

/// Signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// A certificate and its key.
pub(crate) struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("signed");
        Self {
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// A certificate for these hosts, names or addresses.
    pub(crate) fn issue(&self, hosts: &[&str]) -> Identity {
        self.issue_between(hosts, 2000, 2090)
    }

    /// A certificate that is valid from the beginning of one year to that of another.
    pub(crate) fn issue_between(&self, hosts: &[&str], from: i32, to: i32) -> Identity {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("names");
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(to, 1, 1);
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().expect("a key");
        Identity {
            certificate: params.signed_by(&key, &self.issuer).expect("signed"),
            key,
        }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.der().clone())
            .expect("well-formed");
        Arc::new(roots)
    }
}

impl Identity {
    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        self.certificate.der().to_vec()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.der().clone()]
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).expect("PKCS#8")
    }

    /// A server whose cryptography is this provider's.
    pub(crate) fn server_of(&self, provider: CryptoProvider) -> ServerConfig {
        let builder = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .expect("suites of both versions")
            .with_no_client_auth();
        let server = builder.with_single_cert(self.chain(), self.private_key());
        server.expect("its own key")
    }

    /// A server of TLS 1.2 and 1.3 with this certificate.
    pub(crate) fn server(&self) -> ServerConfig {
        self.server_with(rustls::ALL_VERSIONS, None)
    }

    /// A server of these versions; where it trusts an authority, clients must have a certificate.
    pub(crate) fn server_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        clients: Option<&Authority>,
    ) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("suites of these versions");
        let builder = match clients {
            Some(authority) => {
                let roots = authority.roots();
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                builder.with_client_cert_verifier(verifier.build().expect("an authority"))
            }
            None => builder.with_no_client_auth(),
        };
        let server = builder.with_single_cert(self.chain(), self.private_key());
        server.expect("its own key")
    }
}

/// A folder of files, gone with this.
pub(crate) struct Files {
    folder: PathBuf,
}

impl Files {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("titorelli-tls-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.join(name);
        std::fs::write(&path, content).expect("a file");
        path
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // What cannot be removed now is the system's to remove.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
