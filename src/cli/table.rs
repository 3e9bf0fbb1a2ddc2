//! Tables without a frame, in the width there is.

use super::fold::{folded, width};
use crate::types::plain_line;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

/// Words are folded into no narrower a column.
const WORDS_COLUMNS_MIN: usize = 20;

/// Cells of one row.
type Row = Vec<String>;
/// Lines of the header, then of each row.
type Blocks = Vec<Vec<String>>;

/// The table in at most so many columns, as far as its cells allow; empty without rows.
pub fn text(
    columns: Option<usize>,
    header: &[&str],
    right: &[usize],
    mut rows: Vec<Row>,
) -> String {
    if rows.is_empty() {
        return String::new();
    }
    // Written out before it is measured.
    let cells = rows.iter_mut().flatten();
    cells.for_each(|cell| *cell = plain_line(cell).into_owned());
    let blocks = match columns {
        Some(columns) => fitted(columns, header, right, rows),
        None => drawn(header, right, rows),
    };
    blocks.concat().into_iter().map(|line| line + "\n").collect()
}

/// In one line a row if that fits, with the last words folded if that is enough, or else in several.
fn fitted(columns: usize, header: &[&str], right: &[usize], mut rows: Vec<Row>) -> Blocks {
    let widths: Vec<_> = (0..header.len()).map(|at| widest(at, header, &rows)).collect();
    let whole = needed(&widths);
    let last = header.len() - 1;
    let room = columns.saturating_sub(whole - widths[last]);
    if whole > columns && !right.contains(&last) && room >= WORDS_COLUMNS_MIN {
        let cells = rows.iter_mut().filter_map(|row| row.get_mut(last));
        cells.for_each(|cell| *cell = folded(cell, room).join("\n"));
    } else if whole > columns && last > 0 {
        return stacked(columns, header, right, rows, &widths);
    }
    drawn(header, right, rows)
}

/// As many columns as fit stand in a line; the others, indented, in the next.
fn stacked(
    columns: usize,
    header: &[&str],
    right: &[usize],
    rows: Vec<Row>,
    widths: &[usize],
) -> Blocks {
    const INDENT: usize = 2;
    let mut first = 1;
    while first < widths.len() && needed(&widths[..=first]) <= columns {
        first += 1;
    }
    let (upper, lower): (Vec<Row>, Vec<Row>) = rows
        .into_iter()
        .map(|mut row| {
            let lower = row.split_off(first.min(row.len()));
            (row, lower)
        })
        .unzip();
    let beyond: Vec<_> = right.iter().filter_map(|at| at.checked_sub(first)).collect();
    let mut blocks = drawn(&header[..first], right, upper);
    let below = match first < header.len() {
        true => fitted(columns.saturating_sub(INDENT), &header[first..], &beyond, lower),
        false => Vec::new(),
    };
    for (block, lines) in blocks.iter_mut().zip(below) {
        block.extend(lines.into_iter().map(|line| " ".repeat(INDENT) + &line));
    }
    blocks
}

fn widest(at: usize, header: &[&str], rows: &[Row]) -> usize {
    let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell));
    cells.max().unwrap_or(0).max(width(header[at]))
}

fn needed(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + 2 * (widths.len() - 1)
}

fn drawn(header: &[&str], right: &[usize], rows: Vec<Row>) -> Blocks {
    let heights: Vec<_> = rows
        .iter()
        .map(|row| row.iter().map(|cell| cell.split('\n').count()).max().unwrap_or(1))
        .collect();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>());
    for row in rows {
        table.add_row(row);
    }
    for at in 0..header.len() {
        if let Some(column) = table.column_mut(at) {
            let left = if at == 0 { 0 } else { 1 };
            column.set_padding((left, 1));
            if right.contains(&at) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let mut lines = table.lines().map(|line| line.trim_end().to_owned());
    let heights = std::iter::once(1).chain(heights);
    heights.map(|height| lines.by_ref().take(height).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(rows: &[&[&str]]) -> Vec<Row> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn tables_line_up_without_a_frame() {
        let table = text(None, &["BAY", "FILES"], &[1], cells(&[&["1", "12"]]));
        assert_eq!(table, "BAY  FILES\n1       12\n");
        assert_eq!(text(None, &["BAY"], &[], Vec::new()), "");
    }

    #[test]
    fn the_last_words_are_folded_and_what_is_shown_is_measured() {
        let rows =
            cells(&[&["1\u{202e}", "words that take more room than there is"], &["2", "few"]]);
        assert_eq!(
            text(Some(36), &["BAY", ""], &[], rows),
            "BAY\n1\\u{202e}  words that take more room\n           than there is\n2          few\n"
        );
    }

    #[test]
    fn a_row_that_is_too_wide_takes_several_lines_cut_at_the_same_columns() {
        let header = ["SEGMENT", "FILE", "SIZE", "STAGE", "CHECK"];
        let rows = || {
            cells(&[
                &["0001", "DCIM/100/MOV_0001.mp4", "26.7 KiB", "receipted", "verified"],
                &["0002", "DCIM/100/X.mp4", "1 B", "seen", "-"],
            ])
        };
        assert_eq!(
            text(Some(32), &header, &[2], rows()),
            "SEGMENT  FILE\n      SIZE  STAGE      CHECK\n\
             0001     DCIM/100/MOV_0001.mp4\n  26.7 KiB  receipted  verified\n\
             0002     DCIM/100/X.mp4\n       1 B  seen       -\n"
        );
        for columns in 0..90 {
            let table = text(Some(columns), &header, &[2], rows());
            assert!(table.contains("receipted") && table.contains("DCIM/100/X.mp4"), "{table}");
            let most = columns.max(21 + 2);
            assert!(table.lines().all(|line| width(line) <= most), "{columns}\n{table}");
        }
    }
}
