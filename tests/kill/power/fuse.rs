//! A [`Disk`] as a file that the kernel's loop driver can take for a block device.
//!
//! FUSE (include/uapi/linux/fuse.h), version 7.31, on /dev/fuse itself; the mounted "file system"
//! is a single file (its root is a regular file), so there are no names. A flush of the block
//! device comes as FSYNC. One thread answers, one request after the other.

use super::disk::Disk;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread::JoinHandle,
};

const SETATTR: u32 = 4;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const WRITE: u32 = 16;
const RELEASE: u32 = 18;
const FSYNC: u32 = 20;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const DESTROY: u32 = 38;
/// FORGET, INTERRUPT and BATCH_FORGET have no answer.
const UNANSWERED: [u32; 3] = [2, 36, 42];

const HEADER: usize = 40;
const WRITE_HEADER: usize = 40;
const BYTES_MAX: u32 = 128 << 10;
const BIG_WRITES: u32 = 1 << 5;
const DIRECT_IO: u32 = 1;
const REGULAR_FILE: u32 = 0o100_600;
const ENOSYS: i32 = 38;

/// Mounts the disk over the file `at`. The thread ends when that is unmounted.
pub fn serve(disk: Disk, at: &Path) -> JoinHandle<()> {
    let device = OpenOptions::new().read(true).write(true).open("/dev/fuse").unwrap();
    File::create(at).unwrap();
    let mut mount = Command::new("mount");
    mount.args(["-i", "-t", "fuse", "-o", "fd=0,rootmode=100000,user_id=0,group_id=0"]);
    mount.arg("test-disk").arg(at).stdin(Stdio::from(device.try_clone().unwrap()));
    crate::rig::finish("mount fuse", &mount.output().unwrap());
    std::thread::spawn(move || Server { disk, device }.run())
}

struct Server {
    disk: Disk,
    device: File,
}

impl Server {
    fn run(mut self) {
        let mut request = vec![0; HEADER + WRITE_HEADER + BYTES_MAX as usize + 4096];
        loop {
            match self.device.read(&mut request) {
                Ok(n) => self.answer(&request[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It was unmounted (ENODEV).
                Err(_) => return,
            }
        }
    }

    fn answer(&mut self, request: &[u8]) {
        let (opcode, body) = (u32_at(request, 4), &request[HEADER..]);
        if UNANSWERED.contains(&opcode) {
            return;
        }
        let done = self.done(opcode, body);
        let error = match &done {
            Ok(_) => 0,
            Err(error) => -error.raw_os_error().unwrap_or(5),
        };
        let body = done.unwrap_or_default();
        let mut answer = Vec::with_capacity(16 + body.len());
        answer.extend(u32::try_from(16 + body.len()).unwrap().to_ne_bytes());
        answer.extend(error.to_ne_bytes());
        answer.extend(&request[8..16]);
        answer.extend(body);
        // Who asked may have been killed meanwhile.
        let _ = self.device.write(&answer);
    }

    fn done(&self, opcode: u32, body: &[u8]) -> io::Result<Vec<u8>> {
        match opcode {
            INIT => Ok(words(&[7, 31, BYTES_MAX, BIG_WRITES, 0, BYTES_MAX, 1], 64)),
            GETATTR | SETATTR => Ok(self.attributes()),
            OPEN => Ok(words(&[0, 0, DIRECT_IO], 16)),
            READ => {
                let (offset, size) = (u64_at(body, 8), u32_at(body, 16));
                let left = self.disk.size().saturating_sub(offset);
                let mut bytes = vec![0; u64::from(size).min(left) as usize];
                self.disk.read(offset, &mut bytes);
                Ok(bytes)
            }
            WRITE => {
                let (offset, size) = (u64_at(body, 8), u32_at(body, 16));
                self.disk.write(offset, &body[WRITE_HEADER..WRITE_HEADER + size as usize])?;
                Ok(words(&[size], 8))
            }
            FSYNC => self.disk.flush().map(|()| Vec::new()),
            FLUSH | RELEASE | DESTROY => Ok(Vec::new()),
            _ => Err(io::Error::from_raw_os_error(ENOSYS)),
        }
    }

    /// struct fuse_attr_out.
    fn attributes(&self) -> Vec<u8> {
        let size = self.disk.size();
        let mut out = words(&[1], 16);
        for value in [1, size, size / 512, 0, 0, 0] {
            out.extend(value.to_ne_bytes());
        }
        out.extend(words(&[0, 0, 0, REGULAR_FILE, 1, 0, 0, 0, 4096], 40));
        out
    }
}

/// Words of 32 bits, and zeros up to a length.
fn words(values: &[u32], length: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    bytes.resize(length, 0);
    bytes
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())
}
