//! What the demo can show for itself at the end, and whether every segment got there.

use super::{failed, workspace::Workspace};
use crate::{
    cli::{Complaint, render},
    custody::receipt::Receipt,
    daemon::chain,
    dock::{
        Stage,
        report::{DryRun, SegmentRow, StatusReport},
    },
    journal::offline,
    types::{FileKind, ObjectId, Sha256Digest},
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
    time::Duration,
};

/// What was noted of cameras, and files that grew, that are named, each.
const NOTES_MAX: usize = 20;
/// Objects that are opened again with the identity, at most, and their bytes in all.
const OPEN_MAX: (usize, u64) = (8, 256 << 20);

/// Everything, in one JSON object.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Every segment reached the end: stored, receipted, and released where that is allowed.
    pub complete: bool,
    cameras: usize,
    recordings: u64,
    segments: u64,
    files: u64,
    bytes: u64,
    verified: u64,
    matched: u64,
    unverified: u64,
    unsound: u64,
    stored_objects: u64,
    stored_bytes: u64,
    receipts: u64,
    released: u64,
    /// Files the rule was asked to erase and did not, by what it said.
    kept_on_camera: BTreeMap<String, u64>,
    gaps: u64,
    /// Sealed objects opened again with the identity, each equal to what was on the camera.
    opened: usize,
    seconds: f64,
    custody: Custody,
    problems: Vec<String>,
    /// What is no failure and still to be known: files left out, files that grew meanwhile.
    notes: Vec<String>,
    workspace: Option<PathBuf>,
    objects: Option<PathBuf>,
    /// The command that opens one sealed object.
    open_with: Option<String>,
}

#[derive(Debug, Serialize)]
struct Custody {
    whole: bool,
    lines: u64,
    head: Sha256Digest,
}

struct Proof {
    receipts: u64,
    opened: usize,
    problems: Vec<String>,
    example: Option<(PathBuf, String)>,
}

impl Summary {
    pub fn make(
        work: &Workspace,
        status: &StatusReport,
        (rows, rule): (&[SegmentRow], &DryRun),
        mut noted: Vec<String>,
        took: Duration,
        foreign_store: bool,
    ) -> Result<Self, Complaint> {
        let objects = work.path("store/evidence/objects");
        let proof = prove(work, rows, (!foreign_store).then_some(objects.as_path()))?;
        let anchors = receipts_in(&work.path("state/receipts"))?;
        let anchors: Vec<_> = anchors.iter().map(|(_, r)| r.custody).collect();
        let report = offline::verify(&work.path("state/journal"), &anchors)
            .map_err(|error| failed(chain(&error)))?;
        // What a store cannot keep holds up no footage, and the demo cannot mend it.
        noted.extend(status.marks_lacking_words.clone());
        let mendable = |words: &&String| Some(*words) != status.marks_lacking_words.as_ref();
        let mut problems: Vec<String> = status.problems.iter().filter(mendable).cloned().collect();
        problems.extend(proof.problems);
        if !report.is_whole() {
            problems.push("the custody log does not verify".into());
        }
        let growing = status.bays.iter().filter(|bay| bay.growing > 0);
        problems.extend(growing.map(|bay| format!("bay {}: {}", bay.bay, bay.words)));
        for row in rows.iter().filter(|row| !row.superseded) {
            let camera = work.camera_of(status, &row.camera);
            let released = row.stage == Stage::Released;
            let stored = row.stage == Stage::Receipted;
            // With --release, too, the rule has the last word on what goes.
            let stays = rule.page.rows.iter().any(|said| said.segment == row.id && !said.release);
            let must_go = camera.is_some_and(|camera| camera.erase) && !stays;
            if !(released || stored && !must_go) {
                problems.push(format!(
                    "{} on {} is only {}",
                    row.path,
                    row.camera,
                    row.stage.as_str()
                ));
            }
        }
        if rows.is_empty() {
            problems.push("no file was found on any camera".into());
        }
        let count = |stage: Stage| {
            status.segments.iter().filter(|a| a.stage == stage).map(|a| a.count).sum::<u64>()
        };
        let media = rows.iter().filter(|row| row.kind == FileKind::Media).count() as u64;
        Ok(Self {
            complete: problems.is_empty(),
            cameras: status.bays.iter().filter(|bay| bay.camera.is_some()).count(),
            recordings: status.recordings,
            segments: media,
            files: rows.len() as u64,
            bytes: rows.iter().map(|row| row.size).sum(),
            verified: status.verified,
            matched: status.matched,
            unverified: status.unverified,
            unsound: status.bad_signature + status.mismatched + status.partial + status.unreadable,
            stored_objects: status.stored.count,
            stored_bytes: status.stored.bytes,
            receipts: proof.receipts,
            released: count(Stage::Released),
            kept_on_camera: kept_on_camera(work, status, rule),
            gaps: status.gaps,
            opened: proof.opened,
            seconds: (took.as_secs_f64() * 100.0).round() / 100.0,
            custody: Custody {
                whole: report.is_whole(),
                lines: report.lines,
                head: report.head.hash,
            },
            problems,
            notes: notes(noted, rows),
            workspace: work.is_kept().then(|| work.root().to_owned()),
            objects: (!foreign_store && work.is_kept()).then_some(objects),
            open_with: proof.example.filter(|_| work.is_kept()).map(|(path, name)| {
                let (identity, path) = (quoted(&work.path("identity.txt")), quoted(&path));
                format!("age -d -i {identity} -o {name} {path}")
            }),
        })
    }

