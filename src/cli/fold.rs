//! Text in the columns of a terminal: measured, cut and folded as people see it.

use unicode_width::UnicodeWidthChar as _;

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// At most so wide; what is cut off shows as an ellipsis.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = text[..fitting(text, columns.saturating_sub(1))].to_owned();
    if columns > 0 {
        out.push('…');
    }
    out
}

/// How many bytes of a text fit into so many columns.
fn fitting(text: &str, columns: usize) -> usize {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += c.width().unwrap_or(0);
        if taken > columns {
            return at;
        }
    }
    text.len()
}

/// Words in lines of at most so many columns; a word that is longer has its line for itself.
pub fn folded(text: &str, columns: usize) -> Vec<String> {
    folded_to(text, columns, usize::MAX)
}

/// As [`folded`], in at most `most` lines, the last of which may run on; at least one line.
pub fn folded_to(text: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let full = lines.len() >= most;
        let Some(line) = lines.last_mut() else { break };
        let separator = if line.is_empty() { "" } else { " " };
        if full || line.is_empty() || width(line) + separator.len() + width(word) <= columns {
            line.push_str(separator);
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Every line folded between words, what follows indented to where the words of the line begin.
/// Columns inside a line keep their blanks.
pub fn hung(text: &str, columns: usize) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for line in text.split_inclusive('\n') {
        hang(line, columns, &mut out);
    }
    out
}

fn hang(line: &str, columns: usize, out: &mut String) {
    let indent = indent_of(line);
    // In so narrow a place nothing is gained by folding.
    if columns < indent + 16 {
        out.push_str(line);
        return;
    }
    let mut rest = line;
    let mut room = columns;
    while width(rest.trim_end()) > room {
        let fits = fitting(rest, room);
        let blank = |at: usize| rest[at..].starts_with(' ');
        let starts = || rest.char_indices().map(|(at, _)| at);
        let lead = rest.len() - rest.trim_start().len();
        // Where the last word ends that fits; or else the first one, however long.
        let end =
            starts().take_while(|at| *at <= fits).filter(|at| *at > lead && blank(*at)).last();
        let Some(end) = end.or_else(|| starts().find(|at| *at > lead && blank(*at))) else { break };
        out.push_str(rest[..end].trim_end());
        out.push('\n');
        out.push_str(&" ".repeat(indent));
        rest = rest[end..].trim_start_matches(' ');
        room = columns - indent;
    }
    out.push_str(rest);
}

/// Where the words of a line begin: behind its blanks and the mark of a list.
fn indent_of(line: &str) -> usize {
    let mut at = line.len() - line.trim_start_matches(' ').len();
    for mark in ["! - ", "- ", "-> ", "!   ", "! ", "!!  ", "ok  "] {
        if line[at..].starts_with(mark) {
            at += mark.len();
            return at;
        }
    }
    if at == 0 { 2 } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_measured_cut_and_folded_by_columns() {
        assert_eq!((width("東京 é"), width("e\u{301}")), (6, 1));
        assert_eq!(
            (cut("東京都", 5), cut("abc", 3), cut("abcd", 3)),
            ("東京…".into(), "abc".into(), "ab…".into())
        );
        assert_eq!((cut("abc", 0), cut("abc", 1)), (String::new(), "…".into()));
        assert_eq!(folded("one two three", 7), ["one two", "three"]);
        assert_eq!(folded("extraordinary is long", 7), ["extraordinary", "is long"]);
        assert_eq!(folded_to("one two three four", 7, 2), ["one two", "three four"]);
        assert_eq!(folded("", 7), [""]);
    }

    #[test]
    fn lines_hang_from_where_their_words_begin() {
        let text = "Dock\n  -> look at the disk, and then look again\nshort\n";
        assert_eq!(
            hung(text, 24),
            "Dock\n  -> look at the disk,\n     and then look again\nshort\n"
        );
        assert_eq!(
            hung("!!  bay 7: cannot be read at all", 20),
            "!!  bay 7: cannot be\n    read at all"
        );
        assert_eq!(
            hung("one  two    three  four five six", 20),
            "one  two    three\n  four five six"
        );
        assert_eq!(hung("no blank in this one at all", 8), "no blank in this one at all");
        let long = "x".repeat(40);
        assert_eq!(hung(&format!("a {long} b\n"), 20), format!("a\n  {long}\n  b\n"));
    }
}
