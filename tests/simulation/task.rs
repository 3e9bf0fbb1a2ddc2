//! Actions under way: each step of one is a moment in which something else can happen.

use crate::{camera::Chunk, mutants::Mutant, sealing, world::World};
use bwvdock::{
    dock::{
        Action, Event, Records,
        clearing::{Clearing, clear},
        event::{CopyResult, EraseResult},
        state::key,
    },
    release::{Approval, ErasePermit},
    transfer::StoredProof,
    types::{
        BayName, ObjectId, RecordingId, SegmentId, Sha256Digest,
        fact::{Hashed, MarksAsked, Source},
    },
};
use std::collections::VecDeque;

/// Reads at the same place before it counts as broken, as the daemon's patience has it.
const PATIENCE: u32 = 5;

/// A copy, which outlives the docking it began in.
#[derive(Debug, Clone)]
pub struct Copying {
    pub segment: SegmentId,
    pub object: ObjectId,
    pub source: Source,
    read: Reading,
}

/// A file being read from its start to its end.
#[derive(Debug, Clone, Default)]
struct Reading {
    bytes: Vec<u8>,
    failures: u32,
    ended_early: bool,
}

/// What a read came to.
enum Read {
    More,
    Whole,
    Broken,
    NoSuchFile,
}

pub enum Work {
    List,
    Copy(Copying),
    SecondRead { segment: SegmentId, source: Source, read: Box<ReadingSlot> },
    Erase { approvals: VecDeque<Approval>, results: Vec<(SegmentId, EraseResult)> },
    SealRecord { recording: RecordingId, object: ObjectId },
    Upload(Box<crate::sending::Upload>),
    WriteReceipt { object: ObjectId },
    PlaceReceipt { object: ObjectId },
    Mark { object: ObjectId, asked: MarksAsked },
    FreeSpool { object: ObjectId },
}

/// What a second read has so far.
#[derive(Default)]
pub struct ReadingSlot(Reading);

pub struct Task {
    /// The bay and the docking it was given for.
    pub bay: Option<(BayName, u64)>,
    pub work: Work,
    pub stop: bool,
}

impl World {
    /// Starts what an action asks for; never waits for its end.
    pub fn begin(&mut self, action: Action) {
        let (bay, work) = match action {
            Action::List { bay } => (Some(bay), Work::List),
            Action::Copy { bay, segment, object, source } => {
                let same = |c: &Copying| {
                    c.segment == segment
                        && c.source.path == source.path
                        && c.source.size == source.size
                };
                let waiting = self.paused.iter().position(|copy| copy.segment == segment);
                let waiting = waiting.map(|at| self.paused.remove(at)).filter(same);
                let fresh = Copying { segment, object, source, read: Reading::default() };
                (Some(bay), Work::Copy(waiting.unwrap_or(fresh)))
            }
            Action::SecondRead { bay, segment, source } => {
                (Some(bay), Work::SecondRead { segment, source, read: Box::default() })
            }
            Action::Erase { bay, approvals } => {
                let approvals = VecDeque::from(approvals);
                (Some(bay), Work::Erase { approvals, results: Vec::new() })
            }
            Action::StopCopy { bay } => return self.stop(&bay, |w| matches!(w, Work::Copy(_))),
            Action::StopErase { bay } => {
                return self.stop(&bay, |w| matches!(w, Work::Erase { .. }));
            }
            Action::AcceptDamage { first_seq, .. } => {
                self.accepted.insert(first_seq);
                let left = crate::recover::damage(&self.disk.log, &self.accepted);
                return self.dock.set_journal_damage(left);
            }
            Action::SealRecord { recording, object } => {
                (None, Work::SealRecord { recording, object })
            }
            Action::Discard { object } => return self.remove_from_spool(object),
            Action::Upload { object } => return self.begin_upload(object),
            Action::StopUpload { object } => return self.stop_upload(object),
            Action::WriteReceipt { object } => (None, Work::WriteReceipt { object }),
            Action::PlaceReceipt { object } => (None, Work::PlaceReceipt { object }),
            Action::Mark { object, asked } => (None, Work::Mark { object, asked }),
            Action::FreeSpool { object } => (None, Work::FreeSpool { object }),
        };
        let bay = match bay {
            // The departure is told already; the order is lost, as it is in the daemon.
            Some(bay) => match self.bays.get(&bay).map(|docking| docking.number) {
                Some(number) => Some((bay, number)),
                None => return,
            },
            None => None,
        };
        self.tasks.push(Task { bay, work, stop: false });
    }

