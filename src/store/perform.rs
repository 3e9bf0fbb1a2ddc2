//! Performs one call of the upload machine on a store.

use super::{Fault, Store, StoreError};
use crate::{
    spool::SpoolFile,
    transfer::{Answer, Call},
    types::fact::SealedObject,
};
use ring::digest::{Context, SHA256};
use std::sync::Arc;

/// Performs `call` for `object`, whose sealed bytes are `file`.
///
/// # Errors
/// As the store says; [`Fault::Spool`] when the spool file cannot be read.
pub async fn perform<S: Store>(
    store: &S,
    object: &Arc<SealedObject>,
    file: &SpoolFile,
    call: &Call,
) -> Result<Answer, StoreError> {
    let key = object.key.as_str();
    Ok(match call {
        Call::Head => Answer::Head(store.head(key).await?),
        Call::FindUploads => Answer::Uploads(store.open_uploads(key).await?),
        Call::Create => Answer::Created(store.create(object).await?),
        Call::ListParts { upload } => Answer::Parts(store.parts(key, upload).await?),
        Call::PutPart { upload, number } => {
            Answer::Part(store.put_part(object, upload, *number, file).await?)
        }
        Call::Complete { upload, etags } => {
            store.complete(object, upload, etags).await?;
            Answer::Completed
        }
        Call::Abort { upload } => {
            store.abort(key, upload).await?;
            Answer::Aborted
        }
        Call::ReadBack => {
            let (size, sha256) = store.read_back(key, object.sealed.size).await?;
            Answer::ReadBack { size, sha256 }
        }
        Call::CheckSpool => {
            let (object, file) = (object.clone(), file.clone());
            let checked = tokio::task::spawn_blocking(move || is_intact(&object, &file)).await;
            let failed = |words| StoreError { call: "CheckSpool", fault: Fault::Spool, words };
            let checked = checked.map_err(|_| failed("the check was cancelled".into()))?;
            Answer::Spool { intact: checked.map_err(|error| failed(error.to_string()))? }
        }
    })
}

/// Whether the file still has the size and digest that was sealed. Reads with a small buffer.
fn is_intact(object: &SealedObject, file: &SpoolFile) -> std::io::Result<bool> {
    let (mut hash, mut at, mut buffer) = (Context::new(&SHA256), 0, vec![0; 64 * 1024]);
    loop {
        match file.read_at(&mut buffer, at)? {
            0 => break,
            n => {
                hash.update(&buffer[..n]);
                at += n as u64;
            }
        }
    }
    Ok(at == object.sealed.size && hash.finish().as_ref() == object.sealed.sha256.0)
}
