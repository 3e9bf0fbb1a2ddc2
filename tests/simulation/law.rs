//! The law, looked at where it counts: at the moment in which a camera is told to erase a file.

use crate::{mutants::Mutant, world::World};
use bwvdock::{
    custody::receipt::Receipt,
    dock::Records,
    release::ErasePermit,
    types::{
        ObjectId, Sha256Digest,
        fact::{SealedObject, Segment},
    },
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
    stands_still(world, camera, permit)?;
    let objects = world.truth.sealed.get(&permit.segment()).cloned().unwrap_or_default();
    // A store may have an object too that the dock gave up, and asked for once: one must do.
    let mut broken = None;
    for id in &objects {
        if world.holds(&known(world, *id)).is_none_or(|plain| plain != *bytes) {
            continue;
        }
        let stands = receipt(world, *id)
            .and_then(|()| flushed(world, permit, *id))
            .and_then(|()| described(world, *id));
        match stands {
            Ok(()) => return Ok(()),
            Err(why) => broken = Some(why),
        }
    }
    if let Some(why) = broken {
        return Err(why);
    }
    let same = objects.iter().any(|id| world.holds(&world.truth.objects[id]).is_some());
    let name = match same {
        true => "law: the file erased is the file sealed",
        false => "law: the store holds it",
    };
    Err((name, format!("{} sealed objects", objects.len())))
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

/// A file that its camera still writes to, with pauses that are shorter than a file must hold still.
fn stands_still(world: &World, camera: usize, permit: &ErasePermit) -> Result<(), Broken> {
    match world.cameras[camera].written.get(&permit.source().path) {
        Some(writing) if writing.pause < world.still_min => {
            Err(("law: what is still written stays", format!("{} writes to come", writing.left)))
        }
        _ => Ok(()),
    }
}

/// The object as it was sealed, or, where that line of the log rotted, as the log has it now.
fn known(world: &World, id: ObjectId) -> SealedObject {
    let rotted = world.truth.excused.contains(&id);
    let now = world.table.object(id).expect("a table in memory").filter(|_| rotted);
    now.map_or_else(|| world.truth.objects[&id].clone(), |state| state.object)
}

fn receipt(world: &World, object: ObjectId) -> Result<(), Broken> {
    let name = "law: a receipt of that object";
    let Some(bytes) = world.disk.receipts.get(&object) else {
        return Err((name, "none is on the disk".into()));
    };
    let receipt = Receipt::verify(bytes, Some(&world.key.public()))
        .map_err(|error| (name, error.to_string()))?;
    let known = known(world, object);
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
        if end.is_none_or(|end| *end > synced) {
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
