//! What a HEAD proves about an object, and the value that says an object is stored.

use super::{Enforces, ObjectHead};
use crate::types::{
    Md5Digest, ObjectId, ReceiptLevel,
    fact::{Fact, PartTable, SealedObject},
};
use md5::{Digest as _, Md5};

/// How the object under our key compares with ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likeness {
    Equal,
    /// Nothing contradicts, but nothing proves: only reading it back decides.
    Doubtful,
    /// It is another object. Never overwritten, never called stored.
    Unequal,
}

/// The ETag S3 gives a multipart object without server-side encryption keys: `md5(md5s)-N`. None
/// while the MD5 of a part is not known.
pub fn md5_composite(table: &PartTable) -> Option<String> {
    let mut all = Md5::new();
    for part in &table.parts {
        all.update(part.md5?.0);
    }
    Some(format!("{}-{}", Md5Digest(all.finalize().into()), table.parts.len()))
}

/// Compares what HEAD says with what was sealed.
pub(super) fn likeness(object: &SealedObject, head: &ObjectHead) -> Likeness {
    let sealed_sha256 = object.sealed.sha256;
    if head.size != object.sealed.size {
        return Likeness::Unequal;
    }
    let says_meta = head.meta_sha256.as_ref().map(|m| m.parse() == Ok(sealed_sha256));
    if says_meta == Some(false) {
        return Likeness::Unequal;
    }
    match &head.composite_sha256 {
        // The plain form is what a store keeps of an object that was put whole.
        Some(sum)
            if *sum != object.table.composite_sha256() && *sum != sealed_sha256.to_base64() =>
        {
            Likeness::Unequal
        }
        Some(_) if says_meta.is_some() => Likeness::Equal,
        _ if says_meta.is_some() && has_md5_etag(object, head) => Likeness::Equal,
        _ => Likeness::Doubtful,
    }
}

/// How much that proves, given what the store is known to enforce.
pub(super) fn level(object: &SealedObject, head: &ObjectHead, seen: Enforces) -> ReceiptLevel {
    let composite = object.table.composite_sha256();
    if seen.sha256 && head.composite_sha256.as_deref() == Some(composite.as_str()) {
        ReceiptLevel::Sha256PerPart
    } else if seen.md5 && has_md5_etag(object, head) {
        ReceiptLevel::Md5PerPart
    } else {
        ReceiptLevel::SizeOnly
    }
}

fn has_md5_etag(object: &SealedObject, head: &ObjectHead) -> bool {
    md5_composite(&object.table)
        .is_some_and(|ours| head.etag.trim_matches('"').eq_ignore_ascii_case(&ours))
}

/// The store has the object and a look after the last change agreed. Only the upload machine can
/// make one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProof {
    object: ObjectId,
    head: Box<ObjectHead>,
    level: ReceiptLevel,
}

impl StoredProof {
    pub(super) fn new(object: ObjectId, head: ObjectHead, level: ReceiptLevel) -> Self {
        Self { object, head: Box::new(head), level }
    }

    /// The proof of an object already called stored, from a look just taken: nothing when the
    /// store now has something else, or another version. `level` and `version` are what was
    /// established when it was stored.
    pub fn again(
        object: &SealedObject,
        head: ObjectHead,
        level: ReceiptLevel,
        version: Option<&str>,
    ) -> Option<Self> {
        if version.is_some() && head.version.as_deref() != version {
            return None;
        }
        match likeness(object, &head) {
            Likeness::Equal | Likeness::Doubtful => {
                Some(Self { object: object.id, head: Box::new(head), level })
            }
            Likeness::Unequal => None,
        }
    }

    /// A proof out of thin air, for the tests of what comes after it only.
    #[cfg(test)]
    pub(crate) fn for_test(object: ObjectId) -> Self {
        Self { object, head: Box::default(), level: ReceiptLevel::ReadBack }
    }

    /// The object that this is the proof of.
    pub fn object(&self) -> ObjectId {
        self.object
    }

    /// What the store said when it was asked last.
    pub fn head(&self) -> &ObjectHead {
        &self.head
    }

    pub fn level(&self) -> ReceiptLevel {
        self.level
    }

