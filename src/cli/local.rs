//! Commands that need no running daemon: configuration, keys, receipts, and the daemon itself.

use super::{Complaint, Exit, Outcome, render};
use crate::{
    config::{self, Config, LoadError},
    custody::receipt::{DockKey, Receipt, ReceiptError},
    daemon::{self, Looker, Problem, Unready, chain},
    seal::Identity,
    types::{Sha256Digest, fact::Hashed},
};
use serde_json::json;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

pub(super) fn load(file: &Path) -> Result<Config, Complaint> {
    config::load(file).map_err(|error| unready(file, error.into()))
}

/// Everything that is wrong, and what to do about each.
fn unready(file: &Path, error: Unready) -> Complaint {
    let again = format!("`bwvdock config check {}`", file.display());
    let problems = match &error {
        Unready::Load(LoadError::Config { source, .. }) => json!(source.0),
        Unready::Load(error) => json!([{ "what": chain(error), "next": error.next_step() }]),
        Unready::Problems(all) => json!(all),
    };
    let (what, next) = match error {
        Unready::Load(LoadError::Read { .. }) => (
            chain(&error),
            "`bwvdock config show --default` prints a configuration to start from".to_owned(),
        ),
        Unready::Load(_) => (chain(&error), format!("mend it, then {again}")),
        Unready::Problems(all) => match all.as_slice() {
            [one] => (one.what.clone(), format!("{}; then {again}", one.next)),
            all => {
                let mut what = format!("{}: {} problems:", file.display(), all.len());
                for Problem { what: one, next } in all {
                    what.push_str(&format!("\n  {one}\n    -> {next}"));
                }
                (what, format!("mend them, then {again}"))
            }
        },
    };
    Complaint::new(Exit::Usage, what, next).with("problems", problems)
}

pub fn daemon(file: &Path) -> Outcome {
    let ready = daemon::examine(file, Looker::Daemon).map_err(|error| unready(file, error))?;
    daemon::run(ready).map(|()| Exit::Fine).map_err(|error| {
        let next = error.next_step().to_owned();
        let exit = match error {
            daemon::DaemonError::Load(_) | daemon::DaemonError::Settings { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        Complaint::new(exit, chain(&error), next)
    })
}

pub fn config_check(file: &Path, as_json: bool) -> Outcome {
    let ready = daemon::examine(file, Looker::Person).map_err(|error| unready(file, error))?;
    let (config, warnings) = (ready.config(), ready.config().warnings());
    let notes: Vec<_> = ready.notes().iter().cloned().chain(other_user()).collect();
    if as_json {
        render::print_json(&json!({ "fine": true, "warnings": warnings, "notes": notes }));
    } else {
        let bays = render::count(config.bays.len() as u64, "bay", "bays");
        let mut text = format!("{}: fine; dock {}, {bays}\n", file.display(), config.dock.id);
        warnings.iter().for_each(|warning| text.push_str(&format!("! {warning}\n")));
        notes.iter().for_each(|note| text.push_str(&format!("  {note}\n")));
        render::print(&text);
    }
    Ok(Exit::Fine)
}

/// Root may read everything, the service may not.
fn other_user() -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let service = users.lines().any(|line| line.starts_with("bwvdock:"));
    let words = "seen with the rights of root; `sudo -u bwvdock bwvdock config check` sees with \
                 those of the service";
    (service && rustix::process::geteuid().is_root()).then(|| words.to_owned())
}

/// The manual; as JSON, the values that hold where nothing else is written.
pub fn config_default(as_json: bool) -> Outcome {
    show_toml(config::DEFAULT_TOML, as_json)
}

pub fn config_show(file: &Path, as_json: bool) -> Outcome {
    show_toml(&load(file)?.to_toml(), as_json)
}

fn show_toml(text: &str, as_json: bool) -> Outcome {
    if !as_json {
        render::print_exact(text);
        return Ok(Exit::Fine);
    }
    let value: serde_json::Value = toml::from_str(text)
        .map_err(|error| Complaint::new(Exit::Failed, error.to_string(), "ask without --json"))?;
    render::print_json(&value);
    Ok(Exit::Fine)
}

/// Writes a new file that only its owner may read; never over another.
fn write_secret(path: &Path, text: &[u8]) -> Result<(), Complaint> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(
        |error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists_already(path),
            _ => cannot_write(path, &error),
        },
    )?;
    file.write_all(text).and_then(|()| file.sync_all()).map_err(|e| cannot_write(path, &e))
}

fn exists_already(path: &Path) -> Complaint {
    Complaint::new(
        Exit::Usage,
        format!("{} exists already; keys are never overwritten", path.display()),
        "name another file, or move the old key away yourself",
    )
}

