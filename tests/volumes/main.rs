//! Volumes made by other programs: read, damaged, erased, and judged by other programs again.
//!
//! The quick part uses committed images (`tests/fixtures/volumes`, made with mtools and exfat-fuse)
//! and needs no tool; with fsck.vfat, fsck.exfat and mtools, every cut of every erasing is judged by
//! them too.

mod hostile;
mod image;
mod many;
mod tables;
mod tools;

use bwvdock::volume::{Card, VolumeError};
use image::{apply, content, contents, erase, fixture, path, tree};
use std::io::Read as _;

const ALL: [&str; 4] = ["fat12", "fat16", "fat32", "exfat"];
const ERASABLE: [&str; 3] = ["fat16", "fat32", "exfat"];

/// Files that are erased: in one piece, in several, empty, with a long name, of one byte.
const VICTIMS: [&str; 5] = [
    "DCIM/100MEDIA/CLIP0002.MP4",
    "pieces.bin",
    "DCIM/100MEDIA/empty.mp4",
    "DCIM/EVENT/locked clip with a very long name that needs several parts.mp4",
    "DCIM/100MEDIA/one.bin",
];

#[test]
fn every_file_is_listed_and_read_as_it_was_copied() {
    for name in ALL {
        let found = contents(&fixture(name), &[]);
        for (file, sum) in tree() {
            // mtools cuts what lies outside the Basic Multilingual Plane to 16 bits.
            let cut = if name == "exfat" { "🚓" } else { "\u{f693}" };
            let file = file.replace("🚓", cut);
            assert_eq!(found.get(&file), Some(&sum), "{name}: {file}");
        }
        assert!(found.contains_key("pieces.bin"), "{name}");
        assert!(!found.contains_key("deleted.bin"), "{name}");
    }
}

#[test]
fn a_reader_starts_anywhere() {
    for name in ALL {
        let image = fixture(name);
        let card = Card::open(&&image[..]).unwrap();
        for file in ["pieces.bin", "DCIM/100MEDIA/CLIP0002.MP4"] {
            let whole = content(&card, &&image[..], &path(file)).unwrap();
            for offset in (0..=whole.len() + 700).step_by(311) {
                let mut bytes = Vec::new();
                let mut reader = card.read(&image[..], &path(file), offset as u64).unwrap();
                reader.read_to_end(&mut bytes).unwrap();
                assert_eq!(bytes, whole[offset.min(whole.len())..], "{name} {file} {offset}");
            }
        }
    }
}

#[test]
fn erasing_removes_one_file_and_nothing_else() {
    for name in ERASABLE {
        for victim in VICTIMS {
            let before = fixture(name);
            let mut wanted = contents(&before, &[]);
            let (_, after) = erase(&before, victim);
            assert!(wanted.remove(victim).is_some(), "{name} {victim}");
            assert_eq!(contents(&after, &[]), wanted, "{name} {victim}");
        }
    }
}

/// A cut after each write, and in the middle of each: any of its sectors may be missing.
fn cuts(before: &[u8], victim: &str) -> Vec<Vec<u8>> {
    let (changes, _) = erase(before, victim);
    let mut image = before.to_vec();
    let mut cuts = vec![image.clone()];
    for change in &changes {
        let at = usize::try_from(change.offset).unwrap();
        let sectors: Vec<usize> = (0..change.after.len() / 512)
            .filter(|s| {
                change.before[s * 512..s * 512 + 512] != change.after[s * 512..s * 512 + 512]
            })
            .collect();
        for torn in sectors.iter().filter(|_| sectors.len() > 1) {
            let mut cut = image.clone();
            cut[at + torn * 512..at + torn * 512 + 512]
                .copy_from_slice(&change.after[torn * 512..torn * 512 + 512]);
            cuts.push(cut);
        }
        apply(&mut image, change);
        cuts.push(image.clone());
    }
    cuts
}

