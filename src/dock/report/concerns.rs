//! What of a camera needs a person, in words: the same list for the bay light, for `reconcile`
//! and for `acknowledge`.

use super::super::{
    IndexBroken, Records, Stage, View,
    state::{FileMatter, FileTrouble, GapState, Mark, SegmentState, Weight, key},
};
use crate::types::{
    CameraId, Verdict,
    fact::{Gap, Matter},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::ops::ControlFlow;

/// What kind of matter it is; gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConcernKind {
    /// A file whose manifest was changed, or signed by another.
    BadSignature,
    /// Another file of the same size and time took its place.
    Replaced,
    /// A file failed its check.
    Unsound,
    /// Two reads of one file gave different bytes.
    ReadsDiffer,
    /// A listing found something.
    Finding,
    /// Something that the camera's numbering or lists name is missing.
    Gap,
    /// A file left the camera before it was copied.
    Lost,
    /// The store lacked a file that it had acknowledged when it was asked last.
    StoreMissed,
    /// The store lost a file that it had acknowledged.
    StoreLost,
}

/// One matter that needs a person, or needed one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concern {
    pub kind: ConcernKind,
    pub words: String,
    /// How a log line names it.
    pub matter: Matter,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Mark>,
    /// What was missing arrived after all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived: Option<Timestamp>,
}

impl Concern {
    /// The most open concerns of one camera, and the most closed ones, in one answer.
    pub const LIST_MAX: usize = 1000;

    /// Nobody has acknowledged it, and it did not mend itself.
    pub fn is_open(&self) -> bool {
        self.acknowledged.is_none() && self.arrived.is_none()
    }
}

/// Everything about a camera that needs or needed a person, gravest first; of open gaps, closed
/// gaps, open files and closed files at most `limit` each. Nothing closed hides what is open.
///
/// # Errors
/// [`IndexBroken`].
pub fn concerns(
    view: &dyn View,
    camera: &CameraId,
    limit: usize,
) -> Result<Vec<Concern>, IndexBroken> {
    let mut found = Vec::new();
    let is_open = |row: &FileMatter| row.acknowledged.is_none();
    for row in rows(view, &key::matters(camera), limit, is_open)? {
        let Some(state) = view.segment(row.segment)? else { continue };
        let sealed = state.sealed.as_ref().map(|sealed| view.object(sealed.object));
        let gone = sealed.transpose()?.flatten().is_some_and(|object| object.missing);
        found.push(file(row, &state, gone));
    }
    let findings = view.camera(camera)?.map(|camera| camera.findings).unwrap_or_default();
    found.extend(findings.into_iter().filter(|finding| finding.weight == Weight::Grave).map(
        |finding| Concern {
            kind: ConcernKind::Finding,
            matter: Matter::Finding(finding.words.clone()),
            words: finding.words,
            acknowledged: finding.acknowledged,
            arrived: None,
        },
    ));
    for row in rows(view, &key::gaps(camera), limit, GapState::is_open)? {
        let name = match &row.gap {
            Gap::Segment { recording, .. } => view.recording(*recording)?.map(|r| r.recording.name),
            Gap::Recordings { .. } | Gap::Signature { .. } | Gap::Chain { .. } => None,
        };
        found.push(Concern {
            kind: ConcernKind::Gap,
            words: gap_words(&row.gap, name.as_deref()),
            matter: Matter::Gap(row.gap),
            acknowledged: row.acknowledged,
            arrived: row.arrived,
        });
    }
    found.sort_by_key(|concern| (!concern.is_open(), concern.kind));
    Ok(found)
}

