//! Many files erased one after the other, by one walk.

use super::{
    ERASABLE, VICTIMS,
    image::{apply, contents, erase, fixture, path},
    tools,
};
use bwvdock::volume::{Card, Change, ReadAt, Survey, VolumeError};
use std::{cell::Cell, io};

/// A device that counts what is read from it.
struct Counted<'a>(&'a [u8], Cell<u64>);

impl ReadAt for Counted<'_> {
    fn bytes(&self) -> u64 {
        self.0.len() as u64
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.1.set(self.1.get() + buffer.len() as u64);
        self.0.read_at(offset, buffer)
    }
}

/// Erases a file by a survey, which is taken if there is none; says how much was read for it.
fn erase_by(
    image: &mut [u8],
    survey: &mut Option<Survey>,
    name: &str,
    size: u64,
) -> Result<(Vec<Change>, u64), VolumeError> {
    let card = Card::open(&&*image)?;
    let counted = Counted(image, Cell::new(0));
    let mut erasure = card.erasure_by(survey, &counted, &path(name), size, None)?;
    let mut read = counted.1.get();
    let mut changes = Vec::new();
    loop {
        let counted = Counted(image, Cell::new(0));
        let step = erasure.step(&counted)?;
        read += counted.1.get();
        let Some(change) = step else { break };
        apply(image, &change);
        changes.push(change);
    }
    assert!(erasure.is_gone(&&*image)?, "{name}");
    if let Some(survey) = survey {
        survey.forget(&path(name));
    }
    Ok((changes, read))
}

fn size_of(image: &[u8], name: &str) -> u64 {
    let listing = Card::open(&image).unwrap().list(&image).unwrap();
    listing.files.iter().find(|file| file.path == path(name)).unwrap().size
}

#[test]
fn by_a_survey_the_same_is_written_as_without_one() {
    for name in ERASABLE {
        for victim in VICTIMS {
            let before = fixture(name);
            let (wanted, after) = erase(&before, victim);
            let mut image = before.clone();
            let size = size_of(&before, victim);
            let (changes, _) = erase_by(&mut image, &mut None, victim, size).unwrap();
            assert!(changes == wanted && image == after, "{name} {victim}");
        }
    }
}

#[test]
fn a_whole_card_is_erased_file_by_file_with_one_survey() {
    for name in ERASABLE {
        let mut image = fixture(name);
        let mut survey = None;
        let mut left = contents(&image, &[]);
        while let Some(victim) = left.keys().next().cloned() {
            let size = size_of(&image, &victim);
            erase_by(&mut image, &mut survey, &victim, size).unwrap();
            left.remove(&victim);
            assert_eq!(contents(&image, &[]), left, "{name} {victim}");
        }
        if tools::are_there() {
            let (clean, words) = tools::fsck(&image, name == "exfat");
            assert!(clean, "{name}: {words}");
        }
    }
}

/// Where the entry of CLIP0002.MP4 lies, on FAT.
fn entry_of_clip(image: &[u8]) -> usize {
    image.windows(11).position(|window| window == b"CLIP0002MP4").unwrap()
}

#[test]
fn what_changed_since_the_walk_is_not_erased() {
    let (clip, size) = ("DCIM/100MEDIA/CLIP0002.MP4", 20_480);
    // Another size, another first cluster, another time, another name; and another chain.
    for (offset, xor) in [(28, 1), (26, 1), (22, 0x20), (14, 1), (7, 1)] {
        let mut image = fixture("fat16");
        let mut survey = None;
        erase_by(&mut image, &mut survey, "A.TXT", 512).unwrap();
        let at = entry_of_clip(&image);
        image[at + offset] ^= xor;
        let before = image.clone();
        let refused = erase_by(&mut image, &mut survey, clip, size).unwrap_err();
        assert!(matches!(refused, VolumeError::Changed { .. }), "{offset}: {refused}");
        assert!(image == before, "{offset}");
    }
    let mut image = fixture("fat16");
    let mut survey = None;
    erase_by(&mut image, &mut survey, "A.TXT", 512).unwrap();
    let at = entry_of_clip(&image);
    let first = usize::from(u16::from_le_bytes([image[at + 26], image[at + 27]]));
    // Its second and third cluster change places, in both tables: as many, and well linked.
    let (reserved, length) = (usize::from(image[14]), usize::from(image[22]));
    for table in [reserved, reserved + length] {
        let links = [(first, first + 2), (first + 2, first + 1), (first + 1, first + 3)];
        for (from, to) in links {
            let at = table * 512 + from * 2;
            image[at..at + 2].copy_from_slice(&u16::try_from(to).unwrap().to_le_bytes());
        }
    }
    let refused = erase_by(&mut image, &mut survey, clip, size).unwrap_err();
    assert!(refused.to_string().contains("other clusters than when"), "{refused}");
    // A walk of today finds nothing wrong with it.
    erase_by(&mut image, &mut None, clip, size).unwrap();
}

