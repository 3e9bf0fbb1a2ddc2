//! Keys as paths: readable, reversible, and unable to leave their folder.

use std::path::PathBuf;

/// S3's own bound.
const KEY_BYTES_MAX: usize = 1024;
/// A file name may have 255 bytes; metadata and temporary endings need some.
const PIECE_BYTES_MAX: usize = 240;

/// Why a key cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyError {
    Empty,
    TooLong,
    Control,
}

/// The relative path of a key below `objects/`.
///
/// No piece of it is empty, `.`, `..` or hidden, whatever the key: a leading dot and every byte
/// that is not plain become `%HH`, an empty piece becomes `%`.
pub(super) fn key_path(key: &str) -> Result<PathBuf, KeyError> {
    if key.is_empty() {
        return Err(KeyError::Empty);
    }
    if key.len() > KEY_BYTES_MAX {
        return Err(KeyError::TooLong);
    }
    // XML 1.0 cannot carry them, so they could never be listed.
    if key.chars().any(char::is_control) {
        return Err(KeyError::Control);
    }
    let mut path = PathBuf::new();
    for piece in key.split('/') {
        let piece = encode(piece);
        if piece.len() > PIECE_BYTES_MAX {
            return Err(KeyError::TooLong);
        }
        path.push(piece);
    }
    Ok(path)
}

/// The relative path of a key's metadata below `meta/`. `%.` occurs in no encoded piece, so it
/// never meets a folder made for another key.
pub(super) fn meta_path(key: &str) -> Result<PathBuf, KeyError> {
    let mut path = key_path(key)?.into_os_string();
    path.push("%.json");
    Ok(path.into())
}

fn encode(piece: &str) -> String {
    if piece.is_empty() {
        return "%".into();
    }
    let mut out = String::with_capacity(piece.len());
    for (at, byte) in piece.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || b"_-+=@,".contains(&byte);
        if plain || (byte == b'.' && at > 0) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// An upload id or a version id this store could have made: 32 lower-case hexadecimal digits.
pub(super) fn is_opaque_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Component;

    #[test]
    fn dock_keys_stay_readable() {
        let path = key_path("force/2026/05/01/dock-3/0196.age").unwrap();
        assert_eq!(path, PathBuf::from("force/2026/05/01/dock-3/0196.age"));
    }

    #[test]
    fn traversal_empty_pieces_and_hidden_names_are_encoded() {
        for (key, path) in [
            ("../../etc/passwd", "%2E./%2E./etc/passwd"),
            ("/abs", "%/abs"),
            ("a//b/", "a/%/b/%"),
            (".hidden", "%2Ehidden"),
            ("50%", "50%25"),
            ("a%.json", "a%25.json"),
        ] {
            assert_eq!(key_path(key).unwrap(), PathBuf::from(path), "{key:?}");
        }
    }

    #[test]
    fn keys_that_cannot_be_stored_are_refused_by_name() {
        assert_eq!(key_path(""), Err(KeyError::Empty));
        assert_eq!(key_path(&"x".repeat(1025)), Err(KeyError::TooLong));
        assert_eq!(key_path(&"é".repeat(60)), Err(KeyError::TooLong));
        assert_eq!(key_path("a\nb"), Err(KeyError::Control));
        assert_eq!(key_path("a\0b"), Err(KeyError::Control));
    }

    #[test]
    fn opaque_ids_are_hexadecimal_and_nothing_else() {
        assert!(is_opaque_id("0123456789abcdef0123456789abcdef"));
        for bad in ["", "../../../../../../../../../etc/pw", "0123456789ABCDEF0123456789ABCDEF"] {
            assert!(!is_opaque_id(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_key_leaves_its_folder_and_no_two_keys_meet(a in ".{1,40}", b in ".{1,40}") {
            if let (Ok(x), Ok(y)) = (key_path(&a), key_path(&b)) {
                prop_assert!(x.components().all(|c| matches!(c, Component::Normal(_))));
                prop_assert_eq!(x == y, a == b);
                prop_assert_eq!(x.components().count(), a.split('/').count());
            }
        }
    }
}
