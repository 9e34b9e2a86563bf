//! Tables from CSV (RFC 4180): the first row names the columns.

use csv::{ReaderBuilder, StringRecord};

use super::{MAX_TABLE_COLUMNS, MAX_TABLE_ROWS, TableError, check_cells, malformed, repeated};
use crate::record::ColumnBuilder;
use crate::result::ResultTable;

/// Reads a whole text. Rows that end early have gaps; empty cells are empty texts.
pub(super) fn read(text: &str) -> Result<ResultTable, TableError> {
    closed(text)?;
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut record = StringRecord::new();
    let fault = |error: csv::Error| {
        let at = error.position().map_or(0, |position| position.byte() as usize);
        malformed(text.as_bytes(), at, error.to_string())
    };
    if !reader.read_record(&mut record).map_err(fault)? {
        return Err(malformed(b"", 0, "there is no row with the names of the columns"));
    }
    let names: Vec<String> = record.iter().map(|name| name.trim().to_owned()).collect();
    check_names(&names)?;
    let mut columns: Vec<ColumnBuilder> = names.iter().map(|_| ColumnBuilder::default()).collect();
    let mut rows = 0;
    while reader.read_record(&mut record).map_err(fault)? {
        if record.len() > names.len() {
            let at = record.position().map_or(0, |position| position.byte() as usize);
            let reason = format!("the row has {} cells, but there are {} columns", record.len(), names.len());
            return Err(malformed(text.as_bytes(), at, reason));
        }
        rows += 1;
        if rows > MAX_TABLE_ROWS {
            return Err(TableError::TooLarge { what: "rows", limit: MAX_TABLE_ROWS, found: rows });
        }
        check_cells(rows, names.len())?;
        for (column, cell) in columns.iter_mut().zip(&record) {
            column.pad(rows - 1);
            column.text(cell);
        }
    }
    let named = names.iter().zip(columns).map(|(name, mut column)| {
        column.pad(rows);
        (name.as_str().into(), column.finish())
    });
    Ok(ResultTable { rows, columns: named.collect(), ..ResultTable::default() })
}

fn check_names(names: &[String]) -> Result<(), TableError> {
    if names.len() > MAX_TABLE_COLUMNS {
        return Err(TableError::TooLarge { what: "columns", limit: MAX_TABLE_COLUMNS, found: names.len() });
    }
    if let Some(at) = names.iter().position(String::is_empty) {
        return Err(malformed(b"", 0, format!("column {} has no name", at + 1)));
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match repeated(&names) {
        Some(name) => Err(malformed(b"", 0, format!("the column `{name}` stands twice"))),
        None => Ok(()),
    }
}

/// A quote that is never closed would swallow the rest of the file in silence.
fn closed(text: &str) -> Result<(), TableError> {
    // A quote opens a cell only at its start; inside, two stand for one.
    let (mut open, mut starts) = (None, true);
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((at, byte)) = bytes.next() {
        match (open, byte) {
            (Some(_), b'"') if bytes.next_if(|(_, next)| *next == b'"').is_none() => open = None,
            (Some(_), _) => {}
            (None, b'"') if starts => open = Some(at),
            (None, _) => starts = matches!(byte, b',' | b'\n' | b'\r'),
        }
    }
    open.map_or(Ok(()), |at| Err(malformed(text.as_bytes(), at, "a quote is not closed")))
}
