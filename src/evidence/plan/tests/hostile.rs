//! What a broken or hostile card can hold, each with its defined outcome.

use super::*;

#[test]
fn fifty_thousand_segments_are_planned_in_no_quadratic_time() {
    let card = recorded(&[manifest(1, 50_000)]);
    let begun = std::time::Instant::now();
    let plan = card.plan("bwv-manifest");
    let took = begun.elapsed();
    assert_eq!(media(recording(&plan, "R000001")).len(), 50_000);
    assert_eq!(plan.findings, []);
    // Seconds in a debug build; quadratic work would take hours.
    assert!(took.as_secs() < 60, "{took:?}");
}

#[test]
fn fifty_thousand_missing_segments_are_all_kept_but_few_are_described() {
    let mut card = recorded(&[manifest(1, 50_000)]);
    card.listing.files.retain(|file| file.path.name().starts_with(b"manifest"));
    let plan = card.plan("bwv-manifest");
    assert_eq!(recording(&plan, "R000001").missing.len(), 50_000);
    assert_eq!((plan.findings.len(), plan.findings_left_out), (100, 49_900));
}

#[test]
fn fifty_thousand_unclaimed_files_are_one_recording_and_one_finding() {
    let mut card = Card::default();
    for n in 0..50_000 {
        card.list(format!("junk/{n}"), 1);
    }
    let plan = card.plan("generic-dcim");
    assert_eq!(recording(&plan, UNCLAIMED).files.len(), 50_000);
    assert_eq!(plan.findings.len(), 1);
}

#[test]
fn a_forged_manifest_cannot_take_files_from_a_signed_one_wherever_it_lies() {
    let mut card = recorded(&[manifest(1, 1)]);
    let mut forged = manifest(2, 1);
    forged.segments[0].name = path("R000001/000001.mp4");
    // At the root, so that it comes first by path and reaches into the folder.
    card.put("manifest.json", forged.to_bytes());
    let plan = card.plan("bwv-manifest");
    assert!(has(&plan, FindingKind::Conflict));
    let own = recording(&plan, "R000001");
    assert_eq!((media(own)[0].trust, own.erase_allowed), (Trust::Signed, true));
    let root = recording(&plan, ROOT);
    assert_eq!((root.class, media(root).len()), (Class::Quarantine, 0));
}

#[test]
fn a_manifest_that_names_itself_its_signature_or_the_card_gets_none_of_them() {
    let mut odd = manifest(1, 3);
    odd.segments[0].name = path("manifest.json");
    odd.segments[1].name = path("manifest.json.sig");
    let mut card = Card::default();
    let bytes = odd.to_bytes();
    card.put("R000001/manifest.json.sig", key().sign(&bytes)).put("R000001/manifest.json", bytes);
    card.list("R000001/000003.mp4", 10);
    let plan = card.plan("bwv-manifest");
    let found = recording(&plan, "R000001");
    assert_eq!((media(found).len(), found.class), (1, Class::Quarantine));
}

#[test]
fn duplicate_names_in_a_listing_count_once_the_first_entry_and_are_said() {
    let mut card = Card::default();
    card.list("DCIM/A.MP4", 5);
    card.list("DCIM/A.MP4", 7);
    let plan = card.plan("generic-dcim");
    assert!(has(&plan, FindingKind::Conflict));
    let files = &recording(&plan, "DCIM/A").files;
    assert_eq!((files.len(), files[0].source.size), (1, 5));
}

#[test]
fn non_utf8_names_are_planned_byte_for_byte_under_a_printable_name() {
    let mut odd = manifest(1, 1);
    odd.segments[0].name = SourcePath::new(*b"caf\xe9.mp4").unwrap();
    let bytes = odd.to_bytes();
    let mut card = Card::default();
    card.list(*b"R000001/caf\xe9.mp4", 10);
    card.put("R000001/manifest.json.sig", key().sign(&bytes)).put("R000001/manifest.json", bytes);
    let plan = card.plan("bwv-manifest");
    assert_eq!(media(recording(&plan, "R000001"))[0].source.path.name(), b"caf\xe9.mp4");
    let mut card = Card::default();
    card.list(*b"DCIM/caf\xe9.mp4", 10);
    assert_eq!(media(recording(&card.plan("generic-dcim"), r"DCIM/caf\xe9")).len(), 1);
}

