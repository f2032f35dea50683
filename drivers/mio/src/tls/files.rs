//! Certificates and keys from PEM files. Every error names the key of the configuration, the file,
//! and what is wrong with it.

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt::Display;
use std::path::Path;
use titorelli::ConfigError;

/// The first bytes of a Java keystore.
const JKS_MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
/// The first byte of DER, and so of PKCS#12.
const DER_SEQUENCE: u8 = 0x30;

/// An error about a file.
pub(super) fn wrong(key: &str, path: &Path, words: impl Display) -> ConfigError {
    ConfigError {
        key: key.to_owned(),
        reason: format!("{}: {words}", path.display()),
    }
}

/// The certificates of a file, at least one, in their order.
pub(super) fn certificates(
    key: &str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let text = read(key, path)?;
    let found = CertificateDer::pem_slice_iter(&text);
    let found: Vec<_> = found
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(key, path, broken(&error)))?;
    if found.is_empty() {
        let inside = if has(&text, " PRIVATE KEY-----") {
            "holds a private key and no certificate"
        } else {
            what_else(&text)
        };
        let words = format!("{inside}; it must hold certificates in PEM");
        return Err(wrong(key, path, words));
    }
    Ok(found)
}

/// The first private key of a file.
pub(super) fn private_key(key: &str, path: &Path) -> Result<PrivateKeyDer<'static>, ConfigError> {
    let text = read(key, path)?;
    // PKCS#8, and the older form of OpenSSL.
    if has(&text, "-----BEGIN ENCRYPTED PRIVATE KEY-----") || has(&text, "Proc-Type: 4,ENCRYPTED") {
        let words =
            "the private key is encrypted; decrypt it: openssl pkey -in ENCRYPTED -out PLAIN";
        return Err(wrong(key, path, words));
    }
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
        if !matches!(error, pem::Error::NoItemsFound) {
            return wrong(key, path, broken(&error));
        }
        let inside = if has(&text, "-----BEGIN CERTIFICATE-----") {
            "holds a certificate and no private key"
        } else {
            what_else(&text)
        };
        let words = format!("{inside}; it must hold a private key in PEM");
        wrong(key, path, words)
    })
}

fn read(key: &str, path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| wrong(key, path, format!("cannot be read: {error}")))
}

fn has(text: &[u8], words: &str) -> bool {
    text.windows(words.len())
        .any(|part| part == words.as_bytes())
}

/// What a file is that has nothing of what is wanted.
fn what_else(text: &[u8]) -> &'static str {
    match text {
        [] => "is empty",
        _ if text.starts_with(&JKS_MAGIC) => "is a Java keystore",
        [DER_SEQUENCE, ..] => "is DER or PKCS#12",
        _ => "holds nothing of the kind",
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "what else there is does not happen to bytes in memory"
)]
fn broken(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "is cut off: a -----BEGIN line has no -----END",
        pem::Error::IllegalSectionStart { .. } => {
            "has a -----BEGIN line that does not end in -----"
        }
        _ => "is damaged: what stands between -----BEGIN and -----END is not base64",
    }
}
