//! CompleteMultipartUpload: parts become one object, compared once more on the way.

use super::{
    bucket::Bucket,
    errors::{busy, disk, exists, lost, refuse},
    held::Held,
    meta::{ObjectMeta, ObjectPart, PartMeta, Sums, VERSION, fresh_id},
    objects::only_if_new,
    receive::Temporary,
    sums::{Digests, Hasher, composite},
    uploads::{Upload, checksum_type, part_number},
};
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use s3s::{S3ErrorCode, S3Response, S3Result, dto::*};
use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

/// S3's own bound on all parts but the last.
const PART_BYTES_MIN: u64 = 5 << 20;
/// After this the answer begins, with blanks to keep the line alive until the object is whole.
const SILENT_MAX: Duration = Duration::from_secs(20);

pub(super) async fn complete(
    bucket: Arc<Bucket>,
    input: CompleteMultipartUploadInput,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let mut finishing = tokio::task::spawn_blocking(move || finish(&bucket, input));
    match tokio::time::timeout(SILENT_MAX, &mut finishing).await {
        Ok(finished) => Ok(S3Response::new(finished.map_err(lost)??)),
        Err(_) => Ok(S3Response::new(CompleteMultipartUploadOutput {
            future: Some(Box::pin(async move { finishing.await.map_err(lost)? })),
            ..Default::default()
        })),
    }
}

