//! Who can open what the dock seals.

use super::SealError;
use age::{secrecy::ExposeSecret as _, x25519};
use jiff::Timestamp;
use zeroize::Zeroizing;

/// The public keys everything is sealed for: the force's key and the escrow key, for example.
#[derive(Clone)]
pub struct Recipients(Vec<x25519::Recipient>);

impl Recipients {
    /// The most recipients: each costs about 100 bytes in every object, and a wrap of the key.
    pub const MAX: usize = 16;

    /// Reads `age1...` texts as a configuration gives them.
    ///
    /// # Errors
    /// [`SealError`] says which one is wrong, counted from 1, and never repeats a private key.
    pub fn parse(texts: &[String]) -> Result<Self, SealError> {
        if texts.is_empty() {
            return Err(SealError::NoRecipients);
        }
        if texts.len() > Self::MAX {
            return Err(SealError::TooManyRecipients);
        }
        let mut seen = Vec::with_capacity(texts.len());
        let mut keys = Vec::with_capacity(texts.len());
        for (place, text) in (1..).zip(texts) {
            let text = text.trim();
            // Anywhere in the text: a pasted key file has comment lines before it.
            if text.to_ascii_uppercase().contains("AGE-SECRET-KEY-") {
                return Err(SealError::PrivateKey { place });
            }
            let key: x25519::Recipient = text
                .parse()
                .map_err(|words: &str| SealError::NotARecipient { place, words: words.into() })?;
            // Compared in its one written form: bech32 may be given in capitals too.
            let canonical = key.to_string();
            if let Some(first) = seen.iter().position(|other| *other == canonical) {
                return Err(SealError::Repeated { place, first: first + 1 });
            }
            seen.push(canonical);
            keys.push(key);
        }
        Ok(Self(keys))
    }

    /// How many there are; never 0.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// As `age1...` texts, in the order given.
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    pub(super) fn keys(&self) -> &[x25519::Recipient] {
        &self.0
    }
}

impl std::fmt::Debug for Recipients {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.texts()).finish()
    }
}

/// A new key pair. Made for `keys generate`, the demo and tests; a running dock never holds one.
pub struct Identity {
    secret: Zeroizing<String>,
    public: String,
}

impl Identity {
    /// Draws a pair from the operating system's random numbers.
    pub fn generate() -> Self {
        let identity = x25519::Identity::generate();
        let secret = Zeroizing::new(identity.to_string().expose_secret().to_owned());
        Self { secret, public: identity.to_public().to_string() }
    }

    /// `age1...`
    pub fn public(&self) -> &str {
        &self.public
    }

    /// `AGE-SECRET-KEY-1...`
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// An identity file as `age-keygen` writes it and `age -d -i` reads it.
    pub fn file_text(&self, created: Timestamp) -> Zeroizing<String> {
        let (public, secret) = (self.public(), self.secret());
        Zeroizing::new(format!("# created: {created}\n# public key: {public}\n{secret}\n"))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("public", &self.public).finish_non_exhaustive()
    }
}
