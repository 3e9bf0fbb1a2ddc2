//! Text as people may safely see it.
//!
//! What a camera, a USB descriptor or a store calls itself is somebody else's choice: it may hold
//! characters that steer a terminal or turn the order of what is read around (U+202E makes
//! `gpj.exe` of `exe.jpg`). On every screen and in every log line for people they are written out as
//! `\u{202e}`. JSON for machines stays exact.

use std::borrow::Cow;

/// Whether a character shows nothing by itself but changes what is seen around it: control (Cc),
/// format (Cf), separators of lines, and what is invisible by default (Unicode 16.0,
/// `DerivedCoreProperties`, `Default_Ignorable_Code_Point`).
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// The text with hidden characters written out, line feeds left as they are.
pub fn plain(text: &str) -> Cow<'_, str> {
    written_out(text, |c| c != '\n' && is_hidden(c))
}

/// The text with hidden characters and line feeds written out: it cannot pass for two lines.
pub fn plain_line(text: &str) -> Cow<'_, str> {
    written_out(text, is_hidden)
}

fn written_out(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&hidden) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' if hidden(c) => out.push_str("\\n"),
            c if hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_text_around_or_steers_a_terminal_is_written_out() {
        assert_eq!(plain("clip\u{202e}4pm.exe"), "clip\\u{202e}4pm.exe");
        assert_eq!(plain("a\x1b[2Jb\u{9b}c"), "a\\u{1b}[2Jb\\u{9b}c");
        assert_eq!(plain("one\ntwo\r"), "one\ntwo\\u{d}");
        assert_eq!(plain_line("one\ntwo\u{2028}"), "one\\ntwo\\u{2028}");
        for c in ['\u{ad}', '\u{200b}', '\u{2066}', '\u{feff}', '\u{e0041}', '\u{7f}', '\0'] {
            assert!(is_hidden(c), "{c:?}");
        }
        let harmless = "Überfall – Straße, 東京, مرحبا, שלום, e\u{301}, …";
        assert!(matches!(plain(harmless), Cow::Borrowed(text) if text == harmless));
    }
}
