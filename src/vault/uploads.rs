//! Multipart uploads under way: Create, UploadPart, the two lists, Abort.

use super::{
    bucket::Bucket,
    disk::{make_folders, place, read_json, write_json},
    errors::{busy, disk, lost, no_upload, refuse},
    meta::{Described, PartMeta, UploadMeta, VERSION, fresh_id},
    names::is_opaque_id,
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
    pub fn numbers_after(&self, marker: u32) -> S3Result<Vec<u32>> {
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
