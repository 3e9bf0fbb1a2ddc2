//! Completeness: whether a camera's own numbering shows something that never arrived.
//!
//! Only manifests with a valid signature take part: anybody can write a number into a file.

use super::Manifest;
use crate::types::{Sha256Digest, fact::Gap};
use std::collections::BTreeMap;

/// A signed manifest as one link of its camera's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// From 1.
    pub sequence: u64,
    /// SHA-256 of the manifest file.
    pub sha256: Sha256Digest,
    /// What it names as the one before.
    pub previous: Sha256Digest,
}

/// The link this dock knows with the highest number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastLink {
    pub sequence: u64,
    pub sha256: Sha256Digest,
}

/// What is missing between `history` and the manifests now on the camera, in any order.
///
/// - Numbers after the last known one (from 1, when none is known) that no manifest has:
///   [`Gap::Recordings`].
/// - A manifest whose `previous` is not the hash of the one with the number before, where that
///   one is known: [`Gap::Chain`].
/// - Two different manifests with one number (a copied or reset camera): [`Gap::Chain`] with the
///   newcomer's own hash as `claimed`.
///
/// A number not above the last known one is a re-listing and no gap.
pub fn continuity(history: Option<LastLink>, links: &[Link]) -> Vec<Gap> {
    let mut gaps = Vec::new();
    // The lowest hash stands for a number, so that the order of listing decides nothing.
    let mut known: BTreeMap<u64, Link> = BTreeMap::new();
    let mut sorted = links.to_vec();
    sorted.sort_unstable_by_key(|link| (link.sequence, link.sha256, link.previous));
    sorted.dedup();
    let last = history.map_or(0, |last| last.sequence);
    for link in sorted.into_iter().filter(|link| link.sequence >= last.max(1)) {
        let seen = match history {
            Some(history) if history.sequence == link.sequence => Some(history.sha256),
            _ => known.get(&link.sequence).map(|first| first.sha256),
        };
        match seen {
            Some(seen) if seen != link.sha256 => {
                gaps.push(Gap::Chain { sequence: link.sequence, claimed: link.sha256, seen });
            }
            Some(_) => {}
            None => {
                known.insert(link.sequence, link);
            }
        }
    }
    let first = LastLink { sequence: 0, sha256: Manifest::FIRST };
    let mut before = history.unwrap_or(first);
    for link in known.values() {
        if link.sequence > before.sequence + 1 {
            gaps.push(Gap::Recordings { first: before.sequence + 1, last: link.sequence - 1 });
        } else if link.previous != before.sha256 {
            gaps.push(Gap::Chain {
                sequence: link.sequence,
                claimed: link.previous,
                seen: before.sha256,
            });
        }
        before = LastLink { sequence: link.sequence, sha256: link.sha256 };
    }
    gaps
}

/// Says of each missing number what is true of it: `unproven` are the numbers of which there is a
/// manifest without a valid signature, with the recording's name.
pub fn tell_unproven(gaps: Vec<Gap>, unproven: &BTreeMap<u64, String>) -> Vec<Gap> {
    let mut told = Vec::new();
    for gap in gaps {
        let Gap::Recordings { first, last } = gap else {
            told.push(gap);
            continue;
        };
        // None once the last number there is was told.
        let mut from = Some(first);
        for (sequence, name) in unproven.range(first..=last) {
            if let Some(first) = from.filter(|first| first < sequence) {
                told.push(Gap::Recordings { first, last: sequence - 1 });
            }
            told.push(Gap::Signature { sequence: *sequence, name: name.clone() });
            from = sequence.checked_add(1);
        }
        if let Some(first) = from.filter(|first| *first <= last) {
            told.push(Gap::Recordings { first, last });
        }
    }
    told
}

#[cfg(test)]
mod tests;
