//! The marks of a stored object as S3 requests: tag, retention, legal hold.
//!
//! What HEAD says of a lock is not believed: a store may give the headers of Create back like any
//! others. Retention and hold are asked for by themselves.

use super::{S3, reply::Reply, request::Ask, xml::Node};
use crate::{
    store::{Fault, Store as _, StoreError},
    transfer::marks::{Locks, MarkChange, MarksFound},
    types::Md5Digest,
};
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use rusty_s3::Method;
use std::fmt::Write as _;

const XMLNS: &str = r#"xmlns="http://s3.amazonaws.com/doc/2006-03-01/""#;
const CLASS: &str = "class";

impl S3 {
    pub(super) async fn read_marks(
        &self,
        key: &str,
        version: Option<&str>,
        with_locks: bool,
    ) -> Result<MarksFound, StoreError> {
        let class = match self.tags(key, version).await {
            Ok(tags) => tags.into_iter().find(|(name, _)| name == CLASS).map(|(_, value)| value),
            Err(error) if is_a_no(error.fault) => {
                // No tags, or no object: only one of them is harmless.
                match self.head(key).await? {
                    Some(_) => None,
                    None => return Err(StoreError { fault: Fault::Missing, ..error }),
                }
            }
            Err(error) => return Err(error),
        };
        let locks = match with_locks {
            true => Some(self.locks(key, version).await?),
            false => None,
        };
        Ok(MarksFound { class, locks })
    }

    pub(super) async fn change_mark(
        &self,
        key: &str,
        version: Option<&str>,
        change: &MarkChange,
    ) -> Result<(), StoreError> {
        let (call, sub, body) = match change {
            MarkChange::Retain { mode, until } => {
                let until = until.strftime("%Y-%m-%dT%H:%M:%SZ");
                let mode = quick_xml::escape::escape(mode.as_str());
                let body = format!(
                    "<Retention {XMLNS}><Mode>{mode}</Mode>\
                     <RetainUntilDate>{until}</RetainUntilDate></Retention>"
                );
                ("PutObjectRetention", "retention", body)
            }
            MarkChange::Hold(on) => {
                let status = if *on { "ON" } else { "OFF" };
                let body = format!("<LegalHold {XMLNS}><Status>{status}</Status></LegalHold>");
                ("PutObjectLegalHold", "legal-hold", body)
            }
            MarkChange::Class(class) => {
                // All tags are put at once: those of others must be among them.
                let mut tags = match self.tags(key, version).await {
                    Ok(tags) => tags,
                    // Where tags are not known at all, putting them may be putting the object.
                    Err(error) if error.fault == Fault::Missing => Vec::new(),
                    Err(error) => return Err(error),
                };
                tags.retain(|(name, _)| name != CLASS);
                tags.push((CLASS.to_owned(), class.to_string()));
                ("PutObjectTagging", "tagging", tagging(&tags))
            }
        };
        let md5 = Md5Digest(Md5::digest(body.as_bytes()).into()).to_base64();
        let ask = Ask::new(call, Method::Put, Some(key))
            .query(sub, "")
            .header("content-type", "application/xml")
            .header("content-md5", md5)
            .bytes(body.into_bytes());
        self.ask(of_version(ask, version)).await?.success().map(drop)
    }

    async fn tags(
        &self,
        key: &str,
        version: Option<&str>,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let ask = Ask::new("GetObjectTagging", Method::Get, Some(key)).query("tagging", "");
        let answer = self.ask(of_version(ask, version)).await.and_then(Reply::success);
        let answer = answer.and_then(|reply| match reply.body.is_empty() {
            // Ceph 16 says nothing at all where there is no tag.
            true => Ok(None),
            false => reply.document("Tagging").map(Some),
        });
        let tags = match answer {
            Ok(Some(tags)) => tags,
            Ok(None) => return Ok(Vec::new()),
            Err(error) => return Err(self.or_unknown_question(key, error).await?),
        };
        let pair = |tag: &Node| {
            Some((tag.text_of("Key")?.to_owned(), tag.text_of("Value").unwrap_or("").to_owned()))
        };
        Ok(tags.all("TagSet").flat_map(|set| set.all("Tag")).filter_map(pair).collect())
    }

    /// In words why the store cannot say, where that is its answer.
    async fn locks(
        &self,
        key: &str,
        version: Option<&str>,
    ) -> Result<Result<Locks, String>, StoreError> {
        let retention = match self.lock_document(key, version, &RETENTION).await? {
            Ok(retention) => retention,
            Err(words) => return Ok(Err(words)),
        };
        let hold = match self.lock_document(key, version, &HOLD).await? {
            Ok(hold) => hold,
            Err(words) => return Ok(Err(words)),
        };
        let text = |node: &Option<Node>, name| {
            node.as_ref().and_then(|node| node.text_of(name)).map(str::to_owned)
        };
        let until = text(&retention, "RetainUntilDate");
        Ok(Ok(Locks {
            mode: text(&retention, "Mode"),
            retain_until: until.and_then(|until| until.parse::<Timestamp>().ok()),
            legal_hold: text(&hold, "Status").as_deref() == Some("ON"),
            noted_only: false,
        }))
    }

