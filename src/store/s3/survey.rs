//! The long examination of a store: beside what the [`Probe`] asks, what the store keeps of what
//! an object is given, and how much a receipt from it is worth.
//!
//! One tiny object travels exactly as evidence does. It stays, with the class `unreviewed` and a
//! lock of an hour, so that the bucket's own rules clear it away: a dock deletes nothing.

use super::{Probe, S3, probe::probe_object, request::Ask, xml::Node};
use crate::{
    spool::SpoolFile,
    store::{Enforces, Fault, Store as _, StoreError, establish, perform},
    transfer::{
        Limits, Resume, Step, StoredProof, Upload,
        marks::{MarkChange, MarksWanted},
    },
    types::{
        ReceiptLevel,
        fact::{MarksAsked, SealedObject},
    },
};
use jiff::{SignedDuration, Timestamp};
use rusty_s3::Method;
use serde::Serialize;
use std::sync::Arc;

/// Whether the store does a thing; or why it could not be seen, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    Yes,
    No,
    Unknown(String),
}

impl From<bool> for Seen {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// One rule of the bucket's lifecycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LifecycleRule {
    pub id: String,
    pub enabled: bool,
    /// Days after which objects expire; a date counts as 0.
    pub expires_after_days: Option<u64>,
    /// Days after which a version that is not the newest is gone.
    pub noncurrent_expires_after_days: Option<u64>,
    /// Days after which an upload nobody finished is aborted.
    pub aborts_uploads_after_days: Option<u64>,
    /// What keys must begin with; empty: all keys.
    pub prefix: String,
    /// Tags an object must have, as `key=value`; empty: every object.
    pub tags: Vec<String>,
}

impl LifecycleRule {
    /// It expires objects below this prefix whatever their tags: marked evidence among them.
    pub fn expires_anything_below(&self, prefix: &str) -> bool {
        let meets = prefix.starts_with(&self.prefix) || self.prefix.starts_with(prefix);
        self.enabled && self.expires_after_days.is_some() && self.tags.is_empty() && meets
    }
}

/// What the bucket says of its lifecycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lifecycle {
    Rules(Vec<LifecycleRule>),
    /// There is none.
    Unset,
    /// The dock's key may not read it, or the store has no such thing.
    Unreadable(String),
}

/// What became of the tiny object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// PutObject with `If-None-Match: *` over an object is refused.
    pub put_if_none_match: bool,
    /// ListMultipartUploads works: after a crash an upload whose id was lost is found again.
    pub uploads_listed: Seen,
    /// HEAD gives the composite SHA-256 of the parts.
    pub composite_sha256: bool,
    pub metadata: bool,
    /// The class tag, as given when the upload was created.
    pub class_tag: Seen,
    /// The same, given to the stored object.
    pub class_tag_after: Seen,
    /// Object lock, mode and date, as given when the upload was created.
    pub lock: Seen,
    /// The same, given to the stored object.
    pub lock_after: Seen,
    /// A legal hold can be put on a stored object, seen there, and taken away.
    pub legal_hold: Seen,
    pub versions: bool,
    pub lifecycle: Lifecycle,
    /// What a receipt of this store says; none when the object did not get through, and why.
    pub level: Result<ReceiptLevel, String>,
}

/// Everything that was seen. A store that takes a wrong signature is not asked further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    pub probe: Probe,
    pub kept: Option<Kept>,
}

