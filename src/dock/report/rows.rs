//! Lists: recordings, segments, the upload queue. Bounded by a limit the caller names.

use super::super::{
    IndexBroken, Records, Stage, View,
    state::{RecordingState, SegmentState, key},
};
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
    /// At most this many rows.
    pub limit: usize,
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
    /// Gone only in that the same file is seen anew, as it is now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub superseded: bool,
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
pub fn recording_rows(view: &dyn View, filter: &Filter) -> Result<Vec<RecordingRow>, IndexBroken> {
    let mut rows = Vec::new();
    let mut broken = None;
    view.scan(key::RECORDINGS, b"", &mut |_, value| {
        match serde_json::from_slice::<RecordingState>(value) {
            Err(error) => broken = Some(IndexBroken(error.to_string())),
            Ok(state) => {
                let camera = filter.camera.as_ref().is_none_or(|c| *c == state.recording.camera);
                let stage = filter.stage.is_none_or(|stage| state.at(stage) > 0);
                if camera && stage && (!filter.unsound || state.unsound > 0) {
                    rows.push(recording_row(state));
                }
            }
        }
        if rows.len() < filter.limit && broken.is_none() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    broken.map_or(Ok(rows), Err)
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
            superseded: state.superseded,
        }
    }
}

/// # Errors
/// [`IndexBroken`].
pub fn segment_rows(view: &dyn View, filter: &Filter) -> Result<Vec<SegmentRow>, IndexBroken> {
    let mut rows = Vec::new();
    let wanted = |state: &SegmentState| {
        filter.camera.as_ref().is_none_or(|c| *c == state.segment.camera)
            && filter.recording.is_none_or(|r| r == state.segment.recording)
            && filter.stage.is_none_or(|stage| stage == state.stage)
            && (!filter.unsound || state.sealed.as_ref().is_some_and(|s| !s.verdict.is_sound()))
    };
    if let Some(recording) = filter.recording {
        let members = key::members(recording);
        for raw in view.ids(&members, b"", usize::MAX)? {
            let Ok(id) = SegmentId::from_slice(&raw) else { continue };
            rows.extend(view.segment(id)?.filter(&wanted).map(SegmentRow::from));
            if rows.len() >= filter.limit {
                break;
            }
        }
        return Ok(rows);
    }
    let mut broken = None;
    view.scan(b"s/", b"", &mut |_, value| {
        match serde_json::from_slice::<SegmentState>(value) {
            Err(error) => broken = Some(IndexBroken(error.to_string())),
            Ok(state) if wanted(&state) => rows.push(state.into()),
            Ok(_) => {}
        }
        if rows.len() < filter.limit && broken.is_none() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    broken.map_or(Ok(rows), Err)
}

/// The upload queue, each class oldest first.
///
/// # Errors
/// [`IndexBroken`].
pub fn objects(view: &dyn View, limit: usize) -> Result<Vec<ObjectRow>, IndexBroken> {
    let mut ids = Vec::new();
    for class in [Class::Evidential, Class::Quarantine, Class::Unreviewed] {
        view.queue(class, &mut |row| {
            ids.push(row.object);
            if ids.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
    }
    ids.truncate(limit);
    let states = ids.into_iter().map(|id| view.object(id));
    let rows = states.filter_map(|state| {
        state.transpose().map(|state| {
            state.map(|state| ObjectRow {
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
            })
        })
    });
    rows.collect()
}
