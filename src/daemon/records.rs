//! The descriptive record of a recording: officer, times, verdicts, digests, clock offset.
//!
//! **Format `bwv-record`, version 1** (JSON lines, sealed with age like a segment): the first line
//! is a header with the recording, its camera, the camera's clock offset at docking and the
//! custody head; every further line is one file. The last line says how many there were, so that
//! a cut-off record shows. Written as a stream: a recording may have 50,000 segments.

use crate::{
    dock::{IndexBroken, Records as _, Stage, View, state::key},
    types::{DockId, RecordingId, SegmentId},
};
use jiff::Timestamp;
use serde_json::json;
use std::io::{self, Read};

/// Bytes reserved in the spool for a record of so many files; about what is needed: the spool
/// grants more while there is room.
pub fn size_max(files: u64) -> u64 {
    64 * 1024 + files.saturating_mul(1024)
}

/// A record as a stream of bytes.
pub struct RecordStream<V> {
    view: V,
    recording: RecordingId,
    header: Option<serde_json::Value>,
    /// Where the walk over the members goes on; none when it is over.
    from: Option<Vec<u8>>,
    files: u64,
    ended: bool,
    buffer: Vec<u8>,
    at: usize,
}

const PAGE: usize = 64;

impl<V: View> RecordStream<V> {
    /// # Errors
    /// [`IndexBroken`]; none if the recording is not known.
    pub fn new(
        view: V,
        recording: RecordingId,
        dock: &DockId,
        now: Timestamp,
        head: (u64, crate::types::Sha256Digest),
    ) -> Result<Option<Self>, IndexBroken> {
        let Some(state) = view.recording(recording)? else { return Ok(None) };
        let camera = view.camera(&state.recording.camera)?;
        let header = json!({
            "format": "bwv-record",
            "version": 1,
            "written": now,
            "dock": dock,
            "recording": state.recording,
            "first_seen": state.first_seen,
            "gaps": state.gaps,
            "unaccounted": state.unaccounted,
            "camera": camera.map(|camera| json!({
                "id": camera.id,
                "model": camera.model,
                "docked": camera.last_docked,
                "bay": camera.last_bay,
                "clock": camera.clock,
                "clock_reading": camera.clock_reading,
                "findings": camera.findings.iter().map(|f| &f.words).collect::<Vec<_>>(),
            })),
            "custody": { "seq": head.0, "head": head.1 },
        });
        Ok(Some(Self {
            from: Some(key::members(recording)),
            view,
            recording,
            header: Some(header),
            files: 0,
            ended: false,
            buffer: Vec::new(),
            at: 0,
        }))
    }

    fn line(&mut self, value: &serde_json::Value) {
        // A JSON value always has a text form.
        self.buffer.extend_from_slice(value.to_string().as_bytes());
        self.buffer.push(b'\n');
    }

    /// Fills the buffer with the next lines; leaves it empty at the end.
    fn refill(&mut self) -> Result<(), IndexBroken> {
        self.buffer.clear();
        self.at = 0;
        if let Some(header) = self.header.take() {
            self.line(&header);
            return Ok(());
        }
        while let Some(from) = self.from.take() {
            let ids = self.view.ids(&key::members(self.recording), &from, PAGE)?;
            for raw in &ids {
                let Ok(id) = SegmentId::from_slice(raw) else { continue };
                let Some(state) = self.view.segment(id)? else { continue };
                self.files += 1;
                self.line(&file_line(&state));
            }
            if let (PAGE, Some(last)) = (ids.len(), ids.last()) {
                let mut after = [key::members(self.recording), last.to_vec()].concat();
                after.push(0);
                self.from = Some(after);
            }
            if !self.buffer.is_empty() {
                return Ok(());
            }
        }
        if !self.ended {
            self.ended = true;
            self.line(&json!({ "end": { "files": self.files } }));
        }
        Ok(())
    }
}

fn file_line(state: &crate::dock::state::SegmentState) -> serde_json::Value {
    let segment = &state.segment;
    json!({
        "segment": segment.id,
        "kind": segment.kind,
        "index": segment.index,
        "path": segment.source.path,
        "size": segment.source.size,
        "modified_ms": segment.source.modified_ms,
        "expected_sha256": segment.source.expected,
        "trust": segment.trust,
        "partial": segment.partial,
        "started": segment.started,
        "ended": segment.ended,
        "on_camera": !matches!(state.stage, Stage::Released | Stage::Vanished),
        "sealed": state.sealed.as_ref().map(|sealed| json!({
            "object": sealed.object,
            "verdict": sealed.verdict,
            "size": sealed.plain.size,
            "sha256": sealed.plain.sha256,
            "at": sealed.at,
        })),
        "second_read": state.second_read.map(|(read, agrees)| json!({
            "sha256": read.sha256, "agrees": agrees,
        })),
    })
}

impl<V: View> Read for RecordStream<V> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.buffer.len() {
            self.refill().map_err(io::Error::other)?;
        }
        let n = out.len().min(self.buffer.len() - self.at);
        out[..n].copy_from_slice(&self.buffer[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}
