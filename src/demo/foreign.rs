//! The store of `--store`, who can open what is sealed for it, and when a demo may erase.
//!
//! A workspace that is not kept takes its store and its private key with it. Footage is erased only
//! where both a store and a key outlive the demo.

use super::{DemoArgs, usage};
use crate::{
    cli::Complaint,
    config::{self, LoadError, Store},
    daemon::chain,
    seal::Recipients,
};
use std::path::Path;

/// A store that was there before the demo, and is after it.
pub struct Foreign {
    pub store: Store,
    /// Whose keys open its objects: the recipients under `[seal]`, those of its file among them.
    /// None where the configuration names none.
    pub recipients: Vec<String>,
}

impl Foreign {
    /// Reads `[store]` and `[seal]` of a configuration; its other sections are not looked at.
    ///
    /// # Errors
    /// A [`Complaint`] that says what of it cannot be used. A recipient that cannot be used is no
    /// smaller a matter than a store that cannot: others would open what its owner should.
    pub fn read(file: &Path) -> Result<Self, Complaint> {
        let (store, named) = config::load_store(file).map_err(|error| {
            let next = match &error {
                LoadError::Config { .. } => "give a configuration with a [store] section \
                                             (`bwvdock config show --default`)"
                    .to_owned(),
                other => other.next_step(),
            };
            usage(format!("--store {}: {}", file.display(), chain(&error)), &next)
        })?;
        let recipients = match named.as_slice() {
            [] => Vec::new(),
            named => Recipients::parse(named)
                .map_err(|error| {
                    let what = format!("{}: [seal]: {}", file.display(), chain(&error));
                    usage(what, "mend `recipients` there")
                })?
                .texts(),
        };
        if recipients.len() == Recipients::MAX {
            let what = format!(
                "{} names {} recipients: there is no room for the demo's own",
                file.display(),
                Recipients::MAX
            );
            return Err(usage(what, "give a copy of the file with fewer recipients"));
        }
        Ok(Self { store, recipients })
    }
}

/// Refuses a release after which the only copy, or the only key, would be deleted.
///
/// # Errors
/// A [`Complaint`] that says which, and what to add.
pub fn check_release(args: &DemoArgs, foreign: Option<&Foreign>) -> Result<(), Complaint> {
    if !args.release {
        return Ok(());
    }
    if args.cameras.is_empty() {
        return Err(usage(
            "--release is about folders of your own, and no --camera names one",
            "add --camera DIR, or leave --release out: simulated cameras are released without it",
        ));
    }
    if args.keep.is_some() {
        return Ok(());
    }
    match (&args.store, foreign) {
        (Some(_), Some(foreign)) if !foreign.recipients.is_empty() => Ok(()),
        (Some(file), _) => Err(usage(
            format!(
                "--release would erase footage that nobody could open any more: {} names no \
                 recipient under [seal], and the demo's own key is deleted at its end",
                file.display()
            ),
            "add --keep DIR so that the key stays, or name recipients under [seal] in that file",
        )),
        (None, _) => Err(usage(
            "--release would erase footage whose only copy, and only key, the demo deletes at its \
             end",
            "add --keep DIR so that the store and the identity stay",
        )),
    }
}

