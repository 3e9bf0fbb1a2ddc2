//! The law, looked at where it counts: at the moment in which a camera is told to erase a file.

use crate::{mutants::Mutant, world::World};
use bwvdock::{
    custody::receipt::Receipt,
    dock::Records,
    release::ErasePermit,
    types::{ObjectId, Sha256Digest, fact::Segment},
};

pub fn before_erase(world: &mut World, camera: usize, permit: &ErasePermit) {
    match look(world, camera, permit) {
        Ok(()) => {}
        Err((name, words)) => world.violate(name, format!("{}: {words}", permit.source().path)),
    }
}

type Broken = (&'static str, String);

fn look(world: &World, camera: usize, permit: &ErasePermit) -> Result<(), Broken> {
    let state = world.table.segment(permit.segment()).expect("a table in memory");
    let Some(state) = state else {
        return Err(("law: a permit for what is known", "an unknown segment".into()));
    };
    let path = &permit.source().path;
    let bytes = &world.cameras[camera].files[path].bytes;
    let digest = Sha256Digest::of(bytes);
    digest_or_two_reads(world, camera, &state.segment, digest)?;
    let objects = world.truth.sealed.get(&permit.segment()).cloned().unwrap_or_default();
    let holding = objects.iter().find_map(|id| {
        let object = &world.truth.objects[id];
        let held = world.holds(object).filter(|plain| plain == bytes);
        held.map(|_| *id)
    });
    let Some(object) = holding else {
        let same = objects.iter().any(|id| world.holds(&world.truth.objects[id]).is_some());
        let name = match same {
            true => "law: the file erased is the file sealed",
            false => "law: the store holds it",
        };
        return Err((name, format!("{} sealed objects", objects.len())));
    };
    receipt(world, object)?;
    flushed(world, permit, object)?;
    described(world, object)
}

fn digest_or_two_reads(
    world: &World,
    camera: usize,
    segment: &Segment,
    digest: Sha256Digest,
) -> Result<(), Broken> {
    let name = "law: digest or two reads";
    let path = &segment.source.path;
    // What the camera itself said, not what the dock believes that it said.
    let declared = world.cameras[camera].declared.get(path).copied();
    let bare = world.cameras[camera].kind == crate::camera::Kind::Bare;
    match declared.or(segment.source.expected.filter(|_| !bare)) {
        Some(said) if said == digest => Ok(()),
        Some(_) => Err((name, "the camera says another digest".into())),
        None => match world.truth.shown.get(&digest).map_or(0, |shown| shown.reads) {
            0 | 1 => Err((name, "no digest, and not two reads".into())),
            _ => Ok(()),
        },
    }
}

fn receipt(world: &World, object: ObjectId) -> Result<(), Broken> {
    let name = "law: a receipt of that object";
    let Some(bytes) = world.disk.receipts.get(&object) else {
        return Err((name, "none is on the disk".into()));
    };
    let receipt = Receipt::verify(bytes, Some(&world.key.public()))
        .map_err(|error| (name, error.to_string()))?;
    let known = &world.truth.objects[&object];
    if receipt.object != object || receipt.key != known.key || receipt.sealed != known.sealed {
        return Err((name, format!("it is of {}", receipt.object)));
    }
    Ok(())
}

fn flushed(world: &World, permit: &ErasePermit, object: ObjectId) -> Result<(), Broken> {
    let (truth, synced) = (&world.truth, world.disk.log_synced);
    for (what, end) in [
        ("stored", truth.stored_at.get(&object)),
        ("receipted", truth.receipted_at.get(&object)),
        ("releasing", truth.releasing_at.get(&permit.segment())),
    ] {
        // A line that bit rot destroyed had been there.
        if end.is_none_or(|end| *end > synced) && world.truth.rotten.is_empty() {
            return Err(("law: flushed before the erase", format!("{what} is not on the disk")));
        }
    }
    Ok(())
}

fn described(world: &World, object: ObjectId) -> Result<(), Broken> {
    let truth = &world.truth;
    let mut records = truth.covers.iter().filter(|(_, covers)| covers.contains(&object));
    let stored = |id: &ObjectId| {
        truth.rolled_back.contains(id)
            || truth.objects.get(id).is_some_and(|record| world.holds(record).is_some())
    };
    if records.any(|(id, _)| stored(id)) || world.is(Mutant::HoldDroppedInTheFold) {
        return Ok(());
    }
    Err(("law: described before the erase", "no stored record speaks of it".into()))
}
