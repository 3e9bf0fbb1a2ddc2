//! The S3 operations, each handed to the module that knows it.

use super::{
    bucket::Bucket,
    described::{Headers, Lock},
    disk::Disk,
    errors::{disk, lost, refuse},
    finish,
    listing::{Page, Query, page, url_encode},
    meta::Described,
    objects::{self, to_s3},
    upload_lists, uploads,
};
use s3s::{S3, S3ErrorCode, S3Request, S3Response, S3Result, dto::*};
use std::sync::Arc;

/// One vault, as `s3s` calls it.
pub(super) struct Vault {
    pub disk: Arc<Disk>,
    pub region: String,
}

type Answer<T> = S3Result<S3Response<T>>;

impl Vault {
    fn bucket(&self, name: &str) -> S3Result<Arc<Bucket>> {
        let bucket = self.disk.bucket(name);
        bucket.ok_or_else(|| refuse(S3ErrorCode::NoSuchBucket, "no such bucket"))
    }
}

#[async_trait::async_trait]
impl S3 for Vault {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> Answer<CreateBucketOutput> {
        let (store, name) = (self.disk.clone(), req.input.bucket);
        if store.bucket(&name).is_none() && store.has_enough_buckets() {
            return Err(refuse(S3ErrorCode::TooManyBuckets, "this store has buckets enough"));
        }
        let location = Some(format!("/{name}"));
        // There is one owner, so making what is there already is no conflict.
        let made = tokio::task::spawn_blocking(move || store.make_bucket(&name)).await;
        let made = made.map_err(lost)?;
        made.map_err(|error| disk("make a bucket", std::path::Path::new(""), &error))?;
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        self.bucket(&req.input.bucket)?;
        let bucket_region = Some(self.region.clone());
        Ok(S3Response::new(HeadBucketOutput { bucket_region, ..Default::default() }))
    }

