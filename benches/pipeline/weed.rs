//! SeaweedFS with an empty folder, for one contestant.

use crate::Ground;
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

pub const ACCESS_KEY: &str = "dock";
pub const SECRET_KEY: &str = "a secret of the bench";
pub const BUCKET: &str = "evidence";
const START: Duration = Duration::from_secs(60);

/// Killed, and its folder removed, when dropped.
pub struct Weed {
    child: Child,
    folder: PathBuf,
    pub endpoint: String,
}

impl Weed {
    pub fn start(ground: &Ground) -> Self {
        let folder = ground.path("weed");
        fs::create_dir_all(folder.join("data")).expect("a new folder");
        let identities = format!(
            r#"{{"identities":[{{"name":"dock","credentials":[{{"accessKey":"{ACCESS_KEY}",
            "secretKey":"{SECRET_KEY}"}}],"actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
        );
        fs::write(folder.join("s3.json"), identities).expect("room for a file");
        let [master, volume, filer, s3, https] = free_ports();
        let log = File::create(folder.join("weed.log")).expect("a new file");
        let mut command = Command::new(ground.tools.join("weed"));
        command
            .current_dir(&folder)
            .args(["server", "-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
            .args(["-master.volumeSizeLimitMB=1024", "-volume.max=200", "-filer", "-s3"])
            .args(["-s3.config=s3.json", "-s3.port.iceberg=0", "-s3.port.lance=0"])
            .arg(format!("-master.port={master}"))
            .arg(format!("-volume.port={volume}"))
            .arg(format!("-filer.port={filer}"))
            .arg(format!("-s3.port={s3}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        let mut endpoint = format!("http://127.0.0.1:{s3}");
        if ground.https {
            command
                .arg(format!("-s3.port.https={https}"))
                .arg(format!("-s3.cert.file={}", ground.path("cert.pem").display()))
                .arg(format!("-s3.key.file={}", ground.path("key.pem").display()));
            endpoint = format!("https://127.0.0.1:{https}");
        }
        let child = command.spawn().expect("weed is installed");
        let weed = Self { child, folder, endpoint };
        let end = Instant::now() + START;
        while !answers(s3) {
            assert!(Instant::now() < end, "SeaweedFS does not answer");
            thread::sleep(Duration::from_millis(200));
        }
        crate::rclone::make_bucket(ground, &weed);
        weed
    }
}

impl Drop for Weed {
    fn drop(&mut self) {
        // It may have ended; what stays of the folder goes with the bench's own.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// An unsigned request is refused: S3 is up.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = [0; 12];
    let request = b"GET / HTTP/1.0\r\nHost: store\r\n\r\n";
    stream.write_all(request).and_then(|()| stream.read_exact(&mut answer)).is_ok()
        && answer.ends_with(b"403")
}

/// Ports that are free now together with those 10000 above, which weed takes for gRPC.
fn free_ports() -> [u16; 5] {
    let (mut held, mut ports) = (Vec::new(), Vec::new());
    while ports.len() < 5 {
        let one = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr());
        let low = 10_000 + one.expect("a free port").port() % 20_000;
        let pair = [low, low + 10_000].map(|port| TcpListener::bind(("127.0.0.1", port)));
        if let [Ok(one), Ok(two)] = pair {
            ports.push(low);
            held.extend([one, two]);
        }
    }
    ports.try_into().expect("five of them")
}
