//! age recipients: the public keys that can open what the dock seals.
//!
//! A private key has no business on a dock. One that turns up here is refused loudly and without
//! repeating a single character of it.

/// The most recipients an object is sealed to; every one adds about 100 bytes to every header.
pub(super) const MAX: usize = 32;

/// Why a text is no recipient, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) words: &'static str,
    pub(super) remedy: &'static str,
}

const PRIVATE: Problem = Problem {
    words: "holds a PRIVATE key, which must never lie on a dock: it opens all footage",
    remedy: "remove it now, treat it as known to others, and write the public key (age1...)",
};
const NONE: Problem = Problem {
    words: "is no age public key",
    remedy: "write what `age-keygen -y IDENTITY_FILE` prints: age1 and 58 more characters",
};
const POST_QUANTUM: Problem = Problem {
    words: "is a post-quantum age key, which this version cannot seal to",
    remedy: "write an X25519 public key: age1 and 58 more characters",
};

/// Checks one recipient.
pub(super) fn check(text: &str) -> Result<(), Problem> {
    let upper = text.to_ascii_uppercase();
    if upper.contains("AGE-SECRET-KEY") || upper.contains("PRIVATE KEY") {
        return Err(PRIVATE);
    }
    if text.starts_with("age1pq1") || text.starts_with("age1tagpq1") {
        return Err(POST_QUANTUM);
    }
    text.parse::<age::x25519::Recipient>().map(|_| ()).map_err(|_| NONE)
}

/// The recipients of a file as `age -R` reads it: one a line, `#` begins a comment line.
///
/// # Errors
/// The number of the first line that is wrong, from 1, and why.
pub(super) fn parse_file(text: &str) -> Result<Vec<String>, (usize, Problem)> {
    let mut recipients = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        // age-keygen writes the public key as a comment above the private one.
        if line.is_empty() || (line.starts_with('#') && check(line) != Err(PRIVATE)) {
            continue;
        }
        check(line).map_err(|problem| (number, problem))?;
        if recipients.len() == MAX {
            let words = "is more than the 32 recipients an object can have";
            return Err((number, Problem { words, remedy: "remove some" }));
        }
        recipients.push(line.to_owned());
    }
    Ok(recipients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use age::secrecy::ExposeSecret as _;

    #[test]
    fn a_recipients_file_is_read_as_age_reads_it() {
        let keys: Vec<_> = (0..2).map(|_| age::x25519::Identity::generate().to_public()).collect();
        let text = format!("# force\n{}\n\n  {}  \n", keys[0], keys[1]);
        assert_eq!(
            parse_file(&text).unwrap(),
            keys.iter().map(|k| k.to_string()).collect::<Vec<_>>()
        );
        assert_eq!(parse_file("# nobody yet\n"), Ok(Vec::new()));
    }

    #[test]
    fn a_private_key_is_refused_and_never_repeated() {
        let identity = age::x25519::Identity::generate();
        let secret = identity.to_string().expose_secret().to_owned();
        for text in [
            secret.clone(),
            format!("# {secret}"),
            format!("# public key: {}\n{secret}", identity.to_public()),
            "-----BEGIN OPENSSH PRIVATE KEY-----".into(),
        ] {
            let (_, problem) = parse_file(&text).unwrap_err();
            assert_eq!(problem, PRIVATE, "{text}");
        }
        assert_eq!(check(&secret.to_lowercase()), Err(PRIVATE));
    }

    #[test]
    fn what_is_no_recipient_is_named_with_its_line() {
        let key = age::x25519::Identity::generate().to_public().to_string();
        let mut wrong = key.clone();
        wrong.replace_range(10..11, if &key[10..11] == "q" { "p" } else { "q" });
        assert_eq!(parse_file(&format!("{key}\n{wrong}")), Err((2, NONE)), "one wrong character");
        assert_eq!(check("ssh-ed25519 AAAA"), Err(NONE));
        assert_eq!(check("age1pq1xyz"), Err(POST_QUANTUM));
        let (line, _) = parse_file(&format!("{key}\n").repeat(MAX + 1)).unwrap_err();
        assert_eq!(line, MAX + 1);
    }
}
