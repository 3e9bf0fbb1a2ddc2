//! The load program of `benches/fleet` with a small fleet: what it counts is what was built.

#[path = "../benches/fleet/bucket.rs"]
mod bucket;
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
#[path = "../benches/fleet/station.rs"]
mod station;
#[path = "../benches/fleet/store.rs"]
mod store;
#[path = "../benches/fleet/tally.rs"]
mod tally;

use options::Options;

fn small() -> Options {
    Options { docks: 2, cameras: 6, hours: 0.5, ..Options::default() }
}

#[test]
fn every_segment_is_completed_once_and_every_request_is_counted() {
    let fleet = fleet::run(&small());
    assert_eq!(fleet.wrong, Vec::<String>::new());
    assert_eq!(fleet.days.len(), 2);
    for kind in tally::Kind::ALL {
        println!("{kind:?} {:?}", fleet.tally.row(kind).count);
    }
}
