//! Whole objects: Put, Get, Head and their tags.

use super::{
    bucket::Bucket,
    described::{Headers, Lock, checked_tags},
    errors::{busy, disk, exists, lost, refuse},
    held::{Held, intact},
    meta::{Described, ObjectMeta, VERSION, fresh_id},
    outgoing::FileBody,
    receive::{Received, receive},
};
use jiff::Timestamp;
use s3s::{Body, S3ErrorCode, S3Request, S3Response, S3Result, dto::*};
use std::sync::Arc;

pub(super) async fn put(
    bucket: Arc<Bucket>,
    mut request: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    let input = &mut request.input;
    super::names::meta_path(&input.key)?;
    let only_new = only_if_new(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    no_foreign_encryption(input.sse_customer_algorithm.as_ref(), input.write_offset_bytes)?;
    let described = Described::new(
        Headers {
            content_type: input.content_type.take(),
            content_encoding: input.content_encoding.take(),
            content_disposition: input.content_disposition.take(),
            content_language: input.content_language.take(),
            cache_control: input.cache_control.take(),
        },
        input.metadata.take(),
        input.tagging.as_deref(),
        Lock {
            mode: input.object_lock_mode.take(),
            until: input.object_lock_retain_until_date.take(),
            hold: input.object_lock_legal_hold_status.take(),
        },
    )?;
    if only_new && bucket.has(&input.key) && stands(&bucket, &input.key).await {
        return Err(exists());
    }
    let (key, body) = (std::mem::take(&mut input.key), input.body.take());
    let received = receive(&mut request, body, bucket.fresh_temporary()).await?;
    let commit = move || commit_put(&bucket, key, received, described, only_new);
    let meta = tokio::task::spawn_blocking(commit).await.map_err(lost)??;
    Ok(S3Response::new(PutObjectOutput {
        e_tag: Some(ETag::Strong(meta.etag.clone())),
        checksum_sha256: Some(meta.sha256.to_base64()),
        checksum_crc32: meta.sums.get("CRC32").cloned(),
        checksum_crc32c: meta.sums.get("CRC32C").cloned(),
        checksum_crc64nvme: meta.sums.get("CRC64NVME").cloned(),
        checksum_sha1: meta.sums.get("SHA1").cloned(),
        checksum_type: Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT)),
        version_id: Some(meta.version_id),
        ..Default::default()
    }))
}

/// Whether an object stands here that a conditional write must not replace.
async fn stands(bucket: &Arc<Bucket>, key: &str) -> bool {
    match find(bucket, key, None).await {
        Ok(meta) => intact(bucket, &meta).await.is_ok(),
        Err(_) => false,
    }
}

fn commit_put(
    bucket: &Arc<Bucket>,
    key: String,
    received: Received,
    described: Described,
    only_new: bool,
) -> S3Result<ObjectMeta> {
    let _held = bucket.reserve(&key).ok_or_else(busy)?;
    let path = bucket.object_file(&key)?;
    let old = bucket.object(&key).map_err(|error| disk("read metadata", &path, &error))?;
    if let Some(old) = old {
        // The same bytes again are a retry whose first answer was lost.
        let same = old.sha256 == received.digests.sha256 && old.size == received.digests.size;
        let held = bucket.held(&key).map_err(|error| disk("look at an object", &path, &error))?;
        return match held {
            Held::Intact(_) if same && !only_new => Ok(old),
            // Lost from the disk: the same bytes may take their place again.
            Held::Missing if same => store(bucket, &received, old),
            Held::Intact(_) | Held::Missing | Held::Altered => Err(exists()),
        };
    }
    let digests = &received.digests;
    let meta = ObjectMeta {
        v: VERSION,
        key,
        version_id: fresh_id(),
        created: Timestamp::now(),
        size: digests.size,
        etag: digests.md5.to_string(),
        sha256: digests.sha256,
        composite_sha256: None,
        sums: digests.sums.clone(),
        upload_id: None,
        parts: Vec::new(),
        file: None,
        described,
    };
    store(bucket, &received, meta)
}

fn store(bucket: &Bucket, received: &Received, meta: ObjectMeta) -> S3Result<ObjectMeta> {
    let path = bucket.object_file(&meta.key)?;
    let committed = bucket.commit(received.temporary.path(), meta);
    committed.map_err(|error| disk("store an object", &path, &error))
}

