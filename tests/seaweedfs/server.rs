//! A SeaweedFS of our own on the loopback, in a folder of its own, killed at the end.

use jiff::Timestamp;
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

pub const ACCESS_KEY: &str = "dock";
pub const SECRET_KEY: &str = "a secret only for this test";
pub const BUCKET: &str = "evidence";
/// After a kill -9 the volumes are checked first; a first start takes a few seconds.
const START: Duration = Duration::from_secs(60);

/// Certificates in PEM: who the server is, and who may connect.
pub struct ServerTls {
    pub cert: String,
    pub key: String,
    pub client_ca: String,
}

pub struct Weed {
    program: PathBuf,
    folder: TempDir,
    ports: [u16; 6],
    tls: bool,
    child: Option<Child>,
}

/// The program, if it is on the PATH. With BWVDOCK_TESTS=all it must be.
pub fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|dir| dir.join("weed")).find(|p| p.is_file());
    if found.is_none() {
        assert_ne!(std::env::var("BWVDOCK_TESTS").as_deref(), Ok("all"), "weed is missing");
        eprintln!("skipped: no weed on the PATH");
    }
    found
}

impl Weed {
    pub async fn start(program: PathBuf, tls: Option<ServerTls>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text);
        let identities = format!(
            r#"{{"identities":[{{"name":"dock","credentials":[{{"accessKey":"{ACCESS_KEY}",
            "secretKey":"{SECRET_KEY}"}}],"actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
        );
        write("s3.json", &identities).unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        if let Some(tls) = &tls {
            write("cert.pem", &tls.cert).unwrap();
            write("key.pem", &tls.key).unwrap();
            write("ca.pem", &tls.client_ca).unwrap();
        }
        let ports = free_ports();
        let mut weed = Self { program, folder, ports, tls: tls.is_some(), child: None };
        weed.restart().await;
        weed
    }

    /// Starts it again on the same folder and ports, and waits until S3 answers.
    pub async fn restart(&mut self) {
        self.kill();
        let [master, volume, filer, s3, https, _] = self.ports;
        let log = std::fs::File::create(self.path("weed.log")).unwrap();
        let mut command = Command::new(&self.program);
        command
            .current_dir(self.folder.path())
            .args(["server", "-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"])
            .args(["-master.volumeSizeLimitMB=64", "-volume.max=200", "-filer", "-s3"])
            .args(["-s3.config=s3.json", "-s3.port.iceberg=0", "-s3.port.lance=0"])
            .arg(format!("-master.port={master}"))
            .arg(format!("-volume.port={volume}"))
            .arg(format!("-filer.port={filer}"))
            .arg(format!("-s3.port={s3}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        if self.tls {
            command
                .arg(format!("-s3.port.https={https}"))
                .args(["-s3.cert.file=cert.pem", "-s3.key.file=key.pem"])
                .args(["-s3.cacert.file=ca.pem", "-s3.tlsVerifyClientCert"]);
        }
        self.child = Some(command.spawn().unwrap());
        let client = reqwest_client();
        let deadline = tokio::time::Instant::now() + START;
        while tokio::time::Instant::now() < deadline {
            let answer = client.get(format!("http://127.0.0.1:{s3}/")).send().await;
            if answer.is_ok_and(|answer| answer.status() == 403) {
                return;
            }
            // Nothing tells when another process is ready.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let log = std::fs::read_to_string(self.path("weed.log")).unwrap_or_default();
        panic!("weed does not answer: {}", log.lines().rev().take(20).collect::<String>());
    }

    /// kill -9, and gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    pub fn http(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[3])
    }

    pub fn https(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[4])
    }

    /// Makes the bucket, with object lock and so with versions.
    pub async fn make_bucket(&self) {
        let (bucket, credentials) = self.bucket();
        let mut action = bucket.create_bucket(&credentials);
        action.headers_mut().insert("x-amz-bucket-object-lock-enabled", "true");
        let url = action.sign(Duration::from_secs(60));
        let request = reqwest_client().put(url).header("x-amz-bucket-object-lock-enabled", "true");
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// What an independent reader gets.
    pub async fn read(&self, key: &str) -> Vec<u8> {
        let (bucket, credentials) = self.bucket();
        let url = bucket.get_object(Some(&credentials), key).sign(Duration::from_secs(60));
        let answer = reqwest_client().get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.bytes().await.unwrap().to_vec()
    }

    /// A sub-resource of an object as XML text.
    pub async fn ask(&self, key: &str, what: &'static str) -> String {
        let (bucket, credentials) = self.bucket();
        let mut action = bucket.get_object(Some(&credentials), key);
        action.query_mut().insert(what, "");
        let url = action.sign(Duration::from_secs(60));
        reqwest_client().get(url).send().await.unwrap().text().await.unwrap()
    }

    /// How many versions of a key there are, delete markers included.
    pub async fn versions(&self, key: &str) -> usize {
        let (bucket, credentials) = self.bucket();
        let url = rusty_s3::signing::sign(
            &Timestamp::now(),
            rusty_s3::Method::Get,
            bucket.base_url().clone(),
            credentials.key(),
            credentials.secret(),
            None,
            "us-east-1",
            60,
            [("prefix", key), ("versions", "")].into_iter(),
            std::iter::empty(),
        );
        let text = reqwest_client().get(url).send().await.unwrap().text().await.unwrap();
        assert!(text.contains("ListVersionsResult"), "{text}");
        text.matches("<VersionId>").count()
    }

    fn bucket(&self) -> (Bucket, Credentials) {
        let endpoint = self.http().parse().unwrap();
        let bucket = Bucket::new(endpoint, UrlStyle::Path, BUCKET, "us-east-1").unwrap();
        (bucket, Credentials::new(ACCESS_KEY, SECRET_KEY))
    }
}

impl Drop for Weed {
    fn drop(&mut self) {
        self.kill();
    }
}

fn reqwest_client() -> reqwest::Client {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
}

/// Ports that are free now together with those 10000 above, which weed takes for gRPC.
fn free_ports() -> [u16; 6] {
    let mut held = Vec::new();
    let mut ports = Vec::new();
    while ports.len() < 6 {
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = one.local_addr().unwrap().port();
        // The system hands out high ports; their gRPC neighbours would be beyond 65535.
        let low = 10_000 + port % 20_000;
        let pair = [low, low + 10_000].map(|port| TcpListener::bind(("127.0.0.1", port)));
        if let [Ok(low_one), Ok(high_one)] = pair {
            ports.push(low);
            held.extend([low_one, high_one]);
        }
    }
    ports.try_into().unwrap()
}
