//! Our side of PTP against another implementation, both ways round: our camera door reads the
//! virtual device of the crate `mtp-rs`, and its session reads our camera in memory.
//!
//! Where the two disagree, one of them has misread the standard.

use async_trait::async_trait;
use bwvdock::{
    camera::{Camera as _, EraseMode, PtpCamera},
    ptp::{
        ClassRequest, Limits, Moved, Operation, Pipe, PipeError, Pipes, Root, Session, SimPipes,
        SimResponder,
        sim::{Content, SimStorage},
    },
    types::SourcePath,
};
use mtp_rs::{
    ptp::{ObjectHandle, PtpError, PtpSession, StorageId},
    transport::{Transport, virtual_device::VirtualTransport},
    virtual_device::{VirtualDeviceConfig, VirtualStorageConfig},
};
use std::{
    fs,
    io::Read as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Bytes that differ at every place.
fn bytes_of(seed: u64, len: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(len).unwrap()];
    Content::Pattern { seed, bytes: len }.copy(0, &mut bytes);
    bytes
}

const FILES: [(&str, u64); 7] = [
    ("DCIM/100/A.MP4", 3_000_000),
    ("DCIM/100/exact.mp4", 1 << 20),
    ("DCIM/100/one", 1),
    ("DCIM/100/packet", 500),
    ("DCIM/100/zero", 0),
    ("DCIM/101/caf\u{e9} \u{1F4F9}.mp4", 77),
    ("readme.txt", 12),
];

// --- ours reads theirs -------------------------------------------------------------------------

/// Their virtual device behind our pipes. It sends whole containers; what a read has no room for
/// waits for the next one, as on USB.
struct VirtualPipes {
    device: VirtualTransport,
    runtime: Runtime,
    rest: Vec<u8>,
    opened: Instant,
}

impl Pipes for VirtualPipes {
    fn packet_bytes(&self) -> usize {
        512
    }

    fn elapsed(&self) -> Duration {
        self.opened.elapsed()
    }

    fn pause(&mut self, _: Duration) {}

    fn bulk_out(&mut self, bytes: &[u8], _: Duration) -> Result<(), PipeError> {
        self.runtime.block_on(self.device.send_bulk(bytes)).map_err(|_| PipeError::Io)
    }

    fn bulk_in(&mut self, buffer: &mut [u8], _: Duration) -> Result<Moved, PipeError> {
        if self.rest.is_empty() {
            let container = self.runtime.block_on(self.device.receive_bulk(buffer.len()));
            self.rest = container.map_err(|_| PipeError::Timeout)?;
        }
        let bytes = self.rest.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&self.rest[..bytes]);
        self.rest.drain(..bytes);
        Ok(Moved { bytes, ended: bytes < buffer.len() })
    }

    fn interrupt_in(&mut self, buffer: &mut [u8], _: Duration) -> Result<usize, PipeError> {
        let event = self.runtime.block_on(self.device.receive_interrupt());
        let event = event.map_err(|_| PipeError::Timeout)?;
        buffer[..event.len()].copy_from_slice(&event);
        Ok(event.len())
    }

    fn clear_halt(&mut self, _: Pipe) -> Result<(), PipeError> {
        Ok(())
    }

    fn class_out(&mut self, _: ClassRequest, _: &[u8], _: Duration) -> Result<(), PipeError> {
        Err(PipeError::Stalled)
    }

    fn class_in(&mut self, _: ClassRequest, _: &mut [u8], _: Duration) -> Result<usize, PipeError> {
        Err(PipeError::Stalled)
    }

    fn probe(&mut self, _: Duration) -> Result<(), PipeError> {
        Ok(())
    }
}

fn virtual_pipes(folder: &Path, partial_64: bool, partial: bool, serial: &str) -> VirtualPipes {
    let storage = VirtualStorageConfig {
        description: "card".into(),
        capacity: 1 << 30,
        backing_dir: folder.into(),
        read_only: false,
    };
    let config = VirtualDeviceConfig {
        manufacturer: "Maker".into(),
        model: "BWC-1".into(),
        serial: serial.into(),
        storages: vec![storage],
        supports_partial_object: partial,
        supports_partial_object_64: partial_64,
        event_poll_interval: Duration::ZERO,
        watch_backing_dirs: false,
        ..VirtualDeviceConfig::default()
    };
    let runtime = runtime();
    let device = VirtualTransport::new(config);
    VirtualPipes { device, runtime, rest: Vec::new(), opened: Instant::now() }
}

fn folder_with_files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, len) in FILES {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, bytes_of(len, len)).unwrap();
        let time = std::time::UNIX_EPOCH + Duration::from_secs(1_772_366_400);
        fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    }
    folder
}

#[test]
fn our_camera_reads_their_device() {
    for (partial_64, partial) in [(true, true), (false, true), (false, false)] {
        let folder = folder_with_files();
        let serial = format!("X-{partial_64}-{partial}");
        let pipes = virtual_pipes(folder.path(), partial_64, partial, &serial);
        let mut camera =
            PtpCamera::open(pipes, None, EraseMode::ReadOnly, Limits::default()).unwrap();
        let info = camera.info().clone();
        let texts = [&info.manufacturer, &info.model, &info.serial].map(ToString::to_string);
        assert_eq!(texts, ["Maker", "BWC-1", &serial]);
        assert_eq!(info.offers(Operation::GET_PARTIAL_OBJECT_64), partial_64);

        let listing = camera.list().unwrap();
        let listed: Vec<(String, u64)> =
            listing.files.iter().map(|f| (f.path.to_string(), f.size)).collect();
        assert_eq!(listed, FILES.map(|(path, len)| (path.to_owned(), len)));
        assert!(listing.caveats.is_empty() && listing.unread.is_empty());
        for file in &listing.files {
            assert_eq!(file.modified_ms, Some(1_772_366_400_000), "{}", file.path);
            let whole = bytes_of(file.size, file.size);
            for offset in [0, file.size / 3, file.size] {
                let mut bytes = Vec::new();
                camera.open(&file.path, offset).unwrap().read_to_end(&mut bytes).unwrap();
                let from = usize::try_from(offset).unwrap();
                assert!(bytes == whole[from..], "{} from {offset}", file.path);
            }
        }
        assert!(camera.open(&SourcePath::new("none").unwrap(), 0).is_err());
    }
}