/// Reads `If-Match` and `If-None-Match` of a write: only `If-None-Match: *` has a meaning here.
pub(super) fn only_if_new(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<bool> {
    match (if_match, if_none_match) {
        (None, None) => Ok(false),
        (None, Some(condition)) if condition.is_any() => Ok(true),
        _ => Err(refuse(S3ErrorCode::NotImplemented, "writes know only 'If-None-Match: *'")),
    }
}

fn no_foreign_encryption(customer: Option<&String>, offset: Option<i64>) -> S3Result<()> {
    if customer.is_some() || offset.is_some() {
        let words = "neither customer keys nor appending are known to this store";
        return Err(refuse(S3ErrorCode::NotImplemented, words));
    }
    Ok(())
}

/// A time as `s3s` writes it.
pub(super) fn to_s3(time: Timestamp) -> s3s::dto::Timestamp {
    s3s::dto::Timestamp::from(std::time::SystemTime::from(time))
}

/// Finds the metadata of an object, of this version if one is named.
pub(super) async fn find(
    bucket: &Arc<Bucket>,
    key: &str,
    version: Option<&str>,
) -> S3Result<ObjectMeta> {
    let (reading, wanted) = (bucket.clone(), key.to_owned());
    let read = tokio::task::spawn_blocking(move || reading.object(&wanted)).await.map_err(lost)?;
    let path = bucket.object_file(key)?;
    let meta = read.map_err(|error| disk("read metadata", &path, &error))?;
    let meta = meta.ok_or_else(|| refuse(S3ErrorCode::NoSuchKey, "no such object"))?;
    if version.is_some_and(|version| version != meta.version_id) {
        return Err(refuse(S3ErrorCode::NoSuchVersion, "no such version of the object"));
    }
    Ok(meta)
}

fn check_conditions(
    meta: &ObjectMeta,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    let fits = |condition: &ETagCondition| {
        condition.is_any() || condition.as_etag().is_some_and(|etag| etag.value() == meta.etag)
    };
    if if_match.is_some_and(|condition| !fits(condition)) {
        return Err(refuse(S3ErrorCode::PreconditionFailed, "the ETag is another"));
    }
    if if_none_match.is_some_and(fits) {
        let mut error = refuse(S3ErrorCode::Custom("NotModified".into()), "the ETag is the same");
        error.set_status_code(hyper::StatusCode::NOT_MODIFIED);
        return Err(error);
    }
    Ok(())
}

pub(super) async fn get(
    bucket: Arc<Bucket>,
    input: GetObjectInput,
) -> S3Result<S3Response<GetObjectOutput>> {
    let head = HeadObjectInput {
        bucket: input.bucket,
        key: input.key.clone(),
        checksum_mode: input.checksum_mode,
        if_match: input.if_match,
        if_none_match: input.if_none_match,
        if_unmodified_since: input.if_unmodified_since,
        part_number: input.part_number,
        range: input.range,
        version_id: input.version_id,
        ..Default::default()
    };
    let (meta, range, partial) = look(&bucket, &head).await?;
    let file = intact(&bucket, &meta).await?;
    let body = FileBody::new(file, range.start, range.end - range.start);
    let said = said_of(&meta, &range, partial, head.checksum_mode.is_some());
    Ok(S3Response::new(GetObjectOutput {
        body: Some(StreamingBlob::from(Body::http_body_unsync(body))),
        accept_ranges: said.accept_ranges,
        cache_control: said.cache_control,
        checksum_crc32: said.checksum_crc32,
        checksum_crc32c: said.checksum_crc32c,
        checksum_crc64nvme: said.checksum_crc64nvme,
        checksum_sha1: said.checksum_sha1,
        checksum_sha256: said.checksum_sha256,
        checksum_type: said.checksum_type,
        content_disposition: said.content_disposition,
        content_encoding: said.content_encoding,
        content_language: said.content_language,
        content_length: said.content_length,
        content_range: said.content_range,
        content_type: said.content_type,
        e_tag: said.e_tag,
        last_modified: said.last_modified,
        metadata: said.metadata,
        object_lock_legal_hold_status: said.object_lock_legal_hold_status,
        object_lock_mode: said.object_lock_mode,
        object_lock_retain_until_date: said.object_lock_retain_until_date,
        tag_count: i32::try_from(meta.described.tags.len()).ok().filter(|count| *count > 0),
        version_id: said.version_id,
        ..Default::default()
    }))
}

pub(super) async fn head(
    bucket: Arc<Bucket>,
    input: HeadObjectInput,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let (meta, range, partial) = look(&bucket, &input).await?;
    intact(&bucket, &meta).await?;
    Ok(S3Response::new(said_of(&meta, &range, partial, input.checksum_mode.is_some())))
}

async fn look(
    bucket: &Arc<Bucket>,
    input: &HeadObjectInput,
) -> S3Result<(ObjectMeta, std::ops::Range<u64>, bool)> {
    if input.part_number.is_some() || input.if_unmodified_since.is_some() {
        let words = "reading by part number or by date is not known to this store";
        return Err(refuse(S3ErrorCode::NotImplemented, words));
    }
    let meta = find(bucket, &input.key, input.version_id.as_deref()).await?;
    check_conditions(&meta, input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let range = match &input.range {
        Some(range) => range.check(meta.size)?,
        None => 0..meta.size,
    };
    Ok((meta, range, input.range.is_some()))
}

fn said_of(
    meta: &ObjectMeta,
    range: &std::ops::Range<u64>,
    partial: bool,
    checksums: bool,
) -> HeadObjectOutput {
    let mut said = HeadObjectOutput {
        accept_ranges: Some("bytes".into()),
        content_length: i64::try_from(range.end - range.start).ok(),
        content_range: partial.then(|| {
            format!("bytes {}-{}/{}", range.start, range.end.saturating_sub(1), meta.size)
        }),
        e_tag: Some(ETag::Strong(meta.etag.clone())),
        last_modified: Some(to_s3(meta.created)),
        version_id: Some(meta.version_id.clone()),
        ..Default::default()
    };
    let described = meta.described.clone();
    said.content_type = described.content_type.or(Some("application/octet-stream".into()));
    said.content_encoding = described.content_encoding;
    said.content_disposition = described.content_disposition;
    said.content_language = described.content_language;
    said.cache_control = described.cache_control;
    said.metadata = Some(described.metadata.into_iter().collect());
    said.object_lock_mode = described.lock_mode.map(ObjectLockMode::from);
    said.object_lock_retain_until_date = described.retain_until.map(to_s3);
    said.object_lock_legal_hold_status = described.legal_hold.map(|on| {
        ObjectLockLegalHoldStatus::from_static(if on {
            ObjectLockLegalHoldStatus::ON
        } else {
            ObjectLockLegalHoldStatus::OFF
        })
    });
    // A checksum of the whole would be wrong of a piece.
    if checksums && !partial {
        say_checksums(&mut said, meta);
    }
    said
}

fn say_checksums(said: &mut HeadObjectOutput, meta: &ObjectMeta) {
    let of = |name: &str| meta.sums.get(name).cloned();
    said.checksum_crc32 = of("CRC32");
    said.checksum_crc32c = of("CRC32C");
    said.checksum_crc64nvme = of("CRC64NVME");
    said.checksum_sha1 = of("SHA1");
    let full = !meta.sums.is_empty() && meta.sums.values().all(|sum| !sum.contains('-'));
    match &meta.composite_sha256 {
        None => said.checksum_sha256 = Some(meta.sha256.to_base64()),
        // One answer has one checksum type.
        Some(_) if full => {}
        Some(composite) => {
            said.checksum_sha256 = Some(composite.clone());
            said.checksum_type = Some(ChecksumType::from_static(ChecksumType::COMPOSITE));
            return;
        }
    }
    said.checksum_type = Some(ChecksumType::from_static(ChecksumType::FULL_OBJECT));
}

pub(super) async fn tags(
    bucket: Arc<Bucket>,
    input: GetObjectTaggingInput,
) -> S3Result<S3Response<GetObjectTaggingOutput>> {
    let meta = find(&bucket, &input.key, input.version_id.as_deref()).await?;
    let tag_set = meta.described.tags.into_iter();
    Ok(S3Response::new(GetObjectTaggingOutput {
        tag_set: tag_set.map(|(key, value)| Tag { key: Some(key), value: Some(value) }).collect(),
        version_id: Some(meta.version_id),
    }))
}

pub(super) async fn put_tags(
    bucket: Arc<Bucket>,
    input: PutObjectTaggingInput,
) -> S3Result<S3Response<PutObjectTaggingOutput>> {
    let pairs = input.tagging.tag_set.into_iter();
    let pairs = pairs.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
    let tags = checked_tags(pairs.collect())?;
    let _held = bucket.reserve(&input.key).ok_or_else(busy)?;
    let mut meta = find(&bucket, &input.key, input.version_id.as_deref()).await?;
    meta.described.tags = tags;
    let version_id = Some(meta.version_id.clone());
    let path = bucket.object_file(&input.key)?;
    let rewritten = tokio::task::spawn_blocking(move || bucket.rewrite(&meta)).await;
    rewritten.map_err(lost)?.map_err(|error| disk("write metadata", &path, &error))?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
}
