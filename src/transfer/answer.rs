//! The calls an upload makes and what can come back, as values.

use crate::types::{Sha256Digest, StoreNeed};
use jiff::Timestamp;
use std::time::Duration;

/// What went wrong, as the transfer rules need to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No connection, reset, timeout, cut short. The call may or may not have happened.
    Network,
    /// 500, 502, 504 and the like.
    Server,
    /// 503 SlowDown, 429: slow down, perhaps for a time the store named.
    Busy { retry_after: Option<Duration> },
    /// 507 or a quota error: the store is full.
    Full,
    /// 401/403, no such bucket: credentials or settings are wrong, or a right is lacking.
    Denied,
    /// The request was signed for another time than the store's; the door has learned the store's
    /// clock: try again at once.
    Skewed,
    /// 404 NoSuchUpload (or NoSuchKey on a GET).
    Missing,
    /// A folder that is the store cannot be written: read-only, no right to, or its disk fails.
    Unwritable,
    /// 409: a conflicting operation is under way.
    Conflict,
    /// 412: the object is already there.
    Exists,
    /// The store found the digest we sent unequal to the bytes it got.
    BadDigest,
    /// A redirect, a page of HTML, a 200 without what a 200 must carry: not our store talking.
    NotTheStore,
    /// TLS: the certificate that was shown is not to be trusted.
    Untrusted { why: Distrust },
    /// Any other 4xx: asking again will not help.
    Refused,
    /// Reading our own spool failed while sending.
    Spool,
}

impl Fault {
    /// What only a person can mend, if that is it; the store as a whole is unwell then.
    pub fn needs_a_person(self) -> Option<StoreNeed> {
        match self {
            Self::Denied => Some(StoreNeed::Access),
            Self::Full => Some(StoreNeed::Room),
            Self::Unwritable => Some(StoreNeed::Folder),
            Self::Untrusted { .. } => Some(StoreNeed::Trust),
            Self::Network
            | Self::Server
            | Self::Busy { .. }
            | Self::Skewed
            | Self::Missing
            | Self::Conflict
            | Self::Exists
            | Self::BadDigest
            | Self::NotTheStore
            | Self::Refused
            | Self::Spool => None,
        }
    }

    /// Whether the store as a whole, or the way to it, is the cause, and not the one object.
    pub fn is_store_wide(self) -> bool {
        match self {
            Self::Network
            | Self::Server
            | Self::Busy { .. }
            | Self::Full
            | Self::Denied
            | Self::Unwritable
            | Self::Skewed
            | Self::NotTheStore
            | Self::Untrusted { .. } => true,
            Self::Missing
            | Self::Conflict
            | Self::Exists
            | Self::BadDigest
            | Self::Refused
            | Self::Spool => false,
        }
    }
}

/// Why a certificate is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// None of the trusted authorities issued it.
    UnknownIssuer,
    /// By the dock's clock it is not good any more.
    Expired,
    /// By the dock's clock it is not good yet.
    NotYetValid,
    /// It names another host.
    WrongName,
    /// It is good, and holds another key than the pinned one.
    WrongKey,
    /// Anything else: revoked, broken, for another purpose.
    Unusable,
}

impl Distrust {
    /// What a station admin can do about it.
    pub fn next_step(self) -> &'static str {
        match self {
            Self::UnknownIssuer => {
                "name the authority that issued the store's certificate as `ca_file` under \
                 [store]; if it is right already, something between opens TLS: a proxy, or worse"
            }
            Self::Expired => {
                "check this dock's clock; if it is right, whoever runs the store must renew its \
                 certificate"
            }
            Self::NotYetValid => "set this dock's clock: by it the certificate is of the future",
            Self::WrongName => {
                "the certificate names another host: correct `endpoint` under [store], or have a \
                 certificate issued for this name"
            }
            Self::WrongKey => {
                "if the store's key was changed on purpose, put the new `server_key_pin` under \
                 [store]; if not, somebody else answers: tell the force's security"
            }
            Self::Unusable => "whoever runs the store must look at its certificate",
        }
    }
}

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{call}: {words}")]
pub struct StoreError {
    /// The S3 operation, for example `UploadPart`.
    pub call: &'static str,
    pub fault: Fault,
    /// For people: status, code and message as the store gave them, shortened.
    pub words: String,
}

