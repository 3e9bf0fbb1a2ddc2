//! TLS and client certificates.

use crate::client::{Running, S3, options};
use bwvdock::store::{Distrust, Fault, Limiter, S3 as Door, S3Options, Store as _};
use bwvdock::vault::{ThrowawayCa, VaultError, VaultTls, serve};
use reqwest::{Certificate, Client, ClientBuilder, Identity};
use tempfile::TempDir;

fn tls(ca: &ThrowawayCa, clients: Option<&ThrowawayCa>) -> VaultTls {
    let server = ca.server(&["127.0.0.1", "localhost"]).unwrap();
    VaultTls {
        cert_pem: server.cert_pem.into_bytes(),
        key_pem: server.key_pem.into_bytes(),
        client_ca_pem: clients.map(|ca| ca.cert_pem().as_bytes().to_vec()),
    }
}

fn trusting(ca: &ThrowawayCa) -> ClientBuilder {
    let cert = Certificate::from_pem(ca.cert_pem().as_bytes()).unwrap();
    Client::builder().no_proxy().https_only(true).tls_certs_only([cert])
}

fn client(running: &Running, http: Client) -> S3 {
    let s3 = S3::at(running.address);
    let url = format!("https://{}", running.address).parse().unwrap();
    let style = rusty_s3::UrlStyle::Path;
    let bucket = rusty_s3::Bucket::new(url, style, "evidence", "eu-test-1").unwrap();
    S3 { bucket, http, ..s3 }
}

async fn start(tls: VaultTls) -> (TempDir, Running) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let root = TempDir::new().unwrap();
    let mut options = options(root.path());
    options.tls = Some(tls);
    let running = Running::start(options).await;
    (root, running)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_trusts_the_ca_gets_in_and_another_does_not() {
    let (ca, other) = (ThrowawayCa::new("test").unwrap(), ThrowawayCa::new("other").unwrap());
    let (_root, running) = start(tls(&ca, None)).await;
    let s3 = client(&running, trusting(&ca).build().unwrap());
    s3.put("a", &[], b"over TLS").await.is(200);
    assert_eq!(s3.get("a", &[], &[]).await.body, b"over TLS");
    let url = s3.signed_at("a", std::time::Duration::from_secs(60), jiff::Timestamp::now());
    assert!(trusting(&other).build().unwrap().get(url).send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dock_says_why_it_does_not_trust_a_certificate() {
    let (ca, other) = (ThrowawayCa::new("test").unwrap(), ThrowawayCa::new("other").unwrap());
    let (_root, running) = start(tls(&ca, None)).await;
    let port = running.address.port();
    let look = |host: &str, ca: &ThrowawayCa, pin: Option<&str>| {
        let endpoint = format!("https://{host}:{port}").parse().unwrap();
        let secret = zeroize::Zeroizing::new("secret".to_owned());
        let options = S3Options {
            ca_pem: Some(ca.cert_pem().as_bytes().to_vec()),
            server_key_pin: pin.map(str::to_owned),
            ..S3Options::new(endpoint, "evidence", "key", secret)
        };
        Door::new(options, Limiter::new(0, 0)).unwrap()
    };
    let pin = bwvdock::types::Sha256Digest::of(b"another key").to_base64();
    for (door, why) in [
        (look("127.0.0.1", &other, None), Distrust::UnknownIssuer),
        (look("127.0.0.2", &ca, None), Distrust::WrongName),
        (look("127.0.0.1", &ca, Some(&pin)), Distrust::WrongKey),
    ] {
        let error = door.head("x").await.unwrap_err();
        // Only 127.0.0.1 is listened at: elsewhere nobody may answer at all.
        let nobody = why == Distrust::WrongName && error.fault == Fault::Network;
        assert!(nobody || error.fault == Fault::Untrusted { why }, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_client_ca_only_its_certificates_get_in() {
    let (ca, docks) = (ThrowawayCa::new("test").unwrap(), ThrowawayCa::new("docks").unwrap());
    let stranger = ThrowawayCa::new("stranger").unwrap();
    let (_root, running) = start(tls(&ca, Some(&docks))).await;
    let holding = |issuer: &ThrowawayCa| {
        let cert = issuer.client("dock-1").unwrap();
        let identity = Identity::from_pem((cert.key_pem + &cert.cert_pem).as_bytes()).unwrap();
        trusting(&ca).identity(identity).build().unwrap()
    };
    let s3 = client(&running, holding(&docks));
    s3.put("a", &[], b"x").await.is(200);
    let url = || s3.signed_at("a", std::time::Duration::from_secs(60), jiff::Timestamp::now());
    assert!(trusting(&ca).build().unwrap().get(url()).send().await.is_err());
    assert!(holding(&stranger).get(url()).send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_keys_and_missing_credentials_stop_the_start() {
    let root = TempDir::new().unwrap();
    let (ca, other) = (ThrowawayCa::new("test").unwrap(), ThrowawayCa::new("other").unwrap());
    let mut mixed = options(root.path());
    let key_pem = tls(&other, None).key_pem;
    mixed.tls = Some(VaultTls { key_pem, ..tls(&ca, None) });
    let refused = serve(mixed, |_| (), std::future::ready(())).await;
    assert!(matches!(refused, Err(VaultError::Tls(_))), "{refused:?}");
    let mut keyless = options(root.path());
    keyless.secret_key.clear();
    let refused = serve(keyless, |_| (), std::future::ready(())).await;
    assert!(matches!(refused, Err(VaultError::NoCredentials)), "{refused:?}");
    let mut named = options(root.path());
    named.buckets = vec!["../evil".into()];
    let refused = serve(named, |_| (), std::future::ready(())).await;
    assert!(matches!(refused, Err(VaultError::BucketName(_))), "{refused:?}");
}
