//! All docks, one after the other on each core: they meet in the store only.

use crate::{day::Day, figures, options::Options, station::Station, store::Door, tally::Tally};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

/// What the whole fleet came to; counts are of the docks that were simulated.
#[derive(Default)]
pub struct Fleet {
    pub tally: Tally,
    pub days: Vec<Day>,
    /// What a store would have refused, or what is not as often as it must be.
    pub wrong: Vec<String>,
}

/// Which line a dock has: the shares, laid over the docks in turn.
fn line(number: u32, options: &Options) -> u32 {
    // The golden ratio spreads any shares evenly over any run of docks.
    let mut place = (f64::from(number) * 0.618_033_988_749_895).fract();
    for (mbit, share) in &options.lines {
        if place < *share {
            return *mbit;
        }
        place -= share;
    }
    options.lines.last().map_or(100, |(mbit, _)| *mbit)
}

pub fn run(options: &Options) -> Fleet {
    let next = AtomicU32::new(0);
    let fleet = Mutex::new(Fleet::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed) * options.every;
                    if number >= options.docks {
                        return;
                    }
                    // A bucket of its own: no dock's object outlives its day in memory.
                    let door = Arc::new(Door::new(options.round_trip_ms));
                    let day = one(number, options, door.clone());
                    let mut fleet = fleet.lock().unwrap_or_else(PoisonError::into_inner);
                    fleet.wrong.extend(check(number, &day, &door));
                    fleet.tally.add(&door.bucket().tally);
                    let written = options.exposition.as_ref().map(|folder| {
                        let path =
                            std::path::Path::new(folder).join(format!("dock-{number:03}.txt"));
                        std::fs::write(path, &day.exposition)
                    });
                    if let Some(Err(error)) = written {
                        fleet.wrong.push(format!("the exposition cannot be written: {error}"));
                    }
                    fleet.days.push(Day { exposition: String::new(), ..day });
                    if !options.json && fleet.days.len().is_multiple_of(20) {
                        eprintln!("{} docks simulated", fleet.days.len());
                    }
                }
            });
        }
    });
    fleet.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn one(number: u32, options: &Options, door: Arc<Door>) -> Day {
    let mut station = Station::new(number, options, line(number, options), door);
    let interval = i64::from(options.interval_s) * 1000;
    let (mut series, mut bytes, mut text) = (Vec::new(), Vec::new(), String::new());
    let (mut of_cameras, mut longest) = (0, String::new());
    station.run(&mut |station, ms| {
        let wanted = options.scrapes.is_some() && ms % interval == 0;
        // Once an hour is enough to know how much there is.
        if ms >= 24 * 3600 * 1000 || !(wanted || ms % 3_600_000 == 0) {
            return;
        }
        let [told, older] = figures::scrape(station, ms);
        if older.len() > longest.len() {
            longest = older;
        }
        series.push(figures::series(&told));
        of_cameras = of_cameras.max(told.matches("camera=\"").count() as u64);
        bytes.push(told.len() as u64);
        if wanted {
            figures::dated(&mut text, &told, &format!("dock-{number:03}"), ms);
        }
    });
    Day {
        series,
        series_of_cameras: of_cameras,
        exposition_bytes: bytes,
        scrapes: text,
        exposition: longest,
        ..std::mem::take(&mut station.day)
    }
}

/// Conservation: every file and every description was created, completed, proved, marked and
/// receipted once, every part arrived once, and the store counted what the dock remembers.
pub fn check(number: u32, day: &Day, door: &Door) -> Vec<String> {
    use crate::tally::Kind;
    let bucket = door.bucket();
    let counted = |kind| bucket.tally.row(kind).count;
    let parts: u64 = bucket.objects.values().map(|object| object.parts).sum();
    let kept = bucket.objects.len() as u64;
    let expected = day.files + day.recordings;
    let mut wrong: Vec<String> = bucket.odd.iter().take(5).cloned().collect();
    for (what, found, expected) in [
        ("objects kept", kept, expected),
        ("uploads begun, by the log", day.facts_created, expected),
        ("CreateMultipartUpload", counted(Kind::CreateMultipartUpload), expected),
        ("CompleteMultipartUpload", counted(Kind::CompleteMultipartUpload), expected),
        ("objects stored, by the log", day.facts_stored, expected),
        ("objects marked, by the log", day.facts_marked, expected),
        ("receipts, by the log", day.facts_receipted, expected),
        ("receipts placed, by the log", day.facts_placed, expected),
        ("receipts kept", bucket.receipts.len() as u64, expected),
        ("PutObject", counted(Kind::PutObject), expected),
        // Before it is sent, when it is proved, for the receipt, and before its file is erased; and
        // once more whenever it goes on after it gave way.
        (
            "HeadObject",
            counted(Kind::HeadObject) - counted(Kind::ListParts),
            3 * expected + day.files,
        ),
        ("UploadPart", counted(Kind::UploadPart), parts),
        ("parts, by the log", day.facts_parts, parts),
    ] {
        if found != expected {
            wrong.push(format!("{what}: {found}, not {expected}"));
        }
    }
    wrong.iter().map(|words| format!("dock {number}: {words}")).collect()
}
