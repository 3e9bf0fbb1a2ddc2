//! Lists that may be long: which rows are wanted, and what is said about the others.

use super::{Complaint, ask::Asker, render};
use crate::{
    api::{self, ClientError, Request},
    dock::report::{Page, Span},
};
use clap::Args;
use serde_json::Value;

/// Which rows of a list are wanted.
#[derive(Debug, Args)]
pub struct Rows {
    /// Show at most so many [default: 50]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Leave out so many at the beginning [default: 0]
    #[arg(long, value_name = "N")]
    offset: Option<usize>,
    /// Show all, however many
    #[arg(long, conflicts_with_all = ["limit", "offset"])]
    all: bool,
}

impl Rows {
    const LIMIT: usize = 50;

    /// Whether anything was said about which rows.
    pub fn are_named(&self) -> bool {
        self.all || self.limit.is_some() || self.offset.is_some()
    }

    fn span(&self) -> Span {
        match self.all {
            true => Span { offset: 0, limit: usize::MAX },
            false => {
                Span { offset: self.offset.unwrap_or(0), limit: self.limit.unwrap_or(Self::LIMIT) }
            }
        }
    }
}

/// Asks for the rows, in as many answers as it takes; the one answer they would be.
///
/// # Errors
/// A [`Complaint`].
pub fn ask(
    asker: &Asker,
    rows: &Rows,
    request: impl Fn(Span) -> Request,
) -> Result<Value, Complaint> {
    ask_span(asker, rows.span(), request)
}

/// As [`ask`].
///
/// # Errors
/// A [`Complaint`].
pub fn ask_span(
    asker: &Asker,
    span: Span,
    request: impl Fn(Span) -> Request,
) -> Result<Value, Complaint> {
    Ok(api::ask_rows(asker.socket(), span, request)?)
}

/// Prints a list as it came, or what `words` makes of it.
///
/// # Errors
/// A [`Complaint`].
pub fn show<T: serde::de::DeserializeOwned>(
    asker: &Asker,
    value: &Value,
    words: impl FnOnce(&T) -> String,
) -> Result<(), Complaint> {
    let typed: T = serde_json::from_value(render::one_line(value.clone()))
        .map_err(|error| Complaint::from(ClientError::Garbled(error)))?;
    match asker.wants_json() {
        true => render::print_json(value),
        false => render::print(&words(&typed)),
    }
    Ok(())
}

/// What is not on the screen, and how to see it; empty when everything is.
pub fn rest<T>(page: &Page<T>, how: &str) -> String {
    if page.shown == page.total {
        return String::new();
    }
    let total = render::grouped(page.total);
    let shown = match (page.offset, page.shown) {
        (0, n) => render::grouped(n),
        (_, 0) => "none".to_owned(),
        (offset, 1) => format!("number {}", render::grouped(offset + 1)),
        (offset, n) => {
            format!("{} to {}", render::grouped(offset + 1), render::grouped(offset + n))
        }
    };
    format!("\n{shown} of {total} shown; {how} shows more.\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_said() {
        let how = "--limit N, --offset N or --all";
        let words = |shown: usize, offset, total| {
            rest(&Page::new(vec![(); shown], offset, total), how).replace(how, "…")
        };
        assert_eq!(words(50, 0, 1234), "\n50 of 1,234 shown; … shows more.\n");
        assert_eq!(words(50, 1000, 1234), "\n1,001 to 1,050 of 1,234 shown; … shows more.\n");
        assert_eq!(words(0, 2000, 1234), "\nnone of 1,234 shown; … shows more.\n");
        assert_eq!(words(7, 0, 7), "");
        assert_eq!(words(0, 0, 0), "");
    }
}
