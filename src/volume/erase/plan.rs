//! Everything that must hold before anything is written.

use super::{BATCH, Erasure, Phase, RUNS_MAX, Survey, Task};
use crate::{
    types::SourcePath,
    volume::{
        ReadAt, VolumeError,
        card::{Boot, Volume},
        chain::Run,
        entry::Entry,
        fat::Fat,
        geometry::{Geometry, Width},
        walk::{Node, Walk},
    },
};
use std::collections::VecDeque;

pub(super) fn plan(
    dev: &dyn ReadAt,
    volume: &Volume,
    path: &SourcePath,
    entry: &Entry,
    survey: Option<&Survey>,
) -> Result<Erasure, VolumeError> {
    let geometry = volume.geometry().clone();
    let exfat = geometry.width == Width::Exfat;
    let (path, slots) = (path.clone(), entry.slots.clone());
    let mut erasure = Erasure { path, geometry, exfat, slots, tasks: VecDeque::new() };
    let refuse = |words: &str| Err(erasure.unsafe_to_erase(words));
    if erasure.geometry.width == Width::Fat12 {
        return refuse("on FAT12 no order of writes is safe: its entries may cross two sectors");
    }
    if matches!(&volume.boot, Boot::Exfat(boot) if boot.transactional) {
        return refuse("it is on TexFAT, which is only read");
    }
    if let Some(words) = volume.faults.first().map(String::as_str) {
        return refuse(words);
    }
    if let Some(words) = entry.odd.first() {
        return refuse(words);
    }
    let runs = own_runs(dev, &erasure, entry)?;
    let bitmap = match survey {
        Some(survey) => survey.nobody_else_has(&erasure, &runs)?,
        None => nobody_else_has(dev, volume, &erasure, entry, &runs)?,
    };
    fill(dev, volume, &mut erasure, entry, &runs, bitmap)?;
    // Every link and every bit is compared now: nothing is begun that cannot be finished.
    for task in &erasure.tasks {
        let compared = matches!(task, Task::Table { phase: Phase::Cut, .. } | Task::Bits { .. });
        if compared {
            erasure.change(dev, task)?;
        }
    }
    Ok(erasure)
}

/// The clusters of the file: exactly as many as its size needs.
fn own_runs(dev: &dyn ReadAt, erasure: &Erasure, entry: &Entry) -> Result<Vec<Run>, VolumeError> {
    let geometry = &erasure.geometry;
    let needed = geometry.clusters_for(entry.size);
    let mut runs = Vec::new();
    let mut fat = Fat::default();
    let mut chain = entry.chain(geometry);
    let mut clusters = 0;
    loop {
        let run = chain.run(dev, geometry, &mut fat, u64::MAX);
        let Some(run) = run.map_err(|broken| erasure.unsafe_to_erase(broken.to_string()))? else {
            break;
        };
        clusters += u64::from(run.count);
        if runs.len() >= RUNS_MAX {
            return Err(erasure.unsafe_to_erase(format!("it lies in more than {RUNS_MAX} pieces")));
        }
        runs.push(run);
    }
    if clusters != needed || !chain.is_over() || fat.from_mirror {
        let words = format!("it has {clusters} clusters, and its size needs {needed}");
        return Err(erasure.unsafe_to_erase(words));
    }
    Ok(runs)
}

