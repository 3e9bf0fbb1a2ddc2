//! The MD5 of each part, for stores that check nothing better.
//!
//! They are not taken while sealing: most stores never need them, and MD5 is the slowest of all
//! digests. A part's MD5 is taken only together with its SHA-256, and counts only if that is the
//! one in the part table: what the store then proves by MD5 is what was sealed, not what the
//! spool may have become since.

use super::{Fault, StoreError};
use crate::{
    spool::SpoolFile,
    types::{
        Md5Digest, ObjectId, Sha256Digest,
        fact::{Part, PartTable, SealedObject},
    },
};
use md5::{Digest as _, Md5};
use ring::digest::{Context, SHA256};
use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// Objects whose MD5s are remembered, at most 28 KiB each: an upload that waits and goes on does
/// not read its file again.
const REMEMBERED_MAX: usize = 8;

/// The objects now on their way, with their MD5s.
#[derive(Debug, Default)]
pub struct Md5s(Mutex<VecDeque<Arc<SealedObject>>>);

impl Md5s {
    /// The object with an MD5 for each part; none if the file is no longer what was sealed.
    ///
    /// # Errors
    /// [`Fault::Spool`]: the file cannot be read.
    pub async fn of(
        &self,
        object: &Arc<SealedObject>,
        file: &SpoolFile,
    ) -> Result<Option<Arc<SealedObject>>, StoreError> {
        let known = self.lock().iter().find(|known| known.id == object.id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let (source, file) = (object.clone(), file.clone());
        let taken = tokio::task::spawn_blocking(move || table(&source, &file)).await;
        let failed = |words| StoreError { call: "MD5", fault: Fault::Spool, words };
        let taken = taken.map_err(|_| failed("reading was cancelled".into()))?;
        let Some(table) = taken.map_err(|error| failed(error.to_string()))? else {
            return Ok(None);
        };
        let object = Arc::new(SealedObject { table, ..(**object).clone() });
        let mut all = self.lock();
        if all.len() == REMEMBERED_MAX {
            all.pop_front();
        }
        all.push_back(object.clone());
        Ok(Some(object))
    }

    /// No longer needed: stored, or damaged.
    pub fn forget(&self, object: ObjectId) {
        self.lock().retain(|known| known.id != object);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Arc<SealedObject>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the file once, with a small buffer.
fn table(object: &SealedObject, file: &SpoolFile) -> io::Result<Option<PartTable>> {
    let mut buffer = vec![0; 64 * 1024];
    let mut parts = Vec::with_capacity(object.table.parts.len());
    for (number, part) in (1..).zip(&object.table.parts) {
        let start = object.table.part_size * u64::from(number - 1);
        let end = start + object.table.part_len(number, object.sealed.size);
        let (mut sha256, mut md5, mut at) = (Context::new(&SHA256), Md5::new(), start);
        while at < end {
            let room =
                usize::try_from(end - at).map_or(buffer.len(), |left| left.min(buffer.len()));
            match file.read_at(&mut buffer[..room], at)? {
                0 => return Ok(None),
                n => {
                    sha256.update(&buffer[..n]);
                    md5.update(&buffer[..n]);
                    at += n as u64;
                }
            }
        }
        if sha256.finish().as_ref() != part.sha256.0 {
            return Ok(None);
        }
        let md5 = Some(Md5Digest(md5.finalize().into()));
        parts.push(Part { sha256: Sha256Digest(part.sha256.0), md5 });
    }
    Ok(Some(PartTable { part_size: object.table.part_size, parts }))
}

#[cfg(test)]
mod tests {
    use super::{super::tests::object, *};

    const BYTES: &[u8] = b"twenty-five bytes of mail";

    fn unknown(object: &SealedObject) -> Arc<SealedObject> {
        let mut object = object.clone();
        object.table.parts.iter_mut().for_each(|part| part.md5 = None);
        Arc::new(object)
    }

    #[tokio::test]
    async fn every_part_gets_its_md5_and_they_are_remembered() {
        let (whole, md5s) = (object(BYTES), Md5s::default());
        let bare = unknown(&whole);
        let file = SpoolFile::from_bytes(BYTES.to_vec());
        assert_eq!(md5s.of(&bare, &file).await.unwrap(), Some(whole.clone()));
        let gone = SpoolFile::from_bytes(Vec::new());
        assert_eq!(md5s.of(&bare, &gone).await.unwrap(), Some(whole), "not read again");
        md5s.forget(bare.id);
        assert_eq!(md5s.of(&bare, &gone).await.unwrap(), None);
    }

    #[tokio::test]
    async fn bytes_that_are_not_what_was_sealed_get_none() {
        let bare = unknown(&object(BYTES));
        for (at, bit) in [(0, 1), (12, 0x80), (BYTES.len() - 1, 4)] {
            let mut bytes = BYTES.to_vec();
            bytes[at] ^= bit;
            let file = SpoolFile::from_bytes(bytes);
            assert_eq!(Md5s::default().of(&bare, &file).await.unwrap(), None, "byte {at}");
        }
        let cut = SpoolFile::from_bytes(BYTES[..24].to_vec());
        assert_eq!(Md5s::default().of(&bare, &cut).await.unwrap(), None);
    }

    #[tokio::test]
    async fn only_so_many_are_remembered() {
        let (md5s, file) = (Md5s::default(), SpoolFile::from_bytes(BYTES.to_vec()));
        let bare = unknown(&object(BYTES));
        for n in 0..20 {
            let id = ObjectId(uuid::Uuid::from_u128(n));
            let other = Arc::new(SealedObject { id, ..(*bare).clone() });
            assert!(md5s.of(&other, &file).await.unwrap().is_some());
        }
        assert_eq!(md5s.lock().len(), REMEMBERED_MAX);
    }
}
