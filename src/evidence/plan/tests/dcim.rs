//! Cards without manifests: hash lists, file names, folders.

use super::*;

fn sum(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::of(bytes)
}

fn required_lists() -> Profile {
    let text = include_str!("../../../../config/cameras/generic-dcim.toml");
    let text = text.replace("required = false", "required = true");
    Profile::parse(&text.replace("erase_allowed = false", "erase_allowed = true")).unwrap()
}

#[test]
fn files_of_one_name_are_one_recording_and_nothing_is_erased() {
    let mut card = Card::default();
    for name in ["DCIM/100/A.MP4", "DCIM/100/A.THM", "DCIM/100/B.MP4", "DCIM/101/A.MP4"] {
        card.list(name, 1);
    }
    card.list("DCIM/Thumbs.db", 1);
    card.list("notes.pdf", 1);
    card.listing.caveats.push("a link was not followed".into());
    let plan = card.plan("generic-dcim");
    let names: Vec<&str> = plan.recordings.iter().map(|r| r.name.as_str()).collect();
    assert_eq!(names, ["DCIM/100/A", "DCIM/100/B", "DCIM/101/A", UNCLAIMED]);
    assert_eq!(recording(&plan, "DCIM/100/A").files.len(), 2);
    assert!(plan.recordings.iter().all(|r| !r.erase_allowed));
    assert_eq!(recording(&plan, "DCIM/100/A").class, Class::Unreviewed);
    assert!(has(&plan, FindingKind::PassedOver) && has(&plan, FindingKind::Orphans));
    assert_eq!(plan.ignored, 1);
}

#[test]
fn protected_folders_are_evidence() {
    let mut card = Card::default();
    card.list("DCIM/EVENT/A.MP4", 1);
    card.list("DCIM/NORMAL/A.MP4", 1);
    let plan = card.plan("generic-dcim");
    assert_eq!(recording(&plan, "DCIM/EVENT/A").class, Class::Evidential);
    assert_eq!(recording(&plan, "DCIM/NORMAL/A").class, Class::Unreviewed);
}

#[test]
fn a_list_gives_digests_and_says_what_is_not_there() {
    let mut card = Card::default();
    card.list("DCIM/A.MP4", 1);
    card.list("DCIM/A.THM", 1);
    card.list("DCIM/B.MP4", 1);
    let (a, b) = (sum(b"a"), sum(b"b"));
    card.put("SHA256SUMS", format!("{a}  DCIM/A.MP4\n{b} *DCIM/A.WAV\n{b}  DCIM/C.MP4\nrubbish\n"));
    let plan = card.plan("generic-dcim");
    let listed = recording(&plan, "DCIM/A");
    assert_eq!(
        (media(listed)[0].trust, media(listed)[0].source.expected),
        (Trust::Listed, Some(a))
    );
    assert_eq!(listed.missing, [(0, path("DCIM/A.WAV"))]);
    assert_eq!(media(recording(&plan, "DCIM/B"))[0].trust, Trust::None);
    assert_eq!(plan.findings.iter().filter(|f| f.kind == FindingKind::Missing).count(), 2);
    assert!(has(&plan, FindingKind::Caveat));
    let lists = recording(&plan, LISTS);
    assert_eq!((lists.files[0].kind, lists.erase_allowed), (FileKind::Manifest, false));
}

#[test]
fn a_list_about_one_recording_lies_in_it_whether_or_not_its_media_are_there() {
    let mut card = Card::default();
    card.put("DCIM/A.MP4.sha256", format!("{}  A.MP4\n", sum(b"a")));
    card.list("DCIM/A.MP4", 1);
    assert_eq!(recording(&card.plan("generic-dcim"), "DCIM/A").files.len(), 2);
    card.remove("DCIM/A.MP4");
    assert_eq!(recording(&card.plan("generic-dcim"), "DCIM/A").files.len(), 1);
}

#[test]
fn lists_that_disagree_prove_nothing_and_keep_the_file_from_being_erased() {
    let mut card = Card::default();
    card.list("DCIM/A.MP4", 1);
    card.put("SHA256SUMS", format!("{}  DCIM/A.MP4\n", sum(b"a")));
    card.put("DCIM/SHA256SUMS", format!("{}  A.MP4\n", sum(b"b")));
    let plan = card.plan("generic-dcim");
    assert!(has(&plan, FindingKind::Conflict));
    let found = recording(&plan, "DCIM/A:unproven");
    assert_eq!((media(found)[0].trust, found.class), (Trust::None, Class::Quarantine));
}

#[test]
fn where_lists_are_required_a_file_in_none_is_never_erasable() {
    let mut card = Card::default();
    card.list("DCIM/A.MP4", 1);
    card.list("DCIM/B.MP4", 1);
    card.put("SHA256SUMS", format!("{}  DCIM/A.MP4\n", sum(b"a")));
    let plan = card.plan_with(&required_lists(), &KeyRing::default());
    assert!(recording(&plan, "DCIM/A").erase_allowed);
    let found = recording(&plan, "DCIM/B:unproven");
    assert_eq!((found.class, found.erase_allowed), (Class::Quarantine, false));
    assert!(has(&plan, FindingKind::Unproven));
    card.contents.remove(&path("SHA256SUMS"));
    let plan = card.plan_with(&required_lists(), &KeyRing::default());
    assert!(has(&plan, FindingKind::Unreadable));
    assert!(plan.recordings.iter().all(|r| r.class == Class::Quarantine && !r.erase_allowed));
}

