//! What a class asks of the store, and in which order it is brought about.
//!
//! Pure. The order is the safety: whatever is cut short in the middle leaves an object that is
//! kept longer, never shorter. So retention and hold come before the tag when a class is raised,
//! and when a person takes a mark back, the tag goes first and the hold last. A tag that is
//! stricter than the dock's, and a hold that the dock did not put there, are somebody else's: they
//! stay.

use crate::types::{
    Class,
    fact::{MarksAsked, MarksSeen},
};
use jiff::{SignedDuration, Timestamp};

/// No lock asked for at storing ends sooner than this, whatever a camera's clock says; a shorter
/// retention asked by the configuration is kept as it is.
pub const RETENTION_MIN: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Until when an object that is stored at `now` is to be locked: as `asked`, but no wrong clock
/// makes it absurdly long, or so short that it protects nothing. `now` is the best clock there is;
/// `lock_for` what the configuration asks from capture on.
pub fn retain_until(asked: Timestamp, now: Timestamp, lock_for: SignedDuration) -> Timestamp {
    let after = |wait| now.saturating_add(wait).unwrap_or(Timestamp::MAX);
    asked.clamp(after(RETENTION_MIN.min(lock_for)), after(lock_for))
}

/// What is to be so at the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarksWanted {
    pub asked: MarksAsked,
    /// Objects are locked here: evidence gets a hold.
    pub lock: bool,
    /// Only the first time; afterwards whoever runs the store may have changed it.
    pub retain_until: Option<Timestamp>,
    /// A hold that is there was put there by this dock.
    pub hold_is_ours: bool,
    /// The class the store was last seen to keep for this dock.
    pub known_class: Option<Class>,
}

impl MarksWanted {
    /// Whether retention and hold need to be looked at; where nothing is locked they are not.
    pub fn looks_at_locks(&self) -> bool {
        self.lock || self.takes_hold_back()
    }

    fn takes_hold_back(&self) -> bool {
        self.hold_is_ours && !self.asked.evidence
    }
}

/// What a store says of an object's lock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locks {
    /// `GOVERNANCE` or `COMPLIANCE`; none where there is no retention.
    pub mode: Option<String>,
    pub retain_until: Option<Timestamp>,
    pub legal_hold: bool,
    /// It is only written down; nothing enforces it.
    pub noted_only: bool,
}

/// What a store says of an object's marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarksFound {
    /// The value of the tag `class`.
    pub class: Option<String>,
    /// None: not asked. In words why the store cannot say.
    pub locks: Option<Result<Locks, String>>,
}

/// One request that changes a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkChange {
    Retain { mode: String, until: Timestamp },
    Hold(bool),
    Class(Class),
}

impl MarkChange {
    fn words(&self) -> String {
        match self {
            Self::Retain { until, .. } => format!("no lock until {until:.0}"),
            Self::Hold(true) => "no legal hold".into(),
            Self::Hold(false) => "the legal hold is still there".into(),
            Self::Class(class) => format!("no tag class={class}"),
        }
    }
}

/// What is still to be changed, in this order.
pub fn changes(wanted: &MarksWanted, found: &MarksFound) -> Vec<MarkChange> {
    let mut changes = Vec::new();
    let none = Locks::default();
    // A store that knows no locks is asked for one all the same: its refusal is its word.
    let locks = match &found.locks {
        Some(Ok(locks)) => Some(locks),
        Some(Err(_)) if wanted.lock => Some(&none),
        Some(Err(_)) | None => None,
    };
    if let Some(locks) = locks.filter(|_| wanted.lock) {
        // To the second, as stores keep it.
        let kept = locks.retain_until.map(|until| until.as_second());
        if let Some(until) = wanted.retain_until.filter(|until| kept < Some(until.as_second())) {
            let mode = locks.mode.clone().unwrap_or_else(|| "GOVERNANCE".into());
            changes.push(MarkChange::Retain { mode, until });
        }
        if wanted.asked.evidence && !locks.legal_hold {
            changes.push(MarkChange::Hold(true));
        }
    }
    if found.class.as_deref() != Some(wanted.asked.class.as_str()) && !is_stricter(wanted, found) {
        changes.push(MarkChange::Class(wanted.asked.class));
    }
    if locks.is_some_and(|locks| locks.legal_hold) && wanted.takes_hold_back() {
        changes.push(MarkChange::Hold(false));
    }
    changes
}

/// Somebody else gave the object a class that keeps it longer.
fn is_stricter(wanted: &MarksWanted, found: &MarksFound) -> bool {
    let theirs = found.class.as_deref().and_then(class_named);
    let ours = wanted.known_class;
    theirs.is_some_and(|class| class < wanted.asked.class && ours != Some(class))
        && !wanted.takes_hold_back()
}

fn class_named(text: &str) -> Option<Class> {
    let all = [Class::Evidential, Class::Quarantine, Class::Unreviewed];
    all.into_iter().find(|class| class.as_str() == text)
}

