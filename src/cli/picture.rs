//! The dock as one picture of a given size: what needs a person first, whatever does not fit counted.
//! Pure; every line is at most as wide, and all together at most as high, as the terminal.

use super::{
    fold::{cut, folded_to, width},
    render::{bytes, clock, count},
    screens,
};
use crate::{
    dock::{
        report::{BayReport, Light, StatusReport},
        state::Amount,
    },
    types::{plain, plain_line},
};
use jiff::Timestamp;

/// A terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub lines: usize,
}

/// Below this the camera's name gives its place to the words.
const COLUMNS_WITH_CAMERA: usize = 60;
/// A red bay's words take at most so many lines.
const WORDS_LINES_MAX: usize = 3;

/// The lines of the picture. `notice` stands on top of what is wrong; `coloured` adds ANSI colours,
/// which take no room.
pub fn picture(
    status: &StatusReport,
    notice: Option<&str>,
    size: Size,
    coloured: bool,
) -> Vec<String> {
    let mut lines = match notice {
        None => whole(status, size),
        Some(_) => None,
    }
    .unwrap_or_else(|| condensed(status, notice, size));
    lines.truncate(size.lines);
    lines.iter_mut().for_each(|line| *line = cut(line, size.columns));
    if coloured {
        lines.iter_mut().for_each(|line| *line = painted(line));
    }
    lines
}

/// What a reader that is no terminal gets when something changed: all bays, and what is wrong.
pub fn change(status: &StatusReport) -> String {
    let mut out = screens::bays(&status.bays, status.at);
    status.problems.iter().for_each(|problem| out.push_str(&format!("! {problem}\n")));
    out
}

/// The screen of `status`, if it fits.
fn whole(status: &StatusReport, size: Size) -> Option<Vec<String>> {
    let text = screens::status(status);
    let lines: Vec<_> = text.lines().map(|line| plain(line).into_owned()).collect();
    let fits = lines.len() <= size.lines && lines.iter().all(|line| width(line) <= size.columns);
    fits.then_some(lines)
}

fn condensed(status: &StatusReport, notice: Option<&str>, size: Size) -> Vec<String> {
    let head = format!("Dock {}  {}", status.dock, status.at.strftime("%H:%M:%SZ"));
    let mut tail = problems(status, notice, (size.lines / 5).max(1));
    let small = size.lines < 6;
    if !small {
        tail.extend(amounts(status, size.columns));
    }
    let room = size.lines.saturating_sub(1 + tail.len());
    let mut lines = vec![head];
    lines.extend(bays(&status.bays, Size { lines: room, ..size }));
    lines.extend(tail);
    lines
}

fn problems(status: &StatusReport, notice: Option<&str>, most: usize) -> Vec<String> {
    let all: Vec<_> =
        notice.into_iter().chain(status.problems.iter().map(String::as_str)).collect();
    let shown = if all.len() <= most { all.len() } else { most - 1 };
    let mut lines: Vec<_> =
        all[..shown].iter().map(|words| format!("! {}", plain_line(words))).collect();
    match (all.len() - shown, shown) {
        (0, _) => {}
        (n, 0) => lines.push(format!("! {}", count(n as u64, "problem", "problems"))),
        (n, _) => lines.push(format!("! and {}", count(n as u64, "more problem", "more problems"))),
    }
    lines
}

fn amounts(status: &StatusReport, columns: usize) -> [String; 2] {
    let sum = |amounts: &crate::dock::report::ClassAmounts| Amount {
        count: amounts.evidential.count + amounts.quarantine.count + amounts.unreviewed.count,
        bytes: amounts.evidential.bytes + amounts.quarantine.bytes + amounts.unreviewed.bytes,
    };
    let (copy, store) = (sum(&status.to_copy), sum(&status.queue));
    let safe = |at: Option<Timestamp>| match at {
        None => "?".to_owned(),
        Some(at) if at <= status.at => "now".to_owned(),
        Some(at) => clock(at, status.at),
    };
    let (evidence, all) = (safe(status.evidential_safe_at), safe(status.all_safe_at));
    if columns < COLUMNS_WITH_CAMERA {
        return [
            format!("Safe: evidence {evidence}, all {all}"),
            format!("Left: {} to copy, {} to store", copy.count, store.count),
        ];
    }
    [
        format!("Safe     evidential footage {evidence}, everything {all}"),
        format!(
            "Waiting  {} to copy ({}, {}/s), {} to store ({}, {}/s)",
            copy.count,
            bytes(copy.bytes),
            bytes(status.copy_rate),
            store.count,
            bytes(store.bytes),
            bytes(status.upload_rate)
        ),
    ]
}