impl S3 {
    /// Examines the store, as a dock does that wants receipts of at least `wanted`; leaves
    /// `<prefix>bwvdock-probe` and one tiny object a run beside it.
    ///
    /// # Errors
    /// As the store says when even what is right fails; then nothing was learned.
    pub async fn survey(
        &self,
        prefix: &str,
        wanted: ReceiptLevel,
        now: Timestamp,
    ) -> Result<Survey, StoreError> {
        let probe = self.probe(prefix).await?;
        if !probe.signature {
            return Ok(Survey { probe, kept: None });
        }
        let put_if_none_match = self.refuses_second_put(prefix).await?;
        let key = format!("{prefix}bwvdock-probe-{}", now.as_millisecond());
        let uploads_listed = seen(self.open_uploads(&key).await.map(|_| true))?;
        let mut object = probe_object(key);
        object.retain_until = now.checked_add(SignedDuration::from_hours(1)).ok();
        let mut sent = self.send(&object, (probe.enforces, wanted), now).await;
        let mut lock_refused = false;
        if let Err(error) = &sent
            && error.call == "CreateMultipartUpload"
        {
            lock_refused = true;
            object.retain_until = None;
            sent = self.send(&object, (probe.enforces, wanted), now).await;
        }
        let lifecycle = self.lifecycle().await?;
        let class_tag = match &sent {
            Ok(_) => seen(self.has_class_tag(&object).await)?,
            Err(error) => Seen::Unknown(error.to_string()),
        };
        let head = sent.as_ref().map(StoredProof::head).ok();
        let after = match head {
            Some(head) => self.given_after(&object, head.version.as_deref(), now).await?,
            None => After::unknown("no object got through"),
        };
        let versions = head.is_some_and(|head| head.version.is_some());
        let composite = object.table.composite_sha256();
        let kept = Kept {
            put_if_none_match,
            uploads_listed,
            composite_sha256: head
                .is_some_and(|head| head.composite_sha256.as_ref() == Some(&composite)),
            metadata: head.is_some_and(|head| head.meta_sha256.is_some()),
            class_tag,
            class_tag_after: after.class_tag,
            lock_after: after.lock,
            legal_hold: after.legal_hold,
            lock: match (lock_refused, &sent) {
                (true, _) => Seen::No,
                (false, Ok(proof)) if !proof.is_locked_as_asked(&object) => Seen::No,
                // What can be replaced in its place is not locked, whatever its headers say.
                (false, Ok(_)) if !versions && !probe.enforces.if_none_match => Seen::No,
                (false, Ok(_)) => seen(self.has_retention(&object).await)?,
                (false, Err(error)) => Seen::Unknown(error.to_string()),
            },
            versions,
            lifecycle,
            level: sent.map(|proof| proof.level()).map_err(|error| error.to_string()),
        };
        Ok(Survey { probe, kept: Some(kept) })
    }

    /// What the store keeps that is given to an object it has already.
    async fn given_after(
        &self,
        object: &SealedObject,
        version: Option<&str>,
        now: Timestamp,
    ) -> Result<After, StoreError> {
        let key = object.key.as_str();
        let asked = MarksAsked { class: object.class, evidence: false };
        let retain_until = now.checked_add(SignedDuration::from_hours(1)).ok();
        let wanted =
            MarksWanted { asked, lock: true, retain_until, hold_is_ours: false, known_class: None };
        let marks = match establish(self, key, version, &wanted, u32::MAX).await {
            Ok(marks) => marks,
            Err(error) => {
                let words = error.to_string();
                seen(Err(error))?;
                return Ok(After::unknown(&words));
            }
        };
        let kept = marks.retain_until.map(|until| until.as_second());
        Ok(After {
            class_tag: (marks.class == Some(object.class)).into(),
            lock: (kept.is_some() && kept >= retain_until.map(|until| until.as_second())).into(),
            legal_hold: seen(self.holds_and_lets_go(key, version).await)?,
        })
    }

