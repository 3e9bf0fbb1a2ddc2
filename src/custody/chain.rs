//! The hash chain of the custody log, checked line by line. Pure: it is handed the bytes.
//!
//! A line is whole when it decodes, its `seq` is one more than that of the line before, and its
//! `prev` is the SHA-256 of the bytes of the line before (without the line feed). An edit shows in
//! the *next* line's `prev`; a removal or a swap shows as a jump in `seq`; a truncation shows only
//! against an [`Anchor`] kept elsewhere, which is what receipts carry.

use crate::types::{Sha256Digest, fact::Entry, fact::VERSION};
use serde::{Deserialize, Serialize};

/// A place in the chain: a line's number and the SHA-256 of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    pub seq: u64,
    pub hash: Sha256Digest,
}

/// A [`Head`] written down outside the dock, for example in a receipt.
pub type Anchor = Head;

impl Head {
    /// Before the first line of a dock's life.
    pub const GENESIS: Self = Self { seq: 0, hash: Sha256Digest([0; 32]) };

    /// Where the line before `entry` stands, by what `entry` claims.
    pub fn before(entry: &Entry) -> Self {
        Self { seq: entry.seq.saturating_sub(1), hash: entry.prev }
    }
}

/// What is wrong with one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("it is not a line of the log: {0}")]
    Unreadable(String),
    #[error("it has format version {0}, and this program reads up to {VERSION}")]
    Newer(u32),
    #[error("it is number {found} where {expected} belongs")]
    Seq { expected: u64, found: u64 },
    #[error("it claims {claimed} for the line before, which has {actual}")]
    Prev { claimed: Sha256Digest, actual: Sha256Digest },
}

/// A line that does not continue the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct BadLine {
    pub fault: Fault,
    /// The number this line should have had.
    pub expected_seq: u64,
    /// What the line says all the same, if it decodes.
    pub entry: Option<Box<Entry>>,
}

/// Follows a chain. After a bad line it goes on from that line's own bytes, so that one fault is
/// reported once and not for every line behind it.
#[derive(Debug, Clone)]
pub struct Verifier {
    head: Head,
}

impl Verifier {
    /// Starts behind `start`: [`Head::GENESIS`], or the last line that was pruned.
    pub fn new(start: Head) -> Self {
        Self { head: start }
    }

    /// The last line fed.
    pub fn head(&self) -> Head {
        self.head
    }

    /// Checks one line, without its line feed, against the line before.
    ///
    /// # Errors
    /// [`BadLine`] says in what way the line does not continue the chain.
    pub fn feed(&mut self, line: &[u8]) -> Result<Entry, BadLine> {
        let before = self.head;
        let expected = before.seq + 1;
        let hash = Sha256Digest::of(line);
        let bad = |fault, entry| BadLine { fault, expected_seq: expected, entry };
        let entry = match decode(line) {
            Ok(entry) => entry,
            Err(fault) => {
                self.head = Head { seq: expected, hash };
                return Err(bad(fault, None));
            }
        };
        self.head = Head { seq: entry.seq, hash };
        let fault = if entry.seq != expected {
            Fault::Seq { expected, found: entry.seq }
        } else if entry.prev != before.hash {
            Fault::Prev { claimed: entry.prev, actual: before.hash }
        } else {
            return Ok(entry);
        };
        Err(bad(fault, Some(Box::new(entry))))
    }

    /// Passes over a line too long to be held, of which only the digest is known.
    pub fn feed_too_long(&mut self, hash: Sha256Digest, bytes: u64) -> BadLine {
        let expected_seq = self.head.seq + 1;
        self.head = Head { seq: expected_seq, hash };
        let fault = Fault::Unreadable(format!("{bytes} bytes are too many for a line"));
        BadLine { fault, expected_seq, entry: None }
    }
}

