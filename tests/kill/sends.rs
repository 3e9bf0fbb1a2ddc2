//! What was sent, by the store's own access log: which parts came more than once, and whether the
//! kills explain every one of them.

use crate::{ledger::Ledger, rig::BUCKET};
use jiff::Timestamp;
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

/// A line of the access log.
#[derive(Debug, Clone, Deserialize)]
pub struct Line {
    pub at: Timestamp,
    pub method: String,
    pub path: String,
    pub part: Option<u32>,
    pub status: Option<u16>,
    pub bytes: u64,
}

impl Line {
    /// Whether the store may have taken the part: it said so, or every byte had come when the
    /// connection broke.
    fn may_be_taken(&self, length: u64) -> bool {
        self.status == Some(200) || self.status.is_none() && self.bytes == length
    }
}

/// When the daemon was started, each time, and when the store was killed.
#[derive(Debug, Default)]
pub struct Lives {
    pub starts: Vec<Timestamp>,
    pub store_kills: Vec<Timestamp>,
}

impl Lives {
    /// The number of the daemon that sent something at that time: what a killed one left in the
    /// kernel's buffers may arrive after its death, but not after the next one's start.
    fn of(&self, at: Timestamp) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }
}

/// The figures of a run.
#[derive(Debug, Default)]
pub struct Sends {
    pub parts: u64,
    /// Parts that were sent again, for the part in flight was lost with its daemon or its store.
    pub resent: u64,
    /// Of those, the ones of which every byte had come when the daemon died.
    pub taken_twice: u64,
    /// Parts that the store has without a line of it; only a store that is killed does that.
    pub without_line: u64,
    /// Most parts sent again for one kill.
    pub resent_max: u64,
    pub bytes: u64,
    /// Of those, the ones that had come before and were of no use.
    pub bytes_again: u64,
}

pub fn read(path: &Path) -> Vec<Line> {
    let text = fs::read_to_string(path).unwrap();
    // A killed store may leave half a line.
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Checks all parts ever sent against the log of the dock.
pub fn check(lines: &[Line], ledger: &Ledger, lives: &Lives, in_flight: u64) -> Sends {
    let mut parts: BTreeMap<(String, u32), Vec<&Line>> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.method == "PUT") {
        if let Some(part) = line.part {
            parts.entry((line.path.clone(), part)).or_default().push(line);
        }
    }
    let mut sends = Sends::default();
    let mut by_kill: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for trail in ledger.objects.values() {
        assert_eq!(trail.abandoned, 0, "{}: its parts were given up", trail.object.id);
        let path = format!("/{BUCKET}/{}", trail.object.key);
        for number in (1..).take(trail.object.table.parts.len()) {
            let mut sent = parts.remove(&(path.clone(), number)).unwrap_or_default();
            sent.sort_by_key(|line| line.at);
            let acknowledged = trail.acknowledged.get(&number);
            for line in &sent {
                sends.bytes += line.bytes;
                assert!(
                    acknowledged.is_none_or(|at| line.at <= *at),
                    "{path}: part {number} was remembered as acknowledged at {acknowledged:?} and \
                     sent again: {line:?}"
                );
            }
            let length = trail.object.table.part_len(number, trail.object.sealed.size);
            let taken = sent.iter().filter(|line| line.may_be_taken(length)).count() as u64;
            sends.parts += 1;
            // A killed store leaves no line of what it was doing.
            sends.without_line += u64::from(taken == 0);
            sends.resent += (sent.len() as u64).saturating_sub(1);
            sends.taken_twice += taken.saturating_sub(1);
            for pair in sent.windows(2) {
                let [before, again] = pair else { unreachable!("pairs") };
                sends.bytes_again += before.bytes;
                *by_kill.entry(ended_by(lives, before, again)).or_default() += 1;
            }
        }
    }
    parts.retain(|(path, _), _| !path.ends_with("/bwvdock-probe"));
    assert!(parts.is_empty(), "parts of what was never sealed: {:?}", parts.keys());
    let lost_lines = lives.store_kills.len() as u64 * in_flight;
    assert!(sends.without_line <= lost_lines, "parts in the store that nobody sent: {sends:?}");
    sends.resent_max = by_kill.values().copied().max().unwrap_or(0);
    for (kill, resent) in by_kill {
        assert!(resent <= in_flight, "{resent} parts were sent again for kill {kill:?}");
    }
    sends
}

/// The kill between a part and the same part again: of which daemon, or of which store.
fn ended_by(lives: &Lives, before: &Line, again: &Line) -> (usize, usize) {
    let daemon = lives.of(before.at);
    if lives.of(again.at) > daemon {
        return (daemon, 0);
    }
    let kill = lives.store_kills.partition_point(|kill| *kill < before.at);
    let between = lives.store_kills.get(kill).is_some_and(|kill| *kill <= again.at);
    assert!(between, "sent again although nobody was killed: {before:?}, then {again:?}");
    (daemon, kill + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(at_s: i64) -> Line {
        let at = Timestamp::from_second(at_s).unwrap();
        let path = "/evidence/a".into();
        Line { at, method: "PUT".into(), path, part: Some(1), status: None, bytes: 1 }
    }

    fn lives(starts_s: &[i64], store_kills_s: &[i64]) -> Lives {
        let at = |seconds: &[i64]| {
            seconds.iter().map(|second| Timestamp::from_second(*second).unwrap()).collect()
        };
        Lives { starts: at(starts_s), store_kills: at(store_kills_s) }
    }

    #[test]
    fn a_part_sent_again_is_explained_by_the_kill_in_between() {
        assert_eq!(ended_by(&lives(&[0, 10], &[]), &put(5), &put(12)), (1, 0));
        assert_eq!(ended_by(&lives(&[0], &[3, 7]), &put(5), &put(8)), (1, 2));
    }

    #[test]
    #[should_panic(expected = "although nobody was killed")]
    fn a_part_sent_again_by_the_same_daemon_is_not() {
        ended_by(&lives(&[0, 10], &[3]), &put(5), &put(8));
    }
}