impl StoreError {
    /// What happened, and what a person can do about it.
    pub fn with_advice(&self) -> String {
        format!("{self}{}", advice(self.fault))
    }
}

/// What a person can do about a fault; empty where waiting is all there is.
fn advice(fault: Fault) -> &'static str {
    match fault {
        Fault::Denied => "; check the credentials, the bucket and the rights of this dock's key",
        Fault::Full => "; the store is full: ask its administrator for space",
        Fault::NotTheStore => {
            "; something else answered in the store's place: a captive portal, a proxy or a wrong \
             address"
        }
        Fault::Untrusted { .. } => {
            "; the certificate shown in the store's place is not trusted: `bwvdock doctor`"
        }
        Fault::Spool => "; the dock cannot read its own spool: check its disk",
        Fault::Skewed => "; the clocks of dock and store differ",
        // Its words come from the door, and say which of the three it is and what to do.
        Fault::Unwritable
        | Fault::Network
        | Fault::Server
        | Fault::Busy { .. }
        | Fault::Missing
        | Fault::Conflict
        | Fault::Exists
        | Fault::BadDigest
        | Fault::Refused => "",
    }
}

/// What ListParts says of a part: a hint, never a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPart {
    pub number: u32,
    pub etag: String,
    pub size: u64,
}

/// An upload the store still keeps open for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    pub id: String,
    pub initiated: Option<Timestamp>,
}

/// What a HEAD of a stored object says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectHead {
    pub size: u64,
    /// Without quotes.
    pub etag: String,
    pub version: Option<String>,
    /// `x-amz-checksum-sha256`, composite form, if the store keeps one.
    pub composite_sha256: Option<String>,
    /// `x-amz-meta-sha256`: what we said at Create.
    pub meta_sha256: Option<String>,
    pub lock_mode: Option<String>,
    pub retain_until: Option<Timestamp>,
    pub legal_hold: Option<bool>,
    /// The `Date` header, as sent.
    pub server_date: Option<String>,
    pub request_id: Option<String>,
    /// SHA-256 of the store's TLS public key (SPKI), as base64; none without TLS.
    pub tls_spki_sha256: Option<String>,
}

/// How a part that was sent is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartAck {
    /// Without quotes.
    pub etag: String,
    /// The store echoed the SHA-256 we sent, and it is equal.
    pub sha256_echoed: bool,
    /// The ETag is the MD5 of the part.
    pub etag_is_md5: bool,
}

/// What the store was seen to enforce, by deliberately bad requests. All `false` until probed:
/// an echo of what was sent proves nothing about a store that never refused a wrong one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Enforces {
    /// A part with a wrong `x-amz-checksum-sha256` is refused.
    pub sha256: bool,
    /// A part with a wrong `Content-MD5` is refused.
    pub md5: bool,
    /// Complete with `If-None-Match: *` is refused when the object is there.
    pub if_none_match: bool,
}

/// One thing to ask of the store (or, the last one, of the spool).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    Head,
    FindUploads,
    Create,
    ListParts {
        upload: String,
    },
    PutPart {
        upload: String,
        number: u32,
    },
    /// `etags[i]` belongs to part i+1.
    Complete {
        upload: String,
        etags: Vec<String>,
    },
    Abort {
        upload: String,
    },
    /// Read the whole object back and hash it.
    ReadBack,
    /// Hash the spool file again and compare it with the part table.
    CheckSpool,
}

/// What a call that succeeded says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Head(Option<ObjectHead>),
    Uploads(Vec<OpenUpload>),
    Created(String),
    Parts(Vec<ListedPart>),
    Part(PartAck),
    Completed,
    Aborted,
    ReadBack { size: u64, sha256: Sha256Digest },
    Spool { intact: bool },
}
