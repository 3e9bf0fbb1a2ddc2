//! Cards that were made to hurt, and cards that fail.

use super::image::{content, contents, fixture, path};
use bwvdock::volume::{Card, ReadAt, VolumeError};
use proptest::prelude::*;
use std::{
    io::{self, Read as _},
    time::{Duration, Instant},
};

/// Does everything there is to do with an image, and says how much was read from it.
pub fn exercise(image: &[u8]) {
    let begun = Instant::now();
    let Ok(card) = Card::open(&image) else { return };
    let Ok(listing) = card.list(&image) else { return };
    assert!(listing.caveats.len() <= 400 && listing.unread.len() <= 400);
    for file in listing.files.iter().take(40) {
        if let Ok(reader) = card.read(image, &file.path, 0) {
            let mut taken = reader.take(1 << 20);
            let mut buffer = vec![0; 64 << 10];
            while let Ok(1..) = taken.read(&mut buffer) {}
        }
        if let Ok(mut erasure) = card.erasure(&image, &file.path, file.size, file.modified_ms) {
            let mut changed = image.to_vec();
            while let Ok(Some(change)) = erasure.step(&&changed[..]) {
                super::apply(&mut changed, &change);
            }
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

/// Where the metadata of a fixture lies, in sectors.
fn interesting(image: &[u8]) -> Vec<usize> {
    let sector = |at: usize| image[at * 512..at * 512 + 512].iter().any(|byte| *byte != 0);
    (0..image.len() / 512).filter(|at| sector(*at)).take(400).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(mut bytes in prop::collection::vec(any::<u8>(), 0..8192), signed: bool) {
        if signed && bytes.len() >= 512 {
            bytes[510..512].copy_from_slice(&[0x55, 0xaa]);
        }
        exercise(&bytes);
    }

    #[test]
    fn changed_images_are_survived(
        which in 0..3usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..512usize, any::<u8>()), 1..24),
        end in prop::option::of(0.0..1.0f64),
    ) {
        let mut image = fixture(["fat12", "fat16", "exfat"][which]);
        let sectors = interesting(&image);
        for (sector, at, byte) in changes {
            image[sector.get(&sectors) * 512 + at] = byte;
        }
        if let Some(end) = end {
            image.truncate((image.len() as f64 * end) as usize);
        }
        exercise(&image);
    }

    #[test]
    fn absurd_boot_sectors_are_survived(
        exfat: bool,
        changes in prop::collection::vec((11..120usize, any::<u8>()), 1..12),
    ) {
        let mut image = fixture(if exfat { "exfat" } else { "fat16" });
        for (at, byte) in changes {
            image[at] = byte;
        }
        exercise(&image);
    }
}

/// A device with sectors that cannot be read.
struct Worn<'a>(&'a [u8], std::ops::Range<u64>);

impl ReadAt for Worn<'_> {
    fn bytes(&self) -> u64 {
        self.0.len() as u64
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        if offset < self.1.end && self.1.start < offset + buffer.len() as u64 {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.0.read_at(offset, buffer)
    }
}

fn find(image: &[u8], bytes: &[u8]) -> usize {
    image.windows(bytes.len()).position(|window| window == bytes).unwrap()
}

#[test]
fn a_file_is_read_up_to_the_bad_sector_and_then_says_so() {
    let image = fixture("fat32");
    let card = Card::open(&&image[..]).unwrap();
    let clip = path("DCIM/100MEDIA/CLIP0002.MP4");
    let whole = content(&card, &&image[..], &clip).unwrap();
    let at = find(&image, &whole[10_240..10_752]) as u64;
    let worn = Worn(&image, at..at + 512);
    let mut reader = card.read(&worn, &clip, 0).unwrap();
    let mut bytes = Vec::new();
    let failed = reader.read_to_end(&mut bytes).unwrap_err();
    assert_eq!((bytes.len(), failed.raw_os_error()), (10_240, Some(5)));
    assert_eq!(bytes, whole[..10_240]);
    let mut rest = Vec::new();
    card.read(&worn, &clip, 10_752).unwrap().read_to_end(&mut rest).unwrap();
    assert_eq!(rest, whole[10_752..]);
}

