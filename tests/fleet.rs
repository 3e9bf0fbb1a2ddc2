//! The load program of `benches/fleet` with a small fleet: what it counts is what was built, and as
//! long as what goes over a socket.

#[path = "../benches/fleet/agenda.rs"]
mod agenda;
#[path = "../benches/fleet/bucket.rs"]
mod bucket;
#[path = "../benches/fleet/copying.rs"]
mod copying;
#[path = "../benches/fleet/day.rs"]
mod day;
#[path = "../benches/fleet/figures.rs"]
mod figures;
#[path = "../benches/fleet/fleet.rs"]
mod fleet;
#[path = "../benches/fleet/footage.rs"]
mod footage;
#[path = "../benches/fleet/line.rs"]
mod line;
#[path = "../benches/fleet/options.rs"]
mod options;
#[path = "../benches/fleet/report.rs"]
mod report;
#[path = "../benches/fleet/sending.rs"]
mod sending;
#[path = "../benches/fleet/station.rs"]
mod station;
#[path = "../benches/fleet/store.rs"]
mod store;
#[path = "../benches/fleet/summary.rs"]
mod summary;
#[path = "../benches/fleet/tally.rs"]
mod tally;

use bucket::Bucket;
use bwvdock::{
    spool::SpoolFile,
    store::{Limiter, S3, S3Options, Store as _},
    types::{
        Class, ObjectId, RecordingId, Sha256Digest,
        fact::{Content, Hashed, Part, PartTable, SealedObject},
    },
};
use options::Options;
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};
use tally::Kind;

fn small(arguments: &str) -> Options {
    let all = format!("--docks 2 --cameras 4 --every 1 --hours 0.4 {arguments}");
    Options::parse(all.split_whitespace().map(str::to_owned)).unwrap()
}

#[test]
fn every_segment_is_completed_once_and_every_request_is_counted() {
    for arguments in ["", "--lock"] {
        let options = small(arguments);
        let fleet = fleet::run(&options);
        assert_eq!(fleet.wrong, Vec::<String>::new());
        let summary = summary::summary(&fleet, &options);
        let objects = summary.objects_per_day as u64;
        assert_eq!(summary.docks_simulated, 2);
        let count = |kind| fleet.tally.row(kind).count;
        assert_eq!(count(Kind::CompleteMultipartUpload), objects);
        assert_eq!(count(Kind::GetObjectTagging), objects);
        let locks = if options.lock { objects } else { 0 };
        assert_eq!(
            (count(Kind::GetObjectRetention), count(Kind::GetObjectLegalHold)),
            (locks, locks)
        );
        let kept = (count(Kind::PutObjectTagging), count(Kind::PutObjectRetention));
        assert_eq!((kept, count(Kind::PutObjectLegalHold)), ((0, 0), 0), "Create gave all marks");
        assert_eq!(summary.all.per_day as u64, summary.requests_simulated);
        assert!(summary.bytes_per_day > 1e9 && summary.all.sent_bytes > summary.bytes_per_day);
        let text = report::Report(&summary, &options).to_string();
        assert!(text.contains("CompleteMultipartUpload") && !text.contains("WRONG"), "{text}");
    }
}

#[test]
fn the_same_seed_gives_the_same_day() {
    let day = || {
        let options = small("--interval 21600 --scrapes unwritten");
        let fleet = fleet::run(&options);
        // Families are written in no particular order.
        let lines = fleet.days.iter().flat_map(|day| day.scrapes.lines());
        let scrapes: std::collections::BTreeSet<_> = lines.map(str::to_owned).collect();
        (fleet.tally.total(), fleet.tally.peak(|kind| kind.is_write()), scrapes)
    };
    let one = day();
    assert!(one.2.len() > 500, "{} lines", one.2.len());
    let two = day();
    assert_eq!((one.0, one.1), (two.0, two.1));
    let other: Vec<_> = one.2.symmetric_difference(&two.2).take(4).collect();
    assert_eq!(other, Vec::<&String>::new());
}

#[test]
fn lost_work_is_found() {
    let options = small("");
    let door = Arc::new(store::Door::new(options.round_trip_ms));
    let mut station = station::Station::new(0, &options, 100, door.clone());
    station.run(&mut |_, _| {});
    assert_eq!(fleet::check(0, &station.day, &door), Vec::<String>::new());
    door.bucket().objects.pop_first();
    station.day.facts_placed += 1;
    assert!(fleet::check(0, &station.day, &door).len() >= 2);
}

fn object() -> SealedObject {
    let bytes = Hashed { size: 11, sha256: Sha256Digest::of(b"x") };
    SealedObject {
        id: ObjectId(uuid::Uuid::nil()),
        content: Content::Record(RecordingId(uuid::Uuid::nil())),
        plain: bytes,
        sealed: bytes,
        table: PartTable { part_size: 11, parts: vec![Part::from(bytes.sha256)] },
        key: "force/2026/03/02/object.age".into(),
        class: Class::Unreviewed,
        retain_until: None,
    }
}

/// Reads one request whole: its length.
fn read_request(stream: &mut TcpStream) -> u64 {
    let (mut all, mut byte) = (Vec::new(), [0]);
    while !all.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        all.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&all).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).unwrap();
    (all.len() + length) as u64
}

/// Makes each kind of call; how it ends is of no concern.
async fn call_all(door: &S3) {
    let (object, file) = (object(), SpoolFile::from_bytes(*b"sealed foot"));
    let _ = door.head(&object.key).await;
    let _ = door.open_uploads(&object.key).await;
    let _ = door.create(&object).await;
    let _ = door.put_part(&object, "an-upload", 1, &file).await;
    let _ = door.complete(&object, "an-upload", &["e".repeat(32)]).await;
    let _ = door.put_small("force/receipt", b"receipt".to_vec(), "application/json").await;
}

#[tokio::test]
async fn requests_are_counted_as_long_as_they_are_on_a_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let options = || {
        let endpoint = format!("http://{at}").parse().unwrap();
        let mut options = S3Options::new(endpoint, "evidence", "key", "secret".to_owned().into());
        options.clock = || station::at(0);
        options
    };
    let (counted, answered) = (Arc::new(Mutex::new(Vec::new())), Mutex::new(Bucket::new(0)));
    let kept = counted.clone();
    let answer = move |request: &reqwest::Request| {
        kept.lock().unwrap().push(bucket::sent_bytes(request));
        answered.lock().unwrap().answer(request)
    };
    let limiter = || Limiter::new(0, 0);
    call_all(&S3::answered_by(options(), limiter(), Arc::new(answer)).unwrap()).await;

    let server = std::thread::spawn(move || {
        let one = |_| {
            let (mut stream, _) = listener.accept().unwrap();
            let bytes = read_request(&mut stream);
            let answer = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer.as_bytes()).unwrap();
            bytes
        };
        (0..6).map(one).collect::<Vec<u64>>()
    });
    call_all(&S3::new(options(), limiter()).unwrap()).await;
    assert_eq!(*counted.lock().unwrap(), server.join().unwrap());
}