    pub fn print(&self, as_json: bool) {
        if as_json {
            let value = serde_json::to_value(self).unwrap_or_default();
            render::print_json(&value);
        } else {
            render::print(&self.words());
        }
    }

    fn words(&self) -> String {
        let s = self;
        let line = |name: &str, text: String| format!("  {name:<10} {text}\n");
        let mut out = String::from("\n");
        out.push_str(&line(
            "cameras",
            format!("{} docked, {} recordings, {} segments", s.cameras, s.recordings, s.segments),
        ));
        out.push_str(&line("read", format!("{} files, {}", s.files, render::bytes(s.bytes))));
        out.push_str(&line(
            "verified",
            format!(
                "{} signed by their camera, {} listed, {} without a digest, {} failed",
                s.verified, s.matched, s.unverified, s.unsound
            ),
        ));
        out.push_str(&line(
            "stored",
            format!("{} sealed objects, {}", s.stored_objects, render::bytes(s.stored_bytes)),
        ));
        out.push_str(&line("receipts", format!("{} signed and checked", s.receipts)));
        out.push_str(&line("released", format!("{} files erased by the rule", s.released)));
        for (why, files) in &s.kept_on_camera {
            let files = render::count(*files, "file stays", "files stay");
            out.push_str(&line("", format!("{files}: {why}")));
        }
        if s.opened > 0 {
            let text = format!("{} objects with the identity, each equal to its source", s.opened);
            out.push_str(&line("opened", text));
        }
        out.push_str(&line(
            "custody",
            format!(
                "{} lines, {}; head {}",
                s.custody.lines,
                if s.custody.whole { "whole" } else { "NOT WHOLE" },
                s.custody.head
            ),
        ));
        out.push_str(&line("time", format!("{:.1} s", s.seconds)));
        s.notes.iter().for_each(|note| out.push_str(&format!("\n! {note}")));
        s.problems.iter().for_each(|problem| out.push_str(&format!("\n! {problem}")));
        out.push('\n');
        match (&s.objects, &s.open_with) {
            (Some(objects), Some(command)) => out.push_str(&format!(
                "The sealed objects lie in {}\nOpen one:\n  {command}\n",
                objects.display()
            )),
            (None, Some(command)) if s.workspace.is_some() => {
                out.push_str(&format!("Open an object of your store:\n  {command}\n"));
            }
            // What a store elsewhere holds is not opened here.
            _ if s.workspace.is_some() => out.push_str(
                "The identity that opens the objects is in the workspace: keep it safe.\n",
            ),
            _ => out.push_str(
                "The workspace is gone again. Keep it, to open the objects yourself with age:\n  \
                 bwvdock demo --keep DIR\n",
            ),
        }
        if s.complete {
            out.push_str("Every segment reached the end.\n");
        } else {
            out.push_str("Not every segment reached the end; see the lines with ! above.\n");
        }
        out
    }
}

