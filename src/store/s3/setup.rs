//! Brings a bucket to what evidence needs: versions, object lock, and a lifecycle that touches only
//! what is known to be unreviewed.
//!
//! It adds and prolongs; it shortens and removes nothing unless it is told to in so many words.
//! Rules of others are carried along whole. Everything is read back: a store that keeps a rule and
//! drops its tag (Garage does) would from then on clear away evidence, so what was there before is
//! put back at once.

use super::{
    S3,
    bucket::BucketState,
    survey::{LifecycleRule, lifecycle_rule},
    xml::Node,
};
use crate::{store::StoreError, types::Class};
use serde::Serialize;

/// What the bucket is to be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketWanted {
    /// What keys begin with; empty: the whole bucket.
    pub prefix: String,
    pub object_lock: bool,
    /// Days after which unreviewed footage expires.
    pub days: u64,
    /// Days after that, and a version that is not the newest is gone for good.
    pub noncurrent_days: u64,
    /// Days after which an upload that nobody finished is cleared away.
    pub stale_upload_days: u64,
    /// Rules of ours that are longer than this become shorter.
    pub shorten: bool,
}

/// One thing about a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetupStep {
    pub what: &'static str,
    pub before: String,
    pub wanted: String,
    /// Whether there was anything to do.
    pub change: bool,
    /// As it was read back; none where nothing was to be changed, or only shown.
    pub after: Option<String>,
    pub fine: bool,
}

/// What became of all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SetupReport {
    pub steps: Vec<SetupStep>,
    /// What was found, kept, or must be known.
    pub notes: Vec<String>,
    /// What is not as it must be.
    pub problems: Vec<String>,
}

const UNREVIEWED: &str = "bwvdock-unreviewed";
const STALE: &str = "bwvdock-stale-uploads";
const NO_LIFECYCLE: &str = "this store keeps no lifecycle rules: nothing expires there by itself";

impl S3 {
    /// Looks, changes what must be changed, and reads it back; with `dry_run` only looks.
    ///
    /// # Errors
    /// As the store says when it cannot be looked at; what it refuses to change is in the report.
    pub async fn set_up(
        &self,
        wanted: &BucketWanted,
        dry_run: bool,
    ) -> Result<SetupReport, StoreError> {
        let before = self.bucket_state().await?;
        let mut report = SetupReport::default();
        let rules = wanted.rules(&before, &mut report.notes);
        let words = wanted.words(&rules);
        report.steps = steps(&before, &words, wanted);
        report.notes.extend(
            before.default_retention.iter().map(|words| {
                format!("the bucket locks every new object by itself ({words}): kept")
            }),
        );
        report.notes.extend(before.no_lifecycle.then(|| NO_LIFECYCLE.to_owned()));
        report.problems.extend(dangers(&before, wanted));
        let changes = report.steps.iter().any(|step| step.change);
        if dry_run || !changes {
            let open = report.steps.iter().filter(|step| step.change);
            report.problems.extend(open.map(|step| format!("{} is to be changed", step.what)));
            return Ok(report);
        }
        if let Err(error) = self.change_bucket(&before, &rules, wanted).await {
            report.problems.push(error.with_advice());
        }
        let after = self.bucket_state().await?;
        self.compare(&before, &after, &rules, wanted, &mut report).await;
        Ok(report)
    }

    /// The bucket, then its versions and lock, then what clears away: nothing expires before it
    /// could be got back.
    async fn change_bucket(
        &self,
        before: &BucketState,
        rules: &[Node],
        wanted: &BucketWanted,
    ) -> Result<(), StoreError> {
        if !before.exists {
            self.create_bucket(wanted.object_lock).await?;
        }
        if before.versioning.as_deref() != Some("Enabled") {
            self.enable_versioning().await?;
        }
        // A new bucket has it already.
        if wanted.object_lock && before.exists && !before.object_lock {
            self.enable_object_lock().await?;
        }
        if !before.no_lifecycle && !wanted.agree(&before.rules, rules) {
            self.put_lifecycle(rules).await?;
        }
        Ok(())
    }

