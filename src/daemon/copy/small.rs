//! Small sealed objects (descriptive records), by the same rules as segments.

use super::{
    BeginError, SealedCopy,
    draft::{Draft, Stop},
};
use crate::{
    seal::{self, OpenError, Recipients},
    spool::{Admission, Spool, SpoolError, Wait},
    types::ObjectId,
};
use std::sync::atomic::AtomicBool;

/// How sealing a small object ended.
pub enum SmallOutcome {
    Sealed(SealedCopy),
    /// The budget says wait.
    Wait(Wait),
    /// The disk was full after all, or a budget too small for the object; nothing was kept.
    SpoolFull,
    SealBroken(OpenError),
    SpoolBroken(SpoolError),
}

/// Seals `plaintext` (held in memory: records, not footage) into the spool: sealed, fsynced, read
/// back, opened, compared, renamed.
///
/// # Errors
/// [`BeginError`].
pub fn spool_small(
    object: ObjectId,
    plaintext: &[u8],
    part_size: u64,
    recipients: &Recipients,
    spool: &dyn Spool,
) -> Result<SmallOutcome, BeginError> {
    let (sealed, finished) = seal::seal_small(recipients, plaintext, part_size)?;
    let writer = match spool.create(object, sealed.len() as u64)? {
        Admission::Granted(writer) => writer,
        Admission::Wait(wait) => return Ok(SmallOutcome::Wait(wait)),
        Admission::TooLarge { .. } => return Ok(SmallOutcome::SpoolFull),
    };
    let mut draft = Draft::new(object, writer);
    *draft.pending() = sealed;
    let never = AtomicBool::new(false);
    let proved = draft.drain().and_then(|()| draft.prove(&finished.opener, &never));
    Ok(match proved {
        Ok(proof) => match draft.commit(finished, &proof) {
            Ok(sealed) => SmallOutcome::Sealed(sealed),
            Err(error) => SmallOutcome::SpoolBroken(error),
        },
        Err(Stop::SealBroken(error)) => SmallOutcome::SealBroken(error),
        Err(Stop::SpoolBroken(error)) => SmallOutcome::SpoolBroken(error),
        // Nothing is read from a camera and nobody cancels: only the disk can stop this.
        Err(Stop::Pause(_) | Stop::Refused(_) | Stop::TooLong { .. }) => SmallOutcome::SpoolFull,
    })
}
