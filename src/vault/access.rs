//! Who may do what: everything not written here is refused.
//!
//! `s3s` has checked the signature before; this adds what AWS also demands and `s3s` does not:
//! SigV4 and nothing older, the right region, and every `x-amz-*` header covered by the signature.

use hyper::{HeaderMap, Uri};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    access::{S3Access, S3AccessContext},
};

/// The operations the vault performs.
const ALLOWED: &[&str] = &[
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CreateBucket",
    "CreateMultipartUpload",
    "GetBucketLocation",
    "GetObject",
    "GetObjectTagging",
    "HeadBucket",
    "HeadObject",
    "ListBuckets",
    "ListMultipartUploads",
    "ListObjects",
    "ListObjectsV2",
    "ListParts",
    "PutObject",
    "PutObjectTagging",
    "UploadPart",
];

/// aws-chunked bodies are held in memory a chunk at a time, so their objects are kept small.
pub(super) const CHUNKED_BYTES_MAX: u64 = 64 << 20;

/// The access rule of one vault.
#[derive(Debug)]
pub(super) struct Rule {
    pub region: String,
}

#[async_trait::async_trait]
impl S3Access for Rule {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let denied = |words| Err(S3Error::with_message(S3ErrorCode::AccessDenied, words));
        if cx.credentials().is_none() {
            return denied("a signature is required");
        }
        let Some(scope) = Scope::of(cx.headers(), cx.uri()) else {
            return denied("only AWS Signature Version 4 is accepted");
        };
        if scope.region != self.region {
            let words = format!("the region is wrong; expecting '{}'", self.region);
            return Err(S3Error::with_message(S3ErrorCode::AuthorizationHeaderMalformed, words));
        }
        if let Some(name) = unsigned_header(cx.headers(), &scope) {
            return denied_owned(format!("the header {name} is not signed"));
        }
        let name = cx.s3_op().name();
        if name.starts_with("Delete") {
            return denied("this is an evidence store: nothing is ever deleted");
        }
        if !ALLOWED.contains(&name) {
            let words = format!("this store does not know {name}");
            return Err(S3Error::with_message(S3ErrorCode::NotImplemented, words));
        }
        chunked_in_bounds(cx.headers())
    }
}

fn denied_owned(words: String) -> S3Result<()> {
    Err(S3Error::with_message(S3ErrorCode::AccessDenied, words))
}

fn chunked_in_bounds(headers: &HeaderMap) -> S3Result<()> {
    let Some(length) = headers.get("x-amz-decoded-content-length") else { return Ok(()) };
    let length = length.to_str().ok().and_then(|text| text.parse::<u64>().ok());
    if length.is_some_and(|length| length <= CHUNKED_BYTES_MAX) {
        return Ok(());
    }
    let words = format!("an aws-chunked body may have at most {CHUNKED_BYTES_MAX} bytes");
    Err(S3Error::with_message(S3ErrorCode::EntityTooLarge, words))
}

/// The first `x-amz-*` header the signature does not cover.
fn unsigned_header<'a>(headers: &'a HeaderMap, scope: &Scope) -> Option<&'a str> {
    headers
        .keys()
        .map(|name| name.as_str())
        // A presigned URL says by itself that the payload is unsigned.
        .filter(|name| name.starts_with("x-amz-") && *name != "x-amz-content-sha256")
        .find(|name| !scope.signed.iter().any(|signed| signed == name))
}

/// What a SigV4 signature says of itself.
#[derive(Debug, PartialEq, Eq)]
struct Scope {
    region: String,
    /// Lower-case names.
    signed: Vec<String>,
}

impl Scope {
    fn of(headers: &HeaderMap, uri: &Uri) -> Option<Self> {
        match headers.get("authorization") {
            Some(value) => Self::from_header(value.to_str().ok()?),
            None => Self::from_query(uri.query()?),
        }
    }

    fn from_header(text: &str) -> Option<Self> {
        let fields = text.strip_prefix("AWS4-HMAC-SHA256")?;
        let field = |name: &str| {
            fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
        };
        Self::new(field("Credential")?, field("SignedHeaders")?)
    }

    fn from_query(query: &str) -> Option<Self> {
        let value = |wanted: &str| {
            url::form_urlencoded::parse(query.as_bytes())
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.into_owned())
        };
        Self::new(&value("X-Amz-Credential")?, &value("X-Amz-SignedHeaders")?)
    }

    fn new(credential: &str, signed: &str) -> Option<Self> {
        // KEY/DATE/REGION/SERVICE/aws4_request; a key may itself hold slashes.
        let region = credential.rsplit('/').nth(2)?.to_owned();
        Some(Self { region, signed: signed.split(';').map(str::to_ascii_lowercase).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_is_read_from_the_header_and_from_a_presigned_url() {
        let header = "AWS4-HMAC-SHA256 Credential=K/20260101/eu/s3/aws4_request, \
                      SignedHeaders=host;x-amz-date, Signature=00";
        let scope = Scope::from_header(header).unwrap();
        assert_eq!(scope.region, "eu");
        assert_eq!(scope.signed, ["host", "x-amz-date"]);
        let query = "X-Amz-Credential=K%2F20260101%2Feu%2Fs3%2Faws4_request\
                     &X-Amz-SignedHeaders=host%3Bx-amz-date";
        assert_eq!(Scope::from_query(query), Some(scope));
    }

    #[test]
    fn version_2_signatures_have_no_scope() {
        assert_eq!(Scope::from_header("AWS KEY:c2ln"), None);
        assert_eq!(Scope::from_query("AWSAccessKeyId=K&Signature=s&Expires=1"), None);
    }

    #[test]
    fn an_unsigned_amz_header_is_found() {
        let scope = Scope { region: "eu".into(), signed: vec!["host".into()] };
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "a/b".parse().unwrap());
        assert_eq!(unsigned_header(&headers, &scope), None);
        headers.insert("x-amz-checksum-sha256", "x".parse().unwrap());
        assert_eq!(unsigned_header(&headers, &scope), Some("x-amz-checksum-sha256"));
    }
}
