//! Erasing one file at a docked camera, by the rule in [`crate::dock::clearing`].

use super::{
    cameras::chain,
    copy::{Patience, Pause, SecondRead, Watch, second_read},
    uploads::StoreLook,
};
use crate::{
    camera::{Camera, CameraError},
    dock::{
        clearing::{Clearing, clear},
        event::EraseResult,
    },
    release::{Approval, ErasePermit},
    transfer::StoredProof,
    types::{ObjectId, SegmentId, fact::Hashed},
};

/// How the store is asked from a camera's thread.
pub(super) type AskStore<'a> = &'a dyn Fn(ObjectId) -> StoreLook;

/// Erases what the rule approved, one after the other. A store that cannot be asked is not asked
/// again for the rest of them, and nothing is begun after the watch said to stop.
pub(super) fn erase_all(
    camera: &mut dyn Camera,
    approvals: Vec<Approval>,
    patience: Patience,
    watch: &Watch,
    ask: AskStore<'_>,
) -> Vec<(SegmentId, EraseResult)> {
    let mut silent = None;
    let one = |approval: Approval| {
        let segment = approval.segment();
        let result = match &silent {
            Some(words) => EraseResult::StoreSilent(String::clone(words)),
            None => erase(camera, approval, patience, watch, ask),
        };
        if let EraseResult::StoreSilent(words) = &result {
            silent = Some(words.clone());
        }
        (segment, result)
    };
    approvals.into_iter().map(one).collect()
}

fn erase(
    camera: &mut dyn Camera,
    approval: Approval,
    patience: Patience,
    watch: &Watch,
    ask: AskStore<'_>,
) -> EraseResult {
    clear(&mut AtCamera { camera, patience, watch, ask }, approval)
}

/// A docked camera and the store, as the rule of erasing uses them.
struct AtCamera<'a> {
    camera: &'a mut dyn Camera,
    patience: Patience,
    watch: &'a Watch,
    ask: AskStore<'a>,
}

impl Clearing for AtCamera<'_> {
    fn read(&mut self, approval: &Approval) -> Result<Hashed, EraseResult> {
        let source = approval.source();
        match second_read(self.camera, &source.path, source.size, self.patience, self.watch) {
            SecondRead::Read(read) => Ok(read),
            SecondRead::Paused(Pause::CameraGone) => Err(EraseResult::Gone),
            SecondRead::Paused(Pause::Cancelled | Pause::SpoolFull) => Err(EraseResult::GaveWay),
            SecondRead::Unreadable { offset, words } => {
                let words = format!("it cannot be read again past byte {offset}: {words}");
                Err(EraseResult::Failed(words))
            }
            SecondRead::Refused(error) => Err(refused(error)),
        }
    }

    fn ask_store(&mut self, approval: &Approval) -> Result<StoredProof, EraseResult> {
        if self.watch.is_cancelled() {
            return Err(EraseResult::GaveWay);
        }
        match (self.ask)(approval.object()) {
            StoreLook::Holds(proof) => Ok(proof),
            StoreLook::Lacks(words) => Err(EraseResult::StoreLacks(words)),
            StoreLook::Silent(words) => Err(EraseResult::StoreSilent(words)),
        }
    }

    fn erase(&mut self, permit: &ErasePermit) -> EraseResult {
        // Somebody may have said stop, or hold, while the store was asked.
        if self.watch.is_cancelled() {
            return EraseResult::GaveWay;
        }
        match self.camera.erase(permit) {
            Ok(()) => EraseResult::Erased,
            Err(error) => refused(error),
        }
    }
}

