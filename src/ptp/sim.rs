//! A camera in memory, behind the same [`Pipes`](super::Pipes) as a real one.
//!
//! It speaks byte by byte what a responder speaks, keeps its own clock (so that waiting costs
//! nothing), and fails as told by [`SimFault`]. Its oddities are switches, each named after where
//! it was seen.

mod answers;
mod encode;
mod fault;
mod object;
mod pipes;

pub use fault::{SimFault, Trouble};
pub use object::{Content, SimObject};
pub use pipes::SimPipes;

use super::{DeviceProp, Operation, StorageId};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// One storage.
#[derive(Debug, Clone)]
pub struct SimStorage {
    pub id: u32,
    /// As StorageInfo says it: 0 read-write, 1 read only, 2 read only with deletion.
    pub access: u16,
    pub description: String,
    pub capacity: u64,
}

/// How the battery is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimBattery {
    /// No such property.
    None,
    /// UINT8, 0 to 100.
    Range(u8),
    /// UINT8, one of a list.
    OneOf(u8, Vec<u8>),
    /// UINT16 without a scale, as umtp-responder does.
    Wide(u16),
    /// Only its value, no description.
    ValueOnly(Vec<u8>),
}

/// Ways to be odd, all off at first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Oddities {
    /// GetDeviceInfo outside of a session is refused (umtp-responder).
    pub info_needs_session: bool,
    /// Listing all storages hangs for good (umtp-responder).
    pub hangs_on_all_storages: bool,
    /// 0xFFFFFFFF as a folder is refused; 0 is everything.
    pub zero_is_everything: bool,
    /// 0xFFFFFFFF as a folder is refused; 0 is the root (QEMU lets both be the root).
    pub zero_is_root: bool,
    /// Every size is 0 in ObjectInfo.
    pub sizes_are_zero: bool,
    /// Sizes beyond 4 GiB keep their lower half in ObjectInfo, against the standard.
    pub sizes_wrap: bool,
    /// Asking beyond the end of an object is refused.
    pub refuses_beyond_end: bool,
    /// No empty packet after a data phase of whole packets.
    pub omits_empty_packet: bool,
    /// The header of data in a transfer of its own.
    pub splits_header: bool,
    /// GetObject always says that it cannot say how long the data is.
    pub never_announces: bool,
    /// A session that is open cannot be closed.
    pub keeps_session: bool,
    /// DeleteObject answers "done" and does nothing.
    pub lies_about_deletion: bool,
    /// Never answers again after a cancel, until it is reset.
    pub hangs_after_cancel: bool,
    /// Refuses every class request.
    pub no_class_requests: bool,
}

/// What is on its way to the host: transfers, each ended by a short packet or not.
#[derive(Debug)]
enum Outgoing {
    Bytes { bytes: Vec<u8>, at: usize, ends: bool },
    Object { content: Content, at: u64, end: u64, ends: bool },
    Endless,
    Stall,
    Silence,
    Vanish,
}

/// The camera. What a test wants otherwise it sets before, or between calls.
#[derive(Debug)]
pub struct SimResponder {
    pub manufacturer: String,
    pub model: String,
    pub version: String,
    pub serial: String,
    pub operations: Vec<Operation>,
    pub storages: Vec<SimStorage>,
    pub objects: BTreeMap<u32, SimObject>,
    pub battery: SimBattery,
    /// The camera's clock against the host's, and the time the host's showed at elapsed zero.
    pub clock: Option<(SignedDuration, Timestamp)>,
    /// The text form of its clock, as an example.
    pub clock_form: String,
    pub oddities: Oddities,
    pub faults: Vec<SimFault>,
    pub packet_bytes: usize,
    /// How long every answer takes.
    pub latency: Duration,
    /// What was asked, in order.
    pub asked: Vec<Operation>,
    /// Class requests that came.
    pub class_requests: Vec<u8>,
    pub gone: bool,
    events: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Outgoing>,
    session: Option<u32>,
    /// A command whose data is still to come from the host.
    waiting: Option<(Operation, u32, Vec<u32>)>,
    busy_polls: u32,
    hung: bool,
    listing_hung: bool,
    now: Duration,
}

impl Default for SimResponder {
    fn default() -> Self {
        Self::new()
    }
}

