//! Numbers that must not be mistaken for each other.

use std::fmt;

/// One storage of the camera (PIMA 15740:2000 clause 5.5; MTP 1.1 section 5.2.1): the upper half
/// numbers the physical store, the lower half the logical one, 0 if there is no medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StorageId(u32);

impl StorageId {
    /// None for 0 and 0xFFFFFFFF: they mean "all" or "any", and some cameras hang on them.
    pub fn new(id: u32) -> Option<Self> {
        (id != 0 && id != u32::MAX).then_some(Self(id))
    }

    pub fn value(self) -> u32 {
        self.0
    }

    /// Whether a medium is in it.
    pub fn has_medium(self) -> bool {
        self.0 & 0xFFFF != 0
    }
}

impl fmt::Display for StorageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}", self.0)
    }
}

/// One object of the camera in one session (PIMA 15740:2000 clause 5.4; MTP 1.1 section 3.4.1).
///
/// Never 0 or 0xFFFFFFFF: those mean "the root" or "every object", so a deletion of everything
/// cannot be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectHandle(u32);

impl ObjectHandle {
    pub fn new(handle: u32) -> Option<Self> {
        (handle != 0 && handle != u32::MAX).then_some(Self(handle))
    }

    pub fn value(self) -> u32 {
        self.0
    }
}

impl fmt::Display for ObjectHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}", self.0)
    }
}

/// The number of a transaction within its session (PIMA 15740:2000 clause 9.3; MTP 1.1 section
/// 4.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionId(pub u32);

impl TransactionId {
    /// Outside of a session, and for OpenSession itself.
    pub const NONE: Self = Self(0);

    /// The one after: 0 and 0xFFFFFFFF are never used in a session.
    pub fn next(self) -> Self {
        match self.0 {
            0xFFFF_FFFE.. => Self(1),
            id => Self(id + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_mean_all_cannot_be_held() {
        for all in [0, u32::MAX] {
            assert_eq!((StorageId::new(all), ObjectHandle::new(all)), (None, None));
        }
    }

    #[test]
    fn transactions_are_counted_round_the_reserved_numbers() {
        assert_eq!(TransactionId::NONE.next(), TransactionId(1));
        assert_eq!(TransactionId(0xFFFF_FFFE).next(), TransactionId(1));
        assert_eq!(TransactionId(u32::MAX).next(), TransactionId(1));
    }
}
