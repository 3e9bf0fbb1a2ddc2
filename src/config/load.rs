//! Reading the files a configuration is made of: the one thin place here that does I/O.

use super::{Config, ConfigErrors, Seal, SecretFile, Store, recipients};
use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// No file read here needs to be longer, bytes.
const BYTES_MAX: u64 = 1 << 20;

/// Why a configuration, or a file it names, cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is longer than {BYTES_MAX} bytes", path.display())]
    TooLong { path: PathBuf },
    #[error("{} cannot be used", path.display())]
    Config {
        path: PathBuf,
        #[source]
        source: ConfigErrors,
    },
    #[error("{} line {line} {words}", path.display())]
    Recipients { path: PathBuf, line: usize, words: &'static str, remedy: &'static str },
    #[error("no recipient at all: {} names none, and [seal] recipients neither", path.display())]
    NoRecipient { path: PathBuf },
    #[error("credential:{name} is asked for, but systemd handed over no credentials")]
    NoCredentials { name: String },
    #[error("{} holds a secret and may be read by everybody", path.display())]
    Exposed { path: PathBuf },
}

impl LoadError {
    /// What to do about it.
    pub fn next_step(&self) -> String {
        match self {
            Self::Read { path, source } => match source.kind() {
                io::ErrorKind::NotFound => format!("make {}, or name another file", path.display()),
                io::ErrorKind::PermissionDenied => {
                    format!(
                        "let the daemon's user read {}; whoever else asks, needs sudo",
                        path.display()
                    )
                }
                _ => format!("look at {} and the disk it is on", path.display()),
            },
            Self::TooLong { path } => format!("{} is some other file: name it", path.display()),
            Self::Config { .. } => "mend each line".into(),
            Self::Recipients { remedy, .. } => (*remedy).into(),
            Self::NoRecipient { .. } => {
                "write at least one age public key; `bwvdock keys generate identity` makes one"
                    .into()
            }
            Self::NoCredentials { name } => {
                format!("`LoadCredential={name}:FILE` in the unit hands it over")
            }
            Self::Exposed { path } => {
                format!("`chmod o= {}`; if others use this machine, make new keys", path.display())
            }
        }
    }
}

/// Reads and parses a configuration, and adds the recipients of its recipients file.
///
/// # Errors
/// [`LoadError`].
pub fn load(path: &Path) -> Result<Config, LoadError> {
    let (config, recipients) = load_parts(path)?;
    recipients.map_or(Ok(config), Err)
}

/// As [`load`]; when only its recipients file cannot be used, the configuration comes with that.
///
/// # Errors
/// [`LoadError`] of the configuration itself.
pub fn load_parts(path: &Path) -> Result<(Config, Option<LoadError>), LoadError> {
    let text = read_text(path)?;
    let mut config = Config::parse(&text)
        .map_err(|source| LoadError::Config { path: path.to_owned(), source })?;
    let added = add_recipients(&mut config.seal);
    Ok((config, added.err()))
}

/// The `[store]` section of a configuration alone, and everybody its `[seal]` section names, in its
/// recipients file too; nobody where it names none.
///
/// # Errors
/// [`LoadError`].
pub fn load_store(path: &Path) -> Result<(Store, Vec<String>), LoadError> {
    let (store, mut seal) = Config::parse_store(&read_text(path)?)
        .map_err(|source| LoadError::Config { path: path.to_owned(), source })?;
    add_recipients(&mut seal)?;
    Ok((store, seal.recipients))
}

fn add_recipients(seal: &mut Seal) -> Result<(), LoadError> {
    let Some(path) = seal.recipients_file.clone() else { return Ok(()) };
    let found = recipients::parse_file(&read_text(&path)?).map_err(|(line, problem)| {
        let recipients::Problem { words, remedy } = problem;
        LoadError::Recipients { path: path.clone(), line, words, remedy }
    })?;
    for recipient in found {
        if !seal.recipients.contains(&recipient) {
            seal.recipients.push(recipient);
        }
    }
    if seal.recipients.is_empty() {
        return Err(LoadError::NoRecipient { path });
    }
    Ok(())
}

/// Reads a secret, less the white space around it; the memory is wiped when it is dropped.
///
/// `credentials_dir` is the value of `$CREDENTIALS_DIRECTORY`, if systemd set it.
///
/// # Errors
/// [`LoadError::NoCredentials`], [`LoadError::Exposed`], [`LoadError::Read`],
/// [`LoadError::TooLong`].
pub fn read_secret(
    secret: &SecretFile,
    credentials_dir: Option<&Path>,
) -> Result<Zeroizing<String>, LoadError> {
    let path = secret
        .path(credentials_dir)
        .ok_or_else(|| LoadError::NoCredentials { name: secret.to_string().split_off(11) })?;
    let unreadable = |source| LoadError::Read { path: path.clone(), source };
    let mode = std::fs::metadata(&path).map_err(unreadable)?.permissions().mode();
    if mode & 0o007 != 0 {
        return Err(LoadError::Exposed { path });
    }
    let text = Zeroizing::new(read_text(&path)?);
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text));
    let bytes = read.map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    if bytes as u64 > BYTES_MAX {
        return Err(LoadError::TooLong { path: path.to_owned() });
    }
    Ok(text)
}
