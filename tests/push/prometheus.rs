//! A real Prometheus that takes what is pushed.

use super::rig::{self, Process};
use serde_json::Value;
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// The name and password of `WEB`; the bcrypt hash there is of this password.
pub const USER: &str = "docks";
pub const PASSWORD: &str = "a password of the tests";
const HASH: &str = "$2b$05$abcdefghijklmnopqrstuuComanBKiU1JTRzmmvE2xk8ApqQhbSI.";

/// Whether there is one.
pub fn is_there() -> bool {
    let found = Command::new("prometheus").arg("--version").output().is_ok();
    assert!(found || !rig::all(), "prometheus is missing; it is in the Debian package prometheus");
    if !found {
        eprintln!("skipped: prometheus is not installed");
    }
    found
}

pub struct Prometheus {
    process: Option<Process>,
    folder: PathBuf,
    pub at: SocketAddr,
    tls: bool,
    client: reqwest::Client,
}

impl Prometheus {
    /// In `folder`, with `config`; over TLS with the certificate and authority of `tls`, it asks
    /// for name and password too. Nothing runs yet.
    pub fn new(folder: &Path, config: &str, tls: Option<&Path>) -> Self {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join("prometheus.yml"), config).unwrap();
        let mut client = reqwest::Client::builder().no_proxy();
        if let Some(tls) = tls {
            let (cert, key) = (tls.join("server.pem"), tls.join("server.key"));
            let web = format!(
                "tls_server_config:\n  cert_file: {cert:?}\n  key_file: {key:?}\n\
                 basic_auth_users:\n  {USER}: {HASH}\n"
            );
            fs::write(folder.join("web.yml"), web).unwrap();
            let ca = fs::read(tls.join("ca.pem")).unwrap();
            let trust = bwvdock::store::client_config(Some(&ca), None, None).unwrap();
            client = client.tls_backend_preconfigured(trust);
        } else {
            let trust = bwvdock::store::client_config(None, None, None).unwrap();
            client = client.tls_backend_preconfigured(trust);
        }
        // Nobody has it, as far as can be said.
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = client.build().unwrap();
        Self { process: None, folder: folder.to_owned(), at, tls: tls.is_some(), client }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http{}://{}{path}", if self.tls { "s" } else { "" }, self.at)
    }

    /// Starts it and waits until it answers.
    pub async fn start(&mut self) {
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", self.folder.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", self.folder.join("tsdb").display()))
            .arg(format!("--web.listen-address={}", self.at))
            .arg("--web.enable-remote-write-receiver");
        if self.tls {
            command.arg(format!("--web.config.file={}", self.folder.join("web.yml").display()));
        }
        let log = self.folder.join("prometheus.log");
        let mut process = Process::start(command, &log);
        let end = Instant::now() + super::WITHIN;
        while self.get("/-/ready").await.is_none() {
            assert!(process.is_alive(), "{}", fs::read_to_string(&log).unwrap());
            assert!(Instant::now() < end, "{}", fs::read_to_string(&log).unwrap());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self.process = Some(process);
    }

    /// As by a power cut of its machine.
    pub fn kill(&mut self) {
        assert!(self.process.take().expect("it runs").kill_9());
    }

    async fn get(&self, path: &str) -> Option<String> {
        let mut request = self.client.get(self.url(path));
        if self.tls {
            request = request.basic_auth(USER, Some(PASSWORD));
        }
        let answer = request.send().await.ok().filter(|answer| answer.status().is_success())?;
        answer.text().await.ok()
    }

    /// Times (seconds) and values of the only series of a selector, as they were stored; empty if
    /// there is none.
    pub async fn stored(&self, selector: &str, range: &str) -> Vec<(f64, String)> {
        let mut url: url::Url = self.url("/api/v1/query").parse().unwrap();
        url.query_pairs_mut().append_pair("query", &format!("{selector}[{range}]"));
        let path = format!("{}?{}", url.path(), url.query().unwrap());
        let answer: Value = serde_json::from_str(&self.get(&path).await.unwrap()).unwrap();
        let series = answer["data"]["result"].as_array().unwrap();
        assert!(series.len() <= 1, "{answer}");
        let pairs = series.iter().flat_map(|series| series["values"].as_array().unwrap());
        pairs.map(|p| (p[0].as_f64().unwrap(), p[1].as_str().unwrap().to_owned())).collect()
    }
}

/// The longest time between two neighbours, seconds.
pub fn widest_gap(stored: &[(f64, String)]) -> f64 {
    stored.windows(2).map(|two| two[1].0 - two[0].0).fold(0.0, f64::max)
}
