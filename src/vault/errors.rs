//! What the vault says when it refuses or fails.

use super::names::KeyError;
use s3s::{S3Error, S3ErrorCode};
use std::{io, path::Path};

/// An S3 error in our own words.
pub(super) fn refuse(code: S3ErrorCode, words: impl Into<String>) -> S3Error {
    S3Error::with_message(code, words.into())
}

/// A disk error while serving a request: logged with its path, answered without it.
pub(super) fn disk(doing: &'static str, path: &Path, error: &io::Error) -> S3Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            tracing::error!(?path, "vault: the disk is full");
            let code = S3ErrorCode::Custom("InsufficientStorage".into());
            let mut full = refuse(code, "the store's disk is full");
            full.set_status_code(hyper::StatusCode::INSUFFICIENT_STORAGE);
            full
        }
        // A key that is a folder of other keys, or below a key that is an object.
        io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::AlreadyExists => refuse(
            S3ErrorCode::InvalidArgument,
            "in this store a key cannot also be a folder of other keys",
        ),
        _ => {
            tracing::error!(?path, %error, "vault: cannot {doing}");
            refuse(S3ErrorCode::InternalError, format!("the store cannot {doing}"))
        }
    }
}

impl From<KeyError> for S3Error {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Empty => refuse(S3ErrorCode::InvalidArgument, "the key is empty"),
            KeyError::Control => {
                refuse(S3ErrorCode::InvalidArgument, "the key holds a control character")
            }
            KeyError::TooLong => refuse(
                S3ErrorCode::KeyTooLongError,
                "a key has at most 1024 bytes, a piece between slashes about 240",
            ),
        }
    }
}

/// A blocking task ended without an answer: it panicked.
pub(super) fn lost(_: tokio::task::JoinError) -> S3Error {
    refuse(S3ErrorCode::InternalError, "the store lost track of this request")
}

pub(super) fn exists() -> S3Error {
    refuse(
        S3ErrorCode::PreconditionFailed,
        "the object exists, and objects of this store are never overwritten",
    )
}

pub(super) fn no_upload() -> S3Error {
    refuse(S3ErrorCode::NoSuchUpload, "no such upload; it may be completed or aborted")
}

pub(super) fn busy() -> S3Error {
    refuse(S3ErrorCode::OperationAborted, "another call is finishing this object just now")
}