#[test]
fn an_unreadable_part_of_a_folder_is_told_and_the_rest_is_listed() {
    let image = fixture("fat32");
    let at = find(&image, b"CLIP0001MP4") as u64 / 512 * 512;
    let worn = Worn(&image, at..at + 512);
    let card = Card::open(&worn).unwrap();
    let listing = card.list(&worn).unwrap();
    assert!(listing.unread.iter().any(|c| c.contains("cannot be read")), "{:?}", listing.unread);
    assert!(listing.files.iter().any(|file| file.path == path("readme.txt")));
    let file = listing.files.iter().find(|file| file.path == path("A.TXT")).unwrap();
    let refused = card.erasure(&worn, &file.path, file.size, None).unwrap_err();
    assert!(refused.to_string().contains("not everything"), "{refused}");
    // Not found where not all was seen is not the same as gone.
    let lost = card.erasure(&worn, &path("DCIM/100MEDIA/CLIP0001.MP4"), 9000, None).unwrap_err();
    assert!(matches!(lost, VolumeError::Io { .. }), "{lost}");
}

#[test]
fn an_unreadable_table_is_read_from_its_copy_and_nothing_is_erased() {
    let image = fixture("fat16");
    let table = u64::from(u16::from_le_bytes([image[14], image[15]])) * 512;
    let worn = Worn(&image, table..table + 512);
    let card = Card::open(&worn).unwrap();
    let listing = card.list(&worn).unwrap();
    assert!(listing.caveats.iter().any(|c| c.contains("second copy")), "{:?}", listing.caveats);
    let clip = path("DCIM/100MEDIA/CLIP0002.MP4");
    assert_eq!(content(&card, &worn, &clip).unwrap().len(), 20_480);
    assert!(card.erasure(&worn, &clip, 20_480, None).is_err());
}

/// The entry of a short name in a FAT image, and its first cluster.
fn entry(image: &[u8], short: &[u8; 11]) -> (usize, u16) {
    let at = find(image, short);
    (at, u16::from_le_bytes([image[at + 26], image[at + 27]]))
}

