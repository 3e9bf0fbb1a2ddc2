//! Reading datasets, every length checked.

use super::{Malformed, Text};

/// A cursor over a dataset. All numbers are little-endian (PIMA 15740:2000 clause 5.3; USB still
/// image class 1.0, section 7.1).
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub fn take(&mut self, bytes: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(Malformed::Truncated(what))?;
        self.rest = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed::Truncated(what))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub fn u8(&mut self, what: &'static str) -> Result<u8, Malformed> {
        self.number(what).map(u8::from_le_bytes)
    }

    pub fn u16(&mut self, what: &'static str) -> Result<u16, Malformed> {
        self.number(what).map(u16::from_le_bytes)
    }

    pub fn u32(&mut self, what: &'static str) -> Result<u32, Malformed> {
        self.number(what).map(u32::from_le_bytes)
    }

    pub fn u64(&mut self, what: &'static str) -> Result<u64, Malformed> {
        self.number(what).map(u64::from_le_bytes)
    }

    /// A string (see [`Text`]).
    pub fn text(&mut self, what: &'static str) -> Result<Text, Malformed> {
        let units = usize::from(self.u8(what)?);
        self.take(units * 2, what).map(Text::decode)
    }

    /// The entries of an array, still packed: a 32-bit count and as many entries of `width` bytes
    /// (PIMA 15740:2000 clause 5.3; MTP 1.1 section 3.2.2). A count beyond the dataset's own bytes
    /// is refused before anything is kept.
    pub fn array(&mut self, width: usize, what: &'static str) -> Result<&'a [u8], Malformed> {
        let count = self.u32(what)?;
        let bytes = self.rest.len();
        usize::try_from(count)
            .ok()
            .and_then(|count| count.checked_mul(width))
            .filter(|wanted| *wanted <= bytes)
            .ok_or(Malformed::Array { count, bytes })
            .and_then(|wanted| self.take(wanted, what))
    }

    pub fn array_u16(&mut self, what: &'static str) -> Result<Vec<u16>, Malformed> {
        let (entries, _) = self.array(2, what)?.as_chunks();
        Ok(entries.iter().map(|entry| u16::from_le_bytes(*entry)).collect())
    }

    pub fn array_u32(&mut self, what: &'static str) -> Result<Vec<u32>, Malformed> {
        let (entries, _) = self.array(4, what)?.as_chunks();
        Ok(entries.iter().map(|entry| u32::from_le_bytes(*entry)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_as_long_as_it_says_and_no_longer() {
        let mut cursor = Cursor::new(&[2, 0, 0, 0, 1, 0, 2, 0, 9]);
        assert_eq!(cursor.array_u16("x"), Ok(vec![1, 2]));
        assert_eq!(cursor.rest, [9]);
    }

    #[test]
    fn a_giant_count_is_refused_before_it_is_believed() {
        for count in [2u32, 0x4000_0000, u32::MAX] {
            let mut bytes = count.to_le_bytes().to_vec();
            bytes.extend([0; 4]);
            let refused = Cursor::new(&bytes).array_u32("handles");
            assert_eq!(refused, Err(Malformed::Array { count, bytes: 4 }));
        }
    }

    #[test]
    fn the_name_of_what_is_missing_is_told() {
        assert_eq!(Cursor::new(&[1]).u16("the version"), Err(Malformed::Truncated("the version")));
        assert_eq!(
            Cursor::new(&[3, 65, 0]).text("the model"),
            Err(Malformed::Truncated("the model"))
        );
    }
}