    async fn compare(
        &self,
        before: &BucketState,
        after: &BucketState,
        rules: &[Node],
        wanted: &BucketWanted,
        report: &mut SetupReport,
    ) {
        let words = wanted.words(rules);
        let now = steps(after, &words, wanted);
        for (step, now) in report.steps.iter_mut().zip(now) {
            step.fine = !now.change;
            step.after = Some(now.before.clone());
            if now.change {
                report.problems.push(format!(
                    "{} came back as \"{}\" and not as \"{}\"",
                    step.what, now.before, step.wanted
                ));
            }
        }
        if wanted.object_lock && !after.object_lock {
            report.problems.push(
                "the store gives this bucket no object lock: make another with it, or write \
                 `lock = false` under [retention], and call nothing there locked"
                    .into(),
            );
        }
        // A bucket that was just made tells only now.
        if after.no_lifecycle && !before.no_lifecycle {
            report.notes.push(NO_LIFECYCLE.into());
        }
        let taken = !same_rules(&before.rules, &after.rules);
        if taken && !wanted.agree(&after.rules, rules) {
            report.problems.push(match self.put_lifecycle(&before.rules).await {
                Ok(()) => "the store does not keep lifecycle rules as they are given to it: those \
                           that were there before are put back; let nothing expire by itself here"
                    .into(),
                Err(error) => format!(
                    "DANGER: the store changed the lifecycle rules, and putting back what was \
                     there failed ({error}): remove the rules that begin with bwvdock- by hand, \
                     now: they may clear away evidence"
                ),
            });
        }
    }
}

/// Rules of others that would clear away evidence.
fn dangers(state: &BucketState, wanted: &BucketWanted) -> Vec<String> {
    let rules = state.rules.iter().map(lifecycle_rule);
    let bad =
        rules.filter(|rule| rule.id != UNREVIEWED && rule.expires_anything_below(&wanted.prefix));
    bad.map(|rule| {
        format!(
            "DANGER: the lifecycle rule {} expires objects whatever their class, evidence \
             included: it is not ours and was left; have it limited to the tag class=unreviewed",
            rule.id
        )
    })
    .collect()
}

fn steps(state: &BucketState, rules: &str, wanted: &BucketWanted) -> Vec<SetupStep> {
    let step = |what, before: String, wanted: String, change| SetupStep {
        what,
        before,
        wanted,
        change,
        after: None,
        fine: !change,
    };
    let versioning = state.versioning.clone().unwrap_or_else(|| "never on".into());
    let mut steps = vec![
        step("the bucket", exists(state.exists), exists(true), !state.exists),
        step("its versions", versioning.clone(), "Enabled".into(), versioning != "Enabled"),
    ];
    if wanted.object_lock {
        steps.push(step("its object lock", on(state.object_lock), on(true), !state.object_lock));
    }
    let ours = wanted.words(&state.rules);
    let lifecycle = match state.no_lifecycle {
        true => {
            step("its lifecycle", "none is kept here".into(), "none is kept here".into(), false)
        }
        false => step("its lifecycle", ours.clone(), rules.to_owned(), ours != rules),
    };
    steps.push(lifecycle);
    steps
}

fn exists(yes: bool) -> String {
    if yes { "is there" } else { "is not there" }.into()
}

fn on(yes: bool) -> String {
    if yes { "on" } else { "off" }.into()
}

impl BucketWanted {
    /// All rules the bucket is to have: those of others as they are, and ours.
    fn rules(&self, state: &BucketState, notes: &mut Vec<String>) -> Vec<Node> {
        let named = |id: &str| state.rules.iter().find(|rule| rule.text_of("ID") == Some(id));
        let longer = |there: Option<u64>, asked: u64, what: &str, notes: &mut Vec<String>| {
            let there = there.filter(|days| *days > asked && !self.shorten);
            if let Some(days) = there {
                notes.push(format!("{what} after {days} days, which is longer: kept (--shorten)"));
            }
            there.unwrap_or(asked)
        };
        let unreviewed = named(UNREVIEWED).map(lifecycle_rule);
        let of = |days: fn(&LifecycleRule) -> Option<u64>| unreviewed.as_ref().and_then(days);
        let days =
            longer(of(|r| r.expires_after_days), self.days, "unreviewed footage expires", notes);
        let noncurrent = longer(
            of(|r| r.noncurrent_expires_after_days),
            self.noncurrent_days,
            "old versions of it go",
            notes,
        );
        let stale = named(STALE).map(lifecycle_rule).and_then(|r| r.aborts_uploads_after_days);
        let stale = longer(stale, self.stale_upload_days, "stale uploads are ended", notes);
        let mut rules: Vec<Node> = Vec::new();
        for rule in &state.rules {
            let id = rule.text_of("ID").unwrap_or("unnamed");
            if ![UNREVIEWED, STALE].contains(&id) {
                notes.push(format!("the lifecycle rule {id} is not ours: kept as it is"));
                rules.push(rule.clone());
            }
        }
        rules.push(self.unreviewed_rule(days, noncurrent));
        rules.push(self.stale_rule(stale));
        rules
    }

