//! Reading the log for people, while it is being written or offline.

use super::{
    JournalError, files,
    survey::{chain_start, walk},
};
use crate::{
    custody::chain::{BadLine, Head},
    types::fact::Entry,
};
use std::{ops::ControlFlow, path::Path};

/// One line of the log as it stands on disk.
#[derive(Debug)]
pub struct Line<'a> {
    /// The log file, without its folder.
    pub file: &'a str,
    /// From 1 within the file.
    pub number: u64,
    /// The line itself, without its line feed.
    pub bytes: &'a [u8],
    /// What it says, or in what way it does not continue the chain.
    pub entry: Result<Entry, BadLine>,
}

/// Hands out lines from number `from_seq` on, at most `limit`, in bounded memory. An unfinished
/// last line is passed over: it is being written.
pub(super) fn read(
    dir: &Path,
    from_seq: u64,
    limit: u64,
    visit: &mut dyn FnMut(Line<'_>) -> ControlFlow<()>,
) -> Result<(), JournalError> {
    if limit == 0 {
        return Ok(());
    }
    let files = files::list(dir)?;
    let (mut from, mut start) = (0, chain_start(&files, None)?.0);
    for (at, (_, path)) in files.iter().enumerate().rev() {
        if let Some(first) = files::first_entry(path)?
            && first.seq <= from_seq
        {
            (from, start) = (at, Head::before(&first));
            break;
        }
    }
    let mut left = limit;
    walk(&files[from..], start, &mut |step| {
        if step.head.seq < from_seq {
            return Ok(ControlFlow::Continue(()));
        }
        let (number, bytes, file) = (step.line, step.bytes, files::name_of(step.file));
        left -= 1;
        let flow = visit(Line { file: &file, number, bytes, entry: step.outcome });
        Ok(if left == 0 { ControlFlow::Break(()) } else { flow })
    })?;
    Ok(())
}
