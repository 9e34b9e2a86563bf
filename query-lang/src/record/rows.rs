//! The seam between the language and whoever holds events.

use std::ops::Range;
use std::sync::Arc;

use super::{Column, Selection, Timeline};
use crate::compile::TextMatcher;

/// The place of an event in the order of all events: timestamp, then arrival.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderKey {
    /// Event time in nanoseconds since the epoch, UTC.
    pub nanos: i64,
    /// Arrival sequence, unique within a data directory.
    pub sequence: u64,
}

/// Why rows could not be read. The scan turns it into a `partial` answer; it never panics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowsError {
    /// The bytes behind the rows are damaged.
    #[error("damaged block: {0}")]
    Damaged(String),
    /// The bytes could not be read.
    #[error("unreadable block: {0}")]
    Unreadable(String),
}

/// Rows a machine steps over: an arriving batch, a stored block, the table of an earlier aggregate.
///
/// Rows are numbered `0..len()` and ordered as the holder likes; [`Rows::order`] tells each row's place. Columns
/// are handed out only for the rows in `within`: what stands in the others is unspecified, so that a holder may
/// decode no more than it is asked for.
///
/// Field names are plain (`status`, `request.url`, `items[0].id`), tags carry `#`, and the meta fields are
/// `@timestamp` (ms), `@timestamp.nanos` (ns within the ms... see `GRAMMAR.md`), `@ingesttimestamp` (ms), `@id`,
/// `@rawstring`, `@timezone` and `#repo`.
pub trait Rows {
    /// How many rows there are.
    fn len(&self) -> usize;

    /// There are no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The place of every row in the order of events; as long as [`Rows::len`].
    ///
    /// # Errors
    /// When the bytes behind the rows are damaged or unreadable.
    fn order(&self) -> Result<Arc<[OrderKey]>, RowsError>;

    /// The places of the rows `rows`, for those who ask for few.
    ///
    /// # Errors
    /// When the bytes behind the rows are damaged or unreadable.
    fn places(&self, rows: &[u32]) -> Result<Vec<OrderKey>, RowsError> {
        let order = self.order()?;
        Ok(rows.iter().map(|row| order.get(*row as usize).copied().unwrap_or_default()).collect())
    }

    /// Every field that some row may have, in a stable order, meta fields and tags included.
    fn names(&self) -> Vec<Arc<str>>;

    /// The values of field `name`; [`Column::Missing`] where no row has it.
    ///
    /// # Errors
    /// When the bytes behind the rows are damaged or unreadable.
    fn column(&self, name: &str, within: &Selection) -> Result<Column, RowsError>;

    /// Columns are kept once they were asked for: to ask again costs nothing.
    fn keeps_columns(&self) -> bool {
        false
    }

    /// As [`Rows::column`], for whoever looks at the values as numbers and nothing else, where the holder has them in
    /// that form: numbers may be spelt another way, and what is none may be missing. `None`: take the column.
    ///
    /// # Errors
    /// When the bytes behind the rows are damaged or unreadable.
    fn numbers(&self, name: &str, within: &Selection) -> Result<Option<Column>, RowsError> {
        let _ = (name, within);
        Ok(None)
    }

    /// The fields `names` of the rows `rows`, in this order, a slot a row; fields that none of them has are left out.
    /// Of the holder at most the distinct values of small dictionaries are kept alive by what is handed out. What it costs
    /// should hang on how many rows are asked for, not on how many there are.
    ///
    /// # Errors
    /// When the bytes behind the rows are damaged or unreadable.
    fn pick(&self, names: &[Arc<str>], rows: &[u32]) -> Result<Vec<(Arc<str>, Column)>, RowsError> {
        let mut within = Selection::none(self.len());
        rows.iter().for_each(|row| within.insert(*row as usize));
        let mut columns = Vec::with_capacity(names.len());
        for name in names {
            let column = self.column(name, &within)?.copied(rows);
            columns.extend(column.map(|column| (Arc::clone(name), column)));
        }
        Ok(columns)
    }

    /// The rows of `within` whose text matches: `@rawstring` or any field but the meta fields and tags.
    ///
    /// # Errors
    /// When the bytes behind the rows are damaged or unreadable.
    fn search(&self, matcher: &TextMatcher, within: &Selection) -> Result<Selection, RowsError>;

    /// The rows of `range` as rows of their own, numbered from 0, where to hand out columns of them costs what they cost
    /// and not what all rows do. `None`: take columns of all rows. An empty range, or one beyond the end, has none.
    fn stretch(&self, range: Range<usize>) -> Option<Box<dyn Rows + '_>> {
        let _ = range;
        None
    }

    /// The times of rows that are ordered by time, to be looked up one by one. `None`: they are not ordered, or all
    /// have to be read anyway.
    fn timeline(&self) -> Option<&dyn Timeline> {
        None
    }

    /// The rows of `within` in which field `name` is present and matches, when the holder can tell without
    /// handing out the column (from a dictionary, a template, facts). `None`: take the column and look.
    ///
    /// # Errors
    /// When the bytes behind the rows are damaged or unreadable.
    fn matching(
        &self,
        name: &str,
        matcher: &TextMatcher,
        within: &Selection,
    ) -> Result<Option<Selection>, RowsError> {
        let _ = (name, matcher, within);
        Ok(None)
    }
}
