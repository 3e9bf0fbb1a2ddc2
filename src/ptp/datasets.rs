//! Datasets: what a camera says of itself, its storages and its objects.
//!
//! Longer datasets than the standard's are read as far as it goes; missing tails are forgiven only
//! where cameras are known to leave them out.

use super::{
    CameraTime, Malformed, ObjectFormat, ObjectHandle, Operation, StorageId, Text, bytes::Cursor,
};

/// PIMA 15740:2000 clause 5.5; MTP 1.1 section 5.1.1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Times 100; 100 is 1.0.
    pub standard_version: u16,
    pub vendor_extension_id: u32,
    pub vendor_extension: Text,
    pub operations: Vec<u16>,
    pub events: Vec<u16>,
    pub properties: Vec<u16>,
    pub manufacturer: Text,
    pub model: Text,
    pub version: Text,
    pub serial: Text,
}

impl DeviceInfo {
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut at = Cursor::new(bytes);
        let standard_version = at.u16("the standard's version")?;
        let vendor_extension_id = at.u32("the vendor extension")?;
        at.u16("the vendor extension's version")?;
        let vendor_extension = at.text("the vendor extension")?;
        at.u16("the functional mode")?;
        let operations = at.array_u16("the operations")?;
        let events = at.array_u16("the events")?;
        let properties = at.array_u16("the properties")?;
        at.array_u16("the capture formats")?;
        at.array_u16("the image formats")?;
        Ok(Self {
            standard_version,
            vendor_extension_id,
            vendor_extension,
            operations,
            events,
            properties,
            manufacturer: at.text("the manufacturer")?,
            // Optional by the standard, and some cameras end before them.
            model: at.text("the model").unwrap_or_default(),
            version: at.text("the version").unwrap_or_default(),
            serial: at.text("the serial number").unwrap_or_default(),
        })
    }

    pub fn offers(&self, operation: Operation) -> bool {
        self.operations.contains(&operation.0)
    }
}

/// What may be done with a storage (PIMA 15740:2000 clause 5.5; MTP 1.1 section 5.2.2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    ReadWrite,
    ReadOnly,
    /// Nothing may be written, objects may be deleted.
    ReadOnlyWithDeletion,
    /// A value the standard reserves; treated as read only.
    Reserved(u16),
}

impl Access {
    pub fn allows_deletion(self) -> bool {
        match self {
            Self::ReadWrite | Self::ReadOnlyWithDeletion => true,
            Self::ReadOnly | Self::Reserved(_) => false,
        }
    }
}

/// PIMA 15740:2000 clause 5.5; MTP 1.1 section 5.2.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageInfo {
    /// 1 fixed ROM, 2 removable ROM, 3 fixed RAM, 4 removable RAM.
    pub storage_type: u16,
    pub access: Access,
    /// Bytes.
    pub capacity: u64,
    /// Bytes.
    pub free: u64,
    pub description: Text,
    pub label: Text,
}

impl StorageInfo {
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut at = Cursor::new(bytes);
        let storage_type = at.u16("the storage type")?;
        at.u16("the file system type")?;
        let access = match at.u16("the access capability")? {
            0 => Access::ReadWrite,
            1 => Access::ReadOnly,
            2 => Access::ReadOnlyWithDeletion,
            other => Access::Reserved(other),
        };
        let capacity = at.u64("the capacity")?;
        let free = at.u64("the free space")?;
        at.u32("the free space in objects")?;
        let description = at.text("the storage's description").unwrap_or_default();
        let label = at.text("the volume label").unwrap_or_default();
        Ok(Self { storage_type, access, capacity, free, description, label })
    }
}

/// How many bytes an object has, as far as its ObjectInfo tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortSize {
    Bytes(u32),
    /// 0xFFFFFFFF: 4 GiB or more (MTP 1.1 section 5.3.1, ObjectCompressedSize).
    TooBigToSay,
}

/// PIMA 15740:2000 clause 5.5; MTP 1.1 section 5.3.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// `None` if the camera gave 0 or 0xFFFFFFFF.
    pub storage: Option<StorageId>,
    pub format: ObjectFormat,
    /// Protection status 0 is none; anything else forbids deletion.
    pub is_protected: bool,
    pub size: ShortSize,
    /// `None` at the root of the storage.
    pub parent: Option<ObjectHandle>,
    pub name: Text,
    pub captured: Option<CameraTime>,
    pub modified: Option<CameraTime>,
}

impl ObjectInfo {
    /// # Errors
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut at = Cursor::new(bytes);
        let storage = StorageId::new(at.u32("the object's storage")?);
        let format = ObjectFormat(at.u16("the object's format")?);
        let is_protected = at.u16("the object's protection")? != 0;
        let size = match at.u32("the object's size")? {
            u32::MAX => ShortSize::TooBigToSay,
            bytes => ShortSize::Bytes(bytes),
        };
        // Thumbnail: format, bytes, width, height. Image: width, height, depth.
        at.take(2 + 4 + 4 + 4 + 4 + 4 + 4, "the object's picture sizes")?;
        let parent = ObjectHandle::new(at.u32("the object's folder")?);
        // Association type and description, sequence number.
        at.take(2 + 4 + 4, "the object's association")?;
        let name = at.text("the object's name")?;
        let captured = time(&mut at, "the time of capture");
        let modified = time(&mut at, "the time of modification");
        Ok(Self { storage, format, is_protected, size, parent, name, captured, modified })
    }

    pub fn is_folder(&self) -> bool {
        self.format == ObjectFormat::ASSOCIATION
    }

    /// When it was last changed, else captured; milliseconds since 1970 by the camera's clock.
    pub fn modified_ms(&self) -> Option<i64> {
        self.modified.or(self.captured)?.milliseconds()
    }
}

/// Optional by the standard; a nonsensical time is no reason to lose the object.
fn time(at: &mut Cursor<'_>, what: &'static str) -> Option<CameraTime> {
    CameraTime::parse(at.text(what).ok()?.as_str()?)
}

/// Storage ids (PIMA 15740:2000 clause 10.4): those that name one storage.
///
/// # Errors
/// [`Malformed`].
pub fn decode_storages(bytes: &[u8]) -> Result<Vec<StorageId>, Malformed> {
    let ids = Cursor::new(bytes).array_u32("the storages")?;
    Ok(ids.into_iter().filter_map(StorageId::new).collect())
}

/// Object handles (PIMA 15740:2000 clause 10.4), still packed: a folder may hold very many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handles(Vec<u8>);

impl Handles {
    /// # Errors
    /// [`Malformed`] if the count does not fit the bytes.
    pub fn decode(bytes: Vec<u8>) -> Result<Self, Malformed> {
        let entries = Cursor::new(&bytes).array(4, "the object handles")?.len();
        let mut bytes = bytes;
        bytes.drain(..4);
        bytes.truncate(entries);
        Ok(Self(bytes))
    }

    pub fn len(&self) -> usize {
        self.0.len() / 4
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In the camera's order; what cannot be a handle is left out.
    pub fn iter(&self) -> impl Iterator<Item = ObjectHandle> {
        let (entries, _) = self.0.as_chunks();
        entries.iter().filter_map(|entry| ObjectHandle::new(u32::from_le_bytes(*entry)))
    }
}

#[cfg(test)]
mod tests;
