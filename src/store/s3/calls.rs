//! The calls of the [`Store`] trait as S3 requests, and the shape their answers must have.

use super::{
    S3,
    body::PartBody,
    reply::Reply,
    request::{Ask, sending_failed, too_slow},
    tls,
    xml::Node,
};
use crate::{
    spool::SpoolFile,
    store::{Fault, ListedPart, ObjectHead, OpenUpload, PartAck, Store, StoreError},
    transfer::marks::{MarkChange, MarksFound},
    types::{Class, Md5Digest, Sha256Digest, fact::SealedObject},
};
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use reqwest::{Response, header::CONTENT_LENGTH, tls::TlsInfo};
use ring::digest::{Context, SHA256};
use rusty_s3::Method;
use std::{collections::BTreeMap, fmt::Write as _};
use tokio::time::timeout;

/// How many times the usual patience a store may work on Complete before it answers.
const COMPLETE_PATIENCE: u32 = 5;
/// The most pages of a listing that are read: no upload of ours needs more than one.
const PAGES_MAX: usize = 16;

impl Store for S3 {
    async fn create(&self, object: &SealedObject) -> Result<String, StoreError> {
        let created = self.create_upload(object, object.retain_until).await;
        match created {
            // A bucket without object lock, or a date that has passed meanwhile. Evidence is not
            // kept waiting for it: whether it is locked is looked at when it is stored, and said.
            Err(error) if error.fault == Fault::Refused && object.retain_until.is_some() => {
                self.create_upload(object, None).await
            }
            created => created,
        }
    }

    async fn open_uploads(&self, key: &str) -> Result<Vec<OpenUpload>, StoreError> {
        let mut found = Vec::new();
        let mut marker: Option<(String, String)> = None;
        for _ in 0..PAGES_MAX {
            let mut ask = Ask::new("ListMultipartUploads", Method::Get, None)
                .query("uploads", "")
                .query("prefix", key);
            if let Some((key, upload)) = &marker {
                ask = ask.query("key-marker", key).query("upload-id-marker", upload);
            }
            let page = self.ask(ask).await?.document("ListMultipartUploadsResult")?;
            for row in page.all("Upload").filter(|row| row.text_of("Key") == Some(key)) {
                let initiated = row.text_of("Initiated").and_then(|t| t.parse().ok());
                if let Some(id) = row.text_of("UploadId").map(str::to_owned) {
                    found.push(OpenUpload { id, initiated });
                }
            }
            let next = |name| page.text_of(name).map(str::to_owned);
            let next = next("NextKeyMarker").zip(next("NextUploadIdMarker"));
            if page.text_of("IsTruncated") != Some("true") || next.is_none() || next == marker {
                break;
            }
            marker = next;
        }
        found.sort_by_key(|upload: &OpenUpload| std::cmp::Reverse(upload.initiated));
        Ok(found)
    }

