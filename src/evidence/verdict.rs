//! What the bytes that were copied say about a segment.

use crate::types::{
    Trust, Verdict,
    fact::{Hashed, Segment},
};

/// Compares a copy with what was known of the segment before it was read.
///
/// - A read that failed for good: `unreadable`, whatever was copied.
/// - Declared cut off by the camera, or shorter on the camera than its manifest declares:
///   `partial`, even when the digest of the cut bytes agrees. (A copy longer than listed shows
///   that the listing was wrong, not the file: then the digest decides.)
/// - Digest equal: `verified` by a signed manifest, `matched` by an unsigned list,
///   `bad_signature` by a manifest whose signature does not fit.
/// - Digest unequal: `partial` when the copy is shorter than listed, else `mismatched`.
/// - No digest: `partial` when the copy is shorter than listed, else `unverified`.
pub fn verdict(segment: &Segment, copied: &Hashed, read_failed: bool) -> Verdict {
    let short = copied.size < segment.source.size;
    let grew = copied.size > segment.source.size;
    let equal = segment.source.expected.map(|expected| expected == copied.sha256);
    match (read_failed, equal) {
        (true, _) => Verdict::Unreadable,
        (false, Some(true)) if grew || !segment.partial => match segment.trust {
            Trust::Signed => Verdict::Verified,
            Trust::Listed => Verdict::Matched,
            Trust::Invalid => Verdict::BadSignature,
            // A digest nobody stands behind proves nothing.
            Trust::None => Verdict::Unverified,
        },
        (false, _) if segment.partial || short => Verdict::Partial,
        (false, Some(_)) => Verdict::Mismatched,
        (false, None) => Verdict::Unverified,
    }
}

#[cfg(test)]
mod tests;