    /// None inside where the object has none of it.
    async fn lock_document(
        &self,
        key: &str,
        version: Option<&str>,
        (call, sub, root): &(&'static str, &'static str, &'static str),
    ) -> Result<Result<Option<Node>, String>, StoreError> {
        let ask = of_version(Ask::new(call, Method::Get, Some(key)).query(sub, ""), version);
        let answer = self.ask(ask).await.and_then(Reply::success);
        match answer.and_then(|reply| reply.document(root)) {
            Ok(node) => Ok(Ok(Some(node))),
            Err(error) => match self.or_unknown_question(key, error).await? {
                error if error.fault == Fault::Missing => Ok(Ok(None)),
                error if error.fault == Fault::Refused => Ok(Err(error.to_string())),
                error => Err(error),
            },
        }
    }

    /// Tells a store that takes this question for another (`rclone serve s3` answers with the object
    /// itself) from something that is no store: the store shows the object when it is asked for it.
    async fn or_unknown_question(
        &self,
        key: &str,
        error: StoreError,
    ) -> Result<StoreError, StoreError> {
        if error.fault != Fault::NotTheStore || self.head(key).await?.is_none() {
            return Ok(error);
        }
        let words = "the store takes this question for another: it keeps no such thing".to_owned();
        Ok(StoreError { call: error.call, fault: Fault::Refused, words })
    }
}

const RETENTION: (&str, &str, &str) = ("GetObjectRetention", "retention", "Retention");
const HOLD: (&str, &str, &str) = ("GetObjectLegalHold", "legal-hold", "LegalHold");

fn of_version<'a>(ask: Ask<'a>, version: Option<&str>) -> Ask<'a> {
    match version {
        Some(version) => ask.query("versionId", version),
        None => ask,
    }
}

/// The store's own word that there is nothing of the kind, or that it knows no such thing.
fn is_a_no(fault: Fault) -> bool {
    matches!(fault, Fault::Missing | Fault::Refused)
}

fn tagging(tags: &[(String, String)]) -> String {
    let mut body = format!("<Tagging {XMLNS}><TagSet>");
    for (name, value) in tags {
        let (name, value) =
            (quick_xml::escape::escape(name.as_str()), quick_xml::escape::escape(value.as_str()));
        write!(body, "<Tag><Key>{name}</Key><Value>{value}</Value></Tag>")
            .expect("writing to a String cannot fail");
    }
    body + "</TagSet></Tagging>"
}

#[cfg(test)]
mod tests {
    use super::{super::tests, *};
    use crate::{
        store::establish,
        transfer::marks::MarksWanted,
        types::{Class, fact::MarksAsked},
    };

    fn wanted(class: Class) -> MarksWanted {
        let evidence = class == Class::Evidential;
        MarksWanted {
            asked: MarksAsked { class, evidence },
            lock: true,
            retain_until: None,
            hold_is_ours: true,
            known_class: None,
        }
    }

    fn fine(body: &str) -> String {
        tests::answer("200 OK", "", body)
    }

    fn tagged(class: &str) -> String {
        fine(&format!(
            "<Tagging><TagSet><Tag><Key>case</Key><Value>a&amp;b</Value></Tag>\
             <Tag><Key>class</Key><Value>{class}</Value></Tag></TagSet></Tagging>"
        ))
    }

    fn held(status: &str) -> String {
        fine(&format!("<LegalHold><Status>{status}</Status></LegalHold>"))
    }

    fn none() -> String {
        tests::error("404 Not Found", "NoSuchObjectLockConfiguration")
    }

    #[tokio::test]
    async fn evidence_is_held_then_tagged_and_tags_of_others_stay() {
        let answers = [
            tagged("unreviewed"),
            none(),
            none(),
            fine(""),
            tagged("unreviewed"),
            fine(""),
            tagged("evidential"),
            none(),
            held("ON"),
        ];
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let (options, server) = tests::server(&answers).await;
        let door = tests::door(options);
        let wanted = wanted(Class::Evidential);
        let seen = establish(&door, "k.age", Some("v1"), &wanted, 0).await.unwrap();
        assert!(seen.legal_hold && seen.lacks.is_none(), "{seen:?}");
        let requests = server.await.unwrap();
        assert!(requests[3].contains("legal-hold") && requests[3].contains("<Status>ON</Status>"));
        let tags = &requests[5];
        assert!(tags.starts_with("PUT") && tags.contains("content-md5"), "{tags}");
        assert!(tags.contains("<Value>a&amp;b</Value>"), "{tags}");
        assert!(tags.contains("<Key>class</Key><Value>evidential</Value>"), "{tags}");
        assert!(requests.iter().all(|request| request.contains("versionId=v1")));
    }

