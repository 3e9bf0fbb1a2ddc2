//! Erasing one file: read it whole once more, compare, and only then erase.
//!
//! A file replaced on the camera after it was copied, with the same size and time, is another file:
//! its original is safe, the replacement would be lost unread.

use super::event::EraseResult;
use crate::{
    release::{Approval, ErasePermit},
    types::fact::Hashed,
};

/// What erasing needs of a camera.
pub trait Clearing {
    /// Reads the file that the approval names, from its start to its end.
    ///
    /// # Errors
    /// The result that ends the erase: nothing was erased.
    fn read(&mut self, approval: &Approval) -> Result<Hashed, EraseResult>;

    /// Erases exactly that file, if it still looks as it did when it was sealed.
    fn erase(&mut self, permit: &ErasePermit) -> EraseResult;
}

/// Erases what the approval names, after the read it asks for gave what was sealed.
pub fn clear(camera: &mut dyn Clearing, approval: Approval) -> EraseResult {
    let permit = if approval.needs_read() {
        match compare(camera, &approval) {
            Ok(read) => approval.confirmed_by(read),
            Err(result) => return result,
        }
    } else {
        approval.without_read()
    };
    match permit {
        Some(permit) => camera.erase(&permit),
        None => EraseResult::Failed("it was not read again, and so is not erased".into()),
    }
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