fn cannot_write(path: &Path, error: &io::Error) -> Complaint {
    Complaint::new(
        Exit::Failed,
        format!("{} cannot be written: {error}", path.display()),
        "name a file in a folder that exists and is yours",
    )
}

pub fn generate_dock_key(out: &Path, as_json: bool) -> Outcome {
    let key = DockKey::generate().map_err(|error| {
        Complaint::new(Exit::Failed, chain(&error), "try again; the system gave no random bytes")
    })?;
    let public = public_beside(out);
    // Somebody may still verify receipts with the old one: look before anything is made.
    if public.exists() {
        return Err(exists_already(&public));
    }
    write_secret(out, key.to_pem().as_bytes())?;
    let pem = key.public_pem();
    fs::write(&public, &pem).map_err(|error| cannot_write(&public, &error))?;
    if as_json {
        render::print_json(&json!({ "private": out, "public": public, "pem": pem }));
    } else {
        render::print(&format!(
            "private key  {}  (keep it on this dock only)\npublic key   {}  (give it to whoever \
             verifies receipts)",
            out.display(),
            public.display()
        ));
    }
    Ok(Exit::Fine)
}

/// `dock.key` has its public half in `dock.pub.pem`.
pub fn public_beside(private: &Path) -> PathBuf {
    private.with_extension("pub.pem")
}

pub fn generate_identity(out: &Path, as_json: bool) -> Outcome {
    let identity = Identity::generate();
    write_secret(out, identity.file_text(jiff::Timestamp::now()).as_bytes())?;
    let public = identity.public();
    if as_json {
        render::print_json(&json!({ "identity": out, "recipient": public }));
    } else {
        render::print(&format!(
            "identity   {}  (opens footage: never keep it on a dock)\nrecipient  {public}  (goes \
             into `recipients` under [seal])",
            out.display()
        ));
    }
    Ok(Exit::Fine)
}

fn unreadable(path: &Path, error: &io::Error) -> Complaint {
    Complaint::new(
        Exit::Usage,
        format!("{} cannot be read: {error}", path.display()),
        "check the file's name",
    )
}

pub fn receipt_verify(
    file: &Path,
    key: Option<&Path>,
    object: Option<&Path>,
    as_json: bool,
) -> Outcome {
    let bytes = fs::read(file).map_err(|error| unreadable(file, &error))?;
    let pem = key
        .map(fs::read_to_string)
        .transpose()
        .map_err(|error| unreadable(key.unwrap_or(file), &error))?;
    let refuse = |error: ReceiptError| {
        Complaint::new(
            Exit::Differs,
            format!("{} does not hold: {}", file.display(), chain(&error)),
            "treat the object as unproved; ask for the receipt from the dock and from the store",
        )
    };
    let trusted = pem.as_deref().map(crate::custody::receipt::public_key_from_pem).transpose();
    let trusted = trusted.map_err(refuse)?;
    let receipt = Receipt::verify(&bytes, trusted.as_ref()).map_err(refuse)?;
    if let Some(object) = object {
        let found = hash_file(object).map_err(|error| unreadable(object, &error))?;
        if found != receipt.sealed {
            return Err(Complaint::new(
                Exit::Differs,
                format!(
                    "{} is not the object of this receipt: it has {} bytes, SHA-256 {}; the \
                     receipt says {} bytes, {}",
                    object.display(),
                    found.size,
                    found.sha256,
                    receipt.sealed.size,
                    receipt.sealed.sha256
                ),
                "fetch the object again by the key and version in the receipt",
            ));
        }
    }
    if as_json {
        render::print_json(&json!({
            "holds": true,
            "key_trusted": key.is_some(),
            "object_checked": object.is_some(),
            "receipt": receipt,
        }));
    } else {
        let signed = match key {
            Some(key) => format!("signed by the key in {}", key.display()),
            None => "signed by the key it names itself (give --key to check whose that is)".into(),
        };
        let checked = match object {
            Some(object) => format!("{} is that object, byte for byte", object.display()),
            None => "give --object to compare the object itself".to_owned(),
        };
        render::print(&format!(
            "holds: {signed}\n  object   {} ({} bytes)\n  key      {}\n  sha256   {}\n  proof    \
             {}\n  custody  line {}, {}\n  {checked}",
            receipt.object,
            receipt.sealed.size,
            receipt.key,
            receipt.sealed.sha256,
            receipt.level,
            receipt.custody.seq,
            receipt.custody.hash
        ));
    }
    Ok(Exit::Fine)
}

fn hash_file(path: &Path) -> io::Result<Hashed> {
    let mut file = File::open(path)?;
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        context.update(&buffer[..n]);
        size += n as u64;
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(context.finish().as_ref());
    Ok(Hashed { size, sha256: Sha256Digest(sha256) })
}