    async fn parts(&self, key: &str, upload: &str) -> Result<Vec<ListedPart>, StoreError> {
        let mut newest: BTreeMap<u32, Vec<(Option<Timestamp>, ListedPart)>> = BTreeMap::new();
        let mut marker: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut ask = Ask::new("ListParts", Method::Get, Some(key)).query("uploadId", upload);
            if let Some(marker) = &marker {
                ask = ask.query("part-number-marker", marker);
            }
            let page = self.ask(ask).await?.document("ListPartsResult")?;
            for (at, part) in page.all("Part").filter_map(listed_part) {
                let rows = newest.entry(part.number).or_default();
                if rows.iter().all(|(_, known)| *known != part) && rows.len() < 8 {
                    rows.push((at, part));
                }
            }
            let next = page.text_of("NextPartNumberMarker").map(str::to_owned);
            if page.text_of("IsTruncated") != Some("true") || next.is_none() || next == marker {
                break;
            }
            marker = next;
        }
        Ok(newest.into_values().flat_map(newest_rows).collect())
    }

    async fn put_part(
        &self,
        object: &SealedObject,
        upload: &str,
        number: u32,
        file: &SpoolFile,
    ) -> Result<PartAck, StoreError> {
        let call = "UploadPart";
        let Some(part) = (number as usize).checked_sub(1).and_then(|n| object.table.parts.get(n))
        else {
            let words = format!("there is no part {number}");
            return Err(StoreError { call, fault: Fault::Spool, words });
        };
        let offset = object.table.part_size * u64::from(number - 1);
        let length = object.table.part_len(number, object.sealed.size);
        let sha256 = part.sha256.to_base64();
        let mut ask = Ask::new(call, Method::Put, Some(&object.key))
            .query("partNumber", number.to_string())
            .query("uploadId", upload)
            .header("x-amz-checksum-sha256", &sha256)
            .part(PartBody::new(file, offset, length, self.limiter.clone()), length);
        if let Some(md5) = part.md5 {
            ask = ask.header("content-md5", md5.to_base64());
        }
        let reply = self.ask(ask).await?.success()?;
        let etag = reply.etag().ok_or_else(|| reply.not_the_store("no ETag for a part"))?;
        let sha256_echoed = match reply.header("x-amz-checksum-sha256") {
            Some(echo) if echo == sha256 => true,
            Some(_) => {
                let words = "the store received other bytes than were sent".into();
                return Err(StoreError { call, fault: Fault::BadDigest, words });
            }
            None => false,
        };
        let etag_is_md5 = part.md5.is_some_and(|md5| etag.eq_ignore_ascii_case(&md5.to_string()));
        Ok(PartAck { etag, sha256_echoed, etag_is_md5 })
    }

    async fn complete(
        &self,
        object: &SealedObject,
        upload: &str,
        etags: &[String],
    ) -> Result<(), StoreError> {
        let mut body = String::from(
            r#"<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">"#,
        );
        for ((number, etag), part) in (1..).zip(etags).zip(&object.table.parts) {
            let etag = quick_xml::escape::escape(etag.as_str());
            let sha256 = part.sha256.to_base64();
            write!(
                body,
                "<Part><PartNumber>{number}</PartNumber><ETag>&quot;{etag}&quot;</ETag>\
                 <ChecksumSHA256>{sha256}</ChecksumSHA256></Part>"
            )
            .expect("writing to a String cannot fail");
        }
        body.push_str("</CompleteMultipartUpload>");
        let ask = Ask::new("CompleteMultipartUpload", Method::Post, Some(&object.key))
            .query("uploadId", upload)
            .header("content-type", "application/xml")
            .header("if-none-match", "*")
            .header("x-amz-checksum-sha256", object.table.composite_sha256())
            .header("x-amz-checksum-type", "COMPOSITE")
            .patience(self.patience * COMPLETE_PATIENCE)
            .bytes(body.into_bytes());
        let reply = self.ask(ask).await?;
        let stranger = reply.not_the_store("neither ETag nor key of the whole object");
        let node = reply.document("CompleteMultipartUploadResult")?;
        // Ceph 16 leaves the ETag empty; then the key must be ours. Either way only a look afterwards
        // proves anything.
        let ours = node.text_of("Key") == Some(object.key.as_str());
        if ours || node.text_of("ETag").is_some() { Ok(()) } else { Err(stranger) }
    }

    async fn abort(&self, key: &str, upload: &str) -> Result<(), StoreError> {
        let ask = Ask::new("AbortMultipartUpload", Method::Delete, Some(key));
        let reply = self.ask(ask.query("uploadId", upload)).await?;
        match reply.success() {
            Err(error) if error.fault != Fault::Missing => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectHead>, StoreError> {
        let ask = Ask::new("HeadObject", Method::Head, Some(key))
            .header("x-amz-checksum-mode", "ENABLED");
        let (reply, response) = self.begin(ask).await?.into_reply();
        let reply = match reply.success() {
            Ok(reply) => reply,
            Err(error) if error.fault == Fault::Missing => return Ok(None),
            Err(error) => return Err(error),
        };
        let (Some(etag), Some(size)) = (reply.etag(), content_length(&reply)) else {
            return Err(reply.not_the_store("no ETag or no length for an object"));
        };
        Ok(Some(ObjectHead { size, etag, tls_spki_sha256: peer_key(&response), ..details(&reply) }))
    }

    async fn read_back(
        &self,
        key: &str,
        announced: u64,
    ) -> Result<(u64, Sha256Digest), StoreError> {
        let ask = Ask::new("GetObject", Method::Get, Some(key));
        let call = "GetObject";
        let (reply, mut response) = self.begin(ask).await?.into_reply();
        let reply = match reply.success() {
            Ok(reply) => reply,
            Err(error) => return Err(error),
        };
        // Without a length nobody could tell a whole body from a cut one.
        let Some(expected) = content_length(&reply).filter(|_| reply.etag().is_some()) else {
            return Err(reply.not_the_store("no ETag or no length for an object"));
        };
        // HEAD said otherwise: one of the two is not the store's word, and nobody knows how long
        // reading such a body would take.
        if expected != announced {
            let what = format!("{expected} bytes of an object that has {announced}");
            return Err(reply.not_the_store(&what));
        }
        let (mut hash, mut size) = (Context::new(&SHA256), 0);
        let reading = async {
            loop {
                let piece = timeout(self.patience, response.chunk()).await;
                let piece = piece.map_err(|_| too_slow(call))?;
                let Some(piece) = piece.map_err(|e| sending_failed(call, e))? else { break };
                hash.update(&piece);
                size += piece.len() as u64;
            }
            Ok(())
        };
        let allowed = self.patience + self.time_for(expected);
        timeout(allowed, reading).await.map_err(|_| too_slow(call))??;
        if size != expected {
            let words = format!("the answer was cut after {size} of {expected} bytes");
            return Err(StoreError { call, fault: Fault::Network, words });
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(hash.finish().as_ref());
        Ok((size, Sha256Digest(digest)))
    }

    async fn put_small(
        &self,
        key: &str,
        bytes: Vec<u8>,
        content_type: &'static str,
    ) -> Result<(), StoreError> {
        let ask = Ask::new("PutObject", Method::Put, Some(key))
            .header("content-type", content_type)
            .header("if-none-match", "*")
            .header("content-md5", Md5Digest(Md5::digest(&bytes).into()).to_base64())
            .header("x-amz-checksum-sha256", Sha256Digest::of(&bytes).to_base64())
            .bytes(bytes);
        match self.ask(ask).await?.success() {
            Ok(reply) if reply.etag().is_some() => Ok(()),
            Ok(reply) => Err(reply.not_the_store("no ETag for an object")),
            Err(error) if error.fault == Fault::Exists => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn marks(
        &self,
        key: &str,
        version: Option<&str>,
        with_locks: bool,
    ) -> Result<MarksFound, StoreError> {
        self.read_marks(key, version, with_locks).await
    }

    async fn mark(
        &self,
        key: &str,
        version: Option<&str>,
        change: &MarkChange,
    ) -> Result<(), StoreError> {
        self.change_mark(key, version, change).await
    }
}

impl S3 {
    /// CreateMultipartUpload, with a lock until then.
    async fn create_upload(
        &self,
        object: &SealedObject,
        retain_until: Option<Timestamp>,
    ) -> Result<String, StoreError> {
        let mut ask = Ask::new("CreateMultipartUpload", Method::Post, Some(&object.key))
            .query("uploads", "")
            .header("content-type", "application/octet-stream")
            .header("x-amz-checksum-algorithm", "SHA256")
            .header("x-amz-checksum-type", "COMPOSITE")
            .header("x-amz-meta-sha256", object.sealed.sha256.to_string())
            .header("x-amz-meta-bwvdock-object", object.id.to_string())
            .header("x-amz-tagging", format!("class={}", object.class));
        if let Some(until) = retain_until {
            let until = until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            ask = ask
                .header("x-amz-object-lock-mode", "GOVERNANCE")
                .header("x-amz-object-lock-retain-until-date", until);
            if object.class == Class::Evidential {
                ask = ask.header("x-amz-object-lock-legal-hold", "ON");
            }
        }
        let reply = self.ask(ask).await?;
        let stranger = reply.not_the_store("no upload id");
        let node = reply.document("InitiateMultipartUploadResult")?;
        match node.text_of("UploadId") {
            Some(id) if id.len() <= 1024 => Ok(id.to_owned()),
            _ => Err(stranger),
        }
    }
}

fn content_length(reply: &Reply) -> Option<u64> {
    reply.header(CONTENT_LENGTH.as_str())?.parse().ok()
}

fn listed_part(row: &Node) -> Option<(Option<Timestamp>, ListedPart)> {
    let number = row.text_of("PartNumber")?.parse().ok()?;
    let size = row.text_of("Size")?.parse().ok()?;
    let etag = row.text_of("ETag")?.trim_matches('"').to_owned();
    let at = row.text_of("LastModified").and_then(|t| t.parse().ok());
    Some((at, ListedPart { number, etag, size }))
}

/// The rows of one part that no other is newer than; several if nobody can tell.
fn newest_rows(rows: Vec<(Option<Timestamp>, ListedPart)>) -> impl Iterator<Item = ListedPart> {
    let newest = rows.iter().filter_map(|(at, _)| *at).max();
    let keep = move |at: &Option<Timestamp>| at.is_none() || *at == newest;
    rows.into_iter().filter(move |(at, _)| keep(at)).map(|(_, part)| part)
}

/// What a HEAD says besides size and ETag.
fn details(reply: &Reply) -> ObjectHead {
    let text = |name| reply.header(name).map(str::to_owned);
    ObjectHead {
        version: text("x-amz-version-id").filter(|version| version != "null"),
        composite_sha256: text("x-amz-checksum-sha256"),
        meta_sha256: text("x-amz-meta-sha256"),
        lock_mode: text("x-amz-object-lock-mode"),
        retain_until: reply
            .header("x-amz-object-lock-retain-until-date")
            .and_then(|until| until.parse().ok()),
        legal_hold: reply.header("x-amz-object-lock-legal-hold").map(|hold| hold == "ON"),
        server_date: text("date"),
        request_id: text("x-amz-request-id"),
        ..ObjectHead::default()
    }
}

fn peer_key(response: &Response) -> Option<String> {
    let info = response.extensions().get::<TlsInfo>()?;
    tls::spki_sha256(info.peer_certificate()?)
}
