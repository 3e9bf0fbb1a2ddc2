//! Strings as cameras send them.
//!
//! PIMA 15740:2000 clause 5.3 and MTP 1.1 section 3.2.3: one byte says how many 16-bit units follow,
//! the terminating NUL included; an empty string is the single byte 0. Units are UTF-16,
//! little-endian. Cameras leave the NUL out, add several, or send lone surrogates; all of it is
//! kept as well as it can be.

use std::fmt;

/// At most 255 units, as UTF-8; a lone surrogate is kept as the three bytes UTF-8 would give it if
/// it were a character ("WTF-8"), so that no two different names become one.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Vec<u8>);

impl Text {
    /// The most units a string may have on the wire, its NUL included.
    pub const UNITS_MAX: usize = 255;

    /// From packed units; trailing NULs are dropped, others stay.
    pub(super) fn decode(units: &[u8]) -> Self {
        let (units, _) = units.as_chunks();
        let mut units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
        while units.last() == Some(&0) {
            units.pop();
        }
        let mut bytes = Vec::with_capacity(units.len());
        for unit in char::decode_utf16(units) {
            match unit {
                Ok(c) => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(lone) => {
                    let [high, low] = lone.unpaired_surrogate().to_be_bytes();
                    bytes.push(0xE0 | high >> 4);
                    bytes.push(0x80 | (high & 0x0F) << 2 | low >> 6);
                    bytes.push(0x80 | low & 0x3F);
                }
            }
        }
        Self(bytes)
    }

    /// The wire form of a text; `None` if it has more than 254 units.
    pub fn encode(text: &str) -> Option<Vec<u8>> {
        if text.is_empty() {
            return Some(vec![0]);
        }
        let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let count = u8::try_from(units.len()).ok()?;
        Some(std::iter::once(count).chain(units.iter().flat_map(|u| u.to_le_bytes())).collect())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, if every unit of it was Unicode.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Display for Text {
    /// For people: what cannot be printed is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() {
                    write!(f, "{}", c.escape_default())?
                } else {
                    write!(f, "{c}")?
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ptp::bytes::Cursor;
    use proptest::prelude::*;

    fn decode(bytes: &[u8]) -> Text {
        Cursor::new(bytes).text("text").unwrap()
    }

    #[test]
    fn a_name_as_the_standard_writes_it() {
        assert_eq!(decode(&[4, b'A', 0, b'.', 0, b'B', 0, 0, 0]).as_bytes(), b"A.B");
        assert_eq!(decode(&[0]).as_bytes(), b"");
        assert_eq!(Text::encode("A.B").unwrap(), [4, b'A', 0, b'.', 0, b'B', 0, 0, 0]);
        assert_eq!(Text::encode("").unwrap(), [0]);
    }

    #[test]
    fn nul_missing_doubled_and_in_the_middle() {
        assert_eq!(decode(&[1, b'A', 0]).as_bytes(), b"A");
        assert_eq!(decode(&[3, b'A', 0, 0, 0, 0, 0]).as_bytes(), b"A");
        assert_eq!(decode(&[4, b'A', 0, 0, 0, b'B', 0, 0, 0]).as_bytes(), b"A\0B");
        assert_eq!(decode(&[4, b'A', 0, 0, 0, b'B', 0, 0, 0]).to_string(), "A\\u{0}B");
    }

    #[test]
    fn beyond_the_basic_plane_and_lone_surrogates() {
        assert_eq!(decode(&[3, 0x3D, 0xD8, 0xF9, 0xDC, 0, 0]).as_str(), Some("\u{1F4F9}"));
        let high = decode(&[1, 0x3D, 0xD8]);
        let low = decode(&[1, 0xF9, 0xDC]);
        assert_eq!((high.as_bytes(), high.as_str()), (&[0xED, 0xA0, 0xBD][..], None));
        assert_eq!(low.as_bytes(), [0xED, 0xB3, 0xB9]);
        assert_eq!(high.to_string(), "\\xed\\xa0\\xbd");
    }

    #[test]
    fn the_longest_and_one_more() {
        let longest = "x".repeat(Text::UNITS_MAX - 1);
        assert_eq!(decode(&Text::encode(&longest).unwrap()).as_str(), Some(longest.as_str()));
        assert_eq!(Text::encode(&"x".repeat(Text::UNITS_MAX)), None);
    }

    proptest! {
        #[test]
        fn any_units_decode_within_three_bytes_a_unit(units in prop::collection::vec(any::<u16>(), 0..=255)) {
            let packed: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
            let text = Text::decode(&packed);
            prop_assert!(text.as_bytes().len() <= 3 * units.len());
            prop_assert!(!text.to_string().chars().any(char::is_control));
        }

        #[test]
        fn what_is_encoded_decodes(text in "[^\u{0}]{0,100}") {
            let decoded = decode(&Text::encode(&text).unwrap());
            prop_assert_eq!(decoded.as_str(), Some(text.as_str()));
        }

        #[test]
        fn different_units_stay_different(a in prop::collection::vec(0xD7F0u16..0xE010, 0..6),
                                          b in prop::collection::vec(0xD7F0u16..0xE010, 0..6)) {
            let pack = |u: &[u16]| -> Vec<u8> { u.iter().flat_map(|u| u.to_le_bytes()).collect() };
            prop_assert_eq!(a == b, Text::decode(&pack(&a)) == Text::decode(&pack(&b)));
        }
    }
}
