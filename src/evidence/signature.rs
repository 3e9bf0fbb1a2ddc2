//! Who signed a manifest: Ed25519 keys of cameras, and the ring of those the force enrolled.

use crate::types::CameraId;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use std::{collections::BTreeMap, fmt};

/// The fixed beginning of an Ed25519 public key in DER (SubjectPublicKeyInfo, RFC 8410).
const SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Bytes of a detached signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Text that is not an Ed25519 public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the key is neither PEM (\"BEGIN PUBLIC KEY\") nor base64")]
    NotBase64,
    #[error("the key is no Ed25519 public key: {bytes} bytes of another kind")]
    NotEd25519 { bytes: usize },
    #[error("the key is of small order: anybody could sign for it")]
    Weak,
}

/// An Ed25519 public key, raw.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl PublicKey {
    /// Reads PEM as `openssl pkey -pubout` writes it, the same DER as base64, or the raw 32 bytes
    /// as base64.
    ///
    /// # Errors
    /// [`KeyError`] when it is none of these.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let body: String =
            text.lines().map(str::trim).filter(|l| !l.starts_with("-----")).collect();
        let der = STANDARD.decode(body).map_err(|_| KeyError::NotBase64)?;
        let raw = der.strip_prefix(&SPKI_PREFIX).unwrap_or(&der);
        let raw = raw.try_into().map_err(|_| KeyError::NotEd25519 { bytes: der.len() })?;
        let key = Self(raw);
        if is_weak(&key) { Err(KeyError::Weak) } else { Ok(key) }
    }

    /// The raw key as base64, the form `camera.json` carries.
    pub fn to_base64(self) -> String {
        STANDARD.encode(self.0)
    }

    /// PEM that `openssl pkeyutl -pubin -inkey` reads.
    pub fn to_pem(self) -> String {
        let der = [&SPKI_PREFIX[..], &self.0].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

/// The y coordinates of the points of small order, and the two encodings beyond the field that
/// mean one of them; the sign bit left out.
///
/// ring follows RFC 8032 and lets such a key verify signatures that anybody can make: seen with
/// ring 0.17.14 and the key of 32 zero bytes, which is what an unset configuration holds.
const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// Whether the key is of no use: with it, anybody could sign anything.
fn is_weak(key: &PublicKey) -> bool {
    let mut unsigned = key.0;
    unsigned[31] &= 0x7f;
    SMALL_ORDER.contains(&hex::encode(unsigned).as_str())
}

/// Whether `signature` is `key`'s over exactly `bytes`. A weak key verifies nothing.
pub fn verify_signature(bytes: &[u8], signature: &[u8], key: &PublicKey) -> bool {
    !is_weak(key) && UnparsedPublicKey::new(&ED25519, key.0).verify(bytes, signature).is_ok()
}

/// The signing side: only cameras have one. The dock's simulated cameras use it.
pub struct CameraKey(Ed25519KeyPair);

impl CameraKey {
    /// The key of a 32-byte seed; any seed will do.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(
            Ed25519KeyPair::from_seed_unchecked(seed)
                .expect("every 32-byte seed makes an Ed25519 key"),
        )
    }

    pub fn public(&self) -> PublicKey {
        let mut raw = [0; 32];
        raw.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(raw)
    }

    /// The detached signature that goes into `manifest.json.sig`.
    pub fn sign(&self, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut raw = [0; SIGNATURE_BYTES];
        raw.copy_from_slice(self.0.sign(bytes).as_ref());
        raw
    }
}

/// The public keys the force enrolled, one a camera.
#[derive(Debug, Clone, Default)]
pub struct KeyRing(BTreeMap<CameraId, PublicKey>);

impl KeyRing {
    /// The key enrolled for `camera`.
    pub fn key(&self, camera: &CameraId) -> Option<&PublicKey> {
        self.0.get(camera)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The cameras that are enrolled.
    pub fn cameras(&self) -> impl Iterator<Item = &CameraId> {
        self.0.keys()
    }
}

impl FromIterator<(CameraId, [u8; 32])> for KeyRing {
    /// The last of several keys for one camera counts.
    fn from_iter<I: IntoIterator<Item = (CameraId, [u8; 32])>>(keys: I) -> Self {
        Self(keys.into_iter().map(|(camera, raw)| (camera, PublicKey(raw))).collect())
    }
}

impl FromIterator<(CameraId, PublicKey)> for KeyRing {
    fn from_iter<I: IntoIterator<Item = (CameraId, PublicKey)>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_bytes_and_key_only() {
        let key = CameraKey::from_seed(&[7; 32]);
        let signature = key.sign(b"manifest");
        assert!(verify_signature(b"manifest", &signature, &key.public()));
        assert!(!verify_signature(b"manifest ", &signature, &key.public()));
        assert!(!verify_signature(b"manifest", &signature[..63], &key.public()));
        assert!(!verify_signature(b"manifest", b"", &key.public()));
        let other = CameraKey::from_seed(&[8; 32]).public();
        assert!(!verify_signature(b"manifest", &signature, &other));
    }

    #[test]
    fn a_key_of_small_order_is_refused_and_verifies_nothing() {
        // Under the zero key the zero signature passes for most messages; that is the forgery.
        let passes = |message: &u8| {
            UnparsedPublicKey::new(&ED25519, [0; 32]).verify(&[*message], &[0; 64]).is_ok()
        };
        let forged: Vec<u8> = (0..=255).filter(passes).collect();
        for key in SMALL_ORDER {
            let mut raw = [0; 32];
            hex::decode_to_slice(key, &mut raw).unwrap();
            for sign in [0, 0x80] {
                raw[31] = raw[31] & 0x7f | sign;
                assert_eq!(PublicKey::parse(&STANDARD.encode(raw)), Err(KeyError::Weak));
                for message in forged.iter().chain(&[0]) {
                    assert!(!verify_signature(&[*message], &[0; 64], &PublicKey(raw)));
                }
            }
        }
    }

    #[test]
    fn keys_read_as_pem_der_and_raw_and_refuse_the_rest() {
        let key = CameraKey::from_seed(&[1; 32]).public();
        assert_eq!(PublicKey::parse(&key.to_pem()), Ok(key));
        assert_eq!(PublicKey::parse(&key.to_pem().replace('\n', "\r\n")), Ok(key));
        assert_eq!(PublicKey::parse(&key.to_base64()), Ok(key));
        let der = STANDARD.encode([&SPKI_PREFIX[..], &key.0].concat());
        assert_eq!(PublicKey::parse(&der), Ok(key));
        assert_eq!(PublicKey::parse("not a key!"), Err(KeyError::NotBase64));
        assert_eq!(PublicKey::parse(""), Err(KeyError::NotEd25519 { bytes: 0 }));
        let x25519 = STANDARD.encode(
            [&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 3, 0x21, 0], &key.0[..]].concat(),
        );
        assert_eq!(PublicKey::parse(&x25519), Err(KeyError::NotEd25519 { bytes: 44 }));
    }
}