impl SimResponder {
    /// An empty camera with one storage, that can do everything.
    pub fn new() -> Self {
        Self {
            manufacturer: "bwvdock".into(),
            model: "SimResponder".into(),
            version: "1.0".into(),
            serial: "SIM-0001".into(),
            operations: vec![
                Operation::GET_DEVICE_INFO,
                Operation::OPEN_SESSION,
                Operation::CLOSE_SESSION,
                Operation::GET_STORAGE_IDS,
                Operation::GET_STORAGE_INFO,
                Operation::GET_OBJECT_HANDLES,
                Operation::GET_OBJECT_INFO,
                Operation::GET_OBJECT,
                Operation::DELETE_OBJECT,
                Operation::GET_DEVICE_PROP_DESC,
                Operation::GET_DEVICE_PROP_VALUE,
                Operation::SET_DEVICE_PROP_VALUE,
                Operation::GET_PARTIAL_OBJECT,
                Operation::GET_PARTIAL_OBJECT_64,
                Operation::GET_OBJECT_PROP_VALUE,
            ],
            storages: vec![SimStorage {
                id: 0x0001_0001,
                access: 0,
                description: "card".into(),
                capacity: 64 << 30,
            }],
            objects: BTreeMap::new(),
            battery: SimBattery::Range(80),
            clock: Some((SignedDuration::ZERO, Timestamp::UNIX_EPOCH)),
            clock_form: "20260101T000000".into(),
            oddities: Oddities::default(),
            faults: Vec::new(),
            packet_bytes: 512,
            latency: Duration::from_millis(1),
            asked: Vec::new(),
            class_requests: Vec::new(),
            gone: false,
            events: VecDeque::new(),
            outgoing: VecDeque::new(),
            session: None,
            waiting: None,
            busy_polls: 0,
            hung: false,
            listing_hung: false,
            now: Duration::ZERO,
        }
    }

    /// Takes operations away.
    pub fn without(mut self, operations: &[Operation]) -> Self {
        self.operations.retain(|operation| !operations.contains(operation));
        self
    }

    /// Adds an object, and gives its handle back.
    pub fn add(&mut self, object: SimObject) -> u32 {
        let handle = self.objects.keys().next_back().map_or(1, |last| last + 1);
        self.objects.insert(handle, object);
        handle
    }

    /// Adds a file with its folders, on the first storage: `DCIM/100/A.MP4`.
    pub fn add_file(&mut self, path: &str, content: impl Into<Content>) -> u32 {
        let storage = self.storages.first().map_or(0x0001_0001, |storage| storage.id);
        let mut parent = 0;
        let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
        for folder in folders.split('/').filter(|folder| !folder.is_empty()) {
            let units: Vec<u16> = folder.encode_utf16().collect();
            let known = self.objects.iter().find(|(_, object)| {
                object.parent == parent && object.storage == storage && object.name == units
            });
            parent = match known.map(|(handle, _)| *handle) {
                Some(handle) => handle,
                None => self.add(SimObject::folder(storage, parent, folder)),
            };
        }
        self.add(SimObject::file(storage, parent, name, content))
    }

    /// Queues an event.
    pub fn say(&mut self, code: u16, parameter: u32) {
        let bytes = [
            &16u32.to_le_bytes()[..],
            &4u16.to_le_bytes(),
            &code.to_le_bytes(),
            &0u32.to_le_bytes(),
            &parameter.to_le_bytes(),
        ];
        self.events.push_back(bytes.concat());
    }

    /// Queues anything at all on the interrupt pipe.
    pub fn say_bytes(&mut self, bytes: &[u8]) {
        self.events.push_back(bytes.to_vec());
    }

    /// Queues anything at all on the bulk pipe, ahead of every answer.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.push(bytes.to_vec());
    }

    /// A session that a program before us left open.
    pub fn leave_session_open(&mut self) {
        self.session = Some(7);
    }

    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// Forgets its session, as a camera does that restarts its software.
    pub fn forget_session(&mut self) {
        self.session = None;
    }

    /// What its clock shows now.
    pub fn clock_text(&self) -> Option<String> {
        let (offset, start) = self.clock?;
        let form = super::CameraTime::parse(&self.clock_form)?;
        let elapsed = SignedDuration::try_from(self.now).ok()?;
        let at = start.checked_add(elapsed).ok()?.checked_add(offset).ok()?;
        Some(form.same_form(at, jiff::tz::Offset::UTC))
    }

    fn has_prop(&self, property: DeviceProp) -> bool {
        match property {
            DeviceProp::BATTERY_LEVEL => self.battery != SimBattery::None,
            DeviceProp::DATE_TIME => self.clock.is_some(),
            DeviceProp(_) => false,
        }
    }

    fn has_storage(&self, id: u32) -> bool {
        StorageId::new(id).is_some() && self.storages.iter().any(|storage| storage.id == id)
    }
}