/// As many bays as there is room for, those that need a person first, and what the others are.
fn bays(bays: &[BayReport], size: Size) -> Vec<String> {
    if bays.is_empty() {
        return vec!["No bay is configured.".to_owned()];
    }
    let mut sorted: Vec<_> = bays.iter().collect();
    sorted.sort_by_key(|bay| urgency(bay.light));
    let fits = sorted.len() <= size.lines;
    let shown = if fits { sorted.len() } else { size.lines.saturating_sub(1) };
    let (mut first, others) = (sorted[..shown].to_vec(), &sorted[shown..]);
    if fits {
        // Where all have a place, each keeps its own.
        first = bays.iter().collect();
    }
    let mut spare = size.lines.saturating_sub(shown + usize::from(!others.is_empty()));
    let columns = Columns::of(&first, size.columns);
    let mut lines = Vec::new();
    for bay in &first {
        let most = if bay.light == Light::Red { 1 + spare } else { 1 };
        let rows = columns.rows(bay, most.min(WORDS_LINES_MAX));
        spare -= rows.len() - 1;
        lines.extend(rows);
    }
    if !others.is_empty() && size.lines > 0 {
        lines.push(rest(others, shown > 0));
    }
    lines
}

fn urgency(light: Light) -> u8 {
    match light {
        Light::Red => 0,
        Light::Amber => 1,
        Light::Green => 2,
        Light::Off => 3,
    }
}

/// `and 31 more: all green`.
fn rest(bays: &[&BayReport], after_others: bool) -> String {
    let of = |light: Light| bays.iter().filter(|bay| bay.light == light).count();
    let lights = [Light::Red, Light::Amber, Light::Green, Light::Off];
    let there: Vec<_> = lights.into_iter().map(|light| (of(light), light.as_str())).collect();
    let there: Vec<_> = there.into_iter().filter(|(n, _)| *n > 0).collect();
    let lights = match there.as_slice() {
        [(1, one)] => (*one).to_owned(),
        [(_, one)] => format!("all {one}"),
        several => {
            several.iter().map(|(n, light)| format!("{n} {light}")).collect::<Vec<_>>().join(", ")
        }
    };
    match after_others {
        true => format!("and {} more: {lights}", bays.len()),
        false => format!("{}: {lights}", count(bays.len() as u64, "bay", "bays")),
    }
}

/// How wide the columns of the bays are.
struct Columns {
    bay: usize,
    /// None where it has no room.
    camera: Option<usize>,
    words: usize,
}

impl Columns {
    const LIGHT: usize = 5;

    fn of(bays: &[&BayReport], columns: usize) -> Self {
        let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(1).max(1);
        let bay = widest(&mut bays.iter().map(|bay| width(bay.bay.as_str()))).min(columns / 4);
        let camera = |bay: &&BayReport| bay.camera.as_ref().map_or(1, |id| width(id.as_str()));
        let camera = (columns >= COLUMNS_WITH_CAMERA)
            .then(|| widest(&mut bays.iter().map(camera)).min(columns / 4));
        let taken = bay + 2 + Self::LIGHT + 2 + camera.map_or(0, |camera| camera + 2);
        Self { bay, camera, words: columns.saturating_sub(taken).max(1) }
    }

    fn rows(&self, bay: &BayReport, most: usize) -> Vec<String> {
        let mut head =
            padded(bay.bay.as_str(), self.bay) + &padded(bay.light.as_str(), Self::LIGHT);
        if let Some(camera) = self.camera {
            head.push_str(&padded(bay.camera.as_ref().map_or("-", |id| id.as_str()), camera));
        }
        let indent = " ".repeat(width(&head));
        let words = folded_to(&plain_line(&bay.words), self.words, most);
        words
            .into_iter()
            .enumerate()
            .map(|(at, words)| {
                format!("{}{}", if at == 0 { &head } else { &indent }, cut(&words, self.words))
            })
            .collect()
    }
}

fn padded(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let blanks = columns - width(&text).min(columns) + 2;
    text + &" ".repeat(blanks)
}

/// The light's word in its colour, and what is wrong in red.
fn painted(line: &str) -> String {
    if line.starts_with("! ") {
        return format!("\x1b[31m{line}\x1b[0m");
    }
    let mut words = line.split_whitespace();
    let (bay, light) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let colour = match light {
        "red" => "1;31",
        "amber" => "33",
        "green" => "32",
        "off" => "2",
        _ => return line.to_owned(),
    };
    let at = bay.len() + line[bay.len()..].find(light).unwrap_or(0);
    let (before, after) = (&line[..at], &line[at + light.len()..]);
    format!("{before}\x1b[{colour}m{light}\x1b[0m{after}")
}

#[cfg(test)]
mod tests;
