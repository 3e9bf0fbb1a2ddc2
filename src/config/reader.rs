//! Walking a TOML document key by key, collecting every problem instead of stopping at the first.
//!
//! A [`Section`] knows which keys were asked for; whatever else the document holds is an unknown
//! key. Asking is therefore the only declaration of a key there is.

use super::report::{Report, Span, Unknown, dotted};
use std::{collections::BTreeSet, fmt::Display, ops::RangeInclusive, path::PathBuf, str::FromStr};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// One table of the document, or an absent one.
pub(super) struct Section<'a> {
    report: &'a Report<'a>,
    name: String,
    /// None where the document has no such table.
    table: Option<&'a DeTable<'a>>,
    span: Option<Span>,
    asked: BTreeSet<&'static str>,
}

impl<'a> Section<'a> {
    /// The document itself.
    pub(super) fn root(report: &'a Report<'a>, table: &'a DeTable<'a>) -> Self {
        Self { report, name: String::new(), table: Some(table), span: None, asked: BTreeSet::new() }
    }

    /// Reports what was never asked for. To be called after the last question.
    pub(super) fn finish(self) {
        for key in self.table.into_iter().flat_map(|table| table.keys()) {
            if !self.asked.contains(key.get_ref().as_ref()) {
                let (span, section) = (key.span(), self.name.clone());
                let key = key.get_ref().to_string();
                self.report.add_unknown(Unknown { span, section, key });
            }
        }
    }

    /// Reports a problem with a key of this section, on the line of the key if it is there.
    pub(super) fn problem(&self, key: &str, words: impl Into<String>, remedy: impl Into<String>) {
        let at = self.table.and_then(|table| table.get_key_value(key)).map(|(key, _)| key.span());
        self.report.add(at.or(self.span.clone()).as_ref(), &dotted(&self.name, key), words, remedy);
    }

    /// Whether the document says anything about the key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Reports a required key that is not there.
    pub(super) fn missing(&self, key: &str, remedy: &str) {
        self.report.add(self.span.as_ref(), &dotted(&self.name, key), "is missing", remedy);
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.insert(key);
        self.report.ask(dotted(&self.name, key));
        self.table?.get(key)
    }

    fn wrong_type(&self, key: &str, found: &DeValue<'_>, wanted: &str) {
        self.problem(key, format!("is {}", kind(found)), format!("write {wanted}"));
    }