    /// Every object has a version id and none is ever overwritten or deleted: what versions are for.
    async fn get_bucket_versioning(
        &self,
        req: S3Request<GetBucketVersioningInput>,
    ) -> Answer<GetBucketVersioningOutput> {
        self.bucket(&req.input.bucket)?;
        Ok(S3Response::new(GetBucketVersioningOutput {
            status: Some(BucketVersioningStatus::from_static(BucketVersioningStatus::ENABLED)),
            ..Default::default()
        }))
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> Answer<GetBucketLocationOutput> {
        self.bucket(&req.input.bucket)?;
        let location_constraint = Some(BucketLocationConstraint::from(self.region.clone()));
        Ok(S3Response::new(GetBucketLocationOutput { location_constraint }))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        let listed = self.disk.all().into_iter().map(|bucket| s3s::dto::Bucket {
            name: Some(bucket.name().to_owned()),
            creation_date: Some(to_s3(bucket.meta().created)),
            bucket_region: Some(self.region.clone()),
        });
        let owner = Owner { display_name: Some("owner".into()), id: Some("owner".into()) };
        Ok(S3Response::new(ListBucketsOutput {
            buckets: Some(listed.collect()),
            owner: Some(owner),
            ..Default::default()
        }))
    }

    async fn put_object(&self, req: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        objects::put(self.bucket(&req.input.bucket)?, req).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        objects::get(self.bucket(&req.input.bucket)?, req.input).await
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        objects::head(self.bucket(&req.input.bucket)?, req.input).await
    }

    async fn get_object_tagging(
        &self,
        req: S3Request<GetObjectTaggingInput>,
    ) -> Answer<GetObjectTaggingOutput> {
        objects::tags(self.bucket(&req.input.bucket)?, req.input).await
    }

    async fn put_object_tagging(
        &self,
        req: S3Request<PutObjectTaggingInput>,
    ) -> Answer<PutObjectTaggingOutput> {
        objects::put_tags(self.bucket(&req.input.bucket)?, req.input).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        let bucket = self.bucket(&req.input.bucket)?;
        let mut input = req.input;
        if input.sse_customer_algorithm.is_some() {
            return Err(refuse(S3ErrorCode::NotImplemented, "customer keys are not known here"));
        }
        let headers = Headers {
            content_type: input.content_type.take(),
            content_encoding: input.content_encoding.take(),
            content_disposition: input.content_disposition.take(),
            content_language: input.content_language.take(),
            cache_control: input.cache_control.take(),
        };
        let lock = Lock {
            mode: input.object_lock_mode.take(),
            until: input.object_lock_retain_until_date.take(),
            hold: input.object_lock_legal_hold_status.take(),
        };
        let tagging = input.tagging.take();
        let metadata = input.metadata.take();
        let described = Described::new(headers, metadata, tagging.as_deref(), lock)?;
        uploads::create(bucket, input, described).await
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        uploads::part(self.bucket(&req.input.bucket)?, req).await
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        upload_lists::list_parts(self.bucket(&req.input.bucket)?, req.input).await
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> Answer<ListMultipartUploadsOutput> {
        upload_lists::list_uploads(self.bucket(&req.input.bucket)?, req.input).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        finish::complete(self.bucket(&req.input.bucket)?, req.input).await
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        uploads::abort(self.bucket(&req.input.bucket)?, req.input).await
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> Answer<ListObjectsV2Output> {
        let input = req.input;
        let token = input.continuation_token.as_deref().map(from_token).transpose()?;
        let query = Query {
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref().unwrap_or_default(),
            after: token.as_deref().or(input.start_after.as_deref()).unwrap_or_default(),
            max: upload_lists::page_size(input.max_keys)?,
        };
        let found = page(&*self.bucket(&input.bucket)?, &query);
        let max_keys = i32::try_from(query.max).ok();
        let next = found.next.clone().map(hex::encode);
        let encode = encoder(input.encoding_type.is_some());
        let (contents, prefixes) = listed(found, &encode);
        Ok(S3Response::new(ListObjectsV2Output {
            key_count: i32::try_from(contents.len() + prefixes.len()).ok(),
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            contents: Some(contents),
            common_prefixes: Some(prefixes),
            max_keys,
            name: Some(input.bucket),
            prefix: input.prefix.map(|text| encode(&text)),
            delimiter: input.delimiter.map(|text| encode(&text)),
            start_after: input.start_after.map(|text| encode(&text)),
            continuation_token: input.continuation_token,
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> Answer<ListObjectsOutput> {
        let input = req.input;
        let query = Query {
            prefix: input.prefix.as_deref().unwrap_or_default(),
            delimiter: input.delimiter.as_deref().unwrap_or_default(),
            after: input.marker.as_deref().unwrap_or_default(),
            max: upload_lists::page_size(input.max_keys)?,
        };
        let found = page(&*self.bucket(&input.bucket)?, &query);
        let max_keys = i32::try_from(query.max).ok();
        let encode = encoder(input.encoding_type.is_some());
        let next = found.next.as_deref().map(&encode);
        let (contents, prefixes) = listed(found, &encode);
        Ok(S3Response::new(ListObjectsOutput {
            is_truncated: Some(next.is_some()),
            next_marker: next,
            contents: Some(contents),
            common_prefixes: Some(prefixes),
            max_keys,
            name: Some(input.bucket),
            prefix: input.prefix.map(|text| encode(&text)),
            delimiter: input.delimiter.map(|text| encode(&text)),
            marker: input.marker.map(|text| encode(&text)),
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }
}

fn encoder(url: bool) -> impl Fn(&str) -> String {
    move |text| if url { url_encode(text) } else { text.to_owned() }
}

/// Tokens are the last entry of the page before, in hexadecimal so that nobody reads into them.
fn from_token(token: &str) -> S3Result<String> {
    let bytes = hex::decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| refuse(S3ErrorCode::InvalidArgument, "the continuation token is not ours"))
}

fn listed(page: Page, encode: &impl Fn(&str) -> String) -> (Vec<Object>, Vec<CommonPrefix>) {
    let objects = page.objects.into_iter().map(|(key, row)| Object {
        key: Some(encode(&key)),
        size: i64::try_from(row.size).ok(),
        e_tag: Some(ETag::Strong(row.etag)),
        last_modified: Some(to_s3(row.created)),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    });
    let prefixes = page.prefixes.iter().map(|p| CommonPrefix { prefix: Some(encode(p)) });
    (objects.collect(), prefixes.collect())
}
