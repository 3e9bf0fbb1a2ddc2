//! What must hold after every event, by name. The law itself stands in `law`.

use crate::{sealing, task::Work, world::World};
use bwvdock::{
    dock::Records,
    types::{
        Class, ObjectId, ReceiptLevel, Sha256Digest, Verdict,
        fact::{Entry, Fact},
    },
};
use std::collections::BTreeSet;

#[derive(Debug, Clone)]
pub struct Violation {
    pub name: &'static str,
    pub words: String,
}

/// How often one object may ask the store in any hour.
const REQUESTS_PER_HOUR_MAX: usize = 300;

/// Receipts, their placing and clearings at once, marks at once, and a description being sealed.
const FINISHING_MAX: usize = 4 + 4 + 1;

/// A fact is in the log: `end` is where its line ends.
pub fn at_fact(world: &mut World, entry: &Entry, end: usize) {
    let truth = &mut world.truth;
    truth.heard = entry.seq;
    match &entry.fact {
        Fact::SegmentSeen { segment } => {
            let new = truth.segments.insert(segment.id, segment.clone()).is_none();
            world.tally.segments += u64::from(new);
        }
        Fact::Sealed { segment, verdict, object } => {
            truth.objects.insert(object.id, object.clone());
            truth.sealed.entry(*segment).or_default().push(object.id);
            quarantine(world, *segment, *verdict, object.id);
        }
        Fact::RecordSealed { object, .. } => drop(truth.objects.insert(object.id, object.clone())),
        Fact::SpoolDamaged { object, .. } => drop(truth.excused.insert(*object)),
        Fact::Stored { object, level, .. } => {
            truth.stored_at.insert(*object, end);
            world.tally.stored += 1;
            stored_means_stored(world, *object, *level);
            if world.is(crate::mutants::Mutant::SpoolFreedEarly) {
                world.remove_from_spool(*object);
            }
        }
        Fact::Receipted { object, .. } => drop(truth.receipted_at.insert(*object, end)),
        Fact::Releasing { segment, .. } => {
            truth.releasing_at.insert(*segment, end);
            let held = truth.segments.get(segment).is_some_and(|s| truth.held_over(s));
            if held {
                world.violate("what is held stays", format!("{segment} is to be erased"));
            } else if world.dock.journal_damage().is_some() {
                world.violate("a damaged log releases nothing", format!("{segment}"));
            }
        }
        Fact::Held { target, .. } => truth.hold(target.clone(), true),
        Fact::Unheld { target, .. } => truth.hold(target.clone(), false),
        _ => {}
    }
}

fn stored_means_stored(world: &mut World, id: ObjectId, level: ReceiptLevel) {
    let Some(object) = world.truth.objects.get(&id) else { return };
    if level == ReceiptLevel::SizeOnly {
        return world.violate("stored means stored", format!("{id}: proved by its size only"));
    }
    if world.holds(object).is_none() && !world.truth.rolled_back.contains(&id) {
        let words = format!("{id}: the store does not hold it");
        world.violate("stored means stored", words);
    }
}

/// Footage that differs from what its camera says goes to quarantine, whatever the dock believes.
fn quarantine(
    world: &mut World,
    segment: bwvdock::types::SegmentId,
    verdict: Verdict,
    id: ObjectId,
) {
    let Some(segment) = world.truth.segments.get(&segment) else { return };
    let of = world.cameras.iter().find(|camera| camera.id == segment.camera);
    let Some(declared) = of.and_then(|c| c.declared.get(&segment.source.path)).copied() else {
        return;
    };
    let spooled = world.disk.spool.get(&id).and_then(|bytes| sealing::open(bytes));
    let really = spooled.map(|plain| Sha256Digest::of(&plain));
    let class = world.truth.objects[&id].class;
    if really.is_some_and(|really| really != declared) {
        world.tally.quarantined += 1;
        if class != Class::Quarantine || verdict.is_sound() {
            let words = format!("{}: {verdict} as {class}", segment.source.path);
            world.violate("quarantine", words);
        }
    }
}

pub fn after_event(world: &mut World) {
    bounds(world);
    sealed_is_kept(world);
    let kept = world.store.changes;
    if std::mem::replace(&mut world.truth.store_looked_at, kept) != kept {
        no_duplicates(world);
    }
    if std::mem::take(&mut world.truth.look_for_losses) {
        no_loss(world);
    }
}