#[test]
fn a_power_cut_at_any_write_harms_no_other_file() {
    let dirty = ["not unmounted properly"];
    for name in ERASABLE {
        for victim in VICTIMS {
            let before = fixture(name);
            let whole = contents(&before, &[]);
            let mut others = whole.clone();
            others.remove(victim);
            let cuts = cuts(&before, victim);
            assert!(cuts.len() > 3, "{name} {victim}");
            for (number, cut) in cuts.iter().enumerate() {
                let found = contents(cut, &dirty);
                assert!(found == whole || found == others, "{name} {victim} cut {number}");
            }
        }
    }
}

#[test]
fn other_programs_find_no_harm_in_any_cut() {
    if !tools::are_there() {
        return;
    }
    // What may be said of a volume whose erasing was cut off: dirty, lost clusters, tables that
    // differ, a count that is old, the rest of a name.
    let harmless = [
        "fsck.fat 4",
        "exfatprogs version",
        "Dirty bit is set. Fs was not properly unmounted",
        " Automatically removing dirty bit.",
        "Leaving filesystem unchanged.",
        "FATs differ but appear to be intact.",
        "  Using first FAT.",
        " cluster",
        "clean. directories ",
        // The rest of a set whose File entry is deleted already, where it crosses a sector.
        "unknown entry type 0xc1",
        "Free cluster summary wrong",
        "  Auto-correcting.",
    ];
    for name in ERASABLE {
        let exfat = name == "exfat";
        for victim in VICTIMS {
            let before = fixture(name);
            assert!(tools::fsck(&before, exfat).0, "{name}");
            let cuts = cuts(&before, victim);
            let (clean, words) = tools::fsck(cuts.last().unwrap(), exfat);
            assert!(clean, "{name} {victim}: {words}");
            for (number, cut) in cuts.iter().enumerate() {
                let (_, words) = tools::fsck(cut, exfat);
                for line in words.lines().filter(|line| !line.trim().is_empty()) {
                    let known = harmless.iter().any(|words| line.contains(words));
                    assert!(known, "{name} {victim} cut {number}: {line}\n{words}");
                }
                if !exfat {
                    let clip = "DCIM/100MEDIA/CLIP0001.MP4";
                    let bytes = tools::mtools_reads(cut, clip);
                    assert_eq!(tree()[clip], image::sum(&bytes), "{name} {victim} cut {number}");
                }
            }
        }
    }
}

#[test]
fn mtools_reads_the_same_bytes() {
    if !tools::are_there() {
        return;
    }
    for name in ["fat12", "fat16", "fat32"] {
        let image = fixture(name);
        let card = Card::open(&&image[..]).unwrap();
        for file in card.list(&&image[..]).unwrap().files {
            let text = std::str::from_utf8(file.path.as_bytes()).unwrap();
            // mtools has no way to say what lies outside the Basic Multilingual Plane.
            if text.is_ascii() {
                let bytes = content(&card, &&image[..], &file.path).unwrap();
                assert!(bytes == tools::mtools_reads(&image, text), "{name} {text}");
            }
        }
    }
}

#[test]
fn what_is_not_as_it_was_is_not_erased() {
    for name in ERASABLE {
        let image = fixture(name);
        let card = Card::open(&&image[..]).unwrap();
        let clip = path("DCIM/100MEDIA/CLIP0002.MP4");
        let refused = |size, time| card.erasure(&&image[..], &clip, size, time).unwrap_err();
        assert!(matches!(refused(20_481, None), VolumeError::Changed { .. }));
        assert!(matches!(refused(20_480, Some(1)), VolumeError::Changed { .. }));
        let gone = card.erasure(&&image[..], &path("DCIM/none"), 0, None).unwrap_err();
        assert!(matches!(gone, VolumeError::NoSuchFile(_)));
    }
    let image = fixture("fat12");
    let card = Card::open(&&image[..]).unwrap();
    let refused = card.erasure(&&image[..], &path("A.TXT"), 512, None).unwrap_err();
    assert!(refused.to_string().contains("FAT12"), "{refused}");
}
