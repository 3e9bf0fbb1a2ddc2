//! Small sealed objects (descriptive records), by the same rules as segments.

use super::{
    BeginError, READ_BYTES, SealedCopy,
    draft::{Draft, Stop},
};
use crate::{
    seal::{self, OpenError, Recipients, Sealer},
    spool::{Admission, Spool, SpoolError, Wait},
    types::ObjectId,
};
use std::{
    io::{self, Read},
    sync::atomic::AtomicBool,
};

/// How sealing a stream of the dock's own ended.
pub enum SmallOutcome {
    Sealed(SealedCopy),
    /// The budget says wait.
    Wait(Wait),
    /// The disk was full after all, or a budget too small for the object; nothing was kept.
    SpoolFull,
    /// The stream itself failed, or is longer than announced; nothing was kept.
    SourceBroken(io::Error),
    SealBroken(OpenError),
    SpoolBroken(SpoolError),
}

/// Seals `source` (at most `bytes_max` long) into the spool: sealed, fsynced, read back, opened,
/// compared, renamed. Memory as for a segment.
///
/// # Errors
/// [`BeginError`].
pub fn spool_stream(
    object: ObjectId,
    source: &mut dyn Read,
    bytes_max: u64,
    part_bytes_min: u64,
    recipients: &Recipients,
    spool: &dyn Spool,
) -> Result<SmallOutcome, BeginError> {
    let writer = match spool.create(object, seal::sealed_size_max(bytes_max))? {
        Admission::Granted(writer) => writer,
        Admission::Wait(wait) => return Ok(SmallOutcome::Wait(wait)),
        Admission::TooLarge { .. } => return Ok(SmallOutcome::SpoolFull),
    };
    let sealer = Sealer::start(recipients, seal::part_size(bytes_max, part_bytes_min))?;
    let mut draft = Draft::new(object, writer);
    Ok(match write(&mut draft, sealer, source) {
        Ok(finished) => outcome_of(draft, finished),
        Err(outcome) => *outcome,
    })
}

fn write(
    draft: &mut Draft,
    mut sealer: Sealer,
    source: &mut dyn Read,
) -> Result<seal::Finished, Box<SmallOutcome>> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => sealer
                .push(&buffer[..n], draft.pending())
                .map_err(|error| Box::new(SmallOutcome::SourceBroken(io::Error::other(error))))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Box::new(SmallOutcome::SourceBroken(error))),
        }
        draft.drain().map_err(|stop| Box::new(stopped(stop)))?;
    }
    let finished = sealer.finish(draft.pending());
    draft.drain_all().map_err(|stop| Box::new(stopped(stop)))?;
    Ok(finished)
}

fn outcome_of(mut draft: Draft, finished: seal::Finished) -> SmallOutcome {
    let never = AtomicBool::new(false);
    match draft.prove(&finished.opener, &never) {
        Ok(proof) => match draft.commit(finished, &proof) {
            Ok(sealed) => SmallOutcome::Sealed(sealed),
            Err(error) => SmallOutcome::SpoolBroken(error),
        },
        Err(stop) => stopped(stop),
    }
}

fn stopped(stop: Stop) -> SmallOutcome {
    match stop {
        Stop::SealBroken(error) => SmallOutcome::SealBroken(error),
        Stop::SpoolBroken(error) => SmallOutcome::SpoolBroken(error),
        // Nothing is read from a camera and nobody cancels: only the disk can stop this.
        Stop::Pause(_) | Stop::Refused(_) | Stop::TooLong { .. } => SmallOutcome::SpoolFull,
    }
}