    async fn holds_and_lets_go(
        &self,
        key: &str,
        version: Option<&str>,
    ) -> Result<bool, StoreError> {
        for on in [true, false] {
            self.mark(key, version, &MarkChange::Hold(on)).await?;
            let found = self.marks(key, version, true).await?;
            let Some(Ok(locks)) = found.locks else { return Ok(false) };
            if locks.legal_hold != on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The object takes the way all objects take. The first wait ends it: nobody waits minutes
    /// for an examination.
    async fn send(
        &self,
        object: &SealedObject,
        (enforces, wanted): (Enforces, ReceiptLevel),
        now: Timestamp,
    ) -> Result<StoredProof, StoreError> {
        let object = Arc::new(object.clone());
        let file = SpoolFile::from_bytes(super::probe::BODY.to_vec());
        let limits = Limits {
            parts_in_flight: 1,
            wanted,
            enforces,
            backoff: crate::transfer::Backoff::default(),
        };
        let mut upload = Upload::new(object.clone(), Resume::default(), limits, 0);
        let stuck = |words: String| StoreError { call: "upload", fault: Fault::Refused, words };
        let mut last = None;
        loop {
            match upload.poll(now) {
                Step::Remember(_) => {}
                Step::Do(call) => {
                    let result = perform(self, &object, &file, &call).await;
                    last = result.as_ref().err().cloned().or(last);
                    upload.handle(now, call, result);
                }
                Step::Done(proof) => return Ok(proof),
                Step::GiveUp(end) => return Err(stuck(end.words)),
                Step::Wait(_) | Step::Idle | Step::Paused => {
                    return Err(last.unwrap_or_else(|| stuck("the upload does not go on".into())));
                }
            }
        }
    }

    async fn has_class_tag(&self, object: &SealedObject) -> Result<bool, StoreError> {
        let ask = Ask::new("GetObjectTagging", Method::Get, Some(&object.key)).query("tagging", "");
        let reply = self.ask(ask).await?.success()?;
        // Ceph 16 says nothing at all where there is no tag.
        if reply.body.is_empty() {
            return Ok(false);
        }
        let tags = reply.document("Tagging")?;
        let sets = tags.all("TagSet").flat_map(|set| set.all("Tag"));
        let class = object.class.to_string();
        Ok(sets.into_iter().any(|tag| {
            tag.text_of("Key") == Some("class") && tag.text_of("Value") == Some(class.as_str())
        }))
    }

    /// The retention asked for by itself: a store may give the lock's headers back like any others.
    async fn has_retention(&self, object: &SealedObject) -> Result<bool, StoreError> {
        let ask =
            Ask::new("GetObjectRetention", Method::Get, Some(&object.key)).query("retention", "");
        let retention = self.ask(ask).await?.document("Retention")?;
        let until = retention.text_of("RetainUntilDate").and_then(|t| t.parse::<Timestamp>().ok());
        let asked = object.retain_until.map(|until| until.as_second());
        Ok(retention.text_of("Mode") == Some("GOVERNANCE")
            && until.map(|until| until.as_second()) >= asked)
    }

    async fn lifecycle(&self) -> Result<Lifecycle, StoreError> {
        let ask = Ask::new("GetBucketLifecycle", Method::Get, None).query("lifecycle", "");
        let answer = match self.ask(ask).await {
            Ok(reply) => reply.document("LifecycleConfiguration"),
            Err(error) => Err(error),
        };
        Ok(match answer {
            Ok(node) => Lifecycle::Rules(node.all("Rule").map(lifecycle_rule).collect()),
            Err(error) if error.fault == Fault::Missing => Lifecycle::Unset,
            Err(error) => match seen(Err(error))? {
                Seen::Unknown(words) => Lifecycle::Unreadable(words),
                Seen::Yes | Seen::No => Lifecycle::Unset,
            },
        })
    }
}

/// What [`S3::given_after`] saw.
struct After {
    class_tag: Seen,
    lock: Seen,
    legal_hold: Seen,
}

impl After {
    fn unknown(words: &str) -> Self {
        let unknown = || Seen::Unknown(words.to_owned());
        Self { class_tag: unknown(), lock: unknown(), legal_hold: unknown() }
    }
}

/// Passes what a store may lack or forbid as words; trouble on the way stays an error.
fn seen(answer: Result<bool, StoreError>) -> Result<Seen, StoreError> {
    match answer {
        Ok(yes) => Ok(yes.into()),
        Err(error) => match error.fault {
            Fault::Missing => Ok(Seen::No),
            Fault::Refused | Fault::Denied | Fault::NotTheStore | Fault::Server => {
                Ok(Seen::Unknown(error.to_string()))
            }
            Fault::Network
            | Fault::Busy { .. }
            | Fault::Full
            | Fault::Unwritable
            | Fault::Skewed
            | Fault::Conflict
            | Fault::Exists
            | Fault::BadDigest
            | Fault::Untrusted { .. }
            | Fault::Spool => Err(error),
        },
    }
}

pub(super) fn lifecycle_rule(rule: &Node) -> LifecycleRule {
    let days = |action: &Node, days: &str| action.text_of(days).and_then(|text| text.parse().ok());
    // An Expiration that only clears delete markers away expires nothing.
    let expires = rule
        .all("Expiration")
        .find(|action| action.text_of("Days").is_some() || action.text_of("Date").is_some());
    let aborts = rule.all("AbortIncompleteMultipartUpload").next();
    let filters: Vec<_> =
        rule.all("Filter").chain(rule.all("Filter").flat_map(|f| f.all("And"))).collect();
    let tag = |tag: &Node| {
        let text = |name| tag.text_of(name).unwrap_or_default();
        format!("{}={}", text("Key"), text("Value"))
    };
    // Older rules have their prefix outside any filter.
    let prefix = filters.iter().find_map(|filter| filter.text_of("Prefix"));
    LifecycleRule {
        id: rule.text_of("ID").unwrap_or("unnamed").to_owned(),
        enabled: rule.text_of("Status") == Some("Enabled"),
        expires_after_days: expires.map(|action| days(action, "Days").unwrap_or(0)),
        noncurrent_expires_after_days: rule
            .all("NoncurrentVersionExpiration")
            .next()
            .map(|action| days(action, "NoncurrentDays").unwrap_or(0)),
        aborts_uploads_after_days: aborts
            .map(|action| days(action, "DaysAfterInitiation").unwrap_or(0)),
        prefix: prefix.or(rule.text_of("Prefix")).unwrap_or_default().to_owned(),
        tags: filters.iter().flat_map(|filter| filter.all("Tag")).map(tag).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(inner: &str) -> LifecycleRule {
        let xml = format!("<Rule><Status>Enabled</Status>{inner}</Rule>");
        lifecycle_rule(&Node::parse(xml.as_bytes()).unwrap())
    }

    const TAG: &str = "<Tag><Key>class</Key><Value>unreviewed</Value></Tag>";
    const DAYS: &str = "<Expiration><Days>31</Days></Expiration>";

    #[test]
    fn a_rule_that_lost_its_tag_expires_anything() {
        let tagged = rule(&format!("<ID>a</ID><Filter>{TAG}</Filter>{DAYS}"));
        assert_eq!((tagged.id.as_str(), tagged.expires_after_days), ("a", Some(31)));
        assert_eq!(tagged.tags, ["class=unreviewed"]);
        assert!(!tagged.expires_anything_below(""));
        let date = "<Expiration><Date>2030-01-01</Date></Expiration>";
        let both = rule(&format!("<Filter><And><Prefix>x/</Prefix>{TAG}</And></Filter>{date}"));
        assert_eq!((both.expires_after_days, both.prefix.as_str()), (Some(0), "x/"));
        assert!(!both.expires_anything_below("x/"));
        let lost = rule(&format!("<Filter><Prefix>force/</Prefix></Filter>{DAYS}"));
        assert!(lost.expires_anything_below("") && lost.expires_anything_below("force/dock/"));
        assert!(!lost.expires_anything_below("other/"));
        assert!(rule(&format!("<Prefix/>{DAYS}")).expires_anything_below("x"));
    }

    #[test]
    fn markers_and_stale_uploads_are_no_evidence() {
        let days = "<DaysAfterInitiation>14</DaysAfterInitiation>";
        let aborts = rule(&format!(
            "<AbortIncompleteMultipartUpload>{days}</AbortIncompleteMultipartUpload>\
             <Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
        ));
        assert_eq!((aborts.aborts_uploads_after_days, aborts.expires_after_days), (Some(14), None));
        assert!(!aborts.expires_anything_below(""));
    }
}
