//! Lists: recordings, segments, the upload queue. Bounded by a limit the caller names; the whole is
//! counted all the same.

use super::super::{
    IndexBroken, Records, Stage, View,
    report::page::{Page, Span, Turner},
    state::{ObjectState, RecordingState, SegmentState, key},
};
use super::marks::marks_words;
use crate::types::{
    CameraId, Class, FileKind, ObjectId, RecordingId, SegmentId, SourcePath, Verdict, fact::Content,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Which rows are wanted; empty fields do not restrict.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Filter {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<CameraId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recording: Option<RecordingId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    #[serde(default)]
    pub unsound: bool,
    /// Without this many rows at the beginning.
    #[serde(default)]
    pub offset: usize,
    /// At most this many rows.
    pub limit: usize,
}

impl Filter {
    fn span(&self) -> Span {
        Span { offset: self.offset, limit: self.limit }
    }

    /// Whether every segment is wanted, so that none need be looked at to be counted.
    fn takes_every_segment(&self) -> bool {
        self.camera.is_none() && self.recording.is_none() && self.stage.is_none() && !self.unsound
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RecordingRow {
    pub id: RecordingId,
    pub camera: CameraId,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub officer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    pub class: Class,
    pub files: u64,
    pub bytes: u64,
    /// How many files are in each stage, in the order of the stages.
    pub stages: Vec<(Stage, u64)>,
    pub unsound: u64,
    pub gaps: u32,
    pub described: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SegmentRow {
    pub id: SegmentId,
    pub recording: RecordingId,
    pub camera: CameraId,
    pub path: SourcePath,
    pub kind: FileKind,
    pub index: u32,
    pub size: u64,
    pub stage: Stage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<ObjectId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<crate::types::Sha256Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// How its class stands at the store, where that is not as it should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marks: Option<String>,
    /// Gone only in that the same file is seen anew, as it is now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub superseded: bool,
    /// Of a file that left its camera by another hand: where it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
}

/// Where a file is that is no longer on its camera, though nobody released it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gone {
    /// In the store: safe.
    Stored,
    /// In the dock's spool, waiting for the store.
    InSpool,
    /// Seen anew, as it is now.
    Superseded,
    /// Nowhere that this dock knows: it was never copied.
    Lost,
}

impl Gone {
    /// Of a file that vanished.
    pub(super) fn of(state: &SegmentState, view: &dyn View) -> Result<Self, IndexBroken> {
        Ok(match &state.sealed {
            None if state.superseded => Self::Superseded,
            None => Self::Lost,
            Some(sealed) => match view.object(sealed.object)? {
                Some(object) if object.stored.is_some() => Self::Stored,
                Some(_) | None => Self::InSpool,
            },
        })
    }

    /// For a column of stages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "gone, stored",
            Self::InSpool => "gone, in spool",
            Self::Superseded => "gone, seen anew",
            Self::Lost => "lost",
        }
    }
}

/// One sealed object on its way to, or in, the store.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ObjectRow {
    pub id: ObjectId,
    pub content: Content,
    pub camera: CameraId,
    pub class: Class,
    pub bytes: u64,
    pub key: String,
    pub sealed_at: Timestamp,
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// # Errors
/// [`IndexBroken`].
pub fn recording_rows(view: &dyn View, filter: &Filter) -> Result<Page<RecordingRow>, IndexBroken> {
    let mut rows = Turner::new(filter.span());
    let mut broken = None;
    view.scan(key::RECORDINGS, b"", &mut |_, value| {
        match serde_json::from_slice::<RecordingState>(value) {
            Err(error) => {
                broken = Some(IndexBroken(error.to_string()));
                return ControlFlow::Break(());
            }
            Ok(state) => {
                let camera = filter.camera.as_ref().is_none_or(|c| *c == state.recording.camera);
                let stage = filter.stage.is_none_or(|stage| state.at(stage) > 0);
                if camera && stage && (!filter.unsound || state.unsound > 0) {
                    rows.turn(|| recording_row(state));
                }
            }
        }
        ControlFlow::Continue(())
    })?;
    broken.map_or(Ok(rows.page()), Err)
}

fn recording_row(state: RecordingState) -> RecordingRow {
    let described = state.at(Stage::Seen) == 0 && state.described_before > 0;
    let stages = Stage::ALL.iter().zip(state.files).filter(|(_, n)| *n > 0);
    RecordingRow {
        id: state.recording.id,
        stages: stages.map(|(stage, n)| (*stage, n)).collect(),
        files: state.files.iter().sum(),
        bytes: state.bytes,
        unsound: state.unsound,
        gaps: state.gaps,
        described,
        camera: state.recording.camera,
        name: state.recording.name,
        officer: state.recording.officer,
        started: state.recording.started,
        class: state.recording.class,
    }
}

impl From<SegmentState> for SegmentRow {
    fn from(state: SegmentState) -> Self {
        let sealed = state.sealed.as_ref();
        Self {
            id: state.segment.id,
            recording: state.segment.recording,
            kind: state.segment.kind,
            index: state.segment.index,
            size: state.segment.source.size,
            stage: state.stage,
            verdict: sealed.map(|s| s.verdict),
            object: sealed.map(|s| s.object),
            sha256: sealed.map(|s| s.plain.sha256),
            camera: state.segment.camera,
            path: state.segment.source.path,
            trouble: state.trouble,
            marks: None,
            superseded: state.superseded,
            gone: None,
        }
    }
}

/// The rows with how their marks stand, and where they are that are gone.
fn with_marks(
    mut page: Page<SegmentRow>,
    view: &dyn View,
) -> Result<Page<SegmentRow>, IndexBroken> {
    for row in &mut page.rows {
        if row.stage == Stage::Vanished {
            let state = view.segment(row.id)?;
            row.gone = state.map(|state| Gone::of(&state, view)).transpose()?;
        }
        let Some(object) = row.object.filter(|_| row.stage >= Stage::Stored) else { continue };
        row.marks = view.object(object)?.and_then(|object| marks_words(&object));
    }
    Ok(page)
}

/// # Errors
/// [`IndexBroken`].
pub fn segment_rows(view: &dyn View, filter: &Filter) -> Result<Page<SegmentRow>, IndexBroken> {
    let mut rows = Turner::new(filter.span());
    let wanted = |state: &SegmentState| {
        filter.camera.as_ref().is_none_or(|c| *c == state.segment.camera)
            && filter.recording.is_none_or(|r| r == state.segment.recording)
            && filter.stage.is_none_or(|stage| stage == state.stage)
            && (!filter.unsound || state.sealed.as_ref().is_some_and(|s| !s.verdict.is_sound()))
    };
    if let Some(recording) = filter.recording {
        for raw in view.ids(&key::members(recording), b"", usize::MAX)? {
            let Ok(id) = SegmentId::from_slice(&raw) else { continue };
            if let Some(state) = view.segment(id)?.filter(&wanted) {
                rows.turn(|| state.into());
            }
        }
        return with_marks(rows.page(), view);
    }
    let every = filter.takes_every_segment();
    let mut broken = None;
    view.scan(b"s/", b"", &mut |_, value| {
        if every && !rows.wants() {
            rows.pass(1);
            return ControlFlow::Continue(());
        }
        match serde_json::from_slice::<SegmentState>(value) {
            Err(error) => {
                broken = Some(IndexBroken(error.to_string()));
                return ControlFlow::Break(());
            }
            Ok(state) if wanted(&state) => rows.turn(|| state.into()),
            Ok(_) => {}
        }
        ControlFlow::Continue(())
    })?;
    broken.map_or(Ok(()), Err)?;
    with_marks(rows.page(), view)
}

/// The upload queue, each class oldest first.
///
/// # Errors
/// [`IndexBroken`].
pub fn objects(view: &dyn View, span: impl Into<Span>) -> Result<Page<ObjectRow>, IndexBroken> {
    let mut ids = Turner::new(span.into());
    for class in [Class::Evidential, Class::Quarantine, Class::Unreviewed] {
        view.queue(class, &mut |row| {
            ids.turn(|| row.object);
            ControlFlow::Continue(())
        })?;
    }
    let ids = ids.page();
    let mut rows = Vec::with_capacity(ids.rows.len());
    for id in ids.rows {
        rows.extend(view.object(id)?.map(ObjectRow::from));
    }
    Ok(Page::new(rows, ids.offset, ids.total))
}

impl From<ObjectState> for ObjectRow {
    fn from(state: ObjectState) -> Self {
        Self {
            id: state.object.id,
            content: state.object.content,
            class: state.object.class,
            bytes: state.object.sealed.size,
            key: state.object.key,
            camera: state.camera,
            sealed_at: state.sealed_at,
            attempts: state.attempts,
            retry_at: state.retry_at,
            trouble: state.trouble,
        }
    }
}
