//! Lists of objects: prefixes, delimiters and pages, in the byte order of S3.

use super::{bucket::Bucket, meta::Row};

/// The most entries of one page.
pub(super) const PAGE_MAX: usize = 1000;

/// What a list asks for.
#[derive(Debug, Default)]
pub(super) struct Query<'a> {
    pub prefix: &'a str,
    pub delimiter: &'a str,
    /// Everything up to and including this key, or common prefix, was seen already.
    pub after: &'a str,
    pub max: usize,
}

/// One page of a list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub objects: Vec<(String, Row)>,
    pub prefixes: Vec<String>,
    /// The last entry of this page, when there are more.
    pub next: Option<String>,
}

impl Page {
    fn len(&self) -> usize {
        self.objects.len() + self.prefixes.len()
    }
}

/// Reads one page.
pub(super) fn page(bucket: &Bucket, query: &Query<'_>) -> Page {
    let mut page = Page::default();
    if query.max == 0 {
        return page;
    }
    let mut last = String::new();
    let mut start = first_after(query);
    while let Some(from) = start.take() {
        bucket.scan(&from, |key, row| {
            if !key.starts_with(query.prefix) {
                return false;
            }
            if page.len() == query.max {
                page.next = Some(std::mem::take(&mut last));
                return false;
            }
            let Some(common) = common_prefix(key, query) else {
                page.objects.push((key.to_owned(), row.clone()));
                last = key.to_owned();
                return true;
            };
            page.prefixes.push(common.to_owned());
            last = common.to_owned();
            // Jump over everything below it.
            start = past(common);
            false
        });
    }
    page
}

fn first_after(query: &Query<'_>) -> Option<String> {
    let seen = query.after;
    if seen < query.prefix {
        return Some(query.prefix.to_owned());
    }
    if seen.is_empty() {
        return Some(String::new());
    }
    if common_prefix(seen, query) == Some(seen) { past(seen) } else { Some(format!("{seen}\0")) }
}

/// The part of a key up to the first delimiter behind the prefix.
fn common_prefix<'a>(key: &'a str, query: &Query<'_>) -> Option<&'a str> {
    let rest = key.strip_prefix(query.prefix)?;
    if query.delimiter.is_empty() {
        return None;
    }
    let at = rest.find(query.delimiter)?;
    Some(&key[..query.prefix.len() + at + query.delimiter.len()])
}

/// The smallest text behind everything that starts with `prefix`; `None` if nothing can be.
fn past(prefix: &str) -> Option<String> {
    let mut rest = prefix.to_owned();
    while let Some(last) = rest.pop() {
        let next = match last {
            // Between them lie the surrogates, which are no characters.
            '\u{D7FF}' => Some('\u{E000}'),
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            rest.push(next);
            return Some(rest);
        }
    }
    None
}

/// Keys as `encoding-type=url` wants them.
pub(super) fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn past_a_prefix_lies_nothing_of_it_and_nothing_is_jumped_over(
            prefix in ".{1,8}", rest in ".{0,8}", other in ".{1,8}",
        ) {
            let next = past(&prefix);
            let below = format!("{prefix}{rest}");
            prop_assert!(next.as_ref().is_none_or(|next| below < *next));
            if !other.starts_with(&prefix) && other > prefix {
                prop_assert!(next.is_some_and(|next| next <= other));
            }
        }

        #[test]
        fn encoded_keys_decode_to_themselves(key in ".{0,40}") {
            let encoded = format!("k={}", url_encode(&key).replace('+', "%2B"));
            let (_, decoded) = url::form_urlencoded::parse(encoded.as_bytes()).next().unwrap();
            prop_assert_eq!(decoded, key);
        }
    }

    #[test]
    fn past_the_last_characters() {
        assert_eq!(past("a/").as_deref(), Some("a0"));
        assert_eq!(past("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(past("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(past("\u{10FFFF}"), None);
    }
}
