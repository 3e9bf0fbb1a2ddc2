//! Collecting the problems of a document, and guessing what a misspelt key was meant to be.

use super::error::{ConfigError, ConfigErrors};
use std::{cell::RefCell, collections::BTreeSet, ops::Range};

/// Byte range in the text.
pub(super) type Span = Range<usize>;

/// A key nobody asked for.
pub(super) struct Unknown {
    pub(super) span: Span,
    pub(super) section: String,
    pub(super) key: String,
}

/// The problems found so far, and every key that was asked for.
pub(super) struct Report<'t> {
    text: &'t str,
    errors: RefCell<Vec<ConfigError>>,
    unknown: RefCell<Vec<Unknown>>,
    known: RefCell<BTreeSet<String>>,
}

impl<'t> Report<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            text,
            errors: RefCell::default(),
            unknown: RefCell::default(),
            known: RefCell::default(),
        }
    }

    pub(super) fn add(
        &self,
        span: Option<&Span>,
        key: &str,
        words: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let line = span.map(|span| {
            let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
            1 + before.iter().filter(|byte| **byte == b'\n').count()
        });
        let (key, words, remedy) = (key.to_owned(), words.into(), remedy.into());
        self.errors.borrow_mut().push(ConfigError { line, key, words, remedy });
    }

    pub(super) fn ask(&self, key: String) {
        self.known.borrow_mut().insert(key);
    }

    pub(super) fn add_unknown(&self, unknown: Unknown) {
        self.unknown.borrow_mut().push(unknown);
    }

    /// Every dotted key that was asked for.
    #[cfg(test)]
    pub(super) fn known(&self) -> BTreeSet<String> {
        self.known.borrow().clone()
    }

    /// Judges the unknown keys, now that all known ones are known.
    ///
    /// # Errors
    /// All problems, in the order of the file; what is missing comes last.
    pub(super) fn finish(&self) -> Result<(), ConfigErrors> {
        for Unknown { span, section, key } in self.unknown.take() {
            // A quoted key may hold anything; escaped, it cannot forge a second line.
            let dotted = dotted(&section, &key.escape_debug().to_string());
            let remedy = self.suggest(&section, &key);
            self.add(Some(&span), &dotted, "is no key that bwvdock knows", remedy);
        }
        let mut errors = self.errors.take();
        errors.sort_by_key(|error| error.line.unwrap_or(usize::MAX));
        if errors.is_empty() { Ok(()) } else { Err(ConfigErrors(errors)) }
    }

    fn suggest(&self, section: &str, key: &str) -> String {
        let known = self.known.borrow();
        let likeness = |candidate: &str| strsim::jaro_winkler(candidate, &key.to_lowercase());
        let split = |full: &str| match full.rsplit_once('.') {
            Some((section, key)) => (section.to_owned(), key.to_owned()),
            None => (String::new(), full.to_owned()),
        };
        let here = known.iter().map(|full| split(full)).filter(|(of, _)| of == section);
        let best = here
            .map(|(_, candidate)| (likeness(&candidate), candidate))
            .max_by(|a, b| a.0.total_cmp(&b.0));
        match best {
            Some((likeness, candidate)) if likeness >= 0.8 => {
                format!("did you mean `{candidate}`?")
            }
            _ => match known.iter().map(|full| split(full)).find(|(_, other)| other == key) {
                Some((section, _)) if !section.is_empty() => format!("it belongs in [{section}]"),
                _ => "remove it; `bwvdock config show --default` lists every key".into(),
            },
        }
    }
}

pub(super) fn dotted(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}