/// What is no failure and still to be known.
fn notes(mut notes: Vec<String>, rows: &[SegmentRow]) -> Vec<String> {
    let more = notes.len().saturating_sub(NOTES_MAX);
    notes.truncate(NOTES_MAX);
    if more > 0 {
        notes
            .push(format!("and {more} more; --keep DIR keeps the custody log, which has them all"));
    }
    let mut grown: BTreeMap<_, u64> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.superseded) {
        *grown.entry((row.camera.to_string(), row.path.to_string())).or_default() +=
            u64::from(row.object.is_some());
    }
    notes.extend(grown.into_iter().take(NOTES_MAX).map(|((camera, path), versions)| {
        let versions = render::count(versions, "earlier version is", "earlier versions are");
        format!(
            "camera {camera}: {path} was still being written by the camera; {versions} stored too"
        )
    }));
    notes
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    if text.chars().all(|c| c.is_alphanumeric() || "/._-+:,".contains(c)) {
        text
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// What the rule said of files in bays that it might have erased.
fn kept_on_camera(work: &Workspace, status: &StatusReport, rule: &DryRun) -> BTreeMap<String, u64> {
    let mut kept = BTreeMap::new();
    for row in rule.page.rows.iter().filter(|row| !row.release) {
        if work.camera_of(status, &row.camera).is_some_and(|camera| camera.erase) {
            let why = row.obstacles.iter().map(|(what, _)| what.as_str()).collect::<Vec<_>>();
            *kept.entry(why.join("; ")).or_insert(0) += 1;
        }
    }
    kept
}

fn receipts_in(folder: &Path) -> Result<Vec<(PathBuf, Receipt)>, Complaint> {
    let entries =
        fs::read_dir(folder).map_err(|error| failed(format!("{}: {error}", folder.display())))?;
    let mut receipts = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| failed(error.to_string()))?.path();
        if path.extension().is_some_and(|extension| extension == "receipt") {
            let bytes = fs::read(&path).map_err(|error| failed(error.to_string()))?;
            let receipt = Receipt::verify(&bytes, None).map_err(|error| {
                failed(format!("{} does not hold: {}", path.display(), chain(&error)))
            })?;
            receipts.push((path, receipt));
        }
    }
    receipts.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(receipts)
}

/// Checks the receipts, and opens some sealed objects as they lie in the store.
fn prove(
    work: &Workspace,
    rows: &[SegmentRow],
    objects: Option<&Path>,
) -> Result<Proof, Complaint> {
    let receipts = receipts_in(&work.path("state/receipts"))?;
    let mut proof =
        Proof { receipts: receipts.len() as u64, opened: 0, problems: Vec::new(), example: None };
    let Some(objects) = objects else { return Ok(proof) };
    let identity =
        fs::read_to_string(work.path("identity.txt")).map_err(|error| failed(error.to_string()))?;
    let key_of = |object: ObjectId| {
        receipts.iter().find(|(_, r)| r.object == object).map(|(_, r)| r.key.clone())
    };
    let mut left = OPEN_MAX.1;
    for row in rows.iter().filter(|row| row.kind == FileKind::Media) {
        let (Some(object), Some(expected)) = (row.object, row.sha256) else { continue };
        let Some(key) = key_of(object) else {
            proof.problems.push(format!("there is no receipt for {}", row.path));
            continue;
        };
        if proof.opened == OPEN_MAX.0 || row.size > left {
            continue;
        }
        left -= row.size;
        let path = objects.join(key);
        match open(&path, &identity) {
            Ok(found) if found == expected => proof.opened += 1,
            Ok(_) => proof.problems.push(format!("{} opens to other bytes", path.display())),
            Err(error) => proof.problems.push(format!("{}: {error}", path.display())),
        }
        let name = String::from_utf8_lossy(row.path.name()).into_owned();
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        let name = if plain { name } else { "opened".into() };
        proof.example.get_or_insert((path, name));
    }
    Ok(proof)
}

/// SHA-256 of what a sealed object opens to.
fn open(path: &Path, identity: &str) -> io::Result<Sha256Digest> {
    let file = BufReader::new(File::open(path)?);
    let line = identity.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap_or("");
    let identity: age::x25519::Identity = line.parse().map_err(io::Error::other)?;
    let decryptor = age::Decryptor::new(file).map_err(io::Error::other)?;
    let mut reader = decryptor
        .decrypt(std::iter::once(&identity as &dyn age::Identity))
        .map_err(io::Error::other)?;
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => break,
            n => context.update(&buffer[..n]),
        }
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Ok(Sha256Digest(digest))
}
