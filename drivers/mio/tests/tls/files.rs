//! Files of certificates and keys: every error names the key, the file and what is wrong.

use crate::authority::{Authority, Files};
use std::path::Path;
use titorelli_mio::{BuildError, Config, Producer, SecurityProtocol};

/// Builds a producer with these files, and expects it to fail.
#[track_caller]
fn check(key: &str, cafile: &Path, own: Option<(&Path, &Path)>, wrong: &Path, expected: &str) {
    let mut config = Config::default();
    config.security_protocol = SecurityProtocol::Ssl;
    config.ssl_cafile = Some(cafile.to_owned());
    config.ssl_certfile = own.map(|(certfile, _)| certfile.to_owned());
    config.ssl_keyfile = own.map(|(_, keyfile)| keyfile.to_owned());
    let error = Producer::new(config).expect_err(expected);
    assert!(
        matches!(&error, BuildError::Config(error) if error.key == key),
        "{error}"
    );
    let words = error.to_string();
    assert!(words.contains(&wrong.display().to_string()), "{words}");
    assert!(words.contains(expected), "{words}");
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_is_told() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let identity = authority.issue(&["me"]);
    let pem = authority.pem();
    let damaged = pem.replacen("MII", "M!I", 1);
    let cut = pem.split("-----END").next().expect("a part").to_owned();
    let malformed = format!("{pem}-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    let begun = pem.replacen("CERTIFICATE-----", "CERTIFICATE--", 1);
    for (content, expected) in [
        (&b""[..], "is empty; it must hold certificates in PEM"),
        (b"\xfe\xed\xfe\xed\x00\x00\x00\x02", "is a Java keystore"),
        (&identity.der(), "is DER or PKCS#12"),
        (b"hello\n", "holds nothing of the kind"),
        (
            identity.key_pem().as_bytes(),
            "holds a private key and no certificate",
        ),
        (damaged.as_bytes(), "is damaged"),
        (cut.as_bytes(), "is cut off"),
        (begun.as_bytes(), "does not end in -----"),
        (malformed.as_bytes(), "certificate 2 in it is malformed"),
    ] {
        let wrong = files.write("wrong", content);
        check("ssl_cafile", &wrong, None, &wrong, expected);
    }
    let missing = files.folder().join("missing.pem");
    check("ssl_cafile", &missing, None, &missing, "cannot be read: ");
    let folder = files.folder().to_owned();
    check("ssl_cafile", &folder, None, &folder, "cannot be read: ");
}

#[test]
fn a_certificate_or_key_that_cannot_be_used_is_told() {
    let (authority, files) = (Authority::new("a"), Files::new());
    let (mine, other) = (authority.issue(&["me"]), authority.issue(&["other"]));
    let cafile = files.write("ca.pem", authority.pem());
    let certfile = files.write("mine.pem", mine.pem());
    let keyfile = files.write("mine.key", mine.key_pem());
    let missing = files.folder().join("missing");
    let own = Some((missing.as_path(), keyfile.as_path()));
    check("ssl_certfile", &cafile, own, &missing, "cannot be read: ");
    let own = Some((certfile.as_path(), missing.as_path()));
    check("ssl_keyfile", &cafile, own, &missing, "cannot be read: ");
    let own = Some((keyfile.as_path(), keyfile.as_path()));
    check(
        "ssl_certfile",
        &cafile,
        own,
        &keyfile,
        "holds a private key and no certificate",
    );
    let wrong = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    let wrong = files.write("malformed.pem", wrong);
    let own = Some((wrong.as_path(), keyfile.as_path()));
    check(
        "ssl_certfile",
        &cafile,
        own,
        &wrong,
        "the first certificate in it is malformed",
    );

    let key = mine.key_pem();
    let damaged = key.replacen("MI", "M!", 1);
    let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                  DEK-Info: AES-256-CBC,0A\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let other_kind = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";
    for (content, expected) in [
        (mine.pem(), "holds a certificate and no private key"),
        (String::new(), "is empty; it must hold a private key in PEM"),
        (damaged, "is damaged"),
        (
            key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
            "the private key is encrypted",
        ),
        (legacy.to_owned(), "the private key is encrypted"),
        (
            other_kind.to_owned(),
            "malformed, or of a kind that is not supported",
        ),
        (
            other.key_pem(),
            "is not that of the first certificate in ssl_certfile (",
        ),
    ] {
        let wrong = files.write("wrong.key", content);
        check(
            "ssl_keyfile",
            &cafile,
            Some((certfile.as_path(), wrong.as_path())),
            &wrong,
            expected,
        );
    }
}
