//! The receipt: what the store acknowledged about one sealed object, signed by the dock.
//!
//! S3 gives no signed receipt, so the dock writes down what it saw when it looked after its last
//! change, and signs it. Everything in it that can be checked later is checkable without this
//! program: the object's SHA-256, the composite of its parts, the head of the custody log.
//!
//! **File format, version 1.** Two lines, each ended by a line feed, UTF-8.
//! 1. The receipt as canonical JSON: one object, keys sorted by their bytes, no white space between
//!    tokens, no key without a value (what is unknown is left out), numbers are integers, strings
//!    escape only what JSON must. This is RFC 8785 restricted to integers and ASCII keys.
//! 2. `{"ed25519":"<signature>","key":"<public key>"}`, both base64: an Ed25519 signature
//!    (RFC 8032) over the bytes of line 1 without its line feed, and the 32 bytes of the key.
//!
//! Keys of line 1: `version` (1), `dock`, `object`, `key`, `bucket`, `endpoint` (host and port),
//! `store_version`, `etag`, `size`, `sha256` (both of the sealed object), `composite_sha256` (as S3
//! computes it from the parts), `part_size`, `parts` (SHA-256 of each, in order), `class`, `lock`
//! (`mode`, `retain_until`, `legal_hold`), `server_date` (the store's Date header), `request_id`,
//! `level`, `tls_spki_sha256` (base64), `custody` (`seq` and `head`: the last line of the dock's log
//! at that time and its SHA-256), `at` (the dock's clock, RFC 3339, UTC).
//!
//! **With stock tools**, given `receipt.json`, the dock's `dock.pub.pem` and the object:
//! ```sh
//! head -n 1 receipt.json | tr -d '\n' > line1
//! sed -n 2p receipt.json | sed 's/.*"ed25519":"\([^"]*\)".*/\1/' | base64 -d > line1.sig
//! openssl pkeyutl -verify -pubin -inkey dock.pub.pem -rawin -in line1 -sigfile line1.sig
//! sha256sum object.age        # equal to "sha256" in line 1
//! ```

#[cfg(test)]
mod tests;

use super::sign::{DockKey, DockPublicKey};
use crate::{
    transfer::ObjectHead,
    types::{
        Class, DockId, ObjectId, ReceiptLevel, Sha256Digest,
        fact::{PartTable, SealedObject},
    },
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The version this program writes and reads.
pub const VERSION: u32 = 1;

/// How the store keeps the object from being deleted, as it says itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<bool>,
}

/// The end of the dock's custody log when the receipt was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustodyHead {
    pub seq: u64,
    /// SHA-256 of line `seq` without its line feed.
    pub head: Sha256Digest,
}

/// What the store said when it was looked at last, in the receipt's words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    pub bucket: String,
    /// Host, and port where it is not the scheme's own.
    pub endpoint: String,
    pub store_version: Option<String>,
    pub etag: String,
    pub lock: Lock,
    pub server_date: Option<String>,
    pub request_id: Option<String>,
    pub tls_spki_sha256: Option<String>,
}

impl Seen {
    /// From the last HEAD.
    pub fn new(bucket: String, endpoint: String, head: &ObjectHead) -> Self {
        Self {
            bucket,
            endpoint,
            store_version: head.version.clone(),
            etag: head.etag.clone(),
            lock: Lock {
                mode: head.lock_mode.clone(),
                retain_until: head.retain_until,
                legal_hold: head.legal_hold,
            },
            server_date: head.server_date.clone(),
            request_id: head.request_id.clone(),
            tls_spki_sha256: head.tls_spki_sha256.clone(),
        }
    }
}

/// A receipt. Field names are the format: see the module text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    pub version: u32,
    pub dock: DockId,
    pub object: ObjectId,
    pub key: String,
    pub bucket: String,
    pub endpoint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store_version: Option<String>,
    pub etag: String,
    pub size: u64,
    pub sha256: Sha256Digest,
    pub composite_sha256: String,
    pub part_size: u64,
    pub parts: Vec<Sha256Digest>,
    pub class: Class,
    pub lock: Lock,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_date: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    pub level: ReceiptLevel,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_spki_sha256: Option<String>,
    pub custody: CustodyHead,
    pub at: Timestamp,
}

/// Why a receipt is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    #[error("not a receipt: {0}")]
    Format(String),
    #[error("a receipt of version {0}; this program reads version {VERSION}")]
    Version(u64),
    /// The text is not the one canonical form of what it says.
    #[error("the receipt is not in canonical form")]
    NotCanonical,
    #[error("the signature does not fit: the receipt was changed after it was signed")]
    BadSignature,
    #[error("the receipt is signed by another key ({0}) than the one trusted")]
    OtherKey(String),
    /// The parts, the size and the composite do not belong together.
    #[error("the receipt contradicts itself: {0}")]
    Contradiction(&'static str),
}

