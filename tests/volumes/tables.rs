//! Partition tables: GPT and logical partitions, sound ones as other programs make them, and ones
//! that were made to hurt.

use super::{
    hostile::exercise,
    image::{contents, fixture, path},
    tools,
};
use bwvdock::volume::{Card, VolumeError};
use proptest::prelude::*;

const CLIP: &str = "DCIM/100MEDIA/CLIP0002.MP4";
const CLIP_BYTES: u64 = 20_480;
/// Where the first partition of these images begins, bytes.
const FIRST: usize = 1 << 20;

fn put(image: &mut [u8], at: usize, bytes: &[u8]) {
    image[at..at + bytes.len()].copy_from_slice(bytes);
}

fn put_u32(image: &mut [u8], at: usize, number: u32) {
    put(image, at, &number.to_le_bytes());
}

fn put_u64(image: &mut [u8], at: usize, number: u64) {
    put(image, at, &number.to_le_bytes());
}

/// CRC-32 as GPT has it (UEFI 2.10, 5.3.2), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

/// Everything that is said of a card, and whether its clip may be erased.
fn said(image: &[u8]) -> String {
    match Card::open(&image) {
        Ok(card) => {
            let listing = card.list(&image).unwrap();
            [listing.caveats, listing.unread].concat().join("\n")
        }
        Err(error) => error.to_string(),
    }
}

fn refuses_to_erase(image: &[u8], name: &str) -> bool {
    let card = Card::open(&image).unwrap();
    match card.erasure(&image, &path(name), CLIP_BYTES, None) {
        Ok(_) => false,
        Err(VolumeError::NotSafeToErase { .. }) => true,
        Err(error) => panic!("{error}"),
    }
}

// --- GPT ---------------------------------------------------------------------------------------

/// A card with a GPT.
struct Gpt {
    image: Vec<u8>,
    block: usize,
}

impl Gpt {
    /// Volumes one after the other, each with a partition of its own.
    fn of(volumes: &[&[u8]], block: usize) -> Self {
        let mut image = vec![0; FIRST];
        image[446 + 4] = 0xee;
        put(&mut image, 510, &[0x55, 0xaa]);
        let mut places = Vec::new();
        for volume in volumes {
            places.push((image.len(), volume.len()));
            image.extend_from_slice(volume);
        }
        image.resize((image.len() / block + 40) * block, 0);
        let mut gpt = Self { image, block };
        let last = gpt.last();
        for (header, entries) in [(1, 2), (last, last - 33)] {
            for (number, (start, bytes)) in places.iter().enumerate() {
                let at = entries * block + number * 128;
                put(&mut gpt.image, at, &[7; 16]);
                put_u64(&mut gpt.image, at + 32, (start / block) as u64);
                put_u64(&mut gpt.image, at + 40, ((start + bytes) / block - 1) as u64);
            }
            let at = header * block;
            put(&mut gpt.image, at, b"EFI PART");
            put_u32(&mut gpt.image, at + 12, 92);
            put_u64(&mut gpt.image, at + 24, header as u64);
            put_u64(&mut gpt.image, at + 72, entries as u64);
            put_u32(&mut gpt.image, at + 80, 128);
            put_u32(&mut gpt.image, at + 84, 128);
            gpt.sum(header);
        }
        gpt
    }

    /// The block of the second header.
    fn last(&self) -> usize {
        self.image.len() / self.block - 1
    }

    /// Makes the sums of a header true, where what it says of its entries makes any sense.
    fn sum(&mut self, header: usize) {
        let (block, image) = (self.block, &mut self.image[..]);
        let at = header * block;
        let number = |image: &[u8], at: usize| {
            usize::try_from(u32::from_le_bytes(image[at..at + 4].try_into().unwrap())).unwrap()
        };
        let first = u64::from_le_bytes(image[at + 72..at + 80].try_into().unwrap());
        let bytes = number(image, at + 80).saturating_mul(number(image, at + 84));
        let from = usize::try_from(first.saturating_mul(block as u64)).unwrap();
        let entries = image.get(from..from.saturating_add(bytes)).map_or(0, crc32);
        put_u32(image, at + 88, entries);
        put_u32(image, at + 16, 0);
        let length = number(image, at + 12).min(block);
        let sum = crc32(&image[at..at + length]);
        put_u32(image, at + 16, sum);
    }

