//! What `[push]` refuses.

use super::*;

#[test]
fn figures_and_secrets_go_nowhere_unsafe_or_half_said() {
    const URL: &str = "url = \"https://p.example.org/api/v1/write\"\n";
    for (lines, expected) in [
        ("url = \"http://p.example.org/w\"".to_owned(), "push.url is plain http"),
        ("url = \"https://ann:hunter2@p.example.org/w\"".to_owned(), "push.url carries a user"),
        ("url = \"ftp://p.example.org/w\"".to_owned(), "push.url is no https address"),
        ("url = \"p.example.org\"".to_owned(), "push.url"),
        (format!("{URL}username = \"docks\""), "push.username is there without secret_file"),
        (format!("{URL}secret_file = \"hunter2\""), "neither an absolute path nor credential:NAME"),
        (
            format!("{URL}secret_file = \"/s\"\nusername = \"a:b\""),
            "push.username is empty or has a colon",
        ),
        (format!("{URL}client_cert_file = \"/c\""), "is there without client_key_file"),
        (
            "url = \"http://127.0.0.1:9090/api/v1/write\"\nca_file = \"/c\"".to_owned(),
            "push.ca_file is there, but url is not https",
        ),
        (format!("{URL}interval_seconds = 0"), "push.interval_seconds is 0, which is too small"),
        (format!("{URL}buffer_bytes_max = 1"), "push.buffer_bytes_max is 1, which is too small"),
    ] {
        let words = problems(&format!("[push]\n{lines}"));
        assert!(words.contains(expected), "{lines}: {words}");
        assert!(!words.contains("hunter2"), "{words}");
    }
    let lines = format!("[push]\n{URL}secret_file = \"credential:push\"\n");
    let config = Config::parse(&format!("{}{lines}", minimal())).unwrap();
    assert!(config.push.username.is_none() && config.push.secret_file.is_some(), "a token");
}
