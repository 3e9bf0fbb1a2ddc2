//! Events: what a camera says unasked, on its interrupt pipe.
//!
//! USB still image class 1.0, section 7.3 (asynchronous events); codes of PIMA 15740:2000 clause 12 and
//! MTP 1.1 appendix G. Events are hints: cameras lose them, so nobody waits for one.

use super::{
    Malformed, ObjectHandle, StorageId,
    container::{HEADER_BYTES, Header, Kind, parameters},
};

/// What happened, as far as a dock cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    ObjectAdded(Option<ObjectHandle>),
    ObjectRemoved(Option<ObjectHandle>),
    ObjectChanged(Option<ObjectHandle>),
    StorageAdded(Option<StorageId>),
    StorageRemoved(Option<StorageId>),
    /// Sessions are closed and handles void.
    DeviceReset,
    TransactionCancelled,
    Other(u16),
}

impl Event {
    /// # Errors
    /// [`Malformed`] if it is no event.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let header = Header::decode(bytes)?;
        if header.kind != Kind::Event {
            return Err(Malformed::Unexpected);
        }
        let end = bytes.len().min(header.length as usize);
        let (values, _) = parameters(&bytes[HEADER_BYTES..end]);
        Ok(match header.code {
            0x4001 => Self::TransactionCancelled,
            0x4002 => Self::ObjectAdded(ObjectHandle::new(values[0])),
            0x4003 => Self::ObjectRemoved(ObjectHandle::new(values[0])),
            0x4004 => Self::StorageAdded(StorageId::new(values[0])),
            0x4005 => Self::StorageRemoved(StorageId::new(values[0])),
            0x4007 => Self::ObjectChanged(ObjectHandle::new(values[0])),
            0x400B => Self::DeviceReset,
            other => Self::Other(other),
        })
    }

    /// Whether what was listed may be no longer so.
    pub fn changes_listing(self) -> bool {
        match self {
            Self::ObjectAdded(_)
            | Self::ObjectRemoved(_)
            | Self::ObjectChanged(_)
            | Self::StorageAdded(_)
            | Self::StorageRemoved(_)
            | Self::DeviceReset => true,
            Self::TransactionCancelled | Self::Other(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(code: u16, parameter: u32) -> Event {
        let bytes =
            [&[16, 0, 0, 0, 4, 0][..], &code.to_le_bytes(), &[0xFF; 4], &parameter.to_le_bytes()];
        Event::decode(&bytes.concat()).unwrap()
    }

    #[test]
    fn the_events_a_dock_cares_for() {
        assert_eq!(event(0x4002, 7), Event::ObjectAdded(ObjectHandle::new(7)));
        assert_eq!(event(0x4003, 7), Event::ObjectRemoved(ObjectHandle::new(7)));
        assert_eq!(event(0x4005, 0x10001), Event::StorageRemoved(StorageId::new(0x10001)));
        assert_eq!(event(0x400B, 0), Event::DeviceReset);
        assert_eq!(event(0xC001, 0), Event::Other(0xC001));
        assert!(event(0x4007, 7).changes_listing());
        assert!(!event(0x4001, 7).changes_listing());
    }

    #[test]
    fn without_a_parameter_nothing_is_named() {
        let bytes = [12, 0, 0, 0, 4, 0, 2, 0x40, 0, 0, 0, 0];
        assert_eq!(Event::decode(&bytes), Ok(Event::ObjectAdded(None)));
        assert_eq!(
            Event::decode(&[12, 0, 0, 0, 3, 0, 1, 0x20, 0, 0, 0, 0]),
            Err(Malformed::Unexpected)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_event_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = Event::decode(&bytes);
        }
    }
}
