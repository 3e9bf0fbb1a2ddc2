use super::*;
use crate::types::{
    CameraId, FileKind, RecordingId, SegmentId, Sha256Digest, SourcePath, fact::Source,
};

const FULL: &[u8] = b"ten bytes!";

fn segment(trust: Trust, expected: Option<&[u8]>, partial: bool) -> Segment {
    Segment {
        id: SegmentId::from_slice(&[1; 16]).unwrap(),
        recording: RecordingId::from_slice(&[2; 16]).unwrap(),
        camera: CameraId::new("C").unwrap(),
        kind: FileKind::Media,
        index: 1,
        source: Source {
            path: SourcePath::new("a").unwrap(),
            size: FULL.len() as u64,
            modified_ms: None,
            expected: expected.map(Sha256Digest::of),
            mark: None,
        },
        trust,
        partial,
        started: None,
        ended: None,
    }
}

fn copied(bytes: &[u8]) -> Hashed {
    Hashed { size: bytes.len() as u64, sha256: Sha256Digest::of(bytes) }
}

#[test]
fn the_whole_matrix() {
    use Trust::{Invalid, Listed, None as Nobody, Signed};
    use Verdict::{BadSignature, Matched, Mismatched, Partial, Unverified, Verified};
    let (other, short, long) = (&b"TEN BYTES!"[..], &FULL[..4], &b"eleven byte"[..]);
    // trust, expected, declared partial, copied => verdict
    let rows = [
        (Signed, Some(FULL), false, FULL, Verified),
        (Listed, Some(FULL), false, FULL, Matched),
        (Nobody, Some(FULL), false, FULL, Unverified),
        // Equal to what a changed manifest says is no word of the camera's.
        (Invalid, Some(FULL), false, FULL, BadSignature),
        (Invalid, Some(FULL), false, other, Mismatched),
        (Invalid, Some(FULL), false, short, Partial),
        (Signed, Some(FULL), false, other, Mismatched),
        (Listed, Some(FULL), false, other, Mismatched),
        (Signed, Some(FULL), false, short, Partial),
        (Listed, Some(FULL), false, short, Partial),
        (Signed, Some(FULL), false, long, Mismatched),
        // The listing said more than there was, but the camera's digest is of what there is.
        (Signed, Some(short), false, short, Verified),
        // Declared cut off: the digest of the cut bytes does not make it whole.
        (Signed, Some(FULL), true, FULL, Partial),
        (Listed, Some(FULL), true, FULL, Partial),
        (Signed, Some(FULL), true, other, Partial),
        (Signed, Some(FULL), true, short, Partial),
        // The listing said less than there was, and the digest agrees: the listing was wrong.
        (Signed, Some(long), true, long, Verified),
        (Signed, Some(FULL), true, long, Partial),
        (Nobody, None, false, FULL, Unverified),
        (Nobody, None, false, short, Partial),
        (Nobody, None, false, b"", Partial),
        (Nobody, None, false, long, Unverified),
        (Nobody, None, true, FULL, Partial),
    ];
    for (trust, expected, partial, bytes, verdict_expected) in rows {
        let segment = segment(trust, expected, partial);
        let row = (trust, expected, partial, bytes);
        assert_eq!(verdict(&segment, &copied(bytes), false), verdict_expected, "{row:?}");
        assert_eq!(verdict(&segment, &copied(bytes), true), Verdict::Unreadable, "{row:?}");
    }
}

#[test]
fn zero_byte_files_are_whole_when_nothing_more_was_listed() {
    let mut empty = segment(Trust::None, None, false);
    empty.source.size = 0;
    assert_eq!(verdict(&empty, &copied(b""), false), Verdict::Unverified);
    let mut empty = segment(Trust::Signed, Some(b""), false);
    empty.source.size = 0;
    assert_eq!(verdict(&empty, &copied(b""), false), Verdict::Verified);
}

#[test]
fn sizes_beyond_32_bits_compare_whole() {
    let mut large = segment(Trust::None, None, false);
    large.source.size = (1 << 32) + 5;
    let sha256 = Sha256Digest::of(b"");
    // Equal in the low 32 bits only.
    assert_eq!(verdict(&large, &Hashed { size: 5, sha256 }, false), Verdict::Partial);
    let whole = Hashed { size: (1 << 32) + 5, sha256 };
    assert_eq!(verdict(&large, &whole, false), Verdict::Unverified);
}