/// What was seen in the end, and what is missing of it. `refused` are the store's words on what it
/// would not do.
pub fn outcome(wanted: &MarksWanted, found: &MarksFound, refused: &[String]) -> MarksSeen {
    let locks = found.locks.as_ref().and_then(|locks| locks.as_ref().ok());
    let mut missing: Vec<String> = changes(wanted, found).iter().map(MarkChange::words).collect();
    if let (true, Some(Err(words))) = (wanted.lock, &found.locks) {
        missing.push(words.clone());
    }
    if !missing.is_empty() {
        missing.extend_from_slice(refused);
    }
    MarksSeen {
        class: found.class.as_deref().and_then(class_named),
        retain_until: locks.and_then(|locks| locks.retain_until),
        legal_hold: locks.is_some_and(|locks| locks.legal_hold),
        noted_only: locks.is_some_and(|locks| locks.noted_only),
        lacks: (!missing.is_empty()).then(|| missing.join("; ").chars().take(400).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn wanted(class: Class) -> MarksWanted {
        let evidence = class == Class::Evidential;
        MarksWanted {
            asked: MarksAsked { class, evidence },
            lock: true,
            retain_until: Some(at(1000)),
            hold_is_ours: evidence,
            known_class: None,
        }
    }

    fn found(class: &str, until: Option<i64>, legal_hold: bool) -> MarksFound {
        let mode = until.map(|_| "COMPLIANCE".into());
        let locks = Locks { mode, retain_until: until.map(at), legal_hold, noted_only: false };
        let class = Some(class.to_owned()).filter(|class| !class.is_empty());
        MarksFound { class, locks: Some(Ok(locks)) }
    }

    #[test]
    fn what_protects_comes_before_the_tag() {
        let retain = |mode: &str| MarkChange::Retain { mode: mode.into(), until: at(1000) };
        let evidence = wanted(Class::Evidential);
        let all =
            [retain("GOVERNANCE"), MarkChange::Hold(true), MarkChange::Class(Class::Evidential)];
        assert_eq!(changes(&evidence, &found("", None, false)), all);
        // Never shorter, never weaker than what is there.
        assert_eq!(changes(&evidence, &found("evidential", Some(1001), true)), []);
        let longer = changes(&evidence, &found("evidential", Some(999), true));
        assert_eq!(longer, [retain("COMPLIANCE")]);
    }

    #[test]
    fn a_mark_taken_back_loses_its_hold_last_and_only_by_who_put_it() {
        let mut back = wanted(Class::Unreviewed);
        (back.hold_is_ours, back.retain_until) = (true, None);
        back.known_class = Some(Class::Evidential);
        let there = found("evidential", None, true);
        let steps = [MarkChange::Class(Class::Unreviewed), MarkChange::Hold(false)];
        assert_eq!(changes(&back, &there), steps);
        // After a crash between the two.
        assert_eq!(changes(&back, &found("unreviewed", None, true)), steps[1..]);
        assert_eq!(changes(&back, &found("unreviewed", None, false)), []);
        // A mark that the back office set.
        (back.hold_is_ours, back.known_class) = (false, None);
        assert_eq!(changes(&back, &there), []);
        assert_eq!(outcome(&back, &there, &[]).lacks, None);
        assert_eq!(outcome(&back, &there, &[]).class, Some(Class::Evidential));
    }

    #[test]
    fn where_nothing_is_locked_only_the_tag_is_looked_at() {
        let mut plain = wanted(Class::Evidential);
        plain.lock = false;
        assert!(!plain.looks_at_locks());
        let there = MarksFound { class: Some("unreviewed".into()), locks: None };
        assert_eq!(changes(&plain, &there), [MarkChange::Class(Class::Evidential)]);
    }

    #[test]
    fn what_a_store_cannot_do_is_never_called_done() {
        let cannot = MarksFound { class: None, locks: Some(Err("501 NotImplemented".into())) };
        let seen = outcome(&wanted(Class::Evidential), &cannot, &["no tags here".into()]);
        let words = seen.lacks.clone().unwrap();
        for part in ["no lock until", "no legal hold", "class=evidential", "501", "no tags here"] {
            assert!(words.contains(part), "{words}");
        }
        assert_eq!((seen.retain_until, seen.legal_hold, seen.class), (None, false, None));
        let done = outcome(&wanted(Class::Evidential), &found("evidential", Some(1000), true), &[]);
        assert_eq!((done.lacks, done.legal_hold, done.retain_until), (None, true, Some(at(1000))));
    }

    #[test]
    fn wrong_clocks_make_no_lock_short_or_absurd() {
        let (now, month) = (at(1_800_000_000), SignedDuration::from_hours(31 * 24));
        let bounded = |asked| retain_until(asked, now, month);
        assert_eq!(bounded(at(0)), now + RETENTION_MIN);
        assert_eq!(bounded(now + SignedDuration::from_hours(24 * 400)), now + month);
        let fine = now + SignedDuration::from_hours(24 * 30);
        assert_eq!(bounded(fine), fine);
        let day = SignedDuration::from_hours(24);
        assert_eq!(retain_until(at(0), now, day), now + day);
        assert_eq!(retain_until(Timestamp::MAX, Timestamp::MAX, month), Timestamp::MAX);
    }
}
