//! The numbers of the protocol: operations, responses, events, properties.

use std::fmt;

/// An operation code (PIMA 15740:2000 clause 10; MTP 1.1 appendix D).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operation(pub u16);

impl Operation {
    pub const GET_DEVICE_INFO: Self = Self(0x1001);
    pub const OPEN_SESSION: Self = Self(0x1002);
    pub const CLOSE_SESSION: Self = Self(0x1003);
    pub const GET_STORAGE_IDS: Self = Self(0x1004);
    pub const GET_STORAGE_INFO: Self = Self(0x1005);
    pub const GET_OBJECT_HANDLES: Self = Self(0x1007);
    pub const GET_OBJECT_INFO: Self = Self(0x1008);
    pub const GET_OBJECT: Self = Self(0x1009);
    pub const DELETE_OBJECT: Self = Self(0x100B);
    pub const GET_DEVICE_PROP_DESC: Self = Self(0x1014);
    pub const GET_DEVICE_PROP_VALUE: Self = Self(0x1015);
    pub const SET_DEVICE_PROP_VALUE: Self = Self(0x1016);
    pub const GET_PARTIAL_OBJECT: Self = Self(0x101B);
    /// Of Android's extension to MTP (`android.com: 1.0`): a 64-bit offset.
    pub const GET_PARTIAL_OBJECT_64: Self = Self(0x95C1);
    pub const GET_OBJECT_PROP_VALUE: Self = Self(0x9803);

    /// The name in the standard, where this room knows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::GET_DEVICE_INFO => "GetDeviceInfo",
            Self::OPEN_SESSION => "OpenSession",
            Self::CLOSE_SESSION => "CloseSession",
            Self::GET_STORAGE_IDS => "GetStorageIDs",
            Self::GET_STORAGE_INFO => "GetStorageInfo",
            Self::GET_OBJECT_HANDLES => "GetObjectHandles",
            Self::GET_OBJECT_INFO => "GetObjectInfo",
            Self::GET_OBJECT => "GetObject",
            Self::DELETE_OBJECT => "DeleteObject",
            Self::GET_DEVICE_PROP_DESC => "GetDevicePropDesc",
            Self::GET_DEVICE_PROP_VALUE => "GetDevicePropValue",
            Self::SET_DEVICE_PROP_VALUE => "SetDevicePropValue",
            Self::GET_PARTIAL_OBJECT => "GetPartialObject",
            Self::GET_PARTIAL_OBJECT_64 => "GetPartialObject64",
            Self::GET_OBJECT_PROP_VALUE => "GetObjectPropValue",
            Self(_) => "an operation",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:04X})", self.name(), self.0)
    }
}

/// A response code (PIMA 15740:2000 clause 11; MTP 1.1 appendix F).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResponseCode(pub u16);

impl ResponseCode {
    pub const OK: Self = Self(0x2001);
    pub const GENERAL_ERROR: Self = Self(0x2002);
    pub const SESSION_NOT_OPEN: Self = Self(0x2003);
    pub const INVALID_TRANSACTION_ID: Self = Self(0x2004);
    pub const OPERATION_NOT_SUPPORTED: Self = Self(0x2005);
    pub const PARAMETER_NOT_SUPPORTED: Self = Self(0x2006);
    pub const INCOMPLETE_TRANSFER: Self = Self(0x2007);
    pub const INVALID_STORAGE_ID: Self = Self(0x2008);
    pub const INVALID_OBJECT_HANDLE: Self = Self(0x2009);
    pub const DEVICE_PROP_NOT_SUPPORTED: Self = Self(0x200A);
    pub const OBJECT_WRITE_PROTECTED: Self = Self(0x200D);
    pub const STORE_READ_ONLY: Self = Self(0x200E);
    pub const ACCESS_DENIED: Self = Self(0x200F);
    pub const PARTIAL_DELETION: Self = Self(0x2012);
    pub const STORE_NOT_AVAILABLE: Self = Self(0x2013);
    pub const DEVICE_BUSY: Self = Self(0x2019);
    pub const INVALID_PARENT: Self = Self(0x201A);
    pub const INVALID_PARAMETER: Self = Self(0x201D);
    pub const SESSION_ALREADY_OPEN: Self = Self(0x201E);
    pub const TRANSACTION_CANCELLED: Self = Self(0x201F);

    /// What the code means, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::OK => "done",
            Self::GENERAL_ERROR => "it failed without saying why",
            Self::SESSION_NOT_OPEN => "no session is open",
            Self::INVALID_TRANSACTION_ID => "it takes the transaction number for wrong",
            Self::OPERATION_NOT_SUPPORTED => "it does not know this operation",
            Self::PARAMETER_NOT_SUPPORTED => "it does not know this parameter",
            Self::INCOMPLETE_TRANSFER => "the transfer was incomplete",
            Self::INVALID_STORAGE_ID => "it has no such storage",
            Self::INVALID_OBJECT_HANDLE => "it has no such object",
            Self::DEVICE_PROP_NOT_SUPPORTED => "it has no such property",
            Self::OBJECT_WRITE_PROTECTED => "the object is write-protected",
            Self::STORE_READ_ONLY => "the storage is read only",
            Self::ACCESS_DENIED => "access is denied",
            Self::PARTIAL_DELETION => "only a part was deleted",
            Self::STORE_NOT_AVAILABLE => "the storage is not available",
            Self::DEVICE_BUSY => "it is busy",
            Self::INVALID_PARENT => "it has no such folder",
            Self::INVALID_PARAMETER => "it takes a parameter for invalid",
            Self::SESSION_ALREADY_OPEN => "a session is open already",
            Self::TRANSACTION_CANCELLED => "the transaction was cancelled",
            Self(_) => "an answer this dock does not know",
        }
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:04X})", self.words(), self.0)
    }
}

/// A device property code (PIMA 15740:2000 clause 13.3; MTP 1.1 appendix C).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceProp(pub u16);

impl DeviceProp {
    pub const BATTERY_LEVEL: Self = Self(0x5001);
    pub const DATE_TIME: Self = Self(0x5011);
}

/// An object property code (MTP 1.1 appendix B).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectProp(pub u16);

impl ObjectProp {
    /// Bytes of the object as a 64-bit number (MTP 1.1 appendix B, ObjectSize).
    pub const OBJECT_SIZE: Self = Self(0xDC04);
}

/// An object format code (PIMA 15740:2000 clause 6; MTP 1.1 appendix A).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectFormat(pub u16);

impl ObjectFormat {
    pub const UNDEFINED: Self = Self(0x3000);
    /// A folder, an album or another grouping.
    pub const ASSOCIATION: Self = Self(0x3001);
}
