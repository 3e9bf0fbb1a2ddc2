//! What a person watches while the demo works.

use crate::{
    cli::render::bytes,
    dock::{Stage, report::StatusReport},
    types::plain_line,
};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;

/// Bars on a terminal, a line a change elsewhere, nothing with `--json`.
pub struct Screen {
    bars: Option<Bars>,
    lines: bool,
    last: String,
}

struct Bars {
    all: MultiProgress,
    bays: Vec<ProgressBar>,
    copied: ProgressBar,
    stored: ProgressBar,
    released: ProgressBar,
}

impl Screen {
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bars = (!quiet && terminal).then(Bars::new);
        Self { lines: !quiet && bars.is_none(), bars, last: String::new() }
    }

    pub fn show(&mut self, status: &StatusReport) {
        if let Some(bars) = &mut self.bars {
            bars.show(status);
        }
        if self.lines {
            let line = line(status);
            if line != self.last {
                eprintln!("{line}");
                self.last = line;
            }
        }
    }

    pub fn finish(&mut self) {
        if let Some(bars) = self.bars.take() {
            bars.bays.iter().for_each(ProgressBar::finish);
            [bars.copied, bars.stored, bars.released].iter().for_each(ProgressBar::finish);
        }
    }
}

/// Files seen, copied, stored and released so far.
struct Figures {
    seen: u64,
    copied: u64,
    stored: u64,
    released: u64,
}

fn figures(status: &StatusReport) -> Figures {
    let at = |stages: &[Stage]| {
        status.segments.iter().filter(|a| stages.contains(&a.stage)).map(|a| a.count).sum::<u64>()
    };
    let receipted = [Stage::Receipted, Stage::Releasing, Stage::Released];
    let seen = at(&Stage::ALL);
    Figures {
        seen,
        copied: seen - at(&[Stage::Seen, Stage::Vanished]),
        stored: at(&receipted),
        released: at(&[Stage::Released]),
    }
}

fn line(status: &StatusReport) -> String {
    let f = figures(status);
    format!(
        "{} files seen, {} copied and verified, {} stored with receipt, {} released",
        f.seen, f.copied, f.stored, f.released
    )
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(15));
        let bar = |name: &'static str| {
            let style = ProgressStyle::with_template("  {prefix:<22} {bar:32} {pos:>5} of {len}")
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━━ ");
            let bar = all.add(ProgressBar::new(0).with_style(style));
            bar.set_prefix(name);
            bar
        };
        let copied = bar("copied and verified");
        let stored = bar("stored with receipt");
        let released = bar("released from camera");
        Self { bays: Vec::new(), copied, stored, released, all }
    }

    fn show(&mut self, status: &StatusReport) {
        for (at, bay) in status.bays.iter().enumerate() {
            if at == self.bays.len() {
                let style = ProgressStyle::with_template("  bay {prefix:<3} {wide_msg}")
                    .unwrap_or_else(|_| ProgressStyle::default_bar());
                let row = self.all.insert(at, ProgressBar::new(0).with_style(style));
                row.set_prefix(bay.bay.to_string());
                self.bays.push(row);
            }
            let camera = bay.camera.as_ref().map_or("-".to_owned(), ToString::to_string);
            self.bays[at].set_message(format!(
                "{:<6} {camera:<12} {:>9}  {}",
                bay.light.as_str(),
                bytes(bay.bytes),
                plain_line(&bay.words)
            ));
        }
        let f = figures(status);
        for (bar, done) in
            [(&self.copied, f.copied), (&self.stored, f.stored), (&self.released, f.released)]
        {
            bar.set_length(f.seen);
            bar.set_position(done);
        }
    }
}