fn finish(
    bucket: &Arc<Bucket>,
    input: CompleteMultipartUploadInput,
) -> S3Result<CompleteMultipartUploadOutput> {
    let only_new = only_if_new(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    super::names::meta_path(&input.key)?;
    let _upload_held = bucket.reserve(&input.upload_id).ok_or_else(busy)?;
    let _key_held = bucket.reserve(&input.key).ok_or_else(busy)?;
    let path = bucket.object_file(&input.key)?;
    let old = bucket.object(&input.key).map_err(|error| disk("read metadata", &path, &error))?;
    if let Some(old) = &old {
        let held = bucket.held(&input.key);
        match held.map_err(|error| disk("look at an object", &path, &error))? {
            // The same Complete again, whose first answer was lost.
            Held::Intact(_) if old.upload_id.as_ref() == Some(&input.upload_id) && !only_new => {
                return Ok(output(input.bucket, old, false));
            }
            Held::Intact(_) | Held::Altered => return Err(exists()),
            // Lost from the disk: the same bytes may take their place again.
            Held::Missing => {}
        }
    }
    let upload = Upload::find(bucket, &input.key, &input.upload_id)?;
    let parts = chosen_parts(&upload, &input)?;
    let temporary = Temporary::at(bucket.fresh_temporary());
    let algorithm = upload.meta.algorithm.as_deref();
    let full = upload.meta.full_object;
    let whole = Hasher::new(|name| full && algorithm == Some(name));
    let assembled = assemble(&upload.folder, &parts, temporary.path(), whole);
    let digests = assembled.map_err(|error| disk("assemble an object", &upload.folder, &error))?;
    let digests = digests.ok_or_else(damaged)?;
    let meta = describe(&upload, &parts, digests)?;
    check_claims(&input, &meta)?;
    if old.is_some_and(|old| old.sha256 != meta.sha256) {
        return Err(exists());
    }
    let committed = bucket.commit(temporary.path(), meta);
    let meta = committed.map_err(|error| disk("store an object", &path, &error))?;
    if let Err(error) = upload.remove(bucket) {
        // The object is whole and safe; the leftovers go at the next start.
        tracing::warn!(path = ?upload.folder, %error, "vault: cannot remove a finished upload");
    }
    Ok(output(input.bucket, &meta, full))
}

fn damaged() -> s3s::S3Error {
    let words = "a part on the store's disk is no longer what was acknowledged; send it again";
    refuse(S3ErrorCode::InternalError, words)
}

/// The parts the client lists, each compared with what was acknowledged.
fn chosen_parts(upload: &Upload, input: &CompleteMultipartUploadInput) -> S3Result<Vec<PartMeta>> {
    let listed = input.multipart_upload.as_ref().and_then(|list| list.parts.as_deref());
    let listed = listed.unwrap_or_default();
    if listed.is_empty() {
        return Err(refuse(S3ErrorCode::MalformedXML, "at least one part is required"));
    }
    let mut parts: Vec<PartMeta> = Vec::with_capacity(listed.len());
    for claimed in listed {
        let number = part_number(claimed.part_number.unwrap_or(0))?;
        if parts.last().is_some_and(|last| last.number >= number) {
            return Err(refuse(S3ErrorCode::InvalidPartOrder, "parts are listed in rising order"));
        }
        let invalid = |why: &str| refuse(S3ErrorCode::InvalidPart, format!("part {number} {why}"));
        let part = upload.part(number)?.ok_or_else(|| invalid("was not uploaded"))?;
        let etag = claimed.e_tag.as_ref().map(|etag| etag.value().to_owned());
        if etag != Some(part.md5.to_string()) {
            return Err(invalid("has another ETag"));
        }
        if !checksums_agree(claimed, &part) {
            return Err(invalid("has another checksum"));
        }
        parts.push(part);
    }
    let (_, full_parts) = parts.split_last().expect("at least one part was listed");
    if let Some(small) = full_parts.iter().find(|part| part.size < PART_BYTES_MIN) {
        let words = format!("part {} is below 5 MiB and not the last", small.number);
        return Err(refuse(S3ErrorCode::EntityTooSmall, words));
    }
    let total: u64 = parts.iter().map(|part| part.size).sum();
    if input.mpu_object_size.is_some_and(|size| u64::try_from(size) != Ok(total)) {
        return Err(refuse(S3ErrorCode::InvalidRequest, "the object would have another size"));
    }
    Ok(parts)
}

fn checksums_agree(claimed: &CompletedPart, part: &PartMeta) -> bool {
    let sha256 = part.sha256.to_base64();
    let known = |name: &str| part.sums.get(name).map(String::as_str);
    [
        (&claimed.checksum_sha256, Some(sha256.as_str())),
        (&claimed.checksum_crc32, known("CRC32")),
        (&claimed.checksum_crc32c, known("CRC32C")),
        (&claimed.checksum_crc64nvme, known("CRC64NVME")),
        (&claimed.checksum_sha1, known("SHA1")),
    ]
    .into_iter()
    .all(|(claimed, known)| claimed.is_none() || claimed.as_deref() == known)
}

/// Copies the parts into one fsynced file; `None` if one is not what was acknowledged.
fn assemble(
    folder: &Path,
    parts: &[PartMeta],
    target: &Path,
    mut whole: Hasher,
) -> io::Result<Option<Digests>> {
    let mut out = File::create_new(target)?;
    let mut buffer = vec![0; 256 << 10];
    for part in parts {
        let mut file = File::open(folder.join(&part.file))?;
        let mut found = ring::digest::Context::new(&ring::digest::SHA256);
        loop {
            let length = file.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            found.update(&buffer[..length]);
            whole.update(&buffer[..length]);
            out.write_all(&buffer[..length])?;
        }
        if found.finish().as_ref() != part.sha256.0 {
            tracing::error!(?folder, part = part.number, "vault: a part was damaged on disk");
            return Ok(None);
        }
    }
    out.sync_all()?;
    Ok(Some(whole.finish()))
}

fn describe(upload: &Upload, parts: &[PartMeta], digests: Digests) -> S3Result<ObjectMeta> {
    let sha256: Vec<String> = parts.iter().map(|part| part.sha256.to_base64()).collect();
    let mut md5 = Md5::new();
    parts.iter().for_each(|part| md5.update(part.md5.0));
    let mut sums: Sums = digests.sums;
    // A composite can only be made where every part came with that checksum.
    if let Some(name) = upload.meta.algorithm.as_deref().filter(|name| *name != "SHA256") {
        let values: Option<Vec<&str>> =
            parts.iter().map(|part| part.sums.get(name).map(String::as_str)).collect();
        if let Some(values) = values.filter(|_| !upload.meta.full_object) {
            sums.insert(name.to_owned(), composite(name, values.into_iter())?);
        }
    }
    Ok(ObjectMeta {
        v: VERSION,
        key: upload.meta.key.clone(),
        version_id: fresh_id(),
        created: Timestamp::now(),
        size: digests.size,
        etag: format!("{}-{}", hex::encode(md5.finalize()), parts.len()),
        sha256: digests.sha256,
        composite_sha256: Some(composite("SHA256", sha256.iter().map(String::as_str))?),
        sums,
        upload_id: Some(upload.meta.id.clone()),
        parts: parts
            .iter()
            .map(|p| ObjectPart { number: p.number, size: p.size, sha256: p.sha256 })
            .collect(),
        file: None,
        described: upload.meta.described.clone(),
    })
}

/// Compares the checksums of the whole object that came with Complete.
fn check_claims(input: &CompleteMultipartUploadInput, meta: &ObjectMeta) -> S3Result<()> {
    // `-N` may be left out.
    let agrees = |claimed: &Option<String>, found: Option<&String>| {
        claimed.as_ref().is_none_or(|claimed| {
            found.is_some_and(|found| {
                found == claimed || found.split('-').next() == Some(claimed.as_str())
            })
        })
    };
    let of = |name: &str| meta.sums.get(name);
    let all = agrees(&input.checksum_sha256, meta.composite_sha256.as_ref())
        && agrees(&input.checksum_crc32, of("CRC32"))
        && agrees(&input.checksum_crc32c, of("CRC32C"))
        && agrees(&input.checksum_crc64nvme, of("CRC64NVME"))
        && agrees(&input.checksum_sha1, of("SHA1"));
    if all {
        return Ok(());
    }
    Err(refuse(S3ErrorCode::BadDigest, "the checksum of the whole object is another"))
}

fn output(bucket: String, meta: &ObjectMeta, full: bool) -> CompleteMultipartUploadOutput {
    let of = |name: &str| meta.sums.get(name).cloned();
    CompleteMultipartUploadOutput {
        location: Some(format!("/{bucket}/{}", meta.key)),
        bucket: Some(bucket),
        key: Some(meta.key.clone()),
        e_tag: Some(ETag::Strong(meta.etag.clone())),
        version_id: Some(meta.version_id.clone()),
        checksum_sha256: meta.composite_sha256.clone().filter(|_| !full),
        checksum_crc32: of("CRC32"),
        checksum_crc32c: of("CRC32C"),
        checksum_crc64nvme: of("CRC64NVME"),
        checksum_sha1: of("SHA1"),
        checksum_type: Some(checksum_type(full)),
        ..Default::default()
    }
}
