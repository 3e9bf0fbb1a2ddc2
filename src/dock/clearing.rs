//! Erasing one file: read it whole once more, ask the store once more, and only then erase.
//!
//! A file replaced on the camera after it was copied, with the same size and time, is another file:
//! its original is safe, the replacement would be lost unread. A receipt says what the store had
//! when it was written: a store that was emptied, restored or exchanged since does not have it now.

use super::event::EraseResult;
use crate::{
    release::{Approval, ErasePermit},
    transfer::StoredProof,
    types::fact::Hashed,
};

/// What erasing needs of a camera and of the store.
pub trait Clearing {
    /// Reads the file that the approval names, from its start to its end.
    ///
    /// # Errors
    /// The result that ends the erase: nothing was erased.
    fn read(&mut self, approval: &Approval) -> Result<Hashed, EraseResult>;

    /// Looks whether the store still holds the approval's object, as its receipt says.
    ///
    /// # Errors
    /// The result that ends the erase: [`EraseResult::StoreLacks`] or [`EraseResult::StoreSilent`].
    fn ask_store(&mut self, approval: &Approval) -> Result<StoredProof, EraseResult>;

    /// Erases exactly that file, if it still looks as it did when it was sealed.
    fn erase(&mut self, permit: &ErasePermit) -> EraseResult;
}

/// Erases what the approval names, after the read it asks for gave what was sealed and the store was
/// seen to hold it. The store is asked last: nothing lies between its answer and the erase.
pub fn clear(place: &mut dyn Clearing, approval: Approval) -> EraseResult {
    match looks(place, &approval) {
        Err(result) => result,
        Ok((read, stored)) => match approval.confirmed_by(read, &stored) {
            Some(permit) => place.erase(&permit),
            None => {
                let words = "the looks before its erase were not about this file: it stays";
                EraseResult::Failed(words.into())
            }
        },
    }
}

fn looks(
    place: &mut dyn Clearing,
    approval: &Approval,
) -> Result<(Option<Hashed>, StoredProof), EraseResult> {
    let read = approval.needs_read().then(|| compare(place, approval)).transpose()?;
    Ok((read, place.ask_store(approval)?))
}

/// Reads the file, and once more if it differs: only what two reads agree on is another file, and
/// not a camera that reads unreliably.
fn compare(camera: &mut dyn Clearing, approval: &Approval) -> Result<Hashed, EraseResult> {
    let sealed = approval.plain();
    let first = camera.read(approval)?;
    if first == sealed {
        return Ok(first);
    }
    let second = camera.read(approval)?;
    if first != second {
        let words = "read again before its erase it gave other bytes each time: nothing was \
                     erased; take this camera out of service";
        return Err(EraseResult::Failed(words.into()));
    }
    if first.size != sealed.size {
        let (now, then) = (first.size, sealed.size);
        let words = format!("it has {now} bytes now and had {then}: it is listed again first");
        return Err(EraseResult::Failed(words));
    }
    Err(EraseResult::Changed(first))
}
