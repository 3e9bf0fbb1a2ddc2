//! What is wrong with a configuration, said once and completely.

use serde::Serialize;
use std::fmt;

/// One thing that is wrong, where it stands, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigError {
    /// From 1; none when something is missing altogether.
    pub line: Option<usize>,
    /// The dotted name, for example `transfer.parts_in_flight`; empty for broken TOML.
    pub key: String,
    /// What is wrong (`what` in JSON). Never holds a secret, even when one was written into the file.
    #[serde(rename = "what")]
    pub words: String,
    /// What to write instead (`next` in JSON).
    #[serde(rename = "next")]
    pub remedy: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(f, "{} ", self.key)?;
        }
        write!(f, "{}; {}", self.words, self.remedy)
    }
}

impl std::error::Error for ConfigError {}

/// Everything that is wrong, in the order of the file; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    /// Named one by one on a screen; JSON has them all.
    const NAMED_MAX: usize = 30;
    /// Where the text is no TOML, one fault makes many, and a file of another kind nothing else.
    const SYNTAX_NAMED_MAX: usize = 5;
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "the configuration has a problem:")?,
            count => write!(f, "the configuration has {count} problems:")?,
        }
        let is_toml = self.0.iter().any(|error| !error.key.is_empty());
        let named = if is_toml { Self::NAMED_MAX } else { Self::SYNTAX_NAMED_MAX };
        for error in self.0.iter().take(named) {
            write!(f, "\n  {error}")?;
        }
        match (self.0.len().saturating_sub(named), is_toml) {
            (0, _) => Ok(()),
            (more, true) => write!(f, "\n  and {more} more; --json has them all"),
            (more, false) => write!(f, "\n  and {more} more like these: is this the right file?"),
        }
    }
}

impl std::error::Error for ConfigErrors {}
