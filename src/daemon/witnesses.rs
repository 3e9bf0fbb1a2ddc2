//! What the receipts on the dock's disk prove of the custody log, and what is done with sealed
//! objects that the log no longer speaks of.

use crate::{
    custody::receipt::{DockKey, Receipt},
    dock::state::ObjectState,
    evidence::PublicKey,
    journal::Proved,
    spool::{FolderSpool, Spool as _, SpoolError},
    types::{ObjectId, ReceiptLevel},
};
use std::{
    fs::{self, File},
    io,
    path::Path,
};

/// Receipts looked at when the log is opened: those of the objects sealed last. Their heads lie
/// furthest on in the log, but for what waited long for the store; reading all of hundreds of
/// thousands would hold up every start.
const RECEIPTS_MAX: usize = 256;

/// The heads of the custody log in the newest receipts that this dock's own key signed.
///
/// # Errors
/// Plain I/O errors of listing the folder. A receipt that cannot be read proves nothing.
pub fn receipt_heads(folder: &Path, key: &DockKey) -> io::Result<Vec<Proved>> {
    let trusted = key.public();
    let heads = newest_receipts(folder)?.into_iter().filter_map(|object| {
        let receipt = own_receipt(&super::uploads::receipt_path(folder, object), &trusted)?;
        let by = format!("the receipt of object {}", receipt.object);
        Some(Proved { head: receipt.custody, by })
    });
    Ok(heads.collect())
}

/// The objects whose receipts are the newest, newest first; a few hundred at most.
///
/// # Errors
/// Plain I/O errors of listing the folder.
pub fn newest_receipts(folder: &Path) -> io::Result<Vec<ObjectId>> {
    let mut objects: Vec<ObjectId> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "receipt")
            && let Some(object) = path.file_stem().and_then(|name| name.to_str()?.parse().ok())
        {
            objects.push(object);
        }
    }
    // Object ids begin with the time of sealing.
    objects.sort_unstable_by(|a, b| b.cmp(a));
    objects.truncate(RECEIPTS_MAX);
    Ok(objects)
}

fn own_receipt(path: &Path, trusted: &PublicKey) -> Option<Receipt> {
    Receipt::verify(&fs::read(path).ok()?, Some(trusted)).ok()
}

/// What this dock's own receipt says of exactly this object: its line in the log may be lost. The
/// store is asked again before a new receipt stands on it.
pub fn stored_by_receipt(
    folder: &Path,
    key: &DockKey,
    state: &ObjectState,
) -> Option<(ReceiptLevel, Option<String>)> {
    let object = &state.object;
    let path = super::uploads::receipt_path(folder, object.id);
    let receipt = own_receipt(&path, &key.public())?;
    let same =
        receipt.object == object.id && receipt.key == object.key && receipt.sealed == object.sealed;
    same.then_some((receipt.level, receipt.version_id))
}

/// Takes a sealed object out of the spool and keeps it in `folder`: its line in the log is
/// missing, and it may be all there is of that footage.
///
/// # Errors
/// [`SpoolError`]; it is still in the spool then.
pub fn set_aside(
    spool_folder: &Path,
    spool: &FolderSpool,
    folder: &Path,
    object: ObjectId,
) -> Result<(), SpoolError> {
    let name = format!("{object}.age");
    let linked = fs::create_dir_all(folder)
        .and_then(|()| match fs::hard_link(spool_folder.join(&name), folder.join(&name)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        })
        .and_then(|()| File::open(folder)?.sync_all());
    linked.map_err(|source| SpoolError::Io { doing: format!("set {object} aside"), source })?;
    spool.remove(object)
}
