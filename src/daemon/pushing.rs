//! Opens what pushes figures, with the secrets and certificates of `[push]`, and starts it.

use super::{DaemonError, chain, files};
use crate::{
    api::Api,
    config::{self, Config},
    metrics::{Push, push::Access},
};
use std::{fs, path::Path, sync::Arc};
use tokio::task::JoinHandle;

/// What pushes, if anything is to be pushed. Connects to nothing.
///
/// # Errors
/// [`DaemonError`]: a file or a setting that cannot be used.
pub(super) fn open(config: &Config) -> Result<Option<Arc<Push>>, DaemonError> {
    let push = &config.push;
    if push.url.is_none() {
        return Ok(None);
    }
    let credentials = files::credentials();
    let secret = |file| config::read_secret(file, credentials.as_deref());
    let pem = |path: &Path| fs::read(path).map_err(files::io_error("read the certificate", path));
    let access = Access {
        secret: push.secret_file.as_ref().map(secret).transpose()?,
        ca: push.ca_file.as_deref().map(pem).transpose()?,
        client: match (&push.client_cert_file, &push.client_key_file) {
            (Some(cert), Some(key)) => Some((pem(cert)?, secret(key)?)),
            _ => None,
        },
    };
    let push = Push::new(push, &config.dock.id, access).map_err(|error| DaemonError::Settings {
        what: chain(&error),
        next: "correct [push] in the configuration",
    })?;
    Ok(Some(Arc::new(push)))
}

/// Pushes until it is aborted.
pub(super) fn start(api: &Api) -> Option<JoinHandle<()>> {
    let (push, api) = (api.doctor.push.clone()?, api.clone());
    Some(tokio::spawn(async move { push.run(&api).await }))
}
