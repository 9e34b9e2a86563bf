//! Rows that a program makes itself instead of reading events.

use std::sync::Arc;

use crate::machine::Machine;
use crate::program::{Created, TableSource};
use crate::result::ResultTable;

impl Machine {
    /// The rows the program makes itself (`createEvents`, `readFile`), to step over once; `None` when it reads those
    /// it is fed.
    #[must_use]
    pub fn created(&self) -> Option<ResultTable> {
        let texts = match self.program.created.as_ref()? {
            Created::Events(texts) => texts,
            Created::Tables { tables, include, limit } => return Some(read(tables, include, *limit)),
            Created::Correlated(_) => return Some(ResultTable::default()),
        };
        let now = self.context.now_millis.to_string();
        let event = |(at, text): (usize, &Arc<str>)| {
            let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            vec![field("@timestamp", &now), field("@id", &at.to_string()), field("@rawstring", text)]
        };
        let events: Vec<Vec<(String, String)>> = texts.iter().enumerate().map(event).collect();
        Some(ResultTable::of_events(&events))
    }
}

/// The first `limit` rows of `tables`, one after the other, of the columns `include`, or of all when there are none.
fn read(tables: &[TableSource], include: &[Arc<str>], limit: usize) -> ResultTable {
    let mut parts: Vec<ResultTable> = Vec::with_capacity(tables.len());
    let mut left = limit;
    for source in tables {
        // What a query gives is not known before it has run.
        let TableSource::Known(table) = source else { continue };
        let part = table.part(include, left);
        left -= part.rows;
        parts.push(part);
    }
    if parts.len() < 2 {
        return parts.pop().unwrap_or_default();
    }
    let rows = parts.iter().enumerate().flat_map(|(at, part)| (0..part.rows).map(move |row| (at, row)));
    let rows: Vec<(usize, usize)> = rows.collect();
    ResultTable { order: Vec::new(), ..ResultTable::pick(&parts, &rows) }
}
