//! When a certificate expires: the little of X.509 that says so (RFC 5280, section 4.1).

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};

/// Certificates of one file that are looked at.
const CERTIFICATES_MAX: usize = 1024;

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT Version`.
const VERSION: u8 = 0xa0;

/// The ends of a file's certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiry {
    /// Of its first: in a chain, the one that is shown.
    pub first: Timestamp,
    /// Of that which lasts longest: after it none of several authorities is good any more.
    pub last: Timestamp,
}

impl Expiry {
    /// Of a PEM file; none if one of its certificates cannot be read.
    pub fn of_pem(pem: &[u8]) -> Option<Self> {
        let mut found: Option<Self> = None;
        for certificate in CertificateDer::pem_slice_iter(pem).take(CERTIFICATES_MAX) {
            let end = not_after(certificate.ok()?.as_ref())?;
            found = Some(match found {
                None => Self { first: end, last: end },
                Some(Self { first, last }) => Self { first, last: last.max(end) },
            });
        }
        found
    }
}

/// A value of DER: its tag, its content, and what comes after it.
fn value(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        // Longer than any certificate, or without a length.
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

fn expect(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    value(bytes).filter(|(found, ..)| *found == tag).map(|(_, content, after)| (content, after))
}

pub(super) fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = expect(SEQUENCE, certificate)?;
    let (mut signed, _) = expect(SEQUENCE, certificate)?;
    if let Some((_, after)) = expect(VERSION, signed) {
        signed = after;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        signed = value(signed)?.2;
    }
    let (validity, _) = expect(SEQUENCE, signed)?;
    let (.., after) = value(validity)?;
    let (tag, text, _) = value(after)?;
    time(tag, std::str::from_utf8(text).ok()?)
}

/// RFC 5280, section 4.1.2.5: years below 50 are of this century.
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let text = match tag {
        UTC_TIME => {
            let year: u8 = text.get(..2)?.parse().ok()?;
            format!("{}{text}", if year < 50 { 20 } else { 19 })
        }
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let at = DateTime::strptime("%Y%m%d%H%M%SZ", &text).ok()?;
    Some(at.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
