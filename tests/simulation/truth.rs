//! What really happened, kept apart from what the dock believes.

use bwvdock::types::{
    ObjectId, SegmentId, Sha256Digest, SourcePath,
    fact::{Fact, SealedObject, Segment, Target},
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A version of a file that a camera gave completely at least once.
#[derive(Debug, Clone)]
pub struct Shown {
    pub camera: usize,
    pub path: SourcePath,
    /// How many independent reads gave exactly these bytes.
    pub reads: u32,
}

#[derive(Debug, Default)]
pub struct Truth {
    pub shown: BTreeMap<Sha256Digest, Shown>,
    pub segments: BTreeMap<SegmentId, Segment>,
    pub objects: BTreeMap<ObjectId, SealedObject>,
    /// Objects by the segment they hold.
    pub sealed: BTreeMap<SegmentId, Vec<ObjectId>>,
    /// Objects that the log calls damaged, or whose lines were destroyed.
    pub excused: BTreeSet<ObjectId>,
    /// Objects whose spool file the world spoilt: a truth that the dock has to find out.
    pub spool_rot: BTreeSet<ObjectId>,
    /// Where in the log the lines end that an erase stands on.
    pub stored_at: BTreeMap<ObjectId, usize>,
    pub receipted_at: BTreeMap<ObjectId, usize>,
    pub releasing_at: BTreeMap<SegmentId, usize>,
    /// Objects whose receipt was written after a true look that found them.
    pub looked: BTreeSet<ObjectId>,
    /// Objects that the store lost by its own restore.
    pub rolled_back: BTreeSet<ObjectId>,
    /// Which sealed objects each record describes.
    pub covers: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    held: BTreeSet<String>,
    /// Lines of the log in which a bit turned over.
    pub rotten: BTreeSet<u64>,
    /// One of them said what was sealed: where it can still be read, and says otherwise, its object
    /// never gets a receipt, as the store has what the log denies. Its file stays on the camera.
    pub sealed_line_rotted: bool,
    /// Something that holds footage was taken away: look whether anything is lost.
    pub look_for_losses: bool,
    /// What a version that was still being written became.
    pub grown: BTreeMap<Sha256Digest, Sha256Digest>,
    /// When a file was last read whole as it is.
    pub read_at: BTreeMap<(usize, SourcePath), Timestamp>,
    /// Versions whose last copy something outside the dock destroyed.
    pub beyond: BTreeSet<Sha256Digest>,
    /// The last line of the log that was taken in here.
    pub heard: u64,
    /// The state of the store when it was last searched for duplicates.
    pub store_looked_at: u32,
    pub requests: BTreeMap<ObjectId, Vec<i64>>,
}

impl Truth {
    pub fn hold(&mut self, target: Target, on: bool) {
        let name = format!("{target:?}");
        match on {
            true => self.held.insert(name),
            false => self.held.remove(&name),
        };
    }

    pub fn held_over(&self, segment: &Segment) -> bool {
        [
            Target::Dock,
            Target::Camera(segment.camera.clone()),
            Target::Recording(segment.recording),
            Target::Segment(segment.id),
        ]
        .iter()
        .any(|target| self.held.contains(&format!("{target:?}")))
    }

    /// A line of the log is destroyed: what only it said, no dock can know any more.
    pub fn destroyed(&mut self, seq: u64, fact: Option<Fact>) {
        self.rotten.insert(seq);
        match fact {
            Some(Fact::Sealed { object, .. } | Fact::RecordSealed { object, .. }) => {
                self.excused.insert(object.id);
                self.sealed_line_rotted = true;
            }
            Some(Fact::Held { target, .. }) => self.hold(target, false),
            _ => {}
        }
    }

    /// A version is somewhere, or what was written on to it is.
    pub fn is_safe(&self, digest: &Sha256Digest, safe: &BTreeSet<Sha256Digest>) -> bool {
        let mut digest = digest;
        while !safe.contains(digest) {
            match self.grown.get(digest) {
                Some(longer) => digest = longer,
                None => return false,
            }
        }
        true
    }

    /// A whole read gave these bytes, which are what the file really holds.
    pub fn read_whole(&mut self, camera: usize, path: &SourcePath, bytes: &[u8], now: Timestamp) {
        self.read_at.insert((camera, path.clone()), now);
        let shown = self.shown.entry(Sha256Digest::of(bytes)).or_insert_with(|| Shown {
            camera,
            path: path.clone(),
            reads: 0,
        });
        shown.reads += 1;
    }
}
