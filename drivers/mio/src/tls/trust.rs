//! What went wrong with TLS, in words that say what to do about it.

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};
use titorelli::counted;

/// What the words need to know: whom the producer trusts, and what it shows of itself.
#[derive(Debug)]
pub(super) struct Trust {
    /// Where the authorities come from.
    authorities: String,
    /// Where the producer's own certificate comes from, if it has one.
    certificate: Option<String>,
}

impl Trust {
    pub(super) fn new(authorities: String, certificate: Option<String>) -> Self {
        Self {
            authorities,
            certificate,
        }
    }

    /// The words for what ended a handshake, or a connection after it.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what else can happen has the words of its own"
    )]
    pub(super) fn words(&self, error: &Error, is_handshaking: bool) -> String {
        match error {
            Error::InvalidCertificate(error) => self.of_certificate(error),
            Error::AlertReceived(alert) => self.of_alert(*alert, is_handshaking),
            Error::PeerIncompatible(what) => of_incompatible(what).to_owned(),
            Error::NoCertificatesPresented => "the broker shows no certificate".to_owned(),
            Error::InvalidMessage(_) | Error::PeerSentOversizedRecord if is_handshaking => {
                "the answer is not TLS: does the port speak TLS?".to_owned()
            }
            Error::InvalidMessage(_) | Error::PeerSentOversizedRecord => {
                "the broker's bytes are no TLS record: they were changed on the way, or are not \
                 the broker's"
                    .to_owned()
            }
            Error::DecryptError => {
                "a record of the broker cannot be decrypted: it was changed on the way".to_owned()
            }
            Error::PeerMisbehaved(_) => format!("the broker breaks the rules of TLS ({error})"),
            _ => error.to_string(),
        }
    }

    /// What may be wrong when the connection broke before the broker said anything.
    pub(super) fn suspicion(&self) -> &'static str {
        if self.certificate.is_some() {
            ", before the broker's first answer: it may refuse the producer's certificate"
        } else {
            ", before the broker's first answer: it may want a certificate from the producer, and \
             ssl_certfile is unset"
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what else can be wrong has the words of its own"
    )]
    fn of_certificate(&self, error: &CertificateError) -> String {
        let authorities = &self.authorities;
        match error {
            CertificateError::UnknownIssuer => {
                format!("the broker's certificate is from no authority in {authorities}")
            }
            CertificateError::BadSignature => format!(
                "the signature of the broker's certificate is not that of its authority in \
                 {authorities}: is there another of the same name?"
            ),
            CertificateError::NotValidForNameContext {
                expected,
                presented,
            } => format!(
                "the broker's certificate is not for {}, it names {}; see ssl_check_hostname",
                expected.to_str(),
                names(presented)
            ),
            CertificateError::ExpiredContext { time, not_after } => format!(
                "the broker's certificate expired {} ago, by this machine's clock",
                span(*not_after, *time)
            ),
            CertificateError::NotValidYetContext { time, not_before } => format!(
                "the broker's certificate is not valid yet, but in {}, by this machine's clock",
                span(*time, *not_before)
            ),
            CertificateError::Revoked => "the broker's certificate is revoked".to_owned(),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                "the broker's certificate is not made for servers (extended key usage)".to_owned()
            }
            CertificateError::Other(other) => match other.to_string().as_str() {
                "CaUsedAsEndEntity" => {
                    "the broker shows an authority's certificate as its own: it needs one that an \
                     authority signed"
                        .to_owned()
                }
                "UnsupportedCertVersion" => {
                    "the broker's certificate is of X.509 version 1, which can name no host: it \
                     needs one of version 3"
                        .to_owned()
                }
                words => format!("the broker's certificate is not acceptable: {words}"),
            },
            _ => format!("the broker's certificate is not acceptable: {error}"),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "an alert that says nothing special is told by its name"
    )]
    fn of_alert(&self, alert: AlertDescription, is_handshaking: bool) -> String {
        let name = alert_name(alert);
        let reason = match alert {
            AlertDescription::CertificateRequired
            | AlertDescription::NoCertificate
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied => "",
            AlertDescription::UnknownCA => ": it does not know the authority",
            AlertDescription::CertificateExpired => ": it expired",
            AlertDescription::CertificateRevoked => ": it is revoked",
            AlertDescription::UnsupportedCertificate => ": it is of a kind that it does not take",
            AlertDescription::ProtocolVersion => {
                return format!(
                    "no version of TLS in common: the broker must speak 1.2 or 1.3 (alert {name})"
                );
            }
            AlertDescription::HandshakeFailure if is_handshaking => {
                let other = match &self.certificate {
                    Some(certificate) => format!("refuses the certificate in {certificate}"),
                    None => "wants a certificate from the producer, and ssl_certfile is unset"
                        .to_owned(),
                };
                return format!(
                    "the broker has no cipher in common with the producer, or {other} (alert \
                     {name})"
                );
            }
            AlertDescription::InsufficientSecurity => {
                return format!("no cipher in common with the broker (alert {name})");
            }
            AlertDescription::UnrecognisedName => {
                return format!("the broker knows no host of this name (alert {name})");
            }
            _ => return format!("the broker ended the connection with the alert {name}"),
        };
        match &self.certificate {
            Some(certificate) => {
                format!(
                    "the broker refuses the certificate in {certificate}{reason} (alert {name})"
                )
            }
            None => format!(
                "the broker wants a certificate from the producer: set ssl_certfile and \
                 ssl_keyfile (alert {name})"
            ),
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "all the rest is about what ciphers are made of"
)]
fn of_incompatible(what: &PeerIncompatible) -> &'static str {
    match what {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::SupportedVersionsExtensionRequired => {
            "no version of TLS in common: the broker must speak 1.2 or 1.3"
        }
        _ => "no cipher, key exchange or signature in common with the broker",
    }
}