fn set_link(image: &mut [u8], cluster: u16, value: u16) {
    let (reserved, length) = (image[14] as usize, image[22] as usize);
    for table in [reserved, reserved + length] {
        let at = table * 512 + usize::from(cluster) * 2;
        image[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
}

fn caveats(image: &[u8]) -> String {
    let listing = Card::open(&image).unwrap().list(&image).unwrap();
    [listing.caveats, listing.unread].concat().join("\n")
}

#[test]
fn shared_clusters_are_told_and_neither_file_is_erased() {
    let mut image = fixture("fat16");
    let (_, clip) = entry(&image, b"CLIP0002MP4");
    let (text, _) = entry(&image, b"A       TXT");
    image[text + 26..text + 28].copy_from_slice(&(clip + 3).to_le_bytes());
    assert!(caveats(&image).contains("share clusters"), "{}", caveats(&image));
    let card = Card::open(&&image[..]).unwrap();
    for (name, size) in [("DCIM/100MEDIA/CLIP0002.MP4", 20_480), ("A.TXT", 512)] {
        let refused = card.erasure(&&image[..], &path(name), size, None).unwrap_err();
        assert!(matches!(refused, VolumeError::NotSafeToErase { .. }), "{refused}");
    }
}

#[test]
fn rings_early_ends_and_wild_links_are_told_and_read_as_far_as_they_go() {
    let (_, first) = entry(&fixture("fat16"), b"CLIP0002MP4");
    let clip = path("DCIM/100MEDIA/CLIP0002.MP4");
    for (link, words) in [
        (first, "comes back"),
        (0xffff, "ends there"),
        (0, "free cluster"),
        (0xfff7, "bad cluster"),
        (0xfff0, "leaves the volume"),
    ] {
        let mut image = fixture("fat16");
        set_link(&mut image, first + 5, link);
        assert!(caveats(&image).contains(words), "{words}: {}", caveats(&image));
        let card = Card::open(&&image[..]).unwrap();
        let mut bytes = Vec::new();
        let read = card.read(&image[..], &clip, 0).unwrap().read_to_end(&mut bytes);
        assert!(read.is_err() && bytes.len() <= 20_480 && bytes.len() >= 5 * 512, "{words}");
        let refused = card.erasure(&&image[..], &clip, 20_480, None).unwrap_err();
        assert!(matches!(refused, VolumeError::NotSafeToErase { .. }), "{words}: {refused}");
    }
}

#[test]
fn a_folder_within_itself_ends_and_a_file_cut_off_while_recording_is_told() {
    let mut image = fixture("fat16");
    let (media, _) = entry(&image, b"100MEDIA   ");
    let (_, dcim) = entry(&image, b"DCIM       ");
    image[media + 26..media + 28].copy_from_slice(&dcim.to_le_bytes());
    assert!(caveats(&image).contains("once more"), "{}", caveats(&image));
    let mut image = fixture("fat16");
    let (clip, _) = entry(&image, b"CLIP0001MP4");
    image[clip + 28..clip + 32].fill(0);
    assert!(caveats(&image).contains("a recording that was cut off?"), "{}", caveats(&image));
}

#[test]
fn an_entry_set_that_fails_its_checksum_is_read_and_not_erased() {
    let mut image = fixture("exfat");
    let name: Vec<u8> = "A.TXT".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let at = find(&image, &name) - 2 - 64;
    assert_eq!(image[at], 0x85);
    image[at + 2] ^= 1;
    assert!(caveats(&image).contains("fails its checksum"), "{}", caveats(&image));
    assert!(contents(&image, &["checksum"]).contains_key("A.TXT"));
    let card = Card::open(&&image[..]).unwrap();
    assert!(card.erasure(&&image[..], &path("A.TXT"), 512, None).is_err());
}

#[test]
fn a_damaged_boot_region_of_exfat_is_read_by_its_second_copy() {
    let mut image = fixture("exfat");
    let whole = contents(&image, &[]);
    image[92..96].fill(0xff);
    assert_eq!(contents(&image, &["boot region"]), whole);
}

#[test]
fn other_file_systems_are_named() {
    for (at, magic, name) in
        [(3, &b"NTFS    "[..], "NTFS"), (0x438, b"\x53\xef", "ext4"), (0, b"LUKS\xba\xbe", "LUKS")]
    {
        let mut image = vec![0; 128 << 10];
        image[at..at + magic.len()].copy_from_slice(magic);
        let refused = Card::open(&&image[..]).unwrap_err().to_string();
        assert!(refused.contains(name) && refused.contains("administrator"), "{refused}");
    }
}

/// An MBR with two partitions at 1 MiB and after it.
fn partitioned(first: &[u8], second: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 1 << 20];
    for (number, volume) in [first, second].into_iter().enumerate() {
        let at = 446 + number * 16;
        let sector = (image.len() / 512) as u32;
        image[at + 4] = 7;
        image[at + 8..at + 12].copy_from_slice(&sector.to_le_bytes());
        image[at + 12..at + 16].copy_from_slice(&((volume.len() / 512) as u32).to_le_bytes());
        image.extend_from_slice(volume);
    }
    image[510..512].copy_from_slice(&[0x55, 0xaa]);
    image
}

#[test]
fn partitions_are_read_each_in_a_folder_and_a_single_one_without() {
    let (fat, exfat) = (fixture("fat12"), fixture("exfat"));
    let found = contents(&partitioned(&fat, &exfat), &[]);
    assert!(found.contains_key("volume-1/A.TXT") && found.contains_key("volume-2/A.TXT"));
    let mut ext = vec![0; 128 << 10];
    ext[0x438..0x43a].copy_from_slice(b"\x53\xef");
    let found = contents(&partitioned(&ext, &exfat), &["partition 1 is not read: it holds ext2"]);
    assert!(found.contains_key("A.TXT"));
    let (changes, _) = super::erase(&partitioned(&ext, &exfat), "A.TXT");
    assert!(!changes.is_empty());
}