    /// Whether the store says it keeps the object at least as long as was asked.
    pub fn is_locked_as_asked(&self, object: &SealedObject) -> bool {
        let until = object.retain_until.map(|t| t.as_second());
        until.is_none_or(|asked| {
            self.head.lock_mode.is_some()
                && self.head.retain_until.is_some_and(|kept| kept.as_second() >= asked)
        })
    }

    /// The fact to be committed before anything follows from this.
    pub fn fact(&self, object: &SealedObject) -> Fact {
        Fact::Stored { object: object.id, level: self.level, version: self.head.version.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{
        Class, ObjectId, RecordingId, Sha256Digest,
        fact::{Content, Hashed, Part},
    };

    const ALL: Enforces = Enforces { sha256: true, md5: true, if_none_match: true };

    fn object() -> SealedObject {
        let part = |n| Part { sha256: Sha256Digest([n; 32]), md5: Some(Md5Digest([n; 16])) };
        let hashed = Hashed { size: 15, sha256: Sha256Digest([9; 32]) };
        SealedObject {
            id: ObjectId(uuid::Uuid::nil()),
            content: Content::Record(RecordingId(uuid::Uuid::nil())),
            plain: hashed,
            sealed: hashed,
            table: PartTable { part_size: 8, parts: vec![part(1), part(2)] },
            key: "k".into(),
            class: Class::Evidential,
            retain_until: None,
        }
    }

    /// What a store says that keeps everything.
    fn head() -> ObjectHead {
        let object = object();
        ObjectHead {
            size: 15,
            etag: md5_composite(&object.table).unwrap(),
            composite_sha256: Some(object.table.composite_sha256()),
            meta_sha256: Some(object.sealed.sha256.to_string()),
            ..ObjectHead::default()
        }
    }

    #[test]
    fn one_thing_that_differs_is_enough() {
        assert_eq!(likeness(&object(), &head()), Likeness::Equal);
        let differing: [fn(&mut ObjectHead); 4] = [
            |h| h.size = 14,
            |h| h.composite_sha256 = Some("AAAA-2".into()),
            |h| h.meta_sha256 = Some("00".repeat(32)),
            |h| h.meta_sha256 = Some("nonsense".into()),
        ];
        for change in differing {
            let mut head = head();
            change(&mut head);
            assert_eq!(likeness(&object(), &head), Likeness::Unequal, "{head:?}");
            assert_eq!(StoredProof::again(&object(), head, ReceiptLevel::ReadBack, None), None);
        }
    }

    #[test]
    fn what_is_not_said_is_doubtful_and_a_foreign_etag_is_no_contradiction() {
        let doubtful: [fn(&mut ObjectHead); 3] = [
            |h| h.meta_sha256 = None,
            |h| (h.composite_sha256, h.etag) = (None, "kms".into()),
            |h| (h.composite_sha256, h.etag) = (None, "0".repeat(32) + "-2"),
        ];
        for change in doubtful {
            let mut head = head();
            change(&mut head);
            assert_eq!(likeness(&object(), &head), Likeness::Doubtful, "{head:?}");
        }
        let equal: [fn(&mut ObjectHead); 3] = [
            |h| h.composite_sha256 = None,
            |h| h.etag = "kms".into(),
            |h| h.composite_sha256 = Some(Sha256Digest([9; 32]).to_base64()),
        ];
        for change in equal {
            let mut head = head();
            change(&mut head);
            assert_eq!(likeness(&object(), &head), Likeness::Equal, "{head:?}");
        }
    }

    #[test]
    fn a_store_that_was_never_seen_to_refuse_proves_nothing_by_what_it_says() {
        use ReceiptLevel::*;
        let no_composite = ObjectHead { composite_sha256: None, ..head() };
        let nothing = ObjectHead { etag: "kms".into(), ..no_composite.clone() };
        let only_md5 = Enforces { sha256: false, ..ALL };
        for (head, seen, expected) in [
            (head(), ALL, Sha256PerPart),
            (head(), only_md5, Md5PerPart),
            (head(), Enforces::default(), SizeOnly),
            (no_composite.clone(), ALL, Md5PerPart),
            (no_composite, Enforces { md5: false, ..ALL }, SizeOnly),
            (nothing, ALL, SizeOnly),
        ] {
            assert_eq!(level(&object(), &head, seen), expected, "{head:?} {seen:?}");
        }
    }
}
