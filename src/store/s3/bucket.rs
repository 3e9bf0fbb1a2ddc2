//! Requests about a bucket itself: whether it is there, its versioning, object lock and lifecycle.

use super::{S3, request::Ask, xml::Node};
use crate::{
    store::{Fault, StoreError},
    types::Md5Digest,
};
use md5::{Digest as _, Md5};
use rusty_s3::Method;

const XMLNS: &str = r#"xmlns="http://s3.amazonaws.com/doc/2006-03-01/""#;

/// What a bucket says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct BucketState {
    pub exists: bool,
    /// `Enabled` or `Suspended`; none where it never was.
    pub versioning: Option<String>,
    pub object_lock: bool,
    /// In words, the retention every new object gets by itself.
    pub default_retention: Option<String>,
    /// The rules of its lifecycle, whole.
    pub rules: Vec<Node>,
    /// The store knows no lifecycle at all (501), so nothing expires there by itself.
    pub no_lifecycle: bool,
}

impl S3 {
    /// # Errors
    /// As the store says; what it does not know at all counts as not there.
    pub(super) async fn bucket_state(&self) -> Result<BucketState, StoreError> {
        let (head, _) = self.begin(Ask::new("HeadBucket", Method::Head, None)).await?.into_reply();
        match head.success() {
            Ok(_) => {}
            Err(error) if error.fault == Fault::Missing => return Ok(BucketState::default()),
            Err(error) => return Err(error),
        }
        let versioning = self
            .bucket_document(("GetBucketVersioning", "versioning", "VersioningConfiguration"))
            .await?;
        let lock = self
            .bucket_document((
                "GetObjectLockConfiguration",
                "object-lock",
                "ObjectLockConfiguration",
            ))
            .await?;
        let rules = self.lifecycle_rules().await?;
        let no_lifecycle = rules.is_none();
        let text = |node: &Option<Node>, name: &str| {
            node.as_ref().and_then(|node| node.text_of(name)).map(str::to_owned)
        };
        Ok(BucketState {
            exists: true,
            versioning: text(&versioning, "Status"),
            object_lock: text(&lock, "ObjectLockEnabled").as_deref() == Some("Enabled"),
            default_retention: lock.as_ref().and_then(default_retention),
            rules: rules.unwrap_or_default(),
            no_lifecycle,
        })
    }

    /// A lifecycle that cannot be read is no empty one: writing ours would remove it. `None` where
    /// the store knows none at all.
    async fn lifecycle_rules(&self) -> Result<Option<Vec<Node>>, StoreError> {
        let ask = Ask::new("GetBucketLifecycle", Method::Get, None).query("lifecycle", "");
        let reply = self.ask(ask).await?;
        let unknown = reply.status.as_u16() == 501;
        match reply.success() {
            Ok(reply) if reply.body.is_empty() => Ok(Some(Vec::new())),
            Ok(reply) => {
                Ok(Some(reply.document("LifecycleConfiguration")?.all("Rule").cloned().collect()))
            }
            Err(error) if error.fault == Fault::Missing => Ok(Some(Vec::new())),
            Err(error) if error.fault == Fault::Refused && unknown => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn bucket_document(
        &self,
        (call, sub, root): (&'static str, &'static str, &'static str),
    ) -> Result<Option<Node>, StoreError> {
        let reply = self.ask(Ask::new(call, Method::Get, None).query(sub, "")).await?;
        match reply.success() {
            // Some say nothing at all where nothing was set.
            Ok(reply) if reply.body.is_empty() => Ok(None),
            Ok(reply) => reply.document(root).map(Some),
            Err(error) if matches!(error.fault, Fault::Missing | Fault::Refused) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn create_bucket(&self, with_lock: bool) -> Result<(), StoreError> {
        let region = self.bucket.region();
        let mut ask = Ask::new("CreateBucket", Method::Put, None);
        if with_lock {
            ask = ask.header("x-amz-bucket-object-lock-enabled", "true");
        }
        if region != "us-east-1" {
            let body = format!(
                "<CreateBucketConfiguration {XMLNS}>\
                 <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            );
            ask = ask.bytes(body.into_bytes());
        }
        self.ask(ask).await?.success().map(drop)
    }

    pub(super) async fn enable_versioning(&self) -> Result<(), StoreError> {
        let body = format!(
            "<VersioningConfiguration {XMLNS}><Status>Enabled</Status></VersioningConfiguration>"
        );
        self.put_document(("PutBucketVersioning", "versioning"), body).await
    }

    /// Only where it is off: it says nothing of a default retention.
    pub(super) async fn enable_object_lock(&self) -> Result<(), StoreError> {
        let body = format!(
            "<ObjectLockConfiguration {XMLNS}><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
             </ObjectLockConfiguration>"
        );
        self.put_document(("PutObjectLockConfiguration", "object-lock"), body).await
    }

    /// Puts all rules at once; none removes the lifecycle.
    pub(super) async fn put_lifecycle(&self, rules: &[Node]) -> Result<(), StoreError> {
        if rules.is_empty() {
            let ask =
                Ask::new("DeleteBucketLifecycle", Method::Delete, None).query("lifecycle", "");
            return self.ask(ask).await?.success().map(drop);
        }
        let rules: String = rules.iter().map(Node::to_xml).collect();
        let body = format!("<LifecycleConfiguration {XMLNS}>{rules}</LifecycleConfiguration>");
        self.put_document(("PutBucketLifecycle", "lifecycle"), body).await
    }

    async fn put_document(
        &self,
        (call, sub): (&'static str, &'static str),
        body: String,
    ) -> Result<(), StoreError> {
        let md5 = Md5Digest(Md5::digest(body.as_bytes()).into()).to_base64();
        let ask = Ask::new(call, Method::Put, None)
            .query(sub, "")
            .header("content-type", "application/xml")
            .header("content-md5", md5)
            .bytes(body.into_bytes());
        self.ask(ask).await?.success().map(drop)
    }
}

fn default_retention(lock: &Node) -> Option<String> {
    let rule = lock.all("Rule").flat_map(|rule| rule.all("DefaultRetention")).next()?;
    let mode = rule.text_of("Mode").unwrap_or("?");
    let span = match (rule.text_of("Days"), rule.text_of("Years")) {
        (Some(days), _) => format!("{days} days"),
        (None, Some(years)) => format!("{years} years"),
        (None, None) => return None,
    };
    Some(format!("{mode}, {span}"))
}