/// The names of a certificate, which come as `DnsName("b1")` and `IpAddress(10.0.0.1)`.
fn names(presented: &[String]) -> String {
    if presented.is_empty() {
        return "no host at all (a common name alone does not count)".to_owned();
    }
    let bare = |name: &String| {
        let inside = name
            .split_once('(')
            .and_then(|(_, rest)| rest.strip_suffix(')'));
        inside.unwrap_or(name).trim_matches('"').to_owned()
    };
    presented.iter().map(bare).collect::<Vec<_>>().join(", ")
}

/// `CertificateRequired` becomes `certificate_required`, as the standard writes it.
fn alert_name(alert: AlertDescription) -> String {
    let Some(name) = alert.as_str() else {
        return u8::from(alert).to_string();
    };
    let mut words = String::new();
    let mut was_lower = false;
    for letter in name.chars() {
        if letter.is_uppercase() && was_lower {
            words.push('_');
        }
        was_lower = letter.is_lowercase();
        words.push(letter.to_ascii_lowercase());
    }
    words
}

/// The time between two moments, in its greatest unit.
fn span(from: UnixTime, to: UnixTime) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let seconds = to.as_secs().saturating_sub(from.as_secs());
    let unit = UNITS.iter().find(|(size, _)| seconds >= *size);
    let (size, name) = unit.copied().unwrap_or((1, "second"));
    counted(seconds / size, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn trust(certificate: Option<&str>) -> Trust {
        let authorities = "ssl_cafile (/ca.pem)".to_owned();
        Trust::new(authorities, certificate.map(str::to_owned))
    }

    fn at(seconds: u64) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(seconds))
    }

    #[track_caller]
    fn check(error: impl Into<Error>, expected: &str) {
        assert_eq!(trust(None).words(&error.into(), true), expected);
    }

    #[test]
    fn a_wrong_name_is_told_with_the_right_ones() {
        let error = |presented: &[&str]| CertificateError::NotValidForNameContext {
            expected: "b1.example".try_into().expect("a name"),
            presented: presented.iter().map(|name| (*name).to_owned()).collect(),
        };
        check(
            error(&["DnsName(\"*.example\")", "IpAddress(10.0.0.1)"]),
            "the broker's certificate is not for b1.example, it names *.example, 10.0.0.1; see \
             ssl_check_hostname",
        );
        check(
            error(&[]),
            "the broker's certificate is not for b1.example, it names no host at all (a common \
             name alone does not count); see ssl_check_hostname",
        );
    }

    #[test]
    fn times_are_told_in_their_greatest_unit() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (119, "1 minute"),
            (7_200, "2 hours"),
            (86_400, "1 day"),
            (4_000_000, "46 days"),
        ] {
            assert_eq!(span(at(100), at(100 + seconds)), expected);
        }
        let (time, not_after) = (at(86_400), at(0));
        check(
            CertificateError::ExpiredContext { time, not_after },
            "the broker's certificate expired 1 day ago, by this machine's clock",
        );
        let (time, not_before) = (at(0), at(60));
        check(
            CertificateError::NotValidYetContext { time, not_before },
            "the broker's certificate is not valid yet, but in 1 minute, by this machine's clock",
        );
    }

    #[test]
    fn an_alert_about_certificates_depends_on_whether_one_was_shown() {
        let unknown = Error::AlertReceived(AlertDescription::UnknownCA);
        assert_eq!(
            trust(None).words(&unknown, true),
            "the broker wants a certificate from the producer: set ssl_certfile and ssl_keyfile \
             (alert unknown_ca)"
        );
        assert_eq!(
            trust(Some("ssl_certfile (/me.pem)")).words(&unknown, false),
            "the broker refuses the certificate in ssl_certfile (/me.pem): it does not know the \
             authority (alert unknown_ca)"
        );
    }

    #[test]
    fn every_alert_has_a_name() {
        for (alert, expected) in [
            (
                AlertDescription::CertificateRequired,
                "certificate_required",
            ),
            (AlertDescription::InternalError, "internal_error"),
            (AlertDescription::Unknown(200), "200"),
        ] {
            assert_eq!(alert_name(alert), expected);
        }
    }
}
