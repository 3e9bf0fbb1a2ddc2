//! What goes wrong in the world beside the calls to the store, and what people do at the CLI.

use crate::{
    alone::Alone,
    camera::Kind,
    invariants,
    mutants::Mutant,
    sealing,
    store::Trouble,
    task::Work,
    world::{World, bay},
};
use bwvdock::{
    dock::{
        Command, Records,
        state::{CameraState, RecordingState, key, segment_of},
    },
    types::{Class, ObjectId, SegmentId, Sha256Digest, fact::Target},
};
use jiff::SignedDuration;

/// A second read no older than a minute needs no third one before the erase; the clock by which the
/// dock counts that minute may be set back by up to ten seconds unnoticed.
const JUST_NOW: SignedDuration = SignedDuration::from_secs(75);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Yank,
    YankMidRead,
    Insert,
    InsertElsewhere,
    DuplicateSerial,
    Record,
    StillWritten,
    WrongDigest,
    SequenceGap,
    ShortRead,
    Stall,
    FlippedRead,
    UnreadableFile,
    CardDoesNotList,
    WriteProtected,
    Replaced,
    BrownOut,
    Outage,
    LateArrival,
    StoreRestored,
    BackupTaken,
    DiskFull,
    DiskFails,
    SyncFails,
    SpoolRot,
    JournalRot,
    ClockStep,
    ClockBackwards,
}

const ALL: [Fault; 28] = [
    Fault::Yank,
    Fault::YankMidRead,
    Fault::Insert,
    Fault::InsertElsewhere,
    Fault::DuplicateSerial,
    Fault::Record,
    Fault::StillWritten,
    Fault::WrongDigest,
    Fault::SequenceGap,
    Fault::ShortRead,
    Fault::Stall,
    Fault::FlippedRead,
    Fault::UnreadableFile,
    Fault::CardDoesNotList,
    Fault::WriteProtected,
    Fault::Replaced,
    Fault::BrownOut,
    Fault::Outage,
    Fault::LateArrival,
    Fault::StoreRestored,
    Fault::BackupTaken,
    Fault::DiskFull,
    Fault::DiskFails,
    Fault::SyncFails,
    Fault::SpoolRot,
    Fault::JournalRot,
    Fault::ClockStep,
    Fault::ClockBackwards,
];

impl World {
    pub fn something_goes_wrong(&mut self) {
        let fault = match self.alone {
            None => self.dice.pick(&ALL),
            Some(Alone::World(fault)) => fault,
            Some(_) => return,
        };
        if self.strike(fault) {
            self.tally.fault(&format!("world: {fault:?}"));
            self.tell(format_args!("fault {fault:?}"));
        }
    }

    /// What a mutant needs often that chance brings seldom.
    pub fn what_a_mutant_needs(&mut self) {
        match self.mutant {
            Some(Mutant::RereadSkipped) => {
                let camera = self.dice.below(self.cameras.len());
                self.at_camera(Fault::Replaced, camera);
            }
            Some(Mutant::StillTimeIgnored) => {
                let camera = self.dice.below(self.cameras.len());
                self.at_camera(Fault::StillWritten, camera);
            }
            Some(Mutant::ErasedAfterTheStoreLostIt) => drop(self.at_store(Fault::StoreRestored)),
            _ => {}
        }
    }