/// What must be said of objects in a store of one's own whose only key is gone with the workspace.
pub fn nobody_opens(args: &DemoArgs, foreign: Option<&Foreign>) -> Option<String> {
    let (file, foreign) = args.store.as_deref().zip(foreign)?;
    (args.keep.is_none() && foreign.recipients.is_empty()).then(|| {
        format!(
            "nobody can open what this demo sealed into the store of {}: that file names no \
             recipient under [seal], and the demo's own key is deleted. Nothing was erased for it. \
             Delete those objects; next time name recipients there, or add --keep DIR",
            file.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cli::Exit, seal::Identity};
    use std::{fs, path::PathBuf};

    const STORE: &str = "[store]\nkind = \"directory\"\ndirectory = \"/srv/evidence\"\n";

    fn args(cameras: &[&str], release: bool, keep: bool, store: Option<&Path>) -> DemoArgs {
        DemoArgs {
            cameras: cameras.iter().map(PathBuf::from).collect(),
            release,
            keep: keep.then(|| "/kept".into()),
            store: store.map(Path::to_owned),
        }
    }

    fn refused(args: &DemoArgs, foreign: Option<&Foreign>) -> (String, String) {
        let complaint = check_release(args, foreign).unwrap_err();
        assert_eq!(complaint.exit, Exit::Usage);
        (complaint.what, complaint.next)
    }

    #[test]
    fn nothing_is_erased_whose_only_copy_or_key_goes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("store.toml");
        fs::write(&file, STORE).unwrap();
        let nobody = Foreign::read(&file).unwrap();
        let key = Identity::generate().public().to_owned();
        fs::write(&file, format!("[seal]\nrecipients = [\"{key}\"]\n{STORE}")).unwrap();
        let somebody = Foreign::read(&file).unwrap();
        assert_eq!(somebody.recipients, [key]);
        let file = Some(file.as_path());

        let (what, next) = refused(&args(&["/card"], true, false, None), None);
        assert!(what.contains("only copy") && next.contains("--keep DIR"), "{what}: {next}");
        let (what, next) = refused(&args(&["/card"], true, false, file), Some(&nobody));
        assert!(what.contains("names no recipient") && next.contains("--keep DIR"), "{what}");
        let (what, _) = refused(&args(&[], true, true, None), None);
        assert!(what.contains("--release") && what.contains("--camera"), "{what}");

        for (keep, store, foreign) in [
            (true, None, None),
            (true, file, Some(&nobody)),
            (true, file, Some(&somebody)),
            (false, file, Some(&somebody)),
        ] {
            assert!(check_release(&args(&["/card"], true, keep, store), foreign).is_ok());
        }
        assert!(check_release(&args(&["/card"], false, false, None), None).is_ok());
        for (keep, foreign, said) in
            [(false, &nobody, true), (true, &nobody, false), (false, &somebody, false)]
        {
            let words = nobody_opens(&args(&["/card"], false, keep, file), Some(foreign));
            assert_eq!(words.is_some(), said, "{words:?}");
        }
        assert!(nobody_opens(&args(&["/card"], false, false, None), None).is_none());
    }

    #[test]
    fn recipients_are_read_as_the_daemon_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let (file, list) = (folder.path().join("store.toml"), folder.path().join("keys.txt"));
        let keys: Vec<_> = (0..2).map(|_| Identity::generate().public().to_owned()).collect();
        fs::write(&list, format!("# escrow\n{}\n", keys[1])).unwrap();
        let seal = format!("[seal]\nrecipients = [{:?}]\nrecipients_file = {list:?}\n", keys[0]);
        fs::write(&file, format!("{seal}{STORE}")).unwrap();
        assert_eq!(Foreign::read(&file).unwrap().recipients, keys);
        fs::write(&file, format!("[seal]\nrecipients = []\n{STORE}")).unwrap();
        assert!(Foreign::read(&file).unwrap().recipients.is_empty());

        // What cannot be used is never taken for none.
        let words = |text: &str| {
            fs::write(&file, format!("{text}\n{STORE}")).unwrap();
            Foreign::read(&file).err().unwrap().what
        };
        assert!(words("[seal]\nrecipients = [\"age1x\"]").contains("no age public key"));
        assert!(words("[seal]\nrecipient = []").contains("recipient"));
        assert!(words("[seal]\nrecipients_file = \"/nowhere/keys\"").contains("/nowhere/keys"));
        let sixteen: Vec<_> =
            (0..Recipients::MAX).map(|_| format!("{:?}", Identity::generate().public())).collect();
        assert!(words(&format!("[seal]\nrecipients = [{}]", sixteen.join(","))).contains("room"));
    }
}
