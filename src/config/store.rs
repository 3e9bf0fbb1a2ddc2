//! The `[store]` section: where the evidence goes, and how the other side is recognised.

use super::{
    model::{Store, StoreRequired},
    reader::Section,
    sections::SECRET,
    value::StoreKind,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use url::{Host, Url};

const ADDRESS: &str = "write scheme, host and port, for example \"https://s3.example.org\"";
const MIB: u64 = 1 << 20;
const S3_KEYS: [(&str, &str); 4] = [
    ("endpoint", ADDRESS),
    ("bucket", "write the name of the bucket"),
    ("access_key_file", SECRET),
    ("secret_key_file", SECRET),
];

pub(super) fn store(mut s: Section<'_>) -> Option<Store> {
    let kind = s.word("kind", StoreKind::WORDS, StoreKind::S3);
    let directory = s.path("directory");
    let required: &[(&str, &str)] = match kind {
        StoreKind::S3 => &S3_KEYS,
        StoreKind::Directory => &[("directory", "write the folder, for example \"/mnt/evidence\"")],
    };
    for (key, remedy) in required.iter().copied() {
        if !s.has(key) {
            s.missing(key, remedy);
        }
    }
    let endpoint = endpoint(&mut s);
    let region = region(&mut s);
    let bucket = bucket(&mut s);
    let prefix = prefix(&mut s);
    let path_style = s.flag("path_style", true);
    let access_key_file = s.parsed("access_key_file", SECRET);
    let secret_key_file = s.parsed("secret_key_file", SECRET);
    let ca_file = s.path("ca_file");
    let client_cert_file = s.path("client_cert_file");
    let client_key_file = s.parsed("client_key_file", SECRET);
    for (one, other) in
        [("client_cert_file", "client_key_file"), ("client_key_file", "client_cert_file")]
    {
        if s.has(one) && !s.has(other) {
            s.problem(one, format!("is there without {other}"), "write both or neither");
        }
    }
    let server_key_pin = server_key_pin(&mut s);
    // 5 MiB is the least a part may have in S3, but for the last one.
    let part_bytes = s.number("part_bytes", 5 * MIB..=512 * MIB, Store::PART_BYTES);
    let connect_timeout_ms =
        s.number("connect_timeout_ms", 500..=120_000, Store::CONNECT_TIMEOUT_MS);
    let bytes_per_second_min =
        s.number("bytes_per_second_min", 1024..=1 << 30, Store::BYTES_PER_SECOND_MIN);
    s.finish();

    let base = match kind {
        StoreKind::S3 => Store::new(StoreRequired {
            endpoint: endpoint?,
            bucket: bucket?,
            access_key_file: access_key_file?,
            secret_key_file: secret_key_file?,
        }),
        StoreKind::Directory => Store::in_directory(directory.clone()?)?,
    };
    Some(Store {
        kind,
        directory,
        region,
        prefix,
        path_style,
        ca_file,
        client_cert_file,
        client_key_file,
        server_key_pin,
        part_bytes,
        connect_timeout_ms,
        bytes_per_second_min,
        ..base
    })
}

fn endpoint(s: &mut Section<'_>) -> Option<Url> {
    let url: Url = s.parsed("endpoint", ADDRESS)?;
    // An address is not repeated in an error: it may carry a password.
    let words = if !["http", "https"].contains(&url.scheme()) {
        "is no https address"
    } else if url.host().is_none() {
        "names no host"
    } else if !url.username().is_empty() || url.password().is_some() {
        "carries a user name or password"
    } else if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        "has a path; the bucket and the prefix have keys of their own"
    } else if url.scheme() == "http" && !is_loopback(&url) {
        "is plain http, where anybody on the way can pretend to be the store"
    } else {
        return Some(url);
    };
    s.problem("endpoint", words, ADDRESS);
    None
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn region(s: &mut Section<'_>) -> String {
    let region = s.text("region").unwrap_or(Store::REGION);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if region.is_empty() || region.len() > 64 || !region.chars().all(plain) {
        let words = format!("is {region:?}");
        s.problem("region", words, "write the name of a region: a-z 0-9 -");
    }
    region.to_owned()
}

/// The naming rules of Amazon S3 for general purpose buckets, which others follow.
fn bucket(s: &mut Section<'_>) -> Option<String> {
    let bucket = s.text("bucket")?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let valid = (3..=63).contains(&bucket.len())
        && bucket.chars().all(|c| plain(c) || c == '-' || c == '.')
        && bucket.starts_with(plain)
        && bucket.ends_with(plain)
        && !bucket.contains("..");
    if !valid {
        let words = format!("is {bucket:?}, which cannot be a bucket");
        s.problem(
            "bucket",
            words,
            "write 3 to 63 of a-z 0-9 - . with a letter or digit at the ends",
        );
        return None;
    }
    Some(bucket.to_owned())
}

/// Only characters that need no escaping anywhere on the way.
fn prefix(s: &mut Section<'_>) -> String {
    let prefix = s.text("prefix").unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.=".contains(c);
    let part =
        |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(plain);
    let valid = prefix.is_empty()
        || (prefix.len() <= 256
            && prefix.strip_suffix('/').is_some_and(|inner| inner.split('/').all(part)));
    if !valid {
        let remedy = "write for example \"force/dock-7/\": A-Z a-z 0-9 - _ . = and a final /";
        s.problem("prefix", format!("is {prefix:?}"), remedy);
    }
    prefix.to_owned()
}

fn server_key_pin(s: &mut Section<'_>) -> Option<String> {
    let pin = s.text("server_key_pin")?;
    let digest = STANDARD.decode(pin).ok().filter(|bytes| bytes.len() == 32);
    if digest.is_none() {
        let remedy = "write the base64 of 32 bytes: 43 characters and a final =";
        s.problem("server_key_pin", "is no base64 of a SHA-256", remedy);
    }
    Some(pin.to_owned())
}