    /// Changes the first entry in both copies, and makes their sums true.
    fn change(&mut self, change: impl Fn(&mut [u8])) -> &[u8] {
        let last = self.last();
        for (header, entries) in [(1, 2), (last, last - 33)] {
            let at = entries * self.block;
            change(&mut self.image[at..at + 128]);
            self.sum(header);
        }
        &self.image
    }
}

#[test]
fn a_gpt_of_either_block_size_is_read_and_erased_from() {
    for block in [512, 4096] {
        let (fat, exfat) = (fixture("fat16"), fixture("exfat"));
        let gpt = Gpt::of(&[&fat, &exfat], block);
        let found = contents(&gpt.image, &[]);
        for (name, sum) in contents(&exfat, &[]) {
            assert_eq!(found.get(&format!("volume-2/{name}")), Some(&sum), "{name}");
        }
        assert!(found.contains_key(&format!("volume-1/{CLIP}")));
        assert!(!refuses_to_erase(&gpt.image, &format!("volume-1/{CLIP}")));
    }
}

#[test]
fn a_damaged_gpt_is_read_by_its_second_copy_and_nothing_is_erased() {
    let volume = fixture("fat16");
    let whole = contents(&volume, &[]);
    // A byte of the header, of its own sum, and of the entries, whose sum is in the header.
    for at in [512 + 60, 512 + 16, 512 + 72, 1024 + 33, 1024 + 127 * 128] {
        let mut image = Gpt::of(&[&volume], 512).image;
        image[at] ^= 0x10;
        let told = ["its second copy was used", "partition table is not sound"];
        assert_eq!(contents(&image, &told), whole, "byte {at}");
        assert!(said(&image).contains("second copy"), "byte {at}");
        assert!(refuses_to_erase(&image, CLIP), "byte {at}");
    }
}

#[test]
fn a_gpt_whose_copies_are_both_damaged_is_told() {
    let mut gpt = Gpt::of(&[&fixture("fat16")], 512);
    let last = gpt.last();
    for header in [1, last] {
        gpt.image[header * 512 + 60] ^= 1;
    }
    let words = said(&gpt.image);
    assert!(words.contains("the partition table (GPT) is damaged, and so is its copy"), "{words}");
    // Nor is one with true sums believed that says impossible things of itself.
    for (at, number) in [(12, 0), (12, 91), (12, u32::MAX), (80, u32::MAX), (84, 0), (84, 127)] {
        let mut gpt = Gpt::of(&[&fixture("fat16")], 512);
        for header in [1, last] {
            put_u32(&mut gpt.image, header * 512 + at, number);
            if at != 12 {
                gpt.sum(header);
            }
        }
        assert!(said(&gpt.image).contains("damaged"), "{at} {number}: {}", said(&gpt.image));
    }
}

#[test]
fn gpt_partitions_that_overlap_or_lie_beyond_the_end_are_told() {
    let (fat, exfat) = (fixture("fat16"), fixture("exfat"));
    let mut gpt = Gpt::of(&[&fat, &exfat], 512);
    let second = ((FIRST + fat.len()) / 512) as u64;
    let words = gpt.change(|entry| put_u64(entry, 40, second + 9));
    assert!(said(words).contains("partitions 1 and 2 overlap"), "{}", said(words));
    assert!(contents(&gpt.image, &["overlap", "table is not sound"]).len() > 10);
    assert!(refuses_to_erase(&gpt.image, &format!("volume-1/{CLIP}")));
    assert!(refuses_to_erase(&gpt.image, &format!("volume-2/{CLIP}")));
    for (first, last) in [(1 << 40, 1 << 41), (u64::MAX, u64::MAX), (u64::MAX - 1, u64::MAX)] {
        let mut gpt = Gpt::of(&[&fat, &exfat], 512);
        let image = gpt.change(|entry| {
            put_u64(entry, 32, first);
            put_u64(entry, 40, last);
        });
        let words = said(image);
        assert!(words.contains("partition 1 begins beyond the end of the card"), "{words}");
        assert!(contents(image, &["beyond the end"]).contains_key(CLIP));
    }
    // Cut short, it still begins on the card.
    let gpt = Gpt::of(&[&fat], 512);
    let cut = &gpt.image[..FIRST + fat.len() / 2];
    assert!(said(cut).contains("goes on beyond the card's end"), "{}", said(cut));
    assert!(refuses_to_erase(cut, CLIP));
    // From its last block to its first: nothing.
    let mut gpt = Gpt::of(&[&fat, &exfat], 512);
    let image = gpt.change(|entry| put_u64(entry, 40, 1));
    assert!(contents(image, &[]).contains_key(CLIP), "only the second is left");
}