fn rows<T: DeserializeOwned>(
    view: &dyn View,
    prefix: &[u8],
    limit: usize,
    is_open: impl Fn(&T) -> bool,
) -> Result<Vec<T>, IndexBroken> {
    let (mut open, mut closed, mut broken) = (Vec::new(), Vec::new(), None);
    view.scan(prefix, b"", &mut |row, value| {
        match serde_json::from_slice::<T>(value) {
            Ok(record) if is_open(&record) => open.push(record),
            Ok(record) if closed.len() < limit => closed.push(record),
            Ok(_) => {}
            Err(error) => {
                let words =
                    format!("the record at {} does not decode: {error}", row.escape_ascii());
                broken = Some(IndexBroken(words));
            }
        }
        let more = broken.is_none() && open.len() < limit;
        if more { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    open.append(&mut closed);
    broken.map_or(Ok(open), Err)
}

/// `gone`: what the store has no more is the newest copy of it.
fn file(row: FileMatter, state: &SegmentState, gone: bool) -> Concern {
    let path = &state.segment.source.path;
    let (kind, words) = match row.trouble {
        FileTrouble::Unsound { verdict: verdict @ Verdict::BadSignature, .. } => {
            (ConcernKind::BadSignature, format!("{path}: {}", verdict_words(verdict)))
        }
        FileTrouble::Unsound { verdict, .. } => {
            (ConcernKind::Unsound, format!("{path}: {}", verdict_words(verdict)))
        }
        FileTrouble::ReadsDiffer => {
            let words = "two reads of the camera gave different bytes; the first is stored";
            (ConcernKind::ReadsDiffer, format!("{path}: {words}"))
        }
        FileTrouble::Replaced => {
            let words = "another file of the same size and time lies in its place: it was not \
                         erased and is copied too";
            (ConcernKind::Replaced, format!("{path}: {words}"))
        }
        FileTrouble::StoreLost { times } => {
            let times = if times == 1 { String::new() } else { format!(", {times} times by now") };
            let now = match state.stage {
                Stage::Released | Stage::Vanished if !gone => "it was copied and stored again",
                Stage::Released => {
                    "it was released from the camera before that was seen: look for it in the \
                     store's backups, its receipt is kept"
                }
                Stage::Vanished => "it is no longer on the camera: look in the store's backups",
                Stage::Seen => "it is copied and sent again",
                Stage::Sealed | Stage::Stored | Stage::Receipted | Stage::Releasing => {
                    "it was copied again"
                }
            };
            let words = format!("the store lost it after its receipt{times}; {now}");
            (ConcernKind::StoreLost, format!("{path}: {words}"))
        }
        FileTrouble::StoreMissed => {
            let words = "the store did not have it when it was asked last; it is asked once more \
                         before that is believed";
            (ConcernKind::StoreMissed, format!("{path}: {words}"))
        }
        FileTrouble::Lost => {
            let words = "never copied: it left the camera before that, and not by this dock";
            (ConcernKind::Lost, format!("{path}: {words}"))
        }
    };
    Concern {
        kind,
        words,
        matter: Matter::File(row.segment),
        acknowledged: row.acknowledged,
        arrived: None,
    }
}

/// What is wrong with a file of this verdict.
pub fn verdict_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::BadSignature => {
            "the signature of its manifest does not fit, so nobody vouches for it"
        }
        Verdict::Mismatched => "its bytes are not those that its camera listed",
        Verdict::Partial => "it is cut off",
        Verdict::Unreadable => "it cannot be read to its end",
        Verdict::Verified | Verdict::Matched | Verdict::Unverified => "nothing is wrong with it",
    }
}

/// A gap in words; `name` is that of the recording it lies in.
pub fn gap_words(gap: &Gap, name: Option<&str>) -> String {
    match gap {
        Gap::Recordings { first, last } if first == last => {
            format!("recording number {first} had not arrived when a later one did")
        }
        Gap::Recordings { first, last } => {
            format!("recordings number {first} to {last} had not arrived when a later one did")
        }
        Gap::Signature { sequence, name } => format!(
            "recording number {sequence} is here as {name}, but without a signature that fits: \
             its number is not proven"
        ),
        Gap::Chain { sequence, .. } => format!(
            "the manifest of recording number {sequence} does not continue what this dock saw: \
             a changed manifest, or a copied or reset camera"
        ),
        Gap::Segment { path, .. } => {
            let name = name.map_or_else(String::new, |name| format!(" of recording {name}"));
            format!("{path}{name} is named by the camera's own list, but is not on the camera")
        }
    }
}