    #[tokio::test]
    async fn a_hold_that_cannot_be_put_now_leaves_the_tag_as_it_is() {
        let answers =
            [tagged("unreviewed"), none(), none(), tests::error("403 Forbidden", "AccessDenied")];
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let (options, server) = tests::server(&answers).await;
        let wanted = wanted(Class::Evidential);
        let error = establish(&tests::door(options), "k.age", None, &wanted, 0).await.unwrap_err();
        assert_eq!((error.call, error.fault), ("PutObjectLegalHold", Fault::Denied));
        assert_eq!(server.await.unwrap().len(), 4);
    }

    #[tokio::test]
    async fn a_store_without_locks_is_tagged_and_never_called_locked() {
        let no = || tests::error("400 Bad Request", "InvalidRequest");
        let answers = [
            tagged("unreviewed"),
            no(),
            tagged("unreviewed"),
            fine(""),
            tagged("evidential"),
            no(),
        ];
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let (options, server) = tests::server(&answers).await;
        let wanted = wanted(Class::Evidential);
        let seen = establish(&tests::door(options), "k.age", None, &wanted, 0).await.unwrap();
        assert_eq!((seen.class, seen.legal_hold), (Some(Class::Evidential), false));
        assert!(seen.lacks.unwrap().contains("no legal hold"));
        server.await.unwrap();
    }

    #[tokio::test]
    async fn a_store_that_says_yes_and_keeps_nothing_is_found_out() {
        let one = |fault: Option<u32>| async move {
            let answers = [
                tagged("unreviewed"),
                none(),
                none(),
                fine(""),
                tagged("unreviewed"),
                fine(""),
                tagged("unreviewed"),
                none(),
                none(),
            ];
            let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
            let (options, server) = tests::server(&answers).await;
            let door = tests::door(options);
            let wanted = wanted(Class::Evidential);
            let seen = establish(&door, "k.age", None, &wanted, fault.unwrap_or(0)).await;
            server.await.unwrap();
            seen
        };
        let error = one(None).await.unwrap_err();
        assert!(error.words.contains("and yet: no legal hold"), "{error}");
        let lacks = one(Some(3)).await.unwrap().lacks.unwrap();
        assert!(lacks.contains("no legal hold; no tag class=evidential"), "{lacks}");
    }

    #[tokio::test]
    async fn a_store_that_takes_a_question_for_another_is_never_written_to() {
        // `rclone serve s3` answers a question for tags with the object itself.
        let wanted = wanted(Class::Evidential);
        let itself = || tests::answer("200 OK", "etag: \"e\"\r\n", "age-encryption.org/v1");
        let head = || tests::answer("200 OK", "etag: \"e\"\r\n", "");
        let (tags, lock) = ([itself(), head(), head()], [itself(), head()]);
        let answers = [&tags[..], &lock, &tags[..2], &tags, &lock].concat();
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let (options, server) = tests::server(&answers).await;
        let seen = establish(&tests::door(options), "k.age", None, &wanted, 0).await.unwrap();
        assert!(seen.lacks.unwrap().contains("no tag class=evidential"));
        assert!(server.await.unwrap().iter().all(|request| !request.starts_with("PUT")));
        // Something that answers everything like that is no store.
        let page = || tests::answer("200 OK", "content-type: text/html\r\n", "<html>");
        let answers = [page(), page()];
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let (options, server) = tests::server(&answers).await;
        let error = establish(&tests::door(options), "k.age", None, &wanted, 9).await.unwrap_err();
        assert_eq!(error.fault, Fault::NotTheStore);
        assert!(server.await.unwrap().iter().all(|request| !request.starts_with("PUT")));
        // And one that knows no tags is not given any.
        let no = || tests::error("501 Not Implemented", "NotImplemented");
        let head = tests::answer("200 OK", "etag: \"e\"\r\n", "");
        let answers = [no(), head.clone(), no(), no(), no(), head, no()];
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let (options, server) = tests::server(&answers).await;
        let seen = establish(&tests::door(options), "k.age", None, &wanted, 0).await.unwrap();
        assert!(seen.lacks.unwrap().contains("no tag class=evidential"));
        assert!(server.await.unwrap().iter().all(|request| !request.starts_with("PUT")));
    }

    #[tokio::test]
    async fn an_object_that_is_gone_is_told_from_one_without_tags() {
        let missing = || tests::error("404 Not Found", "NoSuchKey");
        let answers = [missing(), tests::answer("404 Not Found", "", "")];
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let (options, server) = tests::server(&answers).await;
        let wanted = wanted(Class::Unreviewed);
        let seen = establish(&tests::door(options), "k.age", None, &wanted, 0).await.unwrap();
        assert!(seen.lacks.unwrap().contains("no longer has this object"));
        server.await.unwrap();
    }
}