// --- logical partitions --------------------------------------------------------------------------

/// A card with one primary partition and an extended one from `extended` on (sectors).
struct Mbr {
    image: Vec<u8>,
    extended: usize,
}

/// One entry of a table: type, first sector, sectors.
fn entry(image: &mut [u8], table: usize, number: usize, kind: u8, first: usize, count: usize) {
    let at = table * 512 + 446 + number * 16;
    image[at + 4] = kind;
    put_u32(image, at + 8, u32::try_from(first).unwrap());
    put_u32(image, at + 12, u32::try_from(count).unwrap());
    put(image, table * 512 + 510, &[0x55, 0xaa]);
}

impl Mbr {
    fn new(primary: &[u8]) -> Self {
        let mut image = vec![0; FIRST];
        image.extend_from_slice(primary);
        entry(&mut image, 0, 0, 0x0c, FIRST / 512, primary.len() / 512);
        let extended = image.len() / 512;
        entry(&mut image, 0, 1, 0x05, extended, 1 << 20);
        Self { image, extended }
    }

    /// Adds a logical partition, whose table stands 63 sectors before it; gives that table's place.
    fn add(&mut self, volume: &[u8]) -> usize {
        let table = self.image.len() / 512;
        self.image.resize((table + 63) * 512, 0);
        self.image.extend_from_slice(volume);
        entry(&mut self.image, table, 0, 0x0c, 63, volume.len() / 512);
        table
    }

    /// Lets the table at `from` lead to the one at `to`.
    fn link(&mut self, from: usize, to: usize) {
        entry(&mut self.image, from, 1, 0x05, to - self.extended, 100);
    }

    fn three() -> (Self, [usize; 3]) {
        let small = fixture("fat12");
        let mut mbr = Self::new(&small);
        let tables = [small, fixture("fat16"), fixture("exfat")].map(|volume| mbr.add(&volume));
        mbr.link(tables[0], tables[1]);
        mbr.link(tables[1], tables[2]);
        (mbr, tables)
    }
}

#[test]
fn logical_partitions_are_read_and_erased_from() {
    let (mbr, _) = Mbr::three();
    let found = contents(&mbr.image, &[]);
    for number in [1, 5, 6, 7] {
        assert!(found.contains_key(&format!("volume-{number}/{CLIP}")), "volume-{number}");
    }
    for number in [6, 7] {
        assert!(!refuses_to_erase(&mbr.image, &format!("volume-{number}/{CLIP}")));
    }
}

#[test]
fn logical_partitions_may_stand_in_any_order() {
    let (mut mbr, [first, second, third]) = Mbr::three();
    // As a partition that was deleted and made anew leaves it: the last one leads back.
    mbr.link(first, third);
    mbr.link(third, second);
    entry(&mut mbr.image, second, 1, 0, 0, 0);
    let found = contents(&mbr.image, &[]);
    assert!(found.contains_key(&format!("volume-6/{CLIP}")));
    assert!(found.contains_key(&format!("volume-7/{CLIP}")));
}

#[test]
fn a_ring_of_logical_partitions_ends_and_is_told() {
    for back_to in 0..3 {
        let (mut mbr, tables) = Mbr::three();
        mbr.link(tables[2], tables[back_to]);
        let words = said(&mbr.image);
        assert!(words.contains("comes back to one before partition 8"), "{back_to}: {words}");
        let found = contents(&mbr.image, &["comes back"]);
        assert!(found.contains_key(&format!("volume-7/{CLIP}")), "{back_to}");
    }
}

