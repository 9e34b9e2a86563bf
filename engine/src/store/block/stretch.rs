//! Consecutive rows of a block as rows of their own: what is handed out of them has a slot for each of them, not for
//! each row of the block.

use std::ops::Range;
use std::sync::Arc;

use weir_query::compile::TextMatcher;
use weir_query::record::{Column, OrderKey, Rows, RowsError, Selection, Timeline};

use super::GRANULE_ROWS;
use super::read::{Block, damaged};

/// Whole granules of a block; the last one perhaps its last.
pub(super) struct Stretch<'b> {
    block: &'b Block,
    rows: Range<usize>,
}

impl Stretch<'_> {
    /// The granules in which the rows of `range` are, where there are any.
    pub(super) fn of(block: &Block, range: Range<usize>) -> Option<Stretch<'_>> {
        let whole = range.start.is_multiple_of(GRANULE_ROWS)
            && (range.end.is_multiple_of(GRANULE_ROWS) || range.end == block.rows());
        (whole && !range.is_empty() && range.end <= block.rows()).then_some(Stretch { block, rows: range })
    }

    /// `within` as rows of the block.
    fn outside(&self, within: &Selection) -> Selection {
        within.among(self.rows.start, self.block.rows())
    }

    fn rows_outside(&self, rows: &[u32]) -> Vec<u32> {
        rows.iter().map(|row| row.saturating_add(self.rows.start as u32)).collect()
    }
}

impl Rows for Stretch<'_> {
    fn len(&self) -> usize {
        self.rows.len()
    }

    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError> {
        let order = self.block.keys().map_err(damaged)?;
        Ok(order.get(self.rows.clone()).unwrap_or_default().into())
    }

    fn places(&self, rows: &[u32]) -> Result<Vec<OrderKey>, RowsError> {
        self.block.places(&self.rows_outside(rows))
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.block.names()
    }

    fn column(&self, name: &str, within: &Selection) -> Result<Column, RowsError> {
        self.block.column_of(name, &self.outside(within), &self.rows).map_err(damaged)
    }

    fn pick(&self, names: &[Arc<str>], rows: &[u32]) -> Result<Vec<(Arc<str>, Column)>, RowsError> {
        self.block.pick(names, &self.rows_outside(rows))
    }

    fn search(&self, matcher: &TextMatcher, within: &Selection) -> Result<Selection, RowsError> {
        Ok(self.block.search(matcher, &self.outside(within))?.cut(self.rows.clone()))
    }

    fn matching(
        &self,
        name: &str,
        matcher: &TextMatcher,
        within: &Selection,
    ) -> Result<Option<Selection>, RowsError> {
        let found = self.block.matching(name, matcher, &self.outside(within))?;
        Ok(found.map(|found| found.cut(self.rows.clone())))
    }

    fn timeline(&self) -> Option<&dyn Timeline> {
        Some(self)
    }
}

impl Timeline for Stretch<'_> {
    fn time(&self, row: usize) -> Result<i64, RowsError> {
        self.block.time(self.rows.start.saturating_add(row))
    }
}
