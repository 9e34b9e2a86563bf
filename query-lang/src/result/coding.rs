//! Tables of events as bytes.
//!
//! ```text
//! varint rows; the place of each
//! varint columns, in the order they stand in; for each its name by what it adds to the one before, and its texts
//! ```
//!
//! A table that is written has at most [`TABLE_ROWS_MAX`] rows: where most rows lack most fields, it takes many times as
//! much room as the bytes that tell of it, but no more than so many times.

use std::sync::Arc;

use super::ResultTable;
use crate::coding::{
    DecodeError, Places, Reader, read_cells, read_text, write_cells, write_count, write_text,
};
use crate::machine::tail::IMPLICIT_TAIL_ROWS;
use crate::record::ColumnBuilder;

/// Most rows of a table that is written: as many as the implicit tail keeps.
pub(crate) const TABLE_ROWS_MAX: usize = IMPLICIT_TAIL_ROWS;

impl ResultTable {
    /// Appends its rows, their places and their fields, without its remarks.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        write_count(self.rows, out);
        let mut places = Places::default();
        for row in 0..self.rows {
            places.write(self.order.get(row).copied().unwrap_or_default(), out);
        }
        write_count(self.columns.len(), out);
        let mut before = "";
        for (name, column) in &self.columns {
            write_text(before, name, out);
            let cells = (0..self.rows).filter_map(|row| Some((row, column.get(row)?.text())));
            let cells: Vec<_> = cells.collect();
            write_cells(cells.iter().map(|(row, text)| (*row, &**text)), self.rows, out);
            before = name;
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// When the bytes end early or say what cannot be.
    pub(crate) fn read(from: &mut Reader<'_>) -> Result<ResultTable, DecodeError> {
        let rows = from.count(Places::LEAST)?;
        if rows > TABLE_ROWS_MAX {
            return Err(DecodeError::Damaged("a table has too many rows"));
        }
        let mut places = Places::default();
        let order = (0..rows).map(|_| places.read(from)).collect::<Result<_, _>>()?;
        let count = from.count(1)?;
        let mut columns = Vec::with_capacity(count);
        let mut name = String::new();
        for _ in 0..count {
            read_text(&mut name, from)?;
            let mut column = ColumnBuilder::default();
            read_cells(rows, from, |row, text| {
                column.pad(row);
                column.text(text);
            })?;
            column.pad(rows);
            columns.push((Arc::from(name.as_str()), column.finish()));
        }
        Ok(ResultTable { rows, columns, order, ..ResultTable::default() })
    }
}
