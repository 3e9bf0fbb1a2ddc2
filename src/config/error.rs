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

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "the configuration has a problem:")?,
            count => write!(f, "the configuration has {count} problems:")?,
        }
        for error in &self.0 {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
