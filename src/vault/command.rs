//! `bwvdock vault`: the embedded store as a program of its own.

use super::{VaultError, VaultOptions, VaultTls, serve};
use crate::{
    cli::{Complaint, Exit},
    daemon::chain,
};
use clap::Args;
use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use tokio::signal::unix::{SignalKind, signal};

/// Runs the embedded evidence store: S3 over TLS, on plain files, for a demo or a small site
#[derive(Debug, Args)]
pub struct VaultArgs {
    /// Folder of the store; made if missing
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8443", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// File with the access key
    #[arg(long, value_name = "FILE")]
    access_key_file: PathBuf,
    /// File with the secret key
    #[arg(long, value_name = "FILE")]
    secret_key_file: PathBuf,
    /// Bucket made at start if missing; may be repeated
    #[arg(long = "bucket", default_value = "evidence", value_name = "NAME")]
    buckets: Vec<String>,
    /// Server certificate (PEM); without one the store speaks plain HTTP, on loopback only
    #[arg(long, requires = "key_file", value_name = "FILE")]
    cert_file: Option<PathBuf>,
    /// Private key of the server certificate (PEM)
    #[arg(long, requires = "cert_file", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// CA of client certificates (PEM); with it every client needs one
    #[arg(long, requires = "cert_file", value_name = "FILE")]
    client_ca_file: Option<PathBuf>,
    /// Region that clients sign for
    #[arg(long, default_value = "us-east-1")]
    region: String,
    /// Append one JSON line a request to this file: time, method, path, part, status, bytes
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
}

fn read(path: &Path) -> Result<String, Complaint> {
    fs::read_to_string(path).map_err(|error| {
        Complaint::new(
            Exit::Usage,
            format!("{} cannot be read: {error}", path.display()),
            "check the file's name and its rights",
        )
    })
}

fn read_secret(path: &Path) -> Result<String, Complaint> {
    let text = read(path)?;
    let mode = fs::metadata(path).map(|data| data.permissions().mode()).unwrap_or(0);
    if mode & 0o007 != 0 {
        return Err(Complaint::new(
            Exit::Usage,
            format!("{} holds a secret and may be read by everybody", path.display()),
            format!("chmod o= {}", path.display()),
        ));
    }
    Ok(text.trim().to_owned())
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// A [`Complaint`] for people.
pub fn run(args: VaultArgs) -> Result<Exit, Complaint> {
    if args.cert_file.is_none() && !args.listen.ip().is_loopback() {
        return Err(Complaint::new(
            Exit::Usage,
            format!("plain HTTP on {} would let anybody listen", args.listen),
            "give --cert-file and --key-file, or listen on 127.0.0.1",
        ));
    }
    let tls = match (&args.cert_file, &args.key_file) {
        (Some(cert), Some(key)) => Some(VaultTls {
            cert_pem: read(cert)?.into_bytes(),
            key_pem: read_secret(key)?.into_bytes(),
            client_ca_pem: args
                .client_ca_file
                .as_deref()
                .map(read)
                .transpose()?
                .map(String::into_bytes),
        }),
        _ => None,
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let options = VaultOptions {
        root: args.root,
        listen: args.listen,
        access_key: read_secret(&args.access_key_file)?,
        secret_key: read_secret(&args.secret_key_file)?,
        buckets: args.buckets,
        tls,
        region: args.region,
        access_log: args.access_log,
    };
    let failed = |what: String| {
        Complaint::new(Exit::Failed, what, "correct what it names, then start the vault again")
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| failed(format!("no network threads: {error}")))?;
    let served: Result<(), VaultError> = runtime.block_on(async {
        let ready = |address: SocketAddr| {
            // One line for whoever started us: `demo` reads the port from it.
            println!("listening {scheme}://{address}");
        };
        serve(options, ready, ended()).await
    });
    served.map(|()| Exit::Fine).map_err(|error| failed(chain(&error)))
}

async fn ended() {
    let (term, int) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    match (term, int) {
        (Ok(mut term), Ok(mut int)) => {
            tokio::select! {
                _ = term.recv() => {}
                _ = int.recv() => {}
            }
        }
        // Without signals only SIGKILL ends it, which the files on disk survive.
        _ => std::future::pending().await,
    }
}
