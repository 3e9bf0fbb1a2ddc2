//! Digests, written as lower-case hex everywhere people or other tools read them.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A digest that is not the right number of hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {name} digest is {digits} hexadecimal digits")]
pub struct DigestError {
    name: &'static str,
    digits: usize,
}

macro_rules! digest {
    ($(#[$doc:meta])* $type:ident, $name:literal, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(pub [u8; $bytes]);

        impl $type {
            /// The digest as the base64 text that HTTP checksum headers carry.
            pub fn to_base64(self) -> String {
                use base64::Engine as _;
                base64::engine::general_purpose::STANDARD.encode(self.0)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $type {
            type Err = DigestError;
            /// Accepts either case, as `sha256sum` and BagIt tools write either.
            fn from_str(text: &str) -> Result<Self, DigestError> {
                let mut bytes = [0; $bytes];
                hex::decode_to_slice(text, &mut bytes)
                    .map_err(|_| DigestError { name: $name, digits: 2 * $bytes })?;
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $type {
            type Error = DigestError;
            fn try_from(text: String) -> Result<Self, DigestError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(digest: $type) -> String {
                digest.to_string()
            }
        }
    };
}

digest!(
    /// SHA-256 (FIPS 180-4) of a plaintext, a sealed object, a part or a journal line.
    Sha256Digest, "SHA-256", 32
);
digest!(
    /// MD5 (RFC 1321): only to speak `Content-MD5` and ETags with stores that check nothing better.
    Md5Digest, "MD5", 16
);

impl Sha256Digest {
    /// SHA-256 of a buffer already in memory.
    pub fn of(data: &[u8]) -> Self {
        let digest = ring::digest::digest(&ring::digest::SHA256, data);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }

    /// The first eight hexadecimal digits: for people to compare at a glance, never for machines.
    pub fn short(self) -> String {
        hex::encode(&self.0[..4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_hex_and_reads_back_in_either_case() {
        let digest = Sha256Digest::of(b"abc");
        let text = digest.to_string();
        assert!(text.starts_with("ba7816bf8f01cfea"));
        assert_eq!(text.to_uppercase().parse(), Ok(digest));
        assert!("ba78".parse::<Sha256Digest>().is_err());
        assert_eq!(serde_json::to_string(&digest).unwrap(), format!("\"{text}\""));
    }
}
