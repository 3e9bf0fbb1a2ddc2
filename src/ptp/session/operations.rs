//! The operations a dock needs, each with what it may answer.

use super::{Received, Session};
use crate::ptp::{
    DATASET_BYTES_MAX, DeviceProp, Event, HANDLES_MAX, Handles, Malformed, ObjectHandle,
    ObjectInfo, ObjectProp, Operation, PipeError, Pipes, PropDesc, PtpError, StorageId,
    StorageInfo, Text, TransactionId, decode_object_size, decode_storages,
};
use std::time::Duration;

/// Room for the longest list of handles that is accepted.
const HANDLES_BYTES_MAX: usize = 4 + 4 * HANDLES_MAX;
/// Events taken in one go.
const EVENTS_MAX: usize = 64;

/// How a storage's root is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// 0xFFFFFFFF, as the standard says (PIMA 15740:2000 clause 10.4, GetObjectHandles).
    Standard,
    /// 0, which the standard calls "everything" and some cameras understand as the root.
    Zero,
}

impl<P: Pipes> Session<P> {
    /// MTP 1.1 appendix D.2.4.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn storages(&mut self) -> Result<Vec<StorageId>, PtpError> {
        self.dataset(Operation::GET_STORAGE_IDS, &[], decode_storages)
    }

    /// MTP 1.1 appendix D.2.5.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn storage_info(&mut self, storage: StorageId) -> Result<StorageInfo, PtpError> {
        self.dataset(Operation::GET_STORAGE_INFO, &[storage.value()], StorageInfo::decode)
    }

    /// What lies in one folder of one storage (MTP 1.1 appendix D.2.7); never "in all storages",
    /// on which some cameras hang.
    ///
    /// # Errors
    /// [`PtpError::TooLarge`] for more than [`HANDLES_MAX`], and as all operations.
    pub fn handles(
        &mut self,
        storage: StorageId,
        folder: Result<ObjectHandle, Root>,
    ) -> Result<Handles, PtpError> {
        let folder = match folder {
            Ok(folder) => folder.value(),
            Err(Root::Standard) => u32::MAX,
            Err(Root::Zero) => 0,
        };
        let operation = Operation::GET_OBJECT_HANDLES;
        let parameters = [storage.value(), 0, folder];
        let collected = match self.collect(operation, &parameters, HANDLES_BYTES_MAX) {
            Err(error) if error.is_passing() => {
                self.collect(operation, &parameters, HANDLES_BYTES_MAX)
            }
            collected => collected,
        };
        let (_, bytes) = collected?;
        Handles::decode(bytes).map_err(|what| PtpError::Malformed { operation, what })
    }

    /// MTP 1.1 appendix D.2.8.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn object_info(&mut self, object: ObjectHandle) -> Result<ObjectInfo, PtpError> {
        self.dataset(Operation::GET_OBJECT_INFO, &[object.value()], ObjectInfo::decode)
    }

    /// ObjectSize by GetObjectPropValue (MTP 1.1 appendix E.2.3): bytes, also beyond 4 GiB.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn object_size(&mut self, object: ObjectHandle) -> Result<u64, PtpError> {
        let parameters = [object.value(), u32::from(ObjectProp::OBJECT_SIZE.0)];
        self.dataset(Operation::GET_OBJECT_PROP_VALUE, &parameters, decode_object_size)
    }

    /// Begins GetPartialObject64 (Android's extension): at most `bytes` from `offset` on, then to
    /// be taken with [`Session::take`].
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn begin_partial_64(
        &mut self,
        object: ObjectHandle,
        offset: u64,
        bytes: u32,
    ) -> Result<TransactionId, PtpError> {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half is meant")]
        let parameters = [object.value(), offset as u32, (offset >> 32) as u32, bytes];
        self.begin_object(Operation::GET_PARTIAL_OBJECT_64, &parameters, bytes)
    }

    /// Begins GetPartialObject (MTP 1.1 appendix D.2.27): its offset has 32 bits.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn begin_partial(
        &mut self,
        object: ObjectHandle,
        offset: u32,
        bytes: u32,
    ) -> Result<TransactionId, PtpError> {
        let parameters = [object.value(), offset, bytes];
        self.begin_object(Operation::GET_PARTIAL_OBJECT, &parameters, bytes)
    }

    /// Begins GetObject (MTP 1.1 appendix D.2.9): all of it, from its first byte; and how many bytes
    /// the camera announces.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn begin_whole(
        &mut self,
        object: ObjectHandle,
    ) -> Result<(TransactionId, Option<u64>), PtpError> {
        let announced = self.begin(Operation::GET_OBJECT, &[object.value()], usize::MAX)?;
        Ok((self.transaction, announced))
    }

    fn begin_object(
        &mut self,
        operation: Operation,
        parameters: &[u32],
        bytes: u32,
    ) -> Result<TransactionId, PtpError> {
        let announced = self.begin(operation, parameters, bytes as usize)?;
        if announced.is_none_or(|announced| announced > u64::from(bytes)) {
            self.abandon()?;
            return Err(PtpError::TooLarge { operation, bytes_max: bytes as usize });
        }
        Ok(self.transaction)
    }

    /// The next bytes of the object that was begun as `transaction`, or its end with the camera's
    /// verdict; `None` if something else was asked meanwhile and that data is no longer to be had.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn take(
        &mut self,
        transaction: TransactionId,
        buffer: &mut [u8],
    ) -> Result<Option<Received>, PtpError> {
        if !self.is_reading(transaction) || buffer.is_empty() {
            return Ok(None);
        }
        let received = self.pull(buffer)?;
        if matches!(received, Received::End { .. }) {
            self.recoveries = 0;
        }
        Ok(Some(received))
    }

    /// Ends a transfer that nobody wants the rest of, if it is still going on.
    ///
    /// # Errors
    /// [`PtpError::Gone`], [`PtpError::Wedged`].
    pub fn end_taking(&mut self, transaction: TransactionId) -> Result<(), PtpError> {
        if self.is_reading(transaction) { self.abandon() } else { Ok(()) }
    }

    /// Deletes exactly one object (MTP 1.1 appendix D.2.11). Not repeated by itself: after
    /// [`PtpError::Timeout`] and the like nobody knows whether it was done.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn delete(&mut self, object: ObjectHandle) -> Result<(), PtpError> {
        self.perform(Operation::DELETE_OBJECT, &[object.value(), 0], None).map(drop)
    }

    /// MTP 1.1 appendix D.2.20.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn prop_desc(&mut self, property: DeviceProp) -> Result<PropDesc, PtpError> {
        let parameters = [u32::from(property.0)];
        self.dataset(Operation::GET_DEVICE_PROP_DESC, &parameters, PropDesc::decode)
    }

    /// MTP 1.1 appendix D.2.21: the value as it was sent.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn prop_value(&mut self, property: DeviceProp) -> Result<Vec<u8>, PtpError> {
        let parameters = [u32::from(property.0)];
        let operation = Operation::GET_DEVICE_PROP_VALUE;
        self.collect(operation, &parameters, DATASET_BYTES_MAX).map(|(_, bytes)| bytes)
    }

    /// A text property.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn prop_text(&mut self, property: DeviceProp) -> Result<Text, PtpError> {
        let bytes = self.prop_value(property)?;
        let text = crate::ptp::bytes::Cursor::new(&bytes).text("a text value");
        text.map_err(|what: Malformed| PtpError::Malformed {
            operation: Operation::GET_DEVICE_PROP_VALUE,
            what,
        })
    }

    /// MTP 1.1 appendix D.2.22.
    ///
    /// # Errors
    /// [`PtpError`].
    pub fn set_prop_value(&mut self, property: DeviceProp, value: &[u8]) -> Result<(), PtpError> {
        let operation = Operation::SET_DEVICE_PROP_VALUE;
        self.perform(operation, &[u32::from(property.0)], Some(value)).map(drop)
    }

    /// What the camera said unasked since the last time, waiting up to `timeout` for the first
    /// event; nonsense is passed over, and no more than 64 are taken at once. A camera that says it
    /// was reset has no session any more; the next operation opens one.
    ///
    /// # Errors
    /// [`PtpError::Gone`] only.
    pub fn events(&mut self, timeout: Duration) -> Result<Vec<Event>, PtpError> {
        if matches!(self.state, super::State::Gone) {
            return Err(PtpError::Gone);
        }
        let mut events = Vec::new();
        let mut timeout = timeout;
        for _ in 0..EVENTS_MAX {
            let mut bytes = [0; 1024];
            match self.pipes.interrupt_in(&mut bytes, timeout) {
                Ok(moved) => events.extend(Event::decode(&bytes[..moved.min(bytes.len())]).ok()),
                Err(PipeError::Gone) => return Err(self.lost()),
                Err(PipeError::Timeout | PipeError::Stalled | PipeError::Io) => break,
            }
            timeout = Duration::from_millis(1);
        }
        Ok(events)
    }

    /// Waits, by the pipes' clock.
    pub fn pause(&mut self, time: Duration) {
        self.pipes.pause(time);
    }

    /// Whether the camera is still on the bus. Costs one control transfer and disturbs nothing.
    ///
    /// # Errors
    /// [`PtpError::Gone`].
    pub fn probe(&mut self) -> Result<(), PtpError> {
        if matches!(self.state, super::State::Gone) {
            return Err(PtpError::Gone);
        }
        match self.pipes.probe(self.limits.control) {
            Err(PipeError::Gone) => Err(self.lost()),
            Ok(()) | Err(PipeError::Timeout | PipeError::Stalled | PipeError::Io) => Ok(()),
        }
    }
}
