//! The lists of multipart uploads: their parts, and themselves; sorted and paged.

use super::{
    bucket::Bucket,
    disk::read_json,
    errors::{disk, lost, refuse},
    meta::{PartMeta, UploadMeta},
    objects::to_s3,
    uploads::{Upload, checksum_type},
};
use s3s::{S3ErrorCode, S3Response, S3Result, dto::*};
use std::{fs, io, sync::Arc};

pub(super) async fn list_parts(
    bucket: Arc<Bucket>,
    input: ListPartsInput,
) -> S3Result<S3Response<ListPartsOutput>> {
    let marker = input.part_number_marker.unwrap_or(0).max(0).unsigned_abs();
    let max = page_size(input.max_parts)?;
    let (key, id) = (input.key.clone(), input.upload_id.clone());
    let listing = tokio::task::spawn_blocking(move || {
        let upload = Upload::find(&bucket, &key, &id)?;
        let numbers = upload.numbers_after(marker)?;
        let more = numbers.len() > max;
        let mut parts = Vec::new();
        for number in numbers.into_iter().take(max) {
            parts.extend(upload.part(number)?);
        }
        Ok((upload.meta, parts, more))
    });
    let listed: S3Result<_> = listing.await.map_err(lost)?;
    let (meta, parts, more) = listed?;
    let algorithm = meta.algorithm.clone();
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        checksum_type: algorithm.as_ref().map(|_| checksum_type(meta.full_object)),
        checksum_algorithm: algorithm.map(ChecksumAlgorithm::from),
        is_truncated: Some(more),
        max_parts: i32::try_from(max).ok(),
        part_number_marker: i32::try_from(marker).ok(),
        next_part_number_marker: parts.last().and_then(|part| i32::try_from(part.number).ok()),
        parts: Some(parts.into_iter().map(listed_part).collect()),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        ..Default::default()
    }))
}

fn listed_part(part: PartMeta) -> Part {
    Part {
        part_number: i32::try_from(part.number).ok(),
        size: i64::try_from(part.size).ok(),
        e_tag: Some(ETag::Strong(part.md5.to_string())),
        last_modified: Some(to_s3(part.created)),
        checksum_sha256: Some(part.sha256.to_base64()),
        checksum_crc32: part.sums.get("CRC32").cloned(),
        checksum_crc32c: part.sums.get("CRC32C").cloned(),
        checksum_crc64nvme: part.sums.get("CRC64NVME").cloned(),
        checksum_sha1: part.sums.get("SHA1").cloned(),
    }
}

/// A page size asked for, 1000 at most.
pub(super) fn page_size(asked: Option<i32>) -> S3Result<usize> {
    let most = super::listing::PAGE_MAX;
    match asked.map(usize::try_from) {
        None => Ok(most),
        Some(Ok(asked)) => Ok(asked.min(most)),
        Some(Err(_)) => Err(refuse(S3ErrorCode::InvalidArgument, "a page size is not negative")),
    }
}

pub(super) async fn list_uploads(
    bucket: Arc<Bucket>,
    input: ListMultipartUploadsInput,
) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
    if input.delimiter.is_some() {
        return Err(refuse(S3ErrorCode::NotImplemented, "uploads are listed without delimiter"));
    }
    let max = page_size(input.max_uploads)?;
    let folder = bucket.uploads_folder();
    let reading = folder.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut open: Vec<UploadMeta> = Vec::new();
        for entry in fs::read_dir(reading)? {
            // One that is just being made or taken away has no record.
            open.extend(read_json(&entry?.path().join("upload.json")).ok());
        }
        io::Result::Ok(open)
    });
    let mut open =
        read.await.map_err(lost)?.map_err(|error| disk("list uploads", &folder, &error))?;
    let prefix = input.prefix.as_deref().unwrap_or_default();
    let (key, id) = (input.key_marker.as_deref(), input.upload_id_marker.as_deref());
    let seen = |upload: &UploadMeta| match (key, id) {
        (None, _) => false,
        (Some(key), None) => upload.key.as_str() <= key,
        (Some(key), Some(id)) => (upload.key.as_str(), upload.id.as_str()) <= (key, id),
    };
    open.retain(|upload| upload.key.starts_with(prefix) && !seen(upload));
    // Ids sort by time of making.
    open.sort_by(|a, b| (&a.key, &a.id).cmp(&(&b.key, &b.id)));
    let more = open.len() > max;
    open.truncate(max);
    let last = open.last().filter(|_| more);
    let url = input.encoding_type.is_some();
    let said = |key: &str| if url { super::listing::url_encode(key) } else { key.to_owned() };
    Ok(S3Response::new(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        next_key_marker: last.map(|upload| said(&upload.key)),
        next_upload_id_marker: last.map(|upload| upload.id.clone()),
        uploads: Some(open.iter().map(|upload| listed_upload(upload, &said)).collect()),
        prefix: input.prefix,
        key_marker: input.key_marker,
        upload_id_marker: input.upload_id_marker,
        encoding_type: input.encoding_type,
        is_truncated: Some(more),
        max_uploads: i32::try_from(max).ok(),
        ..Default::default()
    }))
}

fn listed_upload(upload: &UploadMeta, said: &impl Fn(&str) -> String) -> MultipartUpload {
    MultipartUpload {
        key: Some(said(&upload.key)),
        upload_id: Some(upload.id.clone()),
        initiated: Some(to_s3(upload.created)),
        checksum_algorithm: upload.algorithm.clone().map(ChecksumAlgorithm::from),
        checksum_type: upload.algorithm.as_ref().map(|_| checksum_type(upload.full_object)),
        storage_class: Some(StorageClass::from_static(StorageClass::STANDARD)),
        ..Default::default()
    }
}