/// Decodes one line without looking at its neighbours.
///
/// # Errors
/// [`Fault::Newer`] or [`Fault::Unreadable`].
pub fn decode(line: &[u8]) -> Result<Entry, Fault> {
    #[derive(Deserialize)]
    struct Versioned {
        v: u32,
    }
    let newer = |v: u32| (v > VERSION).then_some(Fault::Newer(v));
    match serde_json::from_slice::<Entry>(line) {
        Ok(entry) => newer(entry.v).map_or(Ok(entry), Err),
        // A newer line may hold what this program cannot decode: that is no damage.
        Err(error) => Err(serde_json::from_slice::<Versioned>(line)
            .ok()
            .and_then(|line| newer(line.v))
            .unwrap_or_else(|| Fault::Unreadable(error.to_string()))),
    }
}

/// The bytes of a line, without the line feed.
pub fn encode(entry: &Entry) -> Vec<u8> {
    serde_json::to_vec(entry).expect("an entry has text keys only and writes to memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::fact::Fact;
    use proptest::prelude::*;

    fn chain(lines: u64) -> Vec<Vec<u8>> {
        let mut head = Head::GENESIS;
        (1..=lines)
            .map(|seq| {
                let line = encode(&Entry {
                    prev: head.hash,
                    v: VERSION,
                    seq,
                    at: "2026-03-01T00:00:00Z".parse().unwrap(),
                    dock: "d1".parse().unwrap(),
                    actor: "dock".parse().unwrap(),
                    fact: Fact::DockStopped { why: format!("test {seq}") },
                });
                head = Head { seq, hash: Sha256Digest::of(&line) };
                line
            })
            .collect()
    }

    fn faults(lines: &[Vec<u8>]) -> Vec<(usize, Fault)> {
        let mut verifier = Verifier::new(Head::GENESIS);
        let fed = lines.iter().map(|line| verifier.feed(line));
        fed.enumerate().filter_map(|(at, fed)| Some((at, fed.err()?.fault))).collect()
    }

    #[test]
    fn a_whole_chain_has_no_fault_and_each_kind_of_harm_shows_once() {
        let whole = chain(6);
        assert_eq!(faults(&whole), []);

        let mut edited = whole.clone();
        edited[2] = String::from_utf8(edited[2].clone()).unwrap().replace("test", "best").into();
        assert!(matches!(faults(&edited)[..], [(3, Fault::Prev { .. })]));

        let mut removed = whole.clone();
        removed.remove(2);
        assert_eq!(faults(&removed), [(2, Fault::Seq { expected: 3, found: 4 })]);

        let mut swapped = whole.clone();
        swapped.swap(2, 3);
        assert_eq!(faults(&swapped)[0], (2, Fault::Seq { expected: 3, found: 4 }));

        let mut garbled = whole.clone();
        garbled[2] = b"{".to_vec();
        assert!(matches!(
            faults(&garbled)[..],
            [(2, Fault::Unreadable(_)), (3, Fault::Prev { .. })]
        ));

        assert_eq!(faults(&whole[..3]), [], "a truncation cannot be seen without an anchor");
    }

    #[test]
    fn a_line_of_a_newer_program_is_told_from_a_damaged_one() {
        let line = br#"{"prev":"00","v":2,"seq":1,"fact":{"type":"unheard_of"}}"#;
        assert_eq!(decode(line), Err(Fault::Newer(2)));
        let old = String::from_utf8(chain(1)[0].clone()).unwrap();
        assert_eq!(decode(old.replace("\"v\":1", "\"v\":7").as_bytes()), Err(Fault::Newer(7)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes: Vec<u8>) {
            prop_assert!(Verifier::new(Head::GENESIS).feed(&bytes).is_err());
        }

        #[test]
        fn any_flipped_bit_is_noticed(line in 0usize..5, at: prop::sample::Index, bit in 0u32..8) {
            let mut lines = chain(6);
            let at = at.index(lines[line].len());
            lines[line][at] ^= 1 << bit;
            prop_assert!(!faults(&lines).is_empty());
        }
    }
}