/// Line 2.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    ed25519: String,
    key: String,
}

impl Receipt {
    /// The largest receipt there can be is far below this, in bytes.
    pub const BYTES_MAX: usize = 256 * 1024;

    /// What is written down about `object` at `at`.
    pub fn new(
        dock: DockId,
        object: &SealedObject,
        seen: Seen,
        level: ReceiptLevel,
        custody: CustodyHead,
        at: Timestamp,
    ) -> Self {
        Self {
            version: VERSION,
            dock,
            object: object.id,
            key: object.key.clone(),
            bucket: seen.bucket,
            endpoint: seen.endpoint,
            store_version: seen.store_version,
            etag: seen.etag,
            size: object.sealed.size,
            sha256: object.sealed.sha256,
            composite_sha256: object.table.composite_sha256(),
            part_size: object.table.part_size,
            parts: object.table.parts.iter().map(|part| part.sha256).collect(),
            class: object.class,
            lock: seen.lock,
            server_date: seen.server_date,
            request_id: seen.request_id,
            level,
            tls_spki_sha256: seen.tls_spki_sha256,
            custody,
            at,
        }
    }

    /// The receipt file.
    pub fn sign(&self, key: &DockKey) -> Vec<u8> {
        let mut file = self.canonical().into_bytes();
        let signature =
            Signature { ed25519: STANDARD.encode(key.sign(&file)), key: key.public().to_base64() };
        file.push(b'\n');
        let line = serde_json::to_value(&signature).expect("two strings are JSON");
        let mut text = String::new();
        write_canonical(&line, &mut text);
        file.extend_from_slice(text.as_bytes());
        file.push(b'\n');
        file
    }

    /// Reads a receipt file and checks all that can be checked without the object: form, version,
    /// signature (by `trusted`, if given; else by the key the file names) and that it agrees with
    /// itself.
    ///
    /// # Errors
    /// [`ReceiptError`] says what is wrong; a receipt is whole or it is an error.
    pub fn verify(bytes: &[u8], trusted: Option<&DockPublicKey>) -> Result<Self, ReceiptError> {
        let format = |what: &str| ReceiptError::Format(what.into());
        if bytes.len() > Self::BYTES_MAX {
            return Err(format("too long"));
        }
        let mut lines = bytes.split(|b| *b == b'\n');
        let (Some(first), Some(second), Some(b""), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(format("it has not two lines"));
        };
        let signature: Signature = serde_json::from_slice(second)
            .map_err(|error| ReceiptError::Format(format!("line 2: {error}")))?;
        let named = DockPublicKey::from_base64(&signature.key)
            .ok_or_else(|| format("line 2 names no Ed25519 key"))?;
        if trusted.is_some_and(|trusted| *trusted != named) {
            return Err(ReceiptError::OtherKey(signature.key));
        }
        let raw = STANDARD.decode(&signature.ed25519).map_err(|_| ReceiptError::BadSignature)?;
        if !named.verifies(first, &raw) {
            return Err(ReceiptError::BadSignature);
        }
        let value: Value = serde_json::from_slice(first)
            .map_err(|error| ReceiptError::Format(format!("line 1: {error}")))?;
        match value.get("version").and_then(Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => return Err(ReceiptError::Version(version)),
            None => return Err(format("line 1 has no version")),
        }
        let receipt: Self = serde_json::from_value(value)
            .map_err(|error| ReceiptError::Format(format!("line 1: {error}")))?;
        if receipt.canonical().as_bytes() != first {
            return Err(ReceiptError::NotCanonical);
        }
        receipt.agrees_with_itself()?;
        Ok(receipt)
    }

    fn agrees_with_itself(&self) -> Result<(), ReceiptError> {
        let wrong = |what| Err(ReceiptError::Contradiction(what));
        if self.part_size == 0
            || self.size == 0
            || self.size.div_ceil(self.part_size) != self.parts.len() as u64
        {
            return wrong("the number of parts does not fit the size");
        }
        if PartTable::composite_of(&self.parts) != self.composite_sha256 {
            return wrong("the composite is not that of the parts");
        }
        if self.parts.len() == 1 && self.parts[0] != self.sha256 {
            return wrong("the only part is not the object");
        }
        Ok(())
    }

    /// Line 1, without its line feed.
    pub fn canonical(&self) -> String {
        let value = serde_json::to_value(self).expect("a receipt has only text keys");
        let mut text = String::new();
        write_canonical(&value, &mut text);
        text
    }
}

/// Writes a value in the one form there is for it, whatever order its maps keep.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_bytes());
            out.push('{');
            for (n, (key, value)) in entries.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for (n, value) in values.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_canonical(value, out);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}