/// Walks everything else; gives the bitmap of exFAT.
fn nobody_else_has(
    dev: &dyn ReadAt,
    volume: &Volume,
    erasure: &Erasure,
    entry: &Entry,
    runs: &[Run],
) -> Result<Option<Entry>, VolumeError> {
    let refuse = |words: String| Err(erasure.unsafe_to_erase(words));
    let geometry = &erasure.geometry;
    let mut sorted = runs.to_vec();
    sorted.sort_unstable();
    let mut walk = Walk::new(dev, volume);
    let mut bitmaps = Vec::new();
    let mut walked = 0;
    // The root has no entry of its own.
    if let crate::volume::directory::Place::Linked { first } = volume.root() {
        let root = Entry { folder: true, first, ..Entry::default() };
        walked += meets(&mut walk, geometry, &root, &sorted, erasure)?;
    }
    while let Some(node) = walk.next()? {
        let other = match node {
            Node::File(path, other) => {
                if other.slots == entry.slots {
                    continue;
                }
                if path.as_ref() == Some(&erasure.path) {
                    return refuse("there are two files of this name".into());
                }
                other
            }
            Node::Folder(_, other) => other,
            Node::System { kind: 0x81, flags, table } => {
                if flags & 1 == 0 {
                    bitmaps.push(table.clone());
                }
                table
            }
            Node::System { table, .. } => table,
        };
        walked += meets(&mut walk, geometry, &other, &sorted, erasure)?;
        if walked > u64::from(geometry.clusters) {
            return refuse("files of the card share clusters".into());
        }
    }
    if !walk.complete {
        let first = walk.caveats.first_unread().unwrap_or_default();
        return refuse(format!("not everything on the card can be read: {first}"));
    }
    match (erasure.exfat, bitmaps.pop(), bitmaps.is_empty()) {
        (false, _, _) => Ok(None),
        (true, Some(bitmap), true) => Ok(Some(bitmap)),
        (true, _, _) => refuse("the volume has no allocation bitmap, or several".into()),
    }
}

/// Refuses if another chain has one of the clusters; gives its length.
fn meets(
    walk: &mut Walk<'_>,
    geometry: &Geometry,
    other: &Entry,
    sorted: &[Run],
    erasure: &Erasure,
) -> Result<u64, VolumeError> {
    let mut chain = other.chain(geometry);
    let mut walked = 0;
    loop {
        let run = match chain.run(walk.dev, geometry, &mut walk.fat, u64::MAX) {
            Ok(Some(run)) => run,
            Err(crate::volume::chain::Broken::Io(error)) => {
                let words = format!("a part of the allocation table is unreadable: {error}");
                return Err(erasure.unsafe_to_erase(words));
            }
            // Whatever else is wrong with the other one, its clusters up to here are none of ours.
            Ok(None) | Err(_) => return Ok(walked),
        };
        walked += u64::from(run.count);
        let after = sorted.partition_point(|own| own.end() <= u64::from(run.first));
        if sorted.get(after).is_some_and(|own| own.meets(run)) {
            let words = "another file or folder has some of its clusters too";
            return Err(erasure.unsafe_to_erase(words));
        }
        if walked > u64::from(geometry.clusters) {
            return Ok(walked);
        }
    }
}

fn fill(
    dev: &dyn ReadAt,
    volume: &Volume,
    erasure: &mut Erasure,
    entry: &Entry,
    runs: &[Run],
    bitmap: Option<Entry>,
) -> Result<(), VolumeError> {
    let geometry = erasure.geometry.clone();
    let tables: Vec<u64> =
        [geometry.fat].into_iter().chain(geometry.mirrors.iter().copied()).collect();
    let tasks = &mut erasure.tasks;
    match bitmap {
        Some(_) => tasks.push_back(Task::ExfatMark { dirty: true }),
        None => {
            tasks.extend(tables.iter().map(|table| Task::FatMark { table: *table, clean: false }))
        }
    }
    tasks.extend(by_sector(&geometry, &entry.slots));
    let dirty = volume_dirty(dev, volume, erasure)?;
    match (bitmap, &volume.boot) {
        (Some(bitmap), _) => {
            let bits = bits(dev, erasure, &bitmap, runs)?;
            erasure.tasks.extend(bits);
            if !dirty {
                erasure.tasks.push_back(Task::ExfatMark { dirty: false });
            }
        }
        (None, boot) => {
            for phase in [Phase::Cut, Phase::Free] {
                erasure.tasks.extend(table_tasks(&geometry, &tables, runs, phase));
            }
            if let Boot::Fat(boot) = boot
                && let Some(at) = boot.info
            {
                let freed = runs.iter().map(|run| run.count).sum();
                erasure.tasks.push_back(Task::Info { at, freed });
            }
            if !dirty {
                let clean = tables.iter().map(|table| Task::FatMark { table: *table, clean: true });
                erasure.tasks.extend(clean);
            }
        }
    }
    Ok(())
}

