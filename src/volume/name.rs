//! Names as a card has them, turned into bytes of a path without loss.

/// UTF-16 as UTF-8; an unpaired surrogate becomes the three bytes it would have (WTF-8), so that two
/// different names never become one.
pub(super) fn from_utf16(units: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(units.len() + units.len() / 2);
    for decoded in char::decode_utf16(units.iter().copied()) {
        match decoded {
            Ok(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let unit = lone.unpaired_surrogate();
                bytes.extend_from_slice(&[
                    0xe0 | (unit >> 12) as u8,
                    0x80 | (unit >> 6 & 0x3f) as u8,
                    0x80 | (unit & 0x3f) as u8,
                ]);
            }
        }
    }
    bytes
}

/// A short name `NNNNNNNNEEE` (fatgen103, "DIR_Name[]") as `NNNNNNNN.EEE`. `lower` is the byte
/// in which Windows NT keeps that the name (bit 3) or the extension (bit 4) is lower case. Bytes
/// above 127 are of a code page that the card does not tell, and stay as they are.
pub(super) fn from_short(raw: &[u8; 11], lower: u8) -> Vec<u8> {
    let part = |bytes: &[u8], lower: bool| {
        let length = bytes.iter().rposition(|b| *b != b' ').map_or(0, |last| last + 1);
        let mut part = bytes[..length].to_vec();
        if lower {
            part.make_ascii_lowercase();
        }
        part
    };
    let mut name = part(&raw[..8], lower & 0x08 != 0);
    if let Some(first @ 0x05) = name.first_mut() {
        // 0xE5 marks a deleted entry, so a name that begins with it begins with 5.
        *first = 0xe5;
    }
    let extension = part(&raw[8..], lower & 0x10 != 0);
    if !extension.is_empty() {
        name.push(b'.');
        name.extend(extension);
    }
    name
}

/// Why these bytes cannot be one component of a path.
pub(super) fn unusable(name: &[u8]) -> Option<&'static str> {
    match name {
        b"" => Some("it has no name"),
        b"." | b".." => Some("its name means a folder, not itself"),
        _ if name.contains(&b'/') => Some("its name holds a '/'"),
        _ if name.contains(&0) => Some("its name holds a NUL"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn short_names() {
        assert_eq!(from_short(b"CLIP0001MP4", 0), b"CLIP0001.MP4");
        assert_eq!(from_short(b"CLIP    MP4", 0x18), b"clip.mp4");
        assert_eq!(from_short(b"README     ", 0x08), b"readme");
        assert_eq!(from_short(b"A B     M 4", 0), b"A B.M 4");
        assert_eq!(from_short(b"\x05\x82      X  ", 0), b"\xe5\x82.X");
        assert_eq!(from_short(b"           ", 0), b"");
    }

    #[test]
    fn long_names() {
        let units: Vec<u16> = "Übergabe 東京 🚓.mp4".encode_utf16().collect();
        assert_eq!(from_utf16(&units), "Übergabe 東京 🚓.mp4".as_bytes());
        assert_eq!(from_utf16(&[0x41, 0xd83d, 0x42]), b"A\xed\xa0\xbdB");
    }

    proptest! {
        #[test]
        fn different_names_stay_different(names: Vec<Vec<u16>>) {
            let mut seen = HashMap::new();
            for name in names {
                let before = seen.insert(from_utf16(&name), name.clone());
                prop_assert!(before.is_none_or(|before| before == name));
            }
        }
    }
}
