//! What needs a person: gaps, findings of listings and files in trouble, open until somebody
//! acknowledges them or they mend themselves.

use super::{Done, Fold};
use crate::{
    dock::{
        Records as _, Stage,
        state::{
            FileMatter, FileTrouble, FindingState, GapState, Mark, SegmentState, Weight, key, put,
        },
    },
    types::{
        CameraId, RecordingId, SegmentId,
        fact::{Gap, Matter, Recording, Segment},
    },
};

impl Fold<'_> {
    fn own_mark(&self, reason: &str) -> Mark {
        let (at, actor) = (self.entry.at, self.entry.actor.clone());
        Mark { at, actor, reason: reason.to_owned() }
    }

    /// One file of a recording more, or less, is neither here nor explained.
    fn unaccounted(&mut self, recording: RecordingId, more: bool) -> Done {
        self.recording(recording, |r| {
            r.unaccounted = if more { r.unaccounted + 1 } else { r.unaccounted.saturating_sub(1) };
        })
    }

    // --- gaps ---

    pub(super) fn gap_found(&mut self, camera: &CameraId, gap: &Gap) -> Done {
        let row = key::gap(camera, gap);
        if self.table.get(&row)?.is_some() {
            return Ok(());
        }
        put(self.table, row, &GapState { gap: gap.clone(), acknowledged: None, arrived: None })?;
        self.totals.gaps += 1;
        if let Gap::Segment { recording, .. } = gap {
            self.recording(*recording, |r| r.gaps += 1)?;
            self.unaccounted(*recording, true)?;
        }
        self.camera(camera, |c| c.gaps += 1)
    }

    /// Changes a gap that is open, and closes it.
    fn close_gap(
        &mut self,
        camera: &CameraId,
        gap: &Gap,
        change: impl FnOnce(&mut GapState),
    ) -> Done {
        let row = key::gap(camera, gap);
        let state = self.table.record::<GapState>(&row)?;
        let Some(mut state) = state.filter(GapState::is_open) else { return Ok(()) };
        change(&mut state);
        put(self.table, row, &state)?;
        self.totals.gaps_settled += 1;
        if let Gap::Segment { recording, .. } = gap {
            self.unaccounted(*recording, false)?;
        }
        Ok(())
    }

    /// A file that was missing arrived after all. Hash lists know no numbers: theirs is 0.
    pub(super) fn gap_filled(&mut self, segment: &Segment) -> Done {
        let recording = self.table.recording(segment.recording)?;
        if recording.is_none_or(|recording| recording.unaccounted == 0) {
            return Ok(());
        }
        let at = self.entry.at;
        for index in [segment.index, 0] {
            let (recording, path) = (segment.recording, segment.source.path.clone());
            let gap = Gap::Segment { recording, index, path };
            self.close_gap(&segment.camera, &gap, |gap| gap.arrived = Some(at))?;
        }
        Ok(())
    }

    /// A signed manifest with this number is here: one number that was missing alone, or not
    /// proven, is that no more. Of a span of numbers a person has the last word.
    pub(super) fn number_arrived(&mut self, recording: &Recording, sequence: u64) -> Done {
        let at = self.entry.at;
        for gap in [
            Gap::Recordings { first: sequence, last: sequence },
            Gap::Signature { sequence, name: recording.name.clone() },
        ] {
            self.close_gap(&recording.camera, &gap, |gap| gap.arrived = Some(at))?;
        }
        Ok(())
    }

    // --- listings ---

    /// What is found again keeps its acknowledgement.
    pub(super) fn findings(
        &mut self,
        camera: &CameraId,
        [grave, clock, noted]: [&[String]; 3],
    ) -> Done {
        self.camera(camera, |camera| {
            let before = std::mem::take(&mut camera.findings);
            let known = |words: &String| before.iter().find(|finding| finding.words == *words);
            let state = |words: &String, weight| FindingState {
                words: words.clone(),
                weight,
                acknowledged: known(words).and_then(|finding| finding.acknowledged.clone()),
            };
            for (list, weight) in
                [(grave, Weight::Grave), (clock, Weight::Clock), (noted, Weight::Noted)]
            {
                camera.findings.extend(list.iter().map(|words| state(words, weight)));
            }
        })
    }

    /// Released files that nothing on the camera names any more leave the index of sources. One
    /// that was seen again has its row taken over by then.
    pub(super) fn absent(&mut self, segments: &[SegmentId]) -> Done {
        for id in segments {
            let Some(state) = self.table.segment(*id)? else { continue };
            let segment = &state.segment;
            let row = key::source(&segment.camera, segment.source.path.as_bytes());
            let is_its = self.table.get(&row)?.is_some_and(|known| known == id.as_bytes());
            if state.stage == Stage::Released && is_its {
                self.table.remove(&row);
            }
        }
        Ok(())
    }

    // --- files ---

    /// Keeps the row of a file in trouble in step with its state.
    pub(super) fn file_trouble(&mut self, was: Option<FileTrouble>, state: &SegmentState) -> Done {
        let is = FileTrouble::of(state);
        if was == is {
            return Ok(());
        }
        let (segment, recording) = (state.segment.id, state.segment.recording);
        let row = key::matter(&state.segment.camera, segment);
        let known: Option<FileMatter> = self.table.record(&row)?;
        if known.is_some_and(|m| m.trouble == FileTrouble::Lost && m.acknowledged.is_none()) {
            self.unaccounted(recording, false)?;
        }
        match is {
            None => self.table.remove(&row),
            Some(trouble) => {
                put(self.table, row, &FileMatter { segment, trouble, acknowledged: None })?;
            }
        }
        if is == Some(FileTrouble::Lost) {
            self.unaccounted(recording, true)?;
        }
        Ok(())
    }

    // --- people ---

    /// Reads again what failed its check and nobody has acknowledged.
    pub(super) fn retry_unsound(&mut self, prefix: &[u8]) -> Done {
        let open = |matter: &FileMatter| {
            matter.acknowledged.is_none() && matches!(matter.trouble, FileTrouble::Unsound { .. })
        };
        for matter in self.table.list::<FileMatter>(prefix, b"", usize::MAX)? {
            if open(&matter) {
                self.retry_segment(matter.segment)?;
            }
        }
        Ok(())
    }

    pub(super) fn acknowledged(
        &mut self,
        camera: &CameraId,
        matters: &[Matter],
        reason: &str,
    ) -> Done {
        let mark = self.own_mark(reason);
        for matter in matters {
            match matter {
                Matter::Gap(gap) => {
                    self.close_gap(camera, gap, |g| g.acknowledged = Some(mark.clone()))?;
                }
                Matter::File(segment) => self.file_acknowledged(camera, *segment, &mark)?,
                Matter::Finding(words) => self.camera(camera, |camera| {
                    for finding in &mut camera.findings {
                        if finding.words == *words && finding.acknowledged.is_none() {
                            finding.acknowledged = Some(mark.clone());
                        }
                    }
                })?,
            }
        }
        Ok(())
    }

    fn file_acknowledged(&mut self, camera: &CameraId, segment: SegmentId, mark: &Mark) -> Done {
        let row = key::matter(camera, segment);
        let known: Option<FileMatter> = self.table.record(&row)?;
        let Some(known) = known.filter(|matter| matter.acknowledged.is_none()) else {
            return Ok(());
        };
        let lost = known.trouble == FileTrouble::Lost;
        put(self.table, row, &FileMatter { acknowledged: Some(mark.clone()), ..known })?;
        match self.table.segment(segment)? {
            Some(state) if lost => self.unaccounted(state.segment.recording, false),
            _ => Ok(()),
        }
    }
}
