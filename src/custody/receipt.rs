//! Receipts: what the store was seen to hold, signed by the dock.
//!
//! **Format, version 1.** A receipt file is two lines. Line 1 is canonical JSON: keys sorted by
//! their bytes, no white space, UTF-8; every field of [`Receipt`], absent ones left out. Line 2 is
//! `{"ed25519":"<base64 of the 64-byte signature over the bytes of line 1>","key":"<base64 of the
//! 32-byte public key>"}`. So it can be checked without this program:
//!
//! ```text
//! sed -n 1p R.receipt | tr -d '\n' > r.json
//! sed -n 2p R.receipt | sed 's/.*"ed25519":"\([^"]*\)".*/\1/' | base64 -d > r.sig
//! openssl pkeyutl -verify -pubin -inkey dock.pub.pem -rawin -in r.json -sigfile r.sig
//! sha256sum OBJECT        # equals "sealed" in r.json
//! ```
//!
//! `custody` names the head of the dock's custody log when the receipt was made: whoever keeps
//! receipts outside the dock can show later that the log up to that line was not changed.

#[cfg(test)]
mod tests;

use super::chain::Head;
use crate::{
    evidence::{PublicKey, SIGNATURE_BYTES, verify_signature},
    transfer::StoredProof,
    types::{
        Class, DockId, ObjectId, ReceiptLevel,
        fact::{Hashed, PartTable, SealedObject},
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The version this program writes.
pub const VERSION: u32 = 1;
/// No receipt is longer, bytes.
pub const BYTES_MAX: usize = 256 * 1024;

/// Why a receipt or a key does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    #[error("it is not two lines, the receipt and its signature")]
    Shape,
    #[error("line {line} is not what a receipt has there: {words}")]
    Json { line: u8, words: String },
    #[error("it has version {0}, made by a newer program")]
    Newer(u32),
    #[error("the signature does not fit the receipt")]
    Signature,
    #[error("it is signed by another key than the one trusted")]
    OtherKey,
    #[error("the key cannot be used: {0}")]
    Key(&'static str),
    #[error("the system gives no random bytes")]
    Random,
    /// Signed, and yet its own fields do not belong together.
    #[error("it contradicts itself: {0}")]
    Contradiction(&'static str),
}

/// Where a store keeps an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Host and port of the endpoint.
    pub endpoint: String,
    pub bucket: String,
}

/// One part as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartRow {
    pub size: u64,
    pub sha256: crate::types::Sha256Digest,
}

/// What was asked of the store's object lock, and what it says it does.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<bool>,
}

/// What the store was seen to hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    pub version: u32,
    pub at: Timestamp,
    pub dock: DockId,
    pub object: ObjectId,
    pub key: String,
    #[serde(flatten)]
    pub place: Place,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    pub class: Class,
    pub sealed: Hashed,
    /// S3's composite SHA-256 over the parts.
    pub composite_sha256: String,
    pub parts: Vec<PartRow>,
    /// An opaque token of the store's.
    pub etag: String,
    /// How much the store proved.
    pub level: ReceiptLevel,
    pub lock: Lock,
    /// The store's own `Date`, as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// SHA-256 of the store's TLS public key (SPKI), base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_spki_sha256: Option<String>,
    /// Head of the dock's custody log.
    pub custody: Head,
}

#[derive(Serialize, Deserialize)]
struct SignatureLine {
    ed25519: String,
    key: String,
}

impl Receipt {
    /// A receipt for what `proof` saw.
    pub fn new(
        dock: &DockId,
        object: &SealedObject,
        proof: &StoredProof,
        place: Place,
        custody: Head,
        at: Timestamp,
    ) -> Self {
        let head = proof.head();
        let table = &object.table;
        let parts = (1u32..).zip(&table.parts).map(|(number, part)| PartRow {
            size: table.part_len(number, object.sealed.size),
            sha256: part.sha256,
        });
        Self {
            version: VERSION,
            at,
            dock: dock.clone(),
            object: object.id,
            key: object.key.clone(),
            place,
            version_id: head.version.clone(),
            class: object.class,
            sealed: object.sealed,
            composite_sha256: table.composite_sha256(),
            parts: parts.collect(),
            etag: head.etag.clone(),
            level: proof.level(),
            lock: Lock {
                asked_until: object.retain_until,
                mode: head.lock_mode.clone(),
                until: head.retain_until,
                legal_hold: head.legal_hold,
            },
            server_date: head.server_date.clone(),
            request_id: head.request_id.clone(),
            tls_spki_sha256: head.tls_spki_sha256.clone(),
            custody,
        }
    }

    /// Line 1, without its line feed.
    pub fn to_canonical_json(&self) -> String {
        // Going through a Value sorts the keys: serde_json's map is ordered by key.
        serde_json::to_value(self).expect("a receipt has only text keys").to_string()
    }

    /// The whole file.
    pub fn sign(&self, key: &DockKey) -> Vec<u8> {
        let line = self.to_canonical_json();
        let signature = SignatureLine {
            ed25519: STANDARD.encode(key.sign(line.as_bytes())),
            key: key.public().to_base64(),
        };
        let second = serde_json::to_string(&signature).expect("two texts make JSON");
        format!("{line}\n{second}\n").into_bytes()
    }