    /// Makes one thing happen; false where there is nothing it could happen to.
    fn strike(&mut self, fault: Fault) -> bool {
        let camera = self.dice.below(self.cameras.len());
        match fault {
            Fault::Yank
            | Fault::YankMidRead
            | Fault::Insert
            | Fault::InsertElsewhere
            | Fault::DuplicateSerial
            | Fault::BrownOut => self.hands(fault, camera),
            Fault::Record
            | Fault::StillWritten
            | Fault::WrongDigest
            | Fault::SequenceGap
            | Fault::ShortRead
            | Fault::Stall
            | Fault::FlippedRead
            | Fault::UnreadableFile
            | Fault::CardDoesNotList
            | Fault::WriteProtected
            | Fault::Replaced => self.at_camera(fault, camera),
            Fault::Outage | Fault::LateArrival | Fault::StoreRestored | Fault::BackupTaken => {
                self.at_store(fault)
            }
            Fault::DiskFull
            | Fault::DiskFails
            | Fault::SyncFails
            | Fault::SpoolRot
            | Fault::JournalRot => self.at_disk(fault),
            Fault::ClockStep => {
                let minutes = self.dice.pick(&[2, 90, 60 * 30, 60 * 24 * 40]);
                self.skew += SignedDuration::from_mins(minutes);
                true
            }
            Fault::ClockBackwards => {
                let minutes = self.dice.pick(&[1, 75, 60 * 26]);
                self.skew -= SignedDuration::from_mins(minutes);
                true
            }
        }
    }

    fn hands(&mut self, fault: Fault, camera: usize) -> bool {
        let docked = self.bays.iter().find(|(_, d)| d.camera == camera && !d.twin);
        let docked = docked.map(|(at, _)| at.clone());
        let busy = |task: &crate::task::Task| match &task.work {
            Work::Copy(_) | Work::SecondRead { .. } => task.bay.as_ref().map(|(at, _)| at.clone()),
            _ => None,
        };
        match fault {
            Fault::YankMidRead => {
                let Some(at) = self.tasks.iter().find_map(busy) else { return false };
                self.pull(&at);
            }
            Fault::Insert => {
                if docked.is_some() || self.bays.contains_key(&bay(camera)) {
                    return false;
                }
                self.insert(&bay(camera), camera, false);
            }
            Fault::InsertElsewhere => {
                let other = bay(self.dice.below(self.cameras.len()));
                if self.bays.contains_key(&other) {
                    return false;
                }
                docked.iter().for_each(|at| self.pull(at));
                self.insert(&other, camera, false);
            }
            Fault::DuplicateSerial => {
                let other = bay(self.dice.below(self.cameras.len()));
                if docked.is_none() || self.bays.contains_key(&other) {
                    return false;
                }
                self.insert(&other, camera, true);
            }
            Fault::BrownOut => {
                // The hub's supply breaks down: all cameras are gone, and most come back.
                let all: Vec<_> = self.bays.clone().into_iter().collect();
                all.iter().for_each(|(at, _)| self.pull(at));
                for (at, docking) in all {
                    if self.dice.permille(800) && !docking.twin && self.stands() {
                        self.insert(&at, docking.camera, false);
                    }
                }
            }
            _ => {
                let Some(at) = docked else { return false };
                self.pull(&at);
            }
        }
        true
    }

    fn at_camera(&mut self, fault: Fault, number: usize) -> bool {
        let few = self.dice.between(1, 7) as u32;
        let files: Vec<_> = self.cameras[number].files.keys().cloned().collect();
        let any = (!files.is_empty()).then(|| files[self.dice.below(files.len())].clone());
        let is_footage = |path: &bwvdock::types::SourcePath| {
            let name = path.as_bytes();
            name.ends_with(b".mp4")
        };
        let dice = &mut self.dice;
        let camera = &mut self.cameras[number];
        match fault {
            Fault::Record => camera.record(dice, false),
            // Where a camera gives digests, they come with the finished file.
            Fault::StillWritten if camera.kind == Kind::Bare => {
                camera.begin_writing(dice, self.now);
            }
            Fault::WrongDigest if camera.kind != Kind::Bare => camera.record(dice, true),
            Fault::SequenceGap if camera.kind == Kind::Signed => {
                camera.skip_number();
                camera.record(dice, false);
            }
            Fault::ShortRead => {
                camera.shorts += few;
                camera.harmed = true;
            }
            Fault::Stall => camera.hiccups += few,
            // A first read gone wrong, from a camera without digests, is told from the next two.
            Fault::FlippedRead => {
                camera.flips += few;
                camera.harmed = true;
            }
            Fault::UnreadableFile => {
                let Some(path) = any.filter(is_footage) else { return false };
                camera.broken.insert(path);
                camera.harmed = true;
            }
            Fault::CardDoesNotList => camera.refuses_list = !camera.refuses_list,
            Fault::WriteProtected => camera.refuses_erase = !camera.refuses_erase,
            Fault::Replaced => {
                let Some(path) = any.filter(is_footage) else { return false };
                // What nobody reads again is seen by its time only, and nobody is so quick as to
                // replace a file between its second read and its erase.
                let read = self.truth.read_at.get(&(number, path.clone()));
                let just_now = read.is_some_and(|at| self.now.duration_since(*at) < JUST_NOW);
                let same_time = self.dock.settings().release.reread && !just_now;
                let before = camera.files[&path].bytes.clone();
                camera.replace(&path, same_time);
                self.taken_away(&before);
            }
            _ => return false,
        }
        true
    }