    /// A table below this one.
    pub(super) fn section(&mut self, key: &'static str) -> Section<'a> {
        let found = self.take(key);
        let name = dotted(&self.name, key);
        let table = match found.map(|value| value.get_ref()) {
            Some(DeValue::Table(table)) => Some(table),
            Some(other) => {
                self.wrong_type(key, other, &format!("a section, [{name}]"));
                None
            }
            None => None,
        };
        let span = found.map(|value| value.span());
        Section { report: self.report, name, table, span, asked: BTreeSet::new() }
    }

    /// An array of tables below this one, at most `max` of them.
    pub(super) fn sections(&mut self, key: &'static str, max: usize) -> Vec<Section<'a>> {
        let name = dotted(&self.name, key);
        let rows = match self.take(key).map(|value| value.get_ref()) {
            Some(DeValue::Array(rows)) => rows,
            Some(other) => {
                self.wrong_type(key, other, &format!("double brackets, [[{name}]]"));
                return Vec::new();
            }
            None => return Vec::new(),
        };
        if rows.len() > max {
            self.problem(key, format!("is there {} times", rows.len()), format!("at most {max}"));
        }
        let mut sections = Vec::new();
        for row in rows.iter().take(max) {
            if let DeValue::Table(table) = row.get_ref() {
                let (report, name, span) = (self.report, name.clone(), Some(row.span()));
                let asked = BTreeSet::new();
                sections.push(Section { report, name, table: Some(table), span, asked });
            } else {
                self.wrong_type(key, row.get_ref(), &format!("a section, [[{name}]]"));
            }
        }
        sections
    }

    /// A whole number within bounds.
    pub(super) fn number<T>(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<u64>,
        default: T,
    ) -> T
    where
        T: TryFrom<u64>,
    {
        let (low, high) = bounds.into_inner();
        let wanted = format!("write a whole number from {low} to {high}");
        let digits = match self.take(key).map(|value| value.get_ref()) {
            Some(DeValue::Integer(digits)) => digits,
            Some(other) => {
                self.problem(key, format!("is {}", kind(other)), wanted);
                return default;
            }
            None => return default,
        };
        let found = i128::from_str_radix(digits.as_str(), digits.radix()).ok();
        let inside = found.and_then(|n| u64::try_from(n).ok()).filter(|n| (low..=high).contains(n));
        match inside.and_then(|n| T::try_from(n).ok()) {
            Some(number) => number,
            None => {
                let size =
                    if found.is_some_and(|n| n < i128::from(low)) { "small" } else { "large" };
                self.problem(key, format!("is {digits}, which is too {size}"), wanted);
                default
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        match self.take(key).map(|value| value.get_ref()) {
            Some(DeValue::Boolean(flag)) => *flag,
            Some(other) => {
                self.wrong_type(key, other, "true or false, without quotes");
                default
            }
            None => default,
        }
    }

    /// A text, as it stands.
    pub(super) fn text(&mut self, key: &'static str) -> Option<&'a str> {
        match self.take(key)?.get_ref() {
            DeValue::String(text) => Some(text),
            other => {
                self.wrong_type(key, other, "a text in double quotes");
                None
            }
        }
    }

    /// A text that is something more.
    pub(super) fn parsed<T>(&mut self, key: &'static str, remedy: &str) -> Option<T>
    where
        T: FromStr<Err: Display>,
    {
        match self.text(key)?.parse() {
            Ok(value) => Some(value),
            Err(words) => {
                self.problem(key, words.to_string(), remedy);
                None
            }
        }
    }

    /// An absolute path: the daemon works in `/`, so anything else would surprise.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        let text = self.text(key)?;
        if !text.starts_with('/') || text.contains('\0') {
            self.problem(key, "is no absolute path", "write the whole path, beginning with /");
            return None;
        }
        Some(PathBuf::from(text))
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        default: T,
    ) -> T {
        match self.text(key) {
            Some(text) => self.find_word(key, text, words).unwrap_or(default),
            None => default,
        }
    }

    /// Several of a few words, each at most once, in the order of the list.
    pub(super) fn words<T: Copy + Ord>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
    ) -> Option<Vec<T>> {
        if !self.has(key) {
            self.take(key);
            return None;
        }
        let texts = self.texts(key, words.len());
        let found: Vec<T> = texts
            .iter()
            .filter_map(|(text, _)| self.find_word(key, text, words))
            .collect::<BTreeSet<T>>()
            .into_iter()
            .collect();
        if texts.is_empty() {
            self.problem(key, "is empty", format!("write {}", listed(words)));
        }
        Some(found)
    }

    fn find_word<T: Copy>(&self, key: &str, text: &str, words: &[(&str, T)]) -> Option<T> {
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        if found.is_none() {
            self.problem(key, format!("is {text:?}"), format!("write {}", listed(words)));
        }
        found
    }

    /// A list of texts, each with its place.
    pub(super) fn texts(&mut self, key: &'static str, max: usize) -> Vec<(&'a str, Span)> {
        let rows = match self.take(key).map(|value| value.get_ref()) {
            Some(DeValue::Array(rows)) => rows,
            Some(other) => {
                self.wrong_type(key, other, "a list of texts, [\"...\"]");
                return Vec::new();
            }
            None => return Vec::new(),
        };
        if rows.len() > max {
            self.problem(key, format!("has {} entries", rows.len()), format!("at most {max}"));
        }
        let mut texts = Vec::new();
        for row in rows.iter().take(max) {
            match row.get_ref() {
                DeValue::String(text) => texts.push((text.as_ref(), row.span())),
                other => self.wrong_type(key, other, "texts in double quotes inside the brackets"),
            }
        }
        texts
    }

    /// A list of texts that are something more, each once.
    pub(super) fn each<T>(&mut self, key: &'static str, max: usize, remedy: &str) -> Vec<T>
    where
        T: FromStr<Err: Display> + PartialEq,
    {
        let mut found = Vec::new();
        for (text, span) in self.texts(key, max) {
            match text.parse() {
                Ok(value) if found.contains(&value) => {
                    self.problem_at(&span, key, &format!("names {text} twice"), "write it once");
                }
                Ok(value) => found.push(value),
                Err(words) => {
                    self.problem_at(&span, key, &format!("has one wrong: {words}"), remedy)
                }
            }
        }
        found
    }

    /// Reports a problem at a place inside the value of a key.
    pub(super) fn problem_at(&self, span: &Span, key: &str, words: &str, remedy: &str) {
        self.report.add(Some(span), &dotted(&self.name, key), words, remedy);
    }
}

fn listed<T>(words: &[(&str, T)]) -> String {
    let quoted: Vec<String> = words.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    quoted.join(" or ")
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
