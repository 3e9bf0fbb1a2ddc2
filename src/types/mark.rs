//! What tells that a file was put in the place of another one, although size and time are equal.

use super::Sha256Digest;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A mark that is another one when somebody changed or replaced a file, as far as its file system
/// shows that. An equal mark proves nothing. Another one is a reason to read the file again, and no
/// more: file systems give other marks to files that nobody touched.
///
/// In the log: 16 hexadecimal digits, the first half of a SHA-256 over what the file system says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChangeMark(u64);

impl ChangeMark {
    /// The mark of these numbers, in this order: an inode and its change time, or a first cluster
    /// and what its directory entry says besides.
    pub fn of(numbers: &[i128]) -> Self {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        let digest = Sha256Digest::of(&bytes);
        Self(digest.0.iter().take(8).fold(0, |mark, byte| mark << 8 | u64::from(*byte)))
    }
}

impl From<ChangeMark> for String {
    fn from(mark: ChangeMark) -> Self {
        format!("{:016x}", mark.0)
    }
}

impl TryFrom<String> for ChangeMark {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mark = digits.then(|| u64::from_str_radix(&text, 16).ok()).flatten();
        mark.map(Self).ok_or_else(|| format!("{text:?} is no change mark of 16 digits"))
    }
}

impl fmt::Debug for ChangeMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_sixteen_digits_in_the_log_and_differ_with_what_they_are_made_of() {
        let mark = ChangeMark::of(&[7, 1]);
        let text = serde_json::to_string(&mark).unwrap();
        assert_eq!(text.len(), 18);
        assert_eq!(serde_json::from_str::<ChangeMark>(&text).unwrap(), mark);
        assert_ne!(mark, ChangeMark::of(&[1, 7]));
        for bad in ["\"\"", "\"+123456789abcdef\"", "\"00000000000000000\"", "7"] {
            assert!(serde_json::from_str::<ChangeMark>(bad).is_err(), "{bad}");
        }
    }
}