    fn unreviewed_rule(&self, days: u64, noncurrent_days: u64) -> Node {
        let leaf = Node::leaf;
        let tag = Node::branch(
            "Tag",
            vec![leaf("Key", "class"), leaf("Value", Class::Unreviewed.as_str())],
        );
        let filter = match self.prefix.is_empty() {
            true => tag,
            false => Node::branch("And", vec![leaf("Prefix", &self.prefix), tag]),
        };
        let noncurrent = leaf("NoncurrentDays", &noncurrent_days.to_string());
        Node::branch(
            "Rule",
            vec![
                leaf("ID", UNREVIEWED),
                Node::branch("Filter", vec![filter]),
                leaf("Status", "Enabled"),
                Node::branch("Expiration", vec![leaf("Days", &days.to_string())]),
                Node::branch("NoncurrentVersionExpiration", vec![noncurrent]),
            ],
        )
    }

    fn stale_rule(&self, days: u64) -> Node {
        let leaf = Node::leaf;
        let days = leaf("DaysAfterInitiation", &days.to_string());
        Node::branch(
            "Rule",
            vec![
                leaf("ID", STALE),
                Node::branch("Filter", vec![leaf("Prefix", &self.prefix)]),
                leaf("Status", "Enabled"),
                Node::branch("AbortIncompleteMultipartUpload", vec![days]),
            ],
        )
    }

    /// Whether these are those rules: ours by what they do, those of others whole.
    fn agree(&self, one: &[Node], other: &[Node]) -> bool {
        let others = |rules: &[Node]| {
            let ours =
                |rule: &&Node| [UNREVIEWED, STALE].contains(&rule.text_of("ID").unwrap_or(""));
            rules.iter().filter(|rule| !ours(rule)).cloned().collect::<Vec<_>>()
        };
        self.words(one) == self.words(other) && same_rules(&others(one), &others(other))
    }

    /// Our rules among these, as people read them.
    fn words(&self, rules: &[Node]) -> String {
        let mut words: Vec<String> = Vec::new();
        for rule in rules.iter().map(lifecycle_rule) {
            if ![UNREVIEWED, STALE].contains(&rule.id.as_str()) {
                continue;
            }
            let off = if rule.enabled { "" } else { " (off)" };
            let where_ = match rule.prefix.is_empty() {
                true => String::new(),
                false => format!(" below {}", rule.prefix),
            };
            let what = match rule.tags.is_empty() {
                true => "EVERYTHING".to_owned(),
                false => rule.tags.join(" and "),
            };
            let days =
                |days: Option<u64>, words: &str| days.map(|days| format!("{words} {days} days"));
            let parts = [
                days(rule.expires_after_days, &format!("{what} expires after")),
                days(
                    rule.noncurrent_expires_after_days,
                    &format!("old versions of {what} go after"),
                ),
                days(rule.aborts_uploads_after_days, "stale uploads end after"),
            ];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            words.push(format!("{}{where_}{off}", parts.join(", ")));
        }
        words.sort();
        if words.is_empty() { "no rule of ours".into() } else { words.join("; ") }
    }
}

