//! How the class of stored objects stands at the store, in words.

use super::super::{
    Dock, IndexBroken, View,
    state::{ObjectState, Totals, key},
};
use crate::dock::Records as _;
use jiff::Timestamp;

/// What is not as it should be; none when the store keeps what was asked.
pub fn marks_words(state: &ObjectState) -> Option<String> {
    let marking = &state.marking;
    let class = state.object.class;
    if marking.due {
        let evidence = if marking.evidence { " under legal hold, if it locks" } else { "" };
        return Some(format!("to be {class} at the store{evidence}"));
    }
    let lacks = marking.seen.as_ref().and_then(|seen| seen.lacks.as_ref())?;
    Some(format!("the store does not keep all marks: {lacks}"))
}

/// One object, for `why`; true when there is trouble with it.
pub(super) fn explain(state: &ObjectState, now: Timestamp, because: &mut Vec<String>) -> bool {
    let marking = &state.marking;
    if let Some(words) = marks_words(state) {
        because.push(words);
        if marking.due {
            because.extend(marking.trouble.as_ref().map(|words| {
                format!("marking it there failed {} times: {words}", marking.attempts)
            }));
            let next = marking.retry_at.filter(|at| *at > now);
            because.extend(next.map(|at| format!("it is marked again at {at:.0}")));
        }
        return !marking.due || marking.attempts > 0;
    }
    let Some(seen) = &marking.seen else { return false };
    let class = seen.class.map_or("no class".into(), |class| format!("class {class}"));
    let how = if seen.noted_only { "noted" } else { "locked" };
    let until = seen.retain_until.map(|until| format!(", {how} until {until:.0}"));
    let hold = match (seen.legal_hold, seen.noted_only) {
        (false, _) => "",
        (true, false) => ", under legal hold",
        (true, true) => ", a legal hold noted beside it",
    };
    because.push(format!("the store says: {class}{}{hold}", until.unwrap_or_default()));
    false
}

/// The whole dock, for `status`.
///
/// # Errors
/// [`IndexBroken`].
pub(super) fn problems(
    dock: &Dock,
    totals: &Totals,
    now: Timestamp,
    view: &dyn View,
) -> Result<Vec<String>, IndexBroken> {
    const COUNT_MAX: usize = 1000;
    let mut problems = Vec::new();
    if let Some((until, words)) = dock.marking_wait() {
        let due = view.ids(key::MARKS_DUE, b"", COUNT_MAX)?.len();
        let objects = if due == 1 { "object waits" } else { "objects wait" };
        let when = match *until > now {
            true => format!("trying again at {until:.0}"),
            false => "trying again".into(),
        };
        problems
            .push(format!("{due} stored {objects} for their class at the store ({words}); {when}"));
    }
    problems.extend(lacking(totals, view)?);
    Ok(problems)
}

/// What of the store's marks nobody can have, in words: a shortcoming of the store, which holds up
/// nothing.
///
/// # Errors
/// [`IndexBroken`].
pub(super) fn lacking(totals: &Totals, view: &dyn View) -> Result<Option<String>, IndexBroken> {
    if totals.marks_lacking == 0 {
        return Ok(None);
    }
    let first = view.ids(key::MARKS_LACKING, b"", 1)?;
    let first = first.first().map(|id| uuid::Uuid::from_bytes(*id).to_string());
    Ok(Some(format!(
        "{} stored {}: the store does not keep all their marks, so they are not to be called \
         locked or marked there: `bwvdock why {}`; when the store is mended, `bwvdock retry`",
        totals.marks_lacking,
        if totals.marks_lacking == 1 { "object" } else { "objects" },
        first.unwrap_or_default()
    )))
}
