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
                    Err(error) if is_a_no(error.fault) => Vec::new(),
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
        let reply = self.ask(of_version(ask, version)).await?.success()?;
        // Ceph 16 says nothing at all where there is no tag.
        if reply.body.is_empty() {
            return Ok(Vec::new());
        }
        let tags = reply.document("Tagging")?;
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
        match answer {
            Ok(reply) => reply.document(root).map(|node| Ok(Some(node))),
            Err(error) if error.fault == Fault::Missing => Ok(Ok(None)),
            Err(error) if error.fault == Fault::Refused => Ok(Err(error.to_string())),
            Err(error) => Err(error),
        }
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