    fn stop(&mut self, at: &BayName, which: impl Fn(&Work) -> bool) {
        for task in &mut self.tasks {
            let here = task.bay.as_ref().is_some_and(|(bay, _)| bay == at);
            task.stop |= here && which(&task.work);
        }
    }

    /// Answers everything that a bay still owes.
    pub fn finish_bay(&mut self, at: &BayName) {
        let owes = |task: &Task| task.bay.as_ref().is_some_and(|(bay, _)| bay == at);
        while let Some(next) = self.tasks.iter().position(owes) {
            self.step(next);
            if !self.stands() {
                return;
            }
        }
    }

    /// One step of one task; it is put back when there is more to do.
    pub fn step(&mut self, at: usize) {
        let mut task = self.tasks.remove(at);
        let event = match (&task.bay, &mut task.work) {
            (Some((bay, number)), _) => {
                let (bay, number) = (bay.clone(), *number);
                let docked = self.bays.get(&bay).filter(|docking| docking.number == number);
                let camera = docked.map(|docking| docking.camera);
                self.step_at_camera(&bay, camera, &mut task)
            }
            (None, Work::SealRecord { recording, object }) => {
                Some(self.seal_record(*recording, *object))
            }
            (None, Work::WriteReceipt { object }) => Some(self.write_receipt(*object)),
            (None, Work::PlaceReceipt { object }) => Some(self.place_receipt(*object)),
            (None, Work::Mark { object, asked }) => Some(self.mark(*object, *asked)),
            (None, Work::FreeSpool { object }) => {
                let object = *object;
                self.remove_from_spool(object);
                Some(Event::SpoolFreed { object })
            }
            (None, Work::Upload(_)) => self.step_upload(&mut task),
            (None, Work::List | Work::Copy(_) | Work::SecondRead { .. } | Work::Erase { .. }) => {
                None
            }
        };
        match event {
            None if self.stands() => self.tasks.push(task),
            None => {}
            Some(event) => {
                // Done, and not yet reported.
                self.durable_point();
                self.event(event);
            }
        }
    }

    fn step_at_camera(
        &mut self,
        bay: &BayName,
        camera: Option<usize>,
        task: &mut Task,
    ) -> Option<Event> {
        let (bay, stop) = (bay.clone(), task.stop);
        match &mut task.work {
            Work::List => Some(match camera {
                Some(camera) if !self.cameras[camera].refuses_list => {
                    let mut listed = self.cameras[camera].list();
                    self.bend_listing(camera, &mut listed);
                    Event::Listed { bay, listed }
                }
                _ => Event::ListFailed { bay, words: "the card does not answer".into() },
            }),
            Work::Copy(copy) => {
                let (segment, object) = (copy.segment, copy.object);
                let result = match camera.filter(|_| !stop) {
                    None => {
                        self.pause_copy(copy.clone());
                        CopyResult::Gone
                    }
                    Some(camera) => self.step_copy(camera, copy)?,
                };
                Some(Event::Copied { bay, segment, object, result })
            }
            Work::SecondRead { segment, source, read } => {
                let (segment, source) = (*segment, source.clone());
                let result = match camera {
                    None => Err("the camera was taken during the second read".to_owned()),
                    Some(_) if self.is(Mutant::SecondReadSkipped) => {
                        let state = self.table.segment(segment).expect("a table in memory");
                        Ok(state.and_then(|state| state.sealed)?.plain)
                    }
                    Some(camera) => match self.read_on(camera, &source, &mut read.0) {
                        Read::More => return None,
                        Read::Whole => {
                            self.note_read(camera, &source, &read.0.bytes);
                            Ok(sealing::hashed(&read.0.bytes))
                        }
                        Read::Broken | Read::NoSuchFile => Err("the second read failed".into()),
                    },
                };
                Some(Event::SecondRead { bay, segment, result })
            }
            Work::Erase { approvals, results } => {
                if let Some(approval) = approvals.pop_front() {
                    let segment = approval.segment();
                    let silent = results.iter().find_map(|(_, result)| match result {
                        EraseResult::StoreSilent(words) => Some(words.clone()),
                        _ => None,
                    });
                    let result = match camera {
                        None => EraseResult::Gone,
                        Some(_) if stop => EraseResult::GaveWay,
                        Some(_) if silent.is_some() => {
                            EraseResult::StoreSilent(silent.unwrap_or_default())
                        }
                        Some(camera) => clear(&mut AtCamera { world: self, camera }, approval),
                    };
                    results.push((segment, result));
                    self.durable_point();
                }
                if !approvals.is_empty() || !self.stands() {
                    return None;
                }
                Some(Event::Erased { bay, results: std::mem::take(results) })
            }
            Work::SealRecord { .. }
            | Work::Upload(_)
            | Work::WriteReceipt { .. }
            | Work::PlaceReceipt { .. }
            | Work::Mark { .. }
            | Work::FreeSpool { .. } => None,
        }
    }