/// Whether the medium says now that the volume is dirty.
fn volume_dirty(dev: &dyn ReadAt, volume: &Volume, erasure: &Erasure) -> Result<bool, VolumeError> {
    // A mark that is set already makes no change.
    let task = match &volume.boot {
        Boot::Exfat(_) => Task::ExfatMark { dirty: true },
        Boot::Fat(boot) => Task::FatMark { table: boot.geometry.fat, clean: false },
    };
    let change = erasure.change(dev, &task)?;
    Ok(change.is_none_or(|change| change.before == change.after))
}

/// The entries, those of the first one's sector first.
fn by_sector(geometry: &Geometry, slots: &[u64]) -> Vec<Task> {
    let mut sectors: Vec<(u64, Vec<u64>)> = Vec::new();
    for slot in slots {
        let sector_at = slot - (slot - geometry.start) % u64::from(geometry.sector);
        match sectors.iter_mut().find(|(at, _)| *at == sector_at) {
            Some((_, slots)) => slots.push(*slot),
            None => sectors.push((sector_at, vec![*slot])),
        }
    }
    sectors.into_iter().map(|(sector_at, slots)| Task::Slots { sector_at, slots }).collect()
}

fn table_tasks(geometry: &Geometry, tables: &[u64], runs: &[Run], phase: Phase) -> Vec<Task> {
    let width = geometry.entry(1).0;
    let most = u32::try_from(BATCH / width).unwrap_or(1);
    let mut tasks = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let mut rest = *run;
        while rest.count > 0 {
            let part = Run { first: rest.first, count: rest.count.min(most) };
            rest = Run { first: part.first + part.count, count: rest.count - part.count };
            let next_run = runs.get(at + 1).map(|run| run.first);
            let follows = if rest.count > 0 { Some(rest.first) } else { next_run };
            let task = |table: &u64| Task::Table { table: *table, run: part, follows, phase };
            tasks.extend(tables.iter().map(task));
        }
    }
    tasks
}

fn bits(
    dev: &dyn ReadAt,
    erasure: &Erasure,
    bitmap: &Entry,
    runs: &[Run],
) -> Result<Vec<Task>, VolumeError> {
    let geometry = &erasure.geometry;
    if bitmap.size < u64::from(geometry.clusters).div_ceil(8) {
        return Err(erasure.unsafe_to_erase("the allocation bitmap is too short"));
    }
    let mut chain = bitmap.chain(geometry);
    let mut fat = Fat::default();
    let mut tasks = Vec::new();
    // Where the bitmap's current piece lies, and its first bit.
    let mut first_bit = 0;
    loop {
        let piece = chain.run(dev, geometry, &mut fat, 1);
        let words = |words: String| erasure.unsafe_to_erase(format!("allocation bitmap: {words}"));
        let Some(piece) = piece.map_err(|broken| words(broken.to_string()))? else { break };
        let bits = u64::from(geometry.cluster) * 8;
        for run in runs {
            // Batches within the piece, so that a change is never too long.
            let own = u64::from(run.first - 2)..run.end() - 2;
            let mut from = own.start.max(first_bit);
            let end = own.end.min(first_bit + bits);
            while from < end {
                let batch_end = (from / (BATCH * 8) + 1) * BATCH * 8;
                let upto = end.min(batch_end);
                let at = geometry.at(piece.first);
                tasks.push(Task::Bits { at, from: from - first_bit, count: upto - from });
                from = upto;
            }
        }
        first_bit += bits;
        if first_bit >= bitmap.size * 8 {
            break;
        }
    }
    let planned: u64 =
        tasks.iter().map(|t| if let Task::Bits { count, .. } = t { *count } else { 0 }).sum();
    let needed: u64 = runs.iter().map(|run| u64::from(run.count)).sum();
    if planned != needed {
        return Err(erasure.unsafe_to_erase("the allocation bitmap is cut off"));
    }
    Ok(tasks)
}