#[test]
fn what_a_walk_refuses_a_survey_refuses() {
    let mut image = fixture("fat16");
    let clip = entry_of_clip(&image);
    let text = image.windows(11).position(|window| window == b"A       TXT").unwrap();
    let first = u16::from_le_bytes([image[clip + 26], image[clip + 27]]) + 3;
    image[text + 26..text + 28].copy_from_slice(&first.to_le_bytes());
    let mut survey = None;
    for (name, size) in [("DCIM/100MEDIA/CLIP0002.MP4", 20_480), ("A.TXT", 512)] {
        let refused = erase_by(&mut image, &mut survey, name, size).unwrap_err();
        assert!(matches!(refused, VolumeError::NotSafeToErase { .. }), "{name}: {refused}");
    }
    // A folder that is another one once more: not everything was seen.
    let mut image = fixture("fat16");
    let find = |image: &[u8], name: &[u8; 11]| image.windows(11).position(|w| w == name).unwrap();
    let (media, dcim) = (find(&image, b"100MEDIA   "), find(&image, b"DCIM       "));
    let first = [image[dcim + 26], image[dcim + 27]];
    image[media + 26..media + 28].copy_from_slice(&first);
    let refused = erase_by(&mut image, &mut None, "A.TXT", 512).unwrap_err();
    assert!(refused.to_string().contains("not everything"), "{refused}");
}

// --- what it costs -------------------------------------------------------------------------------

const FILES: usize = 4000;
const RESERVED: usize = 1;
const ROOT_SECTORS: usize = 32;
const CLUSTERS: usize = 65_000;

/// FAT16 with one folder of [`FILES`] files of two clusters each, spread over the volume.
fn full_card() -> Vec<u8> {
    let table_sectors = (CLUSTERS + 2) * 2 / 512 + 1;
    let data = RESERVED + 2 * table_sectors + ROOT_SECTORS;
    let mut image = vec![0; (data + CLUSTERS) * 512];
    let put = |image: &mut [u8], at: usize, bytes: &[u8]| {
        image[at..at + bytes.len()].copy_from_slice(bytes);
    };
    put(&mut image, 0, &[0xeb, 0x3c, 0x90]);
    put(&mut image, 3, b"BYHAND  ");
    put(&mut image, 11, &512u16.to_le_bytes());
    put(&mut image, 13, &[1, RESERVED as u8, 0, 2]);
    put(&mut image, 17, &512u16.to_le_bytes());
    put(&mut image, 21, &[0xf8]);
    put(&mut image, 22, &(table_sectors as u16).to_le_bytes());
    let sectors = (data + CLUSTERS) as u32;
    put(&mut image, 32, &sectors.to_le_bytes());
    put(&mut image, 38, b"\x29\x01\x02\x03\x04NO NAME    FAT16   ");
    put(&mut image, 510, &[0x55, 0xaa]);
    let link = |image: &mut [u8], cluster: usize, value: u16| {
        for table in [RESERVED, RESERVED + table_sectors] {
            put(image, table * 512 + cluster * 2, &value.to_le_bytes());
        }
    };
    link(&mut image, 0, 0xfff8);
    link(&mut image, 1, 0xffff);
    let folder = (FILES + 2) * 32 / 512 + 1;
    for cluster in 2..2 + folder {
        let next = if cluster + 1 < 2 + folder { cluster as u16 + 1 } else { 0xffff };
        link(&mut image, cluster, next);
    }
    let mut entry = |at: usize, name: &str, kind: u8, first: usize, size: u32| {
        image[at..at + 11].copy_from_slice(name.as_bytes());
        image[at + 11] = kind;
        image[at + 24..at + 26].copy_from_slice(&0x5c21u16.to_le_bytes());
        image[at + 26..at + 28].copy_from_slice(&(first as u16).to_le_bytes());
        image[at + 28..at + 32].copy_from_slice(&size.to_le_bytes());
    };
    entry((data - ROOT_SECTORS) * 512, "DCIM       ", 0x10, 2, 0);
    entry(data * 512, ".          ", 0x10, 2, 0);
    entry(data * 512 + 32, "..         ", 0x10, 0, 0);
    let place = |number: usize| 2 + folder + number * 15;
    for number in 0..FILES {
        let name = format!("CLIP{number:04}MP4");
        entry(data * 512 + (number + 2) * 32, &name, 0x20, place(number), 1000);
    }
    for number in 0..FILES {
        let cluster = place(number);
        link(&mut image, cluster, cluster as u16 + 1);
        link(&mut image, cluster + 1, 0xffff);
    }
    image
}

#[test]
fn erasing_thousands_of_files_costs_about_one_walk() {
    let mut image = full_card();
    let card = Card::open(&&image[..]).unwrap();
    let counted = Counted(&image, Cell::new(0));
    let listing = card.list(&counted).unwrap();
    assert_eq!((listing.files.len(), listing.caveats), (FILES, vec![]));
    let walk = counted.1.get();
    if tools::are_there() {
        let (clean, words) = tools::fsck(&image, false);
        assert!(clean, "{words}");
    }
    // One by one, each with a walk of its own.
    let alone = Counted(&image, Cell::new(0));
    card.erasure(&alone, &path("DCIM/CLIP0007.MP4"), 1000, None).unwrap();
    let alone = alone.1.get();
    let mut survey = None;
    let (mut all, mut later) = (0, 0);
    for number in 0..FILES {
        let name = format!("DCIM/CLIP{number:04}.MP4");
        let (_, read) = erase_by(&mut image, &mut survey, &name, 1000).unwrap();
        all += read;
        if number > 0 {
            later = later.max(read);
        }
    }
    println!(
        "a walk reads {walk} bytes; erasing a file with a walk of its own {alone}, each of {FILES} by \
         one survey at most {later}; all of them {all}"
    );
    assert!(alone > walk, "{alone} {walk}");
    // A window of the table, and a few sectors.
    assert!(later < 48 << 10, "{later}");
    assert!(contents(&image, &[]).is_empty());
    if tools::are_there() {
        let (clean, words) = tools::fsck(&image, false);
        assert!(clean, "{words}");
    }
}