    fn pause_copy(&mut self, copy: Copying) {
        self.paused.retain(|other| other.segment != copy.segment);
        if self.paused.len() == 16 {
            self.paused.remove(0);
        }
        self.paused.push(copy);
    }

    fn step_copy(&mut self, camera: usize, copy: &mut Copying) -> Option<CopyResult> {
        let source = copy.source.clone();
        let read_failed = match self.read_on(camera, &source, &mut copy.read) {
            Read::More if copy.read.bytes.len() as u64 > source.size => {
                return Some(CopyResult::Changed { words: "it grew while it was read".into() });
            }
            Read::More => return None,
            Read::NoSuchFile => {
                return Some(CopyResult::Changed { words: "no such file".into() });
            }
            Read::Whole => None,
            Read::Broken => Some("cannot be read past its middle".to_owned()),
        };
        if self.disk.full {
            self.pause_copy(copy.clone());
            return Some(CopyResult::SpoolFull);
        }
        if self.disk.failing {
            return Some(CopyResult::Failed { words: "EIO".into() });
        }
        let bytes = &copy.read.bytes;
        if read_failed.is_none() {
            self.note_read(camera, &source, bytes);
        }
        let mut plain = sealing::hashed(bytes);
        if self.is(Mutant::WrongDigestAccepted)
            && let Some(declared) = source.expected
        {
            plain.sha256 = declared;
        }
        let mut result = self.spool(copy.object, bytes, plain)?;
        if let CopyResult::Sealed { read_failed: failed, .. } = &mut result {
            *failed = read_failed;
        }
        Some(result)
    }

    /// Seals into the spool: fsync, read back, rename.
    fn spool(&mut self, object: ObjectId, bytes: &[u8], plain: Hashed) -> Option<CopyResult> {
        let sealed = sealing::seal(object, bytes);
        let table = sealing::table(&sealed, !self.limits.enforces.sha256);
        let all = sealing::hashed(&sealed);
        // A crash before the rename leaves nothing; one after it, a file without a line.
        self.durable_point();
        if !self.stands() {
            return None;
        }
        self.disk.spool.insert(object, sealed);
        Some(CopyResult::Sealed { plain, sealed: all, table, read_failed: None })
    }

    /// Reads the next bytes of a file.
    fn read_on(&mut self, camera: usize, source: &Source, read: &mut Reading) -> Read {
        match self.cameras[camera].read(source, read.bytes.len()) {
            Chunk::Bytes(bytes) => {
                read.bytes.extend(bytes);
                (read.failures, read.ended_early) = (0, false);
                Read::More
            }
            Chunk::End => Read::Whole,
            Chunk::TooEarly if !read.ended_early => {
                read.ended_early = true;
                Read::More
            }
            Chunk::TooEarly => Read::Whole,
            Chunk::Hiccup if read.failures + 1 < PATIENCE => {
                read.failures += 1;
                Read::More
            }
            Chunk::Hiccup | Chunk::Broken => Read::Broken,
            Chunk::NoSuchFile => Read::NoSuchFile,
        }
    }