#[test]
fn our_session_deletes_on_their_device_exactly_one_object() {
    let folder = folder_with_files();
    let pipes = virtual_pipes(folder.path(), true, true, "X-delete");
    let mut session = Session::new(pipes, Limits::default());
    session.open().unwrap();
    let storage = session.storages().unwrap()[0];
    assert!(session.storage_info(storage).unwrap().access.allows_deletion());
    let handles = session.handles(storage, Err(Root::Standard)).unwrap();
    let named = |session: &mut Session<VirtualPipes>, handle| {
        session.object_info(handle).unwrap().name.to_string()
    };
    let victim = handles.iter().find(|h| named(&mut session, *h) == "readme.txt").unwrap();
    session.delete(victim).unwrap();
    assert!(session.object_info(victim).is_err());
    assert!(!folder.path().join("readme.txt").exists());
    assert!(folder.path().join("DCIM/100/A.MP4").exists());
}

// --- theirs reads ours -------------------------------------------------------------------------

/// Our camera in memory behind their transport.
struct OurTransport(SimPipes);

fn theirs(error: PipeError) -> PtpError {
    match error {
        PipeError::Gone => PtpError::Disconnected,
        PipeError::Timeout => PtpError::Timeout,
        error @ (PipeError::Stalled | PipeError::Io) => PtpError::Io(std::io::Error::other(error)),
    }
}

#[async_trait]
impl Transport for OurTransport {
    async fn send_bulk(&self, data: &[u8]) -> Result<(), PtpError> {
        self.0.clone().bulk_out(data, Duration::from_secs(1)).map_err(theirs)
    }

    async fn receive_bulk(&self, max_size: usize) -> Result<Vec<u8>, PtpError> {
        let mut bytes = vec![0; max_size.div_ceil(512) * 512];
        let moved = self.0.clone().bulk_in(&mut bytes, Duration::from_secs(1)).map_err(theirs)?;
        bytes.truncate(moved.bytes);
        Ok(bytes)
    }

    async fn receive_interrupt(&self) -> Result<Vec<u8>, PtpError> {
        let mut bytes = vec![0; 64];
        let moved = self.0.clone().interrupt_in(&mut bytes, Duration::ZERO).map_err(theirs)?;
        bytes.truncate(moved);
        Ok(bytes)
    }

    async fn cancel_transfer(&self, transaction: u32, _: Duration) -> Result<(), PtpError> {
        let request = [&[0x01, 0x40][..], &transaction.to_le_bytes()].concat();
        let mut pipes = self.0.clone();
        pipes.class_out(ClassRequest::Cancel, &request, Duration::ZERO).map_err(theirs)
    }
}

#[test]
fn their_session_reads_our_camera() {
    let mut camera = SimResponder::new();
    camera.storages.push(SimStorage {
        id: 0x0002_0001,
        access: 1,
        description: "spare".into(),
        capacity: 1 << 40,
    });
    let handles = FILES.map(|(path, len)| camera.add_file(path, bytes_of(len, len)));
    let huge = camera.add_file("huge.mp4", Content::Pattern { seed: 1, bytes: 5 << 30 });
    let pipes = SimPipes::new(camera);
    runtime().block_on(async {
        let session = PtpSession::open(Arc::new(OurTransport(pipes.clone())), 1).await.unwrap();
        let info = session.get_device_info().await.unwrap();
        assert_eq!(
            (info.model.as_str(), info.serial_number.as_str()),
            ("SimResponder", "SIM-0001")
        );
        assert_eq!(info.device_properties_supported, [0x5001, 0x5011]);
        let storages = session.get_storage_ids().await.unwrap();
        assert_eq!(storages, [StorageId(0x0001_0001), StorageId(0x0002_0001)]);
        let spare = session.get_storage_info(storages[1]).await.unwrap();
        assert_eq!((spare.max_capacity, spare.description.as_str()), (1 << 40, "spare"));
        for ((path, len), handle) in FILES.into_iter().zip(handles.map(ObjectHandle)) {
            let info = session.get_object_info(handle).await.unwrap();
            assert_eq!(
                (info.filename.as_str(), info.size),
                (path.rsplit('/').next().unwrap(), len)
            );
            assert_eq!(session.get_object(handle).await.unwrap(), bytes_of(len, len));
            let part = session.get_partial_object_64(handle, len / 2, 100).await.unwrap();
            let from = usize::try_from(len / 2).unwrap();
            assert!(
                part == bytes_of(len, len)[from..].iter().copied().take(100).collect::<Vec<_>>()
            );
        }
        let huge = session.get_object_info_full(ObjectHandle(huge)).await.unwrap();
        assert_eq!(huge.size, 5 << 30);
        session.delete_object(ObjectHandle(handles[6])).await.unwrap();
        assert!(session.get_object_info(ObjectHandle(handles[6])).await.is_err());
        session.close().await.unwrap();
    });
    assert!(!pipes.camera().has_session());
}
