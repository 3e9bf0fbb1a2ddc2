//! The dock's Ed25519 key: it signs receipts, and nothing else.
//!
//! The private key is PKCS#8 in PEM as `ring` makes it (RFC 5958, with the public key in it); a key
//! made by `openssl genpkey -algorithm ed25519` is read as well. The public key is given as SPKI in
//! PEM, which openssl reads.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use zeroize::Zeroizing;

/// SubjectPublicKeyInfo of an Ed25519 key before its 32 bytes (RFC 8410).
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the dock key is no PEM block of the kind PRIVATE KEY")]
    NotPem,
    #[error("the dock key is no Ed25519 key in PKCS#8")]
    NotEd25519,
    #[error("the operating system gave no random numbers")]
    NoRandom,
    #[error("the public key is no Ed25519 key in PEM")]
    NotPublic,
}

/// The private key of a dock.
pub struct DockKey(Ed25519KeyPair);

/// The public key of a dock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DockPublicKey([u8; 32]);

impl DockKey {
    /// Makes a key and returns it with its PEM, which is the secret to keep.
    ///
    /// # Errors
    /// [`KeyError::NoRandom`].
    pub fn generate() -> Result<(Self, Zeroizing<String>), KeyError> {
        let der =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| KeyError::NoRandom)?;
        let pem = Zeroizing::new(to_pem("PRIVATE KEY", der.as_ref()));
        Ok((Self::from_pem(&pem)?, pem))
    }

    /// Reads the PEM [`Self::generate`] or openssl wrote.
    ///
    /// # Errors
    /// [`KeyError::NotPem`], [`KeyError::NotEd25519`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = Zeroizing::new(from_pem("PRIVATE KEY", pem).ok_or(KeyError::NotPem)?);
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map(Self).map_err(|_| KeyError::NotEd25519)
    }

    pub fn public(&self) -> DockPublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        DockPublicKey(bytes)
    }

    /// An Ed25519 signature over `message`, 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

impl std::fmt::Debug for DockKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("DockKey").field(&self.public()).finish()
    }
}

impl DockPublicKey {
    /// For openssl and people.
    pub fn to_pem(self) -> String {
        to_pem("PUBLIC KEY", &[&SPKI[..], &self.0].concat())
    }

    /// # Errors
    /// [`KeyError::NotPublic`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = from_pem("PUBLIC KEY", pem).ok_or(KeyError::NotPublic)?;
        let bytes = der.strip_prefix(&SPKI).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(KeyError::NotPublic)
    }

    /// The 32 bytes, as receipts carry them.
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }

    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// Whether `signature` is this key's over `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

fn to_pem(label: &str, der: &[u8]) -> String {
    let text = Zeroizing::new(STANDARD.encode(der));
    let mut pem = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|b| char::from(*b)));
        pem.push('\n');
    }
    pem + &format!("-----END {label}-----\n")
}

fn from_pem(label: &str, pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    let body: Zeroizing<String> = body.split_ascii_whitespace().collect::<String>().into();
    STANDARD.decode(body.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_survive_their_text_and_sign_the_same() {
        let (key, pem) = DockKey::generate().unwrap();
        let again = DockKey::from_pem(&pem).unwrap();
        assert!(key.public().verifies(b"x", &again.sign(b"x")));
        assert!(!key.public().verifies(b"y", &again.sign(b"x")));
        assert_eq!(DockPublicKey::from_pem(&key.public().to_pem()), Ok(key.public()));
        assert!(!format!("{key:?}").contains(pem.lines().nth(1).unwrap()));
    }

    #[test]
    fn other_keys_are_refused_in_words() {
        let (key, pem) = DockKey::generate().unwrap();
        assert_eq!(DockKey::from_pem("").unwrap_err(), KeyError::NotPem);
        assert_eq!(DockKey::from_pem(&key.public().to_pem()).unwrap_err(), KeyError::NotPem);
        let cut = pem.replacen(pem.lines().nth(1).unwrap(), "MAAA", 1);
        assert_eq!(DockKey::from_pem(&cut).unwrap_err(), KeyError::NotEd25519);
        assert_eq!(DockPublicKey::from_pem(&pem), Err(KeyError::NotPublic));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(body in "[A-Za-z0-9+/=\n -]{0,120}") {
            for label in ["PRIVATE KEY", "PUBLIC KEY"] {
                let pem = format!("-----BEGIN {label}-----{body}-----END {label}-----");
                let _ = (DockKey::from_pem(&pem).is_ok(), DockPublicKey::from_pem(&pem).is_ok());
            }
        }
    }
}