/// Equal whatever their order, the order within them, and empty elements.
fn same_rules(one: &[Node], other: &[Node]) -> bool {
    let plain = |rules: &[Node]| {
        let mut rules: Vec<String> = rules.iter().map(|rule| rule.sorted().to_xml()).collect();
        rules.sort();
        rules
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::{super::tests, *};

    fn wanted() -> BucketWanted {
        BucketWanted {
            prefix: "force/".into(),
            object_lock: false,
            days: 31,
            noncurrent_days: 7,
            stale_upload_days: 14,
            shorten: false,
        }
    }

    fn fine(body: &str) -> String {
        tests::answer("200 OK", "", body)
    }

    fn lifecycle(rules: &[Node]) -> String {
        let rules: String = rules.iter().map(Node::to_xml).collect();
        fine(&format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>"))
    }

    /// A bucket with versions, no lock, and this answer for its lifecycle.
    fn bucket(lifecycle: String) -> Vec<String> {
        let versions =
            "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        vec![
            fine(""),
            fine(versions),
            tests::error("404 Not Found", "ObjectLockConfigurationNotFoundError"),
            lifecycle,
        ]
    }

    fn unset() -> String {
        tests::error("404 Not Found", "NoSuchLifecycleConfiguration")
    }

    async fn set_up(wanted: &BucketWanted, answers: &[String]) -> (SetupReport, Vec<String>) {
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let (options, server) = tests::server(&answers).await;
        let report = tests::door(options).set_up(wanted, false).await.unwrap();
        (report, server.await.unwrap())
    }

    fn ours(wanted: &BucketWanted) -> Vec<Node> {
        wanted.rules(&BucketState::default(), &mut Vec::new())
    }

    #[tokio::test]
    async fn a_store_that_drops_the_tag_of_a_rule_gets_back_what_it_had() {
        let wanted = wanted();
        let mut lost = ours(&wanted);
        for rule in &mut lost {
            rule.children.retain(|child| child.name != "Filter");
        }
        let mut answers = bucket(unset());
        answers.push(fine(""));
        answers.extend(bucket(lifecycle(&lost)));
        answers.push(tests::answer("204 No Content", "", ""));
        let (report, requests) = set_up(&wanted, &answers).await;
        assert!(requests[4].starts_with("PUT") && requests[4].contains("<Key>class</Key>"));
        let put_back = &requests[9];
        assert!(put_back.starts_with("DELETE") && put_back.contains("lifecycle="), "{put_back}");
        let words = report.problems.join("; ");
        assert!(words.contains("came back as") && words.contains("EVERYTHING expires"), "{words}");
        assert!(words.contains("are put back"), "{words}");
    }

    #[tokio::test]
    async fn rules_of_others_are_carried_along_and_longer_ones_of_ours_kept() {
        let wanted = wanted();
        let theirs = Node::branch(
            "Rule",
            vec![
                Node::leaf("ID", "theirs & more"),
                Node::leaf("Status", "Enabled"),
                Node::branch("Filter", vec![Node::leaf("Prefix", "logs/")]),
                Node::branch("Transition", vec![Node::leaf("Days", "3")]),
            ],
        );
        let before = [theirs.clone(), wanted.unreviewed_rule(90, 7)];
        let after = [wanted.stale_rule(14), wanted.unreviewed_rule(90, 7), theirs];
        let mut answers = bucket(lifecycle(&before));
        answers.push(fine(""));
        answers.extend(bucket(lifecycle(&after)));
        let (report, requests) = set_up(&wanted, &answers).await;
        assert_eq!(report.problems, Vec::<String>::new());
        let put = &requests[4];
        assert!(
            put.contains("<ID>theirs &amp; more</ID>") && put.contains("<Transition>"),
            "{put}"
        );
        assert!(put.contains("<Days>90</Days>") && put.contains("content-md5"), "{put}");
        let notes = report.notes.join("; ");
        assert!(notes.contains("90 days, which is longer: kept") && notes.contains("not ours"));
    }

    #[tokio::test]
    async fn a_lifecycle_that_cannot_be_read_is_not_written_over() {
        let answers = bucket(tests::error("400 Bad Request", "Strange"));
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let (options, server) = tests::server(&answers).await;
        let error = tests::door(options).set_up(&wanted(), false).await.unwrap_err();
        assert_eq!(error.call, "GetBucketLifecycle");
        assert!(server.await.unwrap().iter().all(|request| !request.starts_with("PUT")));
    }

    #[tokio::test]
    async fn a_store_without_lifecycles_is_fine_where_the_rest_is_and_is_told() {
        let answers = bucket(tests::error("501 Not Implemented", "NotImplemented"));
        let (report, requests) = set_up(&wanted(), &answers).await;
        assert!(report.problems.is_empty() && requests.len() == 4, "{report:?}");
        assert!(report.notes.join("; ").contains("nothing expires there by itself"), "{report:?}");
    }

    #[tokio::test]
    async fn what_is_as_wanted_is_left_and_a_strange_rule_is_called_by_its_name() {
        let wanted = wanted();
        let everything = Node::branch(
            "Rule",
            vec![
                Node::leaf("ID", "all"),
                Node::leaf("Status", "Enabled"),
                Node::branch("Filter", vec![Node::leaf("Prefix", "")]),
                Node::branch("Expiration", vec![Node::leaf("Days", "400")]),
            ],
        );
        let (report, requests) = set_up(&wanted, &bucket(lifecycle(&ours(&wanted)))).await;
        assert!(report.problems.is_empty() && requests.len() == 4, "{report:?}");
        let mut rules = ours(&wanted);
        rules.push(everything);
        let (report, requests) = set_up(&wanted, &bucket(lifecycle(&rules))).await;
        assert!(report.problems[0].starts_with("DANGER: the lifecycle rule all"), "{report:?}");
        assert_eq!(requests.len(), 4, "nothing was written");
    }
}