#[test]
fn zero_byte_files_are_planned_like_any_other() {
    let mut empty = manifest(1, 1);
    empty.segments[0].size = 0;
    empty.segments[0].sha256 = Sha256Digest::of(b"");
    let plan = recorded(&[empty]).plan("bwv-manifest");
    let file = media(recording(&plan, "R000001"))[0];
    assert_eq!((file.source.size, file.partial, file.trust), (0, false, Trust::Signed));
    let mut card = Card::default();
    card.list("DCIM/A.MP4", 0);
    assert_eq!(media(recording(&card.plan("generic-dcim"), "DCIM/A")).len(), 1);
}

#[test]
fn sizes_beyond_32_bits_are_kept_and_compared_whole() {
    let mut large = manifest(1, 1);
    large.segments[0].size = (1 << 32) + 10;
    let mut card = recorded(&[large]);
    assert_eq!(card.plan("bwv-manifest").findings, []);
    // Equal in the low 32 bits only.
    card.listing.files[0].size = 10;
    let plan = card.plan("bwv-manifest");
    assert!(has(&plan, FindingKind::SizeDiffers));
    assert!(media(recording(&plan, "R000001"))[0].partial);
}

#[test]
fn folders_with_reserved_or_endless_names_stay_apart() {
    let text = include_str!("../../../../config/cameras/generic-dcim.toml")
        .replace("group = \"file\"", "group = \"folder\"")
        .replace("DCIM/**/*", "**/*");
    let profile = Profile::parse(&text).unwrap();
    let mut card = Card::default();
    let long = |end: &str| format!("{}{end}/1.mp4", "é/".repeat(400));
    for name in ["unclaimed/1.mp4", "root/1.mp4", "1.mp4", "lists/1.mp4", "a:unproven/1.mp4"] {
        card.list(name, 1);
    }
    card.list(long("a"), 1);
    card.list(long("b"), 1);
    card.list("junk.bin", 1);
    let plan = card.plan_with(&profile, &KeyRing::default());
    assert_eq!(plan.recordings.len(), 8);
    assert!(plan.recordings.iter().all(|r| r.name.len() <= 200));
    let quarantined = plan.recordings.iter().filter(|r| r.class == Class::Quarantine);
    assert_eq!(quarantined.map(|r| r.name.as_str()).collect::<Vec<_>>(), [UNCLAIMED]);
}

#[test]
fn a_path_too_long_to_exist_quarantines_the_recording_that_names_it() {
    let mut long = manifest(1, 1);
    long.segments[0].name = path(&"x".repeat(2045));
    let mut card = Card::default();
    let bytes = long.to_bytes();
    card.put("R000001/manifest.json.sig", key().sign(&bytes)).put("R000001/manifest.json", bytes);
    let plan = card.plan("bwv-manifest");
    assert_eq!(recording(&plan, "R000001").class, Class::Quarantine);
}

#[test]
fn what_a_manifest_names_is_never_ignored() {
    let mut odd = manifest(1, 1);
    odd.segments[0].name = path("Thumbs.db");
    let plan = recorded(&[odd]).plan("bwv-manifest");
    assert_eq!((media(recording(&plan, "R000001")).len(), plan.ignored), (1, 0));
}

#[test]
fn more_marks_than_a_fact_may_carry_are_cut_to_its_bounds() {
    let mut marked = manifest(1, 1);
    let mark = Bookmark { at: marked.started, label: "é".repeat(256) };
    marked.bookmarks = vec![mark; 10_000];
    marked.flags = vec!["\"".repeat(256); 10_000];
    let plan = recorded(&[marked]).plan("bwv-manifest");
    let found = recording(&plan, "R000001");
    let id = RecordingId::from_slice(&[0; 16]).unwrap();
    let fact = found.to_fact(id, &camera(), "bwv-manifest");
    // Far below the 128 KiB from which sled puts a value aside.
    assert!(serde_json::to_vec(&fact).unwrap().len() < 100 << 10);
}

#[test]
fn a_camera_nobody_knows_is_kept_whole_in_quarantine() {
    let mut card = Card::default();
    for name in ["VIDEO/1.mp4", "manifest.json", "Thumbs.db"] {
        card.list(name, 1);
    }
    let plan = card.plan_with(&Profile::unrecognised(), &KeyRing::default());
    assert_eq!((plan.recordings.len(), plan.ignored), (1, 0));
    let found = recording(&plan, UNCLAIMED);
    assert_eq!((found.files.len(), found.class), (3, Class::Quarantine));
    assert!(!found.erase_allowed);
}