fn bounds(world: &mut World) {
    let settings = world.dock.settings();
    let uploads = world.tasks.iter().filter(|task| matches!(task.work, Work::Upload(_))).count();
    let at_cameras = world.tasks.iter().filter_map(|task| task.bay.as_ref());
    let dockings: Vec<u64> = at_cameras.map(|(_, number)| *number).collect();
    let different: BTreeSet<u64> = dockings.iter().copied().collect();
    let finishing = world.tasks.len() - uploads - dockings.len();
    if uploads > settings.objects_in_flight
        || finishing > FINISHING_MAX
        || different.len() < dockings.len()
    {
        let words = format!("{uploads} uploads, {finishing} others, cameras {dockings:?}");
        world.violate("bounds: queues", words);
    }
}

/// What is sealed lies whole in the spool until its receipt is on the disk, unless the log calls it
/// damaged or has lost its line.
fn sealed_is_kept(world: &mut World) {
    let truth = &world.truth;
    let in_the_spool = |id: &ObjectId, size: u64| {
        let file = world.disk.spool.get(id);
        file.is_some_and(|file| file.len() as u64 == size || truth.spool_rot.contains(id))
    };
    let waits = |id: &ObjectId| {
        let state = world.table.object(*id).expect("a table in memory");
        state.is_some_and(|state| !state.lost && state.receipt.is_none())
    };
    let gone = truth
        .objects
        .values()
        .filter(|object| !truth.receipted_at.contains_key(&object.id))
        .filter(|object| !truth.excused.contains(&object.id))
        .filter(|object| !in_the_spool(&object.id, object.sealed.size))
        .find(|object| waits(&object.id))
        .map(|object| object.id);
    if let Some(id) = gone {
        world.violate("sealed means kept", format!("{id} has no receipt and no spool file"));
    }
}

/// The store is asked something about an object.
pub fn at_request(world: &mut World, object: ObjectId) {
    let now = world.now.as_second();
    let asked = world.truth.requests.entry(object).or_default();
    asked.push(now);
    asked.retain(|at| now - at < 3600);
    if asked.len() > REQUESTS_PER_HOUR_MAX {
        let words = format!("{object} asked {} times in an hour", asked.len());
        world.violate("bounds: requests", words);
    }
}

/// Every segment has one object at the store, in one version; what the log calls damaged does not
/// count, and is there all the same.
fn no_duplicates(world: &mut World) {
    let mut found = None;
    for (segment, objects) in world.truth.sealed.iter().filter(|(_, all)| all.len() > 1) {
        let there = |id: &&ObjectId| {
            let key = &world.truth.objects[id].key;
            !world.truth.excused.contains(id) && world.store.newest(key).is_some()
        };
        let sound = |id: &&ObjectId| {
            let state = world.table.object(**id).expect("a table in memory");
            state.is_some_and(|o| o.object.class != Class::Quarantine)
        };
        if objects.iter().filter(there).filter(sound).count() > 1 {
            found = Some(format!("{segment} is stored as {objects:?}"));
        }
    }
    let twice = world.store.kept.objects.iter().find(|(_, versions)| versions.len() > 1);
    if let Some((key, versions)) = twice {
        found = Some(format!("{key} has {} versions", versions.len()));
    }
    if let Some(words) = found {
        world.violate("no duplicates", words);
    }
}

/// Every version that a camera ever showed completely is on its camera, in the spool or at the
/// store.
fn no_loss(world: &mut World) {
    let safe = copies(world);
    let lost: Vec<_> = world
        .truth
        .shown
        .iter()
        .filter(|(digest, _)| !world.truth.beyond.contains(*digest))
        .filter(|(digest, _)| !world.truth.is_safe(digest, &safe))
        .map(|(_, shown)| (shown.camera, shown.path.clone()))
        .collect();
    if let Some((camera, path)) = lost.first() {
        let words = format!("{path} of {} is nowhere", world.cameras[*camera].id);
        world.violate("no loss", words);
    }
}

/// Digests of everything that is somewhere.
pub fn copies(world: &World) -> BTreeSet<Sha256Digest> {
    let cameras = world.cameras.iter().flat_map(|camera| camera.files.values());
    let mut safe: BTreeSet<_> = cameras.map(|file| Sha256Digest::of(&file.bytes)).collect();
    let stored = world.store.kept.objects.values().filter_map(|versions| versions.last());
    let sealed = world.disk.spool.values().chain(world.disk.aside.values());
    let sealed = sealed.chain(stored.map(|version| &version.bytes));
    safe.extend(sealed.filter_map(|b| sealing::open(b)).map(|plain| Sha256Digest::of(&plain)));
    safe
}