#[test]
fn path_traversal_and_absolute_paths_in_a_list_give_no_file_a_digest() {
    let mut card = Card::default();
    card.list("DCIM/A.MP4", 1);
    let a = sum(b"a");
    card.put("DCIM/100/SHA256SUMS", format!("{a}  ../A.MP4\n{a}  /DCIM/A.MP4\n"));
    let plan = card.plan("generic-dcim");
    assert_eq!(media(recording(&plan, "DCIM/A"))[0].trust, Trust::None);
    assert_eq!(plan.findings.iter().filter(|f| f.kind == FindingKind::Caveat).count(), 2);
}

#[test]
fn a_bag_is_understood() {
    let mut card = Card::default();
    card.list("DCIM/bag/data/DCIM/50%.MP4", 1);
    let text = format!("{} data/DCIM/50%25.MP4\r\n", sum(b"a"));
    card.put("DCIM/bag/manifest-sha256.txt", text);
    let plan = card.plan("generic-dcim");
    assert_eq!(media(recording(&plan, "DCIM/bag/data/DCIM/50%"))[0].trust, Trust::Listed);
}

#[test]
fn clip_folders_are_recordings_by_their_names() {
    let mut card = Card::default();
    let folder = "A1_BWC-1_20260314T221503Z";
    for name in ["clip_2.mp4", "clip_10.mp4", "clip_1.mp4", "gnss.json", "evidence.flag"] {
        card.list(format!("{folder}/{name}"), 1);
    }
    card.list("A1_BWC-1_20260315T221503Z/clip_1.mp4", 1);
    let plan = card.plan("clip-folders");
    let found = recording(&plan, folder);
    assert_eq!((found.officer.as_deref(), found.class), (Some("A1"), Class::Evidential));
    assert_eq!(found.started.unwrap().to_string(), "2026-03-14T22:15:03Z");
    let numbers: Vec<(u32, &[u8])> =
        media(found).iter().map(|f| (f.index, f.source.path.name())).collect();
    assert_eq!(numbers, [(1, &b"clip_1.mp4"[..]), (2, b"clip_2.mp4"), (10, b"clip_10.mp4")]);
    assert_eq!((found.files.len(), found.erase_allowed), (5, true));
    assert_eq!(plan.recordings.len(), 2);
}

#[test]
fn numbers_used_twice_give_way_to_the_order_of_names() {
    let mut card = Card::default();
    for name in ["b_1.mp4", "a_1.mp4", "c.mp4"] {
        card.list(format!("A1_BWC-1_20260314T221503Z/{name}"), 1);
    }
    let plan = card.plan("clip-folders");
    let found = media(recording(&plan, "A1_BWC-1_20260314T221503Z"));
    let names: Vec<&[u8]> = found.iter().map(|f| f.source.path.name()).collect();
    assert_eq!(names, [b"a_1.mp4", b"b_1.mp4", &b"c.mp4"[..]]);
    assert_eq!(found.iter().map(|f| f.index).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn names_that_do_not_fit_the_pattern_and_names_of_other_cameras_go_to_quarantine() {
    let mut card = Card::default();
    card.list("A1_BWC-1_yesterday/clip_1.mp4", 1);
    card.list("A1_BWC-2_20260314T221503Z/clip_1.mp4", 1);
    card.list("A1_BWC-1_19700101T000000Z/clip_1.mp4", 1);
    let plan = card.plan("clip-folders");
    let class = |name: &str| recording(&plan, name).class;
    assert_eq!(class("A1_BWC-1_yesterday:unproven"), Class::Quarantine);
    assert_eq!(class("A1_BWC-2_20260314T221503Z"), Class::Quarantine);
    assert_eq!(class("A1_BWC-1_19700101T000000Z"), Class::Unreviewed);
    assert!(has(&plan, FindingKind::CameraDiffers) && has(&plan, FindingKind::Clock));
}

#[test]
fn names_of_recordings_stay_while_their_files_go_one_by_one() {
    let mut card = Card::default();
    for name in ["DCIM/A.MP4", "DCIM/A.THM", "DCIM/A.MP4.sha256", "MISC/x"] {
        card.list(name, 1);
    }
    card.contents.insert(path("DCIM/A.MP4.sha256"), format!("{}  A.MP4", sum(b"a")).into());
    let home = |plan: &Plan, file: &SourcePath| {
        let holds = |r: &&PlannedRecording| r.files.iter().any(|f| f.source.path == *file);
        plan.recordings.iter().find(holds).map(|r| r.name.clone())
    };
    let first = card.plan("generic-dcim");
    while let Some(gone) = card.listing.files.pop() {
        let plan = card.plan("generic-dcim");
        for file in &card.listing.files {
            assert_eq!(home(&plan, &file.path), home(&first, &file.path), "without {gone:?}");
        }
    }
}
