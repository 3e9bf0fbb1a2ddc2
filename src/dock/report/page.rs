//! A part of a list, and how long the whole of it is: what is left out is always said.

use serde::{Deserialize, Serialize};

/// Which rows of a list are wanted: after the first `offset`, at most `limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub offset: usize,
    pub limit: usize,
}

impl From<usize> for Span {
    /// The first rows.
    fn from(limit: usize) -> Self {
        Self { offset: 0, limit }
    }
}

/// Rows of a list, with the length of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Rows of the list before these.
    pub offset: u64,
    /// As many as `rows` holds.
    pub shown: u64,
    /// Rows of the whole list, these included.
    pub total: u64,
    /// Rows of the list after these.
    pub more: u64,
}

impl<T> Page<T> {
    /// `total` may have been counted a moment before or after the rows were read.
    pub fn new(rows: Vec<T>, offset: u64, total: u64) -> Self {
        let shown = rows.len() as u64;
        let total = total.max(if shown > 0 { offset + shown } else { 0 });
        Self { rows, offset, shown, total, more: total.saturating_sub(offset + shown) }
    }
}

/// Takes the rows of a span out of a list that is gone through whole, and counts all of it.
pub(super) struct Turner<T> {
    span: Span,
    rows: Vec<T>,
    total: usize,
}

impl<T> Turner<T> {
    pub(super) fn new(span: Span) -> Self {
        Self { span, rows: Vec::new(), total: 0 }
    }

    /// Whether the row that comes next is one of the span.
    pub(super) fn wants(&self) -> bool {
        self.total >= self.span.offset && self.rows.len() < self.span.limit
    }

    /// The next row, which is only made if it is wanted.
    pub(super) fn turn(&mut self, row: impl FnOnce() -> T) {
        if self.wants() {
            self.rows.push(row());
        }
        self.total += 1;
    }

    /// Counts rows without looking at them.
    pub(super) fn pass(&mut self, rows: usize) {
        self.total += rows;
    }

    /// Whether the next `rows` all lie outside the span.
    pub(super) fn may_pass(&self, rows: usize) -> bool {
        self.rows.len() >= self.span.limit || self.total + rows <= self.span.offset
    }

    pub(super) fn page(self) -> Page<T> {
        Page::new(self.rows, self.span.offset as u64, self.total as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_a_span_is_counted() {
        let page = |offset, limit| {
            let mut turner = Turner::new(Span { offset, limit });
            (0..7).for_each(|n| turner.turn(|| n));
            let page = turner.page();
            (page.rows, page.shown, page.more, page.total)
        };
        assert_eq!(page(0, 3), (vec![0, 1, 2], 3, 4, 7));
        assert_eq!(page(5, 3), (vec![5, 6], 2, 0, 7));
        assert_eq!(page(9, 3), (vec![], 0, 0, 7));
        assert_eq!(page(0, 0), (vec![], 0, 7, 7));
        let mut turner = Turner::<u8>::new(Span { offset: 4, limit: 1 });
        assert!(turner.may_pass(4) && !turner.may_pass(5));
        turner.pass(4);
        turner.turn(|| 9);
        assert!(turner.may_pass(1));
        turner.pass(2);
        assert_eq!(turner.page(), Page::new(vec![9], 4, 7));
    }
}
