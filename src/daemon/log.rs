//! The daemon's log on stderr: one event, one line, with nothing in it that steers a terminal.

use crate::{
    config::{Config, LogFormat},
    types::plain_line,
};
use std::io::{self, IsTerminal as _, Write};
use tracing_subscriber::EnvFilter;

pub(super) fn to_stderr(config: &Config) {
    let level = config.log.level.as_str();
    let filter = EnvFilter::try_from_env("BWVDOCK_LOG")
        .unwrap_or_else(|_| EnvFilter::new(format!("bwvdock={level},warn")));
    let coloured =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(coloured);
    // A second daemon in one process (a test) keeps the first one's log.
    let _ = match config.log.format {
        LogFormat::Text => {
            builder.with_target(false).with_writer(move || Plain { coloured }).try_init()
        }
        // For machines: exact.
        LogFormat::Json => builder.json().with_writer(io::stderr).try_init(),
    };
}

/// Stderr, with what is hidden in a text written out.
struct Plain {
    /// Whether colours are the log's own; what comes from elsewhere has none by then.
    coloured: bool,
}

impl Write for Plain {
    /// Takes an event whole, as the subscriber gives it.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        io::stderr().lock().write_all(line(&text, self.coloured).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

fn line(event: &str, coloured: bool) -> String {
    let mut rest = event.strip_suffix('\n').unwrap_or(event);
    let mut out = String::with_capacity(event.len() + 16);
    while let Some(at) = rest.find('\x1b').filter(|_| coloured) {
        out.push_str(&plain_line(&rest[..at]));
        let end = colour(&rest[at..]);
        match end {
            0 => out.push_str("\\u{1b}"),
            _ => out.push_str(&rest[at..at + end]),
        }
        rest = &rest[at + end.max(1)..];
    }
    out.push_str(&plain_line(rest));
    out.push('\n');
    out
}

/// How long the colour sequence (ECMA-48, SGR) at the beginning is; 0 if there is none.
fn colour(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\x1b[") else { return 0 };
    let end = parameters.find(|c: char| !(c.is_ascii_digit() || c == ';'));
    end.filter(|end| parameters[*end..].starts_with('m')).map_or(0, |end| end + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_and_only_its_own_colours_steer() {
        assert_eq!(
            line("clip\u{202e}4pm\nERROR forged\n", false),
            "clip\\u{202e}4pm\\nERROR forged\n"
        );
        assert_eq!(
            line("\x1b[2m12:00\x1b[0m x\x1b[2Jy\x1b", true),
            "\x1b[2m12:00\x1b[0m x\\u{1b}[2Jy\\u{1b}\n"
        );
        assert_eq!(line("\x1b[31mred", false), "\\u{1b}[31mred\n");
    }
}
