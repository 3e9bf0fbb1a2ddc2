//! Multipart uploads under way: Create, UploadPart, the two lists, Abort.

use super::{
    bucket::Bucket,
    disk::{make_folders, place, read_json, write_json},
    errors::{busy, disk, exists, lost, no_upload, refuse},
    meta::{Described, PartMeta, UploadMeta, VERSION, fresh_id},
    names::is_opaque_id,
    objects::to_s3,
    receive::{Received, receive},
    sums::algorithm_named,
};
use jiff::Timestamp;
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result, dto::*};
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// S3's own bound.
pub(super) const PART_NUMBER_MAX: u32 = 10_000;
/// Open uploads of one bucket.
const UPLOADS_MAX: usize = 10_000;

/// An open upload and its folder.
pub(super) struct Upload {
    pub folder: PathBuf,
    pub meta: UploadMeta,
}

impl Upload {
    /// Finds an open upload of exactly this key. Blocking.
    pub fn find(bucket: &Bucket, key: &str, id: &str) -> S3Result<Self> {
        if !is_opaque_id(id) {
            return Err(no_upload());
        }
        let folder = bucket.uploads_folder().join(id);
        match read_json::<UploadMeta>(&folder.join("upload.json")) {
            Ok(meta) if meta.key == key => Ok(Self { folder, meta }),
            Ok(_) => Err(no_upload()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(no_upload()),
            Err(error) => Err(disk("read an upload", &folder, &error)),
        }
    }

    /// The acknowledged part of this number. Blocking.
    pub fn part(&self, number: u32) -> S3Result<Option<PartMeta>> {
        match read_json(&self.folder.join(part_record(number))) {
            Ok(part) => Ok(Some(part)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(disk("read a part", &self.folder, &error)),
        }
    }

    /// Numbers of acknowledged parts behind `marker`, sorted. Blocking.
    fn numbers_after(&self, marker: u32) -> S3Result<Vec<u32>> {
        let listed = fs::read_dir(&self.folder).and_then(|entries| {
            let mut numbers = Vec::new();
            for entry in entries {
                let name = entry?.file_name();
                let number =
                    name.to_str().and_then(|name| name.strip_suffix(".json")?.parse().ok());
                numbers.extend(number.filter(|number: &u32| *number > marker));
            }
            numbers.sort_unstable();
            Ok(numbers)
        });
        listed.map_err(|error| disk("list an upload", &self.folder, &error))
    }

    /// Takes the upload away: first at once by a rename, then its bytes. Blocking.
    pub fn remove(&self, bucket: &Bucket) -> io::Result<()> {
        let aside = bucket.fresh_temporary();
        fs::rename(&self.folder, &aside)?;
        super::disk::sync_folder(&bucket.uploads_folder())?;
        fs::remove_dir_all(aside)
    }
}

fn part_record(number: u32) -> String {
    format!("{number:05}.json")
}

pub(super) fn part_number(number: i32) -> S3Result<u32> {
    u32::try_from(number)
        .ok()
        .filter(|number| (1..=PART_NUMBER_MAX).contains(number))
        .ok_or_else(|| refuse(S3ErrorCode::InvalidArgument, "a part number is from 1 to 10000"))
}

pub(super) async fn create(
    bucket: Arc<Bucket>,
    input: CreateMultipartUploadInput,
    described: Described,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    super::names::meta_path(&input.key)?;
    if bucket.has(&input.key) {
        return Err(exists());
    }
    let algorithm = match &input.checksum_algorithm {
        None => None,
        Some(name) => Some(algorithm_named(name.as_str()).ok_or_else(|| {
            refuse(S3ErrorCode::InvalidRequest, "the checksum algorithm is unknown")
        })?),
    };
    let full_object = match input.checksum_type.as_ref().map(ChecksumType::as_str) {
        Some(kind) => kind == ChecksumType::FULL_OBJECT,
        None => algorithm == Some("CRC64NVME"),
    };
    let is_crc = algorithm.is_some_and(|name| name.starts_with("CRC"));
    if (full_object && !is_crc) || (!full_object && algorithm == Some("CRC64NVME")) {
        let words = "FULL_OBJECT goes with a CRC, COMPOSITE with all but CRC64NVME";
        return Err(refuse(S3ErrorCode::InvalidRequest, words));
    }
    let meta = UploadMeta {
        v: VERSION,
        id: fresh_id(),
        key: input.key,
        created: Timestamp::now(),
        algorithm: algorithm.map(str::to_owned),
        full_object,
        described,
    };
    let output = CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(meta.key.clone()),
        upload_id: Some(meta.id.clone()),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: algorithm.map(|_| checksum_type(full_object)),
        ..Default::default()
    };
    let folder = bucket.uploads_folder();
    let making = tokio::task::spawn_blocking(move || {
        if fs::read_dir(&folder)?.count() >= UPLOADS_MAX {
            return Ok(false);
        }
        let folder = folder.join(&meta.id);
        make_folders(&folder)?;
        write_json(&bucket.temporaries(), &folder.join("upload.json"), &meta).map(|()| true)
    });
    let made = making.await.map_err(lost)?;
    if !made.map_err(|error| disk("open an upload", Path::new("uploads"), &error))? {
        let words = "too many uploads are open; complete or abort some";
        return Err(refuse(S3ErrorCode::InvalidRequest, words));
    }
    Ok(S3Response::new(output))
}

pub(super) fn checksum_type(full_object: bool) -> ChecksumType {
    ChecksumType::from_static(if full_object {
        ChecksumType::FULL_OBJECT
    } else {
        ChecksumType::COMPOSITE
    })
}

pub(super) async fn part(
    bucket: Arc<Bucket>,
    mut request: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let number = part_number(request.input.part_number)?;
    if request.input.sse_customer_algorithm.is_some() {
        return Err(refuse(S3ErrorCode::NotImplemented, "customer keys are not known here"));
    }
    let (key, id) = (request.input.key.clone(), request.input.upload_id.clone());
    let finding = bucket.clone();
    let upload = tokio::task::spawn_blocking(move || Upload::find(&finding, &key, &id));
    let upload = upload.await.map_err(lost)??;
    let body = request.input.body.take();
    let received = receive(&mut request, body, bucket.fresh_temporary()).await?;
    let keep = move || keep_part(&bucket, &upload, number, received);
    let part = tokio::task::spawn_blocking(keep).await.map_err(lost)??;
    Ok(S3Response::new(UploadPartOutput {
        e_tag: Some(ETag::Strong(part.md5.to_string())),
        checksum_sha256: Some(part.sha256.to_base64()),
        checksum_crc32: part.sums.get("CRC32").cloned(),
        checksum_crc32c: part.sums.get("CRC32C").cloned(),
        checksum_crc64nvme: part.sums.get("CRC64NVME").cloned(),
        checksum_sha1: part.sums.get("SHA1").cloned(),
        ..Default::default()
    }))
}

/// Bytes first, then the record that names them: a part counts from its record on.
fn keep_part(
    bucket: &Bucket,
    upload: &Upload,
    number: u32,
    received: Received,
) -> S3Result<PartMeta> {
    let digests = received.digests;
    let part = PartMeta {
        v: VERSION,
        number,
        size: digests.size,
        created: Timestamp::now(),
        md5: digests.md5,
        sha256: digests.sha256,
        sums: digests.sums,
        file: format!("{number:05}-{}.part", fresh_id()),
    };
    let old = upload.part(number)?;
    // Completed or aborted while the body came: do not make the folder again.
    if !upload.folder.join("upload.json").is_file() {
        return Err(no_upload());
    }
    let kept = place(received.temporary.path(), &upload.folder.join(&part.file)).and_then(|()| {
        write_json(&bucket.temporaries(), &upload.folder.join(part_record(number)), &part)
    });
    kept.map_err(|error| disk("keep a part", &upload.folder, &error))?;
    if !upload.folder.join("upload.json").is_file() {
        return Err(no_upload());
    }
    if let Some(old) = old {
        let _ = fs::remove_file(upload.folder.join(old.file));
    }
    Ok(part)
}

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

pub(super) async fn abort(
    bucket: Arc<Bucket>,
    input: AbortMultipartUploadInput,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let aborting = tokio::task::spawn_blocking(move || {
        let _held = bucket.reserve(&input.upload_id).ok_or_else(busy)?;
        let upload = Upload::find(&bucket, &input.key, &input.upload_id)?;
        let removed = upload.remove(&bucket);
        removed.map_err(|error| disk("abort an upload", &upload.folder, &error))
    });
    aborting.await.map_err(lost)??;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}