fn refused(error: CameraError) -> EraseResult {
    match error {
        CameraError::NoSuchFile(_) => EraseResult::Absent,
        CameraError::Gone => EraseResult::Gone,
        error => EraseResult::Failed(chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        camera::{EraseMode, FaultyCamera, FolderCamera},
        release::approval_for_test,
        types::{SourcePath, fact::Source},
    };
    use std::{fs, path::Path, sync::atomic::Ordering, time::Duration};

    const PATIENCE: Patience = Patience { attempts: 1, pause: Duration::ZERO };

    fn holds(object: ObjectId) -> StoreLook {
        StoreLook::Holds(StoredProof::for_test(object))
    }

    fn docked(root: &Path) -> (Box<dyn Camera>, Source) {
        let mut camera = FolderCamera::open(root, EraseMode::Allowed).unwrap();
        let entry = Camera::list(&mut camera).unwrap().files.remove(0);
        let source = Source {
            path: entry.path,
            size: entry.size,
            modified_ms: entry.modified_ms,
            expected: None,
            mark: None,
        };
        (Box::new(camera), source)
    }

    fn sealed(bytes: &[u8]) -> Hashed {
        Hashed { size: bytes.len() as u64, sha256: crate::types::Sha256Digest::of(bytes) }
    }

    /// A file with these bytes on a camera, and another in its place with the same size and time.
    fn replaced(root: &Path, by: &[u8]) {
        let path = root.join("clip.mp4");
        let time = fs::metadata(&path).unwrap().modified().unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, by).unwrap();
        fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn what_was_replaced_with_the_same_size_and_time_is_not_erased() {
        let card = tempfile::tempdir().unwrap();
        let path = card.path().join("clip.mp4");
        fs::write(&path, b"what was copied").unwrap();
        let (mut camera, source) = docked(card.path());
        replaced(card.path(), b"what came later");
        let approval = approval_for_test(source.clone(), sealed(b"what was copied"), true);
        let result = erase(&mut *camera, approval, PATIENCE, &Watch::default(), &holds);
        assert_eq!(result, EraseResult::Changed(sealed(b"what came later")));
        assert_eq!(fs::read(&path).unwrap(), b"what came later");

        replaced(card.path(), b"what was copied");
        let approval = approval_for_test(source, sealed(b"what was copied"), true);
        let result = erase(&mut *camera, approval, PATIENCE, &Watch::default(), &holds);
        assert_eq!(result, EraseResult::Erased);
        assert!(!path.exists());
    }

    #[test]
    fn a_stopped_read_a_bad_read_and_a_pulled_camera_erase_nothing() {
        let card = tempfile::tempdir().unwrap();
        let path = card.path().join("clip.mp4");
        fs::write(&path, b"what was copied").unwrap();
        let (camera, source) = docked(card.path());
        let (mut camera, faults) = FaultyCamera::new(camera);
        let approval = || approval_for_test(source.clone(), sealed(b"what was copied"), true);
        let stopped = Watch::default();
        stopped.cancel.store(true, Ordering::Relaxed);
        assert_eq!(
            erase(&mut camera, approval(), PATIENCE, &stopped, &holds),
            EraseResult::GaveWay
        );
        let watch = Watch::default();
        faults.stall_after(3);
        assert!(matches!(
            erase(&mut camera, approval(), PATIENCE, &watch, &holds),
            EraseResult::Failed(_)
        ));
        faults.recover();
        faults.flip_bit(SourcePath::new("clip.mp4").unwrap(), 3);
        assert!(matches!(
            erase(&mut camera, approval(), PATIENCE, &watch, &holds),
            EraseResult::Changed(_)
        ));
        faults.recover();
        faults.yank();
        assert_eq!(erase(&mut camera, approval(), PATIENCE, &watch, &holds), EraseResult::Gone);
        assert!(path.exists());
        faults.reinsert();
        assert_eq!(erase(&mut camera, approval(), PATIENCE, &watch, &holds), EraseResult::Erased);
    }

    #[test]
    fn a_store_that_lacks_it_is_silent_or_speaks_of_another_keeps_the_file() {
        let card = tempfile::tempdir().unwrap();
        let path = card.path().join("clip.mp4");
        fs::write(&path, b"what was copied").unwrap();
        let (mut camera, source) = docked(card.path());
        let approval = || approval_for_test(source.clone(), sealed(b"what was copied"), false);
        let watch = Watch::default();
        let lacks = |_| StoreLook::Lacks("it is gone".into());
        let result = erase(&mut *camera, approval(), PATIENCE, &watch, &lacks);
        assert_eq!(result, EraseResult::StoreLacks("it is gone".into()));
        let other = |_| {
            let another = ObjectId(uuid::Uuid::from_u128(7));
            StoreLook::Holds(StoredProof::for_test(another))
        };
        let result = erase(&mut *camera, approval(), PATIENCE, &watch, &other);
        assert!(matches!(result, EraseResult::Failed(_)), "{result:?}");
        let asked = std::cell::Cell::new(0);
        let silent = |_| {
            asked.set(asked.get() + 1);
            StoreLook::Silent("no answer".into())
        };
        let results =
            erase_all(&mut *camera, vec![approval(), approval()], PATIENCE, &watch, &silent);
        assert_eq!((asked.get(), results.len()), (1, 2));
        assert!(results.iter().all(|(_, r)| *r == EraseResult::StoreSilent("no answer".into())));
        // A hold that comes while the store is asked is met too.
        let held = |object| {
            watch.cancel.store(true, Ordering::Relaxed);
            holds(object)
        };
        assert_eq!(erase(&mut *camera, approval(), PATIENCE, &watch, &held), EraseResult::GaveWay);
        assert!(path.exists());
        let watch = Watch::default();
        assert_eq!(erase(&mut *camera, approval(), PATIENCE, &watch, &holds), EraseResult::Erased);
    }
}