    /// Something outside the dock destroyed a copy: where it was the last one, nobody can be blamed.
    fn taken_away(&mut self, bytes: &[u8]) {
        let safe = invariants::copies(self);
        let mut digest = Sha256Digest::of(bytes);
        // With it what it had been before it was written to its end.
        loop {
            if self.truth.is_safe(&digest, &safe) {
                break;
            }
            self.truth.beyond.insert(digest);
            match self.truth.grown.iter().find(|(_, longer)| **longer == digest) {
                Some((shorter, _)) => digest = *shorter,
                None => break,
            }
        }
    }

    fn at_store(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::Outage => {
                let kinds = [
                    Trouble::Drop,
                    Trouble::HalfOpen,
                    Trouble::Server5xx,
                    Trouble::Forbidden403,
                    Trouble::Full507,
                    Trouble::CaptivePortal,
                    Trouble::SlowDown503,
                    Trouble::Exists412,
                ];
                let minutes = self.dice.pick(&[1, 10, 60]);
                let until = self.now + SignedDuration::from_mins(minutes);
                self.outage = Some((self.dice.pick(&kinds), until));
            }
            Fault::LateArrival => {
                if self.store.late.is_empty() {
                    return false;
                }
                let at = self.dice.below(self.store.late.len());
                let late = self.store.arrive(at, self.now);
                self.tell(format_args!("late {} {:?}", late.object.id, late.call));
            }
            Fault::BackupTaken => self.store.backup = self.store.kept.clone(),
            Fault::StoreRestored => self.restore(),
            _ => return false,
        }
        true
    }

    fn restore(&mut self) {
        let before = self.store.kept.objects.clone();
        self.store.kept = self.store.backup.clone();
        self.store.changes += 1;
        for object in self.truth.objects.values() {
            let was = before.contains_key(&object.key);
            if !was || self.store.newest(&object.key).is_some() {
                continue;
            }
            self.truth.rolled_back.insert(object.id);
            // People must hear of it.
            let segment = segment_of(object).and_then(|id| self.truth.segments.get(&id));
            for camera in &mut self.cameras {
                camera.harmed |= segment.is_some_and(|segment| segment.camera == camera.id);
            }
        }
        let safe = invariants::copies(self);
        let lost = |digest: &Sha256Digest| !self.truth.is_safe(digest, &safe);
        let lost: Vec<_> = self.truth.shown.keys().copied().filter(lost).collect();
        for digest in lost {
            if self.truth.beyond.insert(digest) {
                self.tally.lost_by_the_store += 1;
            }
        }
    }

    fn at_disk(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::DiskFull => self.disk.full = !self.disk.full,
            Fault::DiskFails => self.disk.failing = !self.disk.failing,
            Fault::SyncFails => self.disk.sync_fails = true,
            Fault::SpoolRot => {
                let all: Vec<ObjectId> = self.disk.spool.keys().copied().collect();
                if all.is_empty() {
                    return false;
                }
                let object = all[self.dice.below(all.len())];
                let bit = self.dice.bits();
                let Some(bytes) = self.disk.spool.get_mut(&object) else { return false };
                let before = sealing::open(bytes).unwrap_or_default();
                match bit % 4 {
                    // Cut off: what a file system check may leave.
                    0 => bytes.truncate(bytes.len() / 2),
                    _ => {
                        let at = (bit >> 8) as usize % bytes.len().max(1);
                        bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 4);
                    }
                }
                self.truth.spool_rot.insert(object);
                self.taken_away(&before);
            }
            Fault::JournalRot => return self.rot_in_the_log(),
            _ => return false,
        }
        true
    }

    /// A bit turns over in a line of the log that is on the device, but not in the newest: that
    /// would show by the next line only. Rare, for a damaged log keeps a dock from its work.
    fn rot_in_the_log(&mut self) -> bool {
        let lines = self.disk.log[..self.disk.log_synced].iter().filter(|b| **b == b'\n').count();
        let rare = self.alone.is_some() || self.dice.permille(150);
        if lines < 3 || !rare || !self.truth.rotten.is_empty() {
            return false;
        }
        let mut at = self.dice.below(self.disk.log_synced);
        let newest = |at: usize, log: &[u8]| !log[at + 1..].contains(&b'\n');
        while self.disk.log[at] == b'\n' {
            at = at.saturating_sub(1);
        }
        let end = self.disk.log[at..].iter().position(|b| *b == b'\n').map_or(at, |n| at + n);
        if newest(end, &self.disk.log) {
            return false;
        }
        let begin = self.disk.log[..at].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
        let entry = bwvdock::custody::chain::decode(&self.disk.log[begin..end]);
        self.disk.log[at] ^= 4;
        let line = self.disk.log[..at].iter().filter(|b| **b == b'\n').count() as u64 + 1;
        self.truth.destroyed(line, entry.ok().map(|entry| entry.fact));
        true
    }

    // --- people ---

    pub fn somebody_asks(&mut self) {
        let reason = || "asked in the simulation".to_owned();
        let Some(target) = self.target() else { return };
        let command = match self.dice.below(10) {
            0 => Command::Pause { target, reason: reason() },
            1 | 2 => Command::Resume { target, reason: None },
            3 => Command::Hold { target, reason: reason() },
            4 => Command::Unhold { target, reason: reason() },
            5 => Command::Retry { target, reason: None },
            6 => Command::Release,
            7 => match self.recording() {
                Some(recording) => {
                    let class = self.dice.pick(&[Class::Evidential, Class::Unreviewed]);
                    Command::Reclass { recording, class, reason: reason() }
                }
                None => Command::Release,
            },
            8 => {
                let camera = self.cameras[self.dice.below(self.cameras.len())].id.clone();
                Command::Acknowledge { camera, only: None, reason: reason() }
            }
            _ => match self.dock.journal_damage() {
                Some(damage) => {
                    Command::AcceptDamage { first_seq: damage.first_seq, reason: reason() }
                }
                None => Command::Retry { target: Target::Dock, reason: None },
            },
        };
        let words = format!("{command:?}");
        let reply = self.ask(command);
        self.tell(format_args!("asked {words}: {reply:?}"));
    }

    fn recording(&mut self) -> Option<bwvdock::types::RecordingId> {
        let all: Vec<RecordingState> =
            self.table.list(key::RECORDINGS, b"", 64).expect("a table in memory");
        (!all.is_empty()).then(|| all[self.dice.below(all.len())].recording.id)
    }

    fn target(&mut self) -> Option<Target> {
        let cameras: Vec<CameraState> =
            self.table.list(key::CAMERAS, b"", 64).expect("a table in memory");
        let segments: Vec<SegmentId> = self.truth.segments.keys().copied().collect();
        Some(match self.dice.below(4) {
            0 => Target::Dock,
            1 if !cameras.is_empty() => {
                Target::Camera(cameras[self.dice.below(cameras.len())].id.clone())
            }
            2 => Target::Recording(self.recording()?),
            _ if !segments.is_empty() => Target::Segment(segments[self.dice.below(segments.len())]),
            _ => Target::Dock,
        })
    }
}
