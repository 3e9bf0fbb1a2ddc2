//! Reading the files a configuration names.

use super::*;

#[test]
fn a_configuration_is_loaded_with_its_recipients_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, list) = (folder.path().join("bwvdock.toml"), folder.path().join("recipients.txt"));
    let other = age::x25519::Identity::generate().to_public().to_string();
    let by_file = format!("recipients_file = {:?}\n[store]", list);
    std::fs::write(&path, minimal().replace("[store]", &by_file)).unwrap();
    assert!(matches!(load(&path), Err(LoadError::Read { path, .. }) if path == list));
    std::fs::write(&list, format!("# both\n{KEY}\n{other}\n")).unwrap();
    assert_eq!(load(&path).unwrap().seal.recipients, [KEY.to_owned(), other]);
    std::fs::write(&list, "AGE-SECRET-KEY-1QQ\n").unwrap();
    assert!(matches!(load(&path), Err(LoadError::Recipients { line: 1, .. })));

    let recipients = format!("recipients = [\"{KEY}\"]");
    std::fs::write(&path, minimal().replace(&recipients, "").replace("[store]", &by_file)).unwrap();
    std::fs::write(&list, "# nobody\n").unwrap();
    assert!(matches!(load(&path), Err(LoadError::NoRecipient { .. })));
}

#[test]
fn a_secret_is_read_only_from_a_file_others_cannot_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, " hunter2\n").unwrap();
    let mode =
        |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o644);
    let secret: SecretFile = "credential:key".parse().unwrap();
    assert!(
        matches!(read_secret(&secret, None), Err(LoadError::NoCredentials { name }) if name == "key")
    );
    assert!(matches!(read_secret(&secret, Some(folder.path())), Err(LoadError::Exposed { .. })));
    mode(0o640);
    assert_eq!(read_secret(&secret, Some(folder.path())).unwrap().as_str(), "hunter2");
}
