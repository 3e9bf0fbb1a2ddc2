//! What lies on the simulated camera.

use std::sync::Arc;

/// The bytes of an object.
#[derive(Debug, Clone)]
pub enum Content {
    Bytes(Arc<[u8]>),
    /// So many bytes that are made when they are asked for: for objects too large for memory.
    Pattern {
        seed: u64,
        bytes: u64,
    },
}

impl Content {
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Pattern { bytes, .. } => *bytes,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies from `offset` on; what lies beyond the end stays as it was.
    pub fn copy(&self, offset: u64, to: &mut [u8]) {
        match self {
            Self::Bytes(bytes) => {
                let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                let bytes = &bytes[from..bytes.len().min(from.saturating_add(to.len()))];
                to[..bytes.len()].copy_from_slice(bytes);
            }
            Self::Pattern { seed, .. } => {
                for (at, byte) in (offset..).zip(to) {
                    // SplitMix64's mixer over the number of the byte's word.
                    let mut word = seed.wrapping_add((at / 8).wrapping_mul(0x9E37_79B9_7F4A_7C15));
                    word = (word ^ word >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                    word = (word ^ word >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
                    *byte = (word ^ word >> 31).to_le_bytes()[(at % 8) as usize];
                }
            }
        }
    }
}

impl From<&[u8]> for Content {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<const N: usize> From<&[u8; N]> for Content {
    fn from(bytes: &[u8; N]) -> Self {
        Self::Bytes(bytes[..].into())
    }
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// A file or a folder.
#[derive(Debug, Clone)]
pub struct SimObject {
    pub storage: u32,
    /// 0 at the root.
    pub parent: u32,
    /// Units as they are sent; nothing is checked.
    pub name: Vec<u16>,
    /// 0x3000, 0x3001 for a folder, or anything.
    pub format: u16,
    pub protection: u16,
    pub content: Content,
    pub modified: String,
    pub captured: String,
}

impl SimObject {
    pub fn file(storage: u32, parent: u32, name: &str, content: impl Into<Content>) -> Self {
        Self {
            storage,
            parent,
            name: name.encode_utf16().collect(),
            format: 0x3000,
            protection: 0,
            content: content.into(),
            modified: "20260301T120000".into(),
            captured: String::new(),
        }
    }

    pub fn folder(storage: u32, parent: u32, name: &str) -> Self {
        Self { format: 0x3001, ..Self::file(storage, parent, name, &[]) }
    }
}
