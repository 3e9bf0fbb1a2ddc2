//! Checksums: what a client claims, what the bytes are, and whether the two agree.

use super::{errors::refuse, meta::Sums};
use crate::types::{Md5Digest, Sha256Digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper::HeaderMap;
use md5::{Digest as _, Md5};
use s3s::{
    S3ErrorCode, S3Result,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1},
    dto,
};

/// S3's names, each with the header that carries it.
const ALGORITHMS: [(&str, &str); 5] = [
    ("CRC32", "x-amz-checksum-crc32"),
    ("CRC32C", "x-amz-checksum-crc32c"),
    ("CRC64NVME", "x-amz-checksum-crc64nvme"),
    ("SHA1", "x-amz-checksum-sha1"),
    ("SHA256", "x-amz-checksum-sha256"),
];

/// The algorithm's one spelling, if this store knows it.
pub(super) fn algorithm_named(name: &str) -> Option<&'static str> {
    ALGORITHMS.iter().map(|(known, _)| *known).find(|known| known.eq_ignore_ascii_case(name))
}

/// What a request says its bytes are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Claims {
    /// Base64, as sent.
    md5: Option<String>,
    sums: Sums,
    /// Algorithms whose value will follow the body.
    trailing: Vec<&'static str>,
}

impl Claims {
    /// Reads Content-MD5, `x-amz-checksum-*` and `x-amz-trailer`.
    pub fn of(headers: &HeaderMap) -> S3Result<Self> {
        let mut claims = Self::default();
        if let Some(value) = text(headers, "content-md5")? {
            base64_of(&value, 16)?;
            claims.md5 = Some(value);
        }
        claims.read_sums(headers)?;
        if let Some(value) = text(headers, "x-amz-trailer")? {
            for name in value.split(',').map(|name| name.trim().to_ascii_lowercase()) {
                let known = ALGORITHMS.iter().find(|(_, header)| *header == name);
                let Some((algorithm, _)) = known else {
                    return Err(refuse(
                        S3ErrorCode::InvalidRequest,
                        "x-amz-trailer names an unknown checksum",
                    ));
                };
                claims.trailing.push(algorithm);
            }
        }
        Ok(claims)
    }

    fn read_sums(&mut self, headers: &HeaderMap) -> S3Result<()> {
        for (algorithm, header) in ALGORITHMS {
            if let Some(value) = text(headers, header)? {
                base64_of(&value, length_of(algorithm))?;
                self.sums.insert(algorithm.to_owned(), value);
            }
        }
        Ok(())
    }

    /// Takes in what came after the body; everything announced must have come.
    pub fn add_trailers(&mut self, trailers: Option<HeaderMap>) -> S3Result<()> {
        self.read_sums(&trailers.unwrap_or_default())?;
        if self.trailing.iter().all(|algorithm| self.sums.contains_key(*algorithm)) {
            return Ok(());
        }
        Err(refuse(S3ErrorCode::InvalidRequest, "an announced trailing checksum did not come"))
    }

    fn wants(&self, algorithm: &str) -> bool {
        self.sums.contains_key(algorithm) || self.trailing.contains(&algorithm)
    }

    /// Compares every claim with the bytes that came.
    pub fn check(&self, found: &Digests) -> S3Result<()> {
        if self.md5.as_ref().is_some_and(|claimed| *claimed != found.md5.to_base64()) {
            return Err(refuse(S3ErrorCode::BadDigest, "Content-MD5 is not that of the body"));
        }
        for (algorithm, claimed) in &self.sums {
            if found.sum(algorithm).as_ref() != Some(claimed) {
                let words = format!("the {algorithm} checksum is not that of the body");
                return Err(refuse(S3ErrorCode::BadDigest, words));
            }
        }
        Ok(())
    }
}

fn text(headers: &HeaderMap, name: &str) -> S3Result<Option<String>> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let words = || refuse(S3ErrorCode::InvalidRequest, format!("the header {name} is not text"));
    value.to_str().map(|text| Some(text.to_owned())).map_err(|_| words())
}

fn length_of(algorithm: &str) -> usize {
    match algorithm {
        "CRC32" | "CRC32C" => 4,
        "CRC64NVME" => 8,
        "SHA1" => 20,
        _ => 32,
    }
}

fn base64_of(value: &str, length: usize) -> S3Result<Vec<u8>> {
    let bytes = STANDARD.decode(value).ok().filter(|bytes| bytes.len() == length);
    bytes.ok_or_else(|| {
        let words = format!("a checksum is not the base64 of {length} bytes");
        refuse(S3ErrorCode::InvalidDigest, words)
    })
}

/// What bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digests {
    pub size: u64,
    pub sha256: Sha256Digest,
    pub md5: Md5Digest,
    /// Only those that were asked for; never SHA-256, which has its own field.
    pub sums: Sums,
}

impl Digests {
    /// Base64 by S3's name of the algorithm.
    pub fn sum(&self, algorithm: &str) -> Option<String> {
        match algorithm {
            "SHA256" => Some(self.sha256.to_base64()),
            other => self.sums.get(other).cloned(),
        }
    }
}

/// Everything that is computed while bytes pass.
pub(super) struct Hasher {
    size: u64,
    sha256: ring::digest::Context,
    md5: Md5,
    others: ChecksumHasher,
}

