//! Tables from JSON: an array of objects, a row each; members are columns, nested ones as `a.b` and `a[0]`.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{MAX_TABLE_COLUMNS, MAX_TABLE_ROWS, TableError, check_cells, malformed};
use crate::functions::json::Objects;
use crate::record::ColumnBuilder;
use crate::result::ResultTable;

/// Reads a whole text. A member that is null or not there is a gap.
pub(super) fn read(text: &str) -> Result<ResultTable, TableError> {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut columns: Vec<(Arc<str>, ColumnBuilder)> = Vec::new();
    let mut rows = 0;
    let mut objects = Objects::new(text);
    loop {
        let members = match objects.next_object() {
            Ok(Some(members)) => members,
            Ok(None) => break,
            Err((at, reason)) => return Err(malformed(text.as_bytes(), at, reason)),
        };
        if rows == MAX_TABLE_ROWS {
            return Err(TableError::TooLarge { what: "rows", limit: MAX_TABLE_ROWS, found: rows + 1 });
        }
        for (name, value) in members {
            let at = *known.entry_ref(name.as_str()).or_insert(columns.len());
            if at == columns.len() {
                if at == MAX_TABLE_COLUMNS {
                    return Err(TableError::TooLarge {
                        what: "columns",
                        limit: MAX_TABLE_COLUMNS,
                        found: at + 1,
                    });
                }
                columns.push((name.as_str().into(), ColumnBuilder::default()));
            }
            if let Some((_, column)) = columns.get_mut(at)
                && let Some(value) = value
                && column.len() <= rows
            {
                column.pad(rows);
                column.text(&value);
            }
        }
        rows += 1;
        check_cells(rows, columns.len())?;
    }
    let finished = columns.into_iter().map(|(name, mut column)| {
        column.pad(rows);
        (name, column.finish())
    });
    Ok(ResultTable { rows, columns: finished.collect(), ..ResultTable::default() })
}
