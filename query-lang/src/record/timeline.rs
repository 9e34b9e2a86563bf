//! Times of ordered rows: which of them lie in a range is found without reading them all.

use std::ops::Range;

use super::RowsError;

/// The times of rows ordered by time, oldest first.
pub trait Timeline {
    /// The event time of `row`, nanoseconds.
    ///
    /// # Errors
    /// When there is no such row, or the bytes behind it are damaged or unreadable.
    fn time(&self, row: usize) -> Result<i64, RowsError>;

    /// The first row of `rows` that is not before `nanos`; the end of `rows` when all are.
    ///
    /// # Errors
    /// As [`Timeline::time`].
    fn first_at(&self, nanos: i64, rows: Range<usize>) -> Result<usize, RowsError> {
        let (mut low, mut high) = (rows.start, rows.end);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.time(middle)? < nanos { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}
