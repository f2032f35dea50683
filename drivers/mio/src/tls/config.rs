//! The TLS configuration, from the keys of the producer's.

use super::files::{certificates, private_key, wrong};
use super::trust::Trust;
use super::verifier::AnyName;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, Error, InconsistentKeys, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use titorelli::{Config, ConfigError};

/// Reads the files that the configuration names.
pub(super) fn build(config: &Config) -> Result<(ClientConfig, Trust), ConfigError> {
    let provider = Arc::new(ring::default_provider());
    let (roots, authorities) = match &config.ssl_cafile {
        Some(path) => (
            file_roots(path)?,
            format!("ssl_cafile ({})", path.display()),
        ),
        None => (system_roots()?, "the system's authorities".to_owned()),
    };
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(&provider))
        .build()
        .expect("there is an authority, and no revocation list");
    let verifier: Arc<dyn ServerCertVerifier> = if config.ssl_check_hostname {
        verifier
    } else {
        Arc::new(AnyName::new(verifier))
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("the provider has ciphers of every version")
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let files = config
        .ssl_certfile
        .as_deref()
        .zip(config.ssl_keyfile.as_deref());
    let Some((certfile, keyfile)) = files else {
        let trust = Trust::new(authorities, None);
        return Ok((builder.with_no_client_auth(), trust));
    };
    let identity = Arc::new(SingleCertAndKey::from(identity(
        certfile, keyfile, &provider,
    )?));
    let certificate = format!("ssl_certfile ({})", certfile.display());
    let trust = Trust::new(authorities, Some(certificate));
    Ok((builder.with_client_cert_resolver(identity), trust))
}

fn file_roots(path: &Path) -> Result<RootCertStore, ConfigError> {
    const KEY: &str = "ssl_cafile";
    let mut roots = RootCertStore::empty();
    for (number, certificate) in (1..).zip(certificates(KEY, path)?) {
        roots.add(certificate).map_err(|_| {
            let words = format!("certificate {number} in it is malformed");
            wrong(KEY, path, words)
        })?;
    }
    Ok(roots)
}

/// What the system trusts. Some systems keep certificates there that nobody can read.
fn system_roots() -> Result<RootCertStore, ConfigError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        let errors = if errors.is_empty() {
            "it has none".to_owned()
        } else {
            errors.join(", ")
        };
        return Err(ConfigError {
            key: "ssl_cafile".to_owned(),
            reason: format!(
                "it is unset, and the system's authorities cannot be used: {errors}; name a file"
            ),
        });
    }
    Ok(roots)
}

/// The producer's own certificate and key.
fn identity(
    certfile: &Path,
    keyfile: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, ConfigError> {
    let chain = certificates("ssl_certfile", certfile)?;
    let key = private_key("ssl_keyfile", keyfile)?;
    let key = provider.key_provider.load_private_key(key).map_err(|_| {
        let words = "the private key is malformed, or of a kind that is not supported: RSA, \
                     ECDSA on P-256 or P-384, and Ed25519 are";
        wrong("ssl_keyfile", keyfile, words)
    })?;
    let identity = CertifiedKey::new(chain, key);
    match identity.keys_match() {
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let words = format!(
                "the private key is not that of the first certificate in ssl_certfile ({})",
                certfile.display()
            );
            Err(wrong("ssl_keyfile", keyfile, words))
        }
        Err(Error::InvalidCertificate(rustls::CertificateError::BadEncoding)) => Err(wrong(
            "ssl_certfile",
            certfile,
            "the first certificate in it is malformed",
        )),
        // What else there is to say about a certificate, the broker says: it is its judge.
        Ok(()) | Err(_) => Ok(identity),
    }
}
