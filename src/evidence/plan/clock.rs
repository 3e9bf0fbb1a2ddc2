//! The camera's clock as its files show it: a card has no clock that could be asked.

use super::{Finding, FindingKind, Plan};
use jiff::{SignedDuration, Timestamp};

/// A manifest's time later than the dock's by more than this is no rounding.
const MANIFEST_AHEAD: SignedDuration = SignedDuration::from_mins(2);
/// FAT keeps local times without their zone (Microsoft, "FAT32 File System Specification", 6.3),
/// so a file's time may be off by any zone's offset, at most 14 hours.
const FILE_AHEAD: SignedDuration = SignedDuration::from_hours(15);

impl Plan {
    /// Adds a finding for what lies in the future of a dock whose clock is synchronised: of all
    /// recordings the newest by its manifest or name, and of all files the newest by its time.
    /// Its words hold no span that grows with every look.
    pub fn compare_clock(&mut self, dock_now: Timestamp) {
        let times = |r: &super::PlannedRecording| {
            let time = r.started.into_iter().chain(r.stopped).max()?;
            Some((time, r.name.clone()))
        };
        let newest = self.recordings.iter().filter_map(times).max();
        if let Some((time, name)) = newest.filter(|(time, _)| is_ahead(*time, dock_now, false)) {
            let words = format!(
                "the camera's clock is ahead: {name} says {time:.0}, which is still to come by \
                 this dock's synchronised clock"
            );
            self.findings.push(Finding { kind: FindingKind::Clock, path: None, words });
            return;
        }
        let files = self.recordings.iter().flat_map(|r| &r.files);
        let newest = files.filter_map(|f| Some((f.source.modified_ms?, &f.source.path))).max();
        let newest = newest
            .and_then(|(ms, path)| Some((Timestamp::from_millisecond(ms).ok()?, path.clone())));
        if let Some((time, path)) = newest.filter(|(time, _)| is_ahead(*time, dock_now, true)) {
            let words = format!(
                "the camera's clock is ahead: this file's time is {time:.0}, which is still to \
                 come by this dock's synchronised clock"
            );
            self.findings.push(Finding { kind: FindingKind::Clock, path: Some(path), words });
        }
    }
}

fn is_ahead(time: Timestamp, dock_now: Timestamp, by_file: bool) -> bool {
    time.duration_since(dock_now) > if by_file { FILE_AHEAD } else { MANIFEST_AHEAD }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{KeyRing, Profile, plan};
    use crate::types::{CameraId, FileEntry, Listing, SourcePath};

    fn findings(name: &str, modified: &str, now: &str) -> Vec<String> {
        let profile = Profile::shipped().into_iter().find(|p| p.name() == "clip-folders").unwrap();
        let modified_ms = Some(modified.parse::<Timestamp>().unwrap().as_millisecond());
        let path = SourcePath::new(name).unwrap();
        let files = vec![FileEntry { path, size: 1, modified_ms, mark: None }];
        let listing = Listing { files, ..Listing::default() };
        let camera = CameraId::new("C1").unwrap();
        let mut plan = plan(&profile, &listing, &Default::default(), &camera, &KeyRing::default());
        plan.compare_clock(now.parse().unwrap());
        let clock = plan.findings.into_iter().filter(|f| f.kind == FindingKind::Clock);
        clock.map(|finding| finding.words).collect()
    }

    #[test]
    fn what_lies_in_the_future_of_the_dock_is_a_finding_in_words() {
        let name = "A1_C1_20260314T221503Z/clip_001.mp4";
        let late = "2026-03-14T22:20:00Z";
        assert_eq!(findings(name, late, "2026-03-14T22:30:00Z"), [] as [&str; 0]);
        // Two minutes are rounding.
        assert_eq!(findings(name, late, "2026-03-14T22:13:30Z"), [] as [&str; 0]);
        let ahead = findings(name, late, "2026-03-14T21:00:00Z");
        assert!(ahead[0].contains("says 2026-03-14T22:15:03Z"), "{ahead:?}");
        assert_eq!(ahead.len(), 1);
    }

    #[test]
    fn a_files_time_counts_beyond_what_a_time_zone_can_explain() {
        let name = "A1_C1_20260314T021503Z/clip_001.mp4";
        let now = "2026-03-14T03:00:00Z";
        assert_eq!(findings(name, "2026-03-14T17:00:00Z", now), [] as [&str; 0]);
        let ahead = findings(name, "2026-03-15T17:00:00Z", now);
        assert!(ahead[0].contains("this file's time is 2026-03-15T17:00:00Z"), "{ahead:?}");
    }
}