impl Hasher {
    pub fn new(wants: impl Fn(&str) -> bool) -> Self {
        let others = ChecksumHasher {
            crc32: wants("CRC32").then(Crc32::new),
            crc32c: wants("CRC32C").then(Crc32c::new),
            sha1: wants("SHA1").then(Sha1::new),
            sha256: None,
            crc64nvme: wants("CRC64NVME").then(Crc64Nvme::new),
        };
        let sha256 = ring::digest::Context::new(&ring::digest::SHA256);
        Self { size: 0, sha256, md5: Md5::new(), others }
    }

    pub fn for_claims(claims: &Claims) -> Self {
        Self::new(|algorithm| claims.wants(algorithm))
    }

    pub fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.sha256.update(bytes);
        self.md5.update(bytes);
        self.others.update(bytes);
    }

    pub fn finish(self) -> Digests {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.sha256.finish().as_ref());
        let mut md5 = [0; 16];
        md5.copy_from_slice(&self.md5.finalize());
        Digests {
            size: self.size,
            sha256: Sha256Digest(sha256),
            md5: Md5Digest(md5),
            sums: sums_of(self.others.finalize()),
        }
    }
}

fn sums_of(found: dto::Checksum) -> Sums {
    [
        ("CRC32", found.checksum_crc32),
        ("CRC32C", found.checksum_crc32c),
        ("CRC64NVME", found.checksum_crc64nvme),
        ("SHA1", found.checksum_sha1),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

/// S3's composite: the algorithm over the parts' raw values, `-`, their count.
pub(super) fn composite<'a>(
    algorithm: &str,
    parts: impl Iterator<Item = &'a str>,
) -> S3Result<String> {
    let mut hasher = Hasher::new(|wanted| wanted == algorithm);
    let mut count = 0;
    for part in parts {
        hasher.update(&base64_of(part, length_of(algorithm))?);
        count += 1;
    }
    let whole = hasher.finish().sum(algorithm).unwrap_or_default();
    Ok(format!("{whole}-{count}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digests_of(bytes: &[u8]) -> Digests {
        let mut hasher = Hasher::new(|_| true);
        hasher.update(bytes);
        hasher.finish()
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        headers
    }

    #[test]
    fn known_answers_of_every_algorithm() {
        // "123456789": the check values of the CRC catalogue and of RFC 3174's tools.
        let found = digests_of(b"123456789");
        let hex_of = |name: &str| hex::encode(STANDARD.decode(found.sum(name).unwrap()).unwrap());
        assert_eq!(hex_of("CRC32"), "cbf43926");
        assert_eq!(hex_of("CRC32C"), "e3069283");
        assert_eq!(hex_of("CRC64NVME"), "ae8b14860a799888");
        assert_eq!(hex_of("SHA1"), "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
        assert_eq!(found.sha256, Sha256Digest::of(b"123456789"));
        assert_eq!(found.md5.to_string(), "25f9e794323b453885f5181f1b624d0b");
    }

    #[test]
    fn a_wrong_value_of_any_algorithm_is_a_bad_digest() {
        let (right, wrong) = (digests_of(b"right"), digests_of(b"wrong"));
        for (algorithm, header) in ALGORITHMS {
            let claims = Claims::of(&headers(header, &right.sum(algorithm).unwrap())).unwrap();
            assert!(claims.check(&right).is_ok(), "{algorithm}");
            assert!(claims.check(&wrong).is_err(), "{algorithm}");
        }
        let claims = Claims::of(&headers("content-md5", &right.md5.to_base64())).unwrap();
        assert!(claims.check(&right).is_ok() && claims.check(&wrong).is_err());
    }

    #[test]
    fn malformed_values_are_refused_before_any_byte_is_read() {
        for (name, value) in [("content-md5", "AAAA"), ("x-amz-checksum-sha256", "not base64!")] {
            assert!(Claims::of(&headers(name, value)).is_err(), "{name}");
        }
        assert!(Claims::of(&headers("x-amz-trailer", "x-amz-checksum-what")).is_err());
    }

    #[test]
    fn a_trailer_that_was_announced_must_come() {
        let mut claims = Claims::of(&headers("x-amz-trailer", "x-amz-checksum-crc32")).unwrap();
        assert!(claims.wants("CRC32"));
        assert!(claims.add_trailers(None).is_err());
        let trailer = headers("x-amz-checksum-crc32", &digests_of(b"x").sum("CRC32").unwrap());
        claims.add_trailers(Some(trailer)).unwrap();
        assert!(claims.check(&digests_of(b"x")).is_ok());
        assert!(claims.check(&digests_of(b"y")).is_err());
    }

    #[test]
    fn the_composite_is_over_the_raw_part_digests() {
        let parts = [Sha256Digest::of(b"a"), Sha256Digest::of(b"b")];
        let all: Vec<u8> = parts.iter().flat_map(|part| part.0).collect();
        let base64: Vec<String> = parts.iter().map(|part| part.to_base64()).collect();
        let found = composite("SHA256", base64.iter().map(String::as_str)).unwrap();
        assert_eq!(found, format!("{}-2", Sha256Digest::of(&all).to_base64()));
    }
}