#[test]
fn a_damaged_or_missing_table_of_a_logical_partition_is_told() {
    let (mbr, [_, second, third]) = Mbr::three();
    let mut image = mbr.image.clone();
    image[second * 512 + 510] = 0;
    assert!(said(&image).contains("the table of the logical partition 6 is damaged"));
    let cut = &mbr.image[..third * 512 + 100];
    assert!(said(cut).contains("the table of the logical partition 7 is damaged"), "{}", said(cut));
    let mut mbr = mbr;
    mbr.link(third, mbr.extended + (1 << 22));
    assert!(said(&mbr.image).contains("the table of the logical partition 8 is damaged"));
}

#[test]
fn a_list_of_logical_partitions_without_end_is_not_followed_for_ever() {
    let mut mbr = Mbr::new(&fixture("fat16"));
    let tables: Vec<usize> = (0..200).map(|number| mbr.extended + number).collect();
    mbr.image.resize((mbr.extended + 200) * 512, 0);
    for pair in tables.windows(2) {
        mbr.link(pair[0], pair[1]);
    }
    let words = said(&mbr.image);
    assert!(words.contains("more than 64 logical partitions"), "{words}");
    assert!(contents(&mbr.image, &["more than 64"]).contains_key(CLIP));
}

#[test]
fn a_logical_partition_over_others_or_over_a_table_is_read_and_nothing_is_erased() {
    let (mut mbr, [first, second, _]) = Mbr::three();
    // Its volume is at its old place, and the partition goes on over the next table.
    let long = second - first;
    entry(&mut mbr.image, first, 0, 0x0c, 63, long);
    assert!(said(&mbr.image).contains("partition 5 lies over a partition table"));
    assert!(refuses_to_erase(&mbr.image, &format!("volume-6/{CLIP}")));
    entry(&mut mbr.image, first, 0, 0x0c, 63, long + 400);
    assert!(said(&mbr.image).contains("partitions 5 and 6 overlap"), "{}", said(&mbr.image));
    assert!(refuses_to_erase(&mbr.image, &format!("volume-7/{CLIP}")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn changed_tables_are_survived(
        changes in prop::collection::vec((0..4usize, 446..512usize, any::<u8>()), 1..12),
    ) {
        let (mut mbr, [first, second, third]) = Mbr::three();
        for (table, at, byte) in changes {
            mbr.image[[0, first, second, third][table] * 512 + at] = byte;
        }
        exercise(&mbr.image);
    }

    #[test]
    fn changed_gpts_with_true_sums_are_survived(
        header in prop::collection::vec((12..92usize, any::<u8>()), 0..4),
        entry in prop::collection::vec((0..128usize, any::<u8>()), 0..8),
    ) {
        let mut gpt = Gpt::of(&[&fixture("fat12"), &fixture("exfat")], 512);
        for (at, byte) in header {
            gpt.image[512 + at] = byte;
        }
        for (at, byte) in entry {
            gpt.image[1024 + at] = byte;
        }
        gpt.sum(1);
        exercise(&gpt.image);
    }
}

// --- as other programs make them -----------------------------------------------------------------

#[test]
fn tables_made_by_sfdisk_are_read() {
    if !tools::are_there() {
        return;
    }
    let (fat, exfat) = (fixture("fat16"), fixture("exfat"));
    let gpt = "label: gpt\nstart=2048, size=16384\nstart=20480, size=8192\n";
    let dos = "label: dos\nstart=2048, size=16384, type=c\nstart=18432, size=40960, type=5\n\
               start=20480, size=8192, type=7\nstart=32768, size=16384, type=c\n";
    for (script, volumes) in [
        (gpt, vec![(1, 2048, &fat), (2, 20480, &exfat)]),
        (dos, vec![(1, 2048, &fat), (5, 20480, &exfat), (6, 32768, &fat)]),
    ] {
        let mut image = tools::sfdisk(script, 60_000 * 512);
        for (_, start, volume) in &volumes {
            put(&mut image, start * 512, volume);
        }
        let found = contents(&image, &[]);
        for (number, _, volume) in volumes {
            for (name, sum) in contents(volume, &[]) {
                let name = format!("volume-{number}/{name}");
                assert_eq!(found.get(&name), Some(&sum), "{name}");
            }
            assert!(!refuses_to_erase(&image, &format!("volume-{number}/{CLIP}")), "{number}");
        }
    }
}