    /// Reads a receipt file whose signature holds and that agrees with itself. With `trusted`, only that key's signature
    /// counts; without, the key named inside, which says nothing about whose it is.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn verify(bytes: &[u8], trusted: Option<&PublicKey>) -> Result<Self, ReceiptError> {
        if bytes.len() > BYTES_MAX {
            return Err(ReceiptError::Shape);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ReceiptError::Shape)?;
        // Whole to its last byte: the file's own digest is in the custody log.
        if !text.ends_with('\n') {
            return Err(ReceiptError::Shape);
        }
        let mut lines = text.split_terminator('\n');
        let (Some(first), Some(second), None) = (lines.next(), lines.next(), lines.next()) else {
            return Err(ReceiptError::Shape);
        };
        let json = |line| {
            move |error: serde_json::Error| ReceiptError::Json { line, words: error.to_string() }
        };
        let named: SignatureLine = serde_json::from_str(second).map_err(json(2))?;
        let key = PublicKey::parse(&named.key)
            .map_err(|_| ReceiptError::Key("it is no Ed25519 public key"))?;
        if trusted.is_some_and(|trusted| *trusted != key) {
            return Err(ReceiptError::OtherKey);
        }
        let signature = STANDARD.decode(&named.ed25519).map_err(|_| ReceiptError::Signature)?;
        if signature.len() != SIGNATURE_BYTES
            || !verify_signature(first.as_bytes(), &signature, &key)
        {
            return Err(ReceiptError::Signature);
        }
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let Versioned { version } = serde_json::from_str(first).map_err(json(1))?;
        if version > VERSION {
            return Err(ReceiptError::Newer(version));
        }
        let receipt: Self = serde_json::from_str(first).map_err(json(1))?;
        if receipt.to_canonical_json() != first {
            return Err(ReceiptError::Contradiction("it is not in canonical form"));
        }
        receipt.agrees_with_itself()?;
        Ok(receipt)
    }

    fn agrees_with_itself(&self) -> Result<(), ReceiptError> {
        let wrong = |what| Err(ReceiptError::Contradiction(what));
        let mut size = 0_u64;
        for part in &self.parts {
            size = size.saturating_add(part.size);
        }
        if self.parts.is_empty() || size != self.sealed.size {
            return wrong("its parts do not add up to its size");
        }
        let parts: Vec<_> = self.parts.iter().map(|part| part.sha256).collect();
        if PartTable::composite_of(&parts) != self.composite_sha256 {
            return wrong("its composite is not that of its parts");
        }
        if parts.len() == 1 && parts[0] != self.sealed.sha256 {
            return wrong("its only part is not the object");
        }
        Ok(())
    }
}

/// The dock's signing key (Ed25519, RFC 8032).
pub struct DockKey {
    pair: Ed25519KeyPair,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for DockKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DockKey").field("public", &self.public().to_base64()).finish()
    }
}

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

impl DockKey {
    /// # Errors
    /// [`ReceiptError::Random`].
    pub fn generate() -> Result<Self, ReceiptError> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| ReceiptError::Random)?;
        Self::from_pkcs8(Zeroizing::new(document.as_ref().to_vec()))
    }

    /// Reads a PKCS#8 PEM, of this program or of `openssl genpkey -algorithm ed25519`.
    ///
    /// # Errors
    /// [`ReceiptError::Key`].
    pub fn from_pem(pem: &str) -> Result<Self, ReceiptError> {
        let body = pem
            .trim()
            .strip_prefix(PEM_BEGIN)
            .and_then(|rest| rest.strip_suffix(PEM_END))
            .ok_or(ReceiptError::Key("it is no PKCS#8 PEM"))?;
        let text: Zeroizing<String> =
            Zeroizing::new(body.chars().filter(|c| !c.is_whitespace()).collect());
        let der =
            STANDARD.decode(text.as_bytes()).map_err(|_| ReceiptError::Key("its PEM is broken"))?;
        Self::from_pkcs8(Zeroizing::new(der))
    }

    fn from_pkcs8(pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, ReceiptError> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8)
            .map_err(|_| ReceiptError::Key("it is no Ed25519 private key"))?;
        Ok(Self { pair, pkcs8 })
    }

    /// PKCS#8 PEM: the secret itself.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let text = Zeroizing::new(STANDARD.encode(&*self.pkcs8));
        let mut pem = Zeroizing::new(String::with_capacity(256));
        pem.push_str(PEM_BEGIN);
        for (at, c) in text.char_indices() {
            if at % 64 == 0 {
                pem.push('\n');
            }
            pem.push(c);
        }
        pem.push('\n');
        pem.push_str(PEM_END);
        pem.push('\n');
        pem
    }

    pub fn public(&self) -> PublicKey {
        let mut raw = [0; 32];
        raw.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey(raw)
    }

    /// SPKI PEM, as openssl takes it.
    pub fn public_pem(&self) -> String {
        self.public().to_pem()
    }

    fn sign(&self, bytes: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(self.pair.sign(bytes).as_ref());
        signature
    }
}

/// Reads a public key for [`Receipt::verify`].
///
/// # Errors
/// [`ReceiptError::Key`].
pub fn public_key_from_pem(text: &str) -> Result<PublicKey, ReceiptError> {
    PublicKey::parse(text).map_err(|_| ReceiptError::Key("it is no Ed25519 public key"))
}