    /// A whole read that gave what the file really holds is remembered.
    fn note_read(&mut self, camera: usize, source: &Source, bytes: &[u8]) {
        let file = self.cameras[camera].files.get(&source.path);
        if file.is_some_and(|file| file.bytes == bytes) {
            self.truth.read_whole(camera, &source.path, bytes);
        }
    }

    fn bend_listing(&self, camera: usize, listed: &mut bwvdock::dock::event::Listed) {
        if !self.is(Mutant::OwnReadTakenForTheCamerasWord) {
            return;
        }
        for file in listed.plan.recordings.iter_mut().flat_map(|r| &mut r.files) {
            let bytes = &self.cameras[camera].files[&file.source.path].bytes;
            if file.source.expected.is_none() {
                file.source.expected = Some(Sha256Digest::of(bytes));
                file.trust = bwvdock::types::Trust::Listed;
            }
        }
    }

    fn seal_record(&mut self, recording: RecordingId, object: ObjectId) -> Event {
        let members = self.table.ids(&key::members(recording), b"", usize::MAX);
        let ids = members.expect("a table in memory").into_iter();
        let ids = ids.filter_map(|raw| SegmentId::from_slice(&raw).ok());
        let states = ids.filter_map(|id| self.table.segment(id).expect("a table in memory"));
        let covers = states.filter_map(|state| Some(state.sealed?.object)).collect();
        self.truth.covers.insert(object, covers);
        let words = format!("{recording} as {object} describes it");
        let result = if self.disk.full {
            CopyResult::SpoolFull
        } else if self.disk.failing {
            CopyResult::Failed { words: "EIO".into() }
        } else {
            let plain = sealing::hashed(words.as_bytes());
            let sealed = self.spool(object, words.as_bytes(), plain);
            sealed.unwrap_or(CopyResult::Failed { words: "killed".into() })
        };
        Event::RecordSealed { recording, object, result }
    }

    pub fn remove_from_spool(&mut self, object: ObjectId) {
        self.disk.spool.remove(&object);
        self.truth.look_for_losses = true;
    }
}

/// A docked camera, as the rule of erasing uses it.
struct AtCamera<'a> {
    world: &'a mut World,
    camera: usize,
}

impl Clearing for AtCamera<'_> {
    fn read(&mut self, approval: &Approval) -> Result<Hashed, EraseResult> {
        if self.world.is(Mutant::RereadSkipped) {
            return Ok(approval.plain());
        }
        let (source, mut read) = (approval.source().clone(), Reading::default());
        loop {
            match self.world.read_on(self.camera, &source, &mut read) {
                Read::More => {}
                Read::Whole => break,
                Read::Broken => return Err(EraseResult::Failed("it cannot be read again".into())),
                Read::NoSuchFile => return Err(EraseResult::Absent),
            }
        }
        self.world.note_read(self.camera, &source, &read.bytes);
        Ok(sealing::hashed(&read.bytes))
    }

    fn ask_store(&mut self, approval: &Approval) -> Result<StoredProof, EraseResult> {
        self.world.look_before_erase(approval.object())
    }

    fn erase(&mut self, permit: &ErasePermit) -> EraseResult {
        let source = permit.source().clone();
        match self.world.cameras[self.camera].still(&source) {
            None => return EraseResult::Absent,
            Some(false) => return EraseResult::Failed("it is another file now".into()),
            Some(true) if self.world.cameras[self.camera].refuses_erase => {
                return EraseResult::Failed("write protected".into());
            }
            Some(true) => {}
        }
        crate::law::before_erase(self.world, self.camera, permit);
        let camera = &mut self.world.cameras[self.camera];
        camera.files.remove(&source.path);
        self.world.tally.erased += 1;
        self.world.truth.look_for_losses = true;
        let words = format!("erased {} of {}", source.path, self.world.cameras[self.camera].id);
        self.world.tell(format_args!("{words}"));
        EraseResult::Erased
    }
}
